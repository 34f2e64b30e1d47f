"""Greedy soups: never below the best model, and nothing in them that lowered the score."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("torch")
pytest.importorskip("safetensors")
pytest.importorskip("tokenizers")

import torch

from slm.errors import InvalidRecipe
from slm.merge import greedy_soup
from tests.unit.merge import tiny

AT = "model.norm.weight"


def models(folder: Path, values: list[float]) -> list[Path]:
    """Models that differ in one tensor, filled with a value each."""
    torch.manual_seed(0)
    base = tiny.weights(1, 8)
    return [
        tiny.write(folder / str(n), {**base, AT: torch.full((16,), value)}, layers=1)
        for n, value in enumerate(values)
    ]


def closeness(folder: Path) -> float:
    """A score: highest where that tensor is 1."""
    return -abs(float(tiny.read(folder)[AT].mean()) - 1)


def test_models_that_help_are_kept(tmp_path: Path) -> None:
    """Best first; a model stays if the mean with it scores higher, else it is left out."""
    given = models(tmp_path, [5.0, 0.8, 1.4, 0.9])
    soup = greedy_soup(given, closeness, tmp_path / "soup")
    # 0.9 alone; with 0.8 it is worse, and with 1.4 the mean is 1.15.
    assert soup.alone == pytest.approx((-4.0, -0.2, -0.4, -0.1), abs=1e-6)
    assert [trial.kept for trial in soup.trials] == [True, False, False, False]
    assert soup.models == (str(given[3]),)
    other = greedy_soup(models(tmp_path / "b", [0.8, 1.15, 5.0]), closeness, tmp_path / "other")
    assert [Path(name).name for name in other.models] == ["1", "0"]
    assert float(tiny.read(tmp_path / "other")[AT].mean()) == pytest.approx(0.975)
    assert other.score == pytest.approx(-0.025, abs=1e-6)
    assert not list(tmp_path.glob(".soup*"))


def test_never_below_the_best(tmp_path: Path) -> None:
    """Whatever the models, the soup scores at least as high as each of them."""
    generator = torch.Generator().manual_seed(3)
    for round_ in range(4):
        values = (torch.rand(4, generator=generator) * 4 - 1).tolist()
        soup = greedy_soup(
            models(tmp_path / str(round_), values), closeness, tmp_path / f"out{round_}"
        )
        assert soup.score >= max(soup.alone)
        assert closeness(tmp_path / f"out{round_}") == pytest.approx(soup.score)


def test_what_cannot_be_scored(tmp_path: Path) -> None:
    """Models twice, and scores that are no numbers, are refused; nothing is left behind."""
    given = models(tmp_path, [1.0, 2.0])
    with pytest.raises(InvalidRecipe, match="given twice"):
        greedy_soup([given[0], given[0]], closeness, tmp_path / "soup")
    with pytest.raises(InvalidRecipe, match="is not a number"):
        greedy_soup(given, lambda _: float("nan"), tmp_path / "soup")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["0", "1"]

"""`slm merge`: recipes and plain soups from the command line."""

from __future__ import annotations

import json
import lzma
import shutil
from pathlib import Path

import pytest

pytest.importorskip("torch")
pytest.importorskip("safetensors")
pytest.importorskip("yaml")
pytest.importorskip("tokenizers")

import torch

from slm.cli.main import main
from slm.models.embedded import folder as embedded_folder
from tests.unit.merge import tiny


@pytest.fixture(autouse=True)
def models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """Models beside the current folder's recipe."""
    monkeypatch.chdir(tmp_path)
    found = tiny.family(tmp_path, count=2)
    (tmp_path / "recipe.yml").write_text(
        "merge_method: slerp\nbase_model: one\nmodels: [{model: one}, {model: two}]\n"
        "parameters: {t: 0.5, density: 0.1}\n"
    )
    return found


def test_soup(capsys: pytest.CaptureFixture[str]) -> None:
    """Folders become the mean of their weights, and a line says so."""
    assert main("merge base one two --weight 1 --weight 1 --weight 2 --output out".split()) == 0
    base, one, two = (tiny.read(Path(name)) for name in ("base", "one", "two"))
    for name, tensor in tiny.read(Path("out")).items():
        assert torch.allclose(tensor, (base[name] + one[name] + 2 * two[name]) / 4, atol=1e-7)
    assert "merged 3 models by linear: 30 tensors" in capsys.readouterr().err
    card = Path("out/README.md").read_text()
    assert "slm merge mergekit_config.yml" in card
    assert '- "two"' in card


def test_the_card_makes_it_again() -> None:
    """The recipe in the output gives the same tensors."""
    assert main("merge base one --weight 1 --weight 3 --output out --quiet".split()) == 0
    assert main("merge out/mergekit_config.yml --output again --quiet".split()) == 0
    again = tiny.read(Path("again"))
    assert all(torch.equal(again[name], t) for name, t in tiny.read(Path("out")).items())


def test_recipe_and_notes(capsys: pytest.CaptureFixture[str]) -> None:
    """A recipe is carried out; what has no effect is said."""
    assert main("merge recipe.yml --output out".split()) == 0
    assert "note: the parameter `density` has no effect with slerp" in capsys.readouterr().err
    assert Path("out/model.safetensors").is_file()


def test_dry_run(capsys: pytest.CaptureFixture[str]) -> None:
    """The plan lists every tensor with where it comes from, and writes nothing."""
    assert main("merge recipe.yml --output out --dry-run --max-shard-size 4K".split()) == 0
    shown = capsys.readouterr().out
    assert "model.layers.2.mlp.down_proj.weight" in shown
    assert "model-00002-of-" in shown
    assert "t 0.5" in shown
    assert "nothing was written" in shown
    assert not Path("out").exists()


SEVERAL = """name: soup
merge_method: linear
models: [{model: one}, {model: two}]
parameters: {weight: 1}
---
merge_method: slerp
base_model: base
models: [{model: base}, {model: soup}]
parameters: {t: 0.5, density: 0.1}
"""


def test_several_recipes(capsys: pytest.CaptureFixture[str]) -> None:
    """A file of several is carried out; what is in between is kept where --work says so."""
    Path("several.yml").write_text(SEVERAL)
    before = {path.name for path in Path().iterdir()}
    assert main("merge several.yml --output out".split()) == 0
    said = capsys.readouterr().err
    assert "note: the parameter `density` has no effect with slerp" in said
    assert "carried 2 recipes out" in said
    assert {path.name for path in Path().iterdir()} == before | {"out"}
    assert main("merge several.yml --output again --work kept --quiet".split()) == 0
    assert Path("kept/soup/model.safetensors").is_file()
    again = tiny.read(Path("again"))
    assert all(torch.equal(again[name], t) for name, t in tiny.read(Path("out")).items())


def test_dry_run_of_several(capsys: pytest.CaptureFixture[str]) -> None:
    """Each recipe's plan is shown under its name, and nothing is written."""
    Path("several.yml").write_text(SEVERAL)
    before = sorted(Path().iterdir())
    assert main("merge several.yml --output out --dry-run".split()) == 0
    shown = capsys.readouterr().out
    assert "# soup, by linear" in shown
    assert "# out, by slerp" in shown
    assert sorted(Path().iterdir()) == before


@pytest.mark.parametrize(
    ("command", "said"),
    [
        ("merge recipe.yml one --output out", "[C001] a recipe stands alone"),
        ("merge one two --weight 1 --output out", "[W001] 1 weights for 2 models"),
        ("merge one --output out --max-shard-size big", "[C001] `big` is no size"),
        ("merge one --output out --dtype int3", "[C001] there is no type `int3`"),
        ("merge one two --greedy --output out", "[C001] --greedy needs --data"),
        ("merge one --output out --engine mergekit", "[C001] --engine mergekit needs a recipe"),
        ("merge recipe.yml --output out --work kept", "[C001] --work is for a file of several"),
        ("merge one --output out --work kept", "[C001] --work is for a file of several recipes"),
        ("merge none --output out", "[N001] there is no model folder `none`"),
        ("merge one --output two", "[W006] the folder `two` is not empty"),
    ],
)
def test_errors(capsys: pytest.CaptureFixture[str], command: str, said: str) -> None:
    """Wrong calls are refused by name with exit code 2."""
    assert main(command.split()) == 2
    assert said in capsys.readouterr().err
    assert not Path("out").exists()


def corpus(folder: Path) -> None:
    """A corpus of two sentences, one to score on."""
    ontology = {
        "concepts": [{"qid": "Q5", "label": "human"}, {"qid": "Q2", "label": "film"}],
        "relations": [{"pid": "P57", "label": "director", "domain": "Q2", "range": "Q5"}],
    }
    (folder / "ontologies").mkdir(parents=True)
    (folder / "ontologies" / "film_ontology.json").write_text(json.dumps(ontology))
    for name, film in (("train", "Ran"), ("validation", "Heat")):
        triples = [{"sub": film, "rel": "director", "obj": "Ann Lee"}]
        text = f"{film} is a film directed by Ann Lee."
        record = {"id": name, "onto": "film", "text": text, "triples": triples}
        (folder / f"{name}.jsonl.xz").write_bytes(lzma.compress(json.dumps(record).encode()))


def test_greedy_soup_of_extraction_models(capsys: pytest.CaptureFixture[str]) -> None:
    """Models are scored by the triples that they find; what lowers the score is left out."""
    pytest.importorskip("transformers")
    from safetensors.torch import load_file, save_file

    good = embedded_folder()
    shutil.copytree(good, "bad")
    tensors = load_file(good / "model.safetensors")
    torch.manual_seed(0)
    noise = {n: torch.randn(t.shape).to(t.dtype) if t.dim() > 1 else t for n, t in tensors.items()}
    save_file(noise, "bad/model.safetensors")
    corpus(Path("corpus"))
    call = f"merge --greedy --data corpus --sentences 1 bad {good} --output soup"
    assert main(call.split()) == 0
    shown = capsys.readouterr().out.splitlines()
    assert shown[0] == "0.0000  bad alone"
    assert shown[1] == f"1.0000  {good} alone"
    assert shown[2].endswith("left: soup with bad")
    assert shown[3] == "1.0000  the soup of 1, in soup"
    assert all(torch.equal(tensors[n], t) for n, t in tiny.read(Path("soup")).items())

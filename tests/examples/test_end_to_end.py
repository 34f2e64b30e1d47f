"""The benchmarks of whole generations and of the sparse head run, in a short form."""

from __future__ import annotations

import json
import sys

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")

from benchmarks import end_to_end  # noqa: E402
from benchmarks.cases import OWN_CASES  # noqa: E402
from benchmarks.random_models import Said, make  # noqa: E402
from slm.decode import Generator  # noqa: E402
from slm.mask import native_available  # noqa: E402


@pytest.fixture
def one_thread():
    """The benchmarks set the number of threads; here it is set back."""
    threads = torch.get_num_threads()
    yield
    torch.set_num_threads(threads)


def test_whole_generations_are_compared(monkeypatch, tmp_path, capsys, one_thread):
    """Every way says the same tokens, and the table has a row for each schema and their sum."""
    path = tmp_path / "rows.json"
    flags = "--models tiny --dtype float32 --rounds 1 --cases 2 --lengths 5,90"
    monkeypatch.setattr(
        sys, "argv", ["x", *flags.split(), "--data", str(OWN_CASES), "--json", str(path)]
    )
    end_to_end.main()
    printed = capsys.readouterr().out
    rows = json.loads(path.read_text())
    assert len(rows) == 2
    assert printed.count("\n| tiny") == 3
    for row in rows:
        assert row["passes"] == row["tokens"] - row["forced"] > 0
        assert 0 < row["logits"] < 1
        assert set(row["wall"]) == set(row["cpu"]) == set(end_to_end.WAYS)


def test_models_are_made_to_say_a_text():
    """Free, a model says the given tokens; what it computes is what it would have computed."""
    model = make("tiny", "float32")
    tokens = model.vocabulary.tokenize('{"name": "Ada"}')
    out = Generator(Said(model, tokens))("a prompt", max_tokens=40)
    assert out.tokens == tuple(tokens)
    assert out.finish_reason == "complete"


@pytest.mark.skipif(not native_available(), reason="the native engine is not built")
def test_the_sparse_head_is_compared(monkeypatch, capsys, one_thread):
    """A line for each type and number of tokens, the last one all."""
    from benchmarks import sparse_head

    monkeypatch.setattr(sys, "argv", ["x", "--rows", "900", "--width", "64", "--seconds", "0.01"])
    sparse_head.main()
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 2 + 2 * 5

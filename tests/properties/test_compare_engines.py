"""A piece of `tools/compare_engines.py`: the native engine's masks are the reference's."""

from __future__ import annotations

from pathlib import Path

import pytest

from slm.mask import native_available
from slm.vocab import byte_vocabulary
from tests.paths import shared_data
from tools import compare_engines

pytestmark = pytest.mark.skipif(not native_available(), reason="the native engine is not built")


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compare_engines, "OUT", tmp_path)
    monkeypatch.setattr(compare_engines, "GRAMMAR_SECONDS", 5.0)


@pytest.mark.parametrize(
    ("tokenizer", "source"), [("llama3", "random"), ("qwen2", "schema"), ("phi3", "lark")]
)
def test_cuts_of_real_vocabularies_have_equal_masks(tokenizer: str, source: str) -> None:
    """One unit of each source of grammars, over tokens of a real tokenizer: no mask differs."""
    shared_data(f"tokenizers/{tokenizer}")
    work, used = compare_engines.unit(tokenizer, source, 0, full=False)
    assert work.mismatches == 0
    assert work.states > 20
    assert len(used) > 1000


def test_a_mismatch_is_found_and_said(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where a mask is wrong, the report names the grammar, the prefix and the token."""
    from random import Random

    from slm.grammar.ir import Grammar, Rule, Terminal
    from slm.grammar.regular import literal

    grammar = Grammar((Rule("start", Terminal("T", literal("ab"))),), "start")
    other = Grammar((Rule("start", Terminal("T", literal("ac"))),), "start")
    true_compile = compare_engines.compile_grammar

    def wrong(grammar: Grammar, vocabulary: object, engine: str) -> object:
        return true_compile(other if engine == "native" else grammar, vocabulary, engine)  # type: ignore[arg-type]

    monkeypatch.setattr(compare_engines, "compile_grammar", wrong)
    work = compare_engines.Work("planted")
    found = compare_engines.compare(
        "planted", grammar, [], byte_vocabulary(), Random(0), work, most=9
    )
    assert work.mismatches == 1
    assert found[0]["prefix"] == "b'a'"
    assert found[0]["shortest"] == "b'b'"
    assert found[0]["reference_allows_it"]
    assert found[0]["differs_with_bytes_and_that_token"]


def test_cuts_hold_every_kind_of_token() -> None:
    """Each stratum of a real vocabulary is in a cut, and all single bytes."""
    from random import Random

    shared_data("tokenizers/llama3")
    vocabulary, _ = compare_engines.cut("llama3", Random(0))
    kinds = {compare_engines.kind_of(data) for data in vocabulary.tokens if data and len(data) > 1}
    assert kinds == set(compare_engines.KINDS)
    assert len(vocabulary.alphabet) == len(compare_engines.real("llama3").alphabet)

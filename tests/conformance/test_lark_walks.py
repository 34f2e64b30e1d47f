"""A model that knows nothing, under the grammars of public projects: what it writes, Lark parses.

Each walk draws tokens of a 128k vocabulary uniformly from the masks, for a while, and then takes a
shortest way to the end. `make lark-walks` takes LARK_WALKS of them a grammar; the tests a few.
"""

from __future__ import annotations

import os
from typing import Any

import lark
import numpy as np
import pytest

from benchmarks.lark_corpus import as_built
from slm.mask import CompiledGrammar, compile_grammar, native_available
from slm.syntax import compile_lark
from slm.vocab import Vocabulary, byte_vocabulary
from tests.accepting import finish
from tests.conformance.test_lark import corpus
from tests.deadline import OutOfTime, within
from tests.paths import shared_data

WALKS = int(os.environ.get("SLM_LARK_WALKS", "0"))
SMALL = ("syncode_calc", "logic_ltl", "poetry_pep508", "epics_dbtemplate", "pddl")  # in the tests
TOKENS = 24

pytestmark = pytest.mark.skipif(not native_available(), reason="the native engine is not built")


def grammars() -> list[Any]:
    return [
        pytest.param(entry, id=entry["name"])
        for entry in corpus()
        if WALKS or entry["name"] in SMALL
    ]


@pytest.fixture(scope="module")
def llama() -> Vocabulary:
    """The 128k tokens of Llama 3."""
    return Vocabulary.from_hf(str(shared_data("tokenizers/llama3")))


def built(entry: dict[str, Any]) -> lark.Lark:
    """The grammar as its project builds it."""
    path = shared_data(f"lark/{entry['name']}") / entry["grammar"]
    start, options = as_built(entry)
    options["source_path"] = str(path)
    return lark.Lark(path.read_text(encoding="utf-8"), start=start, **options)


def walk(grammar: CompiledGrammar, bytewise: CompiledGrammar, ends: np.ndarray, seed: int) -> str:
    """A text of some random tokens, and of what is missing then, byte by byte."""
    rng, matcher = np.random.default_rng(seed), grammar.matcher()
    size = len(ends)
    for _ in range(rng.integers(1, TOKENS)):
        bits = np.unpackbits(matcher.mask().view(np.uint8), bitorder="little")[:size].astype(bool)
        assert bits.any(), f"empty mask after {matcher.text!r}"
        assert bits[ends].any() == matcher.is_complete()
        going_on = np.flatnonzero(bits & ~ends)
        if not len(going_on):
            break
        matcher.accept(int(rng.choice(going_on)))
    closing = bytewise.matcher()
    for byte in matcher.text:
        closing.accept(byte)
    finish(closing)
    return closing.text.decode()


@pytest.mark.parametrize("entry", grammars())
def test_what_a_uniform_model_writes_is_parsed(entry: dict[str, Any], llama: Vocabulary) -> None:
    """No mask is empty, the end is always reached, and Lark parses the text."""
    parser = built(entry)
    start = str(parser.options.start[0])
    lowered = compile_lark(parser, start=start).grammar
    grammar, bytewise = compile_grammar(lowered, llama), compile_grammar(lowered, byte_vocabulary())
    ends = np.isin(np.arange(len(llama)), list(llama.eos_ids))
    undecided = 0
    walks = WALKS or 10
    for seed in range(walks):
        text = walk(grammar, bytewise, ends, seed)
        try:
            with within(2.0, "lark"):
                parser.parse(text, start=start)
        except (RuntimeError, OutOfTime):  # Lark fails itself, or takes too long
            undecided += 1
        except lark.exceptions.UnexpectedInput as error:
            pytest.fail(f"Lark refuses {text!r}: {error}")
    print(f"{entry['name']}: {walks} walks, {undecided} undecided by Lark")
    assert undecided < walks

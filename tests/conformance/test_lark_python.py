"""The Python grammar that comes with Lark, with its post-lexer, on programs of this library."""

from __future__ import annotations

import random
from pathlib import Path

import lark
import numpy as np
import pytest
from lark.indenter import DedentError, PythonIndenter

from slm.errors import TokenRejected
from slm.mask import CompiledGrammar, Matcher, compile_grammar, native_available
from slm.syntax import compile_lark
from slm.vocab import Vocabulary, byte_vocabulary
from tests.accepting import finish
from tests.paths import ROOT, shared_data

BYTES = byte_vocabulary()
PROGRAMS = [
    "slm/syntax/places.py",
    "slm/mask/fewest.py",
    "slm/grammar/charset.py",
    "slm/decode/partial.py",
    "slm/cli/sample.py",
]

pytestmark = pytest.mark.skipif(
    not native_available(), reason="the reference engine takes minutes for a program"
)


@pytest.fixture(scope="module")
def python() -> lark.Lark:
    return lark.Lark.open_from_package(
        "lark", "python.lark", ["grammars"],
        parser="lalr", start="file_input", postlex=PythonIndenter(),
    )  # fmt: skip


@pytest.fixture(scope="module")
def grammar(python: lark.Lark) -> CompiledGrammar:
    return compile_grammar(compile_lark(python, start="file_input").grammar, BYTES)


def parses(python: lark.Lark, text: str) -> bool:
    try:
        python.parse(text)
    except (lark.exceptions.UnexpectedInput, DedentError, IndexError, AssertionError):
        return False
    return True


def read(grammar: CompiledGrammar, text: str) -> tuple[Matcher, int]:
    """As much of the text as is viable."""
    matcher = grammar.matcher()
    for at, byte in enumerate(text.encode()):
        try:
            matcher.accept(byte)
        except TokenRejected:
            return matcher, at
    return matcher, len(text.encode())


@pytest.mark.parametrize("path", PROGRAMS)
def test_programs(path: str, python: lark.Lark, grammar: CompiledGrammar) -> None:
    """Every beginning is viable, and a text may end exactly where Lark accepts it."""
    text = (ROOT / path).read_text(encoding="utf-8")
    assert parses(python, text)
    matcher = grammar.matcher()
    rng = random.Random(path)
    asked = {rng.randrange(len(text)) for _ in range(25)}
    asked |= {at + 1 for at, char in enumerate(text) if char == "\n" and rng.random() < 0.3}
    for at, char in enumerate(text):
        if at in asked:
            assert matcher.is_complete() == parses(python, text[:at]), text[:at][-80:]
        for byte in char.encode():
            matcher.accept(byte)
    assert matcher.is_complete()


@pytest.mark.parametrize("seed", range(4))
def test_programs_with_a_mistake(seed: int, python: lark.Lark, grammar: CompiledGrammar) -> None:
    """Blanks added, taken away and moved, and other slips: the verdict is Lark's."""
    rng = random.Random(seed)
    text = Path(ROOT / PROGRAMS[seed % len(PROGRAMS)]).read_text(encoding="utf-8")[:1500]
    text = text[: text.rindex("\n") + 1]
    for _ in range(20):
        at = rng.choice([m for m, char in enumerate(text) if char in "\n :()#"])
        put = rng.choice(["", " ", "    ", "\t", "\n", "#", "(", ")", ":", "\n    x = 1\n", "\\\n"])
        near = text[:at] + put + text[at + rng.choice([0, 1, 1, 4]) :]
        matcher, reached = read(grammar, near)
        whole = reached == len(near.encode()) and matcher.is_complete()
        assert whole == parses(python, near), near


@pytest.mark.parametrize("seed", range(6))
def test_random_programs(seed: int, python: lark.Lark, grammar: CompiledGrammar) -> None:
    """What a walk under the masks finishes, Lark parses."""
    rng, matcher = random.Random(seed), grammar.matcher()
    liked = set(b'\n:    \tifdefclassx=()[],#1"')
    for _ in range(120):
        allowed = [byte for byte in matcher.allowed() if byte < 128]
        assert allowed or matcher.is_complete()
        matcher.accept(rng.choice([byte for byte in allowed if byte in liked] or allowed))
    finish(matcher)
    assert parses(python, matcher.text.decode()), matcher.text


def test_walks_with_a_real_vocabulary(python: lark.Lark, grammar: CompiledGrammar) -> None:
    """The same with 128,000 tokens, many of them lines with their indentation.

    And masks out of tables are those of a walk through the whole vocabulary.
    """
    llama = Vocabulary.from_hf(str(shared_data("tokenizers/llama3")))
    compiled = compile_grammar(grammar.grammar, llama)
    lines = np.array([b"\n" in (llama.bytes_of(token) or b"") for token in range(len(llama))])
    short = np.array([len(llama.bytes_of(token) or b"") < 3 for token in range(len(llama))])
    walked = np.zeros(llama.words, np.int32)
    for seed in range(3):
        rng, matcher = np.random.default_rng(seed), compiled.matcher()
        for step in range(40):
            mask = matcher.mask()
            if step % 8 == 0:
                matcher._session._session.walk_mask(walked)
                assert np.array_equal(mask, walked), matcher.text
            allowed = np.unpackbits(mask.view(np.uint8), bitorder="little")[: len(llama)] > 0
            allowed[list(llama.eos_ids)] = False
            assert allowed.any(), matcher.text
            for some in (lines, short):
                if (allowed & some).any() and rng.random() < 0.5:
                    allowed &= some
            matcher.accept(int(rng.choice(np.flatnonzero(allowed))))
        end, _ = read(grammar, matcher.text.decode(errors="ignore"))
        finish(end)
        assert parses(python, end.text.decode()), end.text

"""The cases of tests/cases, run by every engine."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from slm.grammar.reader import read_grammar
from slm.mask import compile_grammar
from slm.vocab import Vocabulary
from tests.properties.engine_language import ENGINES

tomllib = pytest.importorskip("tomllib", reason="the standard library reads TOML from 3.11 on")

FILES = sorted((Path(__file__).parents[2] / "cases").glob("*.toml"))
CASES = [
    pytest.param(case, id=f"{path.stem}: {case['name']}")
    for path in FILES
    for case in tomllib.loads(path.read_text(encoding="utf-8"))["case"]
]


def data_of(text: str) -> bytes:
    """The bytes of a token or prefix: its text, or after ``hex:`` its bytes."""
    return bytes.fromhex(text[4:]) if text.startswith("hex:") else text.encode()


def tokens_of(allowed: list[str]) -> set[bytes]:
    """What `allowed` lists; ``hex:80-bf`` and ``[a-z]`` are ranges of single bytes."""
    found: set[bytes] = set()
    for text in allowed:
        hexes = re.fullmatch(r"hex:(..)-(..)", text)
        letters = re.fullmatch(r"\[(.)-(.)\]", text)
        if hexes:
            found |= {bytes([byte]) for byte in range(int(hexes[1], 16), int(hexes[2], 16) + 1)}
        elif letters:
            found |= {bytes([byte]) for byte in range(ord(letters[1]), ord(letters[2]) + 1)}
        else:
            found.add(data_of(text))
    return found


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("case", CASES)
def test_case(case: dict[str, Any], engine: str) -> None:
    """After each prefix, exactly the listed tokens are allowed."""
    singles = [bytes([byte]) for byte in range(256)]
    more = [data_of(text) for text in case.get("vocabulary", [])]
    vocabulary = Vocabulary((*singles, *more, None), (256 + len(more),))
    compiled = compile_grammar(read_grammar(case["grammar"]), vocabulary, engine)
    for step in case["steps"]:
        matcher = compiled.matcher()
        for byte in data_of(step["prefix"]) * step.get("repeat", 1):
            matcher.accept(byte)
        allowed = set(matcher.allowed())
        assert (vocabulary.eos_ids[0] in allowed) == step["complete"] == matcher.is_complete()
        written = {vocabulary.tokens[token] for token in allowed - set(vocabulary.eos_ids)}
        assert written == tokens_of(step["allowed"]), step["prefix"]
        for token, data in enumerate(vocabulary.tokens):
            assert data is None or (token in allowed) == (data in written)

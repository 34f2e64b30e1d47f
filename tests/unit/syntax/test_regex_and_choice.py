"""Regular expressions and choices as grammars."""

from __future__ import annotations

import itertools
import random
import re

import pytest

from slm.errors import EmptyLanguage, PatternError, UnsupportedPattern
from slm.syntax import compile_choice, compile_regex
from tests.accepting import accepts


@pytest.mark.parametrize(
    "pattern", ["a*", "a|ab|abc", "^a?b$", "(?:ab){2}c?", "a*?b", "(?!ab)[abc]{2}", "[^a]+", ""]
)
def test_regex_is_fullmatch(pattern: str) -> None:
    """Exactly the texts of `re.fullmatch`, the empty one included."""
    grammar = compile_regex(pattern)
    for size in range(4):
        for text in map("".join, itertools.product("abc", repeat=size)):
            assert accepts(grammar, text) == bool(re.fullmatch(pattern, text)), text


def test_regex_flags_and_errors() -> None:
    """Flags are Python's letters; malformed, unsupported and empty each have their error."""
    assert accepts(compile_regex("a b", "xi"), "AB")
    with pytest.raises(PatternError):
        compile_regex("(")
    with pytest.raises(UnsupportedPattern):
        compile_regex(r"(?i)(a+)\1")
    assert accepts(compile_regex(r"(a+)\1"), "aaaa")
    assert not accepts(compile_regex(r"(a+)\1"), "aaa")
    assert accepts(compile_regex(r"(a|bc)-\1"), "bc-bc")
    assert not accepts(compile_regex(r"(a|bc)-\1"), "a-bc")
    with pytest.raises(EmptyLanguage):
        compile_regex("a^")


def test_choice_is_exactly_its_texts() -> None:
    """Prefixes of each other, Unicode and the empty text."""
    options = ["no", "not", "né", "😀", ""]
    grammar = compile_choice(options)
    for text in [*options, "n", "nott", "n\u0301e", "yes"]:
        assert accepts(grammar, text) == (text in options), text
    with pytest.raises(EmptyLanguage):
        compile_choice([])


def test_many_and_long_choices() -> None:
    """Thousands of options, or one very long one, are compiled without recursion."""
    rng = random.Random(0)
    words = ["".join(rng.choices("abcde", k=8)) for _ in range(2000)]
    grammar = compile_choice([*words, "z" * 5000])
    assert accepts(grammar, words[77])
    assert accepts(grammar, "z" * 5000)
    assert not accepts(grammar, "z" * 4999)

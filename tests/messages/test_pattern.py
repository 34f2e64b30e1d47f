"""The whole text of every error about a regular expression."""

from __future__ import annotations

import pytest

from slm.errors import (
    EmptyLanguage,
    GrammarTooComplex,
    PatternError,
    Place,
    SlmError,
    UnsupportedPattern,
)
from slm.grammar.pattern import pattern_language
from slm.syntax import compile_regex

PLACE = Place(pointer="/properties/name/pattern")


def lines(error: SlmError) -> list[str]:
    return str(error).split("\n")


def test_malformed_python() -> None:
    """The whole message."""
    with pytest.raises(PatternError) as caught:
        compile_regex("(a")
    assert lines(caught.value) == [
        "[G006] malformed regular expression: missing ), unterminated subpattern",
        "  at <pattern>",
        "  (a",
        "  ^",
        "  hint: this is Python's `re` syntax",
    ]


def test_groups_nested_too_deep() -> None:
    """The whole message."""
    with pytest.raises(GrammarTooComplex) as caught:
        compile_regex("(?:" * 5000 + "a" + ")" * 5000)
    assert lines(caught.value) == [
        "[G004] the regular expression is nested too deep",
        "  at <pattern>",
        "  hint: use fewer groups inside each other",
    ]


def test_backreferences_to_two_groups() -> None:
    """The whole message."""
    with pytest.raises(UnsupportedPattern) as caught:
        compile_regex("a(?P<x>b+)(c+)(?P=x)\\2")
    assert lines(caught.value) == [
        "[G007] a backreference to one of two groups with many words, the second behind the first, "
        "cannot be turned into an exact constraint",
        "  at <pattern>",
        "  a(?P<x>b+)(c+)(?P=x)\\2",
        "                ^",
        "  hint: write the pattern without it",
    ]


def test_a_word_boundary() -> None:
    """The whole message."""
    with pytest.raises(UnsupportedPattern) as caught:
        compile_regex(r"(?i:x)\bfoo")
    assert lines(caught.value) == [
        "[G007] a word boundary cannot be turned into an exact constraint",
        "  at <pattern>",
        "  (?i:x)\\bfoo",
        "        ^",
        "  hint: write the pattern without it",
    ]


def test_contradicting_anchors() -> None:
    """The whole message."""
    with pytest.raises(EmptyLanguage) as caught:
        compile_regex("a^b")
    assert lines(caught.value) == [
        "[G003] no text matches the regular expression",
        "  at <pattern>",
        "  a^b",
        "  ^^^",
        "  hint: look for contradicting anchors or empty character classes",
    ]


def test_malformed_ecma_with_its_schema_place() -> None:
    """The whole message."""
    with pytest.raises(PatternError) as caught:
        pattern_language("a{3,1}", dialect="ecma262", place=PLACE)
    assert lines(caught.value) == [
        "[G006] malformed regular expression: the range of a quantifier is out of order",
        "  at #/properties/name/pattern",
        "  a{3,1}",
        "  ^",
        "  hint: this is ECMA-262 (JavaScript) syntax, as JSON Schema wants it",
    ]


def test_an_unknown_property() -> None:
    """The whole message."""
    with pytest.raises(UnsupportedPattern) as caught:
        pattern_language(r"^\p{Script=Greek}+$", dialect="ecma262", place=PLACE)
    assert lines(caught.value) == [
        "[G007] the Unicode property `Script=Greek` cannot be turned into an exact constraint",
        "  at #/properties/name/pattern",
        "  ^\\p{Script=Greek}+$",
        "   ^^^^^^^^^^^^^^^^",
        "  hint: write the pattern without it",
    ]


def test_an_escape_of_another_dialect() -> None:
    """The whole message."""
    with pytest.raises(PatternError) as caught:
        pattern_language(r"\Zx", dialect="ecma262", place=PLACE)
    assert lines(caught.value) == [
        "[G006] malformed regular expression: unknown escape `\\Z`",
        "  at #/properties/name/pattern",
        "  \\Zx",
        "  ^",
        "  hint: this is ECMA-262 (JavaScript) syntax, as JSON Schema wants it",
    ]


def test_a_lookahead_in_a_loop() -> None:
    """The whole message."""
    with pytest.raises(UnsupportedPattern) as caught:
        pattern_language("(?:x(?=y))*", dialect="ecma262", place=PLACE)
    assert lines(caught.value) == [
        "[G007] a lookahead or an anchor in a long repetition cannot be turned into an "
        "exact constraint",
        "  at #/properties/name/pattern",
        "  (?:x(?=y))*",
        "      ^^",
        "  hint: write the pattern without it",
    ]


def test_an_unknown_flag() -> None:
    """The whole message."""
    with pytest.raises(UnsupportedPattern) as caught:
        compile_regex("a", "z")
    assert lines(caught.value) == [
        "[G007] the regular expression flag `z` is not supported",
        "  at <pattern>",
        "  hint: use flags out of a, i, m, s, u, x",
    ]

"""Patterns of the module `regex` in terms of `re`: the same matches, or refused by name."""

from __future__ import annotations

import itertools
import re

import lark
import pytest

from slm.errors import UnsupportedLarkFeature
from slm.syntax import compile_lark
from slm.syntax.regex_module import as_re
from tests.accepting import accepts

regex = pytest.importorskip("regex")

PLAIN = [
    r"\w+?[^\d_]",
    r"[\p{Lu}\p{Nd}]+",
    r"\P{L}\p{Ll}*",
    r"(?P<x>a|\s)*(?=b)b",
    r"[^\W\d]{1,2}",
    r"[a\-\]]+",
    r"[-a]x?",
    r"(?:(?<!a)b|.)+",
]
OTHERS = [
    r"(?R)?a",
    r"(?(?=\d)\d+|\w+)",
    r"a++",
    r"[a-z--[b]]",
    r"(?:a){e<=1}",
    r"a\Kx",
    r"\bx",
    r"(?i)a",
    r"(?|a)",
    r"[a||b]",
    r"[[:alpha:]]",
    r"(?>ab)",
    r"\X",
]


@pytest.mark.parametrize("pattern", PLAIN)
def test_matches_are_the_same(pattern: str) -> None:
    """First match by first match, over short texts."""
    written = as_re(pattern)
    assert written is not None
    for size in range(4):
        for text in map("".join, itertools.product("ab_1Éß -]\u0660", repeat=size)):
            wanted, found = regex.match(pattern, text), re.match(written, text)
            assert (wanted and wanted[0]) == (found and found[0]), text


@pytest.mark.parametrize("pattern", OTHERS)
def test_what_may_mean_something_else_is_not_translated(pattern: str) -> None:
    """Whatever only one of the modules knows, or reads in its own way."""
    assert as_re(pattern) is None


def test_grammars_with_classes_of_regex() -> None:
    """Lark with ``regex=True`` is the judge; letters beyond Python's own tables included."""
    grammar = 'start: NAME ("," NAME)*\nNAME: /[\\p{Lu}_][\\w]*/'
    compiled = compile_lark(grammar, regex=True)
    parser = lark.Lark(grammar, parser="lalr", regex=True)
    for text in ("A", "Éa,_1", "a", "A,", "Ａ", "𝔸x"):
        try:
            parser.parse(text)
            wanted = True
        except lark.exceptions.UnexpectedInput:
            wanted = False
        assert accepts(compiled.grammar, text) == wanted, text


def test_flags_are_refused_by_name() -> None:
    """Case folding differs between the modules."""
    with pytest.raises(UnsupportedLarkFeature) as caught:
        compile_lark("start: /a/i", regex=True)
    assert caught.value.feature == "regex"

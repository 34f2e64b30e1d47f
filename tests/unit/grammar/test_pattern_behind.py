"""Lookahead that looks behind: judged by `re` on all short texts, behind each character."""

from __future__ import annotations

import itertools
import re

import pytest

from slm.errors import UnsupportedPattern
from slm.grammar.charset import CharSet
from slm.grammar.derivative import Languages
from slm.grammar.pattern import parse_pattern
from slm.grammar.pattern_behind import RestBehind, looks_behind

BODIES = [
    r"a\b", r"\b", r"\Bb?", r"(?:a|ab)\b-", r"a*\bb?", r"(?<!a)b", r"(?:(?<=a)|b)b", r"^a",
    r"a?^b|-$",
    r"(?:a(?<!b)){1,2}-", r"(?:b\B){0,2}a", r"(?!\bab\b)a", r"a(?=b\b)", r"[ab]+?\b-?(?<!b)$",
    r"(?<=)a", r"(?<![ab]){2}a", r".*\bb\b", r"(?:-|\b)(?:a|b(?<!-))-",
]  # fmt: skip


def refuse(what: str, _written: str) -> UnsupportedPattern:
    return UnsupportedPattern(what)


def rest(body: str) -> RestBehind:
    pattern = parse_pattern(body, dialect="python", assertions=True)
    assert looks_behind(pattern.root)
    return RestBehind(pattern.root, refuse)


@pytest.mark.parametrize("body", BODIES)
def test_texts_ahead_are_those_of_re(body: str) -> None:
    """Behind nothing, a letter, or something else: a text is in the language iff `re` sees it."""
    pool, made, judge = Languages(), rest(body), re.compile(f"(?={body})")
    for left in ("", "a", "b", "-", " "):
        state = pool.state(made.after(CharSet.of(left) if left else None))
        for size in range(5):
            for text in map("".join, itertools.product("ab-", repeat=size)):
                here = state
                for char in text:
                    here = pool.step(here, ord(char))
                if not left + text:
                    continue  # of no text at all, `re` says that there is no `\\B` in it
                seen = judge.match(left + text, len(left)) is not None
                assert pool.accepts(here) == seen, (left, text)


def test_what_stands_before_may_make_no_difference() -> None:
    """A keyword's end is decided behind it; a boundary in front of it is not."""
    assert not rest(r"(?:and|or)\b").depends()
    assert rest(r"\b(?:and|or)\b").depends()
    assert rest(r"(?<!x)a").after(CharSet.EMPTY) == rest(r"(?<!x)a").after(CharSet.of("y"))


@pytest.mark.parametrize("body", [r"(?<!ab)c", r"(?:a\b-)*b", r"(?:a\b-){17}"])
def test_what_is_refused(body: str) -> None:
    """Long lookbehind, and assertions in long loops."""
    with pytest.raises(UnsupportedPattern):
        rest(body)

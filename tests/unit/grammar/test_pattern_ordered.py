"""Leftmost-first languages: judged by `re.match` on all short texts."""

from __future__ import annotations

import itertools
import re

import pytest

from slm.errors import GrammarTooComplex, UnsupportedPattern
from slm.grammar.charset import CharSet
from slm.grammar.derivative import Languages
from slm.grammar.ordered import leftmost_first_language, order_is_harmless
from slm.grammar.ordered_dfa import minimise, partition
from slm.grammar.pattern import parse_pattern
from slm.grammar.regular import NOTHING, Dfa, Regular, Repeat
from tests.deadline import within


def refuse(what: str, _written: str) -> UnsupportedPattern:
    return UnsupportedPattern(what)


def first_language(pattern: str) -> Regular:
    return leftmost_first_language(parse_pattern(pattern, dialect="python"), refuse=refuse)


def holds(language: Regular, text: str) -> bool:
    pool = Languages()
    state = pool.state(language)
    for char in text:
        state = pool.step(state, ord(char))
    return pool.accepts(state)


PATTERNS = [
    "a|ab", "ab|a", "a+?", "a*?b", '".*?"', '".*?"a', "(?:a|ab)(?:c|bcd)", "(?:a|ab)*c", "a??b",
    "(?:ab?)+?a", "a{2,4}?b?", "(?:a|b|ab){2}", '".*?(?<!\\\\)(\\\\\\\\)*?"', "a(?<!b)b",
    "(?:a(?<=a)|b)+", "[ab]+a", "(?:(?:ab)*a?)*b", "x(?:a*)*a",
]  # fmt: skip


@pytest.mark.parametrize("pattern", PATTERNS)
def test_language_is_what_match_consumes_whole(pattern: str) -> None:
    """K(p) = {w : re.match(p, w) ends at the end of w}, for every short w."""
    language, compiled = first_language(pattern), re.compile(pattern)
    letters = sorted(set(pattern) & set('abcdx"\\')) or ["a"]
    for size in range(7 if len(letters) < 4 else 5):
        for text in map("".join, itertools.product(letters, repeat=size)):
            match = compiled.match(text)
            assert holds(language, text) == (match is not None and match.end() == size), text


def test_counters_survive_where_order_cannot_matter() -> None:
    """A greedy bounded loop stays one counted node however large its bound."""
    assert isinstance(first_language("[ab]{3,100000}"), Repeat)
    assert not isinstance(first_language("[a-z]+(?:-[a-z]+)*"), Dfa)


@pytest.mark.parametrize(("pattern", "harmless"), [
    ("a*b", True), ("a*a", False), ("a|b", True), ("a|ab", False),
    ("a+?", False), ("(?:ab)?c", True),
    ("(?:|a)", False), ("(?:a|)b", True), ("(?:a|)a", False),
    ("(?:a*)*", False), ("(?:ab?){2}b", False),
])  # fmt: skip
def test_the_cheap_condition(pattern: str, harmless: bool) -> None:
    """One character decides, or the expensive construction is asked."""
    assert order_is_harmless(parse_pattern(pattern, dialect="python").root) == harmless


@pytest.mark.parametrize(
    "pattern", ["^a", "a$", "a(?=b)", "a(?!b)", "(?<!a)b", "(?:|a)+b", "x(?:a??)*b", "(?:a*|b)+c"]
)
def test_what_needs_surrounding_text_is_refused(pattern: str) -> None:
    """Assertions on the outside, and loops that prefer to match nothing, are refused by name."""
    with pytest.raises(UnsupportedPattern):
        first_language(pattern)


def test_too_large_an_automaton_is_refused() -> None:
    """Work is bounded; the error says what grew."""
    with pytest.raises(GrammarTooComplex):
        first_language("a{1,50000}?b")


def test_minimise_merges_and_drops() -> None:
    """Equal states are one, dead ones are gone."""
    symbols = partition([CharSet.of("ab"), CharSet.of("b")])
    assert symbols == (CharSet.of("a"), CharSet.of("b"))
    moves = [{0: 1, 1: 2}, {0: 3}, {0: 3}, {}, {0: 4}]
    assert minimise(moves, {3}, symbols) == Dfa(
        (((CharSet.of("ab"), 1),), ((CharSet.of("a"), 2),), ()), frozenset({2})
    )
    assert minimise(moves, set(), symbols) == NOTHING


def test_minimising_a_long_chain_takes_no_quadratic_time() -> None:
    """A counter's automaton is a chain, and each state of it differs from all others."""
    size = 20_000
    chain = [{0: state + 1} for state in range(size)]
    with within(5.0, "slm"):
        found = minimise([*chain, {}], [size], [CharSet.of("a")])
    assert isinstance(found, Dfa)
    assert len(found.edges) == size + 1

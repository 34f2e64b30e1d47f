"""Regular languages as states: membership, liveness, and states that stay few."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slm.grammar.charset import CharSet
from slm.grammar.derivative import ANY, EMPTY, NONE, Languages
from slm.grammar.reader import read_regular
from slm.grammar.regular import Dfa, Regular, choice_of
from tests.properties.engine_language import LETTERS, regular_ends, regulars, texts_up_to


def read(pool: Languages, state: int, text: str) -> int:
    """The state after a text."""
    for char in text:
        state = pool.step(state, ord(char))
    return state


@given(regulars, st.text(LETTERS + "z\u0080", max_size=4))
def test_states_accept_exactly_the_language(regular: Regular, text: str) -> None:
    """Stepping through a text ends in an accepting state iff the text is in the language."""
    pool = Languages()
    state = read(pool, pool.state(regular), text)
    assert pool.accepts(state) == (len(text) in regular_ends(regular, text, 0))


@given(regulars)
def test_a_state_is_alive_iff_something_is_accepted(regular: Regular) -> None:
    """What is not alive accepts no short text; what steps to a live state is live."""
    pool = Languages()
    start = pool.state(regular)
    some = any(
        len(text) in regular_ends(regular, text, 0) for text in texts_up_to(LETTERS + "z", 3)
    )
    assert pool.alive(start) or not some
    if pool.alive(start) and not pool.accepts(start):
        assert pool.extendable(start)
        assert any(pool.alive(target) for _, _, target in pool.edges(start))


@given(regulars)
def test_edges_are_disjoint_and_ascending_and_spare_surrogates(regular: Regular) -> None:
    """Each code point has at most one edge, and no surrogate has any."""
    pool = Languages()
    edges = pool.edges(pool.state(regular))
    for (_, high, _), (low, _, _) in pairwise(edges):
        assert high < low
    for low, high, target in edges:
        assert low <= high
        assert target != NONE
        assert high < 0xD800 or low > 0xDFFF


@pytest.mark.parametrize(
    ("text", "alive"),
    [
        ("[a] & [b]", False),
        ("[ab]* & ~([ab]*)", False),
        ('[a-z]{3} & ~([^]* "x" [^]*)', True),
        ('~([^]* "x" [^]*) & [x]+', False),
        ("[a]{2,5} & [a]{4,9} & ~([a]{4})", True),
        ("[a]{2,5} & [a]{6,9}", False),
        ("dfa(2; [a] 1; [a] 1; )", False),
        ("dfa(1; [a] 1; )", True),
        ("~[^]", True),
        ("~([^]*)", False),
        ("~(<>)", True),
    ],
)
def test_emptiness_is_decided(text: str, alive: bool) -> None:
    """With complement, intersection, counters and automata."""
    pool = Languages()
    assert pool.alive(pool.state(read_regular(text))) == alive


def test_simplification_keeps_the_constants() -> None:
    """Nothing, the empty text and everything are always the same three states."""
    pool = Languages()
    for text, state in [
        ("<>", NONE),
        ('""', EMPTY),
        ("[^]*", ANY),
        ("[]", NONE),
        ("[]*", EMPTY),
        ('("" | "")', EMPTY),
        ("~(~[^]*)", ANY),
        ("~<>", ANY),
        ("(&)", ANY),
        ("[a]{2,1}", NONE),
        ("[a] []", NONE),
        ("([^]* | [a])", ANY),
        ('"" & [a]*', EMPTY),
        ('"" & [a]', NONE),
    ]:
        assert pool.state(read_regular(text)) == state, text


@pytest.mark.parametrize("text", ["[^]* [a] [^]{6}", "([a] | [a] [a])*", "~([^]* [a] [^]{3})"])
def test_states_are_finitely_many(text: str) -> None:
    """Sets instead of lists: reading on and on comes back to known states."""
    pool = Languages()
    seen, queue = set(), [pool.state(read_regular(text))]
    while queue:
        state = queue.pop()
        if state not in seen:
            seen.add(state)
            queue += [target for _, _, target in pool.edges(state)]
        assert len(seen) < 200


def test_a_counter_is_not_unrolled() -> None:
    """A bound of a million costs nothing until it is counted down."""
    pool = Languages()
    state = pool.state(read_regular("[a-z]{5,1000000}"))
    before = len(pool)
    state = read(pool, state, "abcd")
    assert not pool.accepts(state)
    assert pool.accepts(read(pool, state, "e"))
    assert len(pool) - before < 20


def test_many_literals_share_their_first_characters() -> None:
    """A choice of thousands is cut by its first character in one pass."""
    pool = Languages()
    words = [f"{first}{first}{number:04}" for first in "abc" for number in range(2_000)]
    state = pool.state(choice_of(words))
    assert len(pool.edges(state)) == 3
    assert pool.accepts(read(pool, state, "bb1999"))
    assert not pool.alive(read(pool, state, "bb2"))


def test_long_chains_need_no_recursion() -> None:
    """More than a thousand optional parts one after the other."""
    pool = Languages()
    state = pool.state(read_regular(" ".join(["[a]?"] * 1_100)))
    assert pool.accepts(read(pool, state, "aaa"))


def test_an_automaton_begins_at_its_first_state() -> None:
    """And is dead where it has no edge."""
    pool = Languages()
    a, b = CharSet.of("a"), CharSet.of("b")
    state = pool.state(Dfa((((a, 1),), ((b, 0),)), frozenset({0})))
    assert pool.accepts(state)
    assert not pool.accepts(read(pool, state, "a"))
    assert pool.accepts(read(pool, state, "ab"))
    assert read(pool, state, "aa") == NONE

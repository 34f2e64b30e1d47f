"""Greedy ignoring written out as grammar."""

from __future__ import annotations

import pytest

from slm.errors import GrammarTooComplex
from slm.grammar import ir
from slm.grammar.derivative import Languages
from slm.grammar.pattern import pattern_language
from slm.grammar.regular import Regular
from slm.syntax.ignore import Ignored


def language(pattern: str) -> Regular:
    return pattern_language(pattern, dialect="python")


def ignored(*patterns: str) -> Ignored:
    return Ignored([language(pattern) for pattern in patterns], GrammarTooComplex)


def holds(regular: Regular, text: str) -> bool:
    pool = Languages()
    state = pool.state(regular)
    for char in text:
        state = pool.step(state, ord(char))
    return pool.accepts(state)


def test_nothing_ignored_changes_nothing() -> None:
    """Without ignored patterns a terminal stays what it is."""
    terminal = ir.Terminal("A", language("a"))
    assert ignored().before(terminal) is terminal
    assert ignored().at_end() == ir.EMPTY


def test_one_shared_terminal_where_no_obligation_can_be_broken() -> None:
    """Blanks and comments before a name: one optional run, the same one for every terminal."""
    runs = ignored(r"\s+", r"#[^\n]*")
    first = runs.before(ir.Terminal("A", language("[a-z]+")))
    second = runs.before(ir.Terminal("B", language(r"\d")))
    assert isinstance(first, ir.Seq)
    assert isinstance(second, ir.Seq)
    blank = first.parts[0]
    assert isinstance(blank, ir.Many)
    assert not isinstance(second.parts[0], ir.Many) or second.parts[0].high == 1


def test_a_comment_goes_to_the_end_of_its_line() -> None:
    """A run that ends in a comment stands before no terminal that the comment would swallow."""
    runs = ignored(r" +", r"#[^\n]*")
    expression = runs.before(ir.Terminal("A", language("a")))
    assert isinstance(expression, ir.Seq)
    run = expression.parts[0]
    assert isinstance(run, ir.Many)
    assert isinstance(run.body, ir.Terminal)
    assert holds(run.body.language, "  ")
    assert not holds(run.body.language, "#x")
    assert not holds(run.body.language, "#x ")
    end = runs.at_end()
    assert isinstance(end, ir.Many)
    assert isinstance(end.body, ir.Terminal)
    assert holds(end.body.language, "  #x ")


def test_a_terminal_is_cut_where_the_match_would_go_on() -> None:
    """After blanks, a terminal that may begin with a blank keeps only its other texts."""
    runs = ignored(" +")
    expression = runs.before(ir.Terminal("A", language(" ?a")))
    assert isinstance(expression, ir.Choice)
    alone, after = expression.options
    assert isinstance(alone, ir.Terminal)
    assert isinstance(after, ir.Seq)
    cut = after.parts[1]
    assert isinstance(cut, ir.Terminal)
    assert holds(cut.language, "a")
    assert not holds(cut.language, " a")


def test_what_later_text_decides_is_refused() -> None:
    """The terminal ends while the ignored text might still go on: refused, not guessed."""
    with pytest.raises(GrammarTooComplex, match="decided by what follows"):
        ignored("(ab)+").before(ir.Terminal("A", language("ab?")))


def test_too_many_states_are_refused() -> None:
    """The run automaton is bounded."""
    with pytest.raises(GrammarTooComplex, match="needs more than"):
        ignored("(a|b)*a(a|b){14}c")

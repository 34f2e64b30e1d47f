"""Whole messages of the errors about grammars themselves."""

from __future__ import annotations

from functools import reduce

import pytest

from slm.errors import GrammarTooComplex, SlmError
from slm.grammar.analysis import prune
from slm.grammar.derivative import Languages
from slm.grammar.ir import Grammar, Many, Rule, Terminal
from slm.grammar.reader import read_grammar, read_regular
from slm.grammar.regular import literal
from slm.mask import compile_grammar
from slm.vocab import byte_vocabulary

MESSAGES = {
    "undefined": (
        "start: b other",
        "[G001] rule `b` is used by `start` but never defined\n"
        "  at g:1:1\n"
        "  start: b other\n"
        "  ^^^^^\n"
        "  hint: define it, or correct the name",
    ),
    "undefined start": (
        "%start goal\nstart: ()",
        "[G001] the start rule `goal` is not defined\n  hint: the rules are start",
    ),
    "duplicate": (
        "start: ()\nstart: ()",
        "[G002] rule `start` is defined twice\n  hint: rename one of them",
    ),
    "barren terminal": (
        'start: "a" value\nvalue: NUMBER\nNUMBER: [0-9] & [a-z]',
        "[G003] no text matches: rule `value` needs terminal `NUMBER`, which matches no character "
        "at all\n"
        "  at g:3:1\n"
        "  NUMBER: [0-9] & [a-z]\n"
        "  ^^^^^^\n"
        "  hint: a terminal needs at least one character; correct its pattern",
    ),
    "endless rule": (
        'start: "a" list\nlist: "x" rest\nrest: "," list',
        "[G003] no text matches: rule `list` never ends (`list` → `rest` → `list`)\n"
        "  at g:2:1\n"
        '  list: "x" rest\n'
        "  ^^^^\n"
        "  hint: give `list` an alternative that does not need itself",
    ),
    "no alternative": (
        "start: <>",
        "[G003] no text matches: rule `start` has no alternative that derives anything\n"
        "  at g:1:1\n"
        "  start: <>\n"
        "  ^^^^^\n"
        "  hint: give it an alternative that can be matched",
    ),
    "unknown terminal": (
        "start: NUMBER",
        "[G005] terminal `NUMBER` is used but never defined\n"
        "  at g:1:8\n"
        "  start: NUMBER\n"
        "         ^^^^^^\n"
        "  hint: the syntax is described in slm.grammar.printer",
    ),
    "terminal twice": (
        "start: A\nA: [a]\nA: [b]",
        "[G005] terminal `A` is defined twice\n"
        "  at g:3:1\n"
        "  A: [b]\n"
        "  ^\n"
        "  hint: the syntax is described in slm.grammar.printer",
    ),
    "unreadable": (
        "start: ^",
        "[G005] '^' cannot be read here\n"
        "  at g:1:8\n"
        "  start: ^\n"
        "         ^\n"
        "  hint: the syntax is described in slm.grammar.printer",
    ),
    "open group": (
        'start: ("a"',
        "[G005] expected `)`\n"
        "  at g:1:12\n"
        '  start: ("a"\n'
        "             ^\n"
        "  hint: the syntax is described in slm.grammar.printer",
    ),
    "backward range": (
        "start: A\nA: [z-a]",
        "[G005] a range in a character set has to be low-high; write `\\-` for -\n"
        "  at g:2:4\n"
        "  A: [z-a]\n"
        "     ^^^^^\n"
        "  hint: the syntax is described in slm.grammar.printer",
    ),
    "no rule": (
        "",
        "[G005] there is no rule\n"
        "  at g:1:1\n"
        "  hint: the syntax is described in slm.grammar.printer",
    ),
}


@pytest.mark.parametrize("name", MESSAGES)
def test_grammar_errors_say_what_where_and_what_next(name: str) -> None:
    """The whole message: code, place with its line, hint."""
    text, message = MESSAGES[name]
    with pytest.raises(SlmError) as caught:
        prune(read_grammar(text, "g"))
    assert str(caught.value) == message


def test_a_grammar_nested_without_end_is_too_complex() -> None:
    """Python's recursion limit is not what the user gets to see."""
    body = Terminal("A", literal("a"))
    for _ in range(5_000):
        body = Many(body, 0, 2)
    with pytest.raises(GrammarTooComplex) as caught:
        compile_grammar(Grammar((Rule("start", body),), "start"), byte_vocabulary(), "reference")
    assert str(caught.value) == (
        "[G004] the grammar is nested too deeply\n  hint: simplify the grammar, or lower its bounds"
    )


def test_terminals_with_too_many_states_are_too_complex() -> None:
    """A bound on states ends what would not end in time."""
    pool = Languages(limit=50)
    state = pool.state(read_regular("[ab]* [a] [ab]{20} & ~([ab]* [b] [ab]{19})"))
    with pytest.raises(GrammarTooComplex) as caught:
        reduce(pool.step, b"abaababbbaabababbabab", state)
    assert str(caught.value) == (
        "[G004] the grammar's terminals need more than 50 states\n"
        "  hint: simplify the patterns that are combined or counted"
    )

"""Grammars as integers and back."""

from __future__ import annotations

import numpy as np
import pytest

from slm.grammar import ir
from slm.grammar import regular as r
from slm.grammar.charset import CharSet
from slm.grammar.flatten import Flattener
from slm.grammar.memory import Indentation
from slm.grammar.ordered_dfa import from_rows
from slm.grammar.written import Written

LETTERS = CharSet.from_ranges([(97, 122)])
AUTOMATON = from_rows([[(LETTERS, 1)], [(CharSet.of("."), 0)]], [1])
LANGUAGES = [
    r.literal("ab"),
    r.concat(r.literal("ab"), r.repeat(r.Chars(LETTERS), 2, 5), r.literal("c")),
    r.union(r.literal("yes"), r.literal("no"), r.Chars(CharSet.of("xyz"))),
    r.intersection(r.repeat(r.Chars(LETTERS), 1), r.complement(r.choice_of(["if", "or"]))),
    r.repeat(r.ANY_CHAR, 3),
    AUTOMATON,
    r.concat(AUTOMATON, r.literal("!")),
    r.Multiple(10**17 + 3, 10**16, 20),
    r.concat(r.Label(CharSet.of("αβγ")), r.literal(".")),
]


@pytest.mark.parametrize("memory", [None, Indentation(8, True)])
def test_rules_come_back(memory: Indentation | None) -> None:
    """With names, places, bounds, languages and memory; and they make the same integers."""
    leaves = [ir.Terminal(f"T{n}", each) for n, each in enumerate(LANGUAGES)]
    shared = ir.seq(leaves[0], ir.many(leaves[1], 1, 3))
    rules = (
        ir.Rule("start", ir.choice(ir.seq(shared, ir.Call("other")), *leaves[2:])),
        ir.Rule("other", ir.choice(shared, ir.EMPTY, ir.many(ir.Call("start"), 2))),
    )
    grammar = ir.Grammar(rules, "start", memory)
    written = Written.of(grammar)
    again = written.grammar()
    assert again == grammar
    assert np.array_equal(Flattener(again).words(), written.words)
    deferred = written.deferred()
    assert deferred.memory == memory
    assert deferred == grammar


def test_terminals_that_differ_in_their_names_stay_apart() -> None:
    """Also where their languages are one object; and `longest` is kept."""
    language = r.repeat(r.Chars(LETTERS), 1)
    parts = [ir.Terminal("A", language), ir.Terminal("B", language, longest=True)]
    grammar = ir.Grammar((ir.Rule("start", ir.seq(*parts)),), "start")
    assert Written.of(grammar).grammar() == grammar

"""What derives something, what derives the empty text, and what is left after pruning."""

from __future__ import annotations

import pytest
from hypothesis import given

from slm.errors import EmptyLanguage
from slm.grammar.analysis import (
    barren_terminals,
    is_nullable,
    nullable_rules,
    productive_rules,
    prune,
)
from slm.grammar.ir import Call, Grammar
from slm.grammar.reader import read_grammar
from tests.properties.engine_language import LETTERS, derives, grammars, texts_up_to

GRAMMAR = read_grammar(
    """
    start: empty "a" | loop | NONE? | maybe
    empty: () | empty empty
    loop: "x" loop
    maybe: empty* | BLANK{2}
    unused: "b"
    NONE: [a] & [b]
    BLANK: "b"*
    """.replace("\n    ", "\n")
)


def test_rules_that_derive_something() -> None:
    """A rule that needs itself for ever derives nothing."""
    assert productive_rules(GRAMMAR) == {"start", "empty", "maybe", "unused"}


def test_terminals_that_never_match() -> None:
    """Empty languages, and languages of the empty text alone."""
    grammar = read_grammar('start: A B C D\nA: [a] & [b]\nB: ""\nC: "c"?\nD: ~([^]+)')
    assert {terminal.name for terminal in barren_terminals(grammar)} == {"A", "B", "D"}


def test_rules_that_derive_the_empty_text() -> None:
    """A terminal never does, even where its language has it."""
    assert nullable_rules(GRAMMAR) == {"start", "empty", "maybe"}
    body = GRAMMAR.by_name["maybe"].body
    assert is_nullable(body, set())
    assert not is_nullable(Call("empty"), set())


def test_pruning_leaves_what_derives_something_and_is_reached() -> None:
    """Alternatives, optional parts, rules and terminals without a text are gone."""
    assert str(prune(GRAMMAR)) == (
        'start: empty $"a" | () | maybe\n'
        "empty: () | empty empty\n"
        "maybe: empty* | BLANK{2}\n"
        '$"a": "a"\n'
        'BLANK: "b"*'
    )


@given(grammars())
def test_pruning_keeps_the_language(grammar: Grammar) -> None:
    """The same short texts are derived before and after; only an empty language is refused."""
    texts = texts_up_to(LETTERS, 2)
    try:
        pruned = prune(grammar)
    except EmptyLanguage:
        assert not any(derives(grammar, text) for text in texts)
        return
    assert [derives(pruned, text) for text in texts] == [derives(grammar, text) for text in texts]
    assert prune(pruned) == pruned
    assert productive_rules(pruned) == set(pruned.by_name)


@pytest.mark.parametrize(
    ("text", "blamed"),
    [
        ("start: one\none: two\ntwo: one", "one"),
        ('start: "a" NONE\nNONE: [a] & [b]', "NONE"),
        ("start: one\none: <>", "one"),
        ("start: one{2}\none: (two | two)\ntwo: NONE\nNONE: []", "NONE"),
    ],
)
def test_the_cause_of_an_empty_language_is_named(text: str, blamed: str) -> None:
    """The terminal or rule to correct, not the start."""
    with pytest.raises(EmptyLanguage, match=f"`{blamed}`"):
        prune(read_grammar(text))

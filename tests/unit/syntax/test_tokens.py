"""Grammars under a competing lexer: what is compiled from, and what the result looks like."""

from __future__ import annotations

import lark
import pytest

from slm.errors import (
    EmptyLanguage,
    GrammarTooComplex,
    LarkError,
    UnsupportedLarkFeature,
)
from slm.mask import compile_grammar
from slm.syntax import compile_lark
from slm.vocab import byte_vocabulary
from tests.accepting import accepts
from tests.deadline import within


def test_larks_defaults_are_the_defaults() -> None:
    """Without options: LALR with the contextual lexer; keywords are keywords where they may be."""
    text = 'start: "let" N "=" N\nN: /[a-z]+/\n%ignore " "'
    grammar = compile_lark(text).grammar
    assert accepts(grammar, "letx=let")
    assert not accepts(compile_lark(text, lexer="basic").grammar, "letx=y")


def test_a_built_object_brings_its_table_and_its_lexers() -> None:
    """What Lark built is compiled: a second start keeps terminals alive, and those compete."""
    text = 'start: N\nother: "if"\nN: /[a-z]+/'
    alone = lark.Lark(text, parser="lalr", lexer="basic")
    both = lark.Lark(text, parser="lalr", lexer="basic", start=["start", "other"])
    assert accepts(compile_lark(alone).grammar, "if")
    compiled = compile_lark(both, start="start")
    assert compiled.lark is both
    assert not accepts(compiled.grammar, "if")
    assert accepts(compile_lark(both, start="other").grammar, "if")


def test_priorities_are_the_objects_own() -> None:
    """The option that turns priorities round changes the language, as in Lark."""
    text = 'start: A "b"? | B\nA.1: /a/\nB: /ab*/'
    assert accepts(compile_lark(text, lexer="basic").grammar, "ab")
    assert not accepts(compile_lark(text, lexer="basic").grammar, "abb")
    assert accepts(compile_lark(text, lexer="basic", priority="invert").grammar, "abb")


def test_a_table_without_any_text() -> None:
    """Where the shift wins every conflict nothing is left, and that is said."""
    grammar = compile_lark('start: a "x"\na: "x" a |').grammar
    with pytest.raises(EmptyLanguage):
        compile_grammar(grammar, byte_vocabulary())


def test_a_keyword_is_an_exclusion_and_not_an_automaton() -> None:
    """Where nothing is open, terminals keep their expressions, which the engine has tables for."""
    grammar = compile_lark('start: "if" ":" N\nN: /[a-z]+/', lexer="basic").grammar
    names = {terminal.name for terminal in grammar.terminals}
    assert names == {"IF", "COLON", "N"}
    assert all(not hasattr(terminal.language, "accepting") for terminal in grammar.terminals)


def test_rules_in_several_contexts() -> None:
    """A rule that several contexts tell apart is several rules, named after it."""
    grammar = compile_lark('start: "<" x ">" | "let" x\nx: N\nN: /[a-z]+/\n%ignore " "').grammar
    assert {rule.name.split("__")[0] for rule in grammar.rules} == {"start", "x", ""}


def test_a_declared_terminal_never_comes() -> None:
    """Without a post-lexer nobody makes it; that is a note."""
    compiled = compile_lark("start: A | B\nA: /a/\n%declare B")
    assert compiled.notes == ("terminal `B` is only declared and can never match",)
    assert accepts(compiled.grammar, "a")


def test_an_alternation_that_does_not_compile() -> None:
    """Lark would fail at its first token; here the grammar is refused, with the same message."""
    with pytest.raises(LarkError, match="global flags not at the start"):
        compile_lark("start: A B\nA: /(?i)a/\nB: /b/")


def test_texts_that_stay_open_for_ever() -> None:
    """Ten kinds of strings that a later quote would make longer: too many, and one is named."""
    strings = "\n".join(
        f"S{n}: /{n}?{quote}(?:\\\\{quote}|(.|\\n))*?{quote}/"
        for n, quote in enumerate("'\"!%&@=~:;")
    )
    names = " | ".join(f"S{n}" for n in range(10))
    with pytest.raises(GrammarTooComplex) as caught:
        compile_lark(f"start: ({names})+\n{strings}")
    assert "terminal `S" in str(caught.value)


@pytest.mark.parametrize("second", ["(?<=xab)", "(?<!xab)"])
def test_a_far_lookbehind_behind_a_near_one(second: str) -> None:
    """It is found, and refused, also where it counts only if the near one holds."""
    with pytest.raises(UnsupportedLarkFeature) as caught:
        compile_lark(f'start: (A | /[ax]/ | B "!")+\nA: /(?<=a)b{second}/\nB: "b"')
    assert (caught.value.feature, caught.value.symbol) == ("lookbehind", "A")


def test_many_word_boundaries_are_one_question() -> None:
    """What stands before a match is asked once, however often a pattern asks for it."""
    words = "|".join(rf"\b{first}{second}" for first in "abcdef" for second in "abcdef")
    with within(20.0, "slm"):
        grammar = compile_lark(f'start: (A | " ")+\nA: /{words}/').grammar
    assert accepts(grammar, "ab ff")
    assert not accepts(grammar, "abff")


def test_names_that_are_no_keywords() -> None:
    """A name begins hundreds of keywords, and when it has ended none of them matters any more."""
    words = [
        f"{first}{second}{third}" for first in "abcdefgh" for second in "xyz" for third in "pq"
    ]
    name = rf"N: /(?!(?:{'|'.join(words)})\b)[a-z]+/"
    grammar = compile_lark(f'start: N+\n{name}\n%ignore " "').grammar
    assert len(grammar.rules) < 8
    for text, right in {"axp": False, "ax a axpq hz": True, "hz hzq": False, "axp1": False}.items():
        assert accepts(grammar, text) == right, text


@pytest.mark.parametrize("parser", ["lalr", "earley"])
def test_a_thousand_words(parser: str) -> None:
    """Many words are no blow-up, however many letters they have together."""
    words = [f"{first}{'ab' * 8}{number:03}" for number in range(500) for first in "xy"]
    grammar = compile_lark(f"start: {' | '.join(map(repr_of, words))}", parser=parser).grammar
    assert accepts(grammar, words[-1])
    assert not accepts(grammar, words[-1] + "0")


def repr_of(word: str) -> str:
    return f'"{word}"'

"""The text of grammars, as people see and write it."""

from __future__ import annotations

import pytest

from slm.errors import GrammarSyntaxError, Place
from slm.grammar.ir import Call, Choice, Grammar, Many, Rule, Seq, Terminal, many, seq
from slm.grammar.printer import print_expression, print_regular
from slm.grammar.reader import read_grammar, read_regular
from slm.grammar.regular import Regular, literal


def test_a_grammar_prints_as_lark_like_text() -> None:
    """Rules first, the terminals after; names quoted where they must be."""
    number, blank = Terminal("NUMBER", read_regular("[0-9]{1,3}")), Terminal("ws", literal(" "))
    longest = Terminal("NUMBER", read_regular("[0-9]+"), longest=True)
    grammar = Grammar(
        (
            Rule("my rule", seq(number, many(seq(blank, Call("other")), 0, None))),
            Rule("other", Choice((longest, Seq(()), Choice(())))),
        ),
        "other",
    )
    assert str(grammar) == (
        "%start other\n"
        '<"my rule">: NUMBER ($"ws" other)*\n'
        "other: NUMBER/2 | () | <>\n"
        "NUMBER: [0-9]{1,3}\n"
        '$"ws": " "\n'
        "NUMBER/2!: [0-9]+"
    )
    assert read_grammar(str(grammar)) == grammar


def test_quoted_texts_in_rules_are_terminals() -> None:
    """The same text is the same terminal, however it is escaped."""
    grammar = read_grammar('start: "a\\n" "\\u{61}\\n"')
    newline = Terminal("a\n", literal("a\n"))
    assert grammar == Grammar((Rule("start", Seq((newline, newline))),), "start")


def test_definitions_go_on_on_indented_lines_and_comments_are_skipped() -> None:
    """Also with the bar first, as in Lark."""
    grammar = read_grammar(
        "// a list\n"
        "start: one   // first\n"
        "     | two\n"
        "| three\n"
        "\n"
        '  "x"\n'
        "one: ()\ntwo: ()\n\nthree: ()\n"
    )
    assert print_expression(grammar.by_name["start"].body) == 'one | two | three $"x"'


def test_what_is_read_knows_its_place() -> None:
    """Rules and terminals carry file, line and column."""
    grammar = read_grammar("start: A\nA: [a]", "file.txt")
    assert str(grammar.by_name["start"].place) == "file.txt:1:1"
    assert grammar.terminals[0].place == Place("file.txt", 2, 1, excerpt="A: [a]")


@pytest.mark.parametrize(
    "text",
    [
        '"ab" "c"?',
        '("ab") "c"',
        '(("ab"),)',
        '"ab"{2} | "a" & ~"b"*',
        "(~[a])* ~~[b]",
        '[^a-c\\-\\]] [ -~] "\\u{e000}\\"\\\\"',
        "dfa(0 2; [a] 1, [b-c] 2; ; [^] 0)",
        "dfa()",
        "((<>|)&) (&) ([],)",
    ],
)
def test_regular_languages_have_one_spelling(text: str) -> None:
    """What is printed of what was read reads back the same, and prints the same."""
    regular: Regular = read_regular(text)
    printed = print_regular(regular)
    assert read_regular(printed) == regular
    assert print_regular(read_regular(printed)) == printed


@pytest.mark.parametrize(
    "text",
    ["(", ")", "[a", '"a', "a", "[a]{", "[a]{,2}", "[-]", "[a-]", "[b-a]", "dfa(0; [a])", "", "~",
     "[a] |", "[a] & ", "([a] [b],)", "dfa(0; [a] x)"],
)  # fmt: skip
def test_malformed_patterns_are_refused_with_their_place(text: str) -> None:
    """Never a Python error, never a guess."""
    with pytest.raises(GrammarSyntaxError) as caught:
        read_regular(text, "p")
    assert str(caught.value.at).startswith("p:1:")


@pytest.mark.parametrize(
    "text",
    ["start", "start:", "start: ~a", "start: a & b", "1: a", "start: ()\n)", 'start: ""',
     "%start\nstart: ()", "start: dfa(0)", "start: [a]"],
)  # fmt: skip
def test_malformed_grammars_are_refused(text: str) -> None:
    """Patterns belong to terminals; every definition has a name and a body."""
    with pytest.raises(GrammarSyntaxError):
        read_grammar(text)


def test_many_bounds_print_short() -> None:
    """*, +, ?, {n}, {m,n} and {m,}."""
    a = Call("a")
    bounds = [(0, None), (1, None), (0, 1), (3, 3), (1, 2), (2, None)]
    shown = [print_expression(Many(a, low, high)) for low, high in bounds]
    assert shown == ["a*", "a+", "a?", "a{3}", "a{1,2}", "a{2,}"]

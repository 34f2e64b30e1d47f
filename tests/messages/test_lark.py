"""The whole text of every error of the Lark front end."""

from __future__ import annotations

import pytest

from slm.errors import (
    EmptyLanguage,
    GrammarTooComplex,
    InputFileError,
    LarkError,
    SlmError,
    UnsupportedLarkFeature,
)
from slm.syntax import compile_choice, compile_lark

SEMANTICS = {"parser": "earley", "lexer": "dynamic_complete"}


def lines(error: SlmError) -> list[str]:
    return str(error).split("\n")


def test_an_undefined_symbol_is_shown_where_it_is_used() -> None:
    """The whole message."""
    with pytest.raises(LarkError) as caught:
        compile_lark("start: item+\nitem: NUMBER | amuont\nNUMBER: /[0-9]+/", **SEMANTICS)
    assert lines(caught.value) == [
        "[L001] Lark refuses the grammar: Rule 'amuont' used but not defined (in rule item)",
        "  at <grammar>:2:16",
        "  item: NUMBER | amuont",
        "                 ^^^^^^",
        "  hint: the message is Lark's own",
    ]


def test_brackets_nested_too_deep() -> None:
    """The whole message."""
    with pytest.raises(GrammarTooComplex) as caught:
        compile_lark("start: " + "(" * 5000 + '"a"' + ")" * 5000, **SEMANTICS)
    assert lines(caught.value) == [
        "[G004] the grammar is nested too deep for Lark to read",
        "  hint: name parts of it as rules",
    ]


def test_a_misplaced_character() -> None:
    """The whole message."""
    with pytest.raises(LarkError) as caught:
        compile_lark('start: "a" )', **SEMANTICS)
    assert lines(caught.value) == [
        "[L001] Lark refuses the grammar: Unexpected token Token('_RPAR', ')')",
        "  at <grammar>:1:12",
        '  start: "a" )',
        "             ^",
        "  hint: the message is Lark's own",
    ]


def test_a_terminal_that_can_be_empty() -> None:
    """The whole message."""
    with pytest.raises(LarkError) as caught:
        compile_lark("start: A\nA: /a*/", **SEMANTICS)
    assert lines(caught.value) == [
        "[L001] Lark refuses the grammar: Dynamic Earley doesn't allow zero-width regexps (A: a*)",
        "  at <grammar>:2:1",
        "  A: /a*/",
        "  ^",
        "  hint: the message is Lark's own",
    ]


def test_an_unknown_option() -> None:
    """The whole message."""
    with pytest.raises(LarkError) as caught:
        compile_lark('start: "a"', ambiguty="explicit", **SEMANTICS)
    assert lines(caught.value) == [
        "[L001] Lark has no option `ambiguty`",
        "  hint: did you mean `ambiguity`?",
    ]


def test_a_lookahead() -> None:
    """The whole message."""
    with pytest.raises(UnsupportedLarkFeature) as caught:
        compile_lark('start: A\nA: "x" /y(?=z)/', **SEMANTICS)
    assert lines(caught.value) == [
        "[L002] terminal `A` uses a lookahead assertion, not supported; Lark evaluates "
        "it partly on text that it cut off",
        "  at <grammar>:2:1",
        '  A: "x" /y(?=z)/',
        "  ^",
        "  hint: write the terminal without it",
    ]


def test_other_semantics() -> None:
    """The whole message."""
    with pytest.raises(UnsupportedLarkFeature) as caught:
        compile_lark('start: "a"', parser="cyk")
    assert lines(caught.value) == [
        "[L002] Lark's language under parser='cyk', lexer='basic' cannot be enforced yet",
        '  hint: pass parser="lalr" or parser="earley", with one of Lark\'s own lexers for it',
    ]


def test_a_post_lexer() -> None:
    """The whole message, under Lark's defaults."""
    with pytest.raises(UnsupportedLarkFeature) as caught:
        compile_lark('start: "a"', postlex=object())
    assert lines(caught.value) == [
        "[L002] the post-lexer `object` is not supported: tokens would come from its code",
        "  hint: use a subclass of lark.indenter.Indenter that only sets its attributes",
    ]


def test_what_a_terminal_leaves_open() -> None:
    """The whole message: the terminal whose matches could go on in too many ways."""
    with pytest.raises(GrammarTooComplex) as caught:
        compile_lark("start: A B\nA: /a{1,3000}/\nB: /b/")
    assert lines(caught.value) == [
        "[G004] terminal `A`: what it leaves open for the text after it takes too many states",
        "  at <grammar>:2:1",
        "  A: /a{1,3000}/",
        "  ^",
        "  hint: lower its repetition bounds, or end it where no longer match can begin",
    ]


def test_a_declared_terminal() -> None:
    """The whole message."""
    with pytest.raises(UnsupportedLarkFeature) as caught:
        compile_lark('start: "-" NUMBER\n%declare NUMBER', **SEMANTICS)
    assert lines(caught.value) == [
        "[L002] terminal `NUMBER` is declared but never defined, so only a post-lexer makes it",
        "  at <grammar>:2:10",
        "  %declare NUMBER",
        "           ^^^^^^",
        "  hint: define the terminal; Lark's own lexers cannot match it either",
    ]


def test_an_ignored_pattern_that_later_text_decides() -> None:
    """The whole message."""
    with pytest.raises(UnsupportedLarkFeature) as caught:
        compile_lark("start: A\nA: /ab?/\n%ignore /(ab)+/", **SEMANTICS)
    assert lines(caught.value) == [
        "[L002] `%ignore` is greedy in Lark, and whether ignored text ends before `A` "
        "would be decided by what follows it",
        "  at <grammar>:3:1",
        "  %ignore /(ab)+/",
        "  ^^^^^^^",
        "  hint: ignore one character at a time (%ignore /[ ]/), or let no terminal begin like it",
    ]


def test_an_option_that_changes_tokens() -> None:
    """The whole message."""
    with pytest.raises(UnsupportedLarkFeature) as caught:
        compile_lark('start: "a"', use_bytes=True, **SEMANTICS)
    assert lines(caught.value) == [
        "[L002] the option `use_bytes` is not supported: the text would be bytes",
        "  hint: leave `use_bytes` out",
    ]


def test_a_terminal_that_needs_too_many_states() -> None:
    """The whole message."""
    with pytest.raises(GrammarTooComplex) as caught:
        compile_lark("start: A\nA: /a{1,30000}?b/", **SEMANTICS)
    assert lines(caught.value) == [
        "[G004] terminal `A`: a regular expression needs more than 20000 states",
        "  at <grammar>:2:1",
        "  A: /a{1,30000}?b/",
        "  ^",
        "  hint: lower its repetition bounds, or avoid lazy and overlapping alternatives",
    ]


def test_a_file_that_is_not_there() -> None:
    """The whole message."""
    with pytest.raises(InputFileError) as caught:
        compile_lark("no/such.lark", **SEMANTICS)
    assert lines(caught.value) == [
        "[C002] the grammar file cannot be read: No such file or directory",
        "  at no/such.lark",
        "  hint: pass the path of a .lark file, or the grammar's text",
    ]


def test_an_empty_choice() -> None:
    """The whole message."""
    with pytest.raises(EmptyLanguage) as caught:
        compile_choice([])
    assert lines(caught.value) == [
        "[G003] there is nothing to choose from",
        "  hint: pass at least one text, such as choice(['a'])",
    ]

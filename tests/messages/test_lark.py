"""The whole text of every error of the Lark front end."""

from __future__ import annotations

from typing import Any

import pytest
from lark.indenter import PythonIndenter

from slm.errors import (
    EmptyLanguage,
    GrammarTooComplex,
    InputFileError,
    LarkError,
    SlmError,
    UnsupportedLarkFeature,
    VocabularyCannotSpell,
)
from slm.mask import compile_grammar, native_available
from slm.syntax import compile_choice, compile_lark
from slm.vocab import Vocabulary

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


def test_a_start_rule_that_is_not_there() -> None:
    """The whole message, with the rules that are."""
    with pytest.raises(LarkError) as caught:
        compile_lark("%import common.WS\nexpression: sum\n_gap: WS\n?sum: /[0-9]/ _gap")
    assert lines(caught.value) == [
        "[L001] Lark refuses the grammar: the start rule `start` is not defined",
        "  hint: pass one of its rules as `start`: expression, sum",
    ]


def test_a_literal_of_no_characters() -> None:
    """The whole message; comments and other literals are passed over."""
    with pytest.raises(LarkError) as caught:
        compile_lark('start: "\\"" /""/ // ""\n  | ""i', **SEMANTICS)
    assert lines(caught.value) == [
        '[L001] Lark refuses the grammar: Empty terminals are not allowed (""i)',
        "  at <grammar>:2:5",
        '    | ""i',
        "      ^^",
        "  hint: the message is Lark's own",
    ]


def test_a_lexer_that_lark_does_not_have() -> None:
    """The whole message."""
    with pytest.raises(LarkError) as caught:
        compile_lark('start: "a"', lexer="standard")
    assert lines(caught.value) == [
        "[L001] Lark has no lexer 'standard' for parser='lalr'",
        '  hint: since Lark 1.0 its name is lexer="basic"',
    ]


def test_a_callback_for_tokens() -> None:
    """The whole message."""
    with pytest.raises(UnsupportedLarkFeature) as caught:
        compile_lark("start: A\nA: /[a-z]/", lexer_callbacks={"A": str})
    assert lines(caught.value) == [
        "[L002] the callback for `A` is not supported: it may change tokens",
        "  at <grammar>:2:1",
        "  A: /[a-z]/",
        "  ^",
        "  hint: callbacks for ignored terminals are fine; use a transformer for the others",
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


def test_an_indenter_with_code_of_its_own() -> None:
    """The whole message: the method that is overridden."""

    class Mine(PythonIndenter):
        def handle_NL(self, token: Any) -> Any:
            return super().handle_NL(token)

    with pytest.raises(UnsupportedLarkFeature) as caught:
        compile_lark('start: "a"', postlex=Mine())
    assert lines(caught.value) == [
        "[L002] the post-lexer `Mine` overrides `handle_NL` of Lark's Indenter: tokens would come "
        "from its code",
        "  hint: use a subclass of lark.indenter.Indenter that only sets its attributes",
    ]


NEWLINE = "\n_NEWLINE: /\\n[\\t ]*/\n%declare _INDENT _DEDENT"


def test_an_indentation_that_is_not_ended() -> None:
    """The whole message: the rule that begins a level and leaves it open."""
    with pytest.raises(UnsupportedLarkFeature) as caught:
        compile_lark('start: "a" _NEWLINE _INDENT "b"' + NEWLINE, postlex=PythonIndenter())
    assert lines(caught.value) == [
        "[L002] rule `start` does not end each level that it begins with `_INDENT`",
        "  at <grammar>:1:1",
        '  start: "a" _NEWLINE _INDENT "b"',
        "  ^^^^^",
        "  hint: end it with `_DEDENT`",
    ]


def test_an_indentation_that_may_be_left_out() -> None:
    """The whole message: a rule that begins a level in one alternative only."""
    with pytest.raises(UnsupportedLarkFeature) as caught:
        compile_lark(
            'start: begin "b" _NEWLINE _DEDENT\nbegin: "a" _NEWLINE [_INDENT]' + NEWLINE,
            postlex=PythonIndenter(),
        )
    assert lines(caught.value) == [
        "[L002] rule `begin` changes the depth of the indentation in several ways",
        "  at <grammar>:2:1",
        '  begin: "a" _NEWLINE [_INDENT]',
        "  ^^^^^",
        "  hint: give `_INDENT` and `_DEDENT` one place in each alternative",
    ]


def test_a_bracket_that_is_left_open() -> None:
    """The whole message: the rule that opens it."""
    with pytest.raises(UnsupportedLarkFeature) as caught:
        compile_lark(
            'start: begin "b" ")"\nbegin: "("\nLPAR: "("\nRPAR: ")"' + NEWLINE,
            postlex=PythonIndenter(),
        )
    assert lines(caught.value) == [
        "[L002] rule `begin` opens a bracket without closing it, or the other way round",
        "  at <grammar>:2:1",
        '  begin: "("',
        "  ^^^^^",
        "  hint: open and close brackets in one alternative: inside them newlines do not count",
    ]


def test_a_newline_that_limits_columns() -> None:
    """The whole message: the terminal whose blanks end at a column."""
    with pytest.raises(UnsupportedLarkFeature) as caught:
        compile_lark(
            'start: "a" _NEWLINE\n_NEWLINE: /\\n {0,4}/\n%declare _INDENT _DEDENT',
            postlex=PythonIndenter(),
        )
    assert lines(caught.value) == [
        "[L002] the blanks behind a line break of `_NEWLINE` cannot make every column, so a line "
        "could begin where no column fits",
        "  at <grammar>:2:1",
        "  _NEWLINE: /\\n {0,4}/",
        "  ^^^^^^^^",
        "  hint: end the terminal with any number of blanks, such as /\\n[\\t ]*/",
    ]


def test_an_indentation_that_the_lexer_makes() -> None:
    """The whole message: a terminal that has a definition and comes from the post-lexer, too."""
    with pytest.raises(UnsupportedLarkFeature) as caught:
        compile_lark(
            'start: "a" _NEWLINE _INDENT "b" _DEDENT\n_INDENT: "i"\n_NEWLINE: /\\n */\n'
            "%declare _DEDENT",
            postlex=PythonIndenter(),
        )
    assert lines(caught.value) == [
        "[L002] the terminal `_INDENT` has a definition of its own, and the post-lexer adds it, "
        "too",
        "  at <grammar>:2:1",
        '  _INDENT: "i"',
        "  ^^^^^^^",
        "  hint: declare it with %declare",
    ]


def test_a_vocabulary_that_cannot_make_columns() -> None:
    """The whole message."""
    grammar = compile_lark('start: "a" _NEWLINE' + NEWLINE, postlex=PythonIndenter()).grammar
    few = Vocabulary.from_bytes([b"a", b"\n", None], eos_ids=[2])
    for engine in ("reference", *(["native"] if native_available() else [])):
        with pytest.raises(VocabularyCannotSpell) as caught:
            compile_grammar(grammar, few, engine)
        assert lines(caught.value) == [
            "[V002] the vocabulary cannot write every text, and columns can only be kept exactly "
            "where it can",
            "  hint: use a tokenizer with byte fallback",
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


def test_a_backreference_beside_a_rival() -> None:
    """The whole message: the terminal that has no automaton, and what it competes with."""
    with pytest.raises(UnsupportedLarkFeature) as caught:
        compile_lark('start: H | "<"\nH: /<(?P<h>a+)\\n(?P=h)/', lexer="basic")
    assert lines(caught.value) == [
        "[L002] terminal `H` refers back to a group with many words, and matches of `LESSTHAN` may "
        "begin like it, and come after it, so that it cannot be told from others without an "
        "automaton",
        "  at <grammar>:2:1",
        "  H: /<(?P<h>a+)\\n(?P=h)/",
        "  ^",
        "  hint: let it begin like nothing else, or name the words that the group can match",
    ]


def test_a_backreference_that_the_next_character_does_not_decide() -> None:
    """The whole message."""
    with pytest.raises(UnsupportedLarkFeature) as caught:
        compile_lark("start: A\nA: /(a+)\\1/", **SEMANTICS)
    assert lines(caught.value) == [
        "[L002] terminal `A` uses a backreference to a group with many words, where the next "
        "character does not decide how the text before it is read, not supported",
        "  at <grammar>:2:1",
        "  A: /(a+)\\1/",
        "  ^",
        "  hint: write the terminal without it",
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

"""Lark grammars into the IR: options, shapes, places, refusals."""

from __future__ import annotations

from pathlib import Path

import lark
import pytest

from slm.errors import (
    GrammarTooComplex,
    InputFileError,
    LarkError,
    UnsupportedLarkFeature,
)
from slm.grammar import ir
from slm.syntax import compile_lark
from tests.accepting import accepts

SEMANTICS = {"parser": "earley", "lexer": "dynamic_complete"}


def test_stars_become_repetitions_and_alternatives_share_their_beginnings() -> None:
    """Lark's helper rule for a star is one `Many`; four written-out rows are one tree again."""
    grammar = compile_lark('start: "a" ["b"] ["c"] ("," "d")*', **SEMANTICS).grammar
    star = next(rule for rule in grammar.rules if "_star_" in rule.name)
    assert isinstance(star.body, ir.Many)
    assert (star.body.low, star.body.high) == (1, None)
    assert isinstance(grammar.by_name["start"].body, ir.Seq)


def test_rules_and_terminals_know_where_they_were_written() -> None:
    """Line and column of definitions and of inline literals."""
    grammar = compile_lark('start: x ";"\nx: NAME\nNAME: /[a-z]+/\n', **SEMANTICS).grammar
    places = {rule.name: str(rule.place) for rule in grammar.rules}
    assert places == {"start": "<grammar>:1:1", "x": "<grammar>:2:1"}
    terminals = {terminal.name: str(terminal.place) for terminal in grammar.terminals}
    assert terminals == {"SEMICOLON": "<grammar>:1:10", "NAME": "<grammar>:3:1"}


def test_a_built_object_brings_its_own_options() -> None:
    """A `lark.Lark` object is compiled as it is, from the start rule that is chosen."""
    built = lark.Lark('x: "a"\ny: "b"', start=["x", "y"], **SEMANTICS)
    compiled = compile_lark(built, start="y")
    assert compiled.lark is built
    assert accepts(compiled.grammar, "b")
    assert not accepts(compiled.grammar, "a")
    only = lark.Lark('x: "a"', start="x", **SEMANTICS)
    assert compile_lark(only).grammar.start == "x"
    with pytest.raises(LarkError, match="its start rules are x, y"):
        compile_lark(built)


def test_files_and_their_imports(tmp_path: Path) -> None:
    """A path is read with its relative imports; errors name the file."""
    (tmp_path / "part.lark").write_text('NUMBER: /[0-9]+/\nitem: NUMBER "!"\n')
    main = tmp_path / "main.lark"
    main.write_text("%import .part.item\nstart: item+\n")
    for given in (main, str(main)):
        assert accepts(compile_lark(given, **SEMANTICS).grammar, "12!3!")
    main.write_text("start: missing\n")
    with pytest.raises(LarkError) as caught:
        compile_lark(main, **SEMANTICS)
    assert str(caught.value.at) == f"{main}:1:8"
    with pytest.raises(InputFileError):
        compile_lark(tmp_path / "absent.lark", **SEMANTICS)


@pytest.mark.parametrize("option", [
    {"ambiguity": "explicit"}, {"priority": "invert"}, {"keep_all_tokens": True},
    {"maybe_placeholders": False}, {"propagate_positions": True}, {"ordered_sets": False},
])  # fmt: skip
def test_options_that_only_shape_trees_change_nothing(option: dict[str, object]) -> None:
    """The same language under every option that concerns trees."""
    text = 'start: A.2? | A B\nA.2: "a"\nB: ["b"] "c"\n'.replace("A.2?", "A?")
    assert compile_lark(text, **SEMANTICS, **option).grammar == (
        compile_lark(text, **SEMANTICS).grammar
    )


def test_global_regex_flags_apply_to_every_terminal() -> None:
    """`g_regex_flags` is Lark's."""
    import re

    grammar = compile_lark('start: "k" /x./', g_regex_flags=re.I | re.S, **SEMANTICS).grammar
    assert accepts(grammar, "\N{KELVIN SIGN}X\n")


@pytest.mark.parametrize(("text", "feature", "symbol", "place"), [
    ("start: A\nA: /a(?=b)/", "lookahead", "A", "<grammar>:2:1"),
    ("start: A\nA: /a(?!b)/", "lookahead", "A", "<grammar>:2:1"),
    ("start: A\nA: /(?<=b)a/", "lookbehind", "A", "<grammar>:2:1"),
    ('start: "b" /a\\b/', "word boundary", "__ANON_0", "<grammar>:1:12"),
    ("start: A\nA: /a$/", "anchor", "A", "<grammar>:2:1"),
    ("start: A\nA: /^a/m", "anchor", "A", "<grammar>:2:1"),
    ("start: A\nA: /(a+)\\1/", "backreference", "A", "<grammar>:2:1"),
    ("start: A\nA: /(?:|a)+b/", "loop", "A", "<grammar>:2:1"),
    ('start: "a" B\n%declare B', "%declare", "B", "<grammar>:2:10"),
    ("start: A\nA: /ab?/\n%ignore /(ab)+/", "greedy %ignore", "__IGNORE_0", "<grammar>:3:1"),
])  # fmt: skip
def test_refusals_name_the_feature_the_symbol_and_the_place(
    text: str, feature: str, symbol: str, place: str
) -> None:
    """Whatever is not exact is refused, by name and with its place."""
    with pytest.raises(UnsupportedLarkFeature) as caught:
        compile_lark(text, **SEMANTICS)
    error = caught.value
    assert (error.feature, error.symbol, str(error.at)) == (feature, symbol, place)
    assert error.semantics == "earley/dynamic_complete"


def test_other_semantics_are_refused() -> None:
    """A parser or lexer that slm has not is another language, so it is not approximated."""
    with pytest.raises(UnsupportedLarkFeature) as caught:
        compile_lark('start: "a"', parser="cyk", lexer="basic")
    assert caught.value.feature == "parser and lexer"
    with pytest.raises(UnsupportedLarkFeature):
        compile_lark(lark.Lark('start: "a"', parser="cyk"))
    with pytest.raises(UnsupportedLarkFeature) as caught:
        compile_lark('start: "a"', parser="earley", lexer=lark.lexer.BasicLexer)
    assert caught.value.feature == "custom lexer"


@pytest.mark.parametrize("option", ["postlex", "lexer_callbacks", "use_bytes"])
def test_options_that_change_tokens_are_refused(option: str) -> None:
    """Named by the option."""
    with pytest.raises(UnsupportedLarkFeature) as caught:
        compile_lark('start: "a"', **SEMANTICS, **{option: {"A": str}})
    assert caught.value.feature == option


def test_unknown_options_are_refused() -> None:
    """A misspelt option is an error with the list of options."""
    with pytest.raises(LarkError, match="Lark has no option `ambiguty`"):
        compile_lark('start: "a"', **SEMANTICS, ambiguty="explicit")


def test_module_regex_only_where_it_agrees_with_re() -> None:
    """`regex=True` is taken for plain patterns and refused for flags and constructs of its own."""
    pytest.importorskip("regex")
    assert accepts(compile_lark('start: "a" /[b-d]+/', **SEMANTICS, regex=True).grammar, "abd")
    with pytest.raises(UnsupportedLarkFeature):
        compile_lark(r"start: /(?R)?a/", **SEMANTICS, regex=True)


MALFORMED = [
    "start: a", "start: A", 'start: "a" )', 'start: "a"\nstart: "b"', "start: /a*/", "start: /(/",
    'foo: "a"', "%import no_such.thing\nstart: thing", 'start: A\nA: A "x"', 'start: "a"~3..1',
    '%ignore X\nstart: "a"', 'start: "a', "start: x{y}", 'start: "a" -> B', "%import", ":", "\0",
]  # fmt: skip


@pytest.mark.parametrize("text", MALFORMED)
def test_lark_errors_are_larks(text: str) -> None:
    """A grammar that Lark refuses gives a `LarkError` with Lark's reason as its cause."""
    with pytest.raises(LarkError, match="Lark refuses the grammar") as caught:
        compile_lark(text, **SEMANTICS)
    assert caught.value.__cause__ is not None


def test_too_large_a_terminal_is_refused_by_name() -> None:
    """The terminal that needs too many states is named."""
    with pytest.raises(GrammarTooComplex, match="terminal `A`"):
        compile_lark("start: A\nA: /a{1,30000}?b/", **SEMANTICS)


def test_dead_terminals_are_noted() -> None:
    """A terminal that can never match is said to be one."""
    compiled = compile_lark('start: A | "b"\nA: /[^\\s\\S]/', **SEMANTICS)
    assert compiled.notes == ("terminal `A` can never match",)

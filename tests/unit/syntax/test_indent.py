"""Lark's `Indenter` as data: which post-lexers are taken, and what is asked of grammars."""

from __future__ import annotations

from typing import Any

import lark
import pytest
from lark.indenter import Indenter, PythonIndenter

from slm.errors import LarkError, UnsupportedLarkFeature
from slm.grammar.memory import Indentation
from slm.grammar.regular import Regular, concat, literal, repeat, union
from slm.mask import compile_grammar, native_available
from slm.syntax import compile_lark
from slm.syntax.indent_lines import column_grid, split_lines
from slm.vocab import byte_vocabulary
from tests.accepting import accepts

BLOCKS = """
start: (_NEWLINE | s)*
s: "a" _NEWLINE | "a" ":" _NEWLINE _INDENT s+ _DEDENT
_NEWLINE: /(\\n[\\t ]*)+/
%declare _INDENT _DEDENT
"""
TEXT = "a:\n  a\n  a:\n\ta\na\n"


@pytest.mark.parametrize(
    "options",
    [{}, {"lexer": "contextual"}, {"lexer": "basic"}, {"parser": "earley"},
     {"parser": "earley", "lexer": "basic"}],
    ids=str,
)  # fmt: skip
def test_the_semantics_with_a_post_lexer(options: dict[str, str]) -> None:
    """LALR and Earley with a lexer of its own; Lark's "auto" is the basic one for Earley then."""
    made = compile_lark(BLOCKS, postlex=PythonIndenter(), **options)
    assert isinstance(made.grammar.memory, Indentation)
    assert made.grammar.memory.tab == 8
    assert accepts(made.grammar, TEXT)
    made.lark.parse(TEXT)
    assert not accepts(made.grammar, "a:\n  a\n a\n")


def test_dynamic_lexers_have_none() -> None:
    """Lark's own refusal."""
    with pytest.raises(LarkError, match="Can't use postlex with a dynamic lexer"):
        compile_lark(BLOCKS, parser="earley", lexer="dynamic", postlex=PythonIndenter())


def test_a_built_object_keeps_its_post_lexer() -> None:
    """What was built is compiled, post-lexer and columns of a tab included."""

    class Narrow(PythonIndenter):
        tab_len = 2

    built = lark.Lark(BLOCKS, parser="lalr", postlex=Narrow())
    made = compile_lark(built)
    assert isinstance(made.grammar.memory, Indentation)
    assert made.grammar.memory.tab == 2
    assert accepts(made.grammar, "a:\n  a\n\ta\n")  # a tab is two columns here


def test_attributes_may_be_the_instances_own() -> None:
    """And a subclass may have more of them, if they are none of Indenter's."""

    class Mine(PythonIndenter):
        comment = "for people"

        def __init__(self) -> None:
            super().__init__()
            self.tab_len = 4

    memory = compile_lark(BLOCKS, postlex=Mine()).grammar.memory
    assert isinstance(memory, Indentation)
    assert memory.tab == 4


@pytest.mark.parametrize("name", ["process", "_process", "handle_NL", "always_accept"])
def test_overridden_methods_are_refused(name: str) -> None:
    """By name, on the class and on the instance."""
    kind = type("Mine", (PythonIndenter,), {name: getattr(PythonIndenter, name)})
    with pytest.raises(UnsupportedLarkFeature, match=f"overrides `{name}`"):
        compile_lark(BLOCKS, postlex=kind())
    if name != "always_accept":
        own = PythonIndenter()
        setattr(own, name, getattr(own, name))
        with pytest.raises(UnsupportedLarkFeature, match=f"overrides `{name}`"):
            compile_lark(BLOCKS, postlex=own)


@pytest.mark.parametrize(
    "changed",
    [{"INDENT_type": "_DEDENT"}, {"OPEN_PAREN_types": ["_NEWLINE"]}, {"tab_len": 1.5}],
    ids=str,
)
def test_attributes_that_cannot_work_are_refused(changed: dict[str, Any]) -> None:
    """Tokens that mean two things, and widths that are no numbers."""
    with pytest.raises(UnsupportedLarkFeature, match="cannot work together"):
        compile_lark(BLOCKS, postlex=type("Mine", (PythonIndenter,), changed)())


def test_a_class_is_no_post_lexer() -> None:
    """Lark wants an instance."""
    with pytest.raises(UnsupportedLarkFeature):
        compile_lark(BLOCKS, postlex=Indenter)


@pytest.mark.parametrize(
    ("blank", "bounds", "grid"),
    [(" ", (0, None), 1), ("  ", (0, None), 2), ("\t", (0, None), 4), (" ", (1, None), None),
     (" ", (0, 9), None), ("#", (0, None), 0), ("\t ", (0, None), 5)],
)  # fmt: skip
def test_columns_that_can_be_reached(
    blank: str, bounds: tuple[int, int | None], grid: int | None
) -> None:
    """Any, or those of a grid, or none but 0; else columns are not free."""
    language = repeat(literal(blank), *bounds)
    lines = split_lines([_behind_a_break(language)])
    assert lines is not None
    ((_, blanks),) = lines[0].blanks
    assert column_grid(blanks, 4) == grid


def _behind_a_break(language: Regular) -> Regular:
    return concat(literal("\n"), language)


def test_lines_are_split_at_their_last_break() -> None:
    """One way for each thing that can come behind; and whether another line break can follow."""
    spaces = repeat(literal(" "))
    (one,) = split_lines([_behind_a_break(spaces)]) or []
    assert not one.goes_on
    (many,) = split_lines([repeat(_behind_a_break(spaces), 1)]) or []
    assert many.goes_on
    assert split_lines([literal("a")]) == []
    assert len(split_lines([literal("\n "), literal("\n")]) or []) == 1
    two = split_lines([union(literal("\n "), literal("\n\n#"))]) or []
    assert [len(each.blanks) for each in two] == [1, 1]


@pytest.mark.parametrize("engine", ["reference", "native"])
def test_a_column_that_fits_nowhere_is_explained(engine: str) -> None:
    """`why_not` says that it is the column, where it is; and what the rules expect."""
    if engine == "native" and not native_available():
        pytest.skip("the native engine is not built")
    grammar = compile_lark(BLOCKS, postlex=PythonIndenter()).grammar
    matcher = compile_grammar(grammar, byte_vocabulary(), engine).matcher()
    for byte in b"a:\n":
        matcher.accept(byte)
    why = str(matcher.why_not(ord("a")))
    assert "no open block has lines that begin in this column; expected " in why
    assert "_INDENT (in rule `s" in why
    for byte in b"    a\n  ":
        matcher.accept(byte)
    assert "no open block has lines that begin in this column" in str(matcher.why_not(ord("a")))
    assert "column" not in str(matcher.why_not(ord(":")))

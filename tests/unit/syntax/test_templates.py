"""Templates whose instances have no end: Lark writes them out for ever, and slm says which."""

from __future__ import annotations

from pathlib import Path

import lark
import pytest

from slm.errors import GrammarTooComplex
from slm.syntax import compile_lark
from slm.syntax.templates import endless_template
from tests.accepting import accepts
from tests.deadline import OutOfTime, within

# name: (grammar, the template that has no end)
GRAMMARS: dict[str, tuple[str, str | None]] = {
    "itself_of_itself": ('start: x{"a"}\nx{a}: x{x{a}} | "b"', "x"),
    "itself": ('start: x{"a"}\nx{a}: a x{a} | "b"', None),
    "by_way_of_others": ('start: x{"a"}\nx{a}: y{z{a}} | "b"\ny{b}: x{b}\nz{c}: c', "x"),
    "cut_off": ('start: x{"a"}\nx{a}: y{z{a}} | "b"\ny{b}: x{"k"}\nz{c}: c', None),
    "not_asked_for": ('start: "a"\nx{a}: x{x{a}} | "b"', None),
    "nested_lists": ('start: l{l{"a", ","}, ";"}\nl{i, s}: i (s i)*', None),
    "exchanged": ('start: p{"a", "b"}\np{x, y}: x p{y, x} | "e"', None),
    "exchanged_and_wrapped": ('start: p{"a", "b"}\np{x, y}: p{y, q{x}} | "e"\nq{z}: z "z"', "p"),
    "inlined": ('start: _l{w}\nw: "w"\n_l{i}: i | "(" _l{_l{i}} ")"', "_l"),
    "repeated": ('start: x{"a"}\nx{a}: ("k" x{a}?)~2 a', None),
}


@pytest.mark.parametrize("name", GRAMMARS)
def test_lark_does_not_stop_where_it_is_said(name: str) -> None:
    """The template is named if and only if Lark goes on for ever."""
    text, endless = GRAMMARS[name]
    assert endless_template(text, "<grammar>", {}) == endless
    try:
        with within(0.3, "lark"):
            lark.Lark(text)
        stopped = True
    except OutOfTime:
        stopped = False
    assert stopped == (endless is None)


def test_the_error_has_the_template_and_its_place(tmp_path: Path) -> None:
    """The whole message; templates of other files count, too."""
    (tmp_path / "part.lark").write_text('x{a}: x{x{a}} | "b"\n')
    main = tmp_path / "main.lark"
    main.write_text('%import .part.x\nstart: y{"a"}\ny{b}: x{b}\n')
    with pytest.raises(GrammarTooComplex) as caught:
        compile_lark(main)
    assert str(caught.value.at) == f"{main}:1:15"
    with pytest.raises(GrammarTooComplex) as caught:
        compile_lark(GRAMMARS["itself_of_itself"][0])
    assert str(caught.value).split("\n") == [
        "[G004] template `x` asks for itself with ever larger arguments, without an end",
        "  at <grammar>:2:1",
        '  x{a}: x{x{a}} | "b"',
        "  ^",
        "  hint: pass its parameters on as they are",
    ]
    assert accepts(compile_lark(GRAMMARS["nested_lists"][0]).grammar, "a,a;a")

"""Blocks of what cannot be told apart, against the definition."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from slm.grammar import ir
from slm.grammar.regular import literal
from slm.syntax.alike import merged, refined


def slow(kinds: list[int], calls: list[list[int]]) -> list[int]:
    """By rounds over everything, as in the definition."""
    block, count = list(kinds), -1
    while len(set(block)) != count:
        count = len(set(block))
        keys = [
            (b, tuple(block[c] for c in called)) for b, called in zip(block, calls, strict=True)
        ]
        block = [keys.index(key) for key in keys]
    return block


@st.composite
def things(draw: st.DrawFn) -> tuple[list[int], list[list[int]]]:
    kinds = draw(st.lists(st.integers(0, 2), min_size=1, max_size=12))
    some = st.integers(0, len(kinds) - 1)
    return kinds, [draw(st.lists(some, min_size=kind, max_size=kind)) for kind in kinds]


@given(things())
def test_blocks_are_the_coarsest(case: tuple[list[int], list[list[int]]]) -> None:
    """Two things are in one block exactly where the slow way has them in one."""
    kinds, calls = case
    fast, wanted = refined(kinds, calls), slow(kinds, calls)
    for a in range(len(kinds)):
        for b in range(a):
            assert (fast[a] == fast[b]) == (wanted[a] == wanted[b])


def test_equal_rules_are_one() -> None:
    """Rules that call each other in the same way are one, and doubled alternatives go."""
    a, b = ir.Terminal("A", literal("a")), ir.Terminal("B", literal("bb"))
    rules = [
        ir.Rule("start", ir.choice(ir.Call("x"), ir.Call("y"), ir.Call("z"))),
        ir.Rule("x", ir.seq(a, ir.optional(ir.Call("y")))),
        ir.Rule("y", ir.seq(a, ir.optional(ir.Call("x")))),
        ir.Rule("z", ir.seq(b, ir.optional(ir.Call("x")))),
    ]
    made, start = merged(rules, "start")
    assert start == "start"
    assert [str(rule.name) for rule in made] == ["start", "x", "z"]
    assert made[0].body == ir.choice(ir.Call("x"), ir.Call("z"))
    assert made[1].body == ir.seq(a, ir.optional(ir.Call("x")))

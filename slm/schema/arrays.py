"""Array shapes → expressions: leading items each in its own right, then a counted repetition."""

from __future__ import annotations

from typing import TYPE_CHECKING

from slm.grammar.ir import EMPTY, NEVER, Expression, many, optional, seq
from slm.schema.algebra import FALSE, ArrayShape, Goal
from slm.schema.expressions import alternatives

if TYPE_CHECKING:
    from slm.schema.lower import Lowering


def array_expression(
    to: Lowering, shape: ArrayShape, goal: Goal, rule: str, depth: int, only_empty: bool
) -> Expression:
    """The texts of the arrays of a shape.

    Args:
        to: where values and helper rules come from.
        shape: what the items must be.
        goal: whose shape it is, for places.
        rule: the name of the rule it becomes part of.
        depth: of the array; the document is at 0.
        only_empty: admit nothing but ``[]``, because an indented document ends nesting here.

    Raises:
        UnsupportedKeyword: ``contains`` or ``uniqueItems`` where it cannot be enforced.
    """
    low, high = shape.low, shape.high
    prefix = list(shape.prefix)
    if high is not None:
        del prefix[high:]
    for at, item in enumerate(prefix):
        if item == FALSE:
            high = at if high is None else min(high, at)
            del prefix[at:]
            break
    if shape.items == FALSE:
        high = len(prefix) if high is None else min(high, len(prefix))
    if high is not None and low > high:
        return NEVER
    if shape.unique and (high is None or high > 1):
        node = to.of.reader.node(shape.unique)
        raise to.of.unsupported(node, "uniqueItems", "equal items are not tracked yet")
    if shape.contains:
        node = to.of.reader.node(shape.contains[0].number)
        raise to.of.unsupported(node, "contains", "items that match are not counted yet")
    layout = to.layout
    empty = layout.structural("[]", depth) if low == 0 else NEVER
    if only_empty or high == 0:
        return empty
    comma = layout.structural(",", depth)
    tail: Expression = EMPTY
    if high is None or high > len(prefix):
        item_value = to.value(shape.items, depth + 1)
        least = max(0, low - len(prefix))
        most = None if high is None else high - len(prefix)
        if prefix:
            tail = many(seq(comma, item_value), least, most)
        else:
            more = many(
                seq(comma, item_value), max(0, least - 1), None if most is None else most - 1
            )
            tail = seq(item_value, more)
    place = to.place(goal)
    for at in range(len(prefix) - 1, -1, -1):
        value = to.value(prefix[at], depth + 1)
        tail = seq(value, tail) if at == 0 else seq(comma, value, tail)
        if at and at >= low:
            tail = optional(tail)
        if at % 8 == 7:  # expressions stay flat: a rule for every eight items
            tail = to.add_rule(f"{rule}_from_{at}", tail, place)
    full = seq(layout.structural("[", depth), tail, layout.structural("]", depth))
    return full if empty == NEVER else alternatives(empty, full)

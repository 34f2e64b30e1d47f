"""Array shapes → expressions: leading items each in its own right, then a counted repetition."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from slm.errors import Place
from slm.grammar.ir import EMPTY, NEVER, Expression, many, optional, seq
from slm.schema.algebra import FALSE, ArrayShape, Contains, Goal, conjoin
from slm.schema.expressions import alternatives

if TYPE_CHECKING:
    from slm.schema.lower import Lowering

MAX_PLACES = 64


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
    layout = to.layout
    low = max(low, 1) if shape.contains else low
    if high is not None and low > high:
        return NEVER
    empty = layout.structural("[]", depth) if low == 0 else NEVER
    if only_empty or high == 0:
        return empty
    items = _Items(to, shape.items, prefix, low, high, depth, rule, to.place(goal))
    inner = items.with_one(_the_one(to, shape)) if shape.contains else items.run(0)
    full = seq(layout.structural("[", depth), inner, layout.structural("]", depth))
    return full if empty == NEVER else alternatives(empty, full)


def _the_one(to: Lowering, shape: ArrayShape) -> Contains:
    part = shape.contains[0]
    if len(shape.contains) > 1 or part.low != 1 or part.high is not None:
        node = to.of.reader.node(shape.contains[-1].number)
        keyword = "contains" if to.of.has(node, "contains") else "items"
        raise to.of.unsupported(node, keyword, "several items that match are not counted yet")
    return part


@dataclass(slots=True)
class _Items:
    """The items of an array that has some, without the brackets."""

    to: Lowering
    rest: Goal
    prefix: list[Goal]
    low: int
    high: int | None
    depth: int
    rule: str
    place: Place | None

    def value(self, goal: Goal) -> Expression:
        return self.to.value(goal, self.depth + 1)

    @property
    def comma(self) -> Expression:
        return self.to.layout.structural(",", self.depth)

    def run(self, start: int) -> Expression:
        """The items from an index on, each with its comma; those before it are there."""
        first = max(start, len(self.prefix))
        tail: Expression = EMPTY
        if self.high is None or self.high > first:
            value = self.value(self.rest)
            following = seq(self.comma, value)
            least = max(0, self.low - first)
            most = None if self.high is None else self.high - first
            if first:
                tail = many(following, least, most)
            else:
                more = None if most is None else most - 1
                tail = seq(value, many(following, max(0, least - 1), more))
        for at in range(len(self.prefix) - 1, start - 1, -1):
            value = self.value(self.prefix[at])
            tail = seq(value, tail) if at == 0 else seq(self.comma, value, tail)
            if at and at >= self.low:
                tail = optional(tail)
            if at % 8 == 7:  # expressions stay flat: a rule for every eight items
                tail = self.to.add_rule(f"{self.rule}_from_{at}", tail, self.place)
        return tail

    def with_one(self, part: Contains) -> Expression:
        """The items, one of which satisfies the part: a choice of its place."""
        limit = max(len(self.prefix), self.low, part.start) if self.high is None else self.high
        if limit > MAX_PLACES:
            node = self.to.of.reader.node(part.number)
            keyword = "contains" if self.to.of.has(node, "contains") else "items"
            raise self.to.of.unsupported(
                node, keyword, f"the item may stand in more than {MAX_PLACES} places"
            )
        options: list[Expression] = []
        for at in range(part.start, limit + (self.high is None)):
            own = self.prefix[at] if at < len(self.prefix) else self.rest
            hit = self.value(conjoin(own, part.goal))
            if hit != NEVER:
                # The last place stands for itself and all after it, where there is no end.
                before = self.before(at, None if at == limit else at)
                after = self.run(at + 1)
                options.append(seq(before, *([self.comma] if at else []), hit, after))
        return alternatives(*options)

    def before(self, low: int, high: int | None) -> Expression:
        """The first items, `low` to `high` of them."""
        parts: list[Expression] = []
        for at in range(min(low, len(self.prefix))):
            parts.extend([self.comma] if at else [])
            parts.append(self.value(self.prefix[at]))
        done = len(self.prefix)
        if low > done or high is None:
            value = self.value(self.rest)
            if not parts and low:
                parts.append(value)
                done = 1
            following = seq(self.comma, value)
            parts.append(many(following, max(0, low - done), None if high is None else high - done))
        return seq(*parts)

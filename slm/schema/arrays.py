"""Array shapes → expressions: leading items each in its own right, then a counted repetition."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from slm.errors import Place
from slm.grammar.ir import EMPTY, NEVER, Expression, Terminal, many, optional, seq
from slm.schema.algebra import FALSE, ArrayShape, Contains, Goal, conjoin
from slm.schema.array_frames import ArrayFrames
from slm.schema.counted import counted_items, counts_simply
from slm.schema.distinct import mark, marked
from slm.schema.expressions import alternatives
from slm.schema.unique import unique_items

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
    if shape.none:
        return ArrayFrames(to, shape, goal, rule, depth).expression(only_empty)
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
    layout = to.layout
    low = max(low, 1) if any(part.low for part in shape.contains) else low
    if high is not None and low > high:
        return NEVER
    empty = layout.structural("[]", depth) if low == 0 else NEVER
    if only_empty or high == 0:
        return empty
    items = Items(to, shape.items, prefix, low, high, depth, rule, to.place(goal))
    if shape.unique and (high is None or high > 1):
        inner = unique_items(items, shape)
        if inner == NEVER:
            return empty
    elif not shape.contains:
        inner = items.run(0)
    elif counts_simply(shape) and items.places(shape.contains[0]) <= MAX_PLACES:
        inner = items.with_one(shape.contains[0])
    else:
        inner = counted_items(items, shape)
        if inner == NEVER:
            return empty
    full = layout.enclosed("[]", inner, depth)
    if items.marked:
        full = seq(full, mark(to, "LEAVE"))
    return full if empty == NEVER else alternatives(empty, full)


@dataclass(slots=True)
class Items:
    """The items of an array that has some, without the brackets."""

    to: Lowering
    rest: Goal
    prefix: list[Goal]
    low: int
    high: int | None
    depth: int
    rule: str
    place: Place | None
    marked: bool = False  # for the memory of items that differ

    def value(self, goal: Goal) -> Expression:
        """An item under the goal."""
        item = self.to.value(goal, self.depth + 1)
        return marked(self.to, item) if self.marked else item

    @property
    def comma(self) -> Terminal:
        """What stands between two items."""
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

    def places(self, part: Contains) -> int:
        """How many places for one item there are to choose from, where the last stands for more."""
        return max(len(self.prefix), self.low, part.start) if self.high is None else self.high

    def with_one(self, part: Contains) -> Expression:
        """The items, one of which satisfies the part: a choice of its place."""
        limit = self.places(part)
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

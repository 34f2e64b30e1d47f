"""Arrays whose items are counted: several ``contains``, ``minContains``, ``maxContains``.

An item is *taken* for some of the parts that count, and then has to satisfy them. A part with an
upper bound also needs to know who does not match: an item that is not taken for it has to fail
it. A part without one does not, so an item may match and not be taken. What is left to read then
depends on the index, until it makes no difference any more, and on one counter for each part: a
rule for each of these states, the last of which loop on themselves.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import product
from typing import TYPE_CHECKING, TypeAlias

from slm.errors import SlmError
from slm.grammar.ir import EMPTY, NEVER, Call, Expression, many, seq
from slm.schema.algebra import ArrayShape, Contains, Goal, conjoin
from slm.schema.expressions import alternatives

if TYPE_CHECKING:
    from slm.schema.arrays import Items
    from slm.schema.lower import Lowering

MAX_STATES = 4_000
MAX_PARTS = 6  # an item may be taken for any of them: two to that power alternatives

Counts: TypeAlias = tuple[int, ...]


def counts_simply(shape: ArrayShape) -> bool:
    """Whether one item that matches is all that ``contains`` asks for."""
    return (
        len(shape.contains) == 1 and shape.contains[0].low == 1 and shape.contains[0].high is None
    )


def counted_items(items: Items, shape: ArrayShape) -> Expression:
    """The items of an array, at least one, so that each part of `contains` has its number of them.

    Raises:
        UnsupportedKeyword: too many parts or states, or a part that cannot be negated.

    Cost: as many rules as the index, up to the longest prefix or bound, times every counter.
    """
    one = shape.contains[0]
    plain = not items.prefix and items.high is None and items.low <= max(1, one.low)
    if plain and len(shape.contains) == 1 and one.start == 0:
        return _repeated(items, one)
    return _States(items, shape.contains).start()


def _miss(items: Items, part: Contains) -> Goal:
    """What an item that is not taken for a part has to satisfy for its sake."""
    of = items.to.of
    if part.high is None:
        return frozenset()
    return of.negation(of.reader.node(part.number), keyword_of(items.to, part), part.goal)


def keyword_of(to: Lowering, part: Contains) -> str:
    """The keyword that asks for the part: ``contains``, or ``items`` where that is negated."""
    return "contains" if to.of.has(to.of.reader.node(part.number), "contains") else "items"


def _repeated(items: Items, part: Contains) -> Expression:
    """Where nothing else counts: hits, with any number of misses between them."""
    hit = items.value(conjoin(items.rest, part.goal))
    miss = items.value(conjoin(items.rest, _miss(items, part)))
    misses = many(seq(items.comma, miss)) if miss != NEVER else EMPTY
    again = seq(items.comma, hit, misses)
    low, high = part.low, part.high
    found: list[Expression] = []
    if hit != NEVER and high != 0:
        rest = many(again, max(0, low - 1), None if high is None else high - 1)
        found.append(seq(hit, misses, rest))
    if miss != NEVER:
        rest = many(again, low, high) if hit != NEVER else (EMPTY if low == 0 else NEVER)
        if rest != NEVER:
            found.append(seq(miss, misses, rest))
    return alternatives(*found)


@dataclass
class _States:
    """Rules over (index, counters)."""

    items: Items
    parts: tuple[Contains, ...]
    last: int = 0  # the index from which on it makes no difference, or the bound
    made: dict[tuple[int, Counts], Expression] = field(default_factory=dict)

    def start(self) -> Expression:
        """All items; at least one."""
        items = self.items
        tops = [part.low if part.high is None else part.high for part in self.parts]
        starts = [part.start for part in self.parts]
        self.last = (
            max(1, len(items.prefix), items.low, *starts) if items.high is None else items.high
        )
        size = self.last + 1
        for top in tops:
            size *= top + 1
        if len(self.parts) > MAX_PARTS or size > MAX_STATES:
            raise self._too_many(f"{size} states" if len(self.parts) <= MAX_PARTS else "rules")
        for at in range(self.last, -1, -1):
            reached = [top if at == self.last else min(top, at) for top in tops]
            counters = product(*(range(top + 1) for top in reached))
            for counts in sorted(counters, key=sum, reverse=True):
                self.made[at, counts] = self._body(at, counts)
        return self._from(0, (0,) * len(self.parts))

    def _too_many(self, what: str) -> SlmError:
        to, part = self.items.to, self.parts[-1]
        node, keyword = to.of.reader.node(part.number), keyword_of(to, part)
        why = f"items that match have to be counted, which needs too many {what}"
        return to.of.unsupported(node, keyword, why)

    def _body(self, at: int, counts: Counts) -> Expression:
        items = self.items
        options: list[Expression] = []
        done = all(count >= part.low for count, part in zip(counts, self.parts, strict=True))
        if at and at >= items.low and done:
            options.append(EMPTY)
        loops: list[Expression] = []
        ends = items.high is not None and at == items.high
        for value, after in [] if ends else self._steps(at, counts):
            step = seq(items.comma, value) if at else value
            if (min(at + 1, self.last), after) == (at, counts):
                loops.append(step)
                continue
            rest = self._from(min(at + 1, self.last), after)
            if rest != NEVER:
                options.append(seq(step, rest))
        body = alternatives(*options)
        if not loops or body == NEVER:
            return body
        return seq(many(alternatives(*loops)), body)

    def _steps(self, at: int, counts: Counts) -> Iterator[tuple[Expression, Counts]]:
        """The next item, with the counters after it."""
        items = self.items
        own = items.prefix[at] if at < len(items.prefix) else items.rest
        choices: list[list[tuple[int, Goal]]] = []
        for count, part in zip(counts, self.parts, strict=True):
            if at < part.start:
                choices.append([(count, frozenset())])
            elif part.high is None:
                kept = [(count, frozenset[int]())]
                choices.append(kept if count == part.low else [(count + 1, part.goal), *kept])
            else:
                ways = [(count, _miss(items, part))]
                choices.append(ways if count == part.high else [(count + 1, part.goal), *ways])
        for way in product(*choices):
            goal = own
            for _, needed in way:
                goal = conjoin(goal, needed)
            value = items.value(goal)
            if value != NEVER:
                yield value, tuple(count for count, _ in way)

    def _from(self, at: int, counts: Counts) -> Expression:
        """What follows in a state: its body where that is nothing, else a rule for it."""
        body = self.made[at, counts]
        if body in (EMPTY, NEVER) or at == 0:
            return body
        if not isinstance(body, Call):
            items = self.items
            label = f"{items.rule}_{'_'.join(map(str, (at, *counts)))}"
            body = self.made[at, counts] = items.to.add_rule(label, body, items.place)
        return body

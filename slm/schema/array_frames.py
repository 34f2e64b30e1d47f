"""Arrays that exclude other shapes: item by item, all shapes together (`frames.py`)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from slm.grammar.ir import NEVER, Expression, seq
from slm.schema.algebra import FALSE, ArrayShape, Contains, Goal
from slm.schema.expressions import alternatives
from slm.schema.frames import Claim, Walk, claim_of, classes, fails, refused, undecided

if TYPE_CHECKING:
    from slm.schema.lower import Lowering

_Numbers = frozenset[int]


class _State(NamedTuple):
    at: int  # the next item; as far as somebody tells places apart
    claim: Claim
    hits: tuple[int, ...]  # items that were found for each `contains`


@dataclass
class ArrayFrames:
    """The arrays of one shape with exclusions; arguments as for `array_expression`."""

    to: Lowering
    shape: ArrayShape
    goal: Goal
    rule: str
    depth: int
    shapes: list[ArrayShape] = field(init=False)
    claim: Claim = field(init=False)
    parts: list[tuple[int, Contains]] = field(init=False)

    def __post_init__(self) -> None:
        self.shapes, self.claim = claim_of(self.shape)
        self.parts = [(at, part) for at, one in enumerate(self.shapes) for part in one.contains]
        self.comma = self.to.layout.structural(",", self.depth)
        self.number = abs(min(self.goal, key=abs))

    def expression(self, only_empty: bool) -> Expression:
        """The texts of the arrays.

        Raises:
            UnsupportedKeyword: there are too many combinations, or items must be unique besides.
        """
        if any(shape.unique for shape in self.shapes):
            why = "whether items are unique is not tracked besides other choices"
            raise refused(self.to, self.number, why)
        layout, start = self.to.layout, _State(0, self.claim, (0,) * len(self.parts))
        empty = layout.structural("[]", self.depth) if self._ends(start) else NEVER
        if only_empty:
            return empty
        place = self.to.place(self.goal)

        def ends(state: _State) -> bool:
            return state.at > 0 and self._ends(state)

        walk = Walk(self.to, self.rule, place, self._ways, ends, self.number)
        inner = walk.expression(start)
        if inner == NEVER:
            return empty
        full = layout.enclosed("[]", inner, self.depth)
        return full if empty == NEVER else alternatives(empty, full)

    def _ends(self, state: _State) -> bool:
        dead = {at for at in set(state.claim.shapes()) if state.at < self.shapes[at].low}
        dead |= {
            at for (at, part), hits in zip(self.parts, state.hits, strict=True) if hits < part.low
        }
        left = state.claim.settle(frozenset(dead))
        return left is not None and left.holds()

    def _ways(self, state: _State) -> list[tuple[Expression, _State]]:
        open_ones = sorted(set(state.claim.shapes()))
        goals = {at: self.shapes[at].item(state.at) for at in open_ones}
        for at in open_ones:
            high = self.shapes[at].high
            if high is not None and state.at >= high:
                goals[at] = FALSE
        base = goals[state.claim.shape]
        if base == FALSE:
            return []

        def dead_of(failed: _Numbers) -> _Numbers:
            return frozenset(at for at in open_ones if fails(goals[at], failed))

        def counted(left: Claim) -> list[int]:
            alive = set(left.shapes())
            return [
                index
                for index, (at, part) in enumerate(self.parts)
                if at in alive
                and state.at >= part.start
                and (part.high is not None or state.hits[index] < part.low)
            ]

        def asked(held: _Numbers, failed: _Numbers) -> int | None:
            left = state.claim.settle(dead_of(failed))
            if left is None:
                return None
            wanted = [goals[at] for at in sorted(set(left.shapes()))]
            wanted += [self.parts[index][1].goal for index in counted(left)]
            return undecided(wanted, held, failed)

        values: dict[_State, list[Expression]] = {}
        for goal, _, failed in classes(self.to.of, base, asked, self.number):
            left = state.claim.settle(dead_of(failed))
            if left is None:
                continue
            hits = list(state.hits)
            for index in counted(left):
                hits[index] += not fails(self.parts[index][1].goal, failed)
            after = self._settled(state.at + 1, left, hits)
            if after is not None:
                value = self.to.value(goal, self.depth + 1)
                if value != NEVER:
                    values.setdefault(after, []).append(value)
        comma = (self.comma,) if state.at else ()
        return [(seq(*comma, alternatives(*options)), after) for after, options in values.items()]

    def _follows(self, number: int, at: int) -> bool:
        """Whether a shape holds where the base does, as far as items are still to come."""
        shape, base = self.shapes[number], self.shapes[self.claim.shape]
        if shape.contains or shape.low > max(at, base.low):
            return False
        if shape.high is not None and (base.high is None or base.high > shape.high):
            return False
        last = max(len(shape.prefix), len(base.prefix))
        return all(shape.item(place) <= base.item(place) for place in range(at, max(at, last) + 1))

    def _settled(self, at: int, claim: Claim, hits: list[int]) -> _State | None:
        """The state after an item; places and counts that nobody asks about any more are one."""
        over = frozenset(
            number
            for (number, part), count in zip(self.parts, hits, strict=True)
            if part.high is not None and count > part.high
        )
        left = claim.settle(over)
        left = left and left.without_sure(lambda number: self._follows(number, at))
        if left is None:
            return None
        alive = set(left.shapes())
        ends = [1]
        for number in alive:
            shape = self.shapes[number]
            ends += [len(shape.prefix), shape.low, 0 if shape.high is None else shape.high]
        for index, (number, part) in enumerate(self.parts):
            if number in alive:
                ends.append(part.start)
                hits[index] = min(hits[index], max(part.low, (part.high or 0) + 1))
            else:
                hits[index] = 0
        return _State(min(at, max(ends)), left, tuple(hits))

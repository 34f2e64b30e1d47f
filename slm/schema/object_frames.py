"""Objects that exclude other shapes: declared members one by one, then those with free names.

The base shape and those it excludes are walked together (`frames.py`). What a declared member does
to a shape is settled when it is read. A free name may come again with another value, and parsers
take the last: so what such a member's *value* does counts for sure only at the end, after which
no member with a name of the same kind follows; before that, a claim has to hold in either case.
Where two values under names of one kind would have to count, it is refused.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

from slm.grammar.ir import EMPTY, NEVER, Expression, seq
from slm.grammar.regular import Regular
from slm.schema.algebra import FALSE, TRUE, Goal, ObjectShape, conjoin
from slm.schema.expressions import alternatives
from slm.schema.frames import Claim, Walk, claim_of, classes, fails, refused, undecided
from slm.schema.names import declared_names, free_key, inhabited, region, speaks

if TYPE_CHECKING:
    from slm.schema.lower import Lowering

_Numbers = frozenset[int]


class _State(NamedTuple):
    at: int  # the next declared member
    declared: int  # members with declared names that were written, as far as somebody counts them
    free: int  # and members with free names, which may be repeats
    claim: Claim
    closed: _Numbers = frozenset()  # kinds of free names whose last member was written


class _Kind(NamedTuple):
    """Free names about which the same rules speak."""

    number: int
    keys: Expression
    goals: tuple[Goal, ...]  # of the value, shape by shape


class _Class(NamedTuple):
    """Values that do the same to every shape that is still open."""

    goal: Goal
    by_name: _Numbers  # shapes that no member with such a name can be in
    by_value: _Numbers  # shapes that the member is not in for its value


@dataclass
class ObjectFrames:
    """The objects of one shape with exclusions; arguments as for `object_expression`."""

    to: Lowering
    shape: ObjectShape
    goal: Goal
    rule: str
    depth: int
    shapes: list[ObjectShape] = field(init=False)
    claim: Claim = field(init=False)
    names: list[str] = field(init=False)
    _goals: dict[tuple[str, int], Goal] = field(default_factory=dict)
    _kinds: list[_Kind] | None = None
    _free: dict[Claim, list[tuple[_Kind, list[_Class]]]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.shapes, self.claim = claim_of(self.shape)
        names = declared_names(self.shape)
        for shape in self.shapes:
            for rule in shape.rules:
                names.update(dict.fromkeys(sorted(rule.names)))
        self.names = list(names)
        self.comma = self.to.layout.structural(",", self.depth)
        self.number = abs(min(self.goal, key=abs))
        self.extra = self.to.layout.style.max_extra

    def expression(self, only_empty: bool) -> Expression:
        """The texts of the objects.

        Raises:
            UnsupportedKeyword: they need to be told apart by more than is known of free names.
        """
        if any(shape.some for shape in self.shapes):
            raise refused(self.to, self.number, "some member would have to fail it")
        if self.to.any_order:
            raise refused(self.to, self.number, 'it cannot be combined with order="any"')
        layout = self.to.layout
        empty = layout.structural("{}", self.depth) if self._empty() else NEVER
        if only_empty:
            return empty
        place = self.to.place(self.goal)
        walk = Walk(self.to, self.rule, place, self._ways, self._ends, self.number)
        inner = walk.expression(_State(0, 0, 0, self.claim))
        if inner == NEVER:
            return empty
        full = layout.enclosed("{}", inner, self.depth)
        return full if empty == NEVER else alternatives(empty, full)

    def _empty(self) -> bool:
        numbered = enumerate(self.shapes)
        dead = frozenset(at for at, one in numbered if one.required or one.low > 0)
        left = self.claim.settle(dead)
        return left is not None and left.holds()

    def _ways(self, state: _State) -> list[tuple[Expression, _State]]:
        return self._named(state) if state.at < len(self.names) else self._others(state)

    # --- members with declared names --------------------------------------------------------------

    def _named(self, state: _State) -> list[tuple[Expression, _State]]:
        name, claim = self.names[state.at], state.claim
        open_ones = sorted(set(claim.shapes()))
        found: list[tuple[Expression, _State]] = []
        absent = frozenset(at for at in open_ones if name in self.shapes[at].required)
        without = self._settled(state._replace(at=state.at + 1), absent)
        if without is not None:
            found.append((EMPTY, without))
        goals = {at: self._goal_of(name, at) for at in open_ones}
        base = goals[claim.shape]

        def asked(held: _Numbers, failed: _Numbers) -> int | None:
            left = claim.settle(frozenset(at for at in open_ones if fails(goals[at], failed)))
            if left is None:
                return None
            return undecided((goals[at] for at in sorted(set(left.shapes()))), held, failed)

        values: dict[_State, list[Expression]] = {}
        after_it = state._replace(at=state.at + 1, declared=state.declared + 1)
        each = classes(self.to.of, base, asked, self.number) if base != FALSE else ()
        for goal, _, failed in each:
            dead = frozenset(at for at in open_ones if fails(goals[at], failed))
            after = self._settled(after_it, dead)
            if after is not None:
                value = self.to.value(goal, self.depth + 1)
                if value != NEVER:
                    values.setdefault(after, []).append(value)
        comma = (self.comma,) if state.declared else ()
        for after, options in values.items():
            found.append((seq(*comma, self.to.key(name), alternatives(*options)), after))
        return found

    def _goal_of(self, name: str, at: int) -> Goal:
        found = self._goals.get((name, at))
        if found is None:
            found = self._goals[name, at] = self.shapes[at].goal_of(name, self.to.of.pool)
        return found

    def _settled(
        self, state: _State, dead: _Numbers, unsure: _Numbers = frozenset()
    ) -> _State | None:
        """The state once some shapes do not hold, or do not unless a name is repeated."""
        left = state.claim.settle_unsure(unsure) if unsure else state.claim
        left = left and left.settle(dead)
        for number in sorted(set(left.shapes())) if left else ():
            high = self.shapes[number].high
            if left and high is not None and state.declared + state.free > high:
                sure = state.declared + min(state.free, 1) > high
                kill = frozenset((number,))
                left = left.settle(kill) if sure else left.settle_unsure(kill)
        left = left and left.without_sure(lambda number: self._follows(number, state))
        if left is None:
            return None
        most = 0
        for number in set(left.shapes()):
            shape = self.shapes[number]
            most = max(most, shape.low, 0 if shape.high is None else shape.high + 1)
        if most == 0 and self.extra is None:
            written = min(1, state.declared + state.free)
            return _State(state.at, written, 0, left, state.closed)
        most = max(most, 1)
        declared, free = min(state.declared, most), min(state.free, max(most, self.extra or 0))
        return _State(state.at, declared, free, left, state.closed)

    def _follows(self, number: int, state: _State) -> bool:
        """Whether a shape holds where the base does, as far as members are still to come."""
        shape, base = self.shapes[number], self.shapes[self.claim.shape]
        if shape.low > max(state.declared, base.low) or not set(shape.rules) <= set(base.rules):
            return False
        if shape.high is not None and (base.high is None or base.high > shape.high):
            return False
        return all(
            (name not in shape.required or name in base.required)
            and self._goal_of(name, number) <= self._goal_of(name, self.claim.shape)
            for name in self.names[state.at :]
        )

    def _ends(self, state: _State) -> bool:
        if state.at < len(self.names) or not state.declared + state.free:
            return False
        left: Claim | None = state.claim
        for number in sorted(set(state.claim.shapes())):
            low = self.shapes[number].low
            if left and state.declared + min(state.free, 1) < low:
                few = state.declared + state.free < low
                kill = frozenset((number,))
                left = left.settle(kill) if few else left.settle_unsure(kill)
        return left is not None and left.holds()

    # --- members with free names ------------------------------------------------------------------

    def _others(self, state: _State) -> list[tuple[Expression, _State]]:
        if self.extra is not None and state.free >= self.extra:
            return []
        kinds, denied = self._classes(state.claim), set(state.claim.denied())
        if kinds and not state.closed:
            self._check(state, kinds)
        found: list[tuple[Expression, _State]] = []
        comma = (self.comma,) if state.declared + state.free else ()
        more = state._replace(free=state.free + 1)
        for kind, each in kinds:
            if kind.number in state.closed:
                continue
            values: dict[_State, list[Expression]] = {}
            for goal, by_name, by_value in each:
                ways = []
                if not state.closed:  # what its value does may be undone
                    ways.append(self._settled(more, by_name, by_value))
                if not by_value.isdisjoint(denied):  # the last of its kind
                    last = more._replace(closed=state.closed | {kind.number})
                    ways.append(self._settled(last, by_name | by_value))
                for after in ways:
                    if after is not None:
                        value = self.to.value(goal, self.depth + 1)
                        if value != NEVER:
                            values.setdefault(after, []).append(value)
            for after, options in values.items():
                found.append((seq(*comma, kind.keys, alternatives(*options)), after))
        return found

    def _check(self, state: _State, kinds: list[tuple[_Kind, list[_Class]]]) -> None:
        """Make sure that repeated names cannot hide an object that is valid.

        Raises:
            UnsupportedKeyword: two members, or the number of names, would have to count.
        """
        denied = frozenset(state.claim.denied())
        for number in sorted(set(state.claim.shapes())):
            shape = self.shapes[number]
            need = shape.high + 1 if number in denied and shape.high is not None else 0
            if number not in denied or number == state.claim.shape:
                need = max(need, shape.low)
            if need > state.declared + 1 and not state.free:
                why = "members with free names might repeat a name to reach a number of them"
                raise refused(self.to, self.number, why)
        for _, each in kinds:
            killed = sorted({found.by_value & denied for found in each}, key=len)
            if any(not less <= more for less, more in pairwise(killed)):
                why = "two members would have to fail it, each of which might be the last of its"
                raise refused(self.to, self.number, f"{why} name")

    def _classes(self, claim: Claim) -> list[tuple[_Kind, list[_Class]]]:
        found = self._free.get(claim)
        if found is None:
            found = self._free[claim] = []
            for kind in self._regions():
                each = list(self._values(kind, claim))
                if each:
                    found.append((kind, each))
        return found

    def _values(self, kind: _Kind, claim: Claim) -> list[_Class]:
        open_ones = sorted(set(claim.shapes()))
        base = kind.goals[claim.shape]
        if base == FALSE:
            return []

        def asked(held: _Numbers, failed: _Numbers) -> int | None:
            alive = (at for at in open_ones if not fails(kind.goals[at], failed))
            return undecided((kind.goals[at] for at in alive), held, failed)

        found = []
        for goal, _, failed in classes(self.to.of, base, asked, self.number):
            found.append((goal, frozenset(at for at in open_ones if fails(kind.goals[at], failed))))
        by_name = frozenset.intersection(*(dead for _, dead in found)) if found else frozenset()
        return [_Class(goal, by_name, dead - by_name) for goal, dead in found]

    def _regions(self) -> list[_Kind]:
        if self._kinds is None:
            conditions: dict[Regular, None] = {}
            for shape in self.shapes:
                for rule in shape.rules:
                    if rule.included is not None:
                        conditions[rule.included] = None
                    conditions.update(dict.fromkeys(rule.excluded))
            self._kinds = []
            for holds in inhabited(self.to, list(conditions), self.goal):
                keys = free_key(self.to, region(holds), self.names)
                goals = []
                for shape in self.shapes:
                    goal = TRUE
                    for rule in shape.rules:
                        if speaks(rule, holds):
                            goal = conjoin(goal, rule.goal)
                    goals.append(goal)
                if keys != NEVER:
                    self._kinds.append(_Kind(len(self._kinds), keys, tuple(goals)))
        return self._kinds

"""Object shapes → expressions: declared members in order, then the others.

Members come in the order the schema declares them, then required names it does not declare, then
any number of other members whose names differ from all of these in every spelling. Commas make a
member depend on whether one came before, and counts on how many: both are the state of one small
chain of rules over (next member, members so far).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from itertools import product
from typing import TYPE_CHECKING

from slm.grammar.ir import EMPTY, NEVER, Expression, many, optional, seq
from slm.grammar.memory import DistinctItems
from slm.grammar.regular import (
    ANYTHING,
    Regular,
    choice_of,
    complement,
    difference,
    intersection,
    union,
)
from slm.schema.algebra import FALSE, TRUE, Goal, NameRule, ObjectShape, conjoin
from slm.schema.distinct import Counts, mark, marked
from slm.schema.expressions import alternatives
from slm.schema.names import (
    MAX_NAME_CLASSES,
    declared_names,
    extra_names,
    free_key,
    inhabited,
    region,
    speaks,
)
from slm.schema.object_frames import ObjectFrames
from slm.schema.orders import AnyOrder
from slm.schema.witnesses import Witnesses, unsupported_some, with_members

if TYPE_CHECKING:
    from slm.schema.lower import Lowering

MAX_COUNT_RULES = 4_000
FEW_MEMBERS = 8


@dataclass(slots=True)
class _Member:
    expression: Expression  # name, colon, value
    required: bool


def object_expression(
    to: Lowering, shape: ObjectShape, goal: Goal, rule: str, depth: int, only_empty: bool
) -> Expression:
    """The texts of the objects of a shape; arguments as for `array_expression`.

    Raises:
        UnsupportedKeyword: ``minProperties`` that free names would have to fill without repeats, or
            name patterns that overlap in too many ways.
    """
    shape = _styled(to, shape)
    if shape.none:
        return ObjectFrames(to, shape, goal, rule, depth).expression(only_empty)
    if shape.some:
        variants = with_members(to, shape)
        return alternatives(
            *(_one_object(to, one, goal, rule, depth, only_empty) for one in variants)
        )
    return _one_object(to, shape, goal, rule, depth, only_empty)


def _styled(to: Lowering, shape: ObjectShape) -> ObjectShape:
    """The shape with what the style says of names that are not declared."""
    style = to.layout.style
    if style.extra_names is None and style.max_extra != 0:
        return shape
    allowed = () if style.max_extra == 0 else (extra_names(style),)
    names = frozenset(declared_names(shape))
    return replace(shape, rules=(*shape.rules, NameRule(FALSE, None, names, allowed)))


def _one_object(
    to: Lowering, shape: ObjectShape, goal: Goal, rule: str, depth: int, only_empty: bool
) -> Expression:
    names = {**dict.fromkeys(shape.members), **shape.required}
    low, high = shape.low, shape.high
    if shape.some:
        low = max(low, 1)
    if high is not None and len(shape.required) > high:
        return NEVER
    empty: Expression = NEVER
    if low == 0 and not shape.required:
        empty = to.layout.structural("{}", depth)
    if only_empty or high == 0:
        return empty
    members: list[_Member] = []
    for name in names:
        value_goal = (
            shape.goal_of(name, to.of.pool) if shape.rules else shape.members.get(name, TRUE)
        )
        if value_goal == FALSE:
            if name in shape.required:
                return NEVER
            continue
        value = to.value(value_goal, depth + 1)
        if value == NEVER and name in shape.required:
            to.dead[rule] = value_goal
            return NEVER
        members.append(_Member(seq(to.key(name), value), name in shape.required))
    free = _free_members(to, shape, goal, list(names), depth)
    must: Expression | None = None
    witnesses: Witnesses | None = None
    comma = to.layout.structural(",", depth)
    if shape.some and free is None:
        return NEVER
    extra = to.layout.style.max_extra
    if shape.some and extra is not None:
        raise unsupported_some(to, shape, "it cannot be combined with max_extra")
    if shape.some:
        found = {}

        def some(rules: tuple[NameRule, ...]) -> Expression | None:
            if rules not in found:
                found[rules] = _free_members(to, shape, goal, list(names), depth, rules)
            return found[rules]

        if len(shape.some) == 1 and not shape.some[0].goal and high is None and low <= 1:
            must = some(shape.some)
            if must is None:
                return NEVER
        else:
            place = to.place(goal)
            witnesses = Witnesses(to, shape, some, comma, high, rule, place)
    if not members and free is None:
        return empty
    # A name that is repeated is one member. Where several have to be counted, none may be repeated.
    counted = low > len(shape.required) + 1 and free is not None
    if counted:
        free = _distinct_members(to, shape, goal, list(names), depth, low)
    if to.any_order:
        if shape.some:
            raise unsupported_some(to, shape, 'it cannot be combined with order="any"')
        pairs = [(member.expression, member.required) for member in members]
        inner = AnyOrder(to, pairs, free, comma, low, high, rule, goal, counted).start()
    else:
        chain = _Chain(to, members, free, must, witnesses, comma, low, high, rule, goal)
        chain.extra = extra
        inner = chain.start()
    if inner == NEVER:
        return empty
    if counted:
        inner = seq(mark(to, "BEGIN"), inner)
        full = seq(to.layout.enclosed("{}", inner, depth), mark(to, "LEAVE"))
    else:
        full = to.layout.enclosed("{}", inner, depth)
    return full if empty == NEVER else alternatives(empty, full)


def _free_members(
    to: Lowering,
    shape: ObjectShape,
    goal: Goal,
    names: list[str],
    depth: int,
    only: tuple[NameRule, ...] = (),
    differ: bool = False,
) -> Expression | None:
    """Members whose names are none of the declared ones; None where there can be none.

    `only` narrows them to the names that all of some rules speak about, and the values to those
    that satisfy the rules' goals. `differ`: each name has marks for the memory of names.
    """
    for rule in only:
        names = [*names, *sorted(rule.names.difference(names))]
    options: list[Expression] = []
    for value_goal, regions in _regions_by_goal(to, shape, goal, only).items():
        keys = [key for region in regions if (key := free_key(to, region, names)) != NEVER]
        if keys:
            name = alternatives(*keys)
            options.append(
                seq(marked(to, name) if differ else name, to.value(value_goal, depth + 1))
            )
    return alternatives(*options) if options else None


def _regions_by_goal(
    to: Lowering, shape: ObjectShape, goal: Goal, only: tuple[NameRule, ...] = ()
) -> dict[Goal, list[Regular]]:
    """What the values of names that are not declared must satisfy, and the names."""
    conditions: dict[Regular, None] = {}
    for rule in (*shape.rules, *only):
        if rule.included is not None:
            conditions[rule.included] = None
        conditions.update(dict.fromkeys(rule.excluded))
    ways: Iterable[dict[Regular, bool]] = (
        dict(zip(conditions, held, strict=True))
        for held in product((True, False), repeat=len(conditions))
    )
    if 2 ** len(conditions) > MAX_NAME_CLASSES:
        ways = inhabited(to, list(conditions), goal)
    by_goal: dict[Goal, list[Regular]] = {}
    for holds in ways:
        if not all(speaks(rule, holds) for rule in only):
            continue
        value_goal = TRUE
        for rule in only:
            value_goal = conjoin(value_goal, rule.goal)
        for rule in shape.rules:
            if speaks(rule, holds):
                value_goal = conjoin(value_goal, rule.goal)
        if value_goal == FALSE:
            continue
        by_goal.setdefault(value_goal, []).append(region(holds))
    return by_goal


def _distinct_members(
    to: Lowering, shape: ObjectShape, goal: Goal, names: list[str], depth: int, low: int
) -> Expression | None:
    """Members with free names, none of which comes twice.

    Raises:
        UnsupportedKeyword: the names may be too few, or a rule asks for a member besides.
    """
    left: list[Regular] = []
    for rule in shape.rules:
        if rule.goal == FALSE:
            spoken = [ANYTHING if rule.included is None else rule.included]
            left.append(complement(intersection(*spoken, *map(complement, rule.excluded))))
    language, counts = intersection(*left) if left else ANYTHING, Counts(to.of)
    kinds = _regions_by_goal(to, shape, goal)
    sure = [value_goal for value_goal in kinds if counts.at_least(value_goal, 1)]
    if len(kinds) > 1 and len(sure) < len(kinds):  # where all lack a value, that is seen later
        language = union(*(part for value_goal in sure for part in kinds[value_goal]))
        left = [language]
    if left and names:
        language = difference(language, choice_of(names))
    if shape.some or not counts.at_least_names(language, low - len(shape.required)):
        raise to.of.unsupported(
            to.of.reader.node(shape.number),
            "minProperties",
            "it cannot be told whether there are enough free names to reach it",
            hint="declare the properties, or set additionalProperties to false",
        )
    to.remember(shape.number, "minProperties", DistinctItems())
    return _free_members(to, shape, goal, names, depth, differ=True)


class _Chain:
    """Members one after the other, as rules over (next declared member, members so far)."""

    def __init__(
        self,
        to: Lowering,
        members: list[_Member],
        free: Expression | None,
        must: Expression | None,
        witnesses: Witnesses | None,
        comma: Expression,
        low: int,
        high: int | None,
        rule: str,
        goal: Goal,
    ) -> None:
        self.to, self.members, self.free, self.comma = to, members, free, comma
        self.must, self.witnesses = must, witnesses
        self.low, self.high, self.rule, self.goal = low, high, rule, goal
        required = sum(member.required for member in members)
        if low <= required + (witnesses is not None):
            self.low = low = 0
        if high is not None and free is None and high >= len(members):
            self.high = high = None
        self.cap = max(1, low) if high is None else max(low, high)
        self.made: dict[tuple[int, int], Expression] = {}
        self.extra: int | None = None  # so many free ones at most

    def start(self) -> Expression:
        """All members; at least one."""
        if self.low == 0:
            self.low = 1  # the empty object is a text of its own
        plain = self.cap == 1 and self.high is None and self.must is None
        plain = plain and self.witnesses is None
        if plain and len(self.members) > FEW_MEMBERS:
            return self._after_comma()
        if self.cap > 1 and len(self.members) * self.cap > MAX_COUNT_RULES:
            node = self.to.of.reader.node(min(self.goal, key=abs))
            raise self.to.of.unsupported(
                node,
                "maxProperties" if self.high is not None else "minProperties",
                "with this many properties it needs too many rules",
            )
        last = len(self.members)
        # After the first required member there is only one way on, unless members are counted.
        if self.cap == 1 and self.high is None:
            first = (at for at, member in enumerate(self.members) if member.required)
            last = min(next(first, last) + 1, last)
        for at in range(last, -1, -1):
            for count in range(min(at, self.cap), -1, -1):
                self.made[at, count] = self._tail(at, count, flat=at == last)
        return self.made[0, 0]

    def _after_comma(self) -> Expression:
        """The same where nothing is counted, by rules over the next declared member alone.

        A comma is read before it is said which member it leads to, so that it is one and not as
        many as members.
        """
        must_follow = False
        more = None if self.extra is None else self.extra - 1
        following = NEVER if self.free is None else many(seq(self.comma, self.free), 0, more)
        next_one = NEVER if self.free is None else seq(self.free, following)
        rest = self._others(1)
        at = len(self.members)
        while True:
            end, at = at, at - 1
            if self.members[at].required:
                while at > 0 and self.members[at - 1].required:
                    at -= 1
                parts = [self.members[at].expression]
                for member in self.members[at + 1 : end]:
                    parts += [self.comma, member.expression]
                body = seq(*parts, rest)
                must_follow = True
            else:
                body = alternatives(seq(self.members[at].expression, rest), next_one)
            if at == 0:
                return body
            label = f"{self.rule}_next_{at}"
            next_one = self.to.add_rule(label, body, self.to.place(self.goal))
            rest = seq(self.comma, next_one)
            rest = rest if must_follow else optional(rest)

    def _tail(self, at: int, count: int, *, flat: bool) -> Expression:
        if at == len(self.members):
            return self._others(count)
        if flat and count == 0:
            return NEVER  # a required member came before
        free_count = count >= max(1, self.low) and self.high is None
        if flat or (free_count and len(self.members) - at <= 4):
            parts = [self._with_comma(member) for member in self.members[at:]]
            return seq(*parts, self._others(count))
        member = self.members[at]
        options: list[Expression] = []
        if self.high is None or count < self.high:
            step = seq(self.comma, member.expression) if count else member.expression
            more = min(count + 1, self.cap)
            rest = self._shared(at + 1, more, self.made[at + 1, more])
            if rest != NEVER:
                options.append(seq(step, rest))
        if not member.required:
            rest = self._shared(at + 1, count, self.made[at + 1, count])
            if rest != NEVER:
                options.append(rest)
        return alternatives(*options)

    def _with_comma(self, member: _Member) -> Expression:
        with_comma = seq(self.comma, member.expression)
        return with_comma if member.required else optional(with_comma)

    def _shared(self, at: int, count: int, body: Expression) -> Expression:
        """The tail itself where it is short, else a call to a rule of it."""
        if body in (EMPTY, NEVER) or at == len(self.members):
            return body
        key = (-1 - at, count)
        found = self.made.get(key)
        if found is None:
            label = f"{self.rule}_from_{at}" + (f"_{count}" if self.cap > 1 else "")
            found = self.made[key] = self.to.add_rule(label, body, self.to.place(self.goal))
        return found

    def _others(self, count: int) -> Expression:
        if self.witnesses is not None:
            return self.witnesses.after(count)
        need = max(0, self.low - count)
        if self.free is None:
            return EMPTY if need == 0 else NEVER
        most = None if self.high is None else self.high - count
        if self.extra is not None:
            most = self.extra if most is None else min(most, self.extra)
        if most is not None and most < need:
            return NEVER
        if most == 0:
            return EMPTY
        following = seq(self.comma, self.free)
        if self.must is not None:
            rest = many(following)
            late = seq(many(following), self.comma, self.must, rest)
            return late if count else alternatives(seq(self.must, rest), seq(self.free, late))
        if count:
            return many(following, need, most)
        return seq(self.free, many(following, max(0, need - 1), None if most is None else most - 1))

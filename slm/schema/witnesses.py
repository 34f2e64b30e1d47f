"""Objects that need a member of some kind: what a negated ``patternProperties`` leaves behind.

"Some member whose name is in this set has a value that fails" (`ObjectShape.some`) is fulfilled
by a declared member, which then is required, or by a *witness* among the members with free names.
A text may repeat such a name with another value, and parsers take the last one; so a witness
whose value matters stands at the end, where nothing can take its place; of several, no two may
have one name. One whose name alone is asked for may stand anywhere.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from itertools import combinations
from typing import TYPE_CHECKING

from slm.errors import Place, SlmError
from slm.grammar.ir import EMPTY, NEVER, Expression, many, seq
from slm.grammar.regular import ANYTHING, Regular, choice_of, complement, intersection
from slm.schema.algebra import TRUE, NameRule, ObjectShape, conjoin
from slm.schema.expressions import alternatives
from slm.schema.strings import has_short_text

if TYPE_CHECKING:
    from slm.schema.lower import Lowering

MAX_VARIANTS = 64
MAX_WITNESSES = 4
MAX_COUNTED = 256


def with_members(to: Lowering, shape: ObjectShape) -> list[ObjectShape]:
    """The ways to have a member of each kind that `some` asks for.

    A declared member may be it, and becomes required; or it is a member with another name, which
    stays in `some`.
    """
    found = [replace(shape, some=())]
    for wanted in shape.some:
        more: list[ObjectShape] = []
        for one in found:
            more.extend(_fulfilled(to, one, wanted))
        found = more
        if len(found) > MAX_VARIANTS:
            raise unsupported_some(to, shape, "there are too many ways to violate it")
    return found


def _fulfilled(to: Lowering, one: ObjectShape, wanted: NameRule) -> Iterator[ObjectShape]:
    names = {**dict.fromkeys(one.members), **one.required}
    names = {name: None for name in names if wanted.applies(name, to.of.pool)}
    if not wanted.goal and any(name in one.required for name in names):
        yield one
        return
    for name in names:
        members = one.members
        if wanted.goal:
            members = {**members, **{n: members.get(n, TRUE) for n in one.required}}
            members[name] = conjoin(members[name], wanted.goal)
        yield replace(one, members=members, required={**one.required, name: None})
    yield replace(one, some=(*one.some, wanted))


def unsupported_some(to: Lowering, shape: ObjectShape, why: str) -> SlmError:
    """The error for a violation that cannot be written."""
    node = to.of.reader.node(shape.number)
    names = (
        "additionalProperties",
        "patternProperties",
        "propertyNames",
        "unevaluatedProperties",
        "minProperties",
    )
    keyword = next((name for name in names if to.of.has(node, name)), next(iter(node.raw)))
    return to.of.unsupported(node, keyword, f"negated, {why}")


@dataclass
class Witnesses:
    """The members with free names of a shape that needs some of them.

    Attributes:
        free: gives any member with a free name, or those that all of some rules speak about.
        most: how many members of all kinds there may be.
    """

    to: Lowering
    shape: ObjectShape
    free: Callable[[tuple[NameRule, ...]], Expression | None]
    comma: Expression
    most: int | None
    rule: str
    place: Place | None
    wanted: tuple[NameRule, ...] = ()  # first those that ask for a name, then those for a value
    names: int = 0  # how many of them ask for a name
    made: dict[tuple[int, frozenset[int]], Expression] = field(default_factory=dict)

    def __post_init__(self) -> None:
        named = tuple(wanted for wanted in self.shape.some if not wanted.goal)
        valued = tuple(wanted for wanted in self.shape.some if wanted.goal)
        if any(self._overlap(*pair) for pair in combinations(valued, 2)):
            why = "two members would have to fail it, each of which might be the last of its name"
            raise unsupported_some(self.to, self.shape, why)
        self.wanted, self.names = named + valued, len(named)
        if len(self.wanted) > MAX_WITNESSES or (self.most or 0) > MAX_COUNTED:
            raise unsupported_some(self.to, self.shape, "too many members would have to be counted")

    def _overlap(self, one: NameRule, two: NameRule) -> bool:
        """Whether one name may be in both: only where it is not do two witnesses never meet."""
        pool = self.to.of.pool
        both = intersection(_names_of(one), _names_of(two))
        return has_short_text(both, pool) or pool.alive(pool.state(both))

    def after(self, count: int) -> Expression:
        """What follows `count` declared members."""
        return self._from(count if self.most is not None else min(count, 1), frozenset())

    def _from(self, count: int, done: frozenset[int]) -> Expression:
        found = self.made.get((count, done))
        if found is None:
            body = self._body(count, done)
            if body not in (EMPTY, NEVER):
                label = f"{self.rule}_others_{'_'.join(map(str, (count, *sorted(done))))}"
                body = self.to.add_rule(label, body, self.place)
            found = self.made[count, done] = body
        return found

    def _body(self, count: int, done: frozenset[int]) -> Expression:
        open_ones = [at for at in range(len(self.wanted)) if at not in done]
        options: list[Expression] = [] if open_ones else [EMPTY]
        if self.most is not None and count >= self.most:
            return alternatives(*options)
        comma = (self.comma,) if count else ()
        after = count + 1 if self.most is not None else 1
        closing = any(at >= self.names for at in done)  # nothing but witnesses of values follows
        loop: Expression | None = None
        for size in range(len(open_ones) + 1):
            for taken in combinations(open_ones, size):
                valued = [at for at in taken if at >= self.names]
                if len(valued) > 1 or (closing and not valued):
                    continue
                member = self.free(tuple(self.wanted[at] for at in taken))
                if member is None:
                    continue
                step = seq(*comma, member)
                if (after, not taken) == (count, True):
                    loop = step
                    continue
                rest = self._from(after, done | frozenset(taken))
                if rest != NEVER:
                    options.append(seq(step, rest))
        body = alternatives(*options)
        return body if loop is None or body == NEVER else seq(many(loop), body)


def _names_of(rule: NameRule) -> Regular:
    """The names that a rule speaks about."""
    parts = [] if rule.included is None else [rule.included]
    parts += [complement(part) for part in rule.excluded]
    if rule.names:
        parts.append(complement(choice_of(sorted(rule.names))))
    return intersection(*parts) if parts else ANYTHING

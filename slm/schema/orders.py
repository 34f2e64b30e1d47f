"""Members in any order: which of the declared ones are there is a state of its own.

A rule for every set of declared members that may have been written, so there cannot be many of
them. Members with free names may stand anywhere between.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from slm.errors import Place
from slm.grammar.ir import EMPTY, NEVER, Expression, many, seq
from slm.schema.algebra import Goal
from slm.schema.expressions import alternatives

if TYPE_CHECKING:
    from slm.schema.lower import Lowering

MAX_SETS = 4_096  # of one object's members
MAX_ALL_SETS = 16_384  # of all objects together: each alternative of `anyOf` is one


@dataclass
class AnyOrder:
    """The members of an object, at least one, without the braces.

    Attributes:
        members: name, colon and value of each declared one, and whether it is required.
        free: any other member, if there may be others.
        low: so many members at least, of which free ones make up for one at most.
        high: so many at most.
        differ: no two free ones have one name, so that all of them count.
    """

    to: Lowering
    members: list[tuple[Expression, bool]]
    free: Expression | None
    comma: Expression
    low: int
    high: int | None
    rule: str
    goal: Goal
    differ: bool = False
    place: Place | None = None
    made: dict[tuple[int, int], Expression] = field(default_factory=dict)

    def start(self) -> Expression:
        """All members.

        Raises:
            UnsupportedKeyword: there are too many of them.
        """
        sets = 2 ** len(self.members) * (1 if self.high is None else self.high + 1)
        if self.high is None and self.differ:
            sets *= self._most_free + 1
        self.to.sets += sets
        if sets > MAX_SETS or self.to.sets > MAX_ALL_SETS:
            node = self.to.of.reader.node(min(self.goal, key=abs))
            keywords = ("properties", "minProperties", "maxProperties")
            why = f'{len(self.members)} members with order="any" make more than {MAX_SETS} sets'
            if sets <= MAX_SETS:
                why = f'the objects with order="any" have more than {MAX_ALL_SETS} sets of members'
            raise self.to.of.unsupported(
                node,
                next((name for name in keywords if name in node.raw), next(iter(node.raw))),
                why,
                hint='use order="declared"',
            )
        self.place = self.to.place(self.goal)
        for used, frees in self._states():
            self._from(used, frees)
        return self.made[0, 0]

    def _states(self) -> list[tuple[int, int]]:
        """What may have been written, most first: what follows a state is made before it."""
        frees = self._most_free
        found = [
            (used, free)
            for used in range(2 ** len(self.members))
            for free in range(1 + (0 if self.free is None else frees))
            if self.high is None or used.bit_count() + free <= self.high
        ]
        return sorted(found, key=lambda state: state[0].bit_count() + state[1], reverse=True)

    @property
    def _most_free(self) -> int:
        """So many free ones are told apart from more."""
        if self.high is not None:
            return self.high
        return max(1, self.low) if self.differ else 1

    def _from(self, used: int, frees: int) -> Expression:
        """What follows a set of declared members and so many others, at most one if uncounted."""
        found = self.made.get((used, frees))
        if found is None:
            body = self._body(used, frees)
            if (used or frees) and body not in (EMPTY, NEVER):
                body = self.to.add_rule(f"{self.rule}_any_{used}_{frees}", body, self.place)
            found = self.made[used, frees] = body
        return found

    def _body(self, used: int, frees: int) -> Expression:
        written = used.bit_count() + frees
        missing = any(
            required and not used >> at & 1 for at, (_, required) in enumerate(self.members)
        )
        counting = frees if self.differ else min(frees, 1)
        enough = used.bit_count() + counting >= max(1, self.low)
        options: list[Expression] = [EMPTY] if enough and not missing else []
        if self.high is not None and written >= self.high:
            return alternatives(*options)
        comma = (self.comma,) if written else ()
        for at, (member, _) in enumerate(self.members):
            if not used >> at & 1:
                rest = self._from(used | 1 << at, frees)
                if rest != NEVER:
                    options.append(seq(*comma, member, rest))
        loop: Expression | None = None
        if self.free is not None:
            if self.high is None and frees >= self._most_free:
                loop = seq(*comma, self.free)
            else:
                rest = self._from(used, frees + 1)
                if rest != NEVER:
                    options.append(seq(*comma, self.free, rest))
        body = alternatives(*options)
        return body if loop is None or body == NEVER else seq(many(loop), body)

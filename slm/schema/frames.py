"""Shapes that exclude others, as a walk over members or items that forgets what is settled.

``A but none of B, C`` multiplied out is a choice of one violation of B and one of C. Walked along
the members of an object it is little: after each member, B and C still hold or they do not, and
a shape that has been violated is never looked at again. What is left open is a *claim*; the rules
of an object are one for each place and claim that can be reached there. Claims nest, so any
combination of shapes is one: ``A or B`` is *nothing that is neither*.

Source: partial evaluation of the schema's formula, member by member, as derivatives of regular
expressions (Brzozowski 1964) are of a text.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Generic, NamedTuple, TypeVar

from slm.errors import Place, UnsupportedKeyword
from slm.grammar.ir import EMPTY, NEVER, Call, Expression, Rule, many, seq
from slm.grammar.reaching import leading_to
from slm.schema.algebra import (
    FALSE,
    FALSE_ID,
    ArrayShape,
    Goal,
    ObjectShape,
    conjoin,
    negate,
)
from slm.schema.expressions import alternatives

if TYPE_CHECKING:
    from slm.schema.lower import Lowering
    from slm.schema.normalise import Normaliser

MAX_STATES = 4_000
MANY: tuple[str, ...] = ("oneOf", "not", "anyOf", "if", "allOf")  # what may be too much
_Shape = TypeVar("_Shape", ArrayShape, ObjectShape)


class Claim(NamedTuple):
    """The shape with this number holds, and none of the other claims does."""

    shape: int
    none: frozenset[Claim] = frozenset()

    def holds(self) -> bool:
        """Whether it is true where every shape that is still open holds."""
        return not any(other.holds() for other in self.none)

    def settle(self, dead: frozenset[int]) -> Claim | None:
        """What is left of it once some shapes do not hold; None where it has failed."""
        if self.shape in dead:
            return None
        left = (other.settle(dead) for other in self.none)
        return Claim(self.shape, frozenset(other for other in left if other is not None))

    def settle_unsure(self, dead: frozenset[int], held: bool = True) -> Claim | None:
        """The same where they may hold after all: what remains is claimed in either case."""
        if held and self.shape in dead:
            return None
        left = (other.settle_unsure(dead, not held) for other in self.none)
        return Claim(self.shape, frozenset(other for other in left if other is not None))

    def without_sure(self, sure: Callable[[int], bool]) -> Claim | None:
        """What is left of it where some shapes are sure to hold; None where it has failed."""
        left = []
        for other in self.none:
            kept = other.without_sure(sure)
            if kept is not None:
                if not kept.none and sure(kept.shape):
                    return None
                left.append(kept)
        return Claim(self.shape, frozenset(left))

    def shapes(self) -> Iterator[int]:
        """The numbers of the shapes that are still open, some more than once."""
        yield self.shape
        for other in self.none:
            yield from other.shapes()

    def denied(self, held: bool = True) -> Iterator[int]:
        """Those that help the claim by not holding."""
        if not held:
            yield self.shape
        for other in self.none:
            yield from other.denied(not held)


def claim_of(shape: _Shape) -> tuple[list[_Shape], Claim]:
    """The shapes without their exclusions, and what is claimed of them; the first is the base."""
    shapes: list[_Shape] = []

    def number(one: _Shape) -> int:
        bare = replace(one, none=())
        if bare not in shapes:
            shapes.append(bare)
        return shapes.index(bare)

    def claim(one: _Shape) -> Claim:
        return Claim(number(one), frozenset(claim(other) for other in one.none))

    return shapes, claim(shape)


def without(shapes: tuple[_Shape, ...], whole: _Shape, fold: bool = False) -> tuple[_Shape, ...]:
    """What has none of the shapes, as shapes again, as one if asked; `whole` is that of all."""
    if not fold and len(shapes) == 1 and replace(shapes[0], none=()) == whole:
        return shapes[0].none
    return (replace(whole, none=shapes),)


def classes(
    of: Normaliser,
    goal: Goal,
    asked: Callable[[frozenset[int], frozenset[int]], int | None],
    number: int,
) -> Iterator[tuple[Goal, frozenset[int], frozenset[int]]]:
    """The values of a goal, in classes by which schemas hold of them, as far as that is asked.

    Args:
        of: what goals mean.
        goal: what all values satisfy.
        asked: given the schemas that hold and those that fail, one more that matters, if any.
        number: of the schema on whose behalf others are negated.

    Yields:
        The class, the schemas asked about that hold in it, and those that fail.

    Raises:
        UnsupportedKeyword: a schema that has to fail cannot be negated.
    """
    todo: list[tuple[Goal, frozenset[int], frozenset[int]]] = [(goal, frozenset(), frozenset())]
    while todo:
        of.spend(number)
        found, held, failed = todo.pop()
        literal = asked(held, failed)
        if literal is None:
            yield found, held, failed
            continue
        yes, no = (found, held | {literal}, failed), (found, held, failed | {literal})
        if literal in found:
            todo.append(yes)
            continue
        hold = conjoin(found, frozenset((literal,)))
        if of.goal_is_void(hold):
            todo.append(no)
            continue
        fail = conjoin(found, _failing(of, literal, number))
        if of.goal_is_void(fail):
            todo.append(yes)
            continue
        todo += [(fail, *no[1:]), (hold, *yes[1:])]


def _failing(of: Normaliser, literal: int, number: int) -> Goal:
    if literal < 0 or literal == FALSE_ID:
        return negate(literal) if literal == FALSE_ID else frozenset((-literal,))
    return of.negation(of.reader.node(number), "oneOf", frozenset((literal,)))


def undecided(goals: Iterable[Goal], held: frozenset[int], failed: frozenset[int]) -> int | None:
    """A schema on which one of the goals depends, given which hold and which fail."""
    for goal in goals:
        if goal and FALSE_ID not in goal and failed.isdisjoint(goal):
            for literal in sorted(goal, key=abs):
                if literal not in held:
                    return literal
    return None


def fails(goal: Goal, failed: frozenset[int]) -> bool:
    """Whether a goal is not reached by values of a class."""
    return goal == FALSE or not failed.isdisjoint(goal)


def refused(to: Lowering, number: int, why: str) -> UnsupportedKeyword:
    """The error for a schema whose alternatives cannot be walked: it names one of `MANY`."""
    node = to.of.reader.node(number)
    names = [name for name in MANY if name in node.raw]
    return to.of.unsupported(node, (names or list(node.raw))[0], why)


_State = TypeVar("_State", bound=Hashable)


@dataclass
class Walk(Generic[_State]):
    """A right-linear grammar over states: rules for those that lead to an end.

    Attributes:
        ways: from a state, what is read and the state after it; nothing read leads on for free.
        ends: whether the text may end in a state.
        number: of the schema on whose behalf it is made.
    """

    to: Lowering
    rule: str
    place: Place | None
    ways: Callable[[_State], list[tuple[Expression, _State]]]
    ends: Callable[[_State], bool]
    number: int

    def expression(self, start: _State) -> Expression:
        """What is read from the state on.

        Raises:
            UnsupportedKeyword: more than `MAX_STATES` are reached.
        """
        edges: dict[_State, list[tuple[Expression, _State]]] = {}
        todo = [start]
        while todo:
            state = todo.pop()
            if state in edges:
                continue
            if len(edges) >= MAX_STATES:
                why = "what holds together has too many combinations"
                raise refused(self.to, self.number, why)
            self.to.of.spend(self.number)
            edges[state] = self.ways(state)
            todo += [after for _, after in edges[state]]
        ending = {state for state in edges if self.ends(state)}
        steps = ((state, after) for state, ways in edges.items() for _, after in ways)
        alive = ending | leading_to(ending, steps)
        if start not in alive:
            return NEVER
        names: dict[_State, str] = {}

        def called(state: _State) -> Expression:
            if state in ending and not any(after in alive for _, after in edges[state]):
                return EMPTY
            if state not in names:
                names[state] = self.to.fresh_name(f"{self.rule}_then_{len(names) + 1}")
                todo.append(state)
            return Call(names[state])

        def body(state: _State) -> Expression:
            options: list[Expression] = [EMPTY] if state in ending else []
            loops: list[Expression] = []
            for read, after in edges[state]:
                if after == state:
                    loops.append(read)
                elif after in alive:
                    options.append(seq(read, called(after)))
            rest = alternatives(*options)
            return seq(many(alternatives(*loops)), rest) if loops else rest

        found = body(start)
        while todo:
            state = todo.pop()
            made = body(state)
            self.to.rules[names[state]] = Rule(names[state], made, self.place)
        return found

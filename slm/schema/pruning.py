"""Fewer alternatives: those without a value, and those that others include, are left out.

Meeting alternatives multiplies them. With thirty conditions on one discriminator, nearly all of
the combinations contradict each other, but that shows only in the *members* of the shapes.
Looking there takes time, so it is done where there would be too many alternatives otherwise, and
nowhere else.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, TypeVar

from slm.schema.algebra import (
    FALSE,
    TRUE,
    ArrayShape,
    Goal,
    Kinds,
    ObjectShape,
)

if TYPE_CHECKING:
    from slm.schema.normalise import Normaliser

MAX_COMPARED = 400  # comparing is quadratic
MAX_PRUNED = 1_600  # alternatives that are looked at; more are too many
MAX_WORK = 3_000  # of all that a compilation looks at
_Shape = TypeVar("_Shape", ArrayShape, ObjectShape)


def pruned(of: Normaliser, kinds: Kinds) -> Kinds:
    """The same values in no more alternatives.

    Cost: a look at the goals of all members, and the square of the number of alternatives.
    """
    of.pruned += kinds.width()
    if kinds.width() > MAX_PRUNED or of.pruned > MAX_WORK:
        return kinds
    objects = [shape for each in kinds.objects if (shape := _without_void(of, each)) is not None]
    arrays = [shape for shape in kinds.arrays if not of.is_void(Kinds(arrays=(shape,)))]
    return kinds.only(arrays=_maximal(arrays, _array_in), objects=_maximal(objects, _object_in))


def _without_void(of: Normaliser, shape: ObjectShape) -> ObjectShape | None:
    """The shape, with members that no value reaches forbidden; None where one is required."""
    members: dict[str, Goal] = {}
    for name in {**shape.members, **shape.required}:
        goal = shape.goal_of(name, of.pool)
        if of.goal_is_void(goal):
            if name in shape.required:
                return None
            members[name] = FALSE
        elif name in shape.members:
            members[name] = shape.members[name]
    if all(members[name] == goal for name, goal in shape.members.items()):
        return shape
    return replace(shape, members=members)


def _maximal(shapes: list[_Shape], inside: Callable[[_Shape, _Shape], bool]) -> tuple[_Shape, ...]:
    """Without repeats, and without those that are inside another one."""
    if len(shapes) > MAX_COMPARED:
        return tuple(shapes)
    kept: list[_Shape] = []
    for shape in shapes:
        if any(inside(shape, other) for other in kept):
            continue
        kept = [other for other in kept if not inside(other, shape)]
        kept.append(shape)
    return tuple(kept)


def _narrower(goal: Goal, wide: Goal) -> bool:
    return goal == FALSE or wide <= goal


def _bounds_in(low: int, high: int | None, least: int, most: int | None) -> bool:
    return low >= least and (most is None or (high is not None and high <= most))


def _object_in(one: ObjectShape, wide: ObjectShape) -> bool:
    """Whether it is seen that every object of the one has the other shape, too."""
    return (
        wide.required.keys() <= one.required.keys()
        and _bounds_in(one.low, one.high, wide.low, wide.high)
        and set(wide.rules) <= set(one.rules)
        and set(wide.some) <= set(one.some)
        and all(shape in one.none for shape in wide.none)
        and all(_narrower(one.members.get(name, TRUE), goal) for name, goal in wide.members.items())
    )


def _array_in(one: ArrayShape, wide: ArrayShape) -> bool:
    """Whether it is seen that every array of the one has the other shape, too."""
    if not _bounds_in(one.low, one.high, wide.low, wide.high):
        return False
    if (wide.unique and not one.unique) or not set(wide.contains) <= set(one.contains):
        return False
    if not all(shape in one.none for shape in wide.none):
        return False
    length = max(len(one.prefix), len(wide.prefix))
    items = ((one.item(at), wide.item(at)) for at in range(length + 1))
    return all(_narrower(mine, theirs) for mine, theirs in items)

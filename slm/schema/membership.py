"""Whether a JSON value reaches a goal: decided by the shapes, without a grammar.

For the few values that a schema names itself: ``enum`` and ``const`` beside ``contentSchema``.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from slm.schema.algebra import ArrayShape, Goal, ObjectShape, StringShape
from slm.schema.constants import exact

if TYPE_CHECKING:
    from slm.schema.normalise import Normaliser


def admits(of: Normaliser, goal: Goal, value: Any) -> bool:
    """Whether a value, as `json.loads` reads it, reaches the goal.

    Numbers beyond a double and strings with lone surrogates reach none: no text has them.

    Raises:
        UnsupportedKeyword: what reaches the goal cannot be decided.
    """
    kinds = of.kinds(goal)
    match value:
        case None:
            return kinds.null
        case bool():
            return value in kinds.booleans
        case int() | float():
            number = exact(value) if math.isfinite(value) else None
            return number is not None and any(shape.admits(number) for shape in kinds.numbers)
        case str():
            return any(_string(of, shape, value) for shape in kinds.strings)
        case list():
            return any(_array(of, shape, value) for shape in kinds.arrays)
        case _:
            return any(_object(of, shape, value) for shape in kinds.objects)


def _string(of: Normaliser, shape: StringShape, text: str) -> bool:
    from slm.schema.content import holds

    if any("\ud800" <= char <= "\udfff" for char in text):
        return False
    if shape.admits(text, of.pool):
        return holds(of, shape, text)
    of.pool.leaned = of.pool.leaned or bool(shape.doubts)
    return False


def _array(of: Normaliser, shape: ArrayShape, items: list[Any]) -> bool:
    from slm.schema.unique import value_key

    if len(items) < shape.low or (shape.high is not None and len(items) > shape.high):
        return False
    if shape.unique and len(set(map(value_key, items))) < len(items):
        return False
    if not all(admits(of, shape.item(at), item) for at, item in enumerate(items)):
        return False
    for part in shape.contains:
        found = sum(admits(of, part.goal, item) for item in items[part.start :])
        if found < part.low or (part.high is not None and found > part.high):
            return False
    return not any(_array(of, other, items) for other in shape.none)


def _object(of: Normaliser, shape: ObjectShape, members: dict[str, Any]) -> bool:
    if len(members) < shape.low or (shape.high is not None and len(members) > shape.high):
        return False
    if not shape.required.keys() <= members.keys():
        return False
    if any("\ud800" <= char <= "\udfff" for name in members for char in name):
        return False
    pool = of.pool
    if not all(admits(of, shape.goal_of(name, pool), value) for name, value in members.items()):
        return False
    for rule in shape.some:
        named = (value for name, value in members.items() if rule.applies(name, pool))
        if not any(admits(of, rule.goal, value) for value in named):
            return False
    return not any(_object(of, other, members) for other in shape.none)

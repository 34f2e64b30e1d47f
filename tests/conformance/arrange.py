"""Put the members of a JSON value in an order that a compiled schema admits.

Grammars follow the declared order (docs/json-schema.md); test data does not. `Arranger` decides
validity by the compiler's own algebra while it is at it, which tests that algebra on its own.
"""

from __future__ import annotations

from typing import Any

from slm.schema.algebra import TRUE, ArrayShape, Goal, Kinds, ObjectShape, conjoin
from slm.schema.constants import exact
from slm.schema.normalise import Normaliser
from slm.schema.reader import Reader


class Arranger:
    """Arranges values for one schema; options as for `compile_schema`.

    `frames`: as the compiler does it where alternatives would become too many.
    """

    def __init__(
        self,
        schema: Any,
        formats: str = "assert",
        registry: Any = None,
        *,
        draft: str | None = None,
        frames: bool = False,
    ) -> None:
        reader = Reader.open(schema, draft, registry)
        asserted = formats == "assert" or reader.dialect.asserts_formats
        self.of = Normaliser(reader, assert_formats=asserted, dropped={}, frames=frames)
        self.start = reader.start()

    def arrange(self, value: Any) -> tuple[Any, bool]:
        """The value in a declared order, and whether the algebra admits it.

        A value that it does not admit is arranged as far as that makes sense.
        """
        found = self._admitted(self.start, value)
        if found is not None:
            return found[0], True
        return self._roughly(self.start, value), False

    def _admitted(self, goal: Goal, value: Any) -> tuple[Any] | None:
        kinds = self.of.kinds(goal)
        match value:
            case None:
                return (value,) if kinds.null else None
            case bool():
                return (value,) if value in kinds.booleans else None
            case int() | float():
                number = exact(value)
                return (value,) if any(one.admits(number) for one in kinds.numbers) else None
            case str():
                pool = self.of.pool
                return (value,) if any(one.admits(value, pool) for one in kinds.strings) else None
            case list():
                return self._first(self._array, kinds.arrays, value)
            case _:
                return self._first(self._object, kinds.objects, value)

    @staticmethod
    def _first(attempt: Any, shapes: Any, value: Any) -> tuple[Any] | None:
        for shape in shapes:
            found: tuple[Any] | None = attempt(shape, value)
            if found is not None:
                return found
        return None

    def _array(self, shape: ArrayShape, value: list[Any]) -> tuple[Any] | None:
        if len(value) < shape.low or (shape.high is not None and len(value) > shape.high):
            return None
        if any(self._array(other, value) for other in shape.none):
            return None
        goals = [shape.item(at) for at in range(len(value))]
        for part in shape.contains:
            places = range(part.start, len(value))
            hits = [at for at in places if self._admitted(part.goal, value[at])]
            if len(hits) < part.low or (part.high is not None and len(hits) > part.high):
                return None
            for at in hits if part.high is not None else hits[: part.low]:
                goals[at] = conjoin(goals[at], part.goal)
            if part.high is not None:
                node = self.of.reader.node(part.number)
                fails = self.of.negation(node, "contains", part.goal)
                for at in set(places) - set(hits):
                    goals[at] = conjoin(goals[at], fails)
        found = [self._admitted(goal, item) for goal, item in zip(goals, value, strict=True)]
        return None if None in found else ([item[0] for item in found if item is not None],)

    def _object(self, shape: ObjectShape, value: dict[str, Any]) -> tuple[Any] | None:
        if len(value) < shape.low or (shape.high is not None and len(value) > shape.high):
            return None
        if not set(shape.required) <= set(value):
            return None
        if any(self._object(other, value) for other in shape.none):
            return None
        last: list[str] = []
        extra: dict[str, Goal] = {}
        for rule in shape.some:
            names = [name for name in value if rule.applies(name, self.of.pool)]
            names = [name for name in names if self._admitted(rule.goal, value[name])]
            if not names:
                return None
            free = [name for name in names if name not in {**shape.members, **shape.required}]
            if rule.goal and len(free) == len(names):  # its witness stands at the end
                last.append(free[0])
            if rule.goal:
                witness = next((name for name in names if name not in free), names[0])
                extra[witness] = conjoin(extra.get(witness, TRUE), rule.goal)
        last += self._failing(shape, value)
        found: dict[str, Any] = {}
        order = [name for name in _order(shape, value) if name not in last]
        for name in [*order, *dict.fromkeys(last)]:
            goal = conjoin(shape.goal_of(name, self.of.pool), extra.get(name, TRUE))
            part = self._admitted(goal, value[name])
            if part is None:
                return None
            found[name] = part[0]
        return (found,)

    def _failing(self, shape: ObjectShape, value: dict[str, Any]) -> list[str]:
        """Free names whose values keep the object out of excluded shapes; most shapes last."""
        declared = _declared(shape)
        kept_out = {
            name: sum(
                not self._admitted(other.goal_of(name, self.of.pool), value[name])
                for other in shape.none
            )
            for name in value
            if name not in declared
        }
        names = [name for name, count in kept_out.items() if count]
        return sorted(names, key=kept_out.__getitem__)

    def _roughly(self, goal: Goal, value: Any) -> Any:
        kinds: Kinds = self.of.kinds(goal)
        if isinstance(value, list) and kinds.arrays:
            shape = kinds.arrays[0]
            return [self._any(shape.item(at), item) for at, item in enumerate(value)]
        if isinstance(value, dict) and kinds.objects:
            thing = kinds.objects[0]
            return {
                name: self._any(thing.goal_of(name, self.of.pool), value[name])
                for name in _order(thing, value)
            }
        return value

    def _any(self, goal: Goal, value: Any) -> Any:
        found = self._admitted(goal, value)
        return found[0] if found is not None else self._roughly(goal, value)


def _order(shape: ObjectShape, value: dict[str, Any]) -> list[str]:
    declared = [name for name in _declared(shape) if name in value]
    return declared + [name for name in value if name not in declared]


def _declared(shape: ObjectShape) -> dict[str, None]:
    names = {**dict.fromkeys(shape.members), **shape.required}
    for other in shape.none:
        names.update(_declared(other))
    for rule in shape.rules if shape.none else ():
        names.update(dict.fromkeys(sorted(rule.names)))
    return names

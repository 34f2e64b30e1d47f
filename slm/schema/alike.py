"""Schemas that say the same in the same words, as one number.

Generated schemas repeat themselves: the same description of a tag, written out at two hundred
places. Whoever asks whether a value satisfies one and not the other then works out at length that
no value does. Where that matters (`frames.py`), equal schemas of one resource are one schema.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from typing import Any, Literal, TypeAlias

from slm.schema.keywords import ANNOTATIONS, CONTENT, NAMED_INSIDE, ONE_INSIDE, SOME_INSIDE

# What a value is read as: a schema, names with schemas, a list of schemas, or just JSON.
Role: TypeAlias = Literal["schema", "named", "some", "plain"]
SILENT = ANNOTATIONS - CONTENT
# A schema with one of these is itself: others may refer to it, or it to others, by a name.
NAMING = frozenset("$schema $id id $anchor $dynamicAnchor $recursiveAnchor".split())


class Alike:
    """Numbers schemas so that those which are written alike, annotations aside, have the same.

    Invariant: the values it has seen outlive it, so that an `id` is one value's.
    """

    def __init__(self) -> None:
        self._numbers: dict[Hashable, int] = {}
        self._known: dict[tuple[int, Role], int] = {}

    def number(self, schema: dict[str, Any]) -> int:
        """The number of a schema.

        Cost: linear in what of it was not seen before; no recursion, however deep it is.
        """
        todo: list[tuple[Any, Role]] = [(schema, "schema")]
        while todo:
            value, role = todo[-1]
            key = (id(value), role)
            if key in self._known:
                todo.pop()
                continue
            parts = list(_parts(value, role))
            missing = [
                (inner, as_role)
                for _, inner, as_role in parts
                if (id(inner), as_role) not in self._known
            ]
            if missing:
                todo += missing
                continue
            todo.pop()
            self._known[key] = self._numbers.setdefault(
                self._content(value, role, parts), len(self._numbers)
            )
        return self._known[id(schema), "schema"]

    def set_apart(self, schema: dict[str, Any]) -> None:
        """Let a schema be like no other."""
        self._known[id(schema), "schema"] = self._numbers.setdefault(
            ("apart", id(schema)), len(self._numbers)
        )

    def _content(self, value: Any, role: Role, parts: list[tuple[str, Any, Role]]) -> Hashable:
        if isinstance(value, dict):
            if role == "schema" and not NAMING.isdisjoint(value):
                return "apart", id(value)
            inside = ((name, self._known[id(inner), as_role]) for name, inner, as_role in parts)
            return "object", *inside
        if isinstance(value, list):
            return "array", *(self._known[id(inner), as_role] for _, inner, as_role in parts)
        return type(value), repr(value)


def _parts(value: Any, role: Role) -> Iterator[tuple[str, Any, Role]]:
    """The values right inside of one that count, with their names and roles."""
    if isinstance(value, list):
        for item in value:
            yield "", item, "schema" if role == "some" else "plain"
    elif isinstance(value, dict):
        for name, inner in value.items():
            if role == "named":
                yield name, inner, "schema"
            elif role != "schema":
                yield name, inner, "plain"
            elif name not in SILENT:
                yield name, inner, _role_of(name, inner)


def _role_of(keyword: str, value: Any) -> Role:
    if keyword in SOME_INSIDE and isinstance(value, list):
        return "some"
    if keyword in ONE_INSIDE:
        return "schema"
    return "named" if keyword in NAMED_INSIDE else "plain"

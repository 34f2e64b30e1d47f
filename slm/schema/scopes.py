"""Dynamic scopes: which schema ``$dynamicRef`` and ``$recursiveRef`` lead to.

They lead to the outermost resource, on the way that evaluation took, that has the anchor. Of that
way only this matters: for each dynamic anchor, the first resource that had it. So a scope is a
small table of anchors, entering a resource adds those that are not there, and schemas in
different scopes are different schemas. ``$recursiveAnchor`` of 2019-09 is the dynamic anchor with
the empty name.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    from slm.schema.reader import Resource

Target: TypeAlias = "tuple[Any, str, Resource]"  # schema, pointer, resource
NO_SCOPE = 0
_REFERENCES = ("$dynamicRef", "$recursiveRef")
_METASCHEMAS = "json-schema.org/draft/20"  # those refer dynamically, too


class Scopes:
    """The scopes of one compilation, by number."""

    def __init__(self) -> None:
        self._scopes: list[dict[str, Target]] = [{}]
        self._numbers: dict[frozenset[tuple[str, int]], int] = {frozenset(): NO_SCOPE}
        self._entered: dict[tuple[int, int], int] = {}

    def enter(self, scope: int, resource: Resource) -> int:
        """The scope inside a resource that is reached in another scope."""
        key = (scope, id(resource))
        found = self._entered.get(key)
        if found is None:
            inside = {**resource.dynamic, **self._scopes[scope]}
            name = frozenset((anchor, id(target[0])) for anchor, target in inside.items())
            found = self._numbers.get(name)
            if found is None:
                found = self._numbers[name] = len(self._scopes)
                self._scopes.append(inside)
            self._entered[key] = found
        return found

    def outermost(self, scope: int, anchor: str) -> Target | None:
        """Where an anchor leads in a scope."""
        return self._scopes[scope].get(anchor)


def has_dynamic_references(root: Any) -> bool:
    """Whether a dynamic reference may be anywhere in a schema.

    Cost: linear in its size.
    """
    if isinstance(root, str):
        return any(word in root for word in (*_REFERENCES, _METASCHEMAS))
    stack = [root]
    while stack:
        value = stack.pop()
        if isinstance(value, dict):
            if any(keyword in value for keyword in _REFERENCES):
                return True
            named = (value.get("$ref"), value.get("$id"))
            if any(isinstance(uri, str) and _METASCHEMAS in uri for uri in named):
                return True
            stack.extend(value.values())
        elif isinstance(value, list):
            stack.extend(value)
    return False

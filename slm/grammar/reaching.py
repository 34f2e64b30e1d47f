"""Which nodes of a graph lead somewhere."""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from typing import TypeVar

Node = TypeVar("Node", bound=Hashable)


def leading_to(ends: Iterable[Node], edges: Iterable[tuple[Node, Node]]) -> set[Node]:
    """The nodes from which one of some nodes is reached, by one edge at least.

    Cost: O(edges).

    >>> sorted(leading_to([3], [(1, 2), (2, 3), (3, 4), (5, 4)]))
    [1, 2]
    """
    sources: dict[Node, list[Node]] = {}
    for source, target in edges:
        sources.setdefault(target, []).append(source)
    found: set[Node] = set()
    stack = list(ends)
    while stack:
        for source in sources.get(stack.pop(), ()):
            if source not in found:
                found.add(source)
                stack.append(source)
    return found

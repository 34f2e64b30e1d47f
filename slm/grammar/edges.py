"""Edges of automata over code points: disjoint ranges, and what each leads to."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import TypeAlias

from slm.grammar.charset import CharSet

State: TypeAlias = int
Edges: TypeAlias = tuple[tuple[int, int, State], ...]  # (low, high, what is left), ascending

NONE: State = 0  # no text


def uncovered(edges: Edges) -> CharSet:
    """The code points that no range has."""
    return ~CharSet.from_ranges((low, high) for low, high, _ in edges)


def overlay_edges(ways: Sequence[Edges], combine: Callable[[Collection[State]], State]) -> Edges:
    """Cut the ranges of all ways where any begins or ends; combine the targets over each piece.

    `combine` gets the targets of the ways that have an edge there; pieces it makes `NONE` are left
    out. Cost: O(n log n) in the number of ranges, plus the targets of all pieces.
    """
    starts: dict[int, list[tuple[int, State]]] = {}
    ends: dict[int, list[int]] = {}
    for way, edges in enumerate(ways):
        for low, high, target in edges:
            starts.setdefault(low, []).append((way, target))
            ends.setdefault(high + 1, []).append(way)
    cuts = sorted(starts.keys() | ends.keys())
    active: dict[int, State] = {}
    result: list[tuple[int, int, State]] = []
    for at, cut in enumerate(cuts):
        for way in ends.get(cut, ()):
            del active[way]
        active.update(starts.get(cut, ()))
        target = combine(active.values()) if active else NONE
        if target == NONE:
            continue
        high = cuts[at + 1] - 1
        if result and result[-1][1] + 1 == cut and result[-1][2] == target:
            result[-1] = (result[-1][0], high, target)
        else:
            result.append((cut, high, target))
    return tuple(result)

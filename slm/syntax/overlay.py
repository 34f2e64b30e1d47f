"""Edges of several automata, cut where any of them changes."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence

from slm.grammar.derivative import NONE, Edges, State


def overlay(ways: Sequence[Edges]) -> list[tuple[int, int, tuple[State, ...]]]:
    """The pieces on which every way has one target (`NONE` where it has none), in order.

    Pieces that the first way has no edge on are left out.
    """
    pieces: list[tuple[int, int, tuple[State, ...]]] = [(a, b, (to,)) for a, b, to in ways[0]]
    for edges in ways[1:]:
        if edges is ways[0]:
            pieces = [(a, b, (*targets, targets[0])) for a, b, targets in pieces]
            continue
        lows = [low for low, _, _ in edges]
        cut: list[tuple[int, int, tuple[State, ...]]] = []
        for low, high, targets in pieces:
            at = low
            number = max(0, bisect_right(lows, low) - 1)
            while at <= high and number < len(edges):
                edge_low, edge_high, target = edges[number]
                number += 1
                if edge_high < at:
                    continue
                if edge_low > high:
                    break
                if edge_low > at:
                    cut.append((at, edge_low - 1, (*targets, NONE)))
                    at = edge_low
                until = min(high, edge_high)
                cut.append((at, until, (*targets, target)))
                at = until + 1
            if at <= high:
                cut.append((at, high, (*targets, NONE)))
        pieces = cut
    return pieces

"""Ignored text, lexeme after lexeme, as one language."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import TypeAlias

from slm.errors import SlmError
from slm.grammar.charset import CharSet
from slm.grammar.derivative import Languages, State
from slm.grammar.ordered_dfa import from_rows
from slm.grammar.regular import Regular
from slm.syntax.obligations import MAX_STATES
from slm.syntax.overlay import overlay
from slm.syntax.promises import Obligations

_Places: TypeAlias = frozenset[tuple[State, Obligations]]  # what is left of a lexeme, and then


def run_language(
    pool: Languages,
    begin: Mapping[Obligations, _Places],
    open_now: Obligations,
    targets: Collection[Obligations],
    too_complex: Callable[[], SlmError],
) -> Regular:
    """Rows of lexemes, at least one, by subset construction.

    Args:
        pool: of all states.
        begin: by what is open: the lexemes that can be read then, and what each leaves open.
        open_now: what is open at the start.
        targets: what may be open at the end.
        too_complex: makes the error for too many states.
    """
    start: tuple[_Places, bool] = (begin[open_now], False)
    numbers = {start: 0}
    queue = [start]
    rows: list[list[tuple[CharSet, int]]] = []
    for places, _ in queue:  # grows while it is walked
        order = list(places)
        by_target: dict[tuple[_Places, bool], list[tuple[int, int]]] = {}
        everything = ((0, 0x10FFFF, 0),)
        for low, high, targets_here in overlay(
            [everything, *(pool.edges(state) for state, _ in order)]
        ):
            reached: set[tuple[State, Obligations]] = set()
            ended = False
            for target, (_, to) in zip(targets_here[1:], order, strict=True):
                if not target or not pool.alive(target):
                    continue
                if pool.extendable(target):
                    reached.add((target, to))
                if pool.accepts(target):
                    reached |= begin[to]
                    ended = ended or to in targets
            if reached or ended:
                by_target.setdefault((frozenset(reached), ended), []).append((low, high))
        row: list[tuple[CharSet, int]] = []
        for place, ranges in by_target.items():
            if place not in numbers:
                if len(numbers) >= MAX_STATES:
                    raise too_complex()
                numbers[place] = len(numbers)
                queue.append(place)
            row.append((CharSet.from_ranges(ranges), numbers[place]))
        rows.append(row)
    accepting = [number for (_, ended), number in numbers.items() if ended]
    return from_rows(rows, accepting)

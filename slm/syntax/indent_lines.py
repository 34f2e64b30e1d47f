"""A newline token in two: up to its last line break, and the blanks that make the column.

`Indenter` counts the spaces and tabs behind the last line break of a newline token (so, where a
comment ends it, those of the comment, too). Here the token's language is split there, by what may
still come: `w = u v`, u ends with the last line break. A token without one is none that Lark
accepts: its `Indenter` fails.

Columns have to be free: whatever of v has been read, any column from there on can still be reached
(of a grid, if blanks come in steps), and leaves the same open. Then no column leads nowhere.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

from slm.grammar.charset import CharSet
from slm.grammar.derivative import NONE, Languages, State
from slm.grammar.ordered_dfa import from_rows
from slm.grammar.reaching import leading_to
from slm.grammar.regular import Dfa, Regular
from slm.syntax.obligations import MAX_STATES
from slm.syntax.overlay import overlay

_BREAK = ord("\n")
_SPACE, _TAB = ord(" "), ord("\t")
_NO_BREAK = ~CharSet.of("\n")
_MAX_COLUMNS = 10_000

_Joint: TypeAlias = tuple[State, ...]


@dataclass(frozen=True)
class Line:
    """One way in which a line can begin.

    Attributes:
        begin: the token's text, up to its last line break.
        blanks: by the number of the language: what can come behind that, if anything.
        goes_on: whether, whatever has been read of the blanks, another line break can still follow
            that the same can come behind.
    """

    begin: Regular
    blanks: tuple[tuple[int, Dfa], ...]
    goes_on: bool


def split_lines(languages: Sequence[Regular]) -> list[Line] | None:
    """The texts of some languages, together, by what can come behind the last line break.

    None: they need too many states.
    """
    pool = Languages()
    start = (tuple(pool.state(each) for each in languages), False)
    numbers: dict[tuple[_Joint, bool], int] = {start: 0}
    queue = [start]
    rows: list[list[tuple[CharSet, int]]] = []
    blanks: dict[_Joint, tuple[tuple[int, Dfa], ...]] = {}
    ends: dict[tuple[tuple[int, Dfa], ...], list[int]] = {}
    everything = ((0, 0x10FFFF, 0),)
    for here, broken in queue:  # grows while it is walked
        if broken:
            if here not in blanks:
                blanks[here] = _blanks(pool, here)
            if blanks[here]:
                ends.setdefault(blanks[here], []).append(numbers[here, broken])
        row: list[tuple[CharSet, int]] = []
        for low, high, reached in overlay([everything, *map(pool.edges, here)]):
            for first, last in ((low, min(high, 9)), (10, 10), (max(low, 11), high)):
                if first > last or not low <= first <= high:
                    continue
                target = tuple(each if pool.alive(each) else NONE for each in reached[1:])
                if not any(target):
                    continue
                place = (target, first == _BREAK == last)
                if place not in numbers:
                    if len(numbers) >= MAX_STATES:
                        return None
                    numbers[place] = len(numbers)
                    queue.append(place)
                row.append((CharSet.from_ranges([(first, last)]), numbers[place]))
        rows.append(row)
    inside = {place: bool(_blanks(pool, place[0])) for place in queue}
    targets = [[number for _, number in row] for row in rows]
    edges = [(place, target) for place, there in enumerate(targets) for target in there]
    return [
        Line(
            from_rows(rows, accepting),
            behind,
            _followed(targets, accepting, queue, inside) <= leading_to(accepting, edges),
        )
        for behind, accepting in ends.items()
    ]


def _followed(
    targets: Sequence[Sequence[int]],
    begins: Sequence[int],
    places: Sequence[tuple[_Joint, bool]],
    inside: dict[tuple[_Joint, bool], bool],
) -> set[int]:
    """The states that are met in blanks, from where those begin."""
    found = set(begins)
    stack = list(begins)
    while stack:
        for target in targets[stack.pop()]:
            if target not in found and not places[target][1] and inside[places[target]]:
                found.add(target)
                stack.append(target)
    return found


def _blanks(pool: Languages, here: _Joint) -> tuple[tuple[int, Dfa], ...]:
    found = []
    for number, state in enumerate(here):
        language = _without_breaks(pool, state)
        if isinstance(language, Dfa):
            found.append((number, language))
    return tuple(found)


def _without_breaks(pool: Languages, state: State) -> Regular:
    """The texts of a language that have no line break."""
    numbers = {state: 0}
    queue = [state]
    rows: list[list[tuple[CharSet, int]]] = []
    for here in queue:  # grows while it is walked
        by_target: dict[State, list[tuple[int, int]]] = {}
        for low, high, target in pool.edges(here):
            if pool.alive(target):
                by_target.setdefault(target, []).append((low, high))
        row: list[tuple[CharSet, int]] = []
        for target, ranges in by_target.items():
            charset = CharSet.from_ranges(ranges) & _NO_BREAK
            if charset:
                if target not in numbers:
                    numbers[target] = len(numbers)
                    queue.append(target)
                row.append((charset, numbers[target]))
        rows.append(row)
    return from_rows(rows, [number for each, number in numbers.items() if pool.accepts(each)])


def column_grid(blanks: Dfa, tab: int) -> int | None:
    r"""The step between the columns that can be reached, wherever one is.

    0: there is column 0 only. None: columns are not free.

    >>> from slm.grammar.regular import literal, repeat
    >>> pool = Languages()
    >>> def grid(text, low=0, high=None):
    ...     language = repeat(literal(text), low, high)
    ...     return column_grid(_without_breaks(pool, pool.state(language)), 8)
    >>> grid(" "), grid("  "), grid("\t"), grid("#"), grid(" ", 1), grid(" ", 0, 9)
    (1, 2, 8, 0, None, None)
    """
    states = range(len(blanks.edges))
    steps: dict[int, list[tuple[int, int]]] = {0: [], 1: [], tab: []}  # (source, target) by columns
    for source in states:
        for charset, target in blanks.edges[source]:
            space, tabulator = _SPACE in charset, _TAB in charset
            if space:
                steps[1].append((source, target))
            if tabulator:
                steps[tab].append((source, target))
            if len(charset) > space + tabulator:
                steps[0].append((source, target))
    # By column: the states from which it can be reached. Each depends on the last `tab` of them, so
    # once those come again, all that follows comes again.
    by_column: list[frozenset[int]] = []
    seen: dict[tuple[frozenset[int], ...], int] = {}
    while True:
        column = len(by_column)
        found = set(blanks.accepting) if column == 0 else set[int]()
        for size in {1, tab}:
            if column >= size:
                before = by_column[column - size]
                found |= {source for source, target in steps[size] if target in before}
        stack = list(found)
        while stack:
            target = stack.pop()
            for source, to in steps[0]:
                if to == target and source not in found:
                    found.add(source)
                    stack.append(source)
        by_column.append(frozenset(found))
        if column >= tab:
            window = tuple(by_column[-tab:])
            if window in seen:
                period = column - seen[window]
                break
            seen[window] = column
        if column > _MAX_COLUMNS:
            return None
    if 0 not in by_column[0]:
        return None
    more = [column for column in range(1, len(by_column)) if 0 in by_column[column]]
    if not more:
        return 0 if not any(by_column[1:]) and len(by_column[0]) == len(states) else None
    grid = more[0]
    for state in states:
        columns = [column for column, at in enumerate(by_column) if state in at]
        if not columns or columns[0] >= grid:
            return None
        free = [column for column in range(len(by_column)) if column % grid == columns[0] % grid]
        if columns != [column for column in free if column >= columns[0]]:
            return None
    # Beyond what was looked at it goes on as in the last period, if that is whole steps.
    return grid if period % grid == 0 else None

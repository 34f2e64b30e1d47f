"""Reading a lexeme while promises about it, and about earlier ones, are kept.

An *obligation* is a language that no beginning of the text ahead may be in, the empty one aside.
A match that has to be the longest leaves one when it ends (what would make it longer), a terminal
that another one is preferred to is read under one (the other one's words), and either may stay open
over any number of lexemes. A set of obligations is a set of states of `Languages`; one more code
point steps them all, one that accepts then is broken, one that is dead then is kept for good.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterable, Sequence
from typing import TypeAlias

from slm.errors import SlmError
from slm.grammar.charset import CharSet
from slm.grammar.derivative import NONE, Edges, Languages, State
from slm.grammar.ordered_dfa import minimise, partition
from slm.grammar.regular import Regular

Obligations: TypeAlias = frozenset[State]
# What is read, what it is a match of (the same, or more), and what is open.
_Reading: TypeAlias = tuple[State, State, Obligations]
_Moves: TypeAlias = dict[_Reading, CharSet]

FREE: Obligations = frozenset()
MAX_STATES = 2_000


class Reader:
    """Lexemes under obligations, over one pool of languages.

    Args:
        too_complex: makes the error for a lexeme that needs too many states.
    """

    def __init__(self, pool: Languages, too_complex: Callable[[str], SlmError]) -> None:
        self.pool = pool
        self._too_complex = too_complex
        self._firsts: dict[State, CharSet] = {}
        self._moves_of: dict[_Reading, _Moves] = {}
        self._lost: set[_Reading] = set()  # states of which a move was forbidden

    def first(self, state: State) -> CharSet:
        """The characters a non-empty text of the language can begin with."""
        if state not in self._firsts:
            self._firsts[state] = CharSet.from_ranges(
                (low, high)
                for low, high, target in self.pool.edges(state)
                if self.pool.alive(target)
            )
        return self._firsts[state]

    def touching(self, state: State, obligations: Iterable[State]) -> Obligations:
        """Those of the obligations that the first character does not settle."""
        mine = self.first(state)
        return frozenset(each for each in obligations if mine & self.first(each))

    def read(
        self, words: State, match: State, obligations: Obligations, name: str, plain: Regular
    ) -> dict[Obligations, Regular]:
        """The lexemes, by what is open when they have ended.

        Args:
            words: the texts that are wanted.
            match: what they are matches of, of which each has to be the longest; contains `words`.
            obligations: what is open when the lexeme begins.
            name: the terminal's, for the error.
            plain: `words` as it was written, used where obligations change nothing.
        """
        start = (words, match, self.touching(words, obligations))
        numbers: dict[_Reading, int] = {start: 0}
        queue = [start]
        rows: list[list[tuple[CharSet, int]]] = []
        ends: dict[Obligations, list[int]] = {}
        lost = False
        for at in queue:  # grows while it is walked
            row: list[tuple[CharSet, int]] = []
            moves = self._moves(at)
            lost = lost or at in self._lost
            for target, charset in moves.items():
                if target not in numbers:
                    if len(numbers) >= MAX_STATES:
                        raise self._too_complex(name)
                    numbers[target] = len(numbers)
                    queue.append(target)
                row.append((charset, numbers[target]))
            rows.append(row)
        for (state, whole, still_open), number in numbers.items():
            if number and self.pool.accepts(state):
                more = {whole} if self.pool.extendable(whole) else set()
                ends.setdefault(still_open | more, []).append(number)
        if len(ends) == 1 and not lost:
            return {next(iter(ends)): plain}
        symbols = partition({charset for row in rows for charset, _ in row})
        moves_by_symbol = [_by_symbol(row, symbols) for row in rows]
        return {
            still_open: minimise(moves_by_symbol, accepting, symbols)
            for still_open, accepting in ends.items()
        }

    def _moves(self, at: _Reading) -> _Moves:
        """Where one more character leads, as far as it keeps every obligation."""
        known = self._moves_of.get(at)
        if known is not None:
            return known
        pool = self.pool
        words, match, obligations = at
        followed = [words, match, *obligations]
        found: dict[_Reading, list[tuple[int, int]]] = {}
        for low, high, targets in overlay([pool.edges(state) for state in followed]):
            here = targets[0]
            if not pool.alive(here):
                continue
            if any(target and pool.accepts(target) for target in targets[2:]):
                self._lost.add(at)
                continue
            still_open = frozenset(t for t in targets[2:] if t and pool.alive(t))
            found.setdefault((here, targets[1], still_open), []).append((low, high))
        moves = {target: CharSet.from_ranges(ranges) for target, ranges in found.items()}
        self._moves_of[at] = moves
        return moves


def _by_symbol(row: Sequence[tuple[CharSet, int]], symbols: Sequence[CharSet]) -> dict[int, int]:
    return {
        number: target
        for charset, target in row
        for number, symbol in enumerate(symbols)
        if symbol.ranges[0][0] in charset
    }


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

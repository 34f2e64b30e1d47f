"""Small tools on explicit automata: the alphabet's partition, determinisation, minimisation."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from slm.grammar.charset import CharSet
from slm.grammar.reaching import leading_to
from slm.grammar.regular import NOTHING, Dfa, Regular


def partition(charsets: Iterable[CharSet]) -> tuple[CharSet, ...]:
    """The coarsest disjoint sets that every one of `charsets` is a union of.

    What lies outside all of them is left out.

    >>> partition([CharSet.of("ab"), CharSet.of("bc")])
    (CharSet([a]), CharSet([b]), CharSet([c]))
    """
    events: list[tuple[int, int, int]] = []
    for number, charset in enumerate(charsets):
        for low, high in charset.ranges:
            events.append((low, 1, number))
            events.append((high + 1, 0, number))
    events.sort()
    active = 0  # a bit for each set
    pieces: dict[int, list[tuple[int, int]]] = {}
    since = 0
    for point, opens, number in events:
        if active and point > since:
            pieces.setdefault(active, []).append((since, point - 1))
        since = point
        active = active | 1 << number if opens else active & ~(1 << number)
    return tuple(charset for ranges in pieces.values() if (charset := CharSet.from_ranges(ranges)))


def minimise(
    moves: Sequence[Mapping[int, int]], accepting: Iterable[int], symbols: Sequence[CharSet]
) -> Regular:
    """The smallest `Dfa` of an automaton: useful states only, equal ones merged.

    Args:
        moves: target state by symbol number, for each state; state 0 is the start.
        accepting: the accepting states.
        symbols: what each symbol number stands for; disjoint.

    Returns:
        `NOTHING` when no state that accepts can be reached.

    Cost: Hopcroft's algorithm, O(moves · log states).
    """
    final = set(accepting)
    useful = _useful(moves, final)
    if 0 not in useful:
        return NOTHING
    block = _merged(moves, useful, final)
    return _as_dfa(moves, final, symbols, block)


def from_rows(rows: Sequence[Sequence[tuple[CharSet, int]]], accepting: Iterable[int]) -> Regular:
    """The minimal automaton of states whose moves are given by sets of characters; 0 is the start.

    It is the same one for the same language.

    Args:
        rows: for each state disjoint sets of characters, and the state each leads to.
        accepting: the accepting states.
    """
    symbols, members = symbols_of(charset for row in rows for charset, _ in row)
    moves = [
        dict(sorted((number, target) for charset, target in row for number in members[charset]))
        for row in rows
    ]
    return minimise(moves, accepting, symbols)


def symbols_of(
    charsets: Iterable[CharSet],
) -> tuple[tuple[CharSet, ...], dict[CharSet, tuple[int, ...]]]:
    """The `partition` of some sets, and for each set the numbers of its parts."""
    distinct = dict.fromkeys(charsets)
    symbols = partition(distinct)
    starts = [(symbol.ranges[0][0], number) for number, symbol in enumerate(symbols)]
    members = {
        charset: tuple(number for point, number in starts if point in charset)
        for charset in distinct
    }
    return symbols, members


def determinise(
    moves: Sequence[Mapping[int, Iterable[int]]],
    starts: Iterable[int],
    accepting: Iterable[int],
    limit: int,
) -> tuple[list[dict[int, int]], list[int]] | None:
    """The subset construction: moves and accepting states of an automaton that begins in state 0.

    Args:
        moves: target states by symbol number, for each state.
        starts: the states it may begin in.
        accepting: the accepting states.
        limit: the most states there may be; None is returned where there would be more.
    """
    final = set(accepting)
    start = frozenset(starts)
    numbers: dict[frozenset[int], int] = {start: 0}
    queue = [start]
    rows: list[dict[int, int]] = []
    for states in queue:  # grows while it is walked
        reached: dict[int, set[int]] = {}
        for state in states:
            for symbol, targets in moves[state].items():
                reached.setdefault(symbol, set()).update(targets)
        row: dict[int, int] = {}
        for symbol, found in reached.items():
            key = frozenset(found)
            if key not in numbers:
                if len(numbers) >= limit:
                    return None
                numbers[key] = len(numbers)
                queue.append(key)
            row[symbol] = numbers[key]
        rows.append(row)
    return rows, [number for states, number in numbers.items() if states & final]


def _useful(moves: Sequence[Mapping[int, int]], final: set[int]) -> list[int]:
    """States from which an accepting one can be reached, in order."""
    edges = ((state, target) for state, there in enumerate(moves) for target in there.values())
    return sorted(final | leading_to(final, edges))


def _merged(
    moves: Sequence[Mapping[int, int]], useful: Sequence[int], final: set[int]
) -> dict[int, int]:
    """Which states are equal: a block's number for each useful one."""
    block = {state: int(state in final) for state in useful}
    sources: dict[int, list[tuple[int, int]]] = {state: [] for state in useful}
    blocks: list[set[int]] = [set(), set()]
    for state, number in block.items():
        blocks[number].add(state)
        for symbol, target in moves[state].items():
            if target in block:
                sources[target].append((symbol, state))
    waiting = {0, 1}
    while waiting:
        by_symbol: dict[int, list[int]] = {}
        for state in blocks[waiting.pop()]:
            for symbol, source in sources[state]:
                by_symbol.setdefault(symbol, []).append(source)
        for states in by_symbol.values():
            touched: dict[int, set[int]] = {}
            for state in states:
                touched.setdefault(block[state], set()).add(state)
            for number, part in touched.items():
                whole = blocks[number]
                if len(part) == len(whole):
                    continue
                if 2 * len(part) > len(whole):
                    part = whole - part
                whole -= part
                for state in part:  # the smaller half has to be looked at, the other need not
                    block[state] = len(blocks)
                waiting.add(len(blocks))
                blocks.append(part)
    return block


def _as_dfa(
    moves: Sequence[Mapping[int, int]],
    final: set[int],
    symbols: Sequence[CharSet],
    block: Mapping[int, int],
) -> Dfa:
    order: dict[int, int] = {block[0]: 0}
    representative = {block[0]: 0}
    edges: list[tuple[tuple[CharSet, int], ...]] = []
    queue = [block[0]]
    united: dict[tuple[int, ...], CharSet] = {}
    for here in queue:  # grows while it is walked
        by_target: dict[int, list[int]] = {}
        for symbol, target in moves[representative[here]].items():
            there = block.get(target)
            if there is None:
                continue
            if there not in order:
                order[there] = len(order)
                representative[there] = target
                queue.append(there)
            by_target.setdefault(order[there], []).append(symbol)
        row: list[tuple[CharSet, int]] = []
        for target, numbers in by_target.items():
            key = tuple(numbers)
            if key not in united:
                united[key] = CharSet.from_ranges(
                    pair for number in key for pair in symbols[number].ranges
                )
            row.append((united[key], target))
        edges.append(tuple(sorted(row, key=lambda edge: edge[0].ranges)))
    accepting = frozenset(order[block[state]] for state in final if block.get(state) in order)
    return Dfa(tuple(edges), accepting)

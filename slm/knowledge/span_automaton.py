"""The spans of a text as a minimal deterministic automaton over their JSON spelling.

The construction is the suffix automaton read as a subset construction: a state is the set of
places in the text where the characters read so far may have led, each with the last end it may
still run to. Without a bound on length that set is the suffix automaton's end-position set, so
there are at most two states a character (Blumer et al., 1985); a bound of k characters multiplies
that by at most the number of word ends within k. Of two items at one place the one that may run
further says it all, so only that is kept.

An alternative was tried on paper and left: the unbounded automaton intersected with a counter. It
is smaller here, and moves the product into the engine, which then pays for it at each step.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from functools import lru_cache

from slm.grammar.charset import CharSet
from slm.grammar.regular import NOTHING, Dfa, Regular
from slm.knowledge.spans import SpanIndex

Edges = list[dict[str, int]]  # for each state: character → state


def json_spelling(text: str) -> str:
    r"""A text as it stands between the quotes of a JSON string, in the one canonical way.

    >>> print(json_spelling('say "é"\n'))
    say \"é\"\n
    """
    return json.dumps(text, ensure_ascii=False)[1:-1]


class SpanAutomaton:
    """All spans of a text; `without` and `only` give the languages for one type.

    Attributes:
        index: the text and its boundaries.
        edges: of the minimal automaton; state 0 is the start.
        accepting: its final states.
    """

    def __init__(self, index: SpanIndex) -> None:
        self.index = index
        self.edges, self.accepting = _minimise(*_subsets(index))

    def everything(self) -> Regular:
        """The language of all spans."""
        return _to_regular(self.edges, self.accepting)

    def without(self, mentions: Iterable[str]) -> Regular:
        """All spans but these texts.

        Cost: the automaton is copied; new states only along the mentions.
        """
        words = [json_spelling(mention) for mention in mentions]
        if not words:
            return self.everything()
        trie, ends = _trie(words)
        edges: Edges = [dict(row) for row in self.edges]
        accepting = set(self.accepting)
        # The copy of state q on trie node t is made when t is first reached; a path leaves the
        # copies for the original as soon as it leaves the trie.
        copies: dict[int, tuple[int, int]] = {0: (0, 0)}
        order = [0]
        for node in order:
            copy, origin = copies[node]
            for char, child in trie[node].items():
                target = self.edges[origin].get(char)
                if target is None:
                    continue
                copies[child] = (len(edges), target)
                edges.append(dict(self.edges[target]))
                edges[copy][char] = copies[child][0]
                if target in self.accepting and child not in ends:
                    accepting.add(copies[child][0])
                order.append(child)
        return _to_regular(*_minimise(edges, accepting))

    @staticmethod
    def only(mentions: Iterable[str]) -> Regular:
        """Just these texts."""
        return _to_regular(*_minimise(*_trie([json_spelling(mention) for mention in mentions])))


def _subsets(index: SpanIndex) -> tuple[Edges, set[int]]:
    """The deterministic automaton, not yet minimal; every state lies on a way to a final one."""
    text = index.text
    spelled = [_spell(char) for char in text]
    is_end = bytearray(len(text) + 1)
    for end in index.ends:
        is_end[end] = 1

    # An item (place, offset in the character's spelling, last end). A state is its items and
    # whether a span ends here: an item that has reached its last end is only that.
    Item = tuple[int, int, int]  # noqa: N806
    start = frozenset(
        (place, 0, last) for place in index.starts if (last := index.last_end(place)) > place
    )
    numbers: dict[tuple[bool, frozenset[Item]], int] = {(False, start): 0}
    todo: list[frozenset[Item]] = [start]
    edges: Edges = []
    accepting: set[int] = set()
    for items in todo:
        reached: dict[str, dict[tuple[int, int], int]] = {}
        for place, offset, last in items:
            spelling = spelled[place]
            char = spelling[offset]
            following = (place, offset + 1) if offset + 1 < len(spelling) else (place + 1, 0)
            targets = reached.setdefault(char, {})
            if targets.get(following, 0) < last:
                targets[following] = last
        row: dict[str, int] = {}
        for char, targets in reached.items():
            final = False
            rest: list[Item] = []
            for (place, offset), last in targets.items():
                if offset == 0 and is_end[place]:
                    final = True
                if place < last:
                    rest.append((place, offset, last))
            key = (final, frozenset(rest))
            number = numbers.get(key)
            if number is None:
                number = numbers[key] = len(todo)
                todo.append(key[1])
                if final:
                    accepting.add(number)
            row[char] = number
        edges.append(row)
    return edges, accepting


def _minimise(edges: Edges, accepting: Iterable[int]) -> tuple[Edges, frozenset[int]]:
    """Merge states with the same future and drop those without one; the automaton is acyclic."""
    final = frozenset(accepting)
    merged: dict[tuple[bool, tuple[tuple[str, int], ...]], int] = {}
    rows: list[tuple[tuple[str, int], ...]] = []
    renamed: dict[int, int | None] = {}  # None: no way to a final state
    stack: list[tuple[int, bool]] = [(0, False)]
    while stack:
        state, expanded = stack.pop()
        if state in renamed:
            continue
        if not expanded:
            stack.append((state, True))
            stack.extend((target, False) for target in edges[state].values())
            continue
        live = ((char, renamed[target]) for char, target in edges[state].items())
        row = tuple(sorted((char, target) for char, target in live if target is not None))
        if not row and state not in final:
            renamed[state] = None
            continue
        key = (state in final, row)
        if key not in merged:
            merged[key] = len(rows)
            rows.append(row)
        renamed[state] = merged[key]
    if renamed[0] is None:
        return [{}], frozenset()
    # Children were numbered before parents: reversed, the start comes first.
    last = len(rows) - 1
    turned: Edges = [{char: last - target for char, target in row} for row in reversed(rows)]
    ends = frozenset(last - number for (is_final, _), number in merged.items() if is_final)
    return turned, ends


def _trie(words: Iterable[str]) -> tuple[Edges, set[int]]:
    edges: Edges = [{}]
    ends: set[int] = set()
    for word in words:
        state = 0
        for char in word:
            if char not in edges[state]:
                edges[state][char] = len(edges)
                edges.append({})
            state = edges[state][char]
        ends.add(state)
    return edges, ends


def _to_regular(edges: Edges, accepting: frozenset[int]) -> Regular:
    if not accepting:
        return NOTHING
    return Dfa(
        tuple(tuple((_one(char), target) for char, target in sorted(row.items())) for row in edges),
        accepting,
    )


@lru_cache(maxsize=4096)
def _one(char: str) -> CharSet:
    return CharSet.of(char)


@lru_cache(maxsize=4096)
def _spell(char: str) -> str:
    return json_spelling(char)

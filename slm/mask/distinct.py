"""The reference for arrays whose items are all different (`slm.grammar.memory.DistinctItems`).

A column here is a set of *threads*: the ways in which the rules read the text, each with the values
that were seen in every array it is in, and the texts of the items it is in. Marks are gone past as
soon as they may be. A thread is viable if some continuation brings the outermost item that may
repeat a value to an end, or leaves its array: that later items find values, too, is the front end's
promise.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any, TypeAlias

from slm.errors import GrammarTooComplex
from slm.grammar.ir import Grammar, Terminal
from slm.grammar.memory import DistinctItems
from slm.mask.earley import Column, Leaf, Parser

_MAX_SEARCHED = 100_000
_ORDER = (
    '"}]0123456789abcdefghijklmnopqrstuvwxyz'  # what a search tries first: values that are short
)

_LONG_NUMBER = re.compile(r"(?<![0-9.])-?(?=[0-9.]{14})[0-9]+\.[0-9]*\Z")

_MARK_POINTS = frozenset(map(ord, DistinctItems().marks))

Key: TypeAlias = tuple[str, str]  # equal if either is


@dataclass(frozen=True)
class Array:
    """An array that is open: the values it has, and the text of its item; None between items."""

    seen: frozenset[Key] = frozenset()
    text: str | None = None

    def has(self, key: Key) -> bool:
        """Whether an equal value is in it."""
        return any(key[0] == exact or key[1] == read for exact, read in self.seen)


@dataclass(frozen=True)
class Thread:
    """One reading of the text: a column of the rules, and the open arrays, outermost first."""

    column: Column
    arrays: tuple[Array, ...] = ()


def key_of(text: str) -> Key:
    r"""What stands for a JSON value: with numbers as decimals, and as a parser reads them.

    >>> key_of("1.0") == key_of("10e-1"), key_of('["A"]')[0] == key_of(r'[ "\u0041" ]')[0]
    (True, True)
    """
    text = text.rstrip(" \t\r\n:")  # a name has its colon
    exact = json.loads(text, parse_int=Decimal, parse_float=Decimal)
    return _canonical(exact), _canonical(json.loads(text))


def _canonical(value: Any) -> str:
    match value:
        case bool() | None | str():
            return json.dumps(value)
        case dict():
            members = sorted((json.dumps(name), _canonical(one)) for name, one in value.items())
            return "{" + ",".join(f"{name}:{one}" for name, one in members) + "}"
        case list():
            return "[" + ",".join(map(_canonical, value)) + "]"
        case float() if value in (float("inf"), float("-inf")):
            return str(value)
        case _:
            return "/".join(map(str, value.as_integer_ratio()))


class ThreadColumn:
    """A set of threads with the interface of a `Column`."""

    def __init__(self, parser: DistinctParser, threads: frozenset[Thread]) -> None:
        self.threads = threads
        columns = [thread.column for thread in threads]
        self.complete = any(thread.column.complete and not thread.arrays for thread in threads)
        # Of code points that the rules do not tell apart, as many by themselves as could be in
        # values that were seen: the next one is in none.
        count = 1 + max((len(a.seen) for thread in threads for a in thread.arrays), default=0)
        bounds = {bound for column in columns for bound in column.bounds}
        self.bounds = sorted({bound + more for bound in bounds for more in range(count)})
        self.leaves: list[Leaf] = [
            leaf for column in columns for leaf in column.leaves if leaf[0] not in parser.marks
        ]


class DistinctParser(Parser):
    """A parser whose columns remember the items of arrays.

    Args:
        grammar: pruned, with marks.
    """

    def __init__(self, grammar: Grammar) -> None:
        super().__init__(grammar)
        texts = {ord(mark): mark for mark in DistinctItems().marks}
        self.marks: dict[int, str] = {}  # by node
        for at, node in enumerate(self.nodes):
            if isinstance(node.expression, Terminal):
                edges = self.languages.edges(self.starts[at])
                if len(edges) == 1 and edges[0][0] == edges[0][1] and edges[0][0] in texts:
                    self.marks[at] = texts[edges[0][0]]
        self._made: dict[frozenset[Thread], ThreadColumn] = {}
        self._viable: dict[Thread, bool] = {}
        self._after: dict[tuple[ThreadColumn, int], ThreadColumn | None] = {}
        first = self._column(self._past_marks(Thread(self.start), None)[0])
        assert first is not None
        self.start: Any = first

    def step(self, column: Any, point: int) -> Any:
        """The threads after one more code point; None when there are none."""
        if point in _MARK_POINTS:
            return None
        key = (column, point)
        if key not in self._after:
            self._after[key] = self._column(self._read(column.threads, point))
        return self._after[key]

    def forbids(self, column: Any, point: int) -> bool:
        """Whether the rules would let the code point follow, and what was seen does not."""
        rules = (super(DistinctParser, self).step(t.column, point) for t in column.threads)
        return self.step(column, point) is None and any(one is not None for one in rules)

    def _read(self, threads: frozenset[Thread], point: int) -> list[Thread]:
        found: list[Thread] = []
        for thread in threads:
            found += self._steps(thread, point, None)[0]
        return found

    def _column(self, threads: list[Thread]) -> ThreadColumn | None:
        viable = frozenset(thread for thread in threads if self._is_viable(thread))
        if not viable:
            return None
        return self._made.setdefault(viable, ThreadColumn(self, viable))

    def _steps(self, thread: Thread, point: int, goal: int | None) -> tuple[list[Thread], bool]:
        """What a thread becomes by a code point; and whether the array at depth `goal` went on."""
        column = super().step(thread.column, point)
        if column is None:
            return [], False
        arrays = tuple(
            array if array.text is None else replace(array, text=array.text + chr(point))
            for array in thread.arrays
        )
        return self._past_marks(Thread(column, arrays), goal)

    def _past_marks(self, thread: Thread, goal: int | None) -> tuple[list[Thread], bool]:
        """The thread and what it becomes by marks, as far as something else can follow."""
        found, todo, reached = [], [thread], False
        while todo:
            now = todo.pop()
            marks = {self.marks.get(leaf[0]) for leaf in now.column.leaves}
            if None in marks or now.column.complete:
                found.append(now)
            for mark in marks - {None}:
                assert mark is not None
                column = super().step(now.column, ord(mark))
                arrays = None if column is None else _taken(now.arrays, mark)
                if column is None or arrays is None:
                    continue
                ends = mark in (DistinctItems.END, DistinctItems.LEAVE)
                reached |= ends and len(now.arrays) - 1 == goal
                todo.append(Thread(column, arrays))
        return found, reached

    def _is_viable(self, thread: Thread) -> bool:
        if thread not in self._viable:
            last = len(thread.arrays) - 1
            # What is in an item of its own, as a member's value is, says nothing of the next item.
            at_risk = (
                at
                for at, array in enumerate(thread.arrays)
                if array.seen and (array.text is not None or at == last)
            )
            level = next(at_risk, None)
            self._viable[thread] = level is None or self._search(thread, level)
        return self._viable[thread]

    def _search(self, start: Thread, level: int) -> bool:
        """Depth first, what is short before what is long, each place once."""
        stack, visited = [start], set()
        count = 1 + max(len(array.seen) for array in start.arrays)
        while stack:
            thread = stack.pop()
            place = (thread.column, tuple((a.seen, _outline(a.text)) for a in thread.arrays))
            if place in visited:
                continue
            visited.add(place)
            if len(visited) > _MAX_SEARCHED:
                raise GrammarTooComplex(
                    "whether an item of an array can still be a new one takes too long to tell",
                    hint="use the native engine",
                )
            after: list[Thread] = []
            for point in self._points(thread.column, count):
                threads, reached = self._steps(thread, point, level)
                if reached:
                    return True
                after += threads
            stack += reversed(after)
        return False

    def _points(self, column: Column, count: int) -> list[int]:
        """As many code points of each kind as there could be values in the way."""
        found: list[int] = []
        for low, after in zip(column.bounds, column.bounds[1:], strict=False):
            found += range(low, min(after, low + count))
        marks = {ord(mark) for mark in DistinctItems().marks}
        found = [point for point in found if point not in marks]
        rank = {ord(char): at for at, char in enumerate(_ORDER)}
        found.sort(key=lambda point: rank.get(point, len(rank) + (chr(point) in "\\,[{ \t\r\n")))
        return found


def _taken(arrays: tuple[Array, ...], mark: str) -> tuple[Array, ...] | None:
    """The arrays after a mark; None where it ends an item that was seen."""
    if mark == DistinctItems.BEGIN:
        return (*arrays, Array())
    outer, last = arrays[:-1], arrays[-1]
    if mark == DistinctItems.LEAVE:
        return outer
    if mark == DistinctItems.ITEM:
        return (*outer, replace(last, text=""))
    assert last.text is not None
    key = key_of(last.text)
    return None if last.has(key) else (*outer, Array(last.seen | {key}))


def _outline(text: str | None) -> str | None:
    """The text without whitespace outside of strings, so that a search ends: values are few."""
    if text is None:
        return None
    kept, quoted, escaped = [], False, False
    for char in text:
        if quoted or char not in " \t\r\n":
            kept.append(char)
        quoted ^= char == '"' and not escaped
        escaped = char == "\\" and not escaped
    return "".join(kept) if quoted else _settled("".join(kept))


def _settled(text: str) -> str:
    """The text, with its last number as a double if more digits cannot change that any more."""
    long = _LONG_NUMBER.search(text)
    if long is None:
        return text
    low, high = float(long[0]), float(long[0] + "9" * 24)
    return text if low != high else f"{text[: long.start()]}={low!r}"

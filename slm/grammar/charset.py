"""Sets of Unicode code points, as sorted disjoint ranges."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import ClassVar

MAX_CODE_POINT = 0x10FFFF
SURROGATES = (0xD800, 0xDFFF)


@dataclass(frozen=True, slots=True)
class CharSet:
    """A set of code points.

    `ranges` are inclusive, sorted, disjoint, not adjacent, and free of surrogates (they have no
    UTF-8 form, so no text holds one). Build with `of` and `from_ranges`, which see to that.

    >>> CharSet.from_ranges([(97, 99), (100, 102)])
    CharSet([a-f])
    >>> "b" in CharSet.of("abc"), len(CharSet.of("abc"))
    (True, 3)
    """

    ranges: tuple[tuple[int, int], ...]

    EMPTY: ClassVar[CharSet]
    ALL: ClassVar[CharSet]

    @classmethod
    def of(cls, chars: str) -> CharSet:
        """The set of these characters."""
        if len(chars) == 1 and not SURROGATES[0] <= ord(chars) <= SURROGATES[1]:
            return cls(((ord(chars), ord(chars)),))
        return cls.from_ranges((ord(char), ord(char)) for char in chars)

    @classmethod
    def from_ranges(cls, ranges: Iterable[tuple[int, int]]) -> CharSet:
        """The union of inclusive ranges in any order; surrogates are left out."""
        merged: list[tuple[int, int]] = []
        start, end = 0, -1
        for low, high in sorted(ranges):
            if low > end + 1:
                if start <= end:
                    merged.append((start, end))
                start, end = low, high
            elif high > end:
                end = high
        if start <= end:
            merged.append((start, end))
        return cls(tuple(_real(merged)))

    def __contains__(self, char: str | int) -> bool:
        point = char if isinstance(char, int) else ord(char)
        at = bisect_right(self.ranges, (point, MAX_CODE_POINT)) - 1
        return at >= 0 and self.ranges[at][0] <= point <= self.ranges[at][1]

    def __bool__(self) -> bool:
        return bool(self.ranges)

    def __len__(self) -> int:
        return sum(high - low + 1 for low, high in self.ranges)

    def __iter__(self) -> Iterator[int]:
        for low, high in self.ranges:
            yield from range(low, high + 1)

    def __or__(self, other: CharSet) -> CharSet:
        if not self.ranges or not other.ranges:
            return self if self.ranges else other
        return CharSet.from_ranges(self.ranges + other.ranges)

    def __and__(self, other: CharSet) -> CharSet:
        if other.ranges == CharSet.ALL.ranges:
            return self
        found: list[tuple[int, int]] = []
        mine, theirs = 0, 0
        while mine < len(self.ranges) and theirs < len(other.ranges):
            low = max(self.ranges[mine][0], other.ranges[theirs][0])
            high = min(self.ranges[mine][1], other.ranges[theirs][1])
            if low <= high:
                found.append((low, high))
            if self.ranges[mine][1] < other.ranges[theirs][1]:
                mine += 1
            else:
                theirs += 1
        return CharSet(tuple(found))

    def __invert__(self) -> CharSet:
        gaps: list[tuple[int, int]] = []
        first, last = SURROGATES
        start = 0
        for low, high in (*self.ranges, (MAX_CODE_POINT + 1, MAX_CODE_POINT + 1)):
            end = min(low - 1, MAX_CODE_POINT)  # beyond it are marks: see slm.grammar.memory
            if end < first or start > last:
                if start <= end:
                    gaps.append((start, end))
            else:  # the one gap with the surrogates
                if start < first:
                    gaps.append((start, first - 1))
                if end > last:
                    gaps.append((last + 1, end))
            start = high + 1
        return CharSet(tuple(gaps))

    def __sub__(self, other: CharSet) -> CharSet:
        return self & ~other

    def __repr__(self) -> str:
        shown = []
        for low, high in self.ranges[:8]:
            shown.append(_show(low) if low == high else f"{_show(low)}-{_show(high)}")
        more = "…" if len(self.ranges) > 8 else ""
        return f"CharSet([{''.join(shown)}{more}])"


def _real(ranges: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """Ascending ranges without surrogates, and without what is no code point."""
    first, last = SURROGATES
    at = bisect_right(ranges, (last + 1, -1)) - 1  # the last range that begins before their end
    if not (at >= 0 and ranges[at][1] >= first) and (not ranges or ranges[-1][1] <= MAX_CODE_POINT):
        return ranges
    found: list[tuple[int, int]] = []
    for low, high in ranges:
        high = min(high, MAX_CODE_POINT)
        if low < first:
            found.append((low, min(high, first - 1)))
        if high > last:
            found.append((max(low, last + 1), high))
    return [(low, high) for low, high in found if low <= high]


def _show(point: int) -> str:
    if point > MAX_CODE_POINT:  # a mark: see slm.grammar.memory
        return f"\\u{{{point:x}}}"
    char = chr(point)
    if char in "\\]-^":
        return "\\" + char
    return char if char.isprintable() else f"\\u{{{point:x}}}"


CharSet.EMPTY = CharSet(())
CharSet.ALL = CharSet.from_ranges([(0, MAX_CODE_POINT)])

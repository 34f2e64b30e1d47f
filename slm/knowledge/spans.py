"""The spans of a text: which substrings count as mentions, and where they stand.

A span starts and ends on a word boundary, neither starts nor ends with white space, and is never
empty. A boundary is a place that is not inside a run of letters, digits and combining marks; in
scripts written without spaces (Chinese, Japanese, Thai, …) every character is its own word. A
combining mark is never cut from the character it belongs to, nor a joined emoji in two.
"""

from __future__ import annotations

import unicodedata
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

_JOINER = "\u200d"

# Scripts that do not put spaces between words: Thai and Lao, Myanmar, Khmer, kana, CJK ideographs.
_UNSPACED = (
    (0x0E00, 0x0EFF),
    (0x1000, 0x109F),
    (0x1780, 0x17FF),
    (0x3005, 0x3007),
    (0x3040, 0x30FF),
    (0x31F0, 0x31FF),
    (0x3400, 0x4DBF),
    (0x4E00, 0x9FFF),
    (0xF900, 0xFAFF),
    (0xFF66, 0xFF9F),
    (0x20000, 0x3FFFF),
)


@dataclass(frozen=True, slots=True)
class Span:
    """A piece of a text: ``text == source[start:end]``, in characters (code points)."""

    text: str
    start: int
    end: int

    def __str__(self) -> str:
        return f"{self.text!r} [{self.start}:{self.end}]"


@dataclass(frozen=True)
class SpanIndex:
    """Where spans of one text may start and end.

    Args:
        text: the source.
        max_chars: the longest span in characters; None for no bound.

    >>> index = SpanIndex("Ann met Ann-Lee.", 120)
    >>> index.occurrences("Ann"), index.occurrences("An"), index.occurrences("Lee.")
    ((0, 8), (), (12,))
    """

    text: str
    max_chars: int | None

    @cached_property
    def starts(self) -> tuple[int, ...]:
        """Where a span may start, ascending."""
        text = self.text
        return tuple(i for i in self._boundaries if i < len(text) and _solid(text[i]))

    @cached_property
    def ends(self) -> tuple[int, ...]:
        """Where a span may end (exclusive), ascending."""
        return tuple(i for i in self._boundaries if i > 0 and _solid(self.text[i - 1]))

    @cached_property
    def _boundaries(self) -> tuple[int, ...]:
        return tuple(i for i in range(len(self.text) + 1) if _is_boundary(self.text, i))

    def last_end(self, start: int) -> int:
        """The last place where a span from `start` may end; `start` itself when there is none."""
        bound = len(self.text) if self.max_chars is None else start + self.max_chars
        if self._barriers:
            at = bisect_right(self._barriers, start)
            if at < len(self._barriers):
                bound = min(bound, self._barriers[at])
            if start in self._barrier_set:
                return start
        at = bisect_right(self.ends, bound)
        return max(self.ends[at - 1], start) if at else start

    @cached_property
    def _barriers(self) -> tuple[int, ...]:
        """Lone surrogates: no UTF-8 text holds them, so no span can."""
        return tuple(i for i, char in enumerate(self.text) if "\ud800" <= char <= "\udfff")

    @cached_property
    def _barrier_set(self) -> frozenset[int]:
        return frozenset(self._barriers)

    def occurrences(self, mention: str) -> tuple[int, ...]:
        """Every place where this text stands as a span; empty when it is none."""
        if not mention or (self.max_chars is not None and len(mention) > self.max_chars):
            return ()
        found: list[int] = []
        at = self.text.find(mention)
        while at >= 0:
            end = at + len(mention)
            if at in self._start_set and end in self._end_set and end <= self.last_end(at):
                found.append(at)
            at = self.text.find(mention, at + 1)
        return tuple(found)

    @cached_property
    def _start_set(self) -> frozenset[int]:
        return frozenset(self.starts)

    @cached_property
    def _end_set(self) -> frozenset[int]:
        return frozenset(self.ends)

    def spans(self, longest: int | None = None) -> Iterator[Span]:
        """Every span, by start and then by end; `longest` in characters cuts the search short.

        Cost: starts × ends within reach.
        """
        ends = self.ends
        for start in self.starts:
            last = self.last_end(start)
            if longest is not None:
                last = min(last, start + longest)
            at = bisect_right(ends, start)
            while at < len(ends) and ends[at] <= last:
                yield Span(self.text[start : ends[at]], start, ends[at])
                at += 1


def _solid(char: str) -> bool:
    return not char.isspace()


def _is_boundary(text: str, at: int) -> bool:
    """Whether a word may start or end before ``text[at]``."""
    if at in (0, len(text)):
        return True
    before, after = text[at - 1], text[at]
    if before == _JOINER or after == _JOINER or unicodedata.category(after)[0] == "M":
        return False
    if _unspaced(before) or _unspaced(after):
        return True
    return not (_in_word(before) and _in_word(after))


def _in_word(char: str) -> bool:
    return char.isalnum() or unicodedata.category(char)[0] == "M"


def _unspaced(char: str) -> bool:
    point = ord(char)
    return point >= 0x0E00 and any(low <= point <= high for low, high in _UNSPACED)

r"""One grammar's characters, as few as its terminals can tell apart.

``\w`` is 770 ranges of code points, and a lexer's automata compare such sets over and over. But no
terminal of a grammar tells two characters apart that are in the same of all its sets. So each
class of characters becomes one *letter*, a small code point, and everything between two tokens is
worked out over letters. The last letter stands for the rest of all code points too, so that the
letters cover them all, and complements mean the same in both.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Collection, Iterable, Iterator
from itertools import chain

import numpy as np
from numpy.typing import NDArray

from slm.grammar.charset import MAX_CODE_POINT, SURROGATES, CharSet
from slm.grammar.pattern_tree import (
    Branch,
    Class,
    Look,
    Node,
    Quantified,
    Sequence,
    walk_nodes,
)
from slm.grammar.regular import (
    Chars,
    Complement,
    Concat,
    Dfa,
    Echo,
    Intersection,
    Label,
    Multiple,
    Regular,
    Repeat,
    Union,
    children,
)


def charsets_of(words: Regular | Node) -> Iterator[CharSet]:
    """The sets of characters in a language, or in a pattern."""
    stack: list[Regular | Node] = [words]
    while stack:
        here = stack.pop()
        match here:
            case Chars(charset):
                yield charset
            case Concat() | Union() | Intersection() | Repeat() | Complement() | Echo():
                stack.extend(children(here))
            case Multiple():
                yield CharSet.of("0123456789")
            case Label(letters):
                yield letters
            case Dfa(edges):
                for row in edges:
                    for charset, _ in row:
                        yield charset
            case _:
                for node in walk_nodes(here):
                    if isinstance(node, Class):
                        yield node.charset


class Alphabet:
    r"""The letters of some sets of characters.

    Args:
        charsets: every set that languages over the letters will be asked for or made of.

    >>> alphabet = Alphabet([CharSet.of("abc"), CharSet.of("c")])
    >>> len(alphabet), alphabet.letters(CharSet.of("abc")) == CharSet.of("\x00\x01")
    (3, True)
    >>> alphabet.characters(CharSet.of("\x01"))
    CharSet([c])
    """

    def __init__(self, charsets: Iterable[CharSet]) -> None:
        # Every range of characters, ascending: low, high and the number of its letter.
        self._owned, self._firsts, self._outside = _pieces(set(charsets))
        self._count = len(self._firsts) + (self._outside is not None)
        points = [n if n < SURROGATES[0] else n + 0x800 for n in range(self._count)]
        self._points, self._ends = points, [*points[:-1], MAX_CODE_POINT]  # of each letter
        self._to_letters: dict[CharSet, CharSet] = {}
        self._to_characters: dict[CharSet, CharSet] = {}
        self._members: dict[CharSet, int] = {}
        self._languages: dict[Regular, Regular] = {}

    def __len__(self) -> int:
        return self._count

    @property
    def owned(self) -> NDArray[np.int32]:
        """Every range of characters, ascending: low, high and the number of its letter, flat."""
        return np.ascontiguousarray(self._owned.T, np.int32).ravel()

    def letters(self, charset: CharSet) -> CharSet:
        """The letters of a set of characters, which must be one of those it was made of."""
        known = self._to_letters.get(charset)
        if known is None:
            inside: list[tuple[int, int]] = []  # letters whose first character is in the set
            for low, high in charset.ranges:
                first = bisect_left(self._firsts, low)
                end = bisect_right(self._firsts, high, first)
                if first < end:
                    inside.append((self._points[first], self._ends[end - 1]))
            if self._outside is not None and self._outside in charset:
                inside.append((self._points[-1], MAX_CODE_POINT))
            known = self._to_letters[charset] = CharSet.from_ranges(inside)
        return known

    def characters(self, letters: CharSet) -> CharSet:
        """The characters that a set of letters stands for."""
        known = self._to_characters.get(letters)
        if known is None:
            known = self._to_characters[letters] = self._characters(letters)
        return known

    def _characters(self, letters: CharSet) -> CharSet:
        inside = np.zeros(self._count, bool)
        for low, high in letters.ranges:
            inside[bisect_left(self._points, low) : bisect_right(self._points, high)] = True
        lows, highs, owners = self._owned
        mine = inside[owners]
        starts, ends = lows[mine], highs[mine]
        begins = np.ones(len(starts) + 1, bool)  # of ranges that do not go on from the one before
        begins[1:-1] = starts[1:] != ends[:-1] + 1
        ranges = zip(starts[begins[:-1]].tolist(), ends[begins[1:]].tolist(), strict=True)
        return CharSet(tuple(ranges))

    def members(self, letters: CharSet) -> int:
        """A set of letters as one number, a bit for each letter."""
        known = self._members.get(letters)
        if known is None:
            known = sum(1 << n for n, point in enumerate(self._points) if point in letters)
            self._members[letters] = known
        return known

    def narrow(self, language: Regular) -> Regular:
        """A language over characters as one over letters."""
        return _mapped(language, self.letters)

    def widen(self, language: Regular) -> Regular:
        """A language over letters as one over characters."""
        known = self._languages.get(language)
        if known is None:
            known = self._languages[language] = _mapped(language, self.characters)
        return known

    def narrow_pattern(self, node: Node) -> Node:
        """A pattern over characters as one over letters."""
        match node:
            case Class(charset):
                return Class(self.letters(charset))
            case Sequence(parts):
                return Sequence(tuple(map(self.narrow_pattern, parts)))
            case Branch(options):
                return Branch(tuple(map(self.narrow_pattern, options)))
            case Quantified(body, low, high, greedy):
                return Quantified(self.narrow_pattern(body), low, high, greedy)
            case Look(body, ahead, negative):
                return Look(self.narrow_pattern(body), ahead, negative)
            case _:
                return node


def _pieces(charsets: Collection[CharSet]) -> tuple[NDArray[np.int64], list[int], int | None]:
    """The sets of characters that no set tells apart; `partition` finds the same, set by set.

    Returns:
        All ranges of characters, ascending: lows, highs, and the number of each one's piece.
        The first character of each piece, by which they are numbered.
        The first character that is in no set; it and its like are the last piece.
    """
    first, last = SURROGATES
    ends = chain.from_iterable(chain.from_iterable(each.ranges for each in charsets))
    ranges = np.fromiter(ends, np.int64).reshape(-1, 2) + np.array((0, 1))
    owners = np.repeat(np.arange(len(charsets)), [len(each.ranges) for each in charsets])
    bounds = np.sort(np.append(ranges, (0, first, last + 1, MAX_CODE_POINT + 1)))
    bounds = bounds[np.append(True, bounds[1:] != bounds[:-1])]  # `np.unique` loads `numpy.ma`
    changes = np.zeros((len(charsets) + 1, len(bounds)), np.int8)  # one row more: never empty
    changes[owners, np.searchsorted(bounds, ranges[:, 0])] = 1
    changes[owners, np.searchsorted(bounds, ranges[:, 1])] = -1
    real = bounds[:-1] != first  # no range is between the surrogates
    inside = np.cumsum(changes, 1, dtype=np.int8)[:, :-1][:, real]
    lows, highs = bounds[:-1][real], bounds[1:][real] - 1
    members = np.ascontiguousarray(np.packbits(inside, 0).T)
    kinds = members.view(f"S{members.shape[1]}").ravel().tolist()
    numbers: dict[bytes, int] = {}
    firsts: list[int] = []
    outside: int | None = None
    for kind, low in zip(kinds, lows.tolist(), strict=True):
        if not kind:  # zeros at the end are no part of such a string
            outside = low if outside is None else outside
        elif kind not in numbers:
            numbers[kind] = len(firsts)
            firsts.append(low)
    pieces = np.array([numbers.get(kind, len(firsts)) for kind in kinds], np.int64)
    return np.array((lows, highs, pieces)), firsts, outside


def _mapped(language: Regular, change: Callable[[CharSet], CharSet]) -> Regular:
    match language:
        case Chars(charset):
            return Chars(change(charset))
        case Concat(parts):
            return Concat(tuple(_mapped(part, change) for part in parts))
        case Union(options):
            return Union(tuple(_mapped(option, change) for option in options))
        case Repeat(body, low, high):
            return Repeat(_mapped(body, change), low, high)
        case Intersection(parts):
            return Intersection(tuple(_mapped(part, change) for part in parts))
        case Complement(body):
            return Complement(_mapped(body, change))
        case Multiple():
            raise AssertionError("no pattern counts remainders")
        case Label():
            raise AssertionError("no pattern counts octets")
        case Echo():
            raise AssertionError("lexers see what an echo begins with only")
        case Dfa(edges, accepting):
            rows = tuple(tuple((change(charset), to) for charset, to in row) for row in edges)
            return Dfa(rows, accepting)

"""Regular languages over Unicode code points: what terminals are made of.

A `Regular` is a frozen tree. It is closed under union, intersection and complement, repetition
carries its bounds as numbers (nothing is ever copied), and `Dfa` embeds an explicit automaton
(a source text's spans, a compiled priority pattern). How a code point becomes UTF-8 bytes is the
engines' business; here a symbol is a code point, U+0000 to U+10FFFF without the surrogates.

The constructors `concat`, `union`, `repeat`, `intersection` and `complement` simplify on the way
(flatten, drop neutral elements, absorb the empty language) and should be used instead of the
classes.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TypeAlias

from slm.grammar.charset import CharSet
from slm.grammar.labels import fits


@dataclass(frozen=True, slots=True)
class Chars:
    """One code point out of a set; the empty set is the empty language."""

    charset: CharSet


@dataclass(frozen=True, slots=True)
class Concat:
    """One after the other; ``Concat(())`` is the empty text."""

    parts: tuple[Regular, ...]


@dataclass(frozen=True, slots=True)
class Union:
    """Any one of several languages."""

    options: tuple[Regular, ...]


@dataclass(frozen=True, slots=True)
class Repeat:
    """`low` to `high` times the body; `high` None means without end."""

    body: Regular
    low: int
    high: int | None


@dataclass(frozen=True, slots=True)
class Intersection:
    """Texts that are in every one of the languages."""

    parts: tuple[Regular, ...]


@dataclass(frozen=True, slots=True)
class Complement:
    """Every text that is not in the body."""

    body: Regular


@dataclass(frozen=True, slots=True)
class Dfa:
    """An explicit deterministic automaton; state 0 is the start.

    `edges[q]` lists (charset, target) with pairwise disjoint charsets; what is in none of them is
    dead.
    """

    edges: tuple[tuple[tuple[CharSet, int], ...], ...]
    accepting: frozenset[int]


@dataclass(frozen=True, slots=True)
class Multiple:
    """At most `most` digits which, behind the digits of `rest`, make a multiple of `modulus`.

    An automaton of remainders that is never written out: below 10**18 any modulus will do.
    """

    modulus: int
    rest: int
    most: int

    def after(self, digit: int) -> Multiple | None:
        """What may follow a digit; None where nothing makes a multiple any more."""
        if self.most == 0:
            return None
        left = Multiple(self.modulus, (10 * self.rest + digit) % self.modulus, self.most - 1)
        return left if left.possible() else None

    def possible(self) -> bool:
        """Whether any digits do: j of them add every number below 10**j to rest * 10**j."""
        for digits in range(self.most + 1):
            missing = -self.rest * 10**digits % self.modulus
            if missing < 10**digits:
                return True
        return False


@dataclass(frozen=True, slots=True)
class Label:
    """Labels of host names: of these letters, and no beginning is encoded in over 63 octets.

    At least one letter, and at most `MOST_LETTERS` different ones, which are tried one by one. Only
    the length of the encoding counts, and not what else is asked of a label. As every beginning is
    in the language, nothing has to be searched for an end.
    """

    letters: CharSet

    def after(self, text: str) -> list[int]:
        """The letters that may follow a beginning.

        >>> Label(CharSet.of("ab")).after("a" * 63)
        []
        """
        return [point for point in self.letters if fits(text + chr(point))]


@dataclass(frozen=True, slots=True)
class Echo:
    """A word, and parts behind it in which it comes again; None stands for it there.

    The texts are v·t·s for each text v of `word`: t are the parts of `then`, one after the other,
    and s those of `search`, up to the first place where they can end: no shorter beginning of s is
    such a text itself. This is no regular language, and the only one here: as soon as v is known it
    is one, so states are made for each v that is met, and for no others. It can be part of
    everything but an intersection and a complement.
    """

    word: Regular
    then: tuple[Regular | None, ...]
    search: tuple[Regular | None, ...] = ()


MOST_LETTERS = 1024

Regular: TypeAlias = (
    Chars | Concat | Union | Repeat | Intersection | Complement | Dfa | Multiple | Label | Echo
)

NOTHING: Regular = Chars(CharSet.EMPTY)
EPSILON: Regular = Concat(())
ANY_CHAR: Regular = Chars(CharSet.ALL)
ANYTHING: Regular = Repeat(ANY_CHAR, 0, None)


def literal(text: str) -> Regular:
    """Just this text.

    >>> literal("ab") == concat(Chars(CharSet.of("a")), Chars(CharSet.of("b")))
    True
    """
    return concat(*(Chars(CharSet.of(char)) for char in text))


def concat(*parts: Regular) -> Regular:
    """The parts one after the other."""
    flat: list[Regular] = []
    for part in parts:
        if part == NOTHING:
            return NOTHING
        flat.extend(part.parts if isinstance(part, Concat) else (part,))
    return flat[0] if len(flat) == 1 else Concat(tuple(flat))


def union(*options: Regular) -> Regular:
    """Any of the options; sets of single characters are merged into one."""
    flat: dict[Regular, None] = {}
    charset = CharSet.EMPTY
    for option in options:
        for leaf in option.options if isinstance(option, Union) else (option,):
            if isinstance(leaf, Chars):
                charset |= leaf.charset
            else:
                flat[leaf] = None
    if charset:
        flat[Chars(charset)] = None
    if not flat:
        return NOTHING
    return next(iter(flat)) if len(flat) == 1 else Union(tuple(flat))


def repeat(body: Regular, low: int = 0, high: int | None = None) -> Regular:
    """`low` to `high` times the body; an impossible range (low > high) is the empty language."""
    if high is not None and high < low:
        return NOTHING
    if high == 0 or body == EPSILON:
        return EPSILON
    if body == NOTHING:
        return EPSILON if low == 0 else NOTHING
    if low == 1 and high == 1:
        return body
    return Repeat(body, low, high)


def optional(body: Regular) -> Regular:
    """The body or nothing."""
    return repeat(body, 0, 1)


def intersection(*parts: Regular) -> Regular:
    """Texts in every part; no part at all means every text."""
    flat: dict[Regular, None] = {}
    for part in parts:
        for leaf in part.parts if isinstance(part, Intersection) else (part,):
            if leaf == NOTHING:
                return NOTHING
            if leaf != ANYTHING:
                flat[leaf] = None
    if not flat:
        return ANYTHING
    if all(isinstance(leaf, Chars) for leaf in flat):
        charset = CharSet.ALL
        for leaf in flat:
            assert isinstance(leaf, Chars)
            charset &= leaf.charset
        return Chars(charset)
    return next(iter(flat)) if len(flat) == 1 else Intersection(tuple(flat))


def complement(body: Regular) -> Regular:
    """Every text but those of the body."""
    if isinstance(body, Complement):
        return body.body
    if body == NOTHING:
        return ANYTHING
    if body == ANYTHING:
        return NOTHING
    return Complement(body)


def difference(body: Regular, *without: Regular) -> Regular:
    """The body's texts that are in none of `without`."""
    return intersection(body, *(complement(part) for part in without))


def echo(
    word: Regular, then: Iterable[Regular | None], search: Iterable[Regular | None] = ()
) -> Regular:
    """See `Echo`."""
    parts, sought = tuple(then), tuple(search)
    if word == NOTHING or NOTHING in parts or NOTHING in sought:
        return NOTHING
    return Echo(word, parts, sought)


def children(regular: Regular) -> tuple[Regular, ...]:
    """The languages that one is made of, but for the single characters of automata."""
    match regular:
        case Concat(parts) | Intersection(parts) | Union(parts):
            return parts
        case Repeat(body) | Complement(body):
            return (body,)
        case Echo(word, then, search):
            return (word, *(part for part in (*then, *search) if part is not None))
        case _:
            return ()


def has_echo(regular: Regular) -> bool:
    """Whether there is an `Echo` in it. Cost: O(size)."""
    stack = [regular]
    while stack:
        here = stack.pop()
        if isinstance(here, Echo):
            return True
        stack.extend(children(here))
    return False


def choice_of(texts: Iterable[str]) -> Regular:
    """Any one of the texts."""
    return union(*(literal(text) for text in texts))


def nullable(regular: Regular) -> bool:
    """Whether the empty text is in the language."""
    match regular:
        case Chars():
            return False
        case Concat(parts) | Intersection(parts):
            return all(nullable(part) for part in parts)
        case Union(options):
            return any(nullable(option) for option in options)
        case Repeat(body, low, _):
            return low == 0 or nullable(body)
        case Complement(body):
            return not nullable(body)
        case Dfa(_, accepting):
            return 0 in accepting
        case Multiple(_, rest, _):
            return rest == 0
        case Label():
            return False
        case Echo():
            return all(nullable(part) for part in children(regular))

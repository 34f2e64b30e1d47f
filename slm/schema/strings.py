r"""From languages of decoded strings to languages of JSON text: the encoding homomorphism.

Each code point has several spellings in JSON (raw, ``\n``, ``\u000a``, a surrogate pair), and no
text of spellings can be read in two ways. So "the spellings of a language" commutes with union,
concatenation and repetition, and with intersection and complement relative to all spellings. That
keeps length bounds counters over *decoded* code points, as the specification counts them.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from functools import lru_cache
from itertools import pairwise
from typing import TypeAlias

from slm.grammar.charset import CharSet
from slm.grammar.derivative import Languages
from slm.grammar.regular import (
    ANY_CHAR,
    ANYTHING,
    EPSILON,
    NOTHING,
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
    complement,
    concat,
    intersection,
    literal,
    repeat,
    union,
)
from slm.schema.algebra import StringShape
from slm.schema.formats import beyond
from slm.schema.style import Escapes

_SHORT = {'"': '"', "\\": "\\", "/": "/", "\b": "b", "\f": "f", "\n": "n", "\r": "r", "\t": "t"}
_RAW = CharSet.from_ranges([(0x20, 0x10FFFF)]) - CharSet.of('"\\')
_PRINTABLE = CharSet.from_ranges([(0x20, 0x7E)]) - CharSet.of('"\\')
_BASIC = CharSet.from_ranges([(0, 0xFFFF)])
_ASTRAL = CharSet.from_ranges([(0x10000, 0x10FFFF)])
_QUOTE = literal('"')
_BACKSLASH = Chars(CharSet.of("\\"))
_U = Chars(CharSet.of("u"))
_HEX_DIGITS = "0123456789abcdef"
_Digits: TypeAlias = Callable[[int, int], Regular]


@lru_cache(maxsize=4096)
def spell_charset(charset: CharSet, escapes: Escapes = "any") -> Regular:
    r"""Every JSON spelling of one code point of the set, or those of a style (`JsonStyle`).

    >>> from slm.schema.algebra import matches
    >>> pool = Languages()
    >>> spelled = spell_charset(CharSet.of("\u00e9"))
    >>> [matches(spelled, text, pool) for text in ("\u00e9", r"\u00e9", r"\u00E9", "e")]
    [True, True, True, False]
    """
    options: list[Regular] = []
    raw = charset & (_PRINTABLE if escapes == "ascii" else _RAW)
    if raw:
        options.append(Chars(raw))
    short, coded = _SHORT, charset
    if escapes != "any":  # as json.dumps: one spelling each
        short = {char: name for char, name in _SHORT.items() if char != "/"}
        coded = charset - raw - CharSet.of("".join(short))
    found: list[Regular] = []
    names = "".join(name for char, name in short.items() if char in charset)
    if names:
        found.append(Chars(CharSet.of(names)))
    digits = _hex_class if escapes == "any" else _small_hex_class
    units = [_code_units(low, high, 4, digits) for low, high in (coded & _BASIC).ranges]
    for low, high in (coded & _ASTRAL).ranges:
        units.append(_surrogate_pairs(low - 0x10000, high - 0x10000, digits))
    if units:
        found.append(concat(_U, union(*units)))
    if found:
        options.append(concat(_BACKSLASH, union(*found)))
    return union(*options)


def _hex_class(low: int, high: int) -> Regular:
    digits = _HEX_DIGITS[low : high + 1]
    return Chars(CharSet.of(digits + digits.upper()))


def _small_hex_class(low: int, high: int) -> Regular:
    return Chars(CharSet.of(_HEX_DIGITS[low : high + 1]))


@lru_cache(maxsize=4096)
def _code_units(low: int, high: int, width: int, digits: _Digits) -> Regular:
    """Hexadecimal spellings, `width` digits long, of the numbers from low to high."""
    if width == 0:
        return EPSILON
    block = 16 ** (width - 1)
    first, last = low // block, high // block
    if low % block == 0 and high % block == block - 1:
        return concat(digits(first, last), repeat(digits(0, 15), width - 1, width - 1))
    if first == last:
        rest = _code_units(low % block, high % block, width - 1, digits)
        return concat(digits(first, first), rest)
    options: list[Regular] = []
    if low % block:
        rest = _code_units(low % block, block - 1, width - 1, digits)
        options.append(concat(digits(first, first), rest))
        first += 1
    if high % block != block - 1:
        rest = _code_units(0, high % block, width - 1, digits)
        options.append(concat(digits(last, last), rest))
        last -= 1
    if first <= last:
        whole = repeat(digits(0, 15), width - 1, width - 1)
        options.append(concat(digits(first, last), whole))
    return union(*options)


def _surrogate_pairs(low: int, high: int, digits: _Digits) -> Regular:
    r"""`DXXX\uDXXX`: the pairs of the offsets from low to high (each is 20 bits)."""

    def pairs(first: int, last: int, bottom: int, top: int) -> Regular:
        return concat(
            _code_units(0xD800 + first, 0xD800 + last, 4, digits),
            _BACKSLASH,
            _U,
            _code_units(0xDC00 + bottom, 0xDC00 + top, 4, digits),
        )

    first, last = low >> 10, high >> 10
    bottom, top = low & 0x3FF, high & 0x3FF
    if first == last:
        return pairs(first, first, bottom, top)
    options: list[Regular] = []
    if bottom:
        options.append(pairs(first, first, bottom, 0x3FF))
        first += 1
    if top != 0x3FF:
        options.append(pairs(last, last, 0, top))
        last -= 1
    if first <= last:
        options.append(pairs(first, last, 0, 0x3FF))
    return union(*options)


SPELLED_CHAR = spell_charset(CharSet.ALL)
SPELLED_ANYTHING = repeat(SPELLED_CHAR)
ANY_STRING_TEXT = concat(_QUOTE, SPELLED_ANYTHING, _QUOTE)


@lru_cache(maxsize=4)
def spelled_anything(escapes: Escapes) -> Regular:
    """Every string, in the spellings of a style."""
    return SPELLED_ANYTHING if escapes == "any" else repeat(spell_charset(CharSet.ALL, escapes))


def spell(language: Regular, escapes: Escapes = "any") -> Regular:
    """Every JSON spelling, without the quotes, of the strings of a language; or those of a style.

    Each style spells strings one character at a time, so what is said of all spellings holds of it.
    Of a label, whose states are what was read, only its letters as they are.
    """
    if language == ANYTHING:
        return spelled_anything(escapes)
    match language:
        case Chars(charset):
            return spell_charset(charset, escapes)
        case Concat(parts):
            return concat(*(spell(part, escapes) for part in parts))
        case Union(options):
            return union(*(spell(option, escapes) for option in options))
        case Repeat(body, low, high):
            return repeat(spell(body, escapes), low, high)
        case Intersection(parts):
            return intersection(*(spell(part, escapes) for part in parts))
        case Complement(body):
            return intersection(spelled_anything(escapes), complement(spell(body, escapes)))
        case Dfa():
            return _spell_dfa(language, escapes)
        case Multiple():
            assert escapes != "any"  # and what else has one spelling
            return language  # digits stand for themselves
        case Label():
            return NOTHING if escapes == "ascii" else language
        case Echo():
            raise AssertionError("no pattern of a schema refers back")


def _spell_dfa(automaton: Dfa, escapes: Escapes) -> Regular:
    """The spellings of an explicit automaton, as another one: a trie of spellings a state."""
    pool = Languages()
    edges: list[list[tuple[CharSet, int]]] = [[] for _ in automaton.edges]
    for source, ways in enumerate(automaton.edges):
        # All ways out at once: spellings of different code points never share a text, so once one
        # is complete it is the only one left, and its target is where the trie ends.
        starts = tuple(
            (pool.state(spell_charset(charset, escapes)), target) for charset, target in ways
        )
        known: dict[tuple[tuple[int, int], ...], int] = {starts: source}
        todo = [starts]
        while todo:
            live = todo.pop()
            for (low, high), after in _joint_edges(pool, live):
                if len(after) == 1 and pool.accepts(after[0][0]):
                    target = after[0][1]
                elif after in known:
                    target = known[after]
                else:
                    target = known[after] = len(edges)
                    edges.append([])
                    todo.append(after)
                edges[known[live]].append((CharSet(((low, high),)), target))
    return Dfa(tuple(_grouped(ways) for ways in edges), automaton.accepting)


def _joint_edges(
    pool: Languages, live: tuple[tuple[int, int], ...]
) -> list[tuple[tuple[int, int], tuple[tuple[int, int], ...]]]:
    """Ranges of the next code point, with what is left of each live language."""
    cuts: set[int] = set()
    for state, _ in live:
        for low, high, _after in pool.edges(state):
            cuts.update((low, high + 1))
    points = sorted(cuts)
    found = []
    for low, end in pairwise(points):
        after = tuple(
            (left, target) for state, target in live if pool.alive(left := pool.step(state, low))
        )
        if after:
            found.append(((low, end - 1), after))
    return found


def _grouped(ways: list[tuple[CharSet, int]]) -> tuple[tuple[CharSet, int], ...]:
    targets: dict[int, list[tuple[int, int]]] = {}
    for charset, target in ways:
        targets.setdefault(target, []).extend(charset.ranges)
    return tuple((CharSet.from_ranges(ranges), target) for target, ranges in targets.items())


@lru_cache(maxsize=4096)
def _spelled_char(char: str, escapes: Escapes) -> Regular:
    return spell_charset(CharSet.of(char), escapes)


def spell_other_names(names: Iterable[str], escapes: Escapes = "any") -> Regular:
    """Every spelling of every string but these; or those of a style."""
    spelled = tuple(concat(*(_spelled_char(char, escapes) for char in name)) for name in names)
    if not spelled:
        return spelled_anything(escapes)
    return Intersection((spelled_anything(escapes), Complement(Union(spelled))))


_CHARS = {chr(point): Chars(CharSet.of(chr(point))) for point in range(128)}


def quick_literal(text: str) -> Regular:
    """As `literal`, for the many short ASCII texts of a schema.

    >>> quick_literal("ab") == literal("ab")
    True
    """
    parts = tuple(_CHARS.get(char) or Chars(CharSet.of(char)) for char in text)
    return parts[0] if len(parts) == 1 else Concat(parts)


def canonical(text: str, escapes: Escapes = "any") -> str:
    """The one spelling that names and constants get, with the quotes.

    A lone surrogate is no character: it stays one, so that no text has it.
    """
    ascii_only = escapes == "ascii" and not any("\ud800" <= char <= "\udfff" for char in text)
    return json.dumps(text, ensure_ascii=ascii_only)


def decoded_language(shape: StringShape) -> Regular:
    """The language of the decoded strings of a shape."""
    if shape.values is not None:
        return union(*map(literal, shape.values))
    length = repeat(ANY_CHAR, shape.low, shape.high)
    return intersection(length, *shape.parts)


def string_text(shape: StringShape, escapes: Escapes = "any") -> Regular:
    """The JSON texts of a shape's strings; constants are spelled canonically."""
    if shape.values is not None:
        texts = tuple(quick_literal(canonical(value, escapes)) for value in shape.values)
        return texts[0] if len(texts) == 1 else Union(texts)
    if not shape.parts and shape.low == 0 and shape.high is None and escapes == "any":
        return ANY_STRING_TEXT
    inner = spell(decoded_language(shape), escapes)
    text = NOTHING if inner == NOTHING else concat(_QUOTE, inner, _QUOTE)
    alone = len(shape.parts) == 1 and shape.low == 0 and shape.high is None
    if not alone or (more := beyond(shape.parts[0])) is None:
        return text
    # Two texts, and not one of two kinds: what is read of both is told apart then.
    return union(text, concat(_QUOTE, spell(more, escapes), _QUOTE))


def is_void(shape: StringShape, pool: Languages) -> bool:
    """Whether no string has the shape."""
    if shape.values is not None:
        return not shape.values
    doubtful = len(shape.parts) > 1 or (shape.parts and (shape.low > 0 or shape.high is not None))
    if doubtful or any(map(may_be_empty, shape.parts)):
        if has_short_text(intersection(*shape.parts), pool, shape.low, shape.high):
            return False
        return not pool.alive(pool.state(decoded_language(shape)))
    return False


def has_short_text(
    language: Regular, pool: Languages, low: int = 0, high: int | None = None
) -> bool:
    """Whether a text of `low` to `high` characters is found by looking at the shortest first.

    Nearly every language that a schema asks for has a short text, which is found in a few steps,
    where a search by depth winds through counters. False says nothing.
    """
    layer = {pool.state(language)}
    for size in range(64 if high is None else min(64, high + 1)):
        if size >= low and any(map(pool.accepts, layer)):
            return True
        layer = {target for state in layer for _, _, target in pool.edges(state)}
        if len(layer) > 64:
            return False
    return False


def may_be_empty(language: Regular) -> bool:
    """Whether a language has parts that can make it empty; without them it never is."""
    stack: list[Regular] = [language]
    while stack:
        node = stack.pop()
        match node:
            case Intersection() | Complement() | Dfa() | Multiple() | Echo():
                return True
            case Concat(parts):
                stack.extend(parts)
            case Union(options):
                stack.extend(options)
            case Repeat(body, _, _):
                stack.append(body)
            case Chars() | Label():
                pass
    return False

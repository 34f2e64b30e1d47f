"""Character classes as sets of code points: Python's, ECMA-262's, Unicode's general categories.

Python's own engine is asked rather than copied: its tables are whatever Python this is, so a mask
never disagrees with `re`. Every table is computed once, when first needed. The large ones were
found out when slm was built, and are used under the very Python that they were found out with.
"""

from __future__ import annotations

import re
import sys
import unicodedata
from collections.abc import Callable, Iterable
from functools import cache, lru_cache

import numpy as np

from slm.grammar.charset import MAX_CODE_POINT, SURROGATES, CharSet

try:
    from slm import _native
except ImportError:  # installed without a compiler
    _native = None  # type: ignore[assignment]

_PYTHON = " ".join(  # as in tools/characters.py
    (
        sys.implementation.name,
        ".".join(map(str, sys.version_info[:3])),
        unicodedata.unidata_version,
    )
)
_FIRST, _LAST = SURROGATES
NEWLINE = CharSet.of("\n")
ECMA_LINE_ENDS = CharSet.of("\n\r\u2028\u2029")
ECMA_DIGIT = CharSet.from_ranges([(48, 57)])
ECMA_WORD = CharSet.from_ranges([(48, 57), (65, 90), (95, 95), (97, 122)])
# ECMA-262 WhiteSpace and LineTerminator: TAB, VT, FF, ZWNBSP, Zs, LF, CR, LS, PS.
ECMA_SPACE = CharSet.from_ranges(
    [
        (9, 13),
        (32, 32),
        (0xA0, 0xA0),
        (0x1680, 0x1680),
        (0x2000, 0x200A),
        (0x2028, 0x2029),
        (0x202F, 0x202F),
        (0x205F, 0x205F),
        (0x3000, 0x3000),
        (0xFEFF, 0xFEFF),
    ]
)


@cache
def _every_character() -> str:
    """All code points but the surrogates, as one string."""
    points = np.arange(sys.maxunicode + 1, dtype=np.uint32)
    points = np.concatenate([points[:_FIRST], points[_LAST + 1 :]])
    return points.tobytes().decode("utf-32-le" if sys.byteorder == "little" else "utf-32-be")


def _built_in(table: str) -> CharSet | None:
    """A table that was made when slm was built; None: not with this Python."""
    rows = None if _native is None else _native.characters(_PYTHON, table)
    return None if rows is None else CharSet(tuple(rows))


@cache
def python_category(letter: str, ascii_only: bool) -> CharSet:
    r"""Python's ``\d``, ``\\s`` or ``\\w`` (capital letters: their complements)."""
    if letter.isupper():
        return ~python_category(letter.lower(), ascii_only)
    known = None if ascii_only else _built_in(letter)
    return _category_asked(letter, ascii_only) if known is None else known


def _category_asked(letter: str, ascii_only: bool) -> CharSet:
    flags = re.ASCII if ascii_only else re.RegexFlag(0)
    text = _every_character()[: 128 if ascii_only else None]
    # Rows of either kind by turns: two and a half times as fast as a search for one kind.
    inside, outside = (re.compile(rf"\{kind}*", flags).match for kind in (letter, letter.upper()))
    ranges: list[tuple[int, int]] = []
    end = 0
    while end < len(text):
        start = _end(outside(text, end))
        end = _end(inside(text, start))
        if start < end:
            ranges.append((ord(text[start]), ord(text[end - 1])))
    return CharSet.from_ranges(ranges)


def _end(match: re.Match[str] | None) -> int:
    assert match is not None
    return match.end()


@cache
def _cased() -> tuple[CharSet, str]:
    """Every character that ``re.IGNORECASE`` may take for another one, as a set and as a string."""
    cased = _built_in("cased")
    if cased is None:
        cased = _cased_asked()
    return cased, "".join(map(chr, cased))


def _cased_asked() -> CharSet:
    found: set[int] = set()
    text = _every_character()
    for start in range(0, len(text), 256):
        block = text[start : start + 256]
        if block.lower() == block == block.upper():
            continue  # most of Unicode has no case; whole blocks are asked at once
        for char, lower, upper in zip(
            block, map(str.lower, block), map(str.upper, block), strict=True
        ):
            if lower != char or upper != char:
                found.add(ord(char))
                found.update(map(ord, lower))
                found.update(map(ord, upper))
    # Both ends of each relation, once more: 'ſ'.upper() is 'S', 'İ'.lower() is two characters.
    for point in tuple(found):
        char = chr(point)
        found.update(map(ord, char.lower() + char.upper() + char.casefold() + char.title()))
    return CharSet.from_ranges((p, p) for p in found)


@lru_cache(maxsize=4096)
def ignore_case(charset: CharSet, items: str, ascii_only: bool) -> CharSet:
    """What ``[items]`` matches under ``re.IGNORECASE``, where `charset` is what it matches without.

    Only characters with a case are asked about; for all others the flag changes nothing.
    """
    flags = re.IGNORECASE | (re.ASCII if ascii_only else re.RegexFlag(0))
    cased, text = _cased()
    matched = re.findall(f"[{items}]", text, flags)
    return (charset - cased) | CharSet.from_ranges((ord(c), ord(c)) for c in matched)


# --- Unicode properties ---------------------------------------------------------------------------

_CATEGORY_NAMES = {
    "cased_letter": "LC",
    "close_punctuation": "Pe",
    "connector_punctuation": "Pc",
    "control": "Cc",
    "cntrl": "Cc",
    "currency_symbol": "Sc",
    "dash_punctuation": "Pd",
    "decimal_number": "Nd",
    "digit": "Nd",
    "enclosing_mark": "Me",
    "final_punctuation": "Pf",
    "format": "Cf",
    "initial_punctuation": "Pi",
    "letter": "L",
    "letter_number": "Nl",
    "line_separator": "Zl",
    "lowercase_letter": "Ll",
    "mark": "M",
    "combining_mark": "M",
    "math_symbol": "Sm",
    "modifier_letter": "Lm",
    "modifier_symbol": "Sk",
    "nonspacing_mark": "Mn",
    "number": "N",
    "open_punctuation": "Ps",
    "other": "C",
    "other_letter": "Lo",
    "other_number": "No",
    "other_punctuation": "Po",
    "other_symbol": "So",
    "paragraph_separator": "Zp",
    "private_use": "Co",
    "punctuation": "P",
    "punct": "P",
    "separator": "Z",
    "space_separator": "Zs",
    "spacing_mark": "Mc",
    "surrogate": "Cs",
    "symbol": "S",
    "titlecase_letter": "Lt",
    "unassigned": "Cn",
    "uppercase_letter": "Lu",
}

# Properties that Python's own tables hold exactly.
_BINARY: dict[str, Callable[[str], bool]] = {
    "Lowercase": str.islower,
    "Lower": str.islower,
    "Uppercase": str.isupper,
    "Upper": str.isupper,
    "XID_Start": lambda char: char != "_" and char.isidentifier(),
    "XIDS": lambda char: char != "_" and char.isidentifier(),
}


@cache
def _categories() -> dict[str, CharSet]:
    """Every two-letter general category, from `unicodedata`."""
    ranges: dict[str, list[tuple[int, int]]] = {}
    run, start = unicodedata.category("\0"), 0
    for point in range(1, MAX_CODE_POINT + 2):
        here = unicodedata.category(chr(point)) if point <= MAX_CODE_POINT else ""
        if here != run:
            ranges.setdefault(run, []).append((start, point - 1))
            run, start = here, point
    return {name: CharSet.from_ranges(found) for name, found in ranges.items()}


def _any_of(names: Iterable[str]) -> CharSet:
    ranges: list[tuple[int, int]] = []
    for name in names:
        ranges.extend(_categories().get(name, CharSet.EMPTY).ranges)
    return CharSet.from_ranges(ranges)


@cache
def unicode_property(text: str) -> CharSet | None:
    r"""The set of ECMA-262's ``\p{text}``, or None where Python's Unicode tables do not hold it."""
    name, equals, value = text.partition("=")
    if equals:
        if name not in ("General_Category", "gc"):
            return None
        return _general_category(value)
    if text == "Any":
        return CharSet.ALL
    if text == "ASCII":
        return CharSet.from_ranges([(0, 127)])
    if text == "Assigned":
        return ~_any_of(["Cn"])
    if text in ("ASCII_Hex_Digit", "AHex"):
        return CharSet.of("0123456789abcdefABCDEF")
    if text in _BINARY:
        holds = _BINARY[text]
        return CharSet.from_ranges((ord(c), ord(c)) for c in _every_character() if holds(c))
    return _general_category(text)


def _general_category(name: str) -> CharSet | None:
    """A general category by its short or long name; ECMA-262 wants the exact case."""
    short = _CATEGORY_NAMES.get(name.lower())
    if short is not None:
        title = "_".join(part.capitalize() for part in name.split("_"))
        if name != title and name not in ("digit", "punct", "cntrl"):
            return None
        if name in ("Digit", "Punct", "Cntrl"):
            return None
    else:
        short = name
    if short == "LC":
        return _any_of(["Lu", "Ll", "Lt"])
    if len(short) == 1:
        found = [known for known in _categories() if known.startswith(short)]
        return _any_of(found) if found else None
    return _categories().get(short)

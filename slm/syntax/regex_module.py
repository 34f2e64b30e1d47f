r"""Patterns of the module `regex`, in terms of Python's `re`, where they are plain.

With ``regex=True`` Lark matches with `regex`, whose classes are tables of its own: ``\w`` and
``\p{Lu}`` are not those of `re` and `unicodedata`. So the module is asked which characters each
class holds, and the class is written out; all else has to mean the same in both.
"""

from __future__ import annotations

import re
import sys
from functools import cache
from importlib import import_module
from typing import Any

from slm.grammar.charset import SURROGATES, CharSet

# What stands for itself, or means in `regex` what it means in `re`.
_PLAIN = re.compile(
    r"""
    [^\\\[(){}*+?]                                # a character, an anchor, a bar, a point
    | \\(?:[^\w\s]|[nrtfv]|x[0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8})
    | \((?:\?(?:[:=!]|<[=!]|P<[A-Za-z_]\w*>)|(?!\?))    # a group, or an assertion
    | \)
    | (?:[*+?]|\{\d+(?:,\d*)?\})\??(?![*+?{])     # a quantifier, but no possessive one
    """,
    re.VERBOSE,
)
_CLASS = re.compile(r"\\(?:[wWdDsS]|[pP](?:\{[^{}]*\}|[A-Za-z]))")
_MEMBER = re.compile(
    r"(?:[^\\\]\[-]|\\(?:[^\w\s]|[nrtfv]|x[0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8}))"
)


def as_re(text: str) -> str | None:
    r"""The pattern with its classes written out; None where it may mean something else in `re`.

    Args:
        text: a pattern for `regex`, without flags.

    >>> as_re(r"a+?[^b\d]") is None, as_re(r"(?R)") is None, as_re("(a|b){2,}?")
    (False, True, '(a|b){2,}?')
    """
    found: list[str] = []
    at = 0
    while at < len(text):
        known = _CLASS.match(text, at)
        if known is not None:
            members = class_members(known[0])
            if members is None:
                return None
            found.append(f"[{_written(members)}]" if members else r"[^\x00-\U0010ffff]")
            at = known.end()
        elif text[at] == "[":
            written, at = _set(text, at)
            if written is None:
                return None
            found.append(written)
        else:
            plain = _PLAIN.match(text, at)
            if plain is None:
                return None
            found.append(plain[0])
            at = plain.end()
    return "".join(found)


def _set(text: str, at: int) -> tuple[str | None, int]:
    """A set in square brackets, with the classes in it written out, and where it ends."""
    found = ["["]
    at += 1
    if text[at : at + 1] == "^":
        found.append("^")
        at += 1
    count = len(found)
    while at < len(text) and text[at] != "]":
        known = _CLASS.match(text, at)
        if known is not None:
            members = class_members(known[0])
            if members is None:
                return None, at
            found.append(_written(members))
            at = known.end()
            continue
        low = _MEMBER.match(text, at)
        if low is None:
            # A hyphen at either end is a character; set operators and nested sets are refused.
            alone = text[at] == "-" and (len(found) == count or text[at + 1 : at + 2] == "]")
            if not alone:
                return None, at
            found.append(r"\-")
            at += 1
            continue
        at = low.end()
        found.append(low[0])
        if text[at : at + 1] == "-" and text[at + 1 : at + 2] not in ("]", ""):
            high = _MEMBER.match(text, at + 1)
            if high is None:
                return None, at
            found.append("-" + high[0])
            at = high.end()
        if low[0] in "|&~" and text[at : at + 1] == low[0]:
            return None, at
    if at >= len(text) or len(found) == count:
        return None, at
    found.append("]")
    return "".join(found), at + 1


@cache
def class_members(written: str) -> CharSet | None:
    r"""The characters of a class such as ``\p{Lu}``; None where `regex` has no such class."""
    module: Any = import_module("regex")  # without it, Lark has refused the option
    try:
        runs = module.compile(f"{written}+")
    except module.error:
        return None
    first, last = SURROGATES
    ranges = []
    for low, high in ((0, first), (last + 1, sys.maxunicode + 1)):
        block = "".join(map(chr, range(low, high)))
        ranges += [(low + m.start(), low + m.end() - 1) for m in runs.finditer(block)]
    return CharSet.from_ranges(ranges)


def _written(members: CharSet) -> str:
    return "".join(
        f"\\U{low:08x}" if low == high else f"\\U{low:08x}-\\U{high:08x}"
        for low, high in members.ranges
    )

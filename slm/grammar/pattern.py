"""Regular expressions, in Python's and in ECMA-262's syntax, as regular languages.

>>> from slm.grammar.regular import nullable
>>> nullable(pattern_language("a*", dialect="python"))
True
>>> pattern_language("a{2,1000000}", dialect="ecma262")
Repeat(body=Chars(charset=CharSet([a])), low=2, high=1000000)
"""

from __future__ import annotations

from functools import lru_cache
from typing import Literal

from slm.errors import Place, UnsupportedPattern
from slm.grammar.pattern_ecma import parse_ecma
from slm.grammar.pattern_lower import lower
from slm.grammar.pattern_python import find_construct, parse_python, pattern_place
from slm.grammar.pattern_tree import Look, Pattern, walk_nodes
from slm.grammar.regular import Regular

Dialect = Literal["python", "ecma262"]


def parse_pattern(
    text: str,
    *,
    dialect: Dialect,
    flags: str = "",
    place: Place | None = None,
    assertions: bool = False,
) -> Pattern:
    """Parse a regular expression.

    Args:
        text: the pattern, without delimiters.
        dialect: ``"python"`` (the `re` module) or ``"ecma262"`` (JSON Schema, ``u`` flag).
        flags: letters out of ``aimsux`` for Python, out of ``us`` for ECMA-262.
        place: where the pattern stands, for messages.
        assertions: with Python's dialect, write anchors and word boundaries as lookaround.

    Raises:
        PatternError: the pattern is malformed.
        UnsupportedPattern: a construct that no regular language has, named with its column.
    """
    root = (
        parse_python(text, flags, place, assertions=assertions)
        if dialect == "python"
        else parse_ecma(text, flags, place)
    )
    return Pattern(text, dialect, flags, root)


def pattern_language(
    text: str,
    *,
    dialect: Dialect,
    flags: str = "",
    search: bool = False,
    place: Place | None = None,
) -> Regular:
    r"""The texts that match the whole pattern, or with `search` those that contain a match.

    Anchors are honoured wherever they stand; lookahead assertions are exact (intersection or
    complement) unless they sit in an unbounded repetition. Bounded repetitions keep their bounds
    as numbers.

    Raises:
        PatternError: the pattern is malformed.
        UnsupportedPattern: some backreferences, ``\b``, lookbehind (but for one or a few
            characters), lookahead in a loop, multi-line anchors, conditional or atomic groups.
    """
    if place is None:
        return _cached_language(text, dialect, flags, search)
    return _language(text, dialect, flags, search, place)


def _language(
    text: str, dialect: Dialect, flags: str, search: bool, place: Place | None
) -> Regular:
    pattern = parse_pattern(text, dialect=dialect, flags=flags, place=place)
    refuse = _refusal(text, place)
    looks = [node for node in walk_nodes(pattern.root) if isinstance(node, Look)]
    if looks and not any(look.ahead for look in looks):
        from slm.grammar.ordered import language_with_lookbehind

        return language_with_lookbehind(pattern.root, search=search, refuse=refuse)
    return lower(pattern.root, search=search, refuse=refuse)


@lru_cache(maxsize=1024)
def _cached_language(text: str, dialect: Dialect, flags: str, search: bool) -> Regular:
    return _language(text, dialect, flags, search, None)


class _refusal:  # noqa: N801 - used as a function
    """Raises `UnsupportedPattern` with the column of a construct."""

    def __init__(self, text: str, place: Place | None) -> None:
        self.text, self.place = text, place

    def __call__(self, what: str, written: str) -> UnsupportedPattern:
        return UnsupportedPattern(
            f"{what} cannot be turned into an exact constraint",
            at=pattern_place(self.text, self.place, find_construct(self.text, written) or 0, 2),
            hint="write the pattern without it",
        )

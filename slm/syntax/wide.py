"""Languages of lexemes over characters, from those over letters or from how they are made."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeAlias

from slm.grammar.regular import (
    ANY_CHAR,
    ANYTHING,
    NOTHING,
    Chars,
    Intersection,
    Regular,
    Union,
    complement,
    intersection,
    repeat,
)

ANY_WORD = repeat(ANY_CHAR, 1)
# A terminal, the type its matches become, and the renames that are tried on them.
Wanted: TypeAlias = "tuple[str, str, tuple[str, ...]]"


class Wide:
    """What matches of terminals become tokens, as far as words decide that; equal ones are shared.

    Args:
        words: the terminals' languages, by name; those without one match any word.
    """

    def __init__(self, words: Mapping[str, Regular]) -> None:
        self._words = words
        self._excluded: dict[tuple[str, ...], Regular] = {}

    def made_of(self, wanted: Wanted) -> Regular:
        """The words of `wanted`."""
        source, name, renames = wanted
        words = self._words.get(source, ANY_WORD)
        others = renames
        if source != name:
            others = renames[: renames.index(name)]
            words = _both(words, self._words[name])
        if not others:
            return words
        if others not in self._excluded:
            self._excluded[others] = complement(Union(tuple(self._words[each] for each in others)))
        return _both(words, self._excluded[others])


def _both(left: Regular, right: Regular) -> Regular:
    """`intersection`, which hashes all of its parts where that is not needed to tell them apart."""
    parts: list[Regular] = []
    for each in (left, right):
        parts += each.parts if isinstance(each, Intersection) else (each,)
    special = ANYTHING in parts or NOTHING in parts
    special = special or all(isinstance(each, Chars) for each in parts)
    if special or any(parts[at] in parts[:at] for at in range(1, len(parts))):
        return intersection(left, right)
    return Intersection(tuple(parts))

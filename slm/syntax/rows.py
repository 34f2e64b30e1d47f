"""Terminals that are rows of letters: words, in the main, of which a grammar can have thousands."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeAlias

from slm.grammar.regular import Chars, Concat, Regular
from slm.syntax.alphabet import Alphabet

_Row: TypeAlias = tuple[frozenset[int], ...]
WIDE = 16  # letters at one place: what has more is no word


class Rows:
    """Tells in no time of two words that no text begins with both.

    Args:
        words: the languages of a grammar's terminals, by name.
        alphabet: their letters.
    """

    def __init__(self, words: Mapping[str, Regular], alphabet: Alphabet) -> None:
        rows = {name: _row(alphabet.narrow(each)) for name, each in words.items()}
        self._rows = {name: row for name, row in rows.items() if row is not None}
        self._spelt = {
            name: "".join(chr(letter) for (letter,) in row)
            for name, row in self._rows.items()
            if all(len(letters) == 1 for letters in row)
        }

    def apart(self, one: str, other: str) -> bool:
        """Whether no text begins with a word of each; False where that is not known."""
        word, rest = self._spelt.get(one), self._spelt.get(other)
        if word is not None and rest is not None:
            return not word.startswith(rest) and not rest.startswith(word)
        left, right = self._rows.get(one), self._rows.get(other)
        if left is None or right is None:
            return False
        return any(here.isdisjoint(there) for here, there in zip(left, right, strict=False))


def _row(language: Regular) -> _Row | None:
    parts = language.parts if isinstance(language, Concat) else (language,)
    row = []
    for part in parts:
        if not isinstance(part, Chars) or len(part.charset) > WIDE:
            return None
        row.append(frozenset(part.charset))
    return tuple(row)

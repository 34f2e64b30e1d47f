"""The terminals of a grammar that C++ has lowered, in the form that the engine reads.

What `slm.grammar.flatten` would make of them; but automata come from C++ over letters, and become
words over characters without an object for each of their sets.
"""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from slm.grammar import opcodes
from slm.grammar.charset import CharSet
from slm.grammar.flatten import Flattener
from slm.grammar.regular import Regular

if TYPE_CHECKING:
    from slm._native import LarkLowering


class NativeTerminals(Flattener):
    """Numbers terminals.

    Args:
        native: knows the automata.
        owned: all ranges of characters, ascending: low, high and letter of each.
    """

    def __init__(self, native: LarkLowering, owned: NDArray[np.int32]) -> None:
        super().__init__()
        self._native, self._owned = native, owned
        self._numbers: dict[tuple[str, bool, int], int] = {}
        self._kept: list[object] = []  # so that ids stay their own
        self._chunks: list[NDArray[np.int32]] = []
        self._set_numbers: dict[bytes, int] = {}
        self._of_letters: dict[int, int] = {}
        self._automata: dict[int, int] = {}

    def add(self, name: str, language: Regular | list[int], number: int = 0) -> int:
        """The number of a terminal.

        Args:
            name: its name.
            language: its language; or its automaton, as C++ gives it.
            number: the automaton's.
        """
        over_letters = isinstance(language, list)
        key = (name, over_letters, number if over_letters else id(language))
        known = self._numbers.get(key)
        if known is None:
            known = self._numbers[key] = len(self._numbers)
            if isinstance(language, list):
                node = self._automaton(number, language)
            else:
                self._kept.append(language)
                node = self._language(language)
            self.terminal_words += (node, 0)
        return known

    def first_words(self, rules: int) -> NDArray[np.int32]:
        """The words before the expressions, for so many rules."""
        rest = [rules, self.regular_count, *self.regular, len(self._numbers), *self.terminal_words]
        count = np.array([len(self._chunks)], np.int32)
        return np.concatenate([count, *self._chunks, np.array(rest, np.int32)])

    def _automaton(self, number: int, words: list[int]) -> int:
        known = self._automata.get(number)
        if known is not None:
            return known
        made = [opcodes.DFA, words[1]]
        at = 2
        for _ in range(words[1]):
            end = at + 2 + 2 * words[at + 1]
            made += words[at : at + 2]
            for way in range(at + 2, end, 2):
                made += (self._letters(words[way]), words[way + 1])
            at = end
        self.regular += made
        known = self._automata[number] = self.regular_count
        self.regular_count += 1
        return known

    def _letters(self, letters: int) -> int:
        known = self._of_letters.get(letters)
        if known is None:
            words = self._native.characters(letters, self._owned)
            known = self._of_letters[letters] = self._set(words)
        return known

    def _charset(self, charset: CharSet) -> int:
        known = self._same_sets.get(id(charset))
        if known is None:
            self._kept.append(charset)
            words = np.fromiter(chain((len(charset.ranges),), *charset.ranges), np.int32)
            known = self._same_sets[id(charset)] = self._set(words)
        return known

    def _set(self, words: NDArray[np.int32]) -> int:
        number = self._set_numbers.setdefault(words.tobytes(), len(self._chunks))
        if number == len(self._chunks):
            self._chunks.append(words)
        return number

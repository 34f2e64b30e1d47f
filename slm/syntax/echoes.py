"""Terminals that refer back to a group with any number of words, in a lexer's automata.

Such a terminal has a state for each word of its group, so no automaton can be made of it
beforehand. But none of its words is the beginning of another (`slm.grammar.pattern_echo`), and each
begins with a text of a regular language: its *beginning*, up to the first character behind the
group. Where that settles all that is open, and all that competes, nothing else of the terminal is
ever asked, and the rest of it is left to the engine. Where it does not, the grammar is refused by
name.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeAlias

from slm.errors import SlmError
from slm.grammar.charset import CharSet
from slm.grammar.derivative import Languages, State
from slm.grammar.regular import (
    ANYTHING,
    Chars,
    Concat,
    Echo,
    Regular,
    Repeat,
    Union,
    concat,
    has_echo,
    nullable,
    union,
)
from slm.syntax.alphabet import Alphabet

# Makes the error for a terminal that cannot be lexed exactly, from its name and the reason.
Refuse: TypeAlias = Callable[[str, str], SlmError]


def beginning(language: Regular) -> Regular:
    """The texts up to the first character behind each word that comes again.

    Of a language that has such a word at its end only. Each of its texts begins with just one of
    these.
    """
    match language:
        case Echo(word, then, search):
            return concat(word, Chars(_first_characters(*then, *search)))
        case Concat(parts):
            return concat(*(beginning(part) for part in parts))
        case Union(options):
            return union(*(beginning(option) for option in options))
        case _:
            return language


def last_characters(language: Regular) -> CharSet:
    """Characters that a text of the language can end with, and maybe others."""
    match language:
        case Chars(charset):
            return charset
        case Concat(parts):
            return _last_of(parts, None)
        case Union(options):
            found = CharSet.EMPTY
            for option in options:
                found |= last_characters(option)
            return found
        case Repeat(body):
            return last_characters(body)
        case Echo(word, then, search):
            return _last_of((*then, *search), word)
        case _:
            return CharSet.ALL


def _last_of(parts: tuple[Regular | None, ...], word: Regular | None) -> CharSet:
    found = CharSet.EMPTY
    for part in reversed(parts):
        here = word if part is None else part
        assert here is not None
        found |= last_characters(here)
        if not nullable(here):
            return found
    return found if word is None else found | last_characters(word)


def _first_characters(*parts: Regular | None) -> CharSet:
    """Of a row of parts, of which a language comes before the word does."""
    found = CharSet.EMPTY
    pool = Languages()
    for part in parts:
        assert part is not None, "the next character decides that the word is over"
        state = pool.state(part)
        found |= CharSet.from_ranges(
            (low, high) for low, high, to in pool.edges(state) if pool.alive(to)
        )
        if not pool.accepts(state):
            break
    return found


class Echoes:
    """Which terminals these are, and how they stand to the others.

    Args:
        words: the languages of a grammar's terminals, by name.
        refuse: see `Refuse`.
    """

    def __init__(self, words: Mapping[str, Regular], refuse: Refuse) -> None:
        self._words, self.refuse = words, refuse
        self._names = frozenset(name for name, each in words.items() if has_echo(each))
        self._together: dict[tuple[State, State], bool] = {}

    def __contains__(self, name: str) -> bool:
        return name in self._names

    def beginnings(self) -> dict[str, Regular]:
        """All languages; of these terminals, their beginnings."""
        return {
            name: beginning(each) if name in self._names else each
            for name, each in self._words.items()
        }

    def check_renames(self, source: str, name: str, renames: tuple[str, ...]) -> None:
        """Matches of these terminals may not be tokens of another type."""
        if source in self._names and (renames or source != name):
            others = ", ".join(f"`{each}`" for each in renames)
            raise self.refuse(source, f"matches of it may be all of {others}")

    def check_ignored(self, name: str) -> None:
        """Nor may they be ignored: runs of ignored text are automata."""
        if name in self._names:
            raise self.refuse(name, "it is ignored")

    def competes(
        self, pool: Languages, source: str, mine: object, rival: str, other: object
    ) -> bool:
        """Whether a rival has to be looked at: a text may begin with a match of each.

        Args:
            pool: of the states.
            source: the terminal that is read.
            mine: its state; something else for one with assertions.
            rival: a terminal that is preferred to it.
            other: its state, as `mine`.

        Raises:
            SlmError: through `refuse`: one of these terminals is the rival, and that is so.
        """
        if rival not in self._names:
            return True  # as a lexeme is read, its rivals are looked at
        if isinstance(mine, int) and isinstance(other, int):
            key = (mine, other)
            if key not in self._together:
                anything = pool.state(ANYTHING)
                both = (pool.concat(mine, anything), pool.concat(other, anything))
                self._together[key] = pool.alive(pool.intersection(both))
            if not self._together[key]:
                return False
        raise self.refuse(rival, f"matches of `{source}` may begin like it, and come after it")

    def last_class(self, source: str, classes: tuple[CharSet, ...], alphabet: Alphabet) -> int:
        """The number of the one class, of those that others look back at, that it ends with.

        The classes are of the alphabet's letters.
        """
        ends = alphabet.letters(last_characters(self._words[source]))
        found = [number for number, charset in enumerate(classes, 2) if ends & charset]
        covered = CharSet.from_ranges(pair for each in classes for pair in each.ranges)
        if ends - covered:
            found.append(1)
        if len(found) != 1:
            raise self.refuse(source, "another terminal looks back at its last character")
        return found[0]

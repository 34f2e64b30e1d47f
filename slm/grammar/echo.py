"""What is left of an `Echo`, or a `Label`, of which something was read, in a pool of states."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TypeAlias

from slm.errors import GrammarTooComplex
from slm.grammar.edges import State
from slm.grammar.regular import Label

Parts: TypeAlias = tuple[State | None, ...]  # None: the word again


@dataclass(frozen=True, slots=True)
class Begun:
    """A label of which some was read."""

    label: Label
    read: str

    def after(self) -> Iterator[tuple[int, Begun]]:
        """The letters that may follow, and what they lead to."""
        for point in self.label.after(self.read):
            yield point, Begun(self.label, self.read + chr(point))


@dataclass(frozen=True, slots=True)
class Reading:
    """A place in an `Echo`.

    Attributes:
        word: what is left of the word.
        read: what was read of it.
        then: the parts behind it.
        search: and those of which the first place counts.
    """

    word: State
    read: str
    then: Parts
    search: Parts

    def going_on(self, word: State, point: int) -> Reading:
        """After one more code point of the word, of which `word` is left."""
        return replace(self, word=word, read=self.read + chr(point))

    def parts(self) -> Iterator[State]:
        """The states of all parts that are not the word."""
        return (part for part in (*self.then, *self.search) if part is not None)

    def repeats(self) -> bool:
        """Whether the word comes again."""
        return None in self.then or None in self.search


def no_boolean(what: str) -> GrammarTooComplex:
    """The error for a place that would need a search from word to word."""
    return GrammarTooComplex(
        f"a text that has to come again is part of {what}, and need not be one of finitely many",
        hint="leave out the backreference, or what is excluded",
    )

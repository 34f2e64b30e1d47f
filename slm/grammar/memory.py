"""What a grammar remembers of the text beside its rules: what no context-free rule can say.

The rules talk to a memory by *marks*: terminals that stand for no text, each a single character
that no text of the grammar holds. An engine takes them by itself, and tells the memory. Where a
text may hold any character, marks are code points behind the last of Unicode (`mark_set`), and
single bytes from 0xF8 up to an engine: UTF-8 has no such bytes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, TypeAlias

from slm.grammar.charset import MAX_CODE_POINT, CharSet


@dataclass(frozen=True, slots=True)
class DistinctItems:
    """JSON arrays whose items are all different.

    In the rules, such an array is ``"[" BEGIN (ITEM item END ("," ITEM item END)*) "]" LEAVE``: the
    marks say where the array and its items begin and end. Arrays nest. Two items are equal if they
    are as JSON values, as the specification says or as a parser with doubles reads them.

    The names of an object's members may be such items, too, each with its colon. Between END and
    the next ITEM stands a comma, outside of any string; what else is there does not matter.
    """

    name: ClassVar[str] = "distinct"
    number: ClassVar[int] = 2  # in kernels/core/program.h

    BEGIN: ClassVar[str] = "\x1c"
    ITEM: ClassVar[str] = "\x1d"
    END: ClassVar[str] = "\x1e"
    LEAVE: ClassVar[str] = "\x1f"

    @property
    def marks(self) -> frozenset[str]:
        """Every mark: control characters, which no JSON text holds unescaped."""
        return frozenset((self.BEGIN, self.ITEM, self.END, self.LEAVE))

    def words(self) -> list[int]:
        """For the native engine: what kind it is, then a list of parameters."""
        return [self.number, 0]


@dataclass(frozen=True, slots=True)
class Indentation:
    """Columns of lines, as Lark's `Indenter` counts them; see `slm.mask.indentation`.

    The blanks that a line's column is counted in are written between marks: first what the line
    does, INDENT (a level more), or any number of DEDENT (a level less, each) and STAY; then the
    blanks; then END. At the end of the text the levels that are left end with as many DEDENT. The
    first mark follows a line break. What has been read can always be finished with columns that
    fit; `slm.syntax.indent_lexing` writes such rules.

    Attributes:
        tab: how many columns a tab is; a space is one.
        goes_on: whether, wherever blanks have begun, their characters can also be read by the
            terminal before them, on to another line break with the same answers. Masks are faster
            then, and nothing else.
    """

    tab: int
    goes_on: bool = False

    name: ClassVar[str] = "indentation"
    number: ClassVar[int] = 1

    END: ClassVar[int] = 0xF8
    INDENT: ClassVar[int] = 0xF9
    DEDENT: ClassVar[int] = 0xFA
    STAY: ClassVar[int] = 0xFB

    @property
    def marks(self) -> frozenset[str]:
        """No characters: its marks are `mark_set`."""
        return frozenset()

    def words(self) -> list[int]:
        """For the native engine: what kind it is, then a list of parameters."""
        return [self.number, 2, self.tab, int(self.goes_on)]


Memory: TypeAlias = DistinctItems | Indentation

MARKS = range(0xF8, 0x100)


def mark_set(byte: int) -> CharSet:
    """The set that stands for a mark in a terminal: one code point behind the last of Unicode."""
    assert byte in MARKS
    point = MAX_CODE_POINT + 1 + byte - MARKS.start
    return CharSet(((point, point),))


def mark_of(charset: CharSet) -> int | None:
    """The mark that a set stands for, if it does."""
    if not charset.ranges or charset.ranges[0][0] <= MAX_CODE_POINT:
        return None
    return charset.ranges[0][0] - MAX_CODE_POINT - 1 + MARKS.start

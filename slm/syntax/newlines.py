"""Newline tokens under an `Indenter`: split, numbered, and what their columns ask of the memory."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from slm.errors import SlmError
from slm.grammar import ir
from slm.grammar.memory import Indentation
from slm.grammar.regular import Dfa, Regular
from slm.syntax.indent import Indents
from slm.syntax.indent_lines import column_grid, split_lines

# What is said about columns, in the order in which C++ numbers it.
MARKS = {
    "indent": ir.mark(Indentation.INDENT, "INDENT"),
    "dedent": ir.mark(Indentation.DEDENT, "DEDENT"),
    "stay": ir.mark(Indentation.STAY, "STAY"),
    "end": ir.mark(Indentation.END, "END"),
}


class Newlines:
    """The beginnings of lines that some languages have, and the blanks behind them, by number.

    Args:
        indents: what the post-lexer says.
        not_free: makes the error for a newline token that can not reach every column.
        too_complex: makes the error for one that needs too many states.

    Attributes:
        begins: texts up to a last line break.
        blanks: what can come behind one.
        grid: the step between columns; 0: there is one column only; None: nobody knows yet.
    """

    marks = tuple(MARKS.values())

    def __init__(
        self,
        indents: Indents,
        not_free: Callable[[], SlmError],
        too_complex: Callable[[str], SlmError],
    ) -> None:
        self.name, self._tab = indents.newline, indents.tab
        self._not_free, self._too_complex = not_free, too_complex
        self.begins: list[Regular] = []
        self.blanks: list[Dfa] = []
        self._numbers: dict[Dfa, int] = {}
        self.grid: int | None = None
        self._goes_on = True

    def memory(self) -> Indentation:
        """The memory for the marks in what was written."""
        return Indentation(self._tab, self._goes_on)

    def split(self, languages: Sequence[Regular]) -> list[tuple[int, list[tuple[int, int]]]]:
        """The texts of some languages, by what can come behind the last line break.

        Returns:
            For each such way a number in `begins`, and numbers of languages, each with one in
            `blanks`.

        Raises:
            UnsupportedLarkFeature: columns are not free.
            GrammarTooComplex: too many states.
        """
        lines = split_lines(languages)
        if lines is None:
            raise self._too_complex(self.name)
        found = []
        for line in lines:
            self._goes_on = self._goes_on and line.goes_on
            found.append(
                (len(self.begins), [(which, self._number(blanks)) for which, blanks in line.blanks])
            )
            self.begins.append(line.begin)
        return found

    def words(self, languages: Sequence[Regular]) -> list[int]:
        """What `split` gives as C++ reads it: `kernels/bind/lower.cc`."""
        lines = self.split(languages)
        words = [int(self.grid == 0), len(lines)]
        for begin, blanks in lines:
            words += (begin, len(blanks))
            for which, number in blanks:
                words += (which, number, int(0 in self.blanks[number].accepting))
        return words

    def _number(self, blanks: Dfa) -> int:
        number = self._numbers.get(blanks)
        if number is None:
            grid = column_grid(blanks, self._tab)
            if grid is None or self.grid not in (None, grid):
                raise self._not_free()
            self.grid = grid
            number = self._numbers[blanks] = len(self.blanks)
            self.blanks.append(blanks)
        return number

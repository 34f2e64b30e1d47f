r"""The reference for columns: the rules' engine, and a stack of levels beside it.

The rules (`slm.grammar.memory.Indentation`) write, where a line begins, first what it does to the
levels, then its blanks, then an end mark:

    x = 1 \n  INDENT  ␣␣␣␣  END  y = 2 \n  DEDENT STAY  END  z = 3

Marks are no part of the text. Behind a line break every answer that the rules can take is tried, as
a *thread*: the rules' position, the levels, and, while blanks are read, their column so far and the
one that the answer needs. The end mark is taken where the two agree, and a thread that is past its
column is dropped.

A thread is viable as long as it is there. The rules can always finish, since they are pruned; they
close as many levels as are open (`slm.syntax.indent` sees to that); and blanks can go on to any
column (`slm.syntax.indent_lines`). So any way in which the rules finish can be written with columns
that fit.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple, TypeAlias

from slm.grammar.ir import Grammar, Terminal, is_mark
from slm.grammar.memory import MARKS, Indentation
from slm.mask.earley import Column
from slm.mask.reference import ReferenceEngine
from slm.vocab import Vocabulary

_Rules: TypeAlias = tuple[Column, bytes]


class Blanks(NamedTuple):
    """The beginning of a line that is being read.

    Attributes:
        column: of the blanks so far.
        level: the column that they have to make; None: any beyond the last level.
    """

    column: int
    level: int | None


class Thread(NamedTuple):
    """One reading of the text.

    Attributes:
        rules: the rules' position.
        levels: the columns of the lines that have begun a level, the first one's included.
        blanks: None: none are being read.
    """

    rules: _Rules
    levels: tuple[int, ...]
    blanks: Blanks | None


class IndentationEngine(ReferenceEngine):
    """The slow twin of the native engine for grammars with columns. A position is a set of threads.

    Raises:
        EmptyLanguage: the grammar derives nothing.
        VocabularyCannotSpell: the vocabulary lacks bytes, so that columns could not be made.
    """

    def __init__(self, grammar: Grammar, vocabulary: Vocabulary) -> None:
        assert isinstance(grammar.memory, Indentation)
        self._widths = {ord(" "): 1, ord("\t"): grammar.memory.tab}
        super().__init__(grammar, vocabulary)
        self.start = self._closed([Thread(self.start, (0,), None)])

    def step_byte(self, position: frozenset[Thread], byte: int) -> frozenset[Thread] | None:
        """The threads after one more byte; None when there are none."""
        if byte in MARKS:
            return None
        found: list[Thread] = []
        for rules, levels, blanks in position:
            after = super().step_byte(rules, byte)
            if after is None:
                continue
            if blanks is not None:
                blanks = blanks._replace(column=blanks.column + self._widths.get(byte, 0))
                if blanks.level is not None and blanks.column > blanks.level:
                    continue
            found.append(Thread(after, levels, blanks))
        return self._closed(found) or None

    def waiting(self, position: frozenset[Thread]) -> list[tuple[str, str, Terminal]]:
        """What may read the next bytes, in any thread."""
        found = {
            (name, rule, id(terminal)): terminal
            for thread in position
            for name, rule, terminal in super(IndentationEngine, self).waiting(thread.rules)
            if not is_mark(terminal)
        }
        return sorted(
            ((name, rule, terminal) for (name, rule, _), terminal in found.items()),
            key=lambda wait: wait[:2],
        )

    def forbids(self, position: frozenset[Thread], byte: int) -> bool:
        """Whether the rules would go on with the byte, in or behind the blanks of a line."""
        if byte in MARKS or self.step_byte(position, byte) is not None:
            return False
        for thread in position:
            if thread.blanks is None:
                continue
            ways = thread.rules, self._mark(thread.rules, Indentation.END)
            for way in ways:
                if way is not None and super().step_byte(way, byte) is not None:
                    return True
        return False

    def is_complete(self, position: frozenset[Thread]) -> bool:
        """Whether the text may end: then all levels do."""
        for rules, levels, blanks in position:
            if blanks is not None:
                continue
            after: _Rules | None = rules
            for _ in levels[1:]:
                after = None if after is None else self._mark(after, Indentation.DEDENT)
            if after is not None and super().is_complete(after):
                return True
        return False

    def _mark(self, rules: _Rules, mark: int) -> _Rules | None:
        return None if rules[1] else super().step_byte(rules, mark)

    def _closed(self, threads: Iterable[Thread]) -> frozenset[Thread]:
        """The threads, and those that go past marks from them."""
        found = dict.fromkeys(threads)
        queue = list(found)
        for thread in queue:  # grows while it is walked
            for more in self._answers(thread) if thread.blanks is None else self._ended(thread):
                if more not in found:
                    found[more] = None
                    queue.append(more)
        return frozenset(found)

    def _answers(self, thread: Thread) -> Iterable[Thread]:
        """What the line that begins may do to the levels."""
        rules, levels, _ = thread
        deeper = self._mark(rules, Indentation.INDENT)
        if deeper is not None:
            yield Thread(deeper, levels, Blanks(0, None))
        while levels:
            stays = self._mark(rules, Indentation.STAY)
            if stays is not None:
                yield Thread(stays, levels, Blanks(0, levels[-1]))
            less = self._mark(rules, Indentation.DEDENT)
            if less is None:
                return
            rules, levels = less, levels[:-1]

    def _ended(self, thread: Thread) -> Iterable[Thread]:
        """The thread after its blanks, if they make a column that fits."""
        rules, levels, blanks = thread
        assert blanks is not None
        fits = blanks.column > levels[-1] if blanks.level is None else blanks.column == blanks.level
        after = self._mark(rules, Indentation.END) if fits else None
        if after is not None:
            deeper = (blanks.column,) if blanks.level is None else ()
            yield Thread(after, (*levels, *deeper), None)

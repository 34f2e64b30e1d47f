"""A grammar as the array of integers that the native engine reads, and again as rules.

`slm.grammar.flatten` makes the array of rules; here it is read back. So what has made the array
need not make the rules, too, and a file can keep a grammar.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from slm.errors import Place
from slm.grammar import opcodes
from slm.grammar.charset import CharSet
from slm.grammar.flatten import Flattener
from slm.grammar.ir import EMPTY, Call, Choice, Expression, Grammar, Many, Rule, Seq, Terminal
from slm.grammar.memory import Memory
from slm.grammar.regular import (
    Chars,
    Complement,
    Concat,
    Dfa,
    Echo,
    Intersection,
    Label,
    Multiple,
    Regular,
    Repeat,
    Union,
)

Named: TypeAlias = "tuple[str, Place | None]"  # a rule or a terminal, and where it is written


@dataclass(frozen=True, eq=False)
class Written:
    """A grammar in the form that the native engine reads.

    Attributes:
        words: see `slm.grammar.flatten`.
        rules: their names and places.
        terminals: the same, one for each expression that is a terminal, in the order of the words.
        memory: the grammar's; it is in the words, too.
    """

    words: NDArray[np.int32]
    rules: tuple[Named, ...]
    terminals: tuple[Named, ...]
    memory: Memory | None = None

    @classmethod
    def of(cls, grammar: Grammar) -> Written:
        """A grammar, written."""
        flat = Flattener(grammar)
        words = flat.words()
        rules = tuple((rule.name, rule.place) for rule in grammar.rules)
        nodes = (flat.terminal_nodes[number] for number in sorted(flat.terminal_nodes))
        terminals = tuple((each.name, each.place) for each in nodes)
        return cls(words, rules, terminals, grammar.memory)

    def deferred(self) -> Grammar:
        """The grammar; its rules are made when something looks at them."""
        return Grammar.deferred(self.grammar, self.words, self.memory, self)

    def grammar(self) -> Grammar:
        """The grammar with its rules.

        What is one node in the words is one object, so that the same words can be made of it.
        Cost: O(words).
        """
        read = _Reader(self.words.tolist())
        sets = [read.charset() for _ in range(read.word())]
        rules = read.word()
        languages: list[Regular] = []
        for _ in range(read.word()):
            languages.append(read.language(sets, languages))
        leaves = [(read.word(), read.word()) for _ in range(read.word())]
        first = len(languages)
        made: list[Expression] = []
        names = [name for name, _ in self.rules]
        given = iter(self.terminals)
        for _ in range(read.word()):
            op = read.word()
            if op == opcodes.TERMINAL:
                language, longest = leaves[read.word()]
                name, place = next(given)
                leaf = Terminal(name, languages[language], place=place, longest=bool(longest & 1))
                made.append(leaf)
            elif op == opcodes.CALL:
                made.append(Call(names[read.word()]))
            elif op == opcodes.MANY:
                body, low, high = read.word(), read.word(), read.word()
                made.append(Many(made[body - first], low, None if high < 0 else high))
            else:
                parts = tuple([made[part - first] for part in read.list()])
                made.append(
                    Choice(parts) if op == opcodes.CHOICE else Seq(parts) if parts else EMPTY
                )
        bodies = [made[read.word() - first] for _ in range(rules)]
        written = tuple(
            Rule(name, body, place) for (name, place), body in zip(self.rules, bodies, strict=True)
        )
        return Grammar(written, names[read.word()], self.memory)


class _Reader:
    """The words, one after the other."""

    def __init__(self, words: Sequence[int]) -> None:
        self._words, self._at = words, 0

    def word(self) -> int:
        self._at += 1
        return self._words[self._at - 1]

    def list(self) -> Sequence[int]:
        count = self.word()
        self._at += count
        return self._words[self._at - count : self._at]

    def charset(self) -> CharSet:
        return CharSet(tuple([(self.word(), self.word()) for _ in range(self.word())]))

    def language(self, sets: Sequence[CharSet], made: Sequence[Any]) -> Regular:
        """A regular language; a row of single characters is a `Concat` until it is in one."""
        op = self.word()
        if op == opcodes.CHARS:
            return Chars(sets[self.word()])
        if op == opcodes.REPEAT:
            body, low, high = made[self.word()], self.word(), self.word()
            return Repeat(body, low, None if high < 0 else high)
        if op == opcodes.COMPLEMENT:
            return Complement(made[self.word()])
        if op == opcodes.DFA:
            return self._dfa(sets)
        if op == opcodes.MULTIPLE:
            return Multiple(self._wide(), self._wide(), self.word())
        if op == opcodes.LABEL:
            return Label(sets[self.word()])
        if op == opcodes.ECHO:
            word, *others = [made[number] for number in self.list()]
            behind = tuple([None if self.word() else part for part in others])
            then = self.word() - 1
            return Echo(word, behind[:then], behind[then:])
        numbers = self.list()
        if op == opcodes.LITERAL:
            return _Run(tuple([Chars(CharSet(((point, point),))) for point in numbers]))
        if op == opcodes.CONCAT:
            parts: list[Regular] = []
            for number in numbers:
                part = made[number]
                parts.extend(part.parts if type(part) is _Run else (part,))
            return Concat(tuple(parts))
        inner = tuple([made[number] for number in numbers])
        return Union(inner) if op == opcodes.UNION else Intersection(inner)

    def _wide(self) -> int:
        low = self.word()
        return low | self.word() << 30

    def _dfa(self, sets: Sequence[CharSet]) -> Dfa:
        edges: list[tuple[tuple[CharSet, int], ...]] = []
        accepting: set[int] = set()
        for state in range(self.word()):
            if self.word():
                accepting.add(state)
            edges.append(tuple([(sets[self.word()], self.word()) for _ in range(self.word())]))
        return Dfa(tuple(edges), frozenset(accepting))


class _Run(Concat):
    """Single characters, on their way into the `Concat` that they are part of."""

"""A grammar as one array of integers: how it crosses the boundary to C++.

Character sets, then regular languages, terminals, expressions and rules, children always before
their parents; `kernels/core/program.h` is the other end.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from slm.errors import GrammarTooComplex
from slm.grammar import opcodes
from slm.grammar.charset import CharSet
from slm.grammar.ir import Call, Choice, Expression, Grammar, Many, Seq, Terminal
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

_MAX_COUNT = 2**31 - 2


class Flattener:
    """Numbers the nodes of a grammar, children first, each shared object once."""

    def __init__(self, grammar: Grammar | None = None) -> None:
        self.grammar = grammar
        self.sets: list[int] = []
        self.regular: list[int] = []
        self.expressions: list[int] = []
        self.terminal_words: list[int] = []
        rules = grammar.rules if grammar is not None else ()
        self.rule_index = {rule.name: i for i, rule in enumerate(rules)}
        self._set_ids: dict[CharSet, int] = {}
        # By identity: hashing a tree costs its size at every level, and front ends share nodes.
        # The grammar keeps the nodes alive, so ids are not reused.
        self._regular_ids: dict[int, int] = {}
        self._same_sets: dict[int, int] = {}
        self._expression_ids: dict[int, int] = {}
        self._terminal_ids: dict[int, int] = {}
        self._same_terminals: dict[tuple[str, int, bool], int] = {}
        self.terminal_nodes: dict[int, Terminal] = {}  # expression node → what it stands for
        self.regular_count = self.expression_count = 0
        self.terminals: list[Terminal] = []

    def words(self) -> NDArray[np.int32]:
        """All of the grammar."""
        grammar = self.grammar
        assert grammar is not None
        for rule in grammar.rules:
            self._collect_terminals(rule.body)
        rules = [self._expression(rule.body) for rule in grammar.rules]
        flat = self.head(len(rules))
        flat += [self.expression_count, *self.expressions]
        flat += [*rules, self.rule_index[grammar.start]]
        if grammar.memory is not None:
            flat += grammar.memory.words()
        return np.array(flat, np.int32)

    def add_terminals(self, terminals: Sequence[Terminal]) -> list[int]:
        """Number terminals in this order; one that is like an earlier one has its number."""
        for terminal in terminals:
            self._collect_terminals(terminal)
        return [self._terminal_ids[id(terminal)] for terminal in terminals]

    def head(self, rules: int) -> list[int]:
        """The words before the expressions, for so many rules."""
        flat = [len(self._set_ids), *self.sets, rules]
        flat += [self.regular_count, *self.regular]
        return [*flat, len(self.terminals), *self.terminal_words]

    def _collect_terminals(self, body: Expression) -> None:
        """Number terminals and their languages before any expression refers to them."""
        stack = [body]
        while stack:
            node = stack.pop()
            match node:
                case Terminal():
                    if id(node) in self._terminal_ids:
                        continue
                    # Copies that differ in their place only are one terminal of the engine.
                    key = (node.name, id(node.language), node.longest)
                    number = self._same_terminals.setdefault(key, len(self.terminals))
                    self._terminal_ids[id(node)] = number
                    if number == len(self.terminals):
                        self.terminals.append(node)
                        self.terminal_words += [self._language(node.language), int(node.longest)]
                case Seq(parts):
                    stack.extend(reversed(parts))
                case Choice(options):
                    stack.extend(reversed(options))
                case Many(inner, _, _):
                    stack.append(inner)

    def _charset(self, charset: CharSet) -> int:
        same = self._same_sets.get(id(charset))
        if same is not None:
            return same
        known = self._set_ids.get(charset)
        if known is None:
            known = self._set_ids[charset] = len(self._set_ids)
            self.sets.append(len(charset.ranges))
            for low, high in charset.ranges:
                self.sets += [low, high]
        self._same_sets[id(charset)] = known
        return known

    def _language(self, node: Regular) -> int:
        known = self._regular_ids.get(id(node))
        if known is not None:
            return known
        match node:
            case Chars(charset):
                words = [opcodes.CHARS, self._charset(charset)]
            case Concat(parts):
                numbers = self._concat(parts)
                words = [opcodes.CONCAT, len(numbers), *numbers]
            case Union(options):
                words = [opcodes.UNION, len(options), *map(self._language, options)]
            case Intersection(parts):
                words = [opcodes.INTERSECTION, len(parts), *map(self._language, parts)]
            case Repeat(body, low, high):
                words = [opcodes.REPEAT, self._language(body), *_bounds(low, high)]
            case Complement(body):
                words = [opcodes.COMPLEMENT, self._language(body)]
            case Dfa(edges, accepting):
                words = [opcodes.DFA, len(edges)]
                for state, out in enumerate(edges):
                    words += [int(state in accepting), len(out)]
                    for charset, target in out:
                        words += [self._charset(charset), target]
            case Multiple(modulus, rest, most):
                words = [opcodes.MULTIPLE, *opcodes.wide(modulus), *opcodes.wide(rest), most]
            case Label(letters):
                words = [opcodes.LABEL, self._charset(letters)]
            case Echo(word, then, search):
                behind = (*then, *search)
                first = self._language(word)
                numbers = [first if part is None else self._language(part) for part in behind]
                words = [opcodes.ECHO, 1 + len(behind), first, *numbers]
                words += [*(int(part is None) for part in behind), 1 + len(then)]
        self.regular += words
        number = self._regular_ids[id(node)] = self.regular_count
        self.regular_count += 1
        return number

    def _concat(self, parts: tuple[Regular, ...]) -> list[int]:
        """The parts' numbers; runs of single characters, which are most of a schema, are one."""
        numbers: list[int] = []
        run: list[int] = []
        for part in parts:
            ranges = part.charset.ranges if type(part) is Chars else ()
            if len(ranges) == 1 and ranges[0][0] == ranges[0][1]:
                run.append(ranges[0][0])
                continue
            if run:
                numbers.append(self._literal(run))
                run = []
            numbers.append(self._language(part))
        if run:
            numbers.append(self._literal(run))
        return numbers

    def _literal(self, points: list[int]) -> int:
        self.regular += [opcodes.LITERAL, len(points), *points]
        self.regular_count += 1
        return self.regular_count - 1

    def _expression(self, node: Expression) -> int:
        known = self._expression_ids.get(id(node))
        if known is not None:
            return known
        match node:
            case Terminal():
                words = [opcodes.TERMINAL, self._terminal_ids[id(node)]]
            case Call(rule):
                words = [opcodes.CALL, self.rule_index[rule]]
            case Seq(parts):
                words = [opcodes.SEQ, len(parts), *map(self._expression, parts)]
            case Choice(options):
                words = [opcodes.CHOICE, len(options), *map(self._expression, options)]
            case Many(body, low, high):
                words = [opcodes.MANY, self._expression(body), *_bounds(low, high)]
        self.expressions += words
        # Expression nodes are numbered after the regular ones.
        number = self._expression_ids[id(node)] = self.regular_count + self.expression_count
        self.expression_count += 1
        if type(node) is Terminal:
            self.terminal_nodes[number] = node
        return number


def _bounds(low: int, high: int | None) -> tuple[int, int]:
    """The bounds as the engine's 32-bit counters; -1 is no upper bound.

    Raises:
        GrammarTooComplex: so many repetitions are required that no text can hold them.
    """
    if low > _MAX_COUNT:
        raise GrammarTooComplex(
            f"{low} repetitions are required, and counters end at {_MAX_COUNT}",
            hint="lower the bound",
        )
    # An upper bound beyond the counters is beyond what any text in memory reaches.
    return low, -1 if high is None or high > _MAX_COUNT else high


def flatten_language(language: Regular) -> list[int]:
    """One regular language alone: character sets, nodes, and the number of its node.

    Raises:
        GrammarTooComplex: a count is too large.
        RecursionError: it is nested too deeply.
    """
    flat = Flattener()
    number = flat._language(language)
    return [len(flat._set_ids), *flat.sets, flat.regular_count, *flat.regular, number]


def terminal_names(grammar: Grammar) -> list[str]:
    """The names of the terminals, by their numbers in `Flattener.words`."""
    flat = Flattener(grammar)
    for rule in grammar.rules:
        flat._collect_terminals(rule.body)
    return [terminal.name for terminal in flat.terminals]


def terminal_nodes(grammar: Grammar) -> dict[int, Terminal]:
    """The terminals as they stand in the rules, by the numbers of their nodes in the words."""
    flat = Flattener(grammar)
    flat.words()
    return flat.terminal_nodes

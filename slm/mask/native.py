"""The C++ engine behind the interface of `slm.mask.session`.

The grammar crosses the boundary once, as one array of integers: character sets, then regular
expressions, terminals, expressions and rules, children always before their parents;
`kernels/core/program.h` is the other end. All that is compiled from it lives in C++.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray

from slm import _native
from slm.errors import EmptyLanguage, GrammarTooComplex
from slm.grammar.charset import CharSet
from slm.grammar.ir import Call, Choice, Expression, Grammar, Many, Seq, Terminal
from slm.grammar.regular import (
    Chars,
    Complement,
    Concat,
    Dfa,
    Intersection,
    Regular,
    Repeat,
    Union,
)
from slm.vocab import Vocabulary

_CHARS, _LITERAL, _CONCAT, _UNION, _REPEAT, _INTERSECTION, _COMPLEMENT, _DFA = range(8)
_TERMINAL, _CALL, _SEQ, _CHOICE, _MANY = range(8, 13)
_MAX_COUNT = 2**31 - 2


class _Flattener:
    """Numbers the nodes of a grammar, children first, each shared object once."""

    def __init__(self, grammar: Grammar) -> None:
        self.grammar = grammar
        self.sets: list[int] = []
        self.regular: list[int] = []
        self.expressions: list[int] = []
        self.terminal_words: list[int] = []
        self.rule_index = {rule.name: i for i, rule in enumerate(grammar.rules)}
        self._set_ids: dict[CharSet, int] = {}
        # By identity: hashing a tree costs its size at every level, and front ends share nodes.
        # The grammar keeps the nodes alive, so ids are not reused.
        self._regular_ids: dict[int, int] = {}
        self._expression_ids: dict[int, int] = {}
        self._terminal_ids: dict[int, int] = {}
        self._same_terminals: dict[tuple[str, int, bool], int] = {}
        self.terminal_nodes: dict[int, Terminal] = {}  # expression node → what it stands for
        self.regular_count = self.expression_count = 0
        self.terminals: list[Terminal] = []

    def words(self) -> NDArray[np.int32]:
        grammar = self.grammar
        for rule in grammar.rules:
            self._collect_terminals(rule.body)
        rules = [self._expression(rule.body) for rule in grammar.rules]
        flat = [len(self._set_ids), *self.sets, len(rules)]
        flat += [self.regular_count, *self.regular]
        flat += [len(self.terminals), *self.terminal_words]
        flat += [self.expression_count, *self.expressions]
        flat += [*rules, self.rule_index[grammar.start]]
        return np.array(flat, np.int32)

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
        known = self._set_ids.get(charset)
        if known is None:
            known = self._set_ids[charset] = len(self._set_ids)
            self.sets.append(len(charset.ranges))
            for low, high in charset.ranges:
                self.sets += [low, high]
        return known

    def _language(self, node: Regular) -> int:
        known = self._regular_ids.get(id(node))
        if known is not None:
            return known
        match node:
            case Chars(charset):
                words = [_CHARS, self._charset(charset)]
            case Concat(parts):
                numbers = self._concat(parts)
                words = [_CONCAT, len(numbers), *numbers]
            case Union(options):
                words = [_UNION, len(options), *map(self._language, options)]
            case Intersection(parts):
                words = [_INTERSECTION, len(parts), *map(self._language, parts)]
            case Repeat(body, low, high):
                words = [_REPEAT, self._language(body), *_bounds(low, high)]
            case Complement(body):
                words = [_COMPLEMENT, self._language(body)]
            case Dfa(edges, accepting):
                words = [_DFA, len(edges)]
                for state, out in enumerate(edges):
                    words += [int(state in accepting), len(out)]
                    for charset, target in out:
                        words += [self._charset(charset), target]
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
        self.regular += [_LITERAL, len(points), *points]
        self.regular_count += 1
        return self.regular_count - 1

    def _expression(self, node: Expression) -> int:
        known = self._expression_ids.get(id(node))
        if known is not None:
            return known
        match node:
            case Terminal():
                words = [_TERMINAL, self._terminal_ids[id(node)]]
            case Call(rule):
                words = [_CALL, self.rule_index[rule]]
            case Seq(parts):
                words = [_SEQ, len(parts), *map(self._expression, parts)]
            case Choice(options):
                words = [_CHOICE, len(options), *map(self._expression, options)]
            case Many(body, low, high):
                words = [_MANY, self._expression(body), *_bounds(low, high)]
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


_tables: WeakKeyDictionary[Vocabulary, _native.VocabularyTables] = WeakKeyDictionary()


def vocabulary_tables(vocabulary: Vocabulary) -> _native.VocabularyTables:
    """The vocabulary's trie and indexes, built once and shared by all grammars."""
    tables = _tables.get(vocabulary)
    if tables is None:
        tables = _tables[vocabulary] = _native.VocabularyTables(list(vocabulary.tokens))
    return tables


@dataclass(frozen=True, slots=True)
class _Names:
    """What the engine's numbers stand for, for people."""

    terminals: list[str]
    rules: list[str]
    nodes: dict[int, Terminal]  # by the number of the expression node that is one


class NativeEngine:
    """A grammar compiled in C++ for one vocabulary. Immutable from outside, safe between threads.

    Raises:
        EmptyLanguage: no text at all matches.
        GrammarTooComplex: a bound on states or depth was hit.

    Cost: O(size of the grammar); states and masks are computed when first needed.
    """

    def __init__(self, grammar: Grammar, vocabulary: Vocabulary) -> None:
        flattener = _Flattener(grammar)
        try:
            words = flattener.words()
            self._engine = _native.Engine(
                words, vocabulary_tables(vocabulary), list(vocabulary.eos_ids)
            )
        except RecursionError:
            raise GrammarTooComplex(
                "the grammar is nested too deeply",
                hint="give deeply nested parts rules of their own",
            ) from None
        except _native.NoText:
            raise EmptyLanguage(
                f"no text at all matches the rule `{grammar.start}`",
                at=grammar.by_name[grammar.start].place,
                hint="give every recursive rule an alternative that ends",
            ) from None
        self._names = _Names(
            [terminal.name for terminal in flattener.terminals],
            [rule.name for rule in grammar.rules],
            flattener.terminal_nodes,
        )

    def session(self) -> NativeSession:
        """A new text."""
        return NativeSession(self._engine.session(), self._names)

    def stats(self) -> dict[str, int]:
        """States made so far, bytes held, mask hits and misses."""
        return self._engine.stats()


class NativeSession:
    """See `slm.mask.session.Session`."""

    __slots__ = (
        "_names",
        "_session",
        "accept",
        "check",
        "fill_mask",
        "fill_mask_within",
        "fill_row",
        "fits",
        "forced_bytes",
        "is_complete",
        "is_finished",
        "look_ahead",
        "only_tokens",
        "rollback",
        "tokens",
        "tokens_left",
        "verify",
        "viable_length",
    )

    def __init__(self, session: _native.Session, names: _Names) -> None:
        self._session, self._names = session, names
        # Bound methods of the C++ object: a call of these costs no Python frame.
        self.fill_mask = session.fill_mask
        self.fill_row = session.fill_row
        self.fill_mask_within = session.fill_mask_within
        self.tokens_left = session.tokens_left
        self.fits = session.fits
        self.accept = session.accept
        self.check = session.check
        self.verify = session.verify
        self.rollback = session.rollback
        self.tokens = session.tokens
        self.is_complete = session.is_complete
        self.is_finished = session.is_finished
        self.viable_length = session.viable_length
        self.forced_bytes = session.forced_bytes
        self.look_ahead = session.look_ahead
        self.only_tokens = session.only_tokens

    @staticmethod
    def fill_rows(sessions: Sequence[Any], bitmask: Any, rows: list[int], threads: int) -> bool:
        """The masks of all of them, on several threads."""
        inner = [one._session for one in sessions if type(one) is NativeSession]
        same = len(inner) == len(sessions) and all(row >= 0 for row in rows)
        return same and _native.fill_rows(inner, bitmask, rows, threads)

    def fork(self) -> NativeSession:
        """An independent copy."""
        return NativeSession(self._session.fork(), self._names)

    def expected(self, after: bytes) -> list[tuple[str, str]]:
        """Sorted (terminal, rule) names that may go on after these viable bytes."""
        return sorted({(name, rule) for name, rule, _ in self.waiting(after)})

    def waiting(self, after: bytes) -> list[tuple[str, str, Terminal | None]]:
        """The same, with the terminals as they stand in the rules."""
        found = []
        for terminal, rule, node in sorted(set(self._session.expected(after))):
            names = self._names
            found.append((names.terminals[terminal], names.rules[rule], names.nodes.get(node)))
        return sorted(found, key=lambda wait: wait[:2])

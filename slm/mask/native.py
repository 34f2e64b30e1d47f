"""The C++ engine behind the interface of `slm.mask.session`.

The grammar crosses the boundary once, as one array of integers: character sets, then regular
expressions, terminals, expressions and rules, children always before their parents;
`kernels/core/program.h` is the other end. All that is compiled from it lives in C++.
"""

from __future__ import annotations

import atexit
import os
from collections.abc import Sequence
from functools import cached_property
from threading import RLock
from typing import Any
from weakref import WeakKeyDictionary

from slm import _native
from slm.errors import EmptyLanguage, GrammarTooComplex
from slm.grammar.flatten import Flattener, terminal_names, terminal_nodes
from slm.grammar.ir import Grammar, Terminal
from slm.mask.cache import table_folder
from slm.mask.stats import DEFAULT_MEMORY, SharedStats, Stats
from slm.vocab import Vocabulary

_tables: WeakKeyDictionary[Vocabulary, _native.VocabularyTables] = WeakKeyDictionary()
_tables_lock = RLock()  # a signal's handler may compile, too


def vocabulary_tables(vocabulary: Vocabulary) -> _native.VocabularyTables:
    """The vocabulary's trie and indexes, built once and shared by all grammars."""
    tables = _tables.get(vocabulary)
    if tables is None:
        with _tables_lock:
            tables = _tables.get(vocabulary)
            if tables is None:
                folder = table_folder()
                tables = _native.VocabularyTables(
                    list(vocabulary.tokens), None if folder is None else os.fspath(folder)
                )
                _tables[vocabulary] = tables
    return tables


def save_tables() -> bool:
    """See `slm.mask.save_tables`. Takes no lock of this file, so a signal's handler may call it."""
    return _native.VocabularyTables.save_all()


atexit.register(save_tables)


class _Names:
    """What the engine's numbers stand for, for people; found out when someone asks."""

    def __init__(self, grammar: Grammar) -> None:
        self._grammar = grammar

    @cached_property
    def terminals(self) -> list[str]:
        return terminal_names(self._grammar)

    @cached_property
    def rules(self) -> list[str]:
        return [rule.name for rule in self._grammar.rules]

    @cached_property
    def nodes(self) -> dict[int, Terminal]:
        """By the number of the expression node; a program made elsewhere has its own numbers."""
        return {} if self._grammar.program is not None else terminal_nodes(self._grammar)


class NativeEngine:
    """A grammar compiled in C++ for one vocabulary. Immutable from outside, safe between threads.

    Raises:
        EmptyLanguage: no text at all matches.
        GrammarTooComplex: a bound on states or depth was hit.

    Cost: O(size of the grammar); states and masks are computed when first needed.
    """

    def __init__(
        self, grammar: Grammar, vocabulary: Vocabulary, memory: int = DEFAULT_MEMORY
    ) -> None:
        tables, ends = vocabulary_tables(vocabulary), list(vocabulary.eos_ids)
        self._tables, self._memory = tables, memory
        program = grammar.program
        try:
            if isinstance(program, _native.SchemaProgram):
                self._engine = _native.Engine(program, tables, ends, memory)
            else:
                self._engine = _native.Engine(Flattener(grammar).words(), tables, ends, memory)
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
        self._names = _Names(grammar)

    def session(self) -> NativeSession:
        """A new text."""
        return NativeSession(self._engine.session(), self._names)

    def stats(self) -> Stats:
        """Sizes and counters. Cost: microseconds."""
        shared = SharedStats(**self._tables.stats())
        return Stats(
            engine="native", memory=self._memory, shared=shared, details={}, **self._engine.stats()
        )


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
        "forbids",
        "forced_bytes",
        "is_complete",
        "is_finished",
        "look_ahead",
        "mask_key",
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
        self.mask_key = session.mask_key
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
        self.forbids = session.forbids
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

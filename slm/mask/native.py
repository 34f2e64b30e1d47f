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
from weakref import WeakKeyDictionary, ref

import numpy as np

from slm import _native
from slm.errors import EmptyLanguage, GrammarTooComplex
from slm.folders import table_folder
from slm.grammar.flatten import Flattener, terminal_names, terminal_nodes
from slm.grammar.ir import Grammar, Terminal
from slm.mask.quick import QuickMatcher, accept_slowly, fill_slowly
from slm.mask.spelling import writes_anything
from slm.mask.stats import DEFAULT_MEMORY, SharedStats, Stats
from slm.vocab import Vocabulary

new_matcher: Any = _native.new_matcher((QuickMatcher, fill_slowly, accept_slowly))
NoText = _native.NoText


class Shared:
    """What a vocabulary brings to every grammar of this process.

    Attributes:
        tables: its trie and indexes, and the tables that grammars make there.
        ends: the ids that end a text.
        writes_anything: whether every text can be written with its tokens.
    """

    __slots__ = ("ends", "tables", "writes_anything")

    def __init__(self, vocabulary: Vocabulary) -> None:
        folder = table_folder()
        self.tables = _native.VocabularyTables(
            list(vocabulary.tokens), None if folder is None else os.fspath(folder)
        )
        self.ends = list(vocabulary.eos_ids)
        self.writes_anything = writes_anything(vocabulary.alphabet)


_shared: WeakKeyDictionary[Vocabulary, Shared] = WeakKeyDictionary()
_shared_lock = RLock()  # a signal's handler may compile, too
# The same by the id of a vocabulary that lives: this look-up calls none of its methods.
shared_by_id: dict[int, tuple[ref[Vocabulary], Shared]] = {}
# For `kernels/bind/front.cc`: those that write anything, with their tables and ends.
plain_by_id: dict[int, tuple[ref[Vocabulary], _native.VocabularyTables, list[int]]] = {}


def shared_of(vocabulary: Vocabulary) -> Shared:
    """The vocabulary's tables, built once and shared by all grammars, and by equal vocabularies."""
    known = shared_by_id.get(id(vocabulary))
    if known is not None and known[0]() is vocabulary:
        return known[1]
    with _shared_lock:
        shared = _shared.get(vocabulary)
        if shared is None:
            shared = _shared[vocabulary] = Shared(vocabulary)
        number = id(vocabulary)
        living = ref(vocabulary, lambda gone: _forget(number, gone))
        shared_by_id[number] = living, shared
        if shared.writes_anything:
            plain_by_id[number] = living, shared.tables, shared.ends
    return shared


def _forget(number: int, gone: ref[Vocabulary]) -> None:
    known = shared_by_id.get(number)
    if known is not None and known[0] is gone:  # else a younger vocabulary has the number
        del shared_by_id[number]
        plain_by_id.pop(number, None)


def save_tables() -> bool:
    """See `slm.mask.save_tables`. Takes no lock of this file, so a signal's handler may call it."""
    return _native.VocabularyTables.save_all()


atexit.register(save_tables)


class NativeEngine:
    """A grammar compiled in C++ for one vocabulary. Immutable from outside, safe between threads.

    Args:
        grammar: one that the vocabulary can write.
        shared: what the vocabulary brings, see `shared_of`.
        memory: see `slm.mask.compile_grammar`.
        made: the same, compiled.

    Raises:
        EmptyLanguage: no text at all matches.
        GrammarTooComplex: a bound on states or depth was hit.

    Cost: O(size of the grammar); states and masks are computed when first needed.
    """

    def __init__(
        self,
        grammar: Grammar,
        shared: Shared,
        memory: int = DEFAULT_MEMORY,
        made: _native.Engine | None = None,
    ) -> None:
        self.grammar, self._shared, self._memory = grammar, shared, memory
        if made is not None:
            self._engine = made
            return
        program = grammar.program
        try:
            if not isinstance(program, (_native.SchemaProgram, np.ndarray)):
                program = Flattener(grammar).words()
            self._engine = _native.Engine(program, shared.tables, shared.ends, memory)
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

    @property
    def bare(self) -> _native.Engine:
        """The engine in C++."""
        return self._engine

    def session(self, bare: _native.Session | None = None) -> NativeSession:
        """A new text, or one that C++ has already."""
        return NativeSession(self._engine.session() if bare is None else bare, self)

    def stats(self) -> Stats:
        """Sizes and counters. Cost: microseconds."""
        shared = SharedStats(**self._shared.tables.stats())
        return Stats(
            engine="native", memory=self._memory, shared=shared, details={}, **self._engine.stats()
        )

    # What the engine's numbers stand for, for people; found out when someone asks.

    @cached_property
    def terminal_names(self) -> list[str]:
        """By number."""
        return terminal_names(self.grammar)

    @cached_property
    def rule_names(self) -> list[str]:
        """By number."""
        return [rule.name for rule in self.grammar.rules]

    @cached_property
    def terminal_nodes(self) -> dict[int, Terminal]:
        """By the number of the expression node; a program made elsewhere has its own numbers."""
        deferred = isinstance(self.grammar.program, _native.SchemaProgram)
        return {} if deferred else terminal_nodes(self.grammar)


_FORWARDED = frozenset(
    (
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
)


class NativeSession:
    """See `slm.mask.session.Session`.

    Its slots are bound methods of the C++ object: a call of these costs no Python frame. They are
    taken when they are first asked for, since a text needs few of them.
    """

    __slots__ = ("_engine", "_session", *_FORWARDED)

    def __init__(self, session: _native.Session, engine: NativeEngine) -> None:
        self._session, self._engine = session, engine
        self.fill_row, self.accept = session.fill_row, session.accept  # what every matcher takes

    def __getattr__(self, name: str) -> Any:
        if name not in _FORWARDED:
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
        method = getattr(self._session, name)
        setattr(self, name, method)
        return method

    @staticmethod
    def fill_rows(sessions: Sequence[Any], bitmask: Any, rows: list[int], threads: int) -> bool:
        """The masks of all of them, on several threads."""
        inner = [one._session for one in sessions if type(one) is NativeSession]
        same = len(inner) == len(sessions) and all(row >= 0 for row in rows)
        return same and _native.fill_rows(inner, bitmask, rows, threads)

    def fork(self) -> NativeSession:
        """An independent copy."""
        return NativeSession(self._session.fork(), self._engine)

    def expected(self, after: bytes) -> list[tuple[str, str]]:
        """Sorted (terminal, rule) names that may go on after these viable bytes."""
        return sorted({(name, rule) for name, rule, _ in self.waiting(after)})

    def waiting(self, after: bytes) -> list[tuple[str, str, Terminal | None]]:
        """The same, with the terminals as they stand in the rules."""
        found = []
        for terminal, rule, node in sorted(set(self._session.expected(after))):
            names, rules = self._engine.terminal_names, self._engine.rule_names
            found.append((names[terminal], rules[rule], self._engine.terminal_nodes.get(node)))
        return sorted(found, key=lambda wait: wait[:2])

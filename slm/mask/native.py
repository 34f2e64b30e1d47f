"""The C++ engine behind the interface of `slm.mask.session`.

The grammar crosses the boundary once, as one array of integers: character sets, then regular
expressions, terminals, expressions and rules, children always before their parents;
`kernels/core/program.h` is the other end. All that is compiled from it lives in C++.
"""

from __future__ import annotations

from functools import cached_property
from weakref import WeakKeyDictionary

from slm import _native
from slm.errors import EmptyLanguage, GrammarTooComplex
from slm.grammar.flatten import Flattener, terminal_names
from slm.grammar.ir import Grammar
from slm.vocab import Vocabulary

_tables: WeakKeyDictionary[Vocabulary, _native.VocabularyTables] = WeakKeyDictionary()


def vocabulary_tables(vocabulary: Vocabulary) -> _native.VocabularyTables:
    """The vocabulary's trie and indexes, built once and shared by all grammars."""
    tables = _tables.get(vocabulary)
    if tables is None:
        tables = _tables[vocabulary] = _native.VocabularyTables(list(vocabulary.tokens))
    return tables


class _Names:
    """What terminals and rules are called, by number; found out when someone asks."""

    def __init__(self, grammar: Grammar) -> None:
        self._grammar = grammar

    @cached_property
    def terminals(self) -> list[str]:
        return terminal_names(self._grammar)

    @cached_property
    def rules(self) -> list[str]:
        return [rule.name for rule in self._grammar.rules]


class NativeEngine:
    """A grammar compiled in C++ for one vocabulary. Immutable from outside, safe between threads.

    Raises:
        EmptyLanguage: no text at all matches.
        GrammarTooComplex: a bound on states or depth was hit.

    Cost: O(size of the grammar); states and masks are computed when first needed.
    """

    def __init__(self, grammar: Grammar, vocabulary: Vocabulary) -> None:
        tables, ends = vocabulary_tables(vocabulary), list(vocabulary.eos_ids)
        program = grammar.program
        try:
            if isinstance(program, _native.SchemaProgram):
                self._engine = _native.Engine(program, tables, ends)
            else:
                self._engine = _native.Engine(Flattener(grammar).words(), tables, ends)
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

    def stats(self) -> dict[str, int]:
        """States made so far, bytes held, mask hits and misses."""
        return self._engine.stats()


class NativeSession:
    """See `slm.mask.session.Session`."""

    __slots__ = (
        "_names",
        "_session",
        "accept",
        "fill_mask",
        "forced_bytes",
        "is_complete",
        "is_finished",
        "viable_length",
    )

    def __init__(self, session: _native.Session, names: _Names) -> None:
        self._session, self._names = session, names
        # Bound methods of the C++ object: a call of these costs no Python frame.
        self.fill_mask = session.fill_mask
        self.accept = session.accept
        self.is_complete = session.is_complete
        self.is_finished = session.is_finished
        self.viable_length = session.viable_length
        self.forced_bytes = session.forced_bytes

    def rollback(self, count: int) -> None:
        """Take back the last tokens; the matcher has checked that there are as many."""
        self._session.rollback(count)

    def fork(self) -> NativeSession:
        """An independent copy."""
        return NativeSession(self._session.fork(), self._names)

    def expected(self, after: bytes) -> list[tuple[str, str]]:
        """Sorted (terminal, rule) names that may go on after these viable bytes."""
        pairs = self._session.expected(after)
        terminals, rules = self._names.terminals, self._names.rules
        return sorted({(terminals[term], rules[rule]) for term, rule in pairs})

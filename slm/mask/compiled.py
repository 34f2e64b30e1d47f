"""`CompiledGrammar`: a grammar over a vocabulary, shared by all."""

from __future__ import annotations

from typing import Any

from slm.grammar.ir import Grammar
from slm.mask.matcher import Matcher
from slm.mask.session import Engine, SchemaProgram
from slm.mask.stats import Stats
from slm.vocab import Vocabulary


class CompiledGrammar:
    """A grammar over a vocabulary. Immutable but for caches; share it between threads.

    Args:
        grammar: what the texts have to be.
        vocabulary: the tokens of the masks.
        engine: what does the work.
        engine_name: "native" or "reference".
    """

    __slots__ = (
        "__weakref__",
        "_engine",
        "_engine_name",
        "_grammar",
        "_memory",
        "_native",
        "_new_matcher",
        "_of",
        "_vocabulary",
    )
    _of: SchemaProgram  # what `grammar` and `engine` are made of when asked for; see `compile`
    _memory: int

    def __init__(
        self,
        grammar: Grammar,
        vocabulary: Vocabulary,
        engine: Engine,
        engine_name: str,
        native: Any = None,
        new_matcher: Any = None,
    ) -> None:
        self._grammar: Grammar | None = grammar
        self._vocabulary = vocabulary
        self._engine: Engine | None = engine
        self._engine_name = engine_name
        self._native, self._new_matcher = native, new_matcher  # in C++: see `kernels/bind/front.cc`

    @property
    def grammar(self) -> Grammar:
        """As it was given."""
        if self._grammar is None:
            self._grammar = self._of.grammar()
        return self._grammar

    @property
    def vocabulary(self) -> Vocabulary:
        """The tokens of the masks."""
        return self._vocabulary

    @property
    def engine(self) -> Engine:
        """What does the work."""
        if self._engine is None:
            from slm.mask.native import NativeEngine, shared_of

            shared = shared_of(self._vocabulary)
            self._engine = NativeEngine(self.grammar, shared, self._memory, self._native)
        return self._engine

    @property
    def engine_name(self) -> str:
        """Which engine does the work: "native" or "reference"."""
        return self._engine_name

    def __repr__(self) -> str:
        return f"CompiledGrammar({self.grammar!r}, {self.vocabulary!r}, {self.engine_name!r})"

    def matcher(self) -> Matcher:
        """A new matcher at the start of a text. Cost: O(1)."""
        if self._new_matcher is None:
            return Matcher(self, self.engine.session())
        made: Matcher = self._new_matcher(self)
        return made

    def _around(self, session: Any) -> Matcher:
        """The matcher of a session that C++ has already."""
        made: Matcher = self._new_matcher(self, session)
        return made

    @property
    def keeps_budgets(self) -> bool:
        """Whether every mask may well have a budget (`Matcher.mask`): where that costs little.

        The reference engine looks for a way to the end from the state after every token. With a
        memory (columns, items that have to differ), so may the native one.
        """
        return self.engine_name == "native" and self.grammar.memory is None

    def stats(self) -> Stats:
        """Sizes and counters, for people and for operators: states, masks, memory, hit rates.

        Cost: microseconds. They are those of one moment; other threads may go on meanwhile.
        """
        return self.engine.stats()

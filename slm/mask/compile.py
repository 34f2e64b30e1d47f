"""Choosing an engine and making a `CompiledGrammar`."""

from __future__ import annotations

import os
from importlib import import_module
from typing import Any

from slm.errors import EmptyLanguage, EngineUnavailable, GrammarTooComplex, UsageError
from slm.grammar.analysis import prune
from slm.grammar.ir import Grammar
from slm.grammar.memory import Indentation
from slm.mask.compiled import CompiledGrammar
from slm.mask.indentation import IndentationEngine
from slm.mask.reference import ReferenceEngine
from slm.mask.session import Engine
from slm.mask.spelling import spellable
from slm.mask.stats import DEFAULT_MEMORY
from slm.vocab import Vocabulary

ENGINES = ("native", "reference")
_module: Any = None  # slm.mask.native, once it was imported


def compile_grammar(
    grammar: Grammar,
    vocabulary: Vocabulary,
    engine: str | None = None,
    *,
    memory: int = DEFAULT_MEMORY,
) -> CompiledGrammar:
    """A grammar over a vocabulary, ready to make matchers.

    Args:
        grammar: what the text has to be.
        vocabulary: the tokens it is written with.
        engine: "native", "reference", or None: the environment's SLM_ENGINE if set, else native
            where it is built, else reference.
        memory: bytes that the native engine's tables of this grammar may take, a quarter of them
            for masks. Past it the tables are thrown away and begun anew, and each matcher walks its
            tokens through the new ones when it is next used; masks stay the same. What the texts
            that are being written need at one time is kept even if that is more.

    Raises:
        UsageError: `memory` is below 1.
        EmptyLanguage: the grammar derives nothing.
        VocabularyCannotSpell: the vocabulary can write none of its texts.
        GrammarTooComplex: a bound on nesting, states or work was hit.
        EngineUnavailable: the engine is not built here, or its name is unknown.
    """
    wanted = engine or os.environ.get("SLM_ENGINE") or None
    if wanted not in (None, *ENGINES):
        raise EngineUnavailable(
            f"there is no engine `{wanted}`", hint=f"use one of {', '.join(ENGINES)}"
        )
    if memory < 1:
        raise UsageError(f"memory={memory!r} is out of range", hint="memory must be 1 or above")
    native = None if wanted == "reference" else _native_engine()
    if native is not None:
        shared = native.shared_of(vocabulary)
        try:
            written = grammar  # the engine prunes, but its vocabulary has to be able to write
            if not shared.writes_anything:
                written = spellable(grammar, vocabulary.alphabet)
            made = native.NativeEngine(written, shared, memory)
            quick = (made.bare, native.new_matcher)
        except EmptyLanguage:
            prune(grammar)  # says which rule or terminal is to blame
            raise
        return CompiledGrammar(grammar, vocabulary, made, "native", *quick)
    if wanted == "native":
        raise EngineUnavailable(
            "the native engine is not built here",
            hint="install slm with a C++ compiler at hand, or use engine='reference'",
        )
    try:
        indented = isinstance(grammar.memory, Indentation)
        slow: Engine = (IndentationEngine if indented else ReferenceEngine)(grammar, vocabulary)
    except RecursionError:
        raise GrammarTooComplex(
            "the grammar is nested too deeply", hint="simplify the grammar, or lower its bounds"
        ) from None
    return CompiledGrammar(grammar, vocabulary, slow, "reference")


def save_tables() -> bool:
    """Write the tables that the native engine made so far into the table folder.

    That happens when a vocabulary is no longer used, and at the end of the interpreter, too. A
    server that may be ended without one calls it when it is warm.

    Returns:
        False where something could not be written, or the native engine is not built; that is no
        error for this process. It is tried again the next time.

    Cost: about a millisecond a megabyte; masks are not held up.
    """
    if not native_available():
        return False
    saved: bool = import_module("slm.mask.native").save_tables()
    return saved


def native_available() -> bool:
    """Whether the native engine is built and can be imported."""
    return _native_engine() is not None


def _native_engine() -> Any:
    """`slm.mask.native`; None where the native engine is not built."""
    global _module
    if _module is None:
        try:
            _module = import_module("slm.mask.native")
        except ImportError:
            return None
    return _module

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
from slm.mask.session import Engine, SchemaProgram
from slm.mask.spelling import spellable
from slm.mask.stats import DEFAULT_MEMORY
from slm.vocab import Vocabulary

ENGINES = ("native", "reference")
_module: Any = None  # slm.mask.native, once it was imported


def compile_program(
    of: SchemaProgram, vocabulary: Vocabulary, memory: int
) -> CompiledGrammar | None:
    """As `compile_grammar` for a front end's program, with nothing made that nobody asked for.

    None where that has another engine to take, more to do, or an error to raise.

    Cost: as little Python as there can be: where the caches are cold, a call more is 2 µs.
    """
    native = _module
    if native is None or (native.wanted_engine() or "native") != "native" or memory < 1:
        return None
    known = native.shared_by_id.get(id(vocabulary))
    if known is None or known[0]() is not vocabulary:
        native.shared_of(vocabulary)
        known = native.shared_by_id[id(vocabulary)]
    shared = known[1]
    if not shared.writes_anything:
        return None
    try:
        engine = native.compile_program(of.program, shared.tables, shared.ends, memory)
    except (RecursionError, native.NoText):
        return None
    made = object.__new__(CompiledGrammar)
    made._of, made._vocabulary, made._memory = of, vocabulary, memory
    made._native, made._calls, made._engine_name = engine, native.quick_calls, "native"
    made._grammar = made._engine = None
    return made


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
    if _module is None:
        wanted = engine or os.environ.get("SLM_ENGINE") or None
    else:  # C++ reads it in a tenth of the time
        wanted = engine or _module.wanted_engine() or None
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
            quick = (made.bare, native.quick_calls)
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

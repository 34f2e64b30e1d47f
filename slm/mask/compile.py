"""Choosing an engine and making a `CompiledGrammar`."""

from __future__ import annotations

import os
from collections.abc import Callable
from importlib import import_module

from slm.errors import EngineUnavailable
from slm.grammar.ir import Grammar
from slm.mask.matcher import CompiledGrammar
from slm.mask.reference import ReferenceEngine
from slm.mask.session import Engine
from slm.vocab import Vocabulary

ENGINES = ("native", "reference")


def compile_grammar(
    grammar: Grammar, vocabulary: Vocabulary, engine: str | None = None
) -> CompiledGrammar:
    """A grammar over a vocabulary, ready to make matchers.

    Args:
        grammar: what the text has to be.
        vocabulary: the tokens it is written with.
        engine: "native", "reference", or None: the environment's SLM_ENGINE if set, else native
            where it is built, else reference.

    Raises:
        EmptyLanguage: the grammar derives nothing.
        VocabularyCannotSpell: the vocabulary can write none of its texts.
        EngineUnavailable: the engine is not built here, or its name is unknown.
    """
    wanted = engine or os.environ.get("SLM_ENGINE") or None
    if wanted not in (None, *ENGINES):
        raise EngineUnavailable(
            f"there is no engine `{wanted}`", hint=f"use one of {', '.join(ENGINES)}"
        )
    native = None if wanted == "reference" else _native_engine()
    if native is not None:
        return CompiledGrammar(grammar, vocabulary, native(grammar, vocabulary), "native")
    if wanted == "native":
        raise EngineUnavailable(
            "the native engine is not built here",
            hint="install slm with a C++ compiler at hand, or use engine='reference'",
        )
    return CompiledGrammar(grammar, vocabulary, ReferenceEngine(grammar, vocabulary), "reference")


def native_available() -> bool:
    """Whether the native engine is built and can be imported."""
    return _native_engine() is not None


def _native_engine() -> Callable[[Grammar, Vocabulary], Engine] | None:
    try:
        module = import_module("slm.mask.native")
    except ImportError:
        return None
    made: Callable[[Grammar, Vocabulary], Engine] = module.NativeEngine
    return made

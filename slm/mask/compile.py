"""Choosing an engine and making a `CompiledGrammar`."""

from __future__ import annotations

import os

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
    name = wanted or ("native" if native_available() else "reference")
    made: Engine
    if name == "native":
        made = _native(grammar, vocabulary)
    else:
        made = ReferenceEngine(grammar, vocabulary)
    return CompiledGrammar(grammar, vocabulary, made, name)


def native_available() -> bool:
    """Whether the native engine is built and can be imported."""
    try:
        from slm.mask import native  # noqa: F401
    except ImportError:
        return False
    return True


def _native(grammar: Grammar, vocabulary: Vocabulary) -> Engine:
    try:
        from slm.mask import native
    except ImportError as error:
        raise EngineUnavailable(
            "the native engine is not built here",
            hint="install slm with a C++ compiler at hand, or use engine='reference'",
        ) from error
    return native.NativeEngine(grammar, vocabulary)

"""A specification: the grammar an output must follow, and how its text becomes a value.

Front ends make them (`slm.api`); here they meet a vocabulary.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias, runtime_checkable

from slm.errors import UsageError
from slm.grammar.ir import Grammar
from slm.mask import CompiledGrammar, compile_grammar
from slm.mask.stats import DEFAULT_MEMORY
from slm.vocab import Vocabulary

_COMPILED_KEPT = 4  # vocabularies a spec remembers its compiled form for
_remembering = threading.Lock()  # for what all specs remember: it is held for a moment only


@runtime_checkable
class Specification(Protocol):
    """Anything with a grammar and a way to read a finished text: `Spec`, a triple spec, yours."""

    @property
    def grammar(self) -> Grammar:
        """The texts that are allowed."""
        ...

    @property
    def parse(self) -> Callable[[str], Any]:
        """From a whole text to its value."""
        ...


class SchemaGrammar(Protocol):
    """A compiled schema: `slm.schema.CompiledSchema`."""

    @property
    def grammar(self) -> Grammar:
        """The texts of the values that are valid."""
        ...

    @property
    def schema(self) -> Any:
        """The schema."""
        ...

    @property
    def notes(self) -> tuple[Any, ...]:
        """What became of each keyword; may be made when it is asked for."""
        ...


@dataclass(frozen=True, eq=False)
class Spec:
    """What a text must look like, and what its value is.

    Attributes:
        kind: "json_schema", "lark", "regex", "choice", or "grammar".
        grammar: the texts that are allowed.
        parse: from a whole text to its value.
        notes: what is enforced, what only annotates, what was relaxed; see the front end.
        schema: the JSON Schema, where there is one.
        prompt: the prompt to use where none is given.
        is_json: whether the texts are JSON, so that an unfinished one has a partial value.
        tree: from a whole text to its parse tree, where the grammar is Lark's.
    """

    kind: str
    grammar: Grammar = field(repr=False)
    parse: Callable[[str], Any] = field(repr=False)
    notes: tuple[Any, ...] = field(default_factory=tuple, repr=False)
    schema: Any = field(default=None, repr=False)
    prompt: str | None = field(default=None, repr=False)
    is_json: bool = False
    tree: Callable[[str], Any] | None = field(default=None, repr=False)
    # by vocabulary, engine and memory; the latest used are last
    _compiled: dict[tuple[int, str | None, int], CompiledGrammar] = field(
        default_factory=dict, init=False, repr=False
    )

    @classmethod
    def of_schema(cls, compiled: SchemaGrammar, parse: Callable[[str], Any]) -> Spec:
        """The spec of a JSON Schema; its notes are made when they are asked for.

        Cost: a third of what the constructor takes, which a small schema would feel.
        """
        spec = object.__new__(cls)
        attributes = {
            "kind": "json_schema",
            "grammar": compiled.grammar,
            "parse": parse,
            "schema": compiled.schema,
            "is_json": True,
            "_compiled": {},
            "_of": compiled,
        }
        object.__setattr__(spec, "__dict__", attributes)
        return spec

    if not TYPE_CHECKING:  # so that other unknown names stay errors

        def __getattr__(self, name: str) -> Any:
            source = self.__dict__.get("_of")
            if source is None or name != "notes":
                raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
            return self.__dict__.setdefault("notes", source.notes)


AnySpec: TypeAlias = "Specification | Grammar"


def compile_spec(
    spec: AnySpec,
    vocabulary: Vocabulary,
    *,
    engine: str | None = None,
    memory: int = DEFAULT_MEMORY,
) -> CompiledGrammar:
    """Join a specification with a vocabulary; the result makes matchers.

    A `Spec` remembers its compiled form for the last few vocabularies.

    Args:
        spec: a `Spec`, what `Knowledge.triples` gives, or a `Grammar`.
        vocabulary: a tokenizer's tokens.
        engine: "native" or "reference"; None for ``SLM_ENGINE``, else the best there is.
        memory: bytes that the native engine's own tables may take before they are begun anew.

    Raises:
        UsageError: not a specification, or not a vocabulary, or `memory` is below 1.
        EmptyLanguage: no text matches.
        VocabularyCannotSpell: no token sequence makes a text that matches.
        EngineUnavailable: the engine is not there.
    """
    if not isinstance(vocabulary, Vocabulary):
        raise UsageError(
            f"a {type(vocabulary).__name__} is not a vocabulary",
            hint="make one: slm.Vocabulary.from_hf(tokenizer), or take model.vocabulary",
        )
    if not isinstance(spec, Spec):
        grammar = spec if isinstance(spec, Grammar) else _checked(spec).grammar
        return compile_grammar(grammar, vocabulary, engine=engine, memory=memory)
    # The compiled form holds the vocabulary, so its id stays its own while it is a key.
    key, kept = (id(vocabulary), engine, memory), spec._compiled
    if kept:
        with _remembering:
            if key in kept:
                kept[key] = kept.pop(key)
                return kept[key]
    compiled = compile_grammar(spec.grammar, vocabulary, engine=engine, memory=memory)
    with _remembering:
        kept[key] = compiled
        while len(kept) > _COMPILED_KEPT:
            del kept[next(iter(kept))]
    return compiled


def _checked(spec: Any) -> Specification:
    if not isinstance(spec, Specification):
        raise UsageError(
            f"a {type(spec).__name__} is not a specification",
            hint="make one with slm.json_schema, slm.lark, slm.regex, slm.choice or "
            "Knowledge.triples",
        )
    return spec

"""A specification: the grammar an output must follow, and how its text becomes a value.

Front ends make them (`slm.api`); here they meet a vocabulary.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias, runtime_checkable

from slm.errors import UsageError
from slm.grammar.ir import Grammar
from slm.mask import CompiledGrammar, compile_grammar
from slm.mask.session import SchemaProgram
from slm.mask.stats import DEFAULT_MEMORY
from slm.vocab import Vocabulary

_COMPILED_KEPT = 4  # vocabularies a spec remembers its compiled form for
_LATER = ("grammar", "kind", "notes", "parse")  # of the spec of a twin: made when asked for
_new, _set = object.__new__, object.__setattr__


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


class SchemaTwin(SchemaProgram, Protocol):
    """A schema that was compiled in C++: `slm.schema.compile.Twin`."""

    def notes(self) -> tuple[Any, ...]:
        """What became of each keyword."""
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
    # With the engine and the memory that were asked for; the latest used are last. Only changed as
    # a whole, so it needs no lock: of two threads that compile at once, one may be forgotten.
    _compiled: tuple[tuple[CompiledGrammar, str | None, int], ...] = field(
        default=(), init=False, repr=False
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
            "_of": compiled,
        }
        _set(spec, "__dict__", attributes)
        return spec

    if not TYPE_CHECKING:  # so that other unknown names stay errors

        def __getattr__(self, name: str) -> Any:
            made = self.__dict__
            if "_twin" in made and name in _LATER:  # made by `slm.json_schema`, in C++
                twin: SchemaTwin = made["_twin"]
                if name == "kind":
                    return "json_schema"
                if name == "parse":
                    return json.loads
                return made.setdefault(name, twin.grammar() if name == "grammar" else twin.notes())
            if "_of" not in made or name != "notes":
                raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
            return made.setdefault("notes", made["_of"].notes)

    def __getstate__(self) -> dict[str, Any]:
        """All but what belongs to this process."""
        kept = {name: getattr(self, name) for name in self.__dataclass_fields__}
        return kept | {"_compiled": ()}


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
    made = spec.__dict__
    kept: tuple[tuple[CompiledGrammar, str | None, int], ...] = made.get("_compiled", ())
    for at, (compiled, *asked) in enumerate(kept):
        if compiled.vocabulary is vocabulary and asked == [engine, memory]:
            if at < len(kept) - 1:
                made["_compiled"] = (*kept[:at], *kept[at + 1 :], kept[at])
            return compiled
    compiled = compile_grammar(spec.grammar, vocabulary, engine=engine, memory=memory)
    made["_compiled"] = (*kept[1 - _COMPILED_KEPT :], (compiled, engine, memory))
    return compiled


def _checked(spec: Any) -> Specification:
    if not isinstance(spec, Specification):
        raise UsageError(
            f"a {type(spec).__name__} is not a specification",
            hint="make one with slm.json_schema, slm.lark, slm.regex, slm.choice or "
            "Knowledge.triples",
        )
    return spec

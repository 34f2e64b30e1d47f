"""JSON Schema → grammar: the front end's one entrance."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from slm.errors import (
    UnsupportedKeyword,
    UsageError,
)
from slm.grammar.ir import Grammar
from slm.schema.layout import Layout
from slm.schema.lower import Lowering
from slm.schema.normalise import Normaliser
from slm.schema.notes import Note, collect_notes
from slm.schema.reader import Reader
from slm.schema.satisfiable import check_satisfiable

MAX_RELAXATIONS = 200


@dataclass(frozen=True)
class CompiledSchema:
    """A schema as a grammar, with what became of each keyword.

    Attributes:
        grammar: exactly the JSON texts of the valid values, in the chosen layout.
        schema: the schema that was compiled.
        draft: the draft it was read as.
        notes: one for each keyword that was reached: enforced, an annotation, or relaxed.
    """

    grammar: Grammar
    schema: dict[str, Any] | bool
    draft: str
    notes: tuple[Note, ...] = field(repr=False, default=())


def compile_schema(
    schema: dict[str, Any] | bool | str,
    *,
    draft: str | None = None,
    whitespace: Literal["any", "compact"] | int = "any",
    order: Literal["declared", "any"] = "declared",
    formats: Literal["assert", "annotate"] = "assert",
    registry: Mapping[str, Any] | None = None,
    on_unsupported: Literal["error", "relax"] = "error",
) -> CompiledSchema:
    """Compile a JSON Schema to the grammar of its valid JSON texts.

    Args:
        schema: a dict, a boolean or JSON text.
        draft: "4", "6", "7", "2019-09" or "2020-12"; None takes it from ``$schema``, else 2020-12.
        whitespace: "any" allows runs of up to 40 between structural characters, "compact" none, and
            an int is the layout of ``json.dumps(value, indent=…)``.
        order: "declared": members come in the order the schema declares them.
        formats: whether ``format`` is asserted.
        registry: schemas by URI for references that leave the schema.
        on_unsupported: "relax" drops a keyword that cannot be enforced and says so in the notes.

    Raises:
        InvalidSchema: not a JSON Schema.
        UnsupportedKeyword: a keyword cannot be enforced exactly; the place is its JSON Pointer.
        UnresolvableReference: a reference leads nowhere, outside, or only to itself.
        UnsatisfiableSchema: no value is valid.

    Cost: linear in the part of the schema that is reached, times the alternatives it multiplies
    out to.

    >>> print(compile_schema({"type": "integer", "minimum": 3}).grammar.start)
    root
    """
    _check_option("whitespace", whitespace, ("any", "compact"), allow_int=True)
    _check_option("order", order, ("declared", "any"))
    _check_option("formats", formats, ("assert", "annotate"))
    _check_option("on_unsupported", on_unsupported, ("error", "relax"))
    if registry is not None and not isinstance(registry, Mapping):
        raise UsageError(
            f"registry cannot be of type {type(registry).__name__}",
            hint="pass a dict of schemas by URI",
        )
    if order == "any":
        raise UnsupportedKeyword(
            'order="any" is not supported yet', hint='use order="declared", the default'
        )
    dropped: dict[tuple[str, str], str] = {}
    while True:
        reader = Reader.open(schema, draft, registry)
        of = Normaliser(reader, assert_formats=formats == "assert", dropped=dropped)
        lowering = Lowering(of, Layout(whitespace), integer_point=reader.draft != "4")
        try:
            start = lowering.lower(reader.start())
            break
        except UnsupportedKeyword as error:
            target = of.relaxation_of(error)
            if on_unsupported == "error" or target is None or target in dropped:
                raise
            if len(dropped) >= MAX_RELAXATIONS:
                raise
            dropped[target] = error.what
    check_satisfiable(lowering, start)
    grammar = Grammar(tuple(lowering.rules.values()), start)
    notes = collect_notes(of, reader)
    return CompiledSchema(grammar, reader.root.root, reader.draft, notes)


def _check_option(name: str, value: Any, choices: tuple[str, ...], allow_int: bool = False) -> None:
    if value in choices and isinstance(value, str):
        return
    if allow_int and isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= 16:
        return
    extra = ", or an indent from 0 to 16" if allow_int else ""
    raise UsageError(
        f"{name} cannot be {value!r}",
        hint=f"use {' or '.join(repr(option) for option in choices)}{extra}",
    )

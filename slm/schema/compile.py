"""JSON Schema → grammar: the front end's one entrance."""

from __future__ import annotations

import threading
import weakref
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from slm.errors import (
    SlmError,
    UnsupportedKeyword,
    UsageError,
)
from slm.grammar.ir import Grammar
from slm.grammar.memory import DistinctItems
from slm.schema import native as cpp
from slm.schema.alike import Alike
from slm.schema.layout import Layout
from slm.schema.lower import Lowering
from slm.schema.native import compile_program
from slm.schema.normalise import Normaliser
from slm.schema.notes import Note, collect_notes
from slm.schema.reader import Reader, read_json
from slm.schema.satisfiable import check_satisfiable
from slm.schema.short_labels import with_short_labels
from slm.schema.style import PLAIN_STYLE, JsonStyle

MAX_RELAXATIONS = 200
_new, _set = object.__new__, object.__setattr__
_USUAL = ("any", "declared", "assert", "error", None)  # options that need no check
_PLAIN = (None, "any", "assert", None)  # draft, whitespace, formats, content: nobody chose any
_looking = threading.Lock()  # for a twin's grammar: held for a moment only


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
    notes: tuple[Note, ...] = field(repr=False, default_factory=tuple)

    if not TYPE_CHECKING:  # what nobody has asked yet of a schema that C++ compiled

        def __getattr__(self, name: str) -> Any:
            twin = self.__dict__.get("_twin")
            if twin is None or name not in ("notes", "draft"):
                raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
            made = twin.draft if name == "draft" else twin.compiled().notes
            return self.__dict__.setdefault(name, made)

    def __reduce__(self) -> tuple[type[CompiledSchema], tuple[Any, ...]]:
        return CompiledSchema, (self.grammar, self.schema, self.draft, self.notes)


def compile_schema(
    schema: dict[str, Any] | bool | str,
    *,
    draft: str | None = None,
    whitespace: Literal["any", "compact"] | int = "any",
    order: Literal["declared", "any"] = "declared",
    formats: Literal["assert", "annotate"] = "assert",
    content: Literal["assert", "annotate"] | None = None,
    registry: Mapping[str, Any] | None = None,
    on_unsupported: Literal["error", "relax"] = "error",
    style: JsonStyle | None = None,
) -> CompiledSchema:
    """Compile a JSON Schema to the grammar of its valid JSON texts.

    Args:
        schema: a dict, a boolean or JSON text.
        draft: "4", "6", "7", "2019-09" or "2020-12"; None takes it from ``$schema``, else 2020-12.
        whitespace: "any" allows runs of up to 40 between structural characters, "compact" none, and
            an int is the layout of ``json.dumps(value, indent=…)``.
        order: "declared": members come in the order the schema declares them. "any": in every
            order, with a rule for each set of declared members, so that there can be about ten.
        formats: whether ``format`` is asserted.
        content: whether ``contentMediaType``, ``contentEncoding`` and ``contentSchema`` are: JSON
            in strings. None: in draft 7, as its specification allows; later ones annotate.
        registry: schemas by URI for references that leave the schema.
        on_unsupported: "relax" drops a keyword that cannot be enforced and says so in the notes.
        style: how the JSON is written, and what names there may be that the schema does not
            declare; None leaves all of it open. A style of its own compiles in Python only.

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
    if (whitespace, order, formats, on_unsupported, content) != _USUAL:
        _check_option("whitespace", whitespace, ("any", "compact"), allow_int=True)
        _check_option("order", order, ("declared", "any"))
        _check_option("formats", formats, ("assert", "annotate"))
        if content is not None:
            _check_option("content", content, ("assert", "annotate"))
        _check_option("on_unsupported", on_unsupported, ("error", "relax"))
    if registry is not None and not isinstance(registry, Mapping):
        raise UsageError(
            f"registry cannot be of type {type(registry).__name__}",
            hint="pass a dict of schemas by URI",
        )
    value = read_json(schema) if isinstance(schema, str) else schema
    if style is not None:
        if not isinstance(style, JsonStyle):
            raise UsageError(
                f"style cannot be of type {type(style).__name__}", hint="pass slm.JsonStyle(…)"
            )
        style.check_with(whitespace, order)
    if not registry and order == "declared" and (style is None or style == PLAIN_STYLE):
        twin = compile_program(value, draft, whitespace, formats, content, of=Twin)
        if not isinstance(twin, str):
            return _deferred(value, twin, draft, whitespace, formats, content)
    style = style or PLAIN_STYLE
    return _compile(
        schema, draft, whitespace, formats, content, registry, on_unsupported, order, style
    )


def _compile(
    schema: dict[str, Any] | bool | str,
    draft: str | None,
    whitespace: Literal["any", "compact"] | int,
    formats: Literal["assert", "annotate"],
    content: Literal["assert", "annotate"] | None = None,
    registry: Mapping[str, Any] | None = None,
    on_unsupported: Literal["error", "relax"] = "error",
    order: Literal["declared", "any"] = "declared",
    style: JsonStyle = PLAIN_STYLE,
) -> CompiledSchema:
    """The compiler in Python; options as for `compile_schema`, and checked."""
    dropped: dict[tuple[str, str], str] = {}
    options = (draft, registry, formats, whitespace, order, style)
    while True:
        lowering = _lowering(schema, *options, dropped, content=content)
        try:
            start = lowering.lower(lowering.of.reader.start())
            if lowering.of.pool.leaned and lowering.of.concluded:
                lowering = _lowering(schema, *options, dropped, content=content, cautious=True)
                start = lowering.lower(lowering.of.reader.start())
            break
        except UnsupportedKeyword as error:
            second = None
            if not dropped:
                second = _lowering(schema, *options, dropped, content=content, frames=True)
            try:
                if second is not None:
                    start = second.lower(second.of.reader.start())
                    if not second.of.pool.leaned:
                        lowering = second
                        break
            except SlmError:
                pass  # the first error says more
            target = lowering.of.relaxation_of(error)
            if on_unsupported == "error" or target is None or target in dropped:
                raise
            if len(dropped) >= MAX_RELAXATIONS:
                raise
            dropped[target] = error.what
    check_satisfiable(lowering, start)
    grammar = with_short_labels(Grammar(tuple(lowering.rules.values()), start, lowering.memory))
    reader = lowering.of.reader
    notes = collect_notes(lowering.of, reader)
    return CompiledSchema(grammar, reader.root.root, reader.draft, notes)


def _lowering(
    schema: dict[str, Any] | bool | str,
    draft: str | None,
    registry: Mapping[str, Any] | None,
    formats: str,
    whitespace: Literal["any", "compact"] | int,
    order: str,
    style: JsonStyle,
    dropped: dict[tuple[str, str], str],
    *,
    content: str | None = None,
    frames: bool = False,
    cautious: bool = False,
) -> Lowering:
    reader = Reader.open(schema, draft, registry)
    if frames:
        reader.alike = Alike()
    asserted = formats == "assert" or reader.dialect.asserts_formats
    of = Normaliser(
        reader,
        assert_formats=asserted,
        content=content,
        dropped=dropped,
        frames=frames,
        cautious=cautious,
    )
    of.bounded_names = style.extra_names is not None or style.max_extra is not None
    layout = Layout(whitespace, style)
    return Lowering(of, layout, reader.draft != "4", any_order=order == "any")


class Twin(cpp.Base):
    """A schema that the native compiler compiled, and what Python makes of it, if anyone asks.

    It is the program itself. C++ makes those of schemas with the usual options, and sets nothing.
    """

    __slots__ = ("_made", "_options", "_seen")
    _made: CompiledSchema
    _options: tuple[Any, ...]
    _seen: weakref.ref[Grammar]  # weak, or it would hold itself

    @property
    def program(self) -> Twin:
        """In the form that the native engine reads."""
        return self

    def grammar(self) -> Grammar:
        """The grammar, whose rules are made when something looks at them; one while it lives."""
        with _looking:
            seen = getattr(self, "_seen", None)
            known: Grammar | None = None if seen is None else seen()
            if known is None:
                memory = DistinctItems() if self.remembers else None
                known = Grammar.deferred(self, self, memory)
                self._seen = weakref.ref(known)
        return known

    def notes(self) -> tuple[Note, ...]:
        """What became of each keyword."""
        return self.compiled().notes

    def compiled(self) -> CompiledSchema:
        """Compiled from the copy in the program: the caller's schema may have changed since.

        Two threads that ask at once may both do it, and get equal answers.
        """
        if not hasattr(self, "_made"):
            self._made = _compile(self.schema(), *getattr(self, "_options", _PLAIN))
        return self._made

    def __call__(self) -> Grammar:
        """The grammar with its rules."""
        return self.compiled().grammar


def _deferred(schema: Any, twin: Twin, *options: Any) -> CompiledSchema:
    twin._options = options
    compiled = _new(CompiledSchema)
    _set(compiled, "__dict__", {"_twin": twin, "grammar": twin.grammar(), "schema": schema})
    return compiled


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

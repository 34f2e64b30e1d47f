"""Lark grammars, read by the `lark` package itself and lowered to the grammar IR.

The loader, imports, templates, EBNF, aliases, priorities and flags are Lark's own: a `lark.Lark`
object is made first, and what it holds (rules, terminals, ignored terminals, the parse table and
the lexers) is compiled. The same grammar text denotes a language of its own under each parser and
lexer; which one is meant is said by Lark's own option names, and what cannot be had exactly is
refused by name.
"""

from __future__ import annotations

import functools
import os
import re
from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import lark

from slm.errors import (
    GrammarTooComplex,
    InputFileError,
    LarkError,
    Place,
    UsageError,
)
from slm.grammar import ir
from slm.syntax import store
from slm.syntax.context_free import ContextFree
from slm.syntax.definitions import Definitions
from slm.syntax.dynamic_complete import EveryCut
from slm.syntax.memo import Memo, key_of
from slm.syntax.options import check_callbacks, check_object, check_options, semantics_of
from slm.syntax.pause import without_collection
from slm.syntax.places import Places, places_of
from slm.syntax.templates import endless_template
from slm.syntax.tokens import failing_at_once, token_grammar
from slm.syntax.unparsed import UnparsedLark


@dataclass(frozen=True, eq=False)
class CompiledLark:
    """A Lark grammar as an IR grammar, with the Lark object it was compiled from.

    Attributes:
        grammar: what the engine consumes.
        build: gives `lark`.
        notes: what is worth knowing, such as terminals that can never match.
        start: the start rule.
        transformer: what `tree` applies.
    """

    grammar: ir.Grammar
    build: Callable[[], lark.Lark] = field(repr=False)
    notes: tuple[str, ...] = ()
    start: str = "start"
    transformer: Any = None

    @property
    def lark(self) -> lark.Lark:
        """The object whose language `grammar` is; parse results with ``lark.parse``.

        It is made when first asked for, where the grammar was worked out by an earlier process.
        """
        return self.build()

    def tree(self, text: str) -> Any:
        """The tree that Lark parses a text into, transformed where there is a transformer.

        Raises:
            lark.exceptions.UnexpectedInput: the text is not one of the grammar.
        """
        parsed = self.lark.parse(text, start=self.start)
        return parsed if self.transformer is None else self.transformer.transform(parsed)


_memo: Memo[CompiledLark] = Memo(32)


def compile_lark(
    grammar: str | os.PathLike[str] | lark.Lark,
    *,
    start: str = "start",
    parser: str = "lalr",
    lexer: str = "auto",
    semantics: str = "lark",
    **options: Any,
) -> CompiledLark:
    """Compile a Lark grammar; the option names, and their defaults, are Lark's.

    Args:
        grammar: the grammar's text, the path of a ``.lark`` file, or a `lark.Lark` object (whose
            own options then count).
        start: the start rule.
        parser: ``"lalr"`` or ``"earley"``.
        lexer: ``"contextual"`` or ``"basic"``; with Earley ``"dynamic"``, ``"dynamic_complete"`` or
            ``"basic"``. ``"auto"`` is the first of them, as in Lark.
        semantics: ``"lark"``, or ``"cfg"``: without a lexer, see `slm.syntax.context_free`.
        **options: any other option of `lark.Lark`. A ``transformer`` is applied to what is parsed,
            which Lark says is the same; so it works with every parser, and changes no text.

    Raises:
        LarkError: Lark refuses the grammar or an option; the message and the place are Lark's.
        UnsupportedLarkFeature: the language cannot be enforced exactly; names the construct.
        GrammarTooComplex: a terminal needs too large an automaton, or brackets are nested too deep.
        InputFileError: the file cannot be read.

    Cost: making the Lark object; for dynamic_complete, time linear in rules and terminals; for the
        others, time linear in the contexts that rules can stand in (`slm.syntax.contexts`). The
        last 32 are remembered, but for grammars that import from files of their own.

    >>> compiled = compile_lark(
    ...     'start: "a" start "b" | "c"', parser="earley", lexer="dynamic_complete"
    ... )
    >>> compiled.grammar.start
    'start'
    """
    if semantics not in ("lark", "cfg"):
        raise UsageError(
            f"semantics={semantics!r} is not known", hint='semantics must be "lark" or "cfg"'
        )
    start = _one_start(start)
    with without_collection():
        if isinstance(grammar, lark.Lark):
            places = places_of(
                getattr(grammar, "source_grammar", ""), _source_name(grammar.source_path)
            )
            language = check_object(grammar, places, semantics)
            return _compiled(grammar, places, _start_of(grammar, start), language)
        text, path = _read(grammar)
        transformer = options.pop("transformer", None)
        whole = {**options, "start": start, "parser": parser, "lexer": lexer}
        key = key_of(text, {**whole, "semantics": semantics, "path": path})
        made = _memo.get(key, lambda: _compiled_text(text, path, semantics, whole, key))
        return made if transformer is None else replace(made, transformer=transformer)


def _compiled_text(
    text: str, path: str | None, semantics: str, options: dict[str, Any], key: Hashable | None
) -> CompiledLark:
    if key is None or not store.is_used():
        return _built(text, path, semantics, options)
    name = store.key_of_text(key)
    kept = store.load(name)
    if kept is None:
        made = _built(text, path, semantics, options, keep=False)
        store.save(name, made.grammar, made.notes)
        return made
    # Lark's object is made when it is asked for: for a tree, mostly.
    build = functools.cache(lambda: _built_object(text, path, semantics, options)[0])
    return CompiledLark(kept.grammar, build, kept.notes, options["start"])


def _built(
    text: str, path: str | None, semantics: str, options: dict[str, Any], *, keep: bool = True
) -> CompiledLark:
    built, places, language = _built_object(text, path, semantics, options)
    return _compiled(built, places, options["start"], language, keep=keep)


def _built_object(
    text: str, path: str | None, semantics: str, options: dict[str, Any]
) -> tuple[lark.Lark, Places, str]:
    options = dict(options)
    places = places_of(text, _source_name(path))
    if semantics == "cfg":
        options |= {"parser": "earley", "lexer": "dynamic_complete"}
        language = "cfg"
    else:
        postlex = options.get("postlex") is not None
        if options["lexer"] == "auto" and postlex and options["parser"] == "earley":
            options["lexer"] = "basic"  # as Lark decides
        language = semantics_of(options["parser"], options["lexer"])
    more = {name: options[name] for name in options if name not in ("start", "parser", "lexer")}
    check_options(more, language)
    if path is not None:
        options.setdefault("source_path", path)
    return _build(text, places, **options), places, language


def _compiled(
    built: lark.Lark, places: Places, start: str, language: str, *, keep: bool = True
) -> CompiledLark:
    if start not in {str(rule.origin.name) for rule in built.rules}:
        raise _no_start(start, (str(rule.origin.name) for rule in built.rules))
    check_callbacks(built, places, language)
    keep = keep and store.is_used()
    name = store.key_of_object(built, start, language) if keep else ""
    kept = store.load(name) if keep else None
    if kept is None:
        definitions = Definitions(built, places, language)
        lowered = _lowered(definitions, start, language)
        kept = store.Kept(lowered, tuple(definitions.notes))
        if keep:
            store.save(name, *kept)
    return CompiledLark(kept.grammar, lambda: built, kept.notes, start)


def _lowered(definitions: Definitions, start: str, language: str) -> ir.Grammar:
    if language == "cfg":
        return ContextFree(definitions, start).grammar()
    if language.startswith("earley/dynamic"):
        failing = failing_at_once(definitions, start)
        if failing is not None:
            return failing
    if language == "earley/dynamic_complete":
        return EveryCut(definitions, start).grammar()
    try:
        return token_grammar(definitions, start)
    except re.error as error:  # of the alternation that Lark compiles at its first token
        raise _refused(error, definitions.places) from error


# --- input ----------------------------------------------------------------------------------------


def _read(grammar: str | os.PathLike[str]) -> tuple[str, str | None]:
    """The grammar's text, and its file if it came from one."""
    if not isinstance(grammar, (str, os.PathLike)):
        raise UsageError(
            f"a grammar is a text or a path, and this is of type {type(grammar).__name__}",
            hint="pass the grammar's text, the path of a .lark file, or a lark.Lark",
        )
    if isinstance(grammar, str) and ("\n" in grammar or not grammar.strip().endswith(".lark")):
        return grammar, None
    path = Path(grammar)
    try:
        return path.read_text(encoding="utf-8"), str(path)
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is not UTF-8 text"
        raise InputFileError(
            f"the grammar file cannot be read: {reason}",
            at=Place(str(path)),
            hint="pass the path of a .lark file, or the grammar's text",
        ) from error


def _source_name(path: object) -> str:
    return str(path) if path and path != "<string>" else "<grammar>"


def _one_start(start: object) -> str:
    """The start rule that is meant; Lark takes lists of them, of which one has to be chosen."""
    if isinstance(start, (list, tuple)) and len(start) == 1:
        start = start[0]
    if not isinstance(start, str):
        raise UsageError(
            f"`start` has to name one rule, and this is {start!r}",
            hint="make a lark.Lark with all its start rules, and pass that with start=NAME",
        )
    return start


def _start_of(built: lark.Lark, start: str) -> str:
    starts = [str(name) for name in built.options.start]
    if start in starts:
        return start
    if start == "start" and len(starts) == 1:
        return starts[0]
    raise LarkError(
        f"`{start}` is not a start rule of this Lark object",
        hint=f"its start rules are {', '.join(starts)}",
    )


def _build(text: str, places: Places, **options: Any) -> lark.Lark:
    """The Lark object; whatever Lark says against the grammar becomes a `LarkError`."""
    make = lark.Lark if options["parser"] == "lalr" else UnparsedLark
    endless = endless_template(text, places.source, options)
    if endless is not None:
        raise GrammarTooComplex(
            f"template `{endless}` asks for itself with ever larger arguments, without an end",
            at=places.of(endless),
            hint="pass its parameters on as they are",
        )
    try:
        return make(text, **options)
    except RecursionError:
        raise GrammarTooComplex(
            "the grammar is nested too deep for Lark to read", hint="name parts of it as rules"
        ) from None
    except Exception as error:  # grammar errors come as many types, `re.error` and OSError included
        start = options["start"]
        if re.search(rf"undefined rule: NonTerminal\('{re.escape(start)}'\)", str(error)):
            raise _no_start(start, places.rules()) from error
        raise _refused(error, places) from error


def _no_start(start: str, rules: Iterable[str]) -> LarkError:
    known = list(dict.fromkeys(rules))
    shown = ", ".join(known[:10]) + (", …" if len(known) > 10 else "")
    return LarkError(
        f"Lark refuses the grammar: the start rule `{start}` is not defined",
        hint=f"pass one of its rules as `start`: {shown}" if known else "the grammar has no rules",
    )


def _refused(error: Exception, places: Places) -> LarkError:
    message, at = _lark_message(error, places)
    return LarkError(
        f"Lark refuses the grammar: {message}", at=at, hint="the message is Lark's own"
    )


def _lark_message(error: Exception, places: Places) -> tuple[str, Place | None]:
    """Lark's message in one line, and the place it speaks about."""
    text = str(error.args[0]) if error.args else str(error)
    if isinstance(error, OSError):
        text = f"{error.strerror or error}: {error.filename}"
    head = re.sub(r",? at line \d+,? column \d+.*", "", text.strip().split("\n", 1)[0]).rstrip(": ")
    line, column = getattr(error, "line", None), getattr(error, "column", None)
    if isinstance(line, int) and isinstance(column, int):
        return head, places.of_line(line, column)
    where = re.search(r"line (\d+),? column (\d+)", text)
    if where:
        return head, places.of_line(int(where[1]), int(where[2]))
    for argument in error.args[1:]:  # a TerminalDef
        pattern = getattr(argument, "pattern", None)
        if pattern is not None:
            at = places.of(str(argument.name)) or places.of_text(pattern.raw or pattern.value)
            return f"{head} ({argument.name}: {pattern.value})", at
    written = getattr(error, "pattern", None)  # of a `re.error`
    if isinstance(written, str):
        return f"{head} in {written}", places.of_text(written)
    undefined = re.search(r"'(\w+)' used but not defined \(in rule (\w+)\)", text)
    if undefined:
        return head, places.use_of(undefined[1], undefined[2])
    if "Empty terminals are not allowed" in head:
        return head, places.of_empty_string()
    for name in re.findall(r"'(\w+)'", text):
        at = places.of(name) or places.of_text(name)
        if at is not None:
            return head, at
    return head, None

"""Lark grammars, read by the `lark` package itself and lowered to the grammar IR.

The loader, imports, templates, EBNF, aliases, priorities and flags are Lark's own: a `lark.Lark`
object is made first, and what it holds (`rules`, `terminals`, `ignore_tokens`) is compiled. So far
the semantics are those of ``parser="earley", lexer="dynamic_complete"``: every way to cut the text
into terminals counts, priorities and ambiguity only choose among trees. Whatever else is asked for
is refused by name, because under it the same grammar text denotes another language.
"""

from __future__ import annotations

import difflib
import os
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import lark
from lark.grammar import Rule as LarkRule

from slm.errors import (
    GrammarTooComplex,
    InputFileError,
    LarkError,
    Place,
    UnsupportedLarkFeature,
    UsageError,
)
from slm.grammar import ir
from slm.grammar.regular import NOTHING
from slm.syntax.ignore import Ignored
from slm.syntax.places import Places, places_of
from slm.syntax.terminals import terminal_language
from slm.syntax.unparsed import UnparsedLark

SEMANTICS = "earley/dynamic_complete"
_HINT = 'pass parser="earley", lexer="dynamic_complete"'
_START = "__text"  # Lark reserves names with two underscores, so no grammar defines it
# Options that change no text's acceptance: they shape trees, or only say where files are.
_NEUTRAL = frozenset(
    {
        "ambiguity",
        "debug",
        "edit_terminals",
        "import_paths",
        "keep_all_tokens",
        "maybe_placeholders",
        "ordered_sets",
        "priority",
        "propagate_positions",
        "source_path",
        "strict",
        "tree_class",
    }
)


@dataclass(frozen=True)
class CompiledLark:
    """A Lark grammar as an IR grammar, with the Lark object it was compiled from.

    Attributes:
        grammar: what the engine consumes.
        lark: the object whose language `grammar` is; parse results with ``lark.parse``.
        notes: what is worth knowing, such as terminals that can never match.
    """

    grammar: ir.Grammar
    lark: lark.Lark
    notes: tuple[str, ...] = ()


def compile_lark(
    grammar: str | os.PathLike[str] | lark.Lark,
    *,
    start: str = "start",
    parser: str = "lalr",
    lexer: str = "contextual",
    **options: Any,
) -> CompiledLark:
    """Compile a Lark grammar; the option names, and their defaults, are Lark's.

    Args:
        grammar: the grammar's text, the path of a ``.lark`` file, or a `lark.Lark` object (whose
            own options then count).
        start: the start rule.
        parser: only ``"earley"`` so far.
        lexer: only ``"dynamic_complete"`` so far.
        **options: any other option of `lark.Lark`.

    Raises:
        LarkError: Lark refuses the grammar or an option; the message and the place are Lark's.
        UnsupportedLarkFeature: the language cannot be enforced exactly; names the construct.
        GrammarTooComplex: a terminal needs too large an automaton, or brackets are nested too deep.
        InputFileError: the file cannot be read.

    Cost: making the Lark object without its parser, plus time linear in rules and terminals.

    >>> compiled = compile_lark(
    ...     'start: "a" start "b" | "c"', parser="earley", lexer="dynamic_complete"
    ... )
    >>> compiled.grammar.start
    'start'
    """
    if isinstance(grammar, lark.Lark):
        built = grammar
        places = places_of(getattr(built, "source_grammar", ""), _source_name(built.source_path))
        _check_object(built, places)
        start = _start_of(built, start)
    else:
        text, path = _read(grammar)
        places = places_of(text, _source_name(path))
        _check_semantics(parser, lexer)
        _check_options(options)
        if path is not None:
            options.setdefault("source_path", path)
        built = _build(text, places, start=start, parser=parser, lexer=lexer, **options)
    return _Lowering(built, places, start).compiled()


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


def _check_semantics(parser: str, lexer: object, at: Place | None = None) -> None:
    name = lexer if isinstance(lexer, str) else "custom"
    if lexer == "auto":
        name = {"lalr": "contextual", "earley": "dynamic"}.get(parser, "basic")
    asked = f"{parser}/{name}"
    if asked == SEMANTICS:
        return
    raise UnsupportedLarkFeature(
        f"Lark's language under parser={parser!r}, lexer={name!r} cannot be enforced yet",
        feature="custom lexer" if not isinstance(lexer, str) else "parser and lexer",
        semantics=asked,
        at=at,
        hint=_HINT,
    )


def _check_options(options: dict[str, Any]) -> None:
    for name, value in options.items():
        if name in _NEUTRAL or not value or name == "g_regex_flags":
            continue
        if name in ("postlex", "lexer_callbacks", "use_bytes", "transformer", "cache", "_plugins"):
            raise _unsupported_option(name)
        if name not in ("regex",) and name not in lark.lark.LarkOptions._defaults:
            known = [each for each in lark.lark.LarkOptions._defaults if each[0] != "_"]
            near = difflib.get_close_matches(name, known, 1)
            raise LarkError(
                f"Lark has no option `{name}`",
                hint=f"did you mean `{near[0]}`?" if near else "see the options of lark.Lark",
            )


def _unsupported_option(name: str) -> UnsupportedLarkFeature:
    why = {
        "postlex": "tokens would come from the post-lexer's own code",
        "lexer_callbacks": "callbacks may change tokens",
        "use_bytes": "the text would be bytes",
        "transformer": 'Lark takes it under parser="lalr" only',
        "cache": 'Lark takes it under parser="lalr" only',
        "_plugins": "tokens would come from the plug-in's own code",
    }[name]
    return UnsupportedLarkFeature(
        f"the option `{name}` is not supported: {why}",
        feature=name,
        semantics=SEMANTICS,
        hint=f"leave `{name}` out",
    )


def _check_object(built: lark.Lark, places: Places) -> None:
    options = built.options
    _check_semantics(options.parser, options.lexer, places.at(0) if places.text else None)
    for name in ("postlex", "lexer_callbacks", "use_bytes", "_plugins"):
        if getattr(options, name, None):
            raise _unsupported_option(name)


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
    try:
        return UnparsedLark(text, **options)
    except RecursionError:
        raise GrammarTooComplex(
            "the grammar is nested too deep for Lark to read", hint="name parts of it as rules"
        ) from None
    except Exception as error:  # grammar errors come as many types, `re.error` and OSError included
        message, at = _lark_message(error, places)
        raise LarkError(
            f"Lark refuses the grammar: {message}", at=at, hint="the message is Lark's own"
        ) from error


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
    for name in re.findall(r"'(\w+)'", text):
        at = places.of(name) or places.of_text(name)
        if at is not None:
            return head, at
    return head, None


# --- lowering -------------------------------------------------------------------------------------


class _Lowering:
    """One Lark object on its way into the IR."""

    def __init__(self, built: lark.Lark, places: Places, start: str) -> None:
        self.built, self.places, self.start = built, places, start
        self.notes: list[str] = []
        self.definitions = {str(each.name): each for each in built.terminals}
        self.flags = int(built.options.g_regex_flags)
        ignored = [str(name) for name in built.ignore_tokens]
        self.ignored = Ignored(
            (self.terminal(name).language for name in ignored), self.refuse_ignore
        )
        self.leaves: dict[str, ir.Expression] = {}

    def compiled(self) -> CompiledLark:
        by_origin: dict[str, list[LarkRule]] = {}
        for rule in self.built.rules:
            by_origin.setdefault(str(rule.origin.name), []).append(rule)
        if self.start not in by_origin:
            raise LarkError(
                f"Lark refuses the grammar: the start rule `{self.start}` is not defined",
                hint=f"its rules are {', '.join(sorted(by_origin)[:10])}",
            )
        rules: list[ir.Rule] = []
        seen = {self.start}
        queue = [self.start]
        for name in queue:  # grows while it is walked
            body = self.body(name, by_origin[name])
            rules.append(ir.Rule(name, body, self.place_of_rule(name)))
            for node in ir.walk(body):
                if isinstance(node, ir.Call) and node.rule not in seen:
                    seen.add(node.rule)
                    queue.append(node.rule)
        end = self.ignored.at_end()
        start = self.start
        if end != ir.EMPTY:
            start = _START
            rules.insert(0, ir.Rule(_START, ir.seq(ir.Call(self.start), end)))
        return CompiledLark(ir.Grammar(tuple(rules), start), self.built, tuple(self.notes))

    def body(self, name: str, rules: list[LarkRule]) -> ir.Expression:
        """All expansions of one rule; Lark's own helper for `*` and `+` becomes a repetition."""
        rows = [tuple(str(symbol.name) for symbol in rule.expansion) for rule in rules]
        for rule in rules:
            for symbol in rule.expansion:
                if symbol.is_term:
                    self.leaf(str(symbol.name))
        plain = [row for row in rows if row[:1] != (name,)]
        again = [row[1:] for row in rows if row[:1] == (name,)]
        if again and name.startswith("__") and set(plain) == set(again):
            return ir.many(self.factored(plain), 1, None)
        return self.factored(rows)

    def factored(self, rows: Iterable[tuple[str, ...]]) -> ir.Expression:
        """The alternatives with their common beginnings shared.

        Lark writes ``a [b] [c] d`` out as four rows; together they are one tree again.
        """
        by_head: dict[str | None, list[tuple[str, ...]]] = {}
        for row in rows:
            by_head.setdefault(row[0] if row else None, []).append(row[1:])
        options = []
        for head, tails in by_head.items():
            if head is None:
                options.append(ir.EMPTY)
                continue
            first = self.leaves.get(head) or ir.Call(head)
            options.append(ir.seq(first, self.factored(tails)))
        return ir.choice(*options)

    def leaf(self, name: str) -> ir.Expression:
        """A terminal, with the ignored text that may stand before it."""
        if name not in self.leaves:
            self.leaves[name] = self.ignored.before(self.terminal(name))
        return self.leaves[name]

    def terminal(self, name: str) -> ir.Terminal:
        definition = self.definitions.get(name)
        if definition is None:
            raise UnsupportedLarkFeature(
                f"terminal `{name}` is declared but never defined, so only a post-lexer makes it",
                feature="%declare",
                symbol=name,
                semantics=SEMANTICS,
                at=self.places.of(name),
                hint="define the terminal; Lark's dynamic lexers cannot match it either",
            )
        place = self.place_of_terminal(name)

        def refuse(feature: str, what: str) -> UnsupportedLarkFeature:
            return UnsupportedLarkFeature(
                what,
                feature=feature,
                symbol=name,
                pattern=definition.pattern.to_regexp(),
                semantics=SEMANTICS,
                at=place,
                hint="write the terminal without it",
            )

        if self.built.options.regex and not _same_in_both_modules(definition.pattern, self.flags):
            raise refuse("regex", f"terminal `{name}` may mean something else in module `regex`")
        language = terminal_language(definition, self.flags, place, refuse)
        if language == NOTHING:
            self.notes.append(f"terminal `{name}` can never match")
        return ir.Terminal(name, language, place=place)

    def place_of_terminal(self, name: str) -> Place:
        pattern = self.definitions[name].pattern
        return (
            self.places.of(name)
            or self.places.of_text(pattern.raw or "")
            or self.places.of_text(pattern.value)
            or Place(self.places.source)
        )

    def place_of_rule(self, name: str) -> Place | None:
        template = name.split("{", 1)[0]
        helper = re.fullmatch(r"__(\w+)_(?:star|plus|repeat)_\w+", template)
        return self.places.of(helper[1] if helper else template)

    def refuse_ignore(self, why: str) -> UnsupportedLarkFeature:
        name = str(self.built.ignore_tokens[0])
        return UnsupportedLarkFeature(
            f"`%ignore` is greedy in Lark, and {why}",
            feature="greedy %ignore",
            symbol=name,
            pattern=self.definitions[name].pattern.to_regexp(),
            semantics=SEMANTICS,
            at=self.places.of_text("%ignore"),
            hint="ignore one character at a time (%ignore /[ ]/), or let no terminal begin like it",
        )


def _same_in_both_modules(pattern: Any, flags: int) -> bool:
    """Whether `re` and `regex` plainly read the pattern alike: ASCII, no classes, no flags."""
    if flags or pattern.flags:
        return False
    text = pattern.value
    return text.isascii() and not re.search(r"\\[a-zA-Z]|\[\[|\(\?[^:]|[*+?}]\+", text)

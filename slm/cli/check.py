"""`slm check`: what a schema or a grammar asks for, what is enforced, and what is refused."""

from __future__ import annotations

import argparse
import json
import sys
from typing import TYPE_CHECKING, Any

from slm.cli.files import read_json, read_text
from slm.cli.generate import add_lark_options
from slm.cli.schema_options import add_schema_options, schema_options
from slm.errors import SlmError

if TYPE_CHECKING:
    from rich.table import Table

    from slm.vocab import Vocabulary

HELP = """Show what a JSON Schema or a Lark grammar asks for, and what of it is enforced.

Exit code 0 when it compiles, 2 when it is refused.

examples:
  slm check person.json
  slm check query.lark --parser earley --lexer dynamic_complete
"""
_LONGEST = 80  # bytes of the shortest value that are shown
_COLOURS = {
    "enforced": "green",
    "annotation": "dim",
    "relaxed": "yellow",
    "refused": "red",
    "dead": "red",
}


def configure(parser: argparse.ArgumentParser) -> None:
    """The options."""
    parser.add_argument("file", metavar="FILE", help="a JSON Schema, or a grammar named .lark")
    add_lark_options(parser)
    add_schema_options(parser)


def run(arguments: argparse.Namespace) -> int:
    """Do it."""
    if arguments.file.endswith(".lark"):
        return _check_lark(arguments)
    return _check_schema(arguments.file, schema_options(arguments))


def _check_schema(name: str, options: dict[str, Any]) -> int:
    import slm

    schema = read_json(name)
    if isinstance(schema, dict) and "relations" in schema and not {"type", "$ref"} & schema.keys():
        # As a schema it would compile, and ask for nothing: all its keys are unknown keywords.
        raise slm.errors.UsageError(
            f"`{name}` is an ontology, neither a schema nor a grammar",
            hint=f"use it with slm extract --ontology {name} TEXTS",
        )
    refused: SlmError | None = None
    try:
        spec = slm.json_schema(schema, **options)
    except slm.errors.UnsupportedKeyword as error:
        # Relaxed, the notes list every place that is refused, not only the first.
        refused = error
        try:
            spec = slm.json_schema(schema, on_unsupported="relax", **options)
        except SlmError:
            raise error from None
    rows = [
        (f"#{note.pointer}", _asked(schema, note.pointer, note.keyword), _status(note), note.why)
        for note in spec.notes
    ]
    _print_table("place", "asks for", rows)
    if refused is not None:
        raise refused
    _compile(spec)
    _print_shortest(schema, options)
    counts = {
        status: sum(row[2] == status for row in rows) for status in ("enforced", "annotation")
    }
    print(
        f"{name}: compiles. {counts['enforced']} keywords enforced, "
        f"{counts['annotation']} that only describe."
    )
    return 0


def _print_shortest(schema: Any, options: dict[str, Any]) -> None:
    """The least that any output under the schema costs."""
    from slm.mask import compile_grammar
    from slm.samples import shortest
    from slm.schema import compile_schema
    from slm.vocab import byte_vocabulary

    options = {"whitespace": "compact", **options}
    grammar = compile_schema(schema, **options).grammar
    least = compile_grammar(grammar, byte_vocabulary()).matcher().min_tokens().tokens
    if least > _LONGEST:  # the time to write it grows with the cube of its length
        print(f"shortest value: {least} bytes")
        return
    text = shortest(schema, **options)
    tokens = len(_embedded_vocabulary().tokenize(text))
    size = len(text.encode())
    print(f"shortest value: {text}  ({size} bytes; {tokens} tokens of the embedded model)")


def _embedded_vocabulary() -> Vocabulary:
    from slm.models.embedded import folder
    from slm.vocab import Vocabulary

    return Vocabulary.from_hf(folder())


def _asked(schema: Any, pointer: str, keyword: str) -> str:
    """The keyword with its value, where that is short; of objects, with its keys."""
    value = schema
    for part in [*pointer.split("/")[1:], keyword]:
        key = part.replace("~1", "/").replace("~0", "~")
        try:
            value = value[int(key)] if isinstance(value, list) else value[key]
        except (KeyError, IndexError, ValueError, TypeError):
            return keyword  # in another document
    shown = ", ".join(value) if isinstance(value, dict) else json.dumps(value, ensure_ascii=False)
    return f"{keyword} {shown if len(shown) <= 50 else shown[:49] + '…'}"


def _status(note: Any) -> str:
    return "refused" if note.status == "relaxed" else str(note.status)


def _check_lark(arguments: argparse.Namespace) -> int:
    from pathlib import Path

    from slm.syntax import compile_lark

    read_text(arguments.file)  # for its errors, which name the line
    compiled = compile_lark(
        Path(arguments.file),
        start=arguments.start,
        parser=arguments.parser,
        lexer=arguments.lexer,
    )
    lark = compiled.lark
    rows = []
    by_rule: dict[str, list[str]] = {}
    for rule in lark.rules:
        expansion = " ".join(symbol.name for symbol in rule.expansion) or "(nothing)"
        by_rule.setdefault(str(rule.origin.name), []).append(expansion)
    for rule_name, expansions in by_rule.items():
        rows.append((rule_name, "rule", "enforced", " | ".join(expansions)))
    ignored = set(lark.ignore_tokens)
    for terminal in lark.terminals:
        kind = "ignored terminal" if terminal.name in ignored else "terminal"
        rows.append((terminal.name, kind, "enforced", str(terminal.pattern)))
    _print_table("name", "kind", rows)
    for note in compiled.notes:
        print(f"note: {note}")
    _compile(compiled.grammar)
    print(f"{arguments.file}: compiles. {len(by_rule)} rules, {len(lark.terminals)} terminals.")
    return 0


def _compile(spec: Any) -> None:
    """Compile over all bytes: whether any text is left is only known then."""
    import slm
    from slm.vocab import byte_vocabulary

    slm.compile(spec, byte_vocabulary())


def _print_table(first: str, second: str, rows: list[tuple[str, str, str, str]]) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table: Table = Table(box=None, pad_edge=False)
    for column in (first, second, "status", "what or why"):
        table.add_column(column, overflow="fold")
    for place, what, status, why in rows:
        table.add_row(Text(place), Text(what), Text(status, style=_COLOURS[status]), Text(why))
    console = Console(file=sys.stdout)
    if not console.is_terminal:
        console.width = 200
    if rows:
        console.print(table)

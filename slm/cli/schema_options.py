"""The options of commands that read a JSON Schema: how it is read, and how JSON is written."""

from __future__ import annotations

import argparse
from typing import Any

from slm.errors import UsageError


def add_schema_options(parser: argparse.ArgumentParser) -> None:
    """The options, with the names and defaults of `slm.json_schema` and `slm.JsonStyle`."""
    schema = parser.add_argument_group("options of JSON Schema")
    schema.add_argument("--draft", choices=("4", "6", "7", "2019-09", "2020-12"))
    schema.add_argument("--order", choices=("declared", "any"), default="declared")
    schema.add_argument("--formats", choices=("assert", "annotate"), default="assert")
    schema.add_argument(
        "--content",
        choices=("assert", "annotate"),
        help="JSON and base64 in strings (asserted in draft 7)",
    )
    schema.add_argument(
        "--whitespace", metavar="HOW", help="any, compact, or the width of an indent"
    )
    schema.add_argument("--separators", nargs=2, metavar=("ITEM", "KEY"), help="such as ', ' ': '")
    schema.add_argument("--max-whitespace", type=int, metavar="N", help="the longest run (40)")
    schema.add_argument("--escapes", choices=("any", "raw", "ascii"), default="any")
    schema.add_argument("--numbers", choices=("any", "plain"), default="any")
    schema.add_argument(
        "--extra-names", metavar="PATTERN", help="names that the schema does not declare match it"
    )
    schema.add_argument("--max-extra", type=int, metavar="N", help="so many of them in an object")


def schema_options(arguments: argparse.Namespace) -> dict[str, Any]:
    """What was asked for, as options of `compile_schema`; without those that were not given.

    Raises:
        UsageError: a value is none of those that there are.
    """
    from slm.schema import JsonStyle

    style: dict[str, Any] = {"escapes": arguments.escapes, "numbers": arguments.numbers}
    for name in ("max_whitespace", "extra_names", "max_extra"):
        if getattr(arguments, name) is not None:
            style[name] = getattr(arguments, name)
    if arguments.separators is not None:
        style["separators"] = tuple(arguments.separators)
    found: dict[str, Any] = {"order": arguments.order, "formats": arguments.formats}
    if arguments.content is not None:
        found["content"] = arguments.content
    if arguments.draft is not None:
        found["draft"] = arguments.draft
    if arguments.whitespace is not None:
        found["whitespace"] = _whitespace(arguments.whitespace)
    made = JsonStyle(**style)
    if made != JsonStyle():
        found["style"] = made
    return found


def _whitespace(written: str) -> str | int:
    if written in ("any", "compact"):
        return written
    if written.isascii() and written.isdigit():
        return int(written)
    raise UsageError(
        f"whitespace cannot be {written!r}",
        hint="use 'any' or 'compact', or an indent from 0 to 16",
    )

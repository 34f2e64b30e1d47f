"""Public Lark grammars as their projects use them, read from a folder with a MANIFEST.json."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lark.indenter import Indenter


@dataclass
class Grammar:
    """A grammar as its project uses it, and inputs with Lark's verdicts."""

    name: str
    path: Path
    start: str
    options: dict[str, Any]
    samples: list[tuple[str, bool]] = field(default_factory=list)


def grammars_of(folder: Path, longest: int) -> Iterator[Grammar]:
    """The grammars of a folder, without inputs longer than `longest` characters."""
    for entry in json.loads((folder / "MANIFEST.json").read_text())["grammars"]:
        home = folder / entry["name"]
        if not home.is_dir():
            continue
        start, options = as_built(entry)
        made = Grammar(entry["name"], home / entry["grammar"], start, options)
        strings = home / "samples.jsonl"
        if strings.exists():
            for line in strings.read_text(encoding="utf-8").splitlines():
                record = json.loads(line)
                if isinstance(record["text"], str) and (record["start"] or start) == start:
                    made.samples.append((record["text"], record["lark_accepts"]))
        for file in entry["sample_files"]:
            text = (home / file["file"]).read_text(encoding="utf-8", errors="ignore")
            made.samples.append((text, file["lark_accepts"]))
        made.samples = [pair for pair in made.samples if len(pair[0]) <= longest]
        yield made


def as_built(entry: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    """The start rule, and the options of Lark that an entry of the manifest tells."""
    options = {**entry["options"], "parser": entry["parser"].split()[0]}
    if entry["lexer"] not in (None, "auto"):
        options["lexer"] = entry["lexer"]
    flags = options.get("g_regex_flags")
    if isinstance(flags, str):
        options["g_regex_flags"] = re.RegexFlag[flags.rsplit(".", 1)[-1]]
    starts = entry["start"] or ["start"]
    start = starts if isinstance(starts, str) else starts[0]
    return start, with_postlex(options, entry["postlex"])


def with_postlex(options: dict[str, Any], told: dict[str, Any] | None) -> dict[str, Any]:
    """The options with the subclass of Lark's `Indenter` that was told by its attributes."""
    if not told:
        return options
    attributes = {name: value for name, value in told.items() if name != "kind"}
    return {**options, "postlex": type("Columns", (Indenter,), attributes)()}

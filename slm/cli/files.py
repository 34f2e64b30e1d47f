"""Reads the files that commands are given; every failure names the file and the line."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from slm.errors import InputFileError, Place

if TYPE_CHECKING:
    from slm.extract import Document

JSON_LINES = (".jsonl", ".ndjson")


def read_text(name: str) -> str:
    """A whole UTF-8 text file; ``-`` is the standard input.

    Raises:
        InputFileError: it cannot be opened, or is not UTF-8.
    """
    try:
        data = sys.stdin.buffer.read() if name == "-" else Path(name).read_bytes()
    except OSError as error:
        raise InputFileError(
            f"cannot read `{name}`: {(error.strerror or str(error)).lower()}",
            at=Place(name),
            hint="give the path of a readable text file, or - for the standard input",
        ) from error
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise InputFileError(
            f"byte 0x{data[error.start]:02x} is not UTF-8",
            at=Place(_shown(name), line=line),
            hint="convert the file to UTF-8",
        ) from error


def read_json(name: str) -> Any:
    """A JSON file.

    Raises:
        InputFileError: it cannot be read, or is not JSON.
    """
    text = read_text(name)
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        raise InputFileError(
            f"not JSON: {error.msg[:1].lower()}{error.msg[1:]}",
            at=Place(
                _shown(name),
                line=error.lineno,
                column=error.colno,
                excerpt=(text.splitlines() or [""])[error.lineno - 1][:200]
                if error.lineno <= len(text.splitlines())
                else "",
            ),
            hint="correct the file at this place",
        ) from error


def read_documents(name: str, *, whole: bool) -> Iterator[Document]:
    """The documents of a file.

    A file of JSON Lines (by its name) holds one object a line, with "text" and perhaps "id". Any
    other holds one document a line, empty lines left out, or with `whole` is one document. A
    document without an id gets its file and line as id.

    Raises:
        InputFileError: the file, or a line of it, cannot be read.
    """
    from slm.extract import Document

    text, shown = read_text(name), _shown(name)
    if whole:
        yield Document(text, shown)
        return
    json_lines = Path(name).suffix.lower() in JSON_LINES
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            continue
        place = Place(shown, line=number)
        if not json_lines:
            yield Document(line.rstrip("\r"), str(place))
            continue
        try:
            record = json.loads(line)
        except json.JSONDecodeError as error:
            raise InputFileError(
                f"not JSON: {error.msg[:1].lower()}{error.msg[1:]}",
                at=Place(shown, line=number, column=error.colno),
                hint='each line of a JSON Lines file is an object like {"text": "…"}',
            ) from error
        if not isinstance(record, dict) or not isinstance(record.get("text"), str):
            raise InputFileError(
                'no "text" in this line',
                at=place,
                hint='each line of a JSON Lines file is an object like {"text": "…"}',
            )
        yield Document(record["text"], str(record.get("id", place)))


def _shown(name: str) -> str:
    return "<stdin>" if name == "-" else name

"""Writes records as JSON Lines; the file appears whole or not at all."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import TextIO

from slm.errors import Place, UsageError
from slm.extract.record import Record


class JsonLinesWriter:
    """A context manager that writes beside the target and moves the file there at the end.

    When the block fails, the target is as it was before: the old file, or none.

    Raises:
        UsageError: the folder is missing or cannot be written to.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self._path = Path(os.path.realpath(path))
        self._part = self._path.with_name(f".{self._path.name}.{secrets.token_hex(4)}.part")
        self._file: TextIO | None = None
        self.count = 0

    def __enter__(self) -> JsonLinesWriter:
        self._file = _open(self._part, self._path)
        return self

    def write(self, record: Record) -> None:
        """Write one record as one line."""
        if self._file is None:
            raise UsageError(
                "the writer is not open", hint="use it in a with statement: with JsonLinesWriter(…)"
            )
        self._file.write(record.to_json() + "\n")
        self.count += 1

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        assert self._file is not None
        try:
            self._file.close()
            if kind is None:
                os.replace(self._part, self._path)
        finally:
            self._file = None
            with suppress(FileNotFoundError):
                self._part.unlink()


def write_jsonl(path: str | os.PathLike[str], records: Iterable[Record]) -> int:
    """Write all records; returns how many. See `JsonLinesWriter`."""
    with JsonLinesWriter(path) as writer:
        for record in records:
            writer.write(record)
    return writer.count


def write_whole(path: str | os.PathLike[str], text: str) -> None:
    """Write a text file whole or not at all."""
    target = Path(os.path.realpath(path))
    part = target.with_name(f".{target.name}.{secrets.token_hex(4)}.part")
    try:
        with _open(part, target) as file:
            file.write(text)
        os.replace(part, target)
    finally:
        with suppress(FileNotFoundError):
            part.unlink()


def _open(part: Path, target: Path) -> TextIO:
    if target.is_dir():
        raise UsageError("the output file is a folder", at=Place(str(target)), hint="name a file")
    try:
        # "x": never through a link that somebody put there.
        return part.open("x", encoding="utf-8", newline="\n", errors="replace")
    except OSError as error:
        raise UsageError(
            f"the output file cannot be written: {error.strerror or error}",
            at=Place(str(target)),
            hint="check that the folder exists and is writable",
        ) from error

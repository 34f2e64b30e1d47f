"""Writing files so that a reader sees the old content or the new one, never half of either."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from slm.errors import TrainingError


def write_bytes(path: Path, data: bytes) -> None:
    """Replace a file's content atomically: write beside it, flush to disk, rename over it.

    Raises:
        TrainingError: the disk is full, or cannot be written; the old content is still there.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _replace(path, data)
    except OSError as error:
        raise TrainingError(
            f"cannot write {path.name}: {error.strerror or error}",
            hint="free some space, or choose another folder; a run then goes on where it was",
        ) from error


def _replace(path: Path, data: bytes) -> None:
    scratch = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with scratch.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        scratch.replace(path)
    finally:
        scratch.unlink(missing_ok=True)


def read_bytes(path: Path) -> bytes:
    """A file's content.

    Raises:
        TrainingError: it cannot be read.
    """
    try:
        return path.read_bytes()
    except OSError as error:
        raise TrainingError(
            f"cannot read {path.name}: {error.strerror}", hint="check the folder"
        ) from error


def write_json(path: Path, value: Any, *, indent: int | None = 2) -> None:
    """Write a JSON value atomically, in UTF-8, with a newline at the end."""
    text = json.dumps(value, ensure_ascii=False, indent=indent)
    write_bytes(path, (text + "\n").encode())


@contextmanager
def new_folder(path: Path) -> Iterator[Path]:
    """A hidden folder beside `path` that takes its place when all of it is written.

    Raises:
        TrainingError: the disk is full or cannot be written; what was at `path` is still there.
    """
    scratch = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        scratch.mkdir(parents=True)
        yield scratch
        old = path.with_name(f".{path.name}.{os.getpid()}.old")
        if path.exists():
            path.rename(old)
        scratch.rename(path)
        shutil.rmtree(old, ignore_errors=True)
    except OSError as error:
        raise TrainingError(
            f"cannot write {path.name}: {error.strerror or error}",
            hint="free some space, or choose another folder",
        ) from error
    finally:
        shutil.rmtree(scratch, ignore_errors=True)

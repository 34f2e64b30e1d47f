"""Where tables and grammars are kept for the processes to come.

What a tokenizer's vocabulary makes of an expression (which tokens stay inside a JSON string, which
leave it, and with what) depends on the two alone, costs up to milliseconds, and is small. So the
engine keeps it in a folder, and a new process that meets the same expression reads it. So it is
with Lark grammars that were worked out (`slm.syntax.store`). Masks do not depend on any of it: what
cannot be read, or was changed, is made anew.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

VARIABLE = "SLM_CACHE_DIR"


class _Choice:
    """What `use_table_folder` was told; the environment is asked while it was not called."""

    folder: Path | None = None
    made = False


def use_table_folder(folder: str | os.PathLike[str] | None) -> None:
    """Choose where tables are kept, for vocabularies that are used for the first time from now on.

    Args:
        folder: it is made when first needed; `~` is the user's home; None: tables stay in the
            process.
    """
    _Choice.folder = None if folder is None else _absolute(folder)
    _Choice.made = True


def table_folder() -> Path | None:
    """Where tables are kept; None: nowhere.

    What `use_table_folder` was told; else ``SLM_CACHE_DIR``, where an empty value means nowhere;
    else `slm` in the folder that the system has for such things: ``$XDG_CACHE_HOME`` or
    ``~/.cache``, on macOS ``~/Library/Caches``, on Windows ``%LOCALAPPDATA%``.
    """
    if _Choice.made:
        return _Choice.folder
    named = os.environ.get(VARIABLE)
    if named is not None:
        return _absolute(named) if named else None
    above = _system_folder()
    return above / "slm" if above is not None and above.is_absolute() else None


def _absolute(folder: str | os.PathLike[str]) -> Path | None:
    """The folder, wherever the process goes later; None where that cannot be said."""
    path = Path(folder)
    try:
        return path.expanduser().absolute()
    except (RuntimeError, OSError):  # nobody is at home; the current folder is gone
        return path if path.is_absolute() else None


def _system_folder() -> Path | None:
    for name in ("LOCALAPPDATA",) if sys.platform == "win32" else ("XDG_CACHE_HOME",):
        value = os.environ.get(name)
        if value and Path(value).is_absolute():
            return Path(value)
    try:
        home = Path.home()
    except RuntimeError:  # nobody is at home
        return None
    return home / ("Library/Caches" if sys.platform == "darwin" else ".cache")

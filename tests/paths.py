"""Where test data lives that is too large, or licensed too differently, to be in the repository.

The folder is ``$SLM_SHARED_DATA`` where that is set, else ``../shared/data`` beside the checkout.
A test that needs a file of it asks `shared_data`, which skips the test where the file is absent.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent


def shared_root() -> Path:
    """The shared data folder, whether it exists or not."""
    named = os.environ.get("SLM_SHARED_DATA")
    return Path(named) if named else ROOT.parent / "shared" / "data"


def find_shared_data(relative: str) -> Path | None:
    """The file or folder ``relative`` of the shared data, or None: for parameters and markers."""
    path = shared_root() / relative
    return path if path.exists() else None


def shared_data(relative: str) -> Path:
    """The file or folder ``relative`` of the shared data; skips the test, or module, without it.

    ``shared_data("maskbench/maskbench.jsonl.xz")`` may stand in a test, in a fixture, or at the
    top of a module.
    """
    path = find_shared_data(relative)
    if path is None:
        pytest.skip(
            f"shared data `{relative}` is absent (set SLM_SHARED_DATA to its folder)",
            allow_module_level=True,
        )
    return path

"""The small extraction model that comes with slm: where it is."""

from __future__ import annotations

from pathlib import Path

from slm.errors import ModelNotFound


def folder() -> Path:
    """The folder of the embedded model, in Hugging Face format.

    Raises:
        ModelNotFound: this installation has no embedded model.
    """
    path = Path(__file__).parent / "embedded"
    if not (path / "config.json").is_file():
        raise ModelNotFound(
            "this installation has no embedded model",
            hint="install slm with its package data, train one with `slm train`, or name a model "
            "folder",
        )
    return path

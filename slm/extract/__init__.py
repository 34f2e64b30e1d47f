"""Documents in, grounded records out: chunks, merging, JSON Lines and an HTML view.

`import slm` imports this folder to bind its name (`slm.extract` is a function too), so the names
below are fetched when they are first used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from slm.extract.chunks import Chunk, split_into_chunks
    from slm.extract.html import render_html, write_html
    from slm.extract.jsonl import JsonLinesWriter, write_jsonl
    from slm.extract.record import Document, Record
    from slm.extract.run import Generate, extract, extract_records, model_generate

_HOME = {
    "Chunk": "chunks",
    "Document": "record",
    "Generate": "run",
    "JsonLinesWriter": "jsonl",
    "Record": "record",
    "extract": "run",
    "extract_records": "run",
    "model_generate": "run",
    "render_html": "html",
    "split_into_chunks": "chunks",
    "write_html": "html",
    "write_jsonl": "jsonl",
}

__all__ = [
    "Chunk",
    "Document",
    "Generate",
    "JsonLinesWriter",
    "Record",
    "extract",
    "extract_records",
    "model_generate",
    "render_html",
    "split_into_chunks",
    "write_html",
    "write_jsonl",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOME})

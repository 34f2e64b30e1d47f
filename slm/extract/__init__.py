"""Documents in, grounded records out: chunks, merging, JSON Lines and an HTML view.

The model comes in as a function (`Generate`), so this package knows no runtime.
"""

from slm.extract.chunks import Chunk, split_into_chunks
from slm.extract.html import render_html, write_html
from slm.extract.jsonl import JsonLinesWriter, write_jsonl
from slm.extract.record import Document, Record
from slm.extract.run import Generate, extract_records

__all__ = [
    "Chunk",
    "Document",
    "Generate",
    "JsonLinesWriter",
    "Record",
    "extract_records",
    "render_html",
    "split_into_chunks",
    "write_html",
    "write_jsonl",
]

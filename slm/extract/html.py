"""Records as one self-contained web page: every text with its spans marked, its triples below.

No script, no font, nothing fetched; every text is escaped.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from html import escape
from itertools import pairwise
from zlib import crc32

from slm.extract.jsonl import write_whole
from slm.extract.record import Record
from slm.knowledge import Argument

_HUES = 12

_STYLE = """
body{font:16px/1.6 system-ui,sans-serif;max-width:56rem;margin:2rem auto;padding:0 1rem;
color:#1b1b1b;background:#fff}
article{border-top:1px solid #ccc;padding:1rem 0}
h2{font-size:1rem;margin:0 0 .5rem;color:#555}
.text{white-space:pre-wrap;overflow-wrap:anywhere}
mark{color:inherit;border-radius:.2em;padding:.05em .1em}
table{border-collapse:collapse;margin-top:.6rem;font-size:.9rem}
th,td{text-align:left;padding:.15rem .8rem .15rem 0;vertical-align:top}
th{font-weight:600;color:#555}
.place,.type{color:#666;font-size:.85em}
.error{white-space:pre-wrap;color:#8a1c1c;background:#fdecec;padding:.5rem}
"""


def render_html(records: Iterable[Record], title: str = "Extracted triples") -> str:
    """The page as text.

    Args:
        records: in the order they are shown.
        title: of the page.

    Cost: linear in the texts and their triples.
    """
    body = "".join(_article(number, record) for number, record in enumerate(records, start=1))
    hues = "".join(
        f"mark.h{hue}{{background:hsl({hue * 360 // _HUES} 85% 86%)}}\n" for hue in range(_HUES)
    )
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width,initial-scale=1">\n'
        f"<title>{escape(title)}</title>\n<style>{_STYLE}{hues}</style>\n</head>\n<body>\n"
        f"<h1>{escape(title)}</h1>\n{body}</body>\n</html>\n"
    )


def write_html(
    path: str | os.PathLike[str], records: Iterable[Record], title: str = "Extracted triples"
) -> None:
    """Write the page; the file appears whole or not at all.

    Raises:
        UsageError: the folder is missing or cannot be written to.
    """
    write_whole(path, render_html(records, title))


def _article(number: int, record: Record) -> str:
    name = record.id if record.id is not None else str(number)
    parts = [f"<article>\n<h2>{escape(name)}</h2>\n", f'<p class="text">{_marked(record)}</p>\n']
    if record.triples:
        rows = "".join(
            f"<tr><td>{_cell(triple.subject)}</td><td>{escape(triple.relation)}</td>"
            f"<td>{_cell(triple.object)}</td></tr>\n"
            for triple in record.triples
        )
        head = "<tr><th>subject</th><th>relation</th><th>object</th></tr>\n"
        parts.append(f"<table>\n{head}{rows}</table>\n")
    if record.error is not None:
        parts.append(f'<p class="error">{escape(record.error)}</p>\n')
    parts.append("</article>\n")
    return "".join(parts)


def _cell(argument: Argument) -> str:
    return (
        f'{escape(argument.text)} <span class="type">{escape(argument.type)}</span> '
        f'<span class="place">{argument.start}–{argument.end}</span>'
    )


def _marked(record: Record) -> str:
    """The text, cut wherever a span starts or ends; a piece shows the shortest span it is in."""
    roles = [
        (argument, f"{role} of {triple.relation}: {argument.type}")
        for triple in record.triples
        for argument, role in ((triple.subject, "subject"), (triple.object, "object"))
    ]
    cuts = sorted({0, len(record.text)} | {at for a, _ in roles for at in (a.start, a.end)})
    pieces: list[str] = []
    for start, end in pairwise(cuts):
        piece = escape(record.text[start:end])
        inside = [(a, role) for a, role in roles if a.start <= start and end <= a.end]
        if inside:
            shortest = min(inside, key=lambda pair: pair[0].end - pair[0].start)[0]
            title = escape("\n".join(dict.fromkeys(role for _, role in inside)))
            hue = crc32(shortest.type.encode("utf-8", "replace")) % _HUES
            piece = f'<mark class="h{hue}" title="{title}">{piece}</mark>'
        pieces.append(piece)
    return "".join(pieces)

"""Cuts long texts at sentence ends into chunks that a small model can read.

A chunk is a verbatim slice, so a place in it plus its start is a place in the document. What is
said across a cut is not found; a larger chunk is the remedy.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from slm.errors import UsageError

# An end mark, closing quotes and brackets, white space; or a blank line; or an end mark of a
# script that puts no space after it. A run of end marks is tried from its first only: else a long
# one would cost the square of its length.
_SENTENCE_END = re.compile(r"(?<![.!?…])[.!?…]+[\"'”’»)\]]*\s+|\n\s*\n\s*|[。！？]+[」』”）]*\s*")

# Words whose full stop does not end a sentence; a single letter never does.
_WITH_STOP = (
    "a.m al approx capt cf ch co col corp dept dr e.g ed eds etc fig figs gen gov i.e inc jr lt "
    "ltd mr mrs ms no nos op p.m pp prof rep rev sen sgt sr st u.k u.s vol vols vs"
)
_ABBREVIATIONS = frozenset(_WITH_STOP.split())
_LAST_WORD = re.compile(r"[^\s(\"'“‘«\[]*$")
_LONGEST_WORD = 16  # looked back for; longer than any of the above


@dataclass(frozen=True, slots=True)
class Chunk:
    """A slice of a document: ``text == document[start : start + len(text)]``."""

    text: str
    start: int


def split_into_sentences(text: str) -> Iterator[tuple[int, int]]:
    """Half-open ranges that cover the text, each a sentence with the white space after it.

    >>> text = "Dr. J. Smith came. He saw."
    >>> [text[start:end] for start, end in split_into_sentences(text)]
    ['Dr. J. Smith came. ', 'He saw.']
    """
    start = 0
    for match in _SENTENCE_END.finditer(text):
        end = match.end()
        if match.group()[0] == ".":
            word = _LAST_WORD.search(text, max(start, match.start() - _LONGEST_WORD), match.start())
            single = match.group()[1] not in ".!?…"
            name = word.group().lower() if word and single else ""
            if name in _ABBREVIATIONS or (len(name) == 1 and name.isalpha()):
                continue
            if end < len(text) and text[end].islower():
                continue
        yield start, end
        start = end
    if start < len(text):
        yield start, len(text)


def split_into_chunks(text: str, max_chars: int = 600) -> list[Chunk]:
    """Whole sentences, as many as fit; a longer sentence is cut at white space, else anywhere.

    White space at the ends of a chunk is left out; a chunk is never empty.

    Args:
        text: the document.
        max_chars: the longest chunk.

    Raises:
        UsageError: `max_chars` is not positive.
    """
    if max_chars < 1:
        raise UsageError(f"chunk_chars is {max_chars}", hint="give 1 or more")
    found: list[Chunk] = []
    start = end = 0  # the chunk under way
    for low, high in (
        piece for one in split_into_sentences(text) for piece in _cut(text, *one, max_chars)
    ):
        if len(text[start:high].strip()) > max_chars:
            _add(found, text, start, end)
            start = low
        end = high
    _add(found, text, start, end)
    return found


def _cut(text: str, start: int, end: int, max_chars: int) -> Iterator[tuple[int, int]]:
    """A sentence in pieces of at most `max_chars`, white space around them not counted."""
    while len(text[start:end].strip()) > max_chars:
        while text[start].isspace():
            start += 1
        at = start + max_chars
        while at > start and not text[at].isspace():
            at -= 1
        at = at if at > start else start + max_chars
        yield start, at
        start = at
    yield start, end


def _add(found: list[Chunk], text: str, start: int, end: int) -> None:
    piece = text[start:end]
    solid = piece.strip()
    if solid:
        found.append(Chunk(solid, start + len(piece) - len(piece.lstrip())))

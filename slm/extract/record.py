"""A document, and what was extracted from it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from slm.knowledge import Argument, Triple


@dataclass(frozen=True, slots=True)
class Document:
    """A text with a name, so that its record can be found again."""

    text: str
    id: str | None = None


@dataclass(frozen=True, slots=True)
class Record:
    """The triples of one document, in text order of their chunks.

    Attributes:
        text: the document, unchanged; offsets count its characters.
        triples: each with ``text[start:end]`` equal to its arguments' texts, without repeats.
        id: the document's id, or None.
        error: why some or all of it could not be read; None when all went well.
    """

    text: str
    triples: tuple[Triple, ...] = ()
    id: str | None = None
    error: str | None = None

    def to_dict(self) -> dict[str, Any]:
        """The record as JSON values; what a line of the JSON Lines file holds.

        >>> Record("", id="7").to_dict()
        {'id': '7', 'text': '', 'triples': [], 'error': None}
        """
        return {
            "id": self.id,
            "text": self.text,
            "triples": [
                {
                    "subject": _argument(triple.subject),
                    "relation": triple.relation,
                    "object": _argument(triple.object),
                }
                for triple in self.triples
            ],
            "error": self.error,
        }

    def to_json(self) -> str:
        """One line of JSON; readable characters stay as they are."""
        line = json.dumps(self.to_dict(), ensure_ascii=False)
        # Half of a surrogate pair has no UTF-8 form; JSON's \u escape can still write it.
        return line if _encodable(line) else json.dumps(self.to_dict())


def _argument(argument: Argument) -> dict[str, Any]:
    return {
        "text": argument.text,
        "start": argument.start,
        "end": argument.end,
        "type": argument.type,
        "entity": argument.entity,
    }


def _encodable(text: str) -> bool:
    return not any("\ud800" <= char <= "\udfff" for char in text)

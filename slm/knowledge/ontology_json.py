"""Ontologies as JSON: what is declared, under the names that data sets use.

Read are the files of Text2KGBench (``concepts`` with ``qid``, ``relations`` with ``pid``) and the
plain form ``{"types": […], "relations": {label: [subject type, object type]}}``, with optional
``entities`` and ``facts``. An unknown part is listed in the notes; an unknown field of a type, a
relation or an entity is an error, since it is most likely misspelt.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from typing import Any

from slm.errors import InvalidGraph, Place
from slm.knowledge.builder import Builder
from slm.knowledge.graph import Knowledge

_TYPES = ("types", "concepts", "entity_types")
_ABOUT = {"title", "name", "id", "description", "version", "license", "source", "@context"}
_PARTS = (*_TYPES, "relations", "entities", "facts")
_IDS = ("id", "qid", "pid")
_LABELS = ("label", "name")
_DOMAINS = ("domain", "subject")
_RANGES = ("range", "object")


def read_ontology(value: dict[str, Any], name: str, builder: Builder) -> Knowledge:
    """Read the parsed JSON of one ontology.

    Raises:
        InvalidGraph: a part is missing, of the wrong kind or unknown; the place is its pointer.
        UndefinedType: see `Knowledge.load`.
    """
    reader = _Reader(name, builder)
    if "relations" not in value:
        raise InvalidGraph(
            "the object has neither `relations` nor `nodes`",
            at=Place(name, pointer=""),
            hint='an ontology has "concepts" and "relations", a graph "nodes" and "edges"',
        )
    for key, part in value.items():
        at = "/" + _escape(key)
        if key in _TYPES:
            for item, place in reader.items(part, at):
                reader.read_type(item, place)
        elif key == "relations":
            for item, place in reader.items(part, at):
                reader.read_relation(item, place)
        elif key == "entities":
            for item, place in reader.items(part, at):
                reader.read_entity(item, place)
        elif key == "facts":
            reader.read_facts(part, at)
        elif key not in _ABOUT:
            if near := difflib.get_close_matches(key, _PARTS, n=1, cutoff=0.75):
                raise InvalidGraph(
                    f"`{key}` is not a part of an ontology",
                    at=Place(name, pointer=at),
                    hint=f"did you mean `{near[0]}`?",
                )
            builder.notes.append(f"`{key}` is not read, and nothing in it is enforced")
    return builder.build()


class _Reader:
    """Reads one file's items; every message can name the place."""

    def __init__(self, name: str, builder: Builder) -> None:
        self.name, self.builder = name, builder

    def items(self, part: Any, at: str) -> Iterator[tuple[Any, str]]:
        """Items of a list, or of an object as ``(key, value)`` pairs."""
        if isinstance(part, list):
            for index, item in enumerate(part):
                yield item, f"{at}/{index}"
        elif isinstance(part, dict):
            for key, item in part.items():
                yield (key, item), f"{at}/{_escape(key)}"
        else:
            raise self.wrong(part, at, "a list or an object")

    def read_type(self, item: Any, at: str) -> None:
        fields = self.fields(item, at, {"subclass_of"})
        label = self.text(fields, _LABELS, at)
        above = fields.get("subclass_of", [])
        refs = [above] if isinstance(above, str) else above
        if not isinstance(refs, list) or not all(isinstance(ref, str) for ref in refs):
            raise self.wrong(above, at + "/subclass_of", "a type name or a list of them")
        self.builder.add_type(
            self.text(fields, _IDS, at, default=label).strip(), label, self.place(at), above=refs
        )

    def read_relation(self, item: Any, at: str) -> None:
        if isinstance(item, tuple) and isinstance(item[1], list):
            if len(item[1]) != 2:
                raise self.wrong(item[1], at, "a pair: the subject's type and the object's")
            item = (item[0], {"domain": item[1][0], "range": item[1][1]})
        fields = self.fields(item, at, {*_DOMAINS, *_RANGES})
        label = self.text(fields, _LABELS, at)
        self.builder.add_relation(
            self.text(fields, _IDS, at, default=label).strip(),
            label,
            self.place(at),
            domain=self.type_refs(fields, _DOMAINS, at),
            range_=self.type_refs(fields, _RANGES, at),
        )

    def read_entity(self, item: Any, at: str) -> None:
        if isinstance(item, tuple) and isinstance(item[1], str):
            item = (item[0], {"type": item[1]})
        fields = self.fields(item, at, {"aliases", "type", "types"})
        label = self.text(fields, _LABELS, at)
        types: list[str] = []
        for key in ("type", "types"):
            if key in fields:
                types += self.strings(fields[key], f"{at}/{key}")
        self.builder.add_entity(
            self.text(fields, _IDS, at, default=label),
            label,
            self.place(at),
            aliases=self.strings(fields.get("aliases", []), at + "/aliases"),
            types=types,
        )

    def read_facts(self, part: Any, at: str) -> None:
        if not isinstance(part, list):
            raise self.wrong(part, at, "a list of [subject, relation, object]")
        for index, fact in enumerate(part):
            here = f"{at}/{index}"
            if isinstance(fact, dict) and set(fact) == {"subject", "relation", "object"}:
                fact = [fact["subject"], fact["relation"], fact["object"]]
            if (
                not isinstance(fact, list)
                or len(fact) != 3
                or not all(isinstance(piece, str) for piece in fact)
            ):
                raise self.wrong(fact, here, "[subject, relation, object], three strings")
            self.builder.add_fact(fact[0], fact[1], fact[2], self.place(here))

    def fields(self, item: Any, at: str, more: set[str]) -> dict[str, Any]:
        """An item as an object: a bare string is a label; the key of an object is a label too."""
        if isinstance(item, str):
            return {"label": item}
        if isinstance(item, tuple):
            key, value = item
            if value is not None and not isinstance(value, dict):
                raise self.wrong(value, at, "an object")
            item = {"label": key, **(value or {})}
            if "name" in item and "label" in (value or {}):
                raise self.wrong(value, at, "an object with one label")
        if not isinstance(item, dict):
            raise self.wrong(item, at, "a string or an object")
        for key in item:
            if key not in {*more, *_IDS, *_LABELS, "description"}:
                raise InvalidGraph(
                    f"`{key}` has no meaning here",
                    at=self.place(f"{at}/{_escape(key)}"),
                    hint=f"known are {', '.join(sorted({*more, 'id', 'label'}))}",
                )
        return item

    def text(
        self, fields: dict[str, Any], keys: tuple[str, ...], at: str, default: str | None = None
    ) -> str:
        for key in keys:
            if key in fields:
                if not isinstance(fields[key], str):
                    raise self.wrong(fields[key], f"{at}/{key}", "a string")
                return str(fields[key])
        if default is None:
            raise InvalidGraph(
                f"`{keys[0]}` is missing", at=self.place(at), hint=f'add "{keys[0]}": "…"'
            )
        return default

    def type_refs(
        self, fields: dict[str, Any], keys: tuple[str, ...], at: str
    ) -> list[tuple[str, Place]]:
        for key in keys:
            if key in fields:
                place = self.place(f"{at}/{key}")
                value = "" if fields[key] is None else fields[key]
                return [(ref, place) for ref in self.strings(value, f"{at}/{key}")]
        return []

    def strings(self, value: Any, at: str) -> list[str]:
        if isinstance(value, str):
            return [value]
        if not isinstance(value, list) or not all(isinstance(piece, str) for piece in value):
            raise self.wrong(value, at, "a string or a list of strings")
        return value

    def place(self, at: str) -> Place:
        return Place(self.name, pointer=at)

    def wrong(self, value: Any, at: str, wanted: str) -> InvalidGraph:
        shown = repr(value)
        return InvalidGraph(
            f"{shown if len(shown) <= 40 else shown[:39] + '…'} stands where {wanted} is needed",
            at=self.place(at),
            hint=f"write {wanted}",
        )


def _escape(key: str) -> str:
    return str(key).replace("~", "~0").replace("/", "~1")

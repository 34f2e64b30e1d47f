"""Finds out what a source is and hands it to the reader for it."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from slm.errors import InputFileError, InvalidGraph, Place, UsageError
from slm.knowledge.builder import Builder, UndefinedTypes
from slm.knowledge.graph import Knowledge
from slm.knowledge.ontology_json import read_ontology
from slm.knowledge.property_graph import is_node_link, read_networkx, read_node_link

_RDF_SUFFIXES = {
    ".ttl": "turtle",
    ".turtle": "turtle",
    ".nt": "nt",
    ".n3": "n3",
    ".rdf": "xml",
    ".xml": "xml",
    ".jsonld": "json-ld",
}


def load_knowledge(
    source: Any, *, ontology: Any = None, undefined_types: UndefinedTypes = "error"
) -> Knowledge:
    """See `Knowledge.load`."""
    if undefined_types not in ("error", "declare"):
        raise UsageError(
            f"undefined_types={undefined_types!r} is not known", hint='give "error" or "declare"'
        )
    base = None
    if ontology is not None:
        base = load_knowledge(ontology, undefined_types=undefined_types)
    if isinstance(source, Knowledge):
        return source
    if isinstance(source, str | os.PathLike):
        return _load_path(Path(source), base, undefined_types)
    if isinstance(source, dict):
        return _load_json(source, "", base, undefined_types)
    module = type(source).__module__.partition(".")[0]
    if module == "rdflib" and base is None:
        from slm.knowledge.rdf import read_rdf

        return read_rdf(source, _builder("graph", undefined_types, None))
    if hasattr(source, "nodes") and hasattr(source, "edges"):
        name = str(source.name or "graph") if hasattr(source, "name") else "graph"
        return read_networkx(source, _builder(name, undefined_types, base), base)
    raise InvalidGraph(
        f"an object of type {type(source).__name__} is not a graph or ontology",
        hint="give a path, a dict, a networkx graph or an rdflib graph"
        + ("; an ontology can only be added to a node-link or networkx graph" if base else ""),
    )


def _builder(name: str, undefined_types: UndefinedTypes, base: Knowledge | None) -> Builder:
    builder = Builder(name, undefined_types)
    if base is not None:
        builder.add_ontology(base)
    return builder


def _load_path(path: Path, base: Knowledge | None, undefined_types: UndefinedTypes) -> Knowledge:
    try:
        data = path.read_bytes()
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise InputFileError(
            f"the graph or ontology cannot be read: {reason}",
            at=Place(str(path)),
            hint="check the path",
        ) from error
    suffix = path.suffix.lower()
    looks_like_json = data.lstrip(b"\xef\xbb\xbf \t\r\n")[:1] in (b"{", b"[")
    if suffix == ".json" or (suffix not in _RDF_SUFFIXES and looks_like_json):
        return _load_json(_parse_json(data, path.name), path.name, base, undefined_types)
    if base is not None:
        raise InvalidGraph(
            "an ontology can only be added to a node-link or networkx graph",
            at=Place(path.name),
            hint="put the ontology's statements into the same RDF file",
        )
    from slm.knowledge.rdf import parse_rdf, read_rdf

    # Many .owl files are Turtle, whatever the suffix says.
    form = _RDF_SUFFIXES.get(suffix) or ("xml" if data.lstrip()[:1] == b"<" else "turtle")
    if suffix == ".owl" and data.lstrip()[:5] not in (b"<?xml", b"<rdf:", b"<!DOC", b"<!--"):
        form = "turtle"
    return read_rdf(parse_rdf(data, form, path.name), _builder(path.stem, undefined_types, None))


def _parse_json(data: bytes, name: str) -> Any:
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InvalidGraph(
            f"the file is not UTF-8: byte {error.start}", at=Place(name), hint="save it as UTF-8"
        ) from error

    def without_repeats(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) < len(pairs):
            keys = [key for key, _ in pairs]
            twice = next(key for key in keys if keys.count(key) > 1)
            raise InvalidGraph(
                f"the key `{twice}` stands twice in one object",
                at=Place(name),
                hint="only one of them would be read; merge or rename them",
            )
        return found

    try:
        return json.loads(text, object_pairs_hook=without_repeats)
    except json.JSONDecodeError as error:
        lines = text.split("\n")
        excerpt = lines[error.lineno - 1] if error.lineno <= len(lines) else ""
        raise InvalidGraph(
            f"the file is not JSON: {error.msg[:1].lower()}{error.msg[1:]}",
            at=Place(name, error.lineno, error.colno, excerpt=excerpt[:100]),
            hint="correct the file there",
        ) from error
    except (RecursionError, ValueError) as error:
        raise InvalidGraph(
            "the file's JSON is nested too deeply, or has a number that is too long",
            at=Place(name),
            hint="this is no graph or ontology",
        ) from error


def _load_json(
    value: Any, name: str, base: Knowledge | None, undefined_types: UndefinedTypes
) -> Knowledge:
    if not isinstance(value, dict):
        raise InvalidGraph(
            "a graph or ontology in JSON is an object",
            at=Place(name, pointer=""),
            hint='an ontology has "concepts" and "relations", a graph "nodes" and "edges"',
        )
    if is_node_link(value):
        return read_node_link(
            value, name, _builder(_title(value, name), undefined_types, base), base
        )
    if base is not None:
        raise InvalidGraph(
            "an ontology can only be added to a node-link or networkx graph",
            at=Place(name, pointer=""),
            hint='put "relations" and "entities" into one object',
        )
    return read_ontology(value, name, _builder(_title(value, name), undefined_types, None))


def _title(value: dict[str, Any], name: str) -> str:
    inner = value.get("graph")
    for holder in (value, inner if isinstance(inner, dict) else {}):
        for key in ("title", "name", "id"):
            if isinstance(holder.get(key), str) and holder[key].strip():
                return str(holder[key]).strip()
    return Path(name).stem or "ontology"

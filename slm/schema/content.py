"""``contentMediaType``, ``contentEncoding`` and ``contentSchema``, where they are asserted.

An encoding is a regular language of strings (`encodings.py`). That a string is a JSON text is none:
it stays a `Content` of the string's shape, whose goal is what the value in it has to reach. Two of
them meet by their goals, so JSON in a string costs no more than JSON; `inside.py` writes it.
What the specifications leave open is an annotation: other media types, other encodings.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from slm.errors import InvalidSchema, SlmError, UnsupportedKeyword
from slm.grammar.regular import Regular
from slm.schema.algebra import TRUE, Content, StringShape
from slm.schema.encodings import (
    ALPHABETS,
    IDENTITIES,
    decoded,
    encoding_doubts,
    encoding_language,
)
from slm.schema.membership import admits
from slm.schema.reader import SchemaNode

if TYPE_CHECKING:
    from slm.schema.normalise import Normaliser

CONTENT_HINT = 'simplify the schema, pass content="annotate", or on_unsupported="relax" to drop it'
_MEDIA_TYPE = re.compile(r"\s*([^\s/;]+)/([^\s/;]+)\s*(?:;.*)?", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Asserted:
    """What a schema's own keywords say about the content of a string; see `StringShape`."""

    parts: tuple[Regular, ...] = ()
    doubts: tuple[Regular, ...] = ()
    contents: tuple[Content, ...] = ()


def is_json_type(media_type: str) -> bool:
    """Whether documents of a media type are JSON texts; its parameters do not matter (RFC 8259).

    >>> is_json_type("application/json; charset=utf-8"), is_json_type("application/ld+json")
    (True, True)
    >>> is_json_type("application/json-seq"), is_json_type("json")
    (False, False)
    """
    found = _MEDIA_TYPE.fullmatch(media_type)
    if found is None:
        return False
    kind, subtype = found[1].lower(), found[2].lower()
    return (kind, subtype) in (("application", "json"), ("text", "json")) or (
        subtype.endswith("+json")
    )


def content_of(of: Normaliser, node: SchemaNode, *, wide: bool = False) -> Asserted:
    """What the keywords assert; nothing where they only annotate. `wide`: see `encoding_language`.

    Raises:
        InvalidSchema: a value of the wrong kind.
        UnsupportedKeyword: JSON in an encoding that it cannot be followed into.
    """
    parts: tuple[Regular, ...] = ()
    doubts: tuple[Regular, ...] = ()
    contents: tuple[Content, ...] = ()
    encoding = _word(of, node, "contentEncoding")
    if encoding is not None:
        language = encoding_language(encoding, wide=wide)
        if language is not None:
            parts = (language,)
            unknown = encoding_doubts(encoding)
            doubts = () if unknown is None else (unknown,)
    media = _word(of, node, "contentMediaType")
    if media is not None and why_annotation(node, "contentMediaType") is None:
        # Of the encoding as it is written: without a keyword that was relaxed it would be another.
        written = str(node.raw.get("contentEncoding", "")).lower()
        goal = TRUE
        if of.has(node, "contentSchema"):
            goal = of.reader.child(node, "contentSchema")
        if written not in IDENTITIES and written not in ALPHABETS:
            why = f"JSON in {written} cannot be followed"
            raise of.unsupported(node, "contentMediaType", why, CONTENT_HINT)
        contents = (Content(goal, written if written in ALPHABETS else "", node.number),)
    return Asserted(parts, doubts, contents)


def _word(of: Normaliser, node: SchemaNode, keyword: str) -> str | None:
    """The keyword's value where it is asserted, in lower case."""
    if not of.has(node, keyword):
        return None
    value = node.raw[keyword]
    if not isinstance(value, str):
        raise InvalidSchema(
            f"{keyword} must be a string, not {json.dumps(value, default=str)[:60]}",
            at=node.at(keyword),
            hint='correct the value, or pass content="annotate"',
        )
    return value.lower()


def why_annotation(node: SchemaNode, keyword: str) -> str | None:
    """Why a keyword says nothing although content is asserted; None where it says something."""
    encoding = str(node.raw.get("contentEncoding", "")).lower()
    known = encoding in IDENTITIES or encoding_language(encoding) is not None
    if keyword == "contentEncoding":
        if encoding in ("8bit", "binary"):
            return f"{encoding} is any string"
        return None if known else f"the encoding {json.dumps(encoding)} is not known"
    media = node.raw.get("contentMediaType")
    if media is None:
        return "there is no contentMediaType"
    if not is_json_type(str(media)):
        return f"{json.dumps(media)} is not a JSON media type"
    return None if known else f"the encoding {json.dumps(encoding)} is not known"


# --- what is in a string ------------------------------------------------------------------------


def holds(of: Normaliser, shape: StringShape, text: str) -> bool:
    """Whether a string has the contents of a shape.

    Raises:
        UnsupportedKeyword: what the schema of the content admits cannot be decided.
    """
    return all(_holds(of, content, text) for content in shape.contents)


def _holds(of: Normaliser, content: Content, text: str) -> bool:
    written = decoded(content.encoding, text)
    if written is None:
        return False
    try:
        value = json.loads(written, parse_constant=_no_constant)
    except (ValueError, RecursionError):
        return False
    return admits(of, content.goal, value)


def _no_constant(name: str) -> Any:
    raise ValueError(name)


def is_void_content(of: Normaliser, shape: StringShape, depth: int) -> bool:
    """Whether provably no string has the contents of a shape."""
    if shape.values is None:
        return any(of.goal_is_void(content.goal, depth) for content in shape.contents)
    if not shape.contents:
        return False
    try:
        return not any(holds(of, shape, text) for text in shape.values)
    except SlmError:  # it leads back to a schema that is being worked out, or cannot be decided
        return False


# --- what cannot be said ------------------------------------------------------------------------


def negated_content(of: Normaliser, content: Content) -> UnsupportedKeyword:
    """The error for strings that are no such JSON."""
    node = of.reader.node(content.number)
    why = "negated, it needs every string that is no such JSON text"
    return of.unsupported(node, "contentMediaType", why, CONTENT_HINT)


def refuse_in_names(of: Normaliser, node: SchemaNode, shapes: Iterable[StringShape]) -> None:
    """Names of members that are JSON texts are no regular language.

    Raises:
        UnsupportedKeyword: a shape of ``propertyNames`` has contents.
    """
    if any(shape.contents for shape in shapes):
        raise of.unsupported(node, "propertyNames", "the names would be JSON texts")

"""The README's table of what is enforced says what the code does."""

from __future__ import annotations

import re
from typing import Any

import pytest

import slm
from tests.paths import ROOT

NULL = {"type": "null"}
DRAFT_7 = "http://json-schema.org/draft-07/schema#"
IF = {"properties": {"a": {"const": 1}}, "required": ["a"]}

DRAFT_7 = "http://json-schema.org/draft-07/schema#"
ENFORCED: dict[str, Any] = {
    "type": {"type": ["integer", "null"]},
    "enum": {"enum": [1, "a", {"b": [1]}]},
    "const": {"const": {"a": 1}},
    "anyOf": {"anyOf": [NULL, {"type": "string"}]},
    "allOf": {"allOf": [{"minimum": 1}, {"maximum": 2}]},
    "oneOf": {"oneOf": [{"multipleOf": 2}, {"multipleOf": 3}]},
    "not": {"not": {"required": ["a"]}},
    "if": {"if": IF, "then": {"required": ["b"]}},
    "then": {"if": IF, "then": {"required": ["b"]}},
    "else": {"if": IF, "else": {"required": ["c"]}},
    "$ref": {"properties": {"next": {"$ref": "#"}}},
    "minimum": {"minimum": 1.5},
    "maximum": {"maximum": 9},
    "exclusiveMinimum": {"exclusiveMinimum": 3},
    "exclusiveMaximum": {"exclusiveMaximum": 3},
    "multipleOf": {"type": "number", "multipleOf": 0.1},
    "minLength": {"minLength": 2},
    "maxLength": {"maxLength": 5, "pattern": "a"},
    "pattern": {"pattern": "^a"},
    "properties": {"properties": {"a": NULL}},
    "required": {"required": ["a"]},
    "additionalProperties": {"properties": {"a": {}}, "additionalProperties": NULL},
    "patternProperties": {"patternProperties": {"^a": NULL}},
    "propertyNames": {"propertyNames": {"maxLength": 3}},
    "maxProperties": {"maxProperties": 3},
    "dependentRequired": {"dependentRequired": {"a": ["b"]}},
    "dependentSchemas": {"dependentSchemas": {"a": {"required": ["b"]}}},
    "dependencies": {"$schema": DRAFT_7, "dependencies": {"a": ["b"]}},
    "items": {"items": NULL},
    "prefixItems": {"prefixItems": [NULL], "items": False},
    "additionalItems": {"$schema": DRAFT_7, "items": [NULL], "additionalItems": False},
    "minItems": {"minItems": 2},
    "maxItems": {"maxItems": 3},
    "contains": {"contains": NULL},
    "minContains": {"contains": NULL, "minContains": 2},
    "maxContains": {"contains": NULL, "maxContains": 2},
    "unevaluatedItems": {"unevaluatedItems": False},
    "unevaluatedProperties": {"unevaluatedProperties": False},
    "$dynamicRef": {"$dynamicRef": "#a", "$defs": {"b": {"$dynamicAnchor": "a"}}},
    "$recursiveRef": {
        "$schema": "https://json-schema.org/draft/2019-09/schema",
        "properties": {"a": {"$recursiveRef": "#"}},
    },
    **{
        name: {"type": "string", "format": name}
        for name in (
            "date time date-time duration email hostname ipv4 ipv6 uri uri-reference iri "
            "iri-reference uuid json-pointer relative-json-pointer idn-email idn-hostname "
            "uri-template regex"
        ).split()
    },
    "contentMediaType": {"$schema": DRAFT_7, "contentMediaType": "application/json"},
    "contentEncoding": {"$schema": DRAFT_7, "contentEncoding": "base64"},
    "minProperties": {"minProperties": 2},
    "uniqueItems": {"uniqueItems": True},
}
REFUSED: dict[str, Any] = {
    "not": {"not": {"uniqueItems": True}},
    "uniqueItems": {"not": {"uniqueItems": True}},
}


def table() -> tuple[set[str], set[str]]:
    """The words in code font of the JSON Schema rows: those enforced, and those refused."""
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    rows = [row.split("|") for row in readme.splitlines() if row.startswith("| ")]
    cells = [row[1:-1] for row in rows if len(row) == 5]
    names = ("JSON Schema", "numbers", "strings", "objects", "arrays")
    rows = [row for row in cells if row[0].strip().startswith(names)]
    enforced, refused = (
        {word for row in rows for word in re.findall(r"`([^`]+)`", row[column])}
        for column in (1, 2)
    )
    return enforced - {"format"}, refused - {"format"}


def test_table_is_whole() -> None:
    """The keywords and formats of the table are the ones that are tested here."""
    assert table() == (set(ENFORCED), set(REFUSED))


@pytest.mark.parametrize("word", ENFORCED)
def test_enforced_words_compile(word: str) -> None:
    """A schema with the word compiles, and its notes say that the word is enforced."""
    notes = slm.json_schema(ENFORCED[word]).notes
    keyword = "format" if ENFORCED[word].get("format") == word else word
    assert {note.status for note in notes if note.keyword == keyword} == {"enforced"}


@pytest.mark.parametrize("word", REFUSED)
def test_refused_words_are_refused_by_name(word: str) -> None:
    """A schema with the word is an UnsupportedKeyword error that names it, with its place."""
    with pytest.raises(slm.errors.UnsupportedKeyword) as caught:
        slm.json_schema(REFUSED[word])
    assert word in str(caught.value)
    assert caught.value.at is not None

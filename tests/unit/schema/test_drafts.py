"""What the drafts do differently, from their specifications, judged by jsonschema-rs in each."""

from __future__ import annotations

import json
from typing import Any

import jsonschema_rs
import pytest

from slm.errors import SlmError, UnsatisfiableSchema
from slm.mask import compile_grammar
from slm.schema import compile_schema
from slm.vocab import byte_vocabulary
from tests.conformance.arrange import Arranger
from tests.conformance.maskbench import accepts

URIS = {
    "4": "http://json-schema.org/draft-04/schema#",
    "6": "http://json-schema.org/draft-06/schema#",
    "7": "http://json-schema.org/draft-07/schema#",
    "2019-09": "https://json-schema.org/draft/2019-09/schema",
    "2020-12": "https://json-schema.org/draft/2020-12/schema",
}
SCALARS: list[Any] = [None, True, 0, 1, 5, 6, 2.5, "", "a", "abc"]
ROWS: list[Any] = [[], [1], ["a"], [1, "a"], [1, "a", 3], [1, 2], ["a", 1], [[1]], [None, None]]
THINGS: list[Any] = [
    {},
    {"a": 1},
    {"a": "x"},
    {"b": 1},
    {"a": 1, "b": 2},
    {"a": 1, "b": "x"},
    {"a": {"a": 1}},
    {"a": {"a": "x"}},
    {"a": 1, "b": 2, "c": 3},
    {"abc": 1},
]
VALUES = SCALARS + ROWS + THINGS
INTEGER, STRING = {"type": "integer"}, {"type": "string"}

SINCE_4 = ("4", "6", "7", "2019-09", "2020-12")
SINCE_6, SINCE_7, SINCE_2019 = SINCE_4[1:], SINCE_4[2:], SINCE_4[3:]
CASES: list[tuple[str, tuple[str, ...], Any]] = [
    ("boolean bounds", ("4",), {"minimum": 5, "exclusiveMinimum": True}),
    ("boolean upper bound", ("4",), {"maximum": 5, "exclusiveMaximum": True}),
    ("bounds that are not exclusive", ("4",), {"minimum": 5, "exclusiveMinimum": False}),
    ("bounds as numbers", SINCE_6, {"exclusiveMinimum": 1, "exclusiveMaximum": 6}),
    ("two bounds", SINCE_6, {"minimum": 5, "exclusiveMinimum": 4, "exclusiveMaximum": 6}),
    ("const", SINCE_4, {"const": 1}),
    ("contains", SINCE_4, {"contains": INTEGER}),
    ("names", SINCE_4, {"propertyNames": {"maxLength": 1}}),
    ("if", SINCE_4, {"if": INTEGER, "then": {"minimum": 5}, "else": {"type": ["string", "null"]}}),
    ("then without if", SINCE_4, {"then": INTEGER, "else": STRING}),
    ("contains counted", SINCE_4, {"contains": INTEGER, "minContains": 2, "maxContains": 2}),
    ("contains of none", SINCE_2019, {"contains": INTEGER, "minContains": 0}),
    ("tuple", SINCE_4[:4], {"items": [INTEGER, STRING]}),
    ("tuple and more", SINCE_4[:4], {"items": [INTEGER, STRING], "additionalItems": INTEGER}),
    ("closed tuple", SINCE_4[:4], {"items": [INTEGER, STRING], "additionalItems": False}),
    ("additional items alone", SINCE_4[:4], {"items": INTEGER, "additionalItems": STRING}),
    ("prefix", SINCE_4, {"prefixItems": [INTEGER, STRING]}),
    ("closed prefix", SINCE_6, {"prefixItems": [INTEGER, STRING], "items": False}),
    ("dependencies of names", SINCE_4[:3], {"dependencies": {"a": ["b"]}}),
    ("dependencies of a schema", SINCE_4[:3], {"dependencies": {"a": {"minProperties": 2}}}),
    ("dependencies of false", ("6", "7"), {"dependencies": {"a": False, "b": True}}),
    ("dependentRequired", SINCE_4, {"dependentRequired": {"a": ["b"]}}),
    ("dependentSchemas", SINCE_4, {"dependentSchemas": {"a": {"required": ["b"]}}}),
    ("boolean schemas", SINCE_6, {"properties": {"a": False, "b": True}}),
    ("definitions", SINCE_4, {"$ref": "#/definitions/x", "definitions": {"x": INTEGER}}),
    ("$defs", SINCE_2019, {"$ref": "#/$defs/x", "$defs": {"x": INTEGER}}),
    (
        "siblings of a reference",
        SINCE_4,
        {
            "properties": {"a": {"$ref": "#/definitions/x", "type": "string"}},
            "definitions": {"x": {"minLength": 1}},
        },
    ),
    (
        "siblings that narrow",
        SINCE_4,
        {"items": {"$ref": "#/definitions/x", "maximum": 2}, "definitions": {"x": INTEGER}},
    ),
    (
        "an identifier of draft 4",
        ("4",),
        {
            "id": "http://x.test/s",
            "properties": {"a": {"$ref": "t"}},
            "definitions": {"t": {"id": "t", "type": "integer"}},
        },
    ),
    (
        "an identifier",
        SINCE_6,
        {
            "$id": "http://x.test/s",
            "properties": {"a": {"$ref": "t"}},
            "definitions": {"t": {"$id": "t", "type": "integer"}},
        },
    ),
    (
        "a location-independent identifier of draft 4",
        ("4",),
        {"properties": {"a": {"$ref": "#t"}}, "definitions": {"t": {"id": "#t", "type": "string"}}},
    ),
    (
        "a location-independent identifier",
        ("6", "7"),
        {
            "properties": {"a": {"$ref": "#t"}},
            "definitions": {"t": {"$id": "#t", "type": "string"}},
        },
    ),
    (
        "an anchor",
        SINCE_2019,
        {"properties": {"a": {"$ref": "#t"}}, "$defs": {"t": {"$anchor": "t", "type": "string"}}},
    ),
    ("recursion", SINCE_4, {"type": ["object", "integer"], "additionalProperties": {"$ref": "#"}}),
    (
        "$recursiveRef",
        ("2019-09",),
        {"type": ["object", "integer"], "additionalProperties": {"$recursiveRef": "#"}},
    ),
    (
        "$recursiveRef that is taken over",
        ("2019-09",),
        {
            "$id": "http://x.test/strict",
            "$recursiveAnchor": True,
            "$ref": "tree",
            "unevaluatedProperties": False,
            "$defs": {
                "tree": {
                    "$id": "tree",
                    "$recursiveAnchor": True,
                    "type": ["object", "integer"],
                    "properties": {"a": {"$recursiveRef": "#"}, "b": True},
                }
            },
        },
    ),
    (
        "unevaluated",
        SINCE_2019,
        {"allOf": [{"properties": {"a": {}}}], "unevaluatedProperties": False},
    ),
    ("unevaluated items", ("2019-09",), {"items": [INTEGER], "unevaluatedItems": STRING}),
    (
        "unevaluated after a prefix",
        ("2020-12",),
        {"prefixItems": [INTEGER], "unevaluatedItems": STRING},
    ),
    (
        "what contains has seen is evaluated",
        ("2020-12",),
        {"contains": INTEGER, "unevaluatedItems": STRING},
    ),
    ("integers", SINCE_4, {"type": "integer"}),
    ("not an integer", SINCE_4, {"not": {"type": "integer"}, "type": "number"}),
]


@pytest.mark.parametrize(
    ("draft", "schema"),
    [
        pytest.param(draft, schema, id=f"{name}, draft {draft}")
        for name, drafts, schema in CASES
        for draft in drafts
    ],
)
@pytest.mark.parametrize("named", [True, False], ids=["$schema", "option"])
def test_each_draft_is_read_as_its_specification_says(draft: str, schema: Any, named: bool) -> None:
    """The values that are admitted are those that a validator of that draft admits."""
    declared = {"$schema": URIS[draft], **schema}
    judge = jsonschema_rs.validator_for(declared)
    asked = declared if named else schema
    try:
        made = compile_schema(asked, draft=None if named else draft)
    except UnsatisfiableSchema:
        assert not any(judge.is_valid(value) for value in VALUES)
        return
    compiled = compile_grammar(made.grammar, byte_vocabulary())
    arranger = Arranger(declared)
    assert made.draft == draft
    wrong = []
    for value in VALUES:
        try:
            text = json.dumps(arranger.arrange(value)[0])
        except SlmError:
            text = json.dumps(value)
        if accepts(compiled, text) != judge.is_valid(value):
            wrong.append(f"{text}: {not judge.is_valid(value)} is wrong")
    assert wrong == []


def test_in_2019_what_contains_has_seen_is_not_evaluated() -> None:
    """Its `unevaluatedItems` looks at `items`, `additionalItems` and itself only (9.3.1.3).

    jsonschema-rs reads it as in 2020-12, so it is no judge here.
    """
    schema = {"contains": INTEGER, "unevaluatedItems": {"type": ["string", "integer"]}}
    made = compile_schema({"type": "array", **schema}, draft="2019-09")
    compiled = compile_grammar(made.grammar, byte_vocabulary())
    assert accepts(compiled, '[1,"a"]')
    assert not accepts(compiled, "[1,null]")
    with pytest.raises(UnsatisfiableSchema):
        compile_schema({"type": "array", **schema, "unevaluatedItems": STRING}, draft="2019-09")

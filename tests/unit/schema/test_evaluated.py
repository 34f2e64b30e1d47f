"""`unevaluatedProperties` and `unevaluatedItems`: every small value is judged."""

from __future__ import annotations

from typing import Any

import pytest

from tests.conformance.arrange import Arranger
from tests.unit.schema.judged import arrays, mistakes, objects

INTEGER, STRING = {"type": "integer"}, {"type": "string"}
A, B = {"properties": {"a": INTEGER}}, {"properties": {"b": STRING}, "required": ["b"]}
OBJECTS: list[dict[str, Any]] = [
    {"unevaluatedProperties": False},
    {**A, "unevaluatedProperties": INTEGER},
    {"allOf": [A, B], "unevaluatedProperties": False},
    {"anyOf": [A, B], "unevaluatedProperties": False},
    {"anyOf": [A, B, {"patternProperties": {"c": STRING}}], "unevaluatedProperties": INTEGER},
    {"oneOf": [{**A, "required": ["a"]}, B], "unevaluatedProperties": False},
    {"if": B, "then": {"properties": {"c": INTEGER}}, "else": A, "unevaluatedProperties": False},
    {"if": B, "unevaluatedProperties": False},
    {"dependentSchemas": {"a": B}, **A, "unevaluatedProperties": False},
    {"not": {"not": B}, **A, "unevaluatedProperties": False},
    {"$defs": {"b": B}, "$ref": "#/$defs/b", **A, "unevaluatedProperties": False},
    {"allOf": [{**A, "unevaluatedProperties": STRING}], "unevaluatedProperties": False},
    {**A, "additionalProperties": STRING, "unevaluatedProperties": False},
    {"not": {"anyOf": [A, B], "unevaluatedProperties": STRING}},
]
ARRAYS: list[dict[str, Any]] = [
    {"unevaluatedItems": False},
    {"prefixItems": [INTEGER], "unevaluatedItems": STRING},
    {
        "anyOf": [{"prefixItems": [INTEGER]}, {"prefixItems": [True, STRING]}],
        "unevaluatedItems": False,
    },
    {"contains": INTEGER, "unevaluatedItems": STRING},
    {"allOf": [{"contains": INTEGER}, {"contains": STRING}], "unevaluatedItems": False},
    {"if": {"prefixItems": [INTEGER]}, "else": {"items": STRING}, "unevaluatedItems": STRING},
    {"not": {"prefixItems": [INTEGER], "unevaluatedItems": STRING}},
    {"not": {"contains": INTEGER, "unevaluatedItems": STRING}},
]


@pytest.mark.parametrize("schema", OBJECTS, ids=str)
def test_members_that_no_branch_has_looked_at(schema: dict[str, Any]) -> None:
    """Each object of three names is accepted when jsonschema-rs calls it valid."""
    assert mistakes(schema, objects(["a", "b", "c"], [1, "x"])) == []


@pytest.mark.parametrize("schema", ARRAYS, ids=str)
def test_items_that_no_branch_has_looked_at(schema: dict[str, Any]) -> None:
    """Each array of up to four items is accepted when jsonschema-rs calls it valid."""
    assert mistakes(schema, arrays([1, "a", True], 4)) == []


def test_contains_evaluates_only_since_2020() -> None:
    """In 2019-09, an item that matches ``contains`` is still unevaluated."""
    schema = {"contains": INTEGER, "unevaluatedItems": STRING, "type": "array"}
    for draft, there in (("2020-12", True), ("2019-09", False)):
        arranger = Arranger({"$schema": f"https://json-schema.org/draft/{draft}/schema", **schema})
        assert arranger.arrange([1, "a"])[1] == there

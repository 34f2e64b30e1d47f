"""`contains` that counts, several of them, and `uniqueItems`: every small array is judged."""

from __future__ import annotations

from typing import Any

import pytest

from slm.errors import UnsatisfiableSchema, UnsupportedKeyword
from slm.mask import compile_grammar
from slm.schema import compile_schema
from slm.vocab import byte_vocabulary
from tests.conformance.maskbench import accepts
from tests.unit.schema.judged import arrays, mistakes

INTEGER, STRING = {"type": "integer"}, {"type": "string"}
SCALAR = {"type": ["integer", "boolean"]}
ARRAYS = arrays([1, "a", True], 5)
COUNTED: list[dict[str, Any]] = [
    {"contains": INTEGER, "minContains": 2},
    {"contains": INTEGER, "maxContains": 1},
    {"contains": INTEGER, "minContains": 2, "maxContains": 3},
    {"contains": INTEGER, "minContains": 0, "maxContains": 2},
    {"contains": INTEGER, "minContains": 3, "maxContains": 2, "anyOf": [STRING, {"maxItems": 1}]},
    {"contains": INTEGER, "minItems": 3, "minContains": 2, "maxItems": 4},
    {"contains": False, "minContains": 0, "maxContains": 1},
    {"contains": True, "maxContains": 2},
    {"contains": STRING, "minItems": 70},
    {"contains": INTEGER, "minContains": 0, "maxContains": 1, "enum": [1, []]},
    {"prefixItems": [STRING], "contains": INTEGER, "minContains": 2, "items": SCALAR},
    {"allOf": [{"contains": INTEGER}, {"contains": STRING}]},
    {"allOf": [{"contains": INTEGER, "maxContains": 1}, {"contains": STRING}], "maxItems": 4},
    {
        "allOf": [
            {"contains": INTEGER, "minContains": 2},
            {"contains": SCALAR, "maxContains": 3},
        ],
        "minItems": 3,
    },
    {"not": {"contains": INTEGER, "minContains": 2}},
    {"not": {"contains": INTEGER, "minContains": 1, "maxContains": 2}},
    {"allOf": [{"not": {"items": INTEGER}}, {"not": {"items": STRING}}]},
]
UNIQUE: list[dict[str, Any]] = [
    {"items": {"enum": ["a", "b", 1]}},
    {"items": {"type": ["boolean", "null"]}, "minItems": 2},
    {"items": {"type": "integer", "minimum": 0, "maximum": 2}, "maxItems": 2},
    {"prefixItems": [{"enum": ["a"]}, {"enum": ["a", "b"]}], "items": {"enum": ["a", "b", 1]}},
    {"prefixItems": [{"type": "boolean"}, {"type": "boolean"}], "items": False},
    {"items": {"enum": ["a", "b", 1, True, None, 2, 3, 4, 5, 6, 7, 8, 9]}, "minItems": 1},
]


@pytest.mark.parametrize("schema", COUNTED, ids=str)
def test_items_that_match_are_counted(schema: dict[str, Any]) -> None:
    """Each array of up to five items is accepted when jsonschema-rs calls it valid."""
    assert mistakes(schema, ARRAYS) == []


@pytest.mark.parametrize("schema", UNIQUE, ids=str)
def test_items_of_finitely_many_values_are_unique(schema: dict[str, Any]) -> None:
    """Each array of up to four items, where 1 and 1.0 are one value, and 1 and true are two."""
    values = arrays(["a", "b", 1, 1.0, True, None], 4)
    assert mistakes({"type": "array", "uniqueItems": True, **schema}, values) == []


def test_arrays_and_objects_are_compared_by_value() -> None:
    """Constants of any type are told apart, and an equal one may not come again."""
    schema = {"uniqueItems": True, "items": {"enum": [{"a": 1}, [1], {"a": 1, "b": 2}, []]}}
    assert mistakes(schema, arrays([{"a": 1}, {"a": 1, "b": 2}, [1], []], 3)) == []


def test_many_values_are_one_terminal() -> None:
    """Sixty-four of them: each may come once, and the array ends when none is left."""
    names = [f"v{at}" for at in range(64)]
    schema = {"type": "array", "uniqueItems": True, "items": {"enum": names}}
    compiled = compile_grammar(compile_schema(schema).grammar, byte_vocabulary())
    matcher = compiled.matcher()
    for byte in ("[" + ",".join(f'"{name}"' for name in names)).encode():
        matcher.accept(byte)
    assert [chr(token) for token in matcher.allowed()] == ["\t", "\n", "\r", " ", "]"]
    assert not accepts(compiled, '["v1","v63","v1"]')


FREE: list[dict[str, Any]] = [
    {},
    {"items": STRING, "minItems": 2},
    {"items": {"type": ["boolean", "object"]}, "maxItems": 3},
    {"prefixItems": [{"type": "boolean"}], "items": {"type": ["number", "boolean"]}},
    {"prefixItems": [STRING, STRING, INTEGER], "minItems": 3},
    {"items": {"type": "array", "uniqueItems": True, "items": {"type": "integer"}}},
    {"contains": {"type": "integer"}, "minItems": 2},
    {"items": {"enum": [[at] for at in range(40)]}},
    {"items": {"type": "integer", "minimum": -300, "maximum": 300}, "minItems": 2},
]


@pytest.mark.parametrize("schema", FREE, ids=str)
def test_free_items_are_unique(schema: dict[str, Any]) -> None:
    """Each array of up to three items is accepted when jsonschema-rs calls it valid."""
    values = ["a", "b", 1, 1.0, 100, True, {}, {"a": 1, "b": 2}, {"b": 2, "a": 1}, [1], [1, 1], [2]]
    assert mistakes({"type": "array", "uniqueItems": True, **schema}, arrays(values, 3)) == []


def test_too_few_values_are_found_out() -> None:
    """An array that needs more different items than there are is a contradiction."""
    few = {"type": "integer", "minimum": 1, "maximum": 100}
    schema = {"type": "array", "uniqueItems": True, "items": few, "minItems": 101}
    with pytest.raises((UnsatisfiableSchema, UnsupportedKeyword)):
        compile_schema(schema)
    assert compile_schema({**schema, "minItems": 100}).grammar.memory is not None


def test_long_integers_are_not_rounded_to_be_equal() -> None:
    """Two integers of 31 digits that differ in the last one may both be there."""
    big = 10**30
    values = [[big, big + 1], [big, big], [big + 1]]
    assert mistakes({"uniqueItems": True, "items": {"enum": [big, big + 1]}}, values) == []


@pytest.mark.parametrize("most", [2, 20])  # a rule for each set, and one terminal
def test_unique_integers_of_draft_4_have_no_point(most: int) -> None:
    """There, 1.0 is not an integer."""
    items = {"type": "integer", "minimum": 0, "maximum": most}
    schema = {"$schema": "http://json-schema.org/draft-04/schema#", "type": "array"}
    schema = {**schema, "uniqueItems": True, "items": items}
    assert mistakes(schema, [[1.0], [1], [1, 2], [1, 1]]) == []

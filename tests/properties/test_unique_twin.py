"""Items that differ, compiled in C++ and in Python: the same rules, marks and memory."""

from __future__ import annotations

import json
from typing import Any

import pytest

from slm.mask import compile_grammar, native_available
from slm.schema import compile_schema
from slm.schema.native import compile_program
from slm.vocab import byte_vocabulary
from tests.conformance.maskbench import accepts
from tests.properties.test_schema_twin import compare

pytestmark = pytest.mark.skipif(not native_available(), reason="the native engine is not built")

TEXT, COUNT = {"type": "string"}, {"type": "integer"}
FEW = {"type": "integer", "minimum": 0, "maximum": 300}
AB = {"pattern": "^[ab]{1,8}$", "type": "string"}


def words(size: int) -> dict[str, Any]:
    """So many constants."""
    return {"enum": [f"v{at}" for at in range(size)]}


def closed(required: list[str], **properties: Any) -> dict[str, Any]:
    """An object with no other members."""
    return {
        "type": "object",
        "properties": properties,
        "required": required,
        "additionalProperties": False,
    }


ITEMS: list[dict[str, Any]] = [
    {},
    {"items": TEXT, "minItems": 3},
    {"items": {"enum": ["a", "b", "c", None, True]}},
    {"items": {"enum": ["a", "b", "c"]}, "minItems": 4},
    {"items": {"enum": ["a", "b"]}, "minItems": 2, "maxItems": 5},
    {"items": {"type": "boolean"}},
    {"items": {"type": ["boolean", "null"]}, "prefixItems": [{"const": True}]},
    {"items": FEW},
    {"items": {**FEW, "maximum": 3}, "minItems": 3},
    {"items": FEW, "minItems": 301},
    {"items": FEW, "minItems": 302},
    {"items": {**FEW, "not": {"enum": [1, 2, 3]}}, "minItems": 298},
    {"items": {**FEW, "not": {"enum": [1, 2, 3]}}, "minItems": 299},
    {"items": {"type": "number", "minimum": 0, "maximum": 0}, "minItems": 2},
    {"items": AB, "minItems": 100},
    {"items": AB, "minItems": 1000},
    {"items": {"maxLength": 2}, "minItems": 1000},
    {"contains": COUNT, "minItems": 3},
    {"contains": COUNT, "minContains": 2},
    {"prefixItems": [TEXT, COUNT, TEXT, TEXT], "items": COUNT, "minItems": 6},
    {"prefixItems": [{"const": "a"}, {"enum": ["a", "b"]}, TEXT], "minItems": 2},
    {"prefixItems": [{"const": "a"}, {"const": "a"}, TEXT], "minItems": 2},
    {"items": closed(["a"], a=TEXT, b=COUNT), "minItems": 9},
    {"items": closed(["a"], a={"type": "null"}), "minItems": 2},
    {"items": closed(["a"], a=words(9), b=words(9)), "minItems": 2},
    {"items": {"type": "object", "minProperties": 2}, "minItems": 2},
    {"items": {"type": "array", "items": COUNT, "minItems": 2}, "minItems": 9},
    {"items": {"type": "array", "items": {"type": "boolean"}, "maxItems": 8}, "minItems": 9},
    {"items": {"type": "array", "uniqueItems": True, "minItems": 2, "items": FEW}, "minItems": 9},
    {"items": {"$ref": "#"}, "minItems": 3},
    {"items": {"$ref": "#"}},
    {"items": {"type": "number", "multipleOf": 3}, "minItems": 3},
    {"items": {"type": "number", "not": {"multipleOf": 3}}, "minItems": 3},
    {"items": {"format": "date", "type": "string"}, "minItems": 30},
    {"items": words(30)},
    {"items": words(30), "maxItems": 2},
    {"items": words(70), "maxItems": 2},
    {"items": words(64), "maxItems": 1, "minItems": 1},
    {"items": words(5), "contains": {"const": "v3"}},
    {"oneOf": [{"items": COUNT}, {"items": TEXT}], "maxItems": 40},
]


@pytest.mark.parametrize("keywords", ITEMS, ids=json.dumps)
def test_items_that_differ_compile_alike(keywords: dict[str, Any]) -> None:
    """The same program by number, with the same memory, plain and walked, or none from C++."""
    schema = {"type": "array", "uniqueItems": True, **keywords}
    assert compare(schema) == compare(schema, whitespace="compact")
    for whitespace in ("any", "compact"):
        compare(schema, whitespace=whitespace, frames=True)
    compare({"properties": {"a": schema, "b": {"not": {"items": schema}}}})


def test_most_of_them_are_compiled_in_c() -> None:
    """Marks, sets and lists of constants are; finitely many numbers are left to Python."""
    found = [
        compile_program({"type": "array", "uniqueItems": True, **keywords}, None, "any", "assert")
        for keywords in ITEMS
    ]
    assert sum(not isinstance(program, str) for program in found) >= 26
    assert sum(not isinstance(program, str) and program.remembers for program in found) >= 15


def test_a_program_with_memory_is_enforced() -> None:
    """The engine that reads the program tells equal items apart, and the grammar says why."""
    schema = {"type": "array", "uniqueItems": True, "items": {"type": ["string", "number"]}}
    compiled = compile_schema(schema)
    assert compiled.grammar.memory is not None
    assert "rules" not in compiled.grammar.__dict__
    made = compile_grammar(compiled.grammar, byte_vocabulary())
    assert accepts(made, '["a", 1, "b"]')
    assert not accepts(made, '["a", 1, 1.0]')
    assert not accepts(made, '["a", "\\u0061"]')

"""Negated rules for free names: every small object is judged, and no text escapes by repeating."""

from __future__ import annotations

import json
from typing import Any

import pytest

from slm.errors import UnsupportedKeyword
from slm.mask import compile_grammar
from slm.schema import compile_schema
from slm.vocab import byte_vocabulary
from tests.conformance.maskbench import accepts
from tests.unit.schema.judged import mistakes, objects

INTEGER, STRING = {"type": "integer"}, {"type": "string"}
B_IS = {"patternProperties": {"^b": INTEGER}}
C_IS = {"patternProperties": {"^c": INTEGER}}
SCHEMAS: list[dict[str, Any]] = [
    {"not": B_IS},
    {"not": {"additionalProperties": INTEGER}},
    {"properties": {"a": INTEGER}, "not": {"additionalProperties": STRING}},
    {"not": B_IS, "maxProperties": 2},
    {"not": B_IS, "required": ["b1"]},
    {"oneOf": [B_IS, {"patternProperties": {"b": STRING}}]},
    {"allOf": [{"not": B_IS}, {"not": {"patternProperties": {"b": False}}}]},
    {"allOf": [{"not": B_IS}, {"not": C_IS}]},
    {"allOf": [{"not": B_IS}, {"not": C_IS}], "maxProperties": 3},
    {"not": {"patternProperties": {"b": INTEGER, "c": INTEGER}}},
    {"allOf": [{"not": {"propertyNames": {"pattern": p}}} for p in "bc"]},
    {"allOf": [{"not": {"propertyNames": {"pattern": p}}} for p in "bc"], "maxProperties": 2},
    {"not": {"propertyNames": {"pattern": "b"}}, "minProperties": 1, "maxProperties": 1},
]


@pytest.mark.parametrize("schema", SCHEMAS, ids=str)
def test_a_member_that_breaks_the_rule_is_there(schema: dict[str, Any]) -> None:
    """Each object of four names is accepted when jsonschema-rs calls it valid."""
    schema = {"type": "object", **schema}
    assert mistakes(schema, objects(["a", "b1", "b2", "c"], [1, "x"])) == []


def test_a_witness_cannot_be_taken_back() -> None:
    """Parsers take the last of two members with one name: after the witness there is none."""
    grammar = compile_schema({"type": "object", "not": B_IS}).grammar
    compiled = compile_grammar(grammar, byte_vocabulary())
    for text in ('{"b":1,"b":"x"}', '{"b":"x"}', '{"a":1,"a":2,"b":"x"}'):
        assert accepts(compiled, text)
        assert isinstance(json.loads(text)["b"], str)
    assert not accepts(compiled, '{"b":"x","b":1}')


def test_two_witnesses_that_may_have_one_name_are_refused() -> None:
    """Either could be the one that counts: refused by name."""
    both = [{"not": B_IS}, {"not": {"patternProperties": {"1$": STRING}}}]
    with pytest.raises(UnsupportedKeyword, match="two members would have to fail it"):
        compile_schema({"type": "object", "allOf": both})

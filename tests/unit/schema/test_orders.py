"""`order="any"`: every order of the members of every small object."""

from __future__ import annotations

import json
from itertools import permutations
from typing import Any

import jsonschema_rs
import pytest

from slm.errors import UnsupportedKeyword
from slm.mask import compile_grammar
from slm.schema import compile_schema
from slm.vocab import byte_vocabulary
from tests.conformance.maskbench import accepts
from tests.unit.schema.judged import objects

INTEGER, STRING = {"type": "integer"}, {"type": "string"}
SCHEMAS: list[dict[str, Any]] = [
    {"properties": {"a": INTEGER, "b": STRING}},
    {"properties": {"a": INTEGER, "b": STRING}, "required": ["b"]},
    {
        "properties": {"a": INTEGER, "b": STRING},
        "required": ["b", "a"],
        "additionalProperties": False,
    },
    {
        "properties": {"a": INTEGER, "b": STRING, "z": INTEGER},
        "minProperties": 2,
        "additionalProperties": False,
    },
    {"properties": {"a": INTEGER}, "maxProperties": 2},
    {"required": ["z"], "minProperties": 2},
    {"minProperties": 1, "additionalProperties": INTEGER},
    {"dependentRequired": {"a": ["b"]}},
    {"minProperties": 3},
    {"minProperties": 2, "properties": {"a": INTEGER}},
    {"minProperties": 3, "maxProperties": 3, "required": ["a"]},
]


@pytest.mark.parametrize("schema", SCHEMAS, ids=str)
def test_every_order_is_judged_alike(schema: dict[str, Any]) -> None:
    """Each object of three names is accepted in all orders, or in none, as jsonschema-rs says."""
    schema = {"type": "object", **schema}
    judge = jsonschema_rs.validator_for(schema)
    compiled = compile_grammar(compile_schema(schema, order="any").grammar, byte_vocabulary())
    for value in objects(["a", "b", "z"], [1, "x"]):
        for names in permutations(value):
            text = json.dumps({name: value[name] for name in names})
            assert accepts(compiled, text) == judge.is_valid(value), text


def test_no_declared_name_comes_twice() -> None:
    """Not even with the same value."""
    grammar = compile_schema({"properties": {"a": INTEGER}, "type": "object"}, order="any").grammar
    compiled = compile_grammar(grammar, byte_vocabulary())
    assert accepts(compiled, '{"b":1,"a":1}')
    assert not accepts(compiled, '{"a":1,"b":1,"a":1}')


def test_twelve_members_and_no_more() -> None:
    """Twelve compile; a thirteenth is refused, with the number in the message."""
    wide = {"type": "object", "properties": {f"p{at}": INTEGER for at in range(12)}}
    compiled = compile_grammar(compile_schema(wide, order="any").grammar, byte_vocabulary())
    names = [f"p{at}" for at in (11, 3, 7, 0)]
    assert accepts(compiled, json.dumps(dict.fromkeys(names, 1)))
    wide["properties"]["q"] = INTEGER  # type: ignore[index]
    with pytest.raises(UnsupportedKeyword, match="13 members"):
        compile_schema(wide, order="any")


def test_many_free_members_are_counted() -> None:
    """A thousand members are no call a thousand deep."""
    grammar = compile_schema({"type": "object", "maxProperties": 1_000}, order="any").grammar
    compiled = compile_grammar(grammar, byte_vocabulary())
    assert accepts(compiled, json.dumps({f"x{at}": at for at in range(1_000)}))
    assert not accepts(compiled, json.dumps({f"x{at}": at for at in range(1_001)}))

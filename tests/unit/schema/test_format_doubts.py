"""Formats that leave valid texts out: what they leave out is in no negation and no other branch."""

from __future__ import annotations

import json
from typing import Any

import jsonschema_rs
import pytest

from slm.errors import UnsupportedKeyword
from slm.mask import compile_grammar
from slm.schema import compile_schema
from slm.schema.native import compile_program
from slm.vocab import byte_vocabulary
from tests.conformance.maskbench import accepts
from tests.properties.test_schema_twin import compare

HOST = {"type": "string", "format": "hostname"}
NAME = "xn--nxasmq6b"  # a host name, and among those that the format leaves out
VALUES: list[Any] = [NAME, "a", "(", 1, {NAME: 1}, {"a": 1}, {"(": 1}, {"a": NAME}, [NAME], ["a"]]


@pytest.mark.parametrize(
    "schema",
    [
        {"oneOf": [HOST, {"const": NAME}]},
        {"oneOf": [HOST, {"enum": [NAME, "("]}]},
        {"oneOf": [{"not": HOST}, {"not": {"const": NAME}}]},
        {"oneOf": [{"type": "string", "format": "regex"}, {"const": "(?<a>x)"}]},
        {"oneOf": [{"type": "string", "format": "regex"}, {"const": "(?<a>x)(?<b>y)"}]},
        {
            "required": ["a"],
            "oneOf": [{"properties": {"a": HOST}}, {"properties": {"a": {"const": NAME}}}],
        },
        {
            "required": ["a"],
            "unevaluatedProperties": False,
            "oneOf": [{"properties": {"a": HOST}}, {"properties": {"a": {"const": NAME}}}],
        },
        {"minItems": 1, "oneOf": [{"items": HOST}, {"items": {"const": NAME}}]},
        {"type": "object", "oneOf": [{"propertyNames": HOST}, {"required": [NAME]}]},
        {"type": "object", "not": {"propertyNames": {"enum": [NAME], "format": "hostname"}}},
        {"type": "object", "not": {"propertyNames": {"not": HOST}}},
        {"type": "object", "minProperties": 1, "not": {"propertyNames": HOST}},
    ],
)
def test_nothing_that_a_format_leaves_out_is_let_through(schema: dict[str, Any]) -> None:
    """What is admitted is valid, and what is valid is admitted but where that name stands."""
    judge = jsonschema_rs.validator_for(schema, validate_formats=True)
    compiled = compile_grammar(compile_schema(schema).grammar, byte_vocabulary())
    for value in [*VALUES, "(?<a>x)", "(?<a>x)(?<b>y)"]:
        text = json.dumps(value)
        if accepts(compiled, text):
            assert judge.is_valid(value), text
        elif NAME not in text and "(" not in text:
            assert not judge.is_valid(value), text


def test_names_that_are_no_regular_expressions_are_not_told_apart() -> None:
    """Negated names of a format whose negation admits nothing admit nothing more."""
    names = {"propertyNames": {"format": "regex"}}
    schema = {"type": "object", "oneOf": [names, {"minProperties": 1}]}
    compiled = compile_grammar(compile_schema(schema).grammar, byte_vocabulary())
    assert not accepts(compiled, '{"(?<a>x)": 1}')


def test_branches_that_a_format_keeps_apart_for_sure_cost_nothing() -> None:
    """A word that is no time is told apart; what may be a host name is not, in C++ as in Python."""
    sure = {"oneOf": [{"type": "string", "format": "date-time"}, {"enum": ["now", ""]}]}
    assert not isinstance(compile_program(sure, None, "any", "assert"), str)
    doubtful = {"oneOf": [HOST, {"const": NAME}]}
    assert compare(doubtful) is None


def test_walked_shapes_do_not_lean_on_what_a_format_leaves_out() -> None:
    """Where alternatives are too many to multiply out, such a schema is refused."""
    choices = [
        {"anyOf": [{"required": [f"p{at}"]}, {"maxProperties": 3}, {"required": [f"q{at}"]}]}
        for at in range(7)
    ]
    schema: dict[str, Any] = {"type": "object", "required": ["a"], "allOf": choices}
    assert compile_schema(schema).grammar.rules
    apart = [{"properties": {"a": HOST}}, {"properties": {"a": {"const": NAME}}}]
    with pytest.raises(UnsupportedKeyword, match="more than 400 combinations"):
        compile_schema({**schema, "oneOf": apart})

"""Random and shortest valid values."""

from __future__ import annotations

import json
from typing import Any

import jsonschema_rs
import pytest

from slm.errors import UsageError
from slm.samples import samples, shortest

NODE = {"properties": {"next": {"$ref": "#"}, "n": {"type": "integer"}}, "type": "object"}
SCHEMAS: list[Any] = [
    True,
    {"type": ["string", "array"], "minLength": 3, "minItems": 2},
    {"anyOf": [{"type": "integer", "multipleOf": 7}, {"format": "date"}, {"const": None}]},
    {**NODE, "required": ["n"]},
    {"oneOf": [{"required": ["a"]}, {"required": ["b"]}], "type": "object"},
]


@pytest.mark.parametrize("schema", SCHEMAS, ids=str)
def test_samples_are_valid_and_differ(schema: Any) -> None:
    """Forty of them are valid, end within their size, and are not all the same."""
    judge = jsonschema_rs.validator_for(schema)
    found = list(samples(schema, 40, seed=1, size=120))
    assert all(judge.is_valid(json.loads(text)) for text in found)
    assert all(len(text.encode()) <= 120 for text in found)
    assert len(set(found)) > 5


@pytest.mark.parametrize(
    ("schema", "text"),
    [
        ({"type": "object", "required": ["ab"]}, '{"ab":0}'),
        ({"type": "array", "items": {"type": "string"}, "minItems": 2}, '["",""]'),
        ({"enum": ["long", "abc", 1234]}, "1234"),
        ({"not": {"type": ["number", "array"]}}, '""'),
    ],
)
def test_the_shortest_value_has_the_fewest_bytes(schema: Any, text: str) -> None:
    """No valid text is shorter."""
    assert len(shortest(schema)) == len(text)
    assert jsonschema_rs.validator_for(schema).is_valid(json.loads(shortest(schema)))


def test_a_size_below_one_is_refused() -> None:
    """As is a negative count."""
    with pytest.raises(UsageError, match="count=-1, size=200 is out of range"):
        next(samples(True, -1))
    with pytest.raises(UsageError, match="size=0"):
        next(samples(True, 1, size=0))

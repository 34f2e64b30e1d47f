"""Schemas that say the same are one where shapes exclude others; what is known of each stays."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import pytest

from slm.schema import compile_schema
from slm.schema.alike import Alike
from slm.schema.compile import _compile
from tests.unit.schema.judged import mistakes, objects, with_frames

TAG = {"type": "object", "properties": {"key": {"type": "string", "title": "Key"}}}


@pytest.mark.parametrize(
    ("one", "two", "same"),
    [
        ({"type": "string"}, {"type": "string", "title": "a", "default": 3}, True),
        (TAG, {"type": "object", "properties": {"key": {"type": "string"}}}, True),
        ({"properties": {"title": {}}}, {"properties": {}}, False),
        ({"const": {"title": 1}}, {"const": {}}, False),
        ({"enum": [1]}, {"enum": [1.0]}, False),
        ({"enum": [1]}, {"enum": [True]}, False),
        ({"enum": [[]]}, {"enum": [{}]}, False),
        ({"required": ["a", "b"]}, {"required": ["b", "a"]}, False),
        ({"properties": {"a": {}, "b": {}}}, {"properties": {"b": {}, "a": {}}}, False),
        ({"contentEncoding": "base64"}, {"contentEncoding": "base32"}, False),
        ({"items": [{"title": "x"}]}, {"items": [{}]}, True),
        ({"dependencies": {"a": ["b"]}}, {"dependencies": {"a": ["b"]}}, True),
        ({"not": {"$id": "a"}}, {"not": {"$id": "a"}}, False),
        ({"$anchor": "a"}, {"$anchor": "a"}, False),
        ({"oneOf": [TAG, {"$ref": "#"}]}, {"oneOf": [TAG, {"$ref": "#"}]}, True),
    ],
)
def test_schemas_are_alike_if_only_annotations_differ(one: Any, two: Any, same: bool) -> None:
    """Words in schema positions that assert nothing do not count; all else does, with its order."""
    alike = Alike()
    assert (alike.number(one) == alike.number(two)) is same


def test_any_depth_is_numbered() -> None:
    """No recursion: 20,000 levels, twice, are one number."""

    def deep() -> dict[str, Any]:
        schema: dict[str, Any] = {"type": "null"}
        for _ in range(20_000):
            schema = {"items": schema}
        return schema

    alike, one, two = Alike(), deep(), deep()
    assert alike.number(one) == alike.number(two)


def test_a_schema_can_be_set_apart() -> None:
    """What stands for a goal is like no other, though it reads the same."""
    alike, one, two = Alike(), {"$comment": "stands for a goal"}, {"$comment": "stands for a goal"}
    alike.set_apart(one)
    assert alike.number(one) != alike.number(two)
    assert alike.number({"anyOf": [one]}) != alike.number({"anyOf": [two]})


def listed(at: int) -> dict[str, Any]:
    """A branch with a list of tags written out once more, and a member of its own."""
    item = {**deepcopy(TAG), "description": f"tag {at}"}
    tags = {"type": "array", "items": item, "maxItems": 100}
    return {"properties": {"tags": tags, f"p{at}": {"const": at}}, "required": [f"p{at}"]}


def test_copies_need_no_rules() -> None:
    """Lists that are described alike in every branch do not tell branches apart: no states."""
    schema = {"type": "object", "oneOf": [listed(at) for at in range(4)]}
    assert len(with_frames(schema).rules) < 60
    values = objects(["tags", "p0", "p1"], [0, 1, [], [{"key": "a"}, {"key": 1}]])
    assert mistakes(schema, values, frames=True) == []


def test_copies_have_notes_of_their_own() -> None:
    """Every keyword of a copy is accounted for, at its own place, with its own annotations."""
    many = [{"anyOf": [listed(at), {"not": {"required": [f"q{at}"]}}]} for at in range(12)]
    schema = {"type": "object", "allOf": many}
    notes = {str(note) for note in compile_schema(schema).notes}
    silent = "annotation: it describes, and asserts nothing"
    for at in range(12):
        place = f"#/allOf/{at}/anyOf/0/properties/tags/items"
        assert f"{place}/description: {silent}" in notes
        assert f"{place}/properties/key/type: enforced" in notes
        assert f"{place}/properties/key/title: {silent}" in notes


def test_branches_that_are_copies_exclude_each_other_entirely() -> None:
    """`oneOf` of a schema and its copy admits what neither does: only other types."""
    one = {"type": "object", **listed(1)}
    schema = {"oneOf": [one, {**one, "title": "again"}, {"type": "null"}]}
    found = with_frames(schema)
    assert len(found.rules) < 20
    assert mistakes(schema, [None, {"p1": 1}, {"p1": 1, "tags": []}, {}], frames=True) == []
    assert len(_compile(schema, None, "any", "assert").notes) > 0

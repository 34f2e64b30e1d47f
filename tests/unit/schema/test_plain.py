"""Schemas that are lowered as they stand, beside the same schemas by way of the algebra."""

from __future__ import annotations

import random
from typing import Any

import pytest

from slm.mask import native_available
from slm.schema.native import compile_program
from tests.conformance.maskbench import read_cases
from tests.paths import shared_data

pytestmark = pytest.mark.skipif(not native_available(), reason="the native engine is not built")
SEED, RANDOM, SAMPLE = 7, 1500, 300
DRAFT_4 = "http://json-schema.org/draft-04/schema#"
DRAFT_7 = "http://json-schema.org/draft-07/schema#"
TEXT, COUNT = {"type": "string"}, {"type": "integer"}
PAIR = {"type": "object", "properties": {"a": TEXT, "b": COUNT}, "required": ["b"]}


def obj(**keywords: Any) -> dict[str, Any]:
    """An object schema."""
    return {"type": "object", **keywords}


EDGES: list[Any] = [
    True,
    {},
    {"title": "anything"},
    {"type": ["string", "null"]},
    {"type": ["object", "null"]},
    {"enum": ["a", 1, None, True]},
    {"enum": ["a", ["b"]]},
    {"enum": []},
    {"const": {"a": 1}},
    {"type": "integer", "minimum": 3, "maximum": 3},
    {"type": "string", "pattern": "^a", "maxLength": 5},
    {"type": "string", "minLength": 4, "maxLength": 3},
    {"type": "string", "properties": {"a": False}},
    {"type": "array"},
    {"type": "array", "items": True, "minItems": 2},
    {"type": "array", "items": False},
    {"type": "array", "items": {"type": "string", "enum": []}},
    {"type": "array", "items": PAIR, "minItems": 1, "maxItems": 4},
    {"type": "array", "items": TEXT, "minItems": 3, "maxItems": 2},
    {"type": "array", "items": TEXT, "maxItems": 0},
    {"type": "array", "items": TEXT, "minItems": 1.0},
    {"type": "array", "items": TEXT, "maxItems": 10**12},
    {"type": "array", "items": [TEXT, COUNT]},
    obj(),
    obj(additionalProperties=False),
    obj(additionalProperties={}),
    obj(additionalProperties=PAIR, required=["x", "y", "x"]),
    obj(properties={"a": TEXT}, required=["b", "a"]),
    obj(properties={"a": TEXT}, required=["b"], additionalProperties=False),
    obj(properties={"a": False, "b": TEXT}),
    obj(properties={"a": False}, required=["a"]),
    obj(properties={"a": True, "b": {}, "c": {"title": "c"}}),
    obj(properties={'"\\\n': TEXT, "é😀": TEXT, "": COUNT, "\x7f": COUNT}),
    obj(properties={"never": {"enum": []}, "b": TEXT}),
    obj(properties={"never": {"enum": []}}, required=["never"]),
    obj(properties={f"p{at}": [TEXT, COUNT, PAIR][at % 3] for at in range(30)}),
    obj(properties={"a": {"$ref": "#/properties/b"}, "b": {"$ref": "#/properties/c"}, "c": PAIR}),
    obj(properties={"a": {"$ref": "#"}, "b": {"type": "array", "items": {"$ref": "#"}}}),
    obj(properties={"a": {"$ref": "#/properties/a"}}),
    obj(properties={"a": {"$ref": "#/$defs/x"}}, **{"$defs": {"x": {"$ref": "#/$defs/x"}}}),
    obj(properties={"a": {"$ref": "#/nowhere"}}),
    obj(properties={"a": {"$ref": "#/properties/b", "title": "t"}, "b": True}),
    obj(properties={"a": {"$ref": "#/properties/b", "minimum": "x"}, "b": COUNT}),
    obj(properties={"a": {"$ref": "#b"}, "b": {"$anchor": "b", **PAIR}}),
    obj(properties={"a": {"allOf": [{"$ref": "#/properties/b"}, TEXT]}, "b": {"minLength": 2}}),
    obj(properties={"a": {"anyOf": [PAIR, {"$ref": "#/properties/b"}]}, "b": obj(minProperties=1)}),
    obj(properties={"a": PAIR, "b": {"not": {"$ref": "#/properties/a"}}}),
    obj(properties={"a": {"$id": "http://x.org/a", **PAIR}, "b": {"$ref": "http://x.org/a"}}),
    obj(properties={"a": {"type": "text"}}),
    obj(properties={"a": 1}),
    obj(required="a"),
    obj(patternProperties={"^x": TEXT}, properties={"xy": PAIR}),
    {"$schema": DRAFT_4, **obj(properties={"a": {"const": 1, "type": "string"}, "id": TEXT})},
    {"$schema": DRAFT_4, "id": "http://x.org/", **obj(properties={"a": {"id": "b", **PAIR}})},
    {"$schema": DRAFT_7, **obj(properties={"a": {"$ref": "#/properties/b", "not": {}}, "b": PAIR})},
    {"$schema": DRAFT_7, **obj(properties={"a": {"contentEncoding": "base64", **TEXT}})},
    {"$schema": DRAFT_7, **obj(properties={"type": TEXT, "properties": PAIR, "$ref": COUNT})},
]


def compiled(schema: Any, *, whitespace: str = "any", plain: bool = True) -> Any:
    """The program with all that is said of it, or that Python has to compile it."""
    made = compile_program(schema, None, whitespace, "assert", plain=plain)
    return None if isinstance(made, str) else (made.words(), made.draft, made.remembers)


@pytest.mark.parametrize("whitespace", ["any", "compact"])
@pytest.mark.parametrize("schema", EDGES, ids=str)
def test_edges_of_what_is_plain(schema: Any, whitespace: str) -> None:
    """The same words, or left to Python in both ways: with goals and shapes, and without."""
    straight = compiled(schema, whitespace=whitespace)
    assert straight == compiled(schema, whitespace=whitespace, plain=False)


def test_one_schema_in_many_places() -> None:
    """A dict that stands in several places is one rule, inside of what is not plain, too."""
    shared = obj(properties={"x": TEXT, "y": {"type": ["null", "integer"]}})
    schema = obj(properties={"a": shared, "b": {"anyOf": [shared, TEXT]}, "c": shared})
    assert compiled(schema) is not None
    assert compiled(schema) == compiled(schema, plain=False)


def random_schema(chance: random.Random, depth: int) -> Any:
    """Mostly plain; here and there something that is not, so that the two ways meet."""
    kind = chance.randrange(14 if depth else 7)
    if kind < 4:
        return {"type": chance.choice(["string", "integer", "number", "null", "boolean"])}
    if kind < 7:
        return chance.choice(
            [
                {"enum": chance.sample(["a", "b", 'c"', 1, None], 3)},
                {"$ref": chance.choice(["#", "#/$defs/one", "#/$defs/two"])},
                {"type": "string", "maxLength": chance.randrange(3)},
                {"type": "integer", "minimum": chance.randrange(3)},
                {"type": ["string", "null"]},
                True,
            ]
        )
    inner = [random_schema(chance, depth - 1) for _ in range(3)]
    if kind < 9:
        return {"type": "array", "items": inner[0], "minItems": chance.randrange(3)}
    if kind == 9:
        return {chance.choice(["anyOf", "allOf", "oneOf"]): inner[:2]}
    names = chance.sample(["a", "b", "c", "d", "é"], 4)
    made: dict[str, Any] = obj(properties=dict(zip(names, inner, strict=False)))
    if chance.random() < 0.5:
        made["required"] = chance.sample(names, 2)
    if chance.random() < 0.5:
        made["additionalProperties"] = chance.choice([False, True, inner[0]])
    return made


def test_random_schemas() -> None:
    """Random schemas in both ways; two of three are compiled at all."""
    chance = random.Random(SEED)
    schemas = []
    for _ in range(RANDOM):
        root = obj(properties={"top": random_schema(chance, 3)})
        root["$defs"] = {name: random_schema(chance, 2) for name in ("one", "two")}
        schemas.append(root)
    straight = [compiled(schema) for schema in schemas]
    assert straight == [compiled(schema, plain=False) for schema in schemas]
    assert sum(made is not None for made in straight) > RANDOM * 2 // 3


def test_maskbench_in_both_ways() -> None:
    """Schemas as people write them."""
    cases = read_cases(shared_data("maskbench/maskbench.jsonl.xz"))
    schemas = [case["schema"] for case in random.Random(SEED).sample(cases, SAMPLE)]
    assert [compiled(one) for one in schemas] == [compiled(one, plain=False) for one in schemas]

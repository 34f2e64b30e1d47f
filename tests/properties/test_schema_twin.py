"""The native schema compiler against the one in Python: the same program, or no answer at all."""

from __future__ import annotations

import json
import os
import random
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from slm.errors import GrammarTooComplex, SlmError
from slm.grammar.flatten import Flattener
from slm.mask import native_available
from slm.schema.compile import _compile
from slm.schema.native import compile_program
from tests.conformance.maskbench import read_cases
from tests.paths import shared_data
from tests.properties.schema_programs import Trees, decode, spelled
from tests.properties.test_schema import SCHEMAS
from tests.unit.schema.judged import with_frames

pytestmark = pytest.mark.skipif(not native_available(), reason="the native engine is not built")
SEED, SAMPLE, DEFERRED_SHARE = 2024, 600, 0.03


def compare(
    schema: Any, draft: str | None = None, whitespace: Any = "any", *, frames: bool = False
) -> str | None:
    """Check that both compilers say the same; why they do not answer, or None.

    A pattern that outgrows Python's bounds says nothing of the native compiler, whose steps differ.
    `frames`: in the way that is otherwise only taken for many alternatives.
    """
    program = compile_program(schema, draft, whitespace, "assert", frames=frames)
    try:
        if frames:
            grammar = with_frames(schema, draft, whitespace)
        else:
            grammar = _compile(schema, draft, whitespace, "assert").grammar
        words = Flattener(grammar).words().tolist()
    except GrammarTooComplex:
        return "refused" if isinstance(program, str) else "too complex"
    except SlmError as error:
        assert isinstance(program, str), f"what Python refuses is made: {error}"
        return "refused"
    if isinstance(program, str):
        return program
    assert program.remembers == (grammar.memory is not None)
    assert not program.remembers or program.words()[-2:] == words[-2:]
    trees = Trees()
    terminals, rules, start = decode(program.words(), trees)
    wanted_terminals, wanted_rules, wanted_start = decode(words, trees)
    for kind, found, wanted in (
        ("terminal", [one for one, _ in terminals], [one for one, _ in wanted_terminals]),
        ("rule", rules, wanted_rules),
    ):
        for number, (one, two) in enumerate(zip(found, wanted, strict=False)):
            assert one == two, (
                f"{kind} {number} of {schema}\n{spelled(one, trees)}\n{spelled(two, trees)}"
            )
        assert len(found) == len(wanted), f"{kind}s of {schema}"
    assert (terminals, start) == (wanted_terminals, wanted_start)
    return None


def members(**properties: Any) -> dict[str, Any]:
    """An object schema."""
    return {"type": "object", "properties": properties}


TEXT, COUNT = {"type": "string"}, {"type": "integer"}
ABC = members(a=TEXT, b=COUNT, c={"type": "null"})
MANY = {f"name_{at}": {"type": ["string", "null"]} for at in range(40)}
DRAFT_4 = "http://json-schema.org/draft-04/schema#"
DRAFT_7 = "http://json-schema.org/draft-07/schema"
TRICKY: list[Any] = [
    True,
    {},
    {"type": ["integer", "number", "null"]},
    {"type": ["boolean", "integer", "string", "array", "object"]},
    {"enum": [1, 1.0, -0.0, 0, True, None, "a", "a", "", '\\"\n\u0001é😀', [1, [2]], {"a": {}}]},
    {"const": {"b": [], "a": [{}, "x"]}},
    {"enum": [1e300, 123456789012345678, -0.5, 1e-7, 0.1]},
    {"type": "string", "enum": ["a", 1, "b"], "minLength": 1},
    {"type": "string", "minLength": 2, "maxLength": 5},
    {"maxLength": 0},
    {"minLength": 1, "maxLength": 1},
    {"minLength": 3.0},
    {"type": "string", "pattern": "^[a-z]+$", "maxLength": 10},
    {"type": "string", "pattern": "a", "format": "date", "minLength": 2},
    {"type": "string", "format": "color"},
    {"contentMediaType": "application/json", "contentSchema": {"type": "integer"}},
    members(a={"$ref": "#/properties/b", "contentEncoding": "base64"}, b={"type": "string"}),
    {"$schema": DRAFT_7, "properties": {"a": {"$ref": "#", "contentMediaType": "text/json"}}},
    members(a={"type": "string", "pattern": "(a)?"}, b={"type": "string", "pattern": "b*"}),
    members(a={"pattern": "^ab$"}, b={"pattern": "^(?:ab)$"}, c={"pattern": "^a[b]$"}),
    {"anyOf": [{"pattern": "^a"}, {"pattern": "^b"}, {"enum": ["c"]}, {"maxLength": 2}]},
    {"enum": ["ab", "cd", "a"], "pattern": "a", "not": {"const": "a"}},
    {"type": "integer", "minimum": 0},
    {"type": "number", "minimum": 0.5, "exclusiveMaximum": 10, "multipleOf": 0.25},
    {"type": "integer", "minimum": 0.5, "maximum": 1e20, "not": {"multipleOf": 3}},
    {"$schema": DRAFT_4, "type": "integer", "minimum": 3, "exclusiveMinimum": True},
    {"minimum": 18446744073709551615, "type": "integer"},
    {"type": "array", "items": {"type": "integer"}, "minItems": 2, "maxItems": 7},
    {"prefixItems": [TEXT, COUNT, True], "items": False, "type": "array"},
    {"prefixItems": [TEXT] * 20, "minItems": 3, "type": "array"},
    {"items": [TEXT, False, COUNT], "additionalItems": COUNT, "type": "array"},
    {"$schema": DRAFT_7, "items": [TEXT], "additionalItems": False, "type": "array"},
    {"type": "array", "contains": COUNT, "maxItems": 3},
    {"type": "array", "contains": COUNT, "prefixItems": [TEXT, TEXT]},
    {"type": "array", "uniqueItems": True, "maxItems": 1},
    ABC,
    {**ABC, "required": ["a"], "additionalProperties": False},
    {**ABC, "required": ["b", "z", "z"]},
    {**ABC, "required": ["c", "a"], "additionalProperties": {"type": "boolean"}},
    {**ABC, "minProperties": 2, "maxProperties": 2, "additionalProperties": False},
    {**ABC, "minProperties": 1, "maxProperties": 5},
    {"type": "object", "properties": MANY, "additionalProperties": False},
    {"type": "object", "properties": MANY, "required": ["name_9", "name_30"]},
    {"type": "object", "properties": MANY, "maxProperties": 7},
    {"type": "object", "maxProperties": 10**9},
    {"type": "object", "additionalProperties": COUNT},
    members(**{"a/b~c": TEXT, 'q"\n': TEXT, "é😀": TEXT, "": TEXT, "\x7f": TEXT}),
    {**ABC, "patternProperties": {"^x": TEXT, "y$": COUNT}, "additionalProperties": False},
    {**ABC, "patternProperties": {"^a": {"maxLength": 3}, "": {"not": {"const": 1}}}},
    {"type": "object", "propertyNames": {"pattern": "^[a-z]+$"}, "additionalProperties": TEXT},
    {"type": "object", "propertyNames": {"enum": ["a", "b"]}},
    {"type": "object", "propertyNames": False},
    {**ABC, "dependentRequired": {"a": ["b"], "c": []}},
    {**ABC, "dependentSchemas": {"a": {"required": ["b"]}, "b": {}, "c": True}},
    {**ABC, "dependencies": {"a": ["b"], "b": members(c=TEXT)}},
    {"allOf": [ABC, {"required": ["a"]}, members(a={"maxLength": 3}, d=True)]},
    {"anyOf": [ABC, TEXT, {"type": "array"}, TEXT, {"type": "null"}]},
    {"oneOf": [TEXT, COUNT, {"type": "object", "required": ["a"]}]},
    {"oneOf": [{"type": "integer"}, {"minimum": 3, "type": "number"}]},
    {"oneOf": [members(k={"const": 1}), members(k={"const": 2})], "required": ["k"]},
    {"if": members(k={"const": 1}), "then": {"required": ["a"]}, "else": {"required": ["b"]}},
    {"if": True, "then": TEXT},
    {"if": TEXT, "then": False, "else": False},
    {"if": TEXT, "then": COUNT, "else": COUNT},
    {"not": {"type": ["string", "object"]}},
    {"not": {"enum": [1, "a", None, [1], {"a": 1}]}},
    {"not": {"anyOf": [{"minLength": 2}, {"type": "object", "additionalProperties": False}]}},
    {"not": {"allOf": [{"maxItems": 2}, {"items": TEXT}]}, "type": "array"},
    {"not": {"required": ["a", "b"]}, **ABC},
    {"not": {"properties": {"a": COUNT}, "maxProperties": 3}, "type": "object"},
    {"not": {"not": {"pattern": "^a"}}},
    {"not": {"format": "date"}, "type": "string"},
    {"type": "object", "not": {"additionalProperties": False, "properties": {"a": True}}},
    {"$ref": "#/$defs/a", "$defs": {"a": {"$ref": "#/$defs/b"}, "b": ABC}},
    {"$defs": {"t": members(left={"$ref": "#/$defs/t"}, v=COUNT)}, "$ref": "#/$defs/t"},
    {"type": "array", "items": {"$ref": "#"}},
    {"$defs": {"a b%": TEXT, "x/y": COUNT}, "anyOf": [{"$ref": "#/$defs/a%20b%25"}]},
    {"$defs": {"x~/y": COUNT}, "allOf": [{"$ref": "#/$defs/x~0~1y"}]},
    {"$defs": {"a": {"$anchor": "here", "type": "null"}}, "$ref": "#here"},
    {"$id": "http://x.org/r", "$defs": {"a": {"$id": "a", **TEXT}}, "$ref": "a"},
    {"$id": "http://x.org/r#", "properties": {"k": {"$id": "/k", "$ref": "#"}, "l": TEXT}},
    {"$schema": DRAFT_4, "id": "http://x/", "definitions": {"a": {"id": "#a"}}, "$ref": "#a"},
    {"$schema": DRAFT_7, "$ref": "#/definitions/a", "type": "null", "definitions": {"a": TEXT}},
    {"properties": {"a": {"items": [{"$ref": "#/properties/a/items/1"}, TEXT]}}},
    {"title": "t", "default": float("inf"), "unknown": {"type": 3}, "type": "null"},
    {"type": "object", "properties": {}, "items": {"$ref": "#/nowhere"}},
    {"type": "object", "not": {"required": [f"p{at}" for at in range(400)]}},
    # These Python refuses, or are for it to say.
    {"type": "object", "not": {"required": [f"p{at}" for at in range(401)]}},
    False,
    {"type": "strin"},
    {"minLength": -1},
    {"enum": [float("nan")]},
    {"enum": []},
    {"required": "a"},
    {"$ref": "#/nowhere"},
    {"$ref": "http://elsewhere.org"},
    {"$ref": "#"},
    {"allOf": [{"$ref": "#"}]},
    {"pattern": "("},
    {"pattern": "(a)\\1"},
    {"format": "uri-template"},
    {"type": "array", "uniqueItems": True},
    {"unevaluatedProperties": False},
    {"type": "string", "enum": [1]},
    {**ABC, "minProperties": 7},
    members(a={"$ref": "#/properties/a"}),
    {"$schema": "http://json-schema.org/draft-03/schema#"},
    {"type": "object", "required": ["a"], "properties": {"a": False}},
    {"minLength": 10**20},
    {"minItems": 2**31, "type": "array"},
]


# What few schemas have, and Python compiles for both.
LEFT = ("an unsupported keyword", "minProperties of free names")
NAMED = {"patternProperties": {"^a": COUNT, "b$": {"maximum": 3}}, "type": "object"}
LISTS = [{"minItems": at, "items": {"maximum": 3 - at}} for at in range(4)]
KINDS = [members(k={"enum": [f"k{at}", "all"]}, **{f"p{at}": TEXT}) for at in range(8)]
MORE: list[Any] = [  # that count, or need a member of some kind
    {"type": "array", "contains": COUNT, "minContains": 2, "maxContains": 3},
    {"type": "array", "contains": COUNT, "maxContains": 2, "maxItems": 4, "prefixItems": [TEXT]},
    {"allOf": [{"contains": COUNT}, {"contains": TEXT, "minContains": 2}], "type": "array"},
    {"type": "array", "contains": COUNT, "maxItems": 100},
    {"type": "array", "contains": COUNT, "minContains": 0, "maxContains": 1},
    {"type": "array", "not": {"contains": COUNT, "minContains": 2, "maxContains": 5}},
    {"type": "array", "contains": COUNT, "minContains": 5000},
    {"type": "object", "not": NAMED},
    {"not": {**ABC, "additionalProperties": COUNT}, "type": "object"},
    {"type": "object", "not": {"additionalProperties": COUNT}, "maxProperties": 3},
    {"type": "object", "allOf": [{"not": NAMED}, {"not": {"additionalProperties": COUNT}}]},
    {"type": "object", "not": {"propertyNames": {"maxLength": 3}}, "minProperties": 2, **ABC},
    {"type": "object", "not": {"patternProperties": {"^a": False}}, "maxProperties": 2},
    {"patternProperties": {f"^{at}": {"minimum": at} for at in "1234567"}, "type": "object"},
    {"patternProperties": {f"{at}": {"minimum": at} for at in "1234567"}, "type": "object"},
    {"oneOf": [{"format": "email"}, {"const": "no e-mail"}, {"const": 1}]},
]
WALKED: list[Any] = [
    *MORE,
    {"type": "object", "oneOf": KINDS, "required": ["k", "p0"]},
    {"type": "object", "oneOf": KINDS[:3], "additionalProperties": False},
    {"type": "array", "oneOf": LISTS},
    {"type": "array", "oneOf": [{"items": one} for one in KINDS[:3]], "maxItems": 30},
    {"oneOf": [{"contains": {"const": at}, "maxItems": 2 + at % 3} for at in range(4)]},
    {"type": "object", "oneOf": [NAMED, {"additionalProperties": {"minimum": 1}}]},
    {"type": "object", "allOf": [{"not": one} for one in KINDS[:4]], "minProperties": 1},
    {"type": "object", "not": {"maxProperties": 2, "properties": {"a": COUNT}}, "maxProperties": 4},
    {"type": "object", "oneOf": [{"minProperties": 2}, {"required": ["a"]}, {"maxProperties": 5}]},
    {"type": "object", "not": {"patternProperties": {"^a": {"minimum": 3}}}, "properties": {}},
    {
        "not": {"properties": {"a": {"title": "x", "not": ABC}}},
        "oneOf": [ABC, {**ABC, "title": "y"}],
    },
]


@pytest.mark.parametrize("whitespace", ["any", "compact"])
def test_tricky_schemas_compile_alike(whitespace: str) -> None:
    """A list of schemas with every keyword; what is deferred is refused or left to Python."""
    schemas = [*TRICKY, *WALKED]
    found = {json.dumps(schema): compare(schema, whitespace=whitespace) for schema in schemas}
    silent = {schema: why for schema, why in found.items() if why not in (None, "refused", *LEFT)}
    assert silent == {}
    assert sum(why is None for why in found.values()) > 90


@pytest.mark.parametrize("draft", ["4", "6", "7", "2019-09", "2020-12"])
def test_every_draft_is_read_alike(draft: str) -> None:
    """The same list, read as each draft: keywords come and go."""
    for schema in [*TRICKY, *MORE]:
        compare(schema, draft)
    assert compare(ABC, draft) is None


@pytest.mark.parametrize("whitespace", ["any", "compact"])
def test_tricky_schemas_are_walked_alike(whitespace: str) -> None:
    """The same list and more, with what is excluded kept as it stands, needed or not."""
    found = [compare(schema, None, whitespace, frames=True) for schema in [*TRICKY, *WALKED]]
    assert sum(why is None for why in found) > 80


@settings(suppress_health_check=list(HealthCheck))
@given(schema=SCHEMAS)
def test_random_schemas_are_walked_alike(schema: Any) -> None:
    """Schemas of random keywords, with what is excluded kept as it stands."""
    found = compare(schema, frames=True)
    assert found is None or found


@settings(suppress_health_check=list(HealthCheck))
@given(schema=SCHEMAS, draft=st.sampled_from([None, None, "7", "2019-09"]))
def test_random_schemas_compile_alike(schema: Any, draft: str | None) -> None:
    """Schemas of random keywords, compiled, refused or deferred."""
    found = compare(schema, draft)
    assert found is None or found


@pytest.mark.slow
def test_maskbench_compiles_alike() -> None:
    """Real schemas, 600 or all of them, and hardly one is left to Python."""
    cases = read_cases(shared_data("maskbench/maskbench.jsonl.xz"))
    random.Random(SEED).shuffle(cases)
    deep = os.environ.get("HYPOTHESIS_PROFILE") == "deep"
    chosen = cases if deep else cases[:SAMPLE]
    found = [compare(case["schema"]) for case in chosen]
    deferred = [why for why in found if why not in (None, "refused")]
    assert len(deferred) <= DEFERRED_SHARE * len(found), deferred


def test_the_schema_test_suite_compiles_alike() -> None:
    """The schemas of the JSON-Schema-Test-Suite, read as each draft it is for and an older one."""
    cases = read_cases(shared_data("json_schema_test_suite/draft2020-12.jsonl.xz"))
    for case in cases:
        compare(case["schema"])
        compare(case["schema"], "7", "compact")
        compare(case["schema"], frames=True)
    assert len(cases) > 100

"""What each keyword admits, end to end: every byte of a text through the engine."""

from __future__ import annotations

import json
from typing import Any

import jsonschema_rs
import pytest

from slm.errors import GrammarTooComplex
from slm.mask import CompiledGrammar, compile_grammar
from slm.mask.compile import native_available
from slm.schema import compile_schema
from slm.vocab import byte_vocabulary
from tests.conformance.maskbench import accepts


def compiled(schema: Any, **options: Any) -> CompiledGrammar:
    return compile_grammar(compile_schema(schema, **options).grammar, byte_vocabulary())


# schema, texts of valid values, texts that must be rejected
KEYWORDS: list[tuple[Any, list[str], list[str]]] = [
    (True, ["1", "{}", '[{"a":null}]', '"x"', "-1.5e10"], ["", "01", '{"a"}', "nul", "+1", "1."]),
    ({"type": "integer"}, ["0", "-12", "1.0"], ["1.5", '"1"', "true", "- 1"]),
    ({"type": ["null", "boolean"]}, ["null", "true", "false"], ["0", '"true"']),
    ({"enum": ["a", 1, None, [1], {"k": 2}]}, ['"a"', "1", "null", "[1]", '{"k":2}'], ['"b"', "2"]),
    ({"const": {"a": [1, "x"], "b": {}}}, ['{"a":[1,"x"],"b":{}}'], ['{"a":[1,"x"]}', "{}"]),
    ({"enum": [1, 2, "a"], "type": "string"}, ['"a"'], ["1", "2"]),
    ({"type": "integer", "minimum": 3, "maximum": 12}, ["3", "9", "12"], ["2", "13", "-5", "30"]),
    ({"type": "number", "exclusiveMinimum": 0.5}, ["0.51", "1", "2e5"], ["0.5", "0", "-1", "0.50"]),
    (
        {"type": "number", "maximum": -0.0, "not": {"const": -3}},
        ["0", "-0.5"],
        ["0.01", "1", "-3"],
    ),
    ({"const": -0.0}, ["0", "0.0"], ["1"]),
    (
        {"type": "string", "format": "email"},
        [f'"{"a" * 64}@b.c"', r'"\"a b\"@c.d"', '"a@[1.2.3.4]"'],
        [f'"{"a" * 65}@b.c"', '"a"', f'"a@{"b" * 64}.c"'],
    ),
    (
        {"type": "object", "not": {"required": ["b"], "patternProperties": {".": False}}},
        ['{"b":1}', '{"a":2,"b":1}', "{}"],
        ["1"],
    ),
    ({"type": "integer", "multipleOf": 3}, ["0", "-9", "12", "3.0"], ["1", "10", "-2"]),
    ({"type": "number", "multipleOf": 0.01}, ["0.25", "3", "-1.50"], ["0.255", "1.001"]),
    (
        {"type": "string", "minLength": 2, "maxLength": 3},
        ['"ab"', r'"\u00e9\ud83d\ude00"'],
        ['"a"'],
    ),
    ({"type": "string", "maxLength": 2}, ['"éß"', r'"\n\t"', '""'], ['"abc"', r'"\ud83d"']),
    ({"type": "string", "pattern": "b+"}, ['"abc"', '"b"', r'"\u0062"'], ['"a"', '""']),
    ({"pattern": "^a+$", "maxLength": 3, "type": "string"}, ['"a"', '"aaa"'], ['"aaaa"', '"ab"']),
    ({"type": "array", "items": {"type": "integer"}}, ["[]", "[1, 2]"], ['["a"]', "[1,]"]),
    ({"type": "array", "minItems": 1, "maxItems": 2}, ["[0]", "[0,{}]"], ["[]", "[0,0,0]"]),
    (
        {"prefixItems": [{"type": "string"}, {"const": 1}], "items": False},
        ["[]", '["a"]', '["a",1]', "3"],
        ['["a",2]', '["a",1,1]', "[1]"],
    ),
    (
        {"prefixItems": [{"type": "string"}], "items": {"type": "null"}, "minItems": 2},
        ['["a",null]', '["a",null,null]'],
        ['["a"]', '["a",1]'],
    ),
    (
        {"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["b"]},
        ['{"b":0}', '{"a":1,"b":2}', '{"b":2,"z":[]}', '{"a":1, "b":{} , "q":null}'],
        ["{}", '{"a":1}', '{"a":"x","b":1}', '{"b":1,"b":2}', r'{"b":1,"\u0062":2}', '{"b":1,}'],
    ),
    (
        {
            "type": "object",
            "properties": {"a": {}, "b": {}, "c": {}},
            "additionalProperties": False,
        },
        ["{}", '{"a":1}', '{"a":1,"c":2}', '{"b":1}', '{"c":{}}'],
        ['{"d":1}', '{"a":1,"a":1}', '{,"a":1}'],
    ),
    (
        {"type": "object", "additionalProperties": {"type": "boolean"}},
        ["{}", '{"x":true,"y":false}'],
        ['{"x":1}'],
    ),
    (
        {
            "patternProperties": {"^n_": {"type": "number"}},
            "additionalProperties": {"type": "null"},
        },
        ['{"n_a":1}', '{"x":null,"n_":2}'],
        ['{"n_a":null}', '{"x":1}', r'{"\u006e_a":null}'],
    ),
    (
        {"patternProperties": {"a": {"minimum": 2}, "b": {"maximum": 5}}, "type": "object"},
        ['{"ab":3}', '{"a":9}', '{"b":0}', '{"c":"x"}'],
        ['{"ab":9}', '{"ab":1}', '{"a":1}'],
    ),
    (
        {"properties": {"foo": {"type": "array"}}, "patternProperties": {"f.o": {"minItems": 2}}},
        ['{"foo":[1,2]}', '{"fxo":[1,2]}'],
        ['{"foo":[1]}', '{"foo":1}'],
    ),
    ({"type": "object", "propertyNames": {"maxLength": 2}}, ['{"ab":1}', "{}"], ['{"abc":1}']),
    (
        {"properties": {"a": {}, "b": {}, "c": {}}, "maxProperties": 2, "type": "object"},
        ["{}", '{"a":1,"c":2}', '{"b":1,"x":2}', '{"x":1,"y":2}'],
        ['{"a":1,"b":1,"c":1}', '{"a":1,"x":1,"y":1}'],
    ),
    (
        {
            "type": "object",
            "properties": {"a": {}, "b": {}, "c": {}},
            "minProperties": 2,
            "additionalProperties": False,
        },
        ['{"a":1,"b":1,"c":1}', '{"a":1,"b":2}', '{"b":1,"c":2}'],
        ['{"a":1}', "{}"],
    ),
    ({"minProperties": 1, "type": "object"}, ['{"a":1}', '{"a":1,"b":2}'], ["{}"]),
    (
        {"dependentRequired": {"a": ["b"]}, "properties": {"a": {}, "b": {}}, "type": "object"},
        ["{}", '{"b":1}', '{"a":1,"b":1}'],
        ['{"a":1}', '{"a":1,"z":1}'],
    ),
    (
        {"dependentSchemas": {"a": {"properties": {"b": {"type": "null"}}}}},
        ['{"b":1}', '{"a":1,"b":null}', "4"],
        ['{"a":1,"b":1}'],
    ),
    (
        {"contains": {"type": "integer"}, "items": {"maximum": 5}, "maxItems": 3},
        ["[1]", '["a",2]', '["a","b",3]', "[1,2,3]", "7"],
        ["[]", '["a"]', "[6]", '["a","b","c"]', "[1,1,1,1]"],
    ),
    (
        {"contains": {"const": 1}, "prefixItems": [{"type": "string"}], "minItems": 2},
        ['["a",1]', '["a",2,1]', '["a",1,2]'],
        ["[1]", '["a"]', '["a",2]', "[1,1]"],
    ),
    (
        {"not": {"items": {"type": "string"}}, "type": "array"},
        ["[1]", '["a",1]', '[1,"a"]'],
        ["[]", '["a"]'],
    ),
    (
        {"type": "object", "not": {"properties": {"a": {}}, "additionalProperties": False}},
        ['{"b":1}', '{"a":1,"b":2}', '{"a":1,"b":1,"c":2}', '{"b":1,"c":2}'],
        ["{}", '{"a":1}'],
    ),
    (
        {
            "oneOf": [
                {"properties": {"a": {}, "b": {}}, "additionalProperties": False},
                {"properties": {"a": {}, "c": {}}, "additionalProperties": False},
            ],
            "type": "object",
        },
        ['{"b":1}', '{"a":1,"b":2}', '{"c":1}', '{"a":1,"c":1}'],
        ["{}", '{"a":1}', '{"b":1,"c":1}', '{"d":1}'],
    ),
    (
        {"not": {"propertyNames": {"pattern": "^a"}}},
        ['{"b":1}', '{"a":1,"b":1}'],
        ["{}", '{"a":1}'],
    ),
    (
        {"not": {"patternProperties": {"a": False}}},
        ['{"xa":1}', '{"b":1,"ab":1}'],
        ["{}", '{"b":1}'],
    ),
    ({"anyOf": [{"type": "string"}, {"minimum": 5}]}, ['"x"', "7", "null"], ["3"]),
    (
        {"allOf": [{"properties": {"a": {"minimum": 2}}}, {"properties": {"a": {"maximum": 4}}}]},
        ['{"a":3}', '{"a":"x"}', "1"],
        ['{"a":1}', '{"a":5}'],
    ),
    (
        {"allOf": [{"required": ["a"]}, {"additionalProperties": False, "properties": {"a": {}}}]},
        ['{"a":1}', "1"],
        ["{}", '{"a":1,"b":1}'],
    ),
    ({"oneOf": [{"type": "integer"}, {"minimum": 2}]}, ["1", "2.5", '"x"'], ["3", "1.5"]),
    (
        {"type": "object", "oneOf": [{"required": ["a"]}, {"required": ["b"]}]},
        ['{"a":1}', '{"b":1}', '{"b":1,"c":2}'],
        ["{}", '{"a":1,"b":1}'],
    ),
    ({"not": {"type": "string"}}, ["1", "{}"], ['"x"']),
    ({"not": {"enum": ["a", 1, [2]]}}, ['"b"', "2", "[1]", "[2,2]", "{}"], ['"a"', "1", "[2]"]),
    ({"type": "object", "not": {"required": ["a", "b"]}}, ['{"a":1}', "{}"], ['{"a":1,"b":1}']),
    ({"type": "string", "not": {"pattern": "^a"}}, ['"b"', '""'], ['"ab"', r'"\u0061"']),
    (
        {
            "if": {"properties": {"k": {"const": 1}}, "required": ["k"]},
            "then": {"required": ["x"]},
            "else": {"properties": {"x": False}},
        },
        ['{"k":1,"x":2}', '{"k":2}', "{}", "5"],
        ['{"k":1}', '{"k":2,"x":1}'],
    ),
    (
        {"$defs": {"n": {"properties": {"next": {"$ref": "#/$defs/n"}}, "type": "object"}}}
        | {"$ref": "#/$defs/n", "required": ["next"]},
        ['{"next":{"next":{}}}'],
        ["{}", '{"next":1}', '{"next":{"next":[]}}'],
    ),
    (
        {
            "$id": "http://x.test/a",
            "$defs": {"b": {"$id": "b", "$anchor": "c", "type": "integer"}},
            "properties": {"p": {"$ref": "b"}, "q": {"$ref": "b#c"}},
        },
        ['{"p":1,"q":2}'],
        ['{"p":"x"}', '{"q":"x"}'],
    ),
    (
        {"$schema": "http://json-schema.org/draft-04/schema#", "type": "number", "minimum": 1}
        | {"exclusiveMinimum": True},
        ["1.5", "2"],
        ["1", "0.5", "1.0"],
    ),
    (
        {"$schema": "http://json-schema.org/draft-07/schema#", "type": "array"}
        | {"items": [{"type": "integer"}], "additionalItems": False},
        ["[]", "[1]"],
        ["[1,2]", '["a"]'],
    ),
]


@pytest.mark.parametrize("case", KEYWORDS, ids=lambda case: json.dumps(case[0])[:60])
def test_admits_exactly_the_valid_values(case: tuple[Any, list[str], list[str]]) -> None:
    """Each text of a valid value is accepted byte by byte, each other text is not.

    Two judges: the lists, and jsonschema-rs on every text that is JSON without repeated names.
    """
    schema, valid, invalid = case
    grammar = compiled(schema)
    judge = jsonschema_rs.validator_for(schema)
    for text in valid:
        assert accepts(grammar, text), f"rejected {text}"
        assert judge.is_valid(json.loads(text)), f"the case is wrong about {text}"
    for text in invalid:
        assert not accepts(grammar, text), f"accepted {text}"


def test_order_is_the_declared_one() -> None:
    """Declared members come in the declared order, then required ones, then any others."""
    schema = {"properties": {"b": {}, "a": {}}, "required": ["z", "a"], "type": "object"}
    grammar = compiled(schema)
    assert accepts(grammar, '{"b":1,"a":1,"z":1,"y":1,"x":1}')
    assert not accepts(grammar, '{"a":1,"b":1,"z":1}')
    assert not accepts(grammar, '{"z":1,"a":1}')


VALUE = {"a": [1, {"b": 2, "c": []}, {}], "d": {}, "e": [[1]], "f": {"g": {"h": None}}}


@pytest.mark.parametrize("indent", [0, 1, 2, 4])
def test_an_indent_is_exactly_what_json_dumps_writes(indent: int) -> None:
    """The layout of ``json.dumps(indent=n)`` is accepted, and no other."""
    grammar = compiled(True, whitespace=indent)
    assert accepts(grammar, json.dumps(VALUE, indent=indent))
    for other in (None, indent + 1):
        assert not accepts(grammar, json.dumps(VALUE, indent=other))


def test_compact_has_no_whitespace_and_any_has_all() -> None:
    """Compact texts are accepted by both modes, spaced ones by "any" alone."""
    tight, spaced = json.dumps(VALUE, separators=(",", ":")), json.dumps(VALUE, indent=4)
    assert accepts(compiled(True, whitespace="compact"), tight)
    assert not accepts(compiled(True, whitespace="compact"), json.dumps(VALUE))
    for text in (tight, spaced, json.dumps(VALUE)):
        assert accepts(compiled(True), text)
    assert not accepts(compiled(True), " 1")
    assert not accepts(compiled(True), "1 ")


def test_formats_can_be_left_to_annotate() -> None:
    """``formats="annotate"`` admits any string."""
    schema = {"type": "string", "format": "date"}
    assert not accepts(compiled(schema), '"x"')
    assert accepts(compiled(schema, formats="annotate"), '"x"')


def test_registry_gives_remote_schemas() -> None:
    """A reference that leaves the schema is looked up in the registry."""
    schema = {"items": {"$ref": "http://x.test/int#/$defs/i"}, "type": "array"}
    registry = {"http://x.test/int": {"$defs": {"i": {"type": "integer"}}}}
    grammar = compiled(schema, registry=registry)
    assert accepts(grammar, "[1]")
    assert not accepts(grammar, '["x"]')


def test_notes_tell_what_became_of_each_keyword() -> None:
    """Assertions are enforced, descriptions and unknown keywords are annotations."""
    schema = {"type": "string", "title": "T", "x-ui": 1, "format": "color"}
    notes = {note.keyword: note.status for note in compile_schema(schema).notes}
    assert notes == {
        "type": "enforced",
        "title": "annotation",
        "x-ui": "annotation",
        "format": "annotation",
    }


RELAXED: list[tuple[Any, str, list[str]]] = [
    (
        {"uniqueItems": True, "minItems": 4, "prefixItems": [{"type": "boolean"}] * 4},
        "/uniqueItems",
        ["[true,true,true,true]", "1"],
    ),
    ({"not": {"items": {"uniqueItems": True}}}, "/not", ["[[1,1]]", "[[1]]", "1"]),
    (
        {"oneOf": [{"uniqueItems": True}, {"maxItems": 1}]},
        "/oneOf",
        ["[]", "[1]", "[1,2]", "1"],
    ),
    (
        {
            "type": "object",
            "properties": {"a": {"not": {"uniqueItems": True}}},
            "unevaluatedProperties": False,
        },
        "/unevaluatedProperties /properties/a/not",
        ['{"a":[1,2]}', '{"b":1}'],
    ),
    (
        {"if": {"uniqueItems": True}, "then": {"minItems": 2}, "type": "array"},
        "/if",
        ["[1]", "[1,1]"],
    ),
]


@pytest.mark.parametrize(("schema", "place", "texts"), RELAXED)
def test_relaxing_only_widens_and_is_noted(schema: Any, place: str, texts: list[str]) -> None:
    """What cannot be enforced is dropped as a whole, never half, and the notes say so."""
    result = compile_schema(schema, on_unsupported="relax")
    relaxed = [note for note in result.notes if note.status == "relaxed"]
    assert [f"{note.pointer}/{note.keyword}" for note in relaxed] == place.split()
    assert all(note.why for note in relaxed)
    grammar = compile_grammar(result.grammar, byte_vocabulary())
    for text in texts:
        assert accepts(grammar, text), text


def test_deep_nesting_compiles_without_recursion() -> None:
    """2,000 levels of required members overflow no stack."""
    schema: dict[str, Any] = {"type": "integer"}
    for _ in range(2_000):
        schema = {"type": "object", "properties": {"a": schema}, "required": ["a"]}
    assert len(compile_schema(schema).grammar.rules) >= 2_000


def test_branches_that_lead_back_to_their_schema_are_not_a_cycle() -> None:
    """Comparing branches looks into members that refer to the very schema being compared."""
    inner = {"$ref": "#", "minProperties": 1}
    node = {"properties": {"of": inner, "k": {"const": 1}}, "required": ["of", "k"]}
    leaf = {"properties": {"of": {"$ref": "#"}, "k": {"const": 2}}, "required": ["k"]}
    schema = {"type": "object", "oneOf": [node, leaf]}
    grammar = compiled(schema)
    assert accepts(grammar, '{"of":{"k":2},"k":1}')
    assert not accepts(grammar, '{"k":1}')


@pytest.mark.parametrize("closed", [True, False])
def test_an_upper_bound_counts_after_a_required_member(closed: bool) -> None:
    """Optional members after it are members, too."""
    schema: dict[str, Any] = {"type": "object", "required": ["a"], "maxProperties": 1}
    schema |= {"properties": {"a": {}, "b": {}}, "additionalProperties": not closed}
    grammar = compiled(schema)
    assert accepts(grammar, '{"a":1}')
    assert not accepts(grammar, '{"a":1,"b":1}')
    assert not accepts(grammar, '{"a":1,"c":1}')


def test_the_same_sub_schema_is_one_rule() -> None:
    """A definition used many times becomes one rule."""
    schema = {
        "$defs": {"p": {"type": "object", "properties": {"x": {"type": "integer"}}}},
        "properties": {f"p{at}": {"$ref": "#/$defs/p"} for at in range(50)},
        "required": ["p0"],
        "additionalProperties": False,
        "type": "object",
    }
    rules = [rule.name for rule in compile_schema(schema).grammar.rules]
    assert len([name for name in rules if "_next_" not in name]) < 12  # but for one for each member


def test_an_upper_bound_that_no_text_reaches() -> None:
    """It may be beyond the counters of the engine."""
    grammar = compiled({"type": "string", "maxLength": 10**12})
    assert accepts(grammar, '"abc"')


@pytest.mark.skipif(not native_available(), reason="the native engine is not built here")
def test_a_lower_bound_beyond_the_counters_of_the_engine() -> None:
    """It is an error that says so."""
    with pytest.raises(GrammarTooComplex, match="10000000000 repetitions"):
        compile_grammar(
            compile_schema({"type": "string", "minLength": 10**10}).grammar,
            byte_vocabulary(),
            engine="native",
        )

"""The whole message of every way a schema, or a type, can be refused."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import PastDate

from slm.errors import SlmError
from slm.schema import JsonStyle, compile_schema, from_type

CASES: list[tuple[Any, dict[str, Any], str]] = [
    (
        {},
        {"content": "refuse"},
        "[C001] content cannot be 'refuse'\n  hint: use 'assert' or 'annotate'",
    ),
    (
        {"contentMediaType": 5},
        {"draft": "7"},
        """\
[S001] contentMediaType must be a string, not 5
  at #/contentMediaType
  hint: correct the value, or pass content="annotate\"""",
    ),
    (
        {"items": {"contentMediaType": "application/json", "contentEncoding": "base64"}},
        {"content": "assert"},
        """\
[S002] contentMediaType cannot be enforced exactly here: JSON in base64 cannot be followed
  at #/items/contentMediaType
  hint: simplify the schema, pass content="annotate", or on_unsupported="relax" to drop it""",
    ),
    (
        {"contentMediaType": "application/json", "contentSchema": {"items": {"$ref": "#"}}},
        {"content": "assert"},
        """\
[S002] contentSchema cannot be enforced exactly here: it may hold a string of its own kind
  at #/contentSchema
  hint: simplify the schema, pass content="annotate", or on_unsupported="relax" to drop it""",
    ),
    (
        "[1,",
        {},
        """\
[S001] the schema is not JSON: Expecting value
  at <schema>:1:4
  [1,
     ^
  hint: pass JSON text, a dict or a bool""",
    ),
    (
        '{"type": "null", "type": "string"}',
        {},
        """\
[S001] the member "type" appears twice in one object
  at <schema>
  hint: JSON parsers keep only the last one: remove or rename the others""",
    ),
    (
        [],
        {},
        """\
[S001] a schema is an object or a boolean, not an array
  at #
  hint: pass a dict, a bool or JSON text""",
    ),
    (
        {"properties": {"age": {"type": "int"}}},
        {},
        """\
[S001] type must be one of null, boolean, integer, number, string, array, object, or a non-empty \
array of them, not "int"
  at #/properties/age/type
  hint: correct the value, or pass draft=… if it belongs to another draft""",
    ),
    (
        {"$schema": "http://json-schema.org/draft-07/schema#", "exclusiveMinimum": True},
        {},
        """\
[S001] exclusiveMinimum must be a finite number, not true
  at #/exclusiveMinimum
  hint: correct the value, or pass draft=… if it belongs to another draft""",
    ),
    (
        {"enum": [1, {"a": float("inf")}]},
        {},
        """\
[S001] enum must be an array of JSON values, not [1, {"a": Infinity}]
  at #/enum
  hint: correct the value, or pass draft=… if it belongs to another draft""",
    ),
    (
        {"properties": {"a": {"const": float("nan")}}},
        {},
        """\
[S001] const must be a JSON value, not NaN
  at #/properties/a/const
  hint: correct the value, or pass draft=… if it belongs to another draft""",
    ),
    (
        from_type(PastDate)[0],
        {},
        """\
[S002] pythonConstraint cannot be enforced exactly here: the Python type checks what JSON Schema \
has no word for
  at #/pythonConstraint
  hint: simplify the schema, or pass on_unsupported="relax" to drop the keyword""",
    ),
    (
        {"pattern": "a("},
        {},
        """\
[S001] pattern 'a(' is a malformed regular expression: missing `)`
  at #/pattern
  hint: this is ECMA-262 (JavaScript) syntax, as JSON Schema wants it""",
    ),
    (
        {"uniqueItems": True, "minItems": 4, "prefixItems": [{"type": "boolean"}, *[{}, {}]] * 2},
        {},
        """\
[S002] uniqueItems cannot be enforced exactly here: item 3 may have too few values beside those \
that come before it
  at #/uniqueItems
  hint: simplify the schema, or pass on_unsupported="relax" to drop the keyword""",
    ),
    (
        {"properties": {"a/b": {"not": {"uniqueItems": True}}}},
        {},
        """\
[S002] uniqueItems cannot be enforced exactly here: negated, it needs two items that are equal
  at #/properties/a~1b/not/uniqueItems
  hint: simplify the schema, or pass on_unsupported="relax" to drop the keyword""",
    ),
    (
        {
            "type": "object",
            "allOf": [
                {"not": {"patternProperties": {"a": {"type": t}}}} for t in ("null", "string")
            ],
        },
        {},
        """\
[S002] patternProperties cannot be enforced exactly here: negated, two members would have to fail \
it, each of which might be the last of its name
  at #/allOf/1/not/patternProperties
  hint: simplify the schema, or pass on_unsupported="relax" to drop the keyword""",
    ),
    (
        {"$schema": "http://x.test/s"},
        {
            "registry": {
                "http://x.test/s": {
                    "$schema": "https://json-schema.org/draft/2020-12/schema",
                    "$vocabulary": {"http://x.test/v": True},
                }
            }
        },
        """\
[S002] the dialect http://x.test/s needs a vocabulary that is not known: http://x.test/v
  at #/$schema
  hint: pass draft=… to read the schema without it""",
    ),
    (
        {"$schema": "http://x.test/s"},
        {},
        """\
[S002] $schema names a dialect that is not known: http://x.test/s
  at #/$schema
  hint: pass draft=…, one of 4, 6, 7, 2019-09, 2020-12, to read it as that""",
    ),
    (
        {"type": "object", "properties": {f"p{at}": True for at in range(13)}},
        {"order": "any"},
        """\
[S002] properties cannot be enforced exactly here: 13 members with order="any" make more than \
4096 sets
  at #/properties
  hint: use order="declared\"""",
    ),
    (
        {
            "type": "object",
            "properties": {
                f"o{at}": {"type": "object", "properties": {f"p{at}_{n}": True for n in range(11)}}
                for at in range(8)
            },
        },
        {"order": "any"},
        """\
[S002] properties cannot be enforced exactly here: the objects with order="any" have more than \
16384 sets of members
  at #/properties/o0/properties
  hint: use order="declared\"""",
    ),
    (
        {"$ref": "#/$defs/nope"},
        {},
        """\
[S003] $ref "#/$defs/nope" points to nothing
  at #/$ref
  hint: correct the reference, or define its target""",
    ),
    (
        {"$ref": "http://x.test/other"},
        {},
        """\
[S003] $ref "http://x.test/other" points outside this schema
  at #/$ref
  hint: pass registry={"http://x.test/other": …}; the network is never asked""",
    ),
    (
        {"$defs": {"a": {"anyOf": [{"$ref": "#/$defs/a"}, {}]}}, "$ref": "#/$defs/a"},
        {},
        """\
[S003] the schema refers only to itself
  at #/$defs/a
  hint: put something between the schema and its reference, such as properties""",
    ),
    (
        {
            "type": "object",
            "required": ["a"],
            "properties": {"a": {"type": "string", "pattern": "^a+$", "minLength": 2, "enum": []}},
        },
        {},
        """\
[S004] no JSON value is valid under this schema
  at #/properties/a
  hint: its keywords contradict each other, or it needs itself without end""",
    ),
    (
        {"type": "object", "required": ["a"], "properties": {"a": {"$ref": "#"}}},
        {},
        """\
[S004] no JSON value is valid under this schema
  at #
  hint: its keywords contradict each other, or it needs itself without end""",
    ),
    (
        {"type": "string"},
        {"whitespace": "some"},
        """\
[C001] whitespace cannot be 'some'
  hint: use 'any' or 'compact', or an indent from 0 to 16""",
    ),
    (
        {"type": "string"},
        {"draft": "5"},
        """\
[S001] unknown draft '5'
  hint: the drafts are 4, 6, 7, 2019-09, 2020-12""",
    ),
]


@pytest.mark.parametrize(("schema", "options", "message"), CASES, ids=lambda case: str(case)[:40])
def test_a_refused_schema_says_what_where_and_what_next(
    schema: Any, options: dict[str, Any], message: str
) -> None:
    """The error's text is exactly this: code, cause, JSON Pointer, hint."""
    with pytest.raises(SlmError) as caught:
        compile_schema(schema, **options)
    assert str(caught.value) == message


def test_a_type_without_a_schema_is_named() -> None:
    """A type that JSON cannot hold is refused by its name."""
    with pytest.raises(SlmError) as caught:
        from_type(complex | range)
    assert str(caught.value).startswith("[S005] ")
    assert str(caught.value).endswith("hint: use JSON types, or pass the schema as a dict")


def test_too_many_schemas_on_one_value_is_refused() -> None:
    """Applicators nested beyond the limit are refused, not a stack overflow."""
    schema: dict[str, Any] = {"type": "string"}
    for _ in range(1_000):
        schema = {"allOf": [schema]}
    with pytest.raises(SlmError) as caught:
        compile_schema(schema)
    where = "/allOf/0" * 151
    assert str(caught.value) == (
        f"[G004] more than 150 schemas apply to the same value\n  at #{where}\n"
        "  hint: flatten nested allOf, anyOf, oneOf, not and $ref"
    )


def test_text_that_is_nested_too_deep_is_refused() -> None:
    """JSON text 100,000 levels deep is a clear error."""
    with pytest.raises(SlmError) as caught:
        compile_schema('{"not":' * 100_000)
    assert str(caught.value) == (
        "[S001] the schema's JSON text is nested too deep to be read\n  at <schema>\n"
        "  hint: use $defs and $ref instead of nesting"
    )


def test_a_dict_that_is_nested_too_deep_is_refused() -> None:
    """10,000 levels of properties end in a clear error, soon."""
    schema: dict[str, Any] = {"type": "string"}
    for _ in range(10_000):
        schema = {"properties": {"a": schema}}
    with pytest.raises(SlmError) as caught:
        compile_schema(schema)
    assert str(caught.value) == (
        "[G004] the schema is nested too deep: a pointer has over 30000 characters\n"
        f"  at #{('/properties/a' * 5)[:60]}…\n"
        "  hint: use $defs and $ref instead of nesting"
    )


@pytest.mark.parametrize(
    ("style", "options", "message"),
    [
        (
            {"separators": (";", ":")},
            {},
            "[C001] separators cannot be (';', ':')\n"
            "  hint: use a comma and a colon, each with spaces, tabs or line ends around it",
        ),
        (
            {"max_whitespace": -1},
            {},
            "[C001] max_whitespace cannot be -1\n  hint: use a number from 0 to 1000",
        ),
        (
            {"max_extra": True},
            {},
            "[C001] max_extra cannot be True\n  hint: use a number from 0 to 1000",
        ),
        (
            {"escapes": "some"},
            {},
            "[C001] escapes cannot be 'some'\n  hint: use 'any' or 'raw' or 'ascii'",
        ),
        ({"numbers": "e"}, {}, "[C001] numbers cannot be 'e'\n  hint: use 'any' or 'plain'"),
        (
            {"extra_names": "("},
            {},
            "[C001] extra_names cannot be '(': malformed regular expression: missing `)`\n"
            "  hint: use a regular expression of ECMA-262 that has an exact form",
        ),
        (
            {"separators": (",", ":")},
            {},
            '[C001] separators do not go with whitespace="any", which admits every one of them\n'
            '  hint: pass whitespace="compact" or an indent',
        ),
        (
            {"max_whitespace": 1},
            {"whitespace": 2},
            '[C001] max_whitespace is for whitespace="any"\n  hint: leave one of the two out',
        ),
        (
            {"max_extra": 1},
            {"order": "any"},
            '[C001] max_extra does not go with order="any"\n  hint: use order="declared"',
        ),
    ],
    ids=lambda case: str(case)[:40],
)
def test_a_style_that_there_is_not_is_an_error(
    style: dict[str, Any], options: dict[str, Any], message: str
) -> None:
    """Every value that a style cannot have, and every option that it does not go with."""
    with pytest.raises(SlmError) as caught:
        compile_schema({}, style=JsonStyle(**style), **options)
    assert str(caught.value) == message


def test_a_style_of_another_type_is_an_error() -> None:
    """A dict is no style."""
    with pytest.raises(SlmError) as caught:
        compile_schema({}, style={"escapes": "ascii"})  # type: ignore[arg-type]
    assert str(caught.value) == (
        "[C001] style cannot be of type dict\n  hint: pass slm.JsonStyle(…)"
    )

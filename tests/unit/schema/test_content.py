"""JSON and encoded bytes in strings: `contentMediaType`, `contentEncoding`, `contentSchema`."""

from __future__ import annotations

import base64
import json
import random
from typing import Any

import pytest
from pydantic import BaseModel, Json

import slm
from slm.errors import TokenRejected, UnsatisfiableSchema, UnsupportedKeyword
from slm.grammar.derivative import Languages
from slm.mask import CompiledGrammar, compile_grammar
from slm.schema import compile_schema
from slm.schema.algebra import matches
from slm.schema.encodings import decoded, encoding_doubts, encoding_language
from slm.schema.membership import admits
from slm.schema.normalise import Normaliser
from slm.schema.reader import Reader
from slm.vocab import byte_vocabulary
from tests.conformance.maskbench import accepts

JSON = "application/json"
DRAFT_7 = "http://json-schema.org/draft-07/schema#"


def inner(schema: Any, **more: Any) -> dict[str, Any]:
    """A string that holds JSON under a schema."""
    return {"type": "string", "contentMediaType": JSON, "contentSchema": schema, **more}


def compiled(schema: Any, **options: Any) -> CompiledGrammar:
    """Compiled with content asserted, for single bytes."""
    options = {"content": "assert", **options}
    return compile_grammar(compile_schema(schema, **options).grammar, byte_vocabulary())


def accepted(schema: Any, values: list[Any], **options: Any) -> list[bool]:
    """Which of the values the grammar accepts, as `json.dumps` writes them."""
    grammar = compiled(schema, **options)
    return [accepts(grammar, json.dumps(value)) for value in values]


def statuses(schema: Any, **options: Any) -> dict[str, str]:
    """What became of the keywords of content at the root."""
    notes = compile_schema(schema, **options).notes
    return {note.keyword: str(note).split(": ", 1)[1] for note in notes if not note.pointer}


def test_a_string_is_one_json_text() -> None:
    """Without a schema: any JSON, with whitespace around it; what is no string does not matter."""
    texts = ['{"a": [1, "x"]}', " true\n", '"\\u00e9"', "{:}", "1 2", "", "NaN", 3, None]
    assert accepted({"contentMediaType": JSON}, texts) == [True] * 3 + [False] * 4 + [True] * 2


@pytest.mark.parametrize(
    ("media", "asserted"),
    [
        ("Application/JSON; charset=utf-8", True),
        ("application/vnd.api+json", True),
        ("text/html", False),
        ("application/json-seq", False),
    ],
)
def test_which_media_types_are_json(media: str, asserted: bool) -> None:
    """``application/json`` and what ends with ``+json``; all else annotates, and the note says."""
    schema = {"contentMediaType": media}
    assert accepted(schema, ["{}", "{"]) == [True, not asserted]
    said = statuses(schema, content="assert")["contentMediaType"]
    assert said == ("enforced" if asserted else f'annotation: "{media}" is not a JSON media type')


def test_the_schema_of_the_content_is_enforced() -> None:
    """The value in the string is judged as any other, with sub-schemas, bounds and references."""
    schema = {
        "$defs": {"n": {"type": "integer", "minimum": 1}},
        "properties": {
            "arguments": inner({"properties": {"n": {"$ref": "#/$defs/n"}}, "required": ["n"]})
        },
    }
    values = [{"arguments": json.dumps(value)} for value in ({"n": 1}, {"n": 0}, {}, {"n": "1"}, 3)]
    assert accepted(schema, values) == [True, False, False, False, True]


@pytest.mark.parametrize("escapes", ["any", "raw", "ascii"])
@pytest.mark.parametrize("levels", [1, 2, 4])
def test_strings_in_strings_in_strings(escapes: Any, levels: int) -> None:
    """Levels compose, in every style of escapes."""
    schema: Any = {"type": "array", "items": {"type": "string", "maxLength": 3}}
    good: Any = ['"\\', "é\n"]
    bad: Any = ["four"]
    ascii_only = escapes == "ascii"
    for _ in range(levels):
        schema = inner(schema)
        good = json.dumps(good, ensure_ascii=ascii_only)
        bad = json.dumps(bad, ensure_ascii=ascii_only)
    grammar = compiled(schema, style=slm.JsonStyle(escapes=escapes))
    assert accepts(grammar, json.dumps(good, ensure_ascii=ascii_only))
    assert not accepts(grammar, json.dumps(bad, ensure_ascii=ascii_only))


def test_free_strings_inside_have_all_their_spellings_and_names_one() -> None:
    """So that names, constants and brackets can be forced."""
    grammar = compiled(inner({"properties": {"a": {"type": "string"}}, "required": ["a"]}))
    free = [r'"{\"a\":\"x\"}"', r'"{\"a\":\"\u0078\"}"', r'"{\"a\":\"\\u0078\"}"']
    one = [r'"{\"\u0061\":\"x\"}"', r'"\u007b}"', r'"{\"a\":\u0022x\"}"', r'"{\"a\":\"x\u0022}"']
    assert [accepts(grammar, text) for text in free + one] == [True] * 3 + [False] * 4
    twice = compiled(inner(inner({"type": "string", "minLength": 1})))
    free = [r'"\"\\\"x\\\"\""', r'"\"\\\"\u0078\\\"\""', r'"\"\\\"\\u0078\\\"\""']
    one = [r'"\"\\\u0022x\\\"\""', r'"\"\\u0022x\\\"\""', r'"\"\\\"x\\\"\u0022"']
    assert [accepts(twice, text) for text in free + one] == [True] * 3 + [False] * 3


def test_options_hold_inside() -> None:
    """Whitespace, order and plain numbers are those of the whole document."""
    schema = inner({"properties": {"a": {"type": "integer"}, "b": {"type": "integer"}}})
    texts = ['{"a":1,"b":2}', '{"b":2,"a":1}', '{ "a":1}', ' {"a":1}', '{"a":1.0}']
    assert accepted(schema, texts) == [True, False, True, True, True]
    style = slm.JsonStyle(numbers="plain", max_extra=0)
    compact = accepted(schema, texts, whitespace="compact", order="declared", style=style)
    assert compact == [True, False, False, False, False]
    assert accepted(schema, texts, order="any")[1]
    pretty = json.dumps({"a": 1, "b": 2}, indent=2)
    assert accepted(schema, [pretty, texts[0]], whitespace=2) == [True, False]


def test_two_schemas_of_one_content_hold_together() -> None:
    """``allOf`` meets them, ``oneOf`` tells them apart where they exclude each other."""
    both = {"allOf": [inner({"type": "integer"}), inner({"minimum": 3})]}
    assert accepted(both, ["2", "3", '"x"']) == [False, True, False]
    either = {"oneOf": [inner({"type": "integer"}), inner({"type": "array"})]}
    assert accepted(either, ["2", "[]", "{}"]) == [True, True, False]
    with pytest.raises(UnsatisfiableSchema):
        compile_schema({"allOf": [inner({"type": "null"}), inner({"const": 1})]}, content="assert")


def test_constants_are_validated() -> None:
    """``enum`` and ``const`` keep the strings whose content is valid."""
    schema = {
        "contentMediaType": JSON,
        "contentSchema": {
            "anyOf": [
                {"type": "object", "properties": {"a": {"maximum": 2}}, "required": ["a"]},
                {"type": "array", "uniqueItems": True, "contains": {"const": 1}},
                {"type": "string", "format": "ipv4"},
            ]
        },
        "enum": [
            '{"a": 2}',
            '{"a":3}',
            "{}",
            "[1, 2]",
            "[1,1.0]",
            "[2]",
            '"1.2.3.4"',
            '"x"',
            "[",
            5,
        ],
    }
    assert accepted(schema, schema["enum"]) == [
        True, False, False, True, False, False, True, False, False, True,
    ]  # fmt: skip


def test_bounds_beside_content_that_is_regular() -> None:
    """A length, a pattern or ASCII alone beside JSON without recursion, exactly."""
    number = inner({"type": "integer"}, maxLength=2)
    assert accepted(number, ["12", "123", " 1", "-1", "x"]) == [True, False, True, True, False]
    point = inner(
        {
            "type": "object",
            "properties": {"x": {"type": "integer"}},
            "additionalProperties": False,
        },
        pattern="x",
        minLength=8,
    )
    texts = ['{"x": 1}', '{"x":1}', "{}", '{"y": 1}']
    assert accepted(point, texts) == [True, False, False, False]
    ascii_only = inner({"enum": ["a", "é"]}, contentEncoding="7bit")
    assert accepted(ascii_only, ['"a"', '"é"']) == [True, False]


def test_items_with_content_can_have_to_differ() -> None:
    """``uniqueItems`` around such strings compares the strings, as it should."""
    schema = {
        "type": "array",
        "minItems": 2,
        "uniqueItems": True,
        "items": inner({"type": "integer"}),
    }
    assert accepted(schema, [["1", " 1"], ["1", "1"], ["1"]]) == [True, False, False]
    listed = {**schema, "items": {"enum": ["1", "2", "x"], **inner({"type": "integer"})}}
    assert accepted(listed, [["1", "2"], ["1", "x"], ["2", "2"]]) == [True, False, False]


@pytest.mark.parametrize(
    ("schema", "pointer", "why"),
    [
        ({"not": inner(True)}, "/not/contentMediaType", "negated, it needs every string"),
        (inner({"$ref": "#"}), "/contentSchema", "a string of its own kind"),
        (inner({"uniqueItems": True}), "/contentSchema/uniqueItems", "in the JSON of a string"),
        (inner(True, maxLength=3), "/contentSchema", "the JSON in the string has to be simple"),
        ({"propertyNames": inner(True)}, "/propertyNames", "the names would be JSON texts"),
        (inner(True, contentEncoding="base64"), "/contentSchema", "JSON in base64"),
        (
            inner(True, contentEncoding="quoted-printable"),
            "/contentMediaType",
            "JSON in quoted-printable",
        ),
        (inner(inner(inner(inner(inner(True))))), "/contentSchema" * 5, "more than 4 deep"),
        (
            {"allOf": [inner(True), inner(True, contentEncoding="base64")]},
            "/allOf/0/contentSchema",
            "in two encodings at once",
        ),
        (
            {"oneOf": [inner({"minimum": 0}), inner({"maximum": 9})]},
            "/oneOf",
            "branches 0 and 1 may hold together",
        ),
    ],
)
def test_what_cannot_be_followed_is_refused_by_name(schema: Any, pointer: str, why: str) -> None:
    """With the place of the keyword; relaxed, it compiles and the notes say what was left out."""
    with pytest.raises(UnsupportedKeyword) as caught:
        compile_schema(schema, content="assert")
    assert caught.value.at is not None
    assert caught.value.at.pointer == pointer
    assert why in caught.value.what
    relaxed = compile_schema(schema, content="assert", on_unsupported="relax")
    assert "relaxed" in {note.status for note in relaxed.notes}
    assert accepts(compile_grammar(relaxed.grammar, byte_vocabulary()), '{"a": 1}') == (
        schema.get("type") != "string" and "allOf" not in schema and "oneOf" not in schema
    )


def test_the_default_is_the_drafts() -> None:
    """Draft 7 asserts, drafts before do not know the keywords, later ones annotate."""
    bad = ["{"]
    schema = {"contentMediaType": JSON}
    drafts = ("4", "6", "7", "2019-09", "2020-12")
    found = {draft: accepted(schema, bad, draft=draft, content=None)[0] for draft in drafts}
    assert found == {"4": True, "6": True, "7": False, "2019-09": True, "2020-12": True}
    asked = {draft: accepted(schema, bad, draft=draft)[0] for draft in drafts}
    assert asked == {"4": True, "6": True, "7": False, "2019-09": False, "2020-12": False}
    assert accepted({"$schema": DRAFT_7, **schema}, bad, content="annotate") == [True]
    later = statuses(schema)["contentMediaType"]
    assert later == 'annotation: it describes; content="assert" enforces it'
    assert (
        statuses(inner(True), draft="7")["contentSchema"] == "annotation: draft 7 does not know it"
    )


def test_annotations_stay_with_the_native_compiler() -> None:
    """C++ compiles a schema with these keywords where they assert nothing, and defers it else."""
    native = pytest.importorskip("slm._native")
    from slm.schema.native import compile_program

    if isinstance(compile_program(True, None, "any", "assert"), str):
        pytest.skip("the native engine is not wanted")
    schema = {"properties": {"a": inner({"type": "integer"})}}
    made = [compile_program(schema, draft, "any", "assert", content) for draft, content in (
        (None, None), ("7", None), ("7", "annotate"), ("2020-12", "assert"), ("6", "assert"),
    )]  # fmt: skip
    kept = [isinstance(one, native.SchemaProgram) for one in made]
    assert kept == [True, False, True, False, True]


def test_unknown_encodings_annotate() -> None:
    """Nothing is said of what is in them, and the notes say so."""
    schema = {"contentEncoding": "gzip", "contentMediaType": JSON}
    assert accepted(schema, ["x"]) == [True]
    assert set(statuses(schema, content="assert").values()) == {
        'annotation: the encoding "gzip" is not known'
    }
    assert statuses({"contentEncoding": "8bit"}, content="assert") == {
        "contentEncoding": "annotation: 8bit is any string"
    }


WRITERS = {
    "base64": base64.b64encode,
    "base64url": base64.urlsafe_b64encode,
    "base32": base64.b32encode,
    "base32hex": base64.b32hexencode,
    "base16": base64.b16encode,
}


@pytest.mark.parametrize("name", WRITERS)
def test_encodings_are_what_the_standard_library_writes(name: str) -> None:
    """Every text that it writes is in the language; a text is, if it is written the same again."""
    language = encoding_language(name)
    doubts = encoding_doubts(name)
    assert language is not None
    rng, pool = random.Random(0), Languages()
    digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdef0123456789+/-_="
    for _ in range(300):
        written = WRITERS[name](rng.randbytes(rng.randrange(7))).decode()
        texts = [written]
        if written:
            at = rng.randrange(len(written))
            texts += [written[:at] + rng.choice(digits) + written[at + 1 :], written[:at]]
        for text in texts:
            raw = _bytes(name, text)
            again = raw is not None and WRITERS[name](raw).decode() in (text, text.upper())
            assert matches(language, text, pool) == again, text
            doubtful = raw is not None and not again
            assert doubts is None or matches(doubts, text, pool) == doubtful, text


def _bytes(name: str, text: str) -> bytes | None:
    readers: dict[str, Any] = {
        "base64": lambda: base64.b64decode(text, validate=True),
        "base64url": lambda: base64.b64decode(text, b"-_", validate=True),
        "base32": lambda: base64.b32decode(text),
        "base32hex": lambda: base64.b32hexdecode(text),
        "base16": lambda: base64.b16decode(text, casefold=True),
    }
    if name == "base64url" and not set("+/").isdisjoint(text):
        return None  # which Python lets pass
    try:
        found: bytes = readers[name]()
    except ValueError:
        return None
    return found


def test_encodings_can_be_negated_bounded_and_name_members() -> None:
    """They are regular; of digits with bits that nothing needs neither side is admitted."""
    assert accepted({"not": {"contentEncoding": "base64"}}, ["YQ==", "YR==", "a", 1]) == [
        False, False, True, False,
    ]  # fmt: skip
    short = {"type": "string", "contentEncoding": "base64", "maxLength": 4, "minLength": 1}
    assert accepted(short, ["YQ==", "YWJjZA==", ""]) == [True, False, False]
    names = {"propertyNames": {"contentEncoding": "base16"}}
    assert accepted(names, [{"AB": 1}, {"A": 1}]) == [True, False]


@pytest.mark.parametrize(
    ("name", "good", "bad"),
    [
        ("7bit", ["", "a\r\nb", "x" * 998], ["é", "\0", "a\nb", "x" * 999]),
        (
            "quoted-printable",
            ["", "a=3D", "soft=\r\nline", "a b", "x" * 76],
            ["=3d", "a ", "é", "x" * 77, "a="],
        ),
    ],
)
def test_encodings_of_mail(name: str, good: list[str], bad: list[str]) -> None:
    """Lines have their lengths, line ends are CR LF, blanks do not end a line."""
    language = encoding_language(name)
    assert language is not None
    pool = Languages()
    assert [matches(language, text, pool) for text in good + bad] == [True] * len(good) + [
        False
    ] * len(bad)


def test_decoding_of_constants() -> None:
    """What a string stands for, or None where it is none of its encoding, or no text."""
    assert decoded("base64", "e30=") == decoded("base16", "7b7d") == "{}"
    assert [decoded("base64", text) for text in ("e30", "é", "/w==")] == [None, None, None]
    schema = inner({"required": ["a"]}, contentEncoding="base64", enum=["e30=", "eyJhIjoxfQ=="])
    assert accepted(schema, ["e30=", "eyJhIjoxfQ=="]) == [False, True]


def test_membership_is_what_the_shapes_say() -> None:
    """Objects, arrays and what they exclude; numbers that no double holds are in nothing."""
    schema = {
        "patternProperties": {"^x": {"type": "integer"}},
        "additionalProperties": {"type": "array", "maxContains": 1, "contains": {"type": "null"}},
        "not": {"required": ["no"]},
    }
    of = Normaliser(Reader.open(schema, None, None), assert_formats=True, dropped={})
    goal = of.reader.start()
    values = [
        {},
        {"x": 1},
        {"x": None},
        {"a": [None]},
        {"a": []},
        {"a": [None, None]},
        {"no": [None]},
    ]
    assert [admits(of, goal, value) for value in values] == [
        True, True, False, True, False, False, False,
    ]  # fmt: skip
    assert [admits(of, frozenset(), value) for value in (1e999, "\ud800", {"\ud800": 1}, "x")] == [
        False, False, False, True,
    ]  # fmt: skip


def test_tokens_explain_themselves_inside_the_document() -> None:
    """The place is the schema of the content, down to the keyword's schema."""
    grammar = compiled({"properties": {"a": inner({"properties": {"n": {"type": "integer"}}})}})
    matcher = grammar.matcher()
    for token in grammar.vocabulary.tokenize('{"a":"{\\"n\\":'):
        matcher.accept(token)
    (token,) = grammar.vocabulary.tokenize("t")
    with pytest.raises(TokenRejected, match="contentSchema/properties/n"):
        matcher.accept(token)


class _Place(BaseModel):
    city: str
    days: int = 3


class _Call(BaseModel):
    name: str
    arguments: Json[_Place]


def test_json_of_pydantic_comes_back_as_its_type() -> None:
    """A field of ``Json[T]`` is a string with T in it, enforced without any option."""
    spec = slm.json_schema(_Call)
    grammar = slm.compile(spec, byte_vocabulary())
    good, bad = (
        json.dumps({"name": "f", "arguments": json.dumps(value)})
        for value in ({"city": "Ulm"}, {"days": 1})
    )
    assert (accepts(grammar, good), accepts(grammar, bad)) == (True, False)
    call = spec.parse(good)
    assert isinstance(call, _Call)
    assert call.arguments == _Place(city="Ulm")


def test_the_name_of_a_tool_decides_its_arguments() -> None:
    """``oneOf`` over calls: each name has the arguments of its own schema."""

    def call(name: str, arguments: Any) -> dict[str, Any]:
        members = {"name": {"const": name}, "arguments": inner(arguments)}
        return {"type": "object", "properties": members, "required": ["name", "arguments"]}

    integer, text = ({"type": kind} for kind in ("integer", "string"))
    schema = {"oneOf": [call("f", {"items": integer}), call("g", {"items": text})]}
    values = [{"name": name, "arguments": json.dumps([item])} for name in "fg" for item in (1, "x")]
    assert accepted(schema, values) == [True, False, False, True]


def test_fine_multiples_inside() -> None:
    """Multiples that an engine counts digit by digit stand for themselves in a string."""
    schema = inner({"type": "integer", "multipleOf": 123_457})
    assert accepted(schema, ["246914", "-123457", "0", "246915"]) == [True, True, True, False]
    double = inner(inner({"type": "integer", "multipleOf": 123_457}))
    assert accepted(double, ['"246914"', '"246915"']) == [True, False]

"""How JSON is written: what a style leaves out, and that the rest stays what it was."""

from __future__ import annotations

import json
import random
from typing import Any

import jsonschema_rs
import pytest

import slm
from slm.grammar.charset import CharSet
from slm.grammar.derivative import Languages
from slm.grammar.regular import Chars, choice_of, complement
from slm.mask import compile_grammar
from slm.samples import samples
from slm.schema import JsonStyle, compile_schema
from slm.schema.algebra import matches
from slm.schema.strings import spell, spell_charset
from slm.vocab import byte_vocabulary
from tests.conformance.maskbench import accepts

SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "é": {"type": "string", "maxLength": 4},
        "n": {"type": "number"},
        "k": {"type": "integer", "minimum": -5},
        "list": {"type": "array", "items": {"enum": ["ü/", 1, 2.5, 1e-07, None]}},
    },
    "required": ["é"],
}


def admits(style: JsonStyle, text: str, schema: Any = SCHEMA, whitespace: Any = "compact") -> bool:
    """Whether the text is in the language of a schema in a style."""
    made = compile_schema(schema, whitespace=whitespace, style=style)
    return accepts(compile_grammar(made.grammar, byte_vocabulary()), text)


STYLES = [
    JsonStyle(separators=(", ", ": "), escapes="ascii", numbers="plain"),
    JsonStyle(escapes="raw", extra_names="^x_[a-z]+$", max_extra=2),
    JsonStyle(max_extra=0),
]


@pytest.mark.parametrize("style", STYLES, ids=["ascii", "names", "closed"])
def test_samples_of_a_style_are_valid(style: JsonStyle) -> None:
    """A style only narrows: what is written is valid under the schema."""
    judge = jsonschema_rs.validator_for(SCHEMA)
    texts = list(samples(SCHEMA, 20, seed=5, style=style))
    assert all(judge.is_valid(json.loads(text)) for text in texts)


def test_separators_are_those_of_json_dumps() -> None:
    """With both of them, the text is what `json.dumps` writes, indented or not."""
    value = {"é": "a", "list": [1, None], "more": {}}
    style = JsonStyle(separators=(" ,", " : "))
    for indent in (None, 3):
        text = json.dumps(value, separators=(" ,", " : "), indent=indent, ensure_ascii=False)
        whitespace = "compact" if indent is None else indent
        assert admits(style, text, whitespace=whitespace)
        assert not admits(JsonStyle(), text, whitespace=whitespace)


@pytest.mark.parametrize("most", [0, 2])
def test_runs_of_whitespace_end_where_the_style_says(most: int) -> None:
    """A run of so many characters is admitted, and one more is not."""
    style = JsonStyle(max_whitespace=most)
    for size, right in ((most, True), (most + 1, False)):
        assert admits(style, f'{{{" " * size}"é":""}}', whitespace="any") is right


@pytest.mark.parametrize("escapes", ["raw", "ascii"])
def test_each_character_has_one_spelling(escapes: Any) -> None:
    """It is the one that `json.dumps` gives it, for characters of every kind."""
    pool = Languages()
    for char in 'a"\\/\b\f\n\r\t\x00\x1f\x7f\x80éÿ中\u2028\uffff😀\U0010ffff':
        spelled = spell_charset(CharSet.of(char), escapes)
        written = json.dumps(char, ensure_ascii=escapes == "ascii")[1:-1]
        assert matches(spelled, written, pool), (char, written)
        others = {char, f"\\u{ord(char):04x}", f"\\u{ord(char):04X}", "\\/"} - {written}
        for other in others - {"\\", '"'}:
            assert not matches(spelled, other, pool), (char, other)


@pytest.mark.parametrize("escapes", ["any", "raw", "ascii"])
def test_spelling_goes_through_every_operation(escapes: Any) -> None:
    """A string is in a language exactly when its spelling is in the spelled language."""
    pool = Languages()
    language = complement(choice_of(["é", "ab", "\n"]))
    spelled = spell(language, escapes)
    for text in ("é", "ab", "\n", "a", "éé", "", "😀"):
        written = json.dumps(text, ensure_ascii=escapes == "ascii")[1:-1]
        assert matches(spelled, written, pool) == matches(language, text, pool)
    assert spell(Chars(CharSet.of("x")), escapes) == spell(choice_of(["x"]), escapes)


def test_names_and_constants_are_spelled_in_the_style() -> None:
    """Declared names and constants, too, are ASCII where the style says so."""
    style = JsonStyle(escapes="ascii")
    assert admits(style, '{"\\u00e9":"\\u00fc","list":["\\u00fc/"]}')
    assert not admits(style, '{"é":""}')
    assert not admits(style, '{"\\u00e9":"ü"}')
    unique = {"type": "array", "uniqueItems": True, "items": {"enum": [*map(str, range(20)), "ü"]}}
    assert admits(style, '["\\u00fc","1"]', unique)
    assert not admits(style, '["ü"]', unique)


def test_lone_surrogates_are_in_no_text() -> None:
    """Not as an escape, either: neither as a constant nor as a name."""
    style, lone = JsonStyle(escapes="ascii"), "\ud800"
    assert not admits(style, '"\\ud800"', {"enum": [lone, "a"]})
    assert admits(style, '"a"', {"enum": [lone, "a"]})
    closed = {"type": "object", "properties": {lone: {}}, "additionalProperties": False}
    assert not admits(style, '{"\\ud800":1}', closed)


def test_a_style_may_be_made_of_lists() -> None:
    """Such as those of a file of options."""
    pair: Any = [", ", ": "]
    style = JsonStyle(separators=pair, extra_names="^x")
    assert style == JsonStyle(separators=(", ", ": "), extra_names="^x")
    assert admits(style, '{"x": 1, "xy": 2}', {"type": "object"})


@pytest.mark.parametrize("pattern", ["(", r"\bx", r"(a)\1", 5])
def test_patterns_of_names_that_cannot_be_enforced_are_named(pattern: Any) -> None:
    """Whether they are malformed or have no exact form: the error says which option it is."""
    with pytest.raises(slm.errors.UsageError, match="extra_names cannot be"):
        JsonStyle(extra_names=pattern)


def test_plain_numbers_have_no_exponents_and_integers_no_points() -> None:
    """Neither free numbers nor bounded ones nor constants."""
    style = JsonStyle(numbers="plain")
    for text in ("1", "-3", "1.50", "0.0000001"):
        assert admits(style, text, {"type": "number"})
    for text in ("1e5", "1E-3", "1.5e2"):
        assert not admits(style, text, {"type": "number"})
        assert not admits(style, text, {"type": "number", "minimum": -1})
    assert admits(style, "7", {"type": "integer"})
    assert not admits(style, "7.0", {"type": "integer"})
    assert not admits(style, "7.0", {"const": 7})
    assert admits(style, "0.0000001", {"const": 1e-07})
    assert not admits(style, "1e-07", {"const": 1e-07})


def test_names_that_are_not_declared_match_the_pattern() -> None:
    """Declared ones need not, and the values of the others stay free, at every depth."""
    style = JsonStyle(extra_names="^x_")
    assert admits(style, '{"é":"","x_1":{"x_2":3}}')
    assert not admits(style, '{"é":"","y":1}')
    assert not admits(style, '{"é":"","x_1":{"y":3}}')
    assert admits(JsonStyle(extra_names="b"), '{"abc":1}', {"patternProperties": {"^a": {}}})
    assert not admits(JsonStyle(extra_names="b"), '{"ac":1}', {"patternProperties": {"^a": {}}})


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "object"},
        {"type": "object", "maxProperties": 5},
        {"type": "object", "properties": {f"p{at}": {} for at in range(12)}},
        {"type": "object", "properties": {"p0": {}}, "minProperties": 1},
        {"type": "object", "not": {"additionalProperties": {"type": "string"}}},
        {
            "type": "object",
            "properties": {"p0": {}},
            "not": {"patternProperties": {"a": {"not": {}}}},
        },
    ],
    ids=["free", "bounded", "long", "least", "witness", "must"],
)
def test_members_that_are_not_declared_are_counted(schema: dict[str, Any]) -> None:
    """`max_extra` of them are admitted and no more, whatever else counts or is negated."""
    style, judge, rng = (
        JsonStyle(max_extra=2),
        jsonschema_rs.validator_for(schema),
        random.Random(1),
    )
    made = compile_schema(schema, whitespace="compact", style=style)
    compiled = compile_grammar(made.grammar, byte_vocabulary())
    seen = set()
    for extra in range(5):
        for _ in range(4):
            value = {name: 1 for name in ("p0", "p1") if rng.random() < 0.5}
            value.update({f"ab{at}": 1 for at in range(extra)})
            declared = schema.get("properties", ())
            more = sum(name not in declared for name in value)
            right = judge.is_valid(value) and more <= 2
            assert accepts(compiled, json.dumps(value, separators=(",", ":"))) == right, value
            seen.add(right)
    assert seen == {True, False}


def test_a_style_of_nothing_is_the_usual_grammar() -> None:
    """The default style changes nothing, whichever compiler makes the grammar."""
    usual = compile_schema(SCHEMA).grammar
    assert compile_schema(SCHEMA, style=JsonStyle()).grammar == usual
    assert slm.JsonStyle is JsonStyle
    spec = slm.json_schema(SCHEMA, whitespace="compact", style=JsonStyle(max_extra=0))
    assert spec.parse('{"é":""}') == {"é": ""}

"""The worst cases we know: each a small function from nothing to what is compiled and what is fed.

A case has sources by kind; a contestant takes the first that it can read. `lark` is read by slm and
llguidance (whose dialect these grammars stay inside), `ebnf` by xgrammar, the rest by all.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from typing import Any


@dataclass(frozen=True)
class Attack:
    """What is compiled, by kind, and a text of it that is fed token by token."""

    sources: dict[str, Any]
    text: str


ATTACKS: dict[str, Callable[[], Attack]] = {}


def attack(function: Callable[[], Attack]) -> Callable[[], Attack]:
    """Register a case under its function's name."""
    ATTACKS[function.__name__] = function
    return function


def schema(value: Any, instance: Any) -> Attack:
    """A JSON Schema and one instance."""
    return Attack({"schema": value}, json.dumps(instance, ensure_ascii=False))


def lark(text: str, fed: str, ebnf: str = "") -> Attack:
    """A Lark grammar, and the same as EBNF where that can say it."""
    return Attack({"lark": text, **({"ebnf": ebnf} if ebnf else {})}, fed)


PROSE = "The quick brown fox jumps over the lazy dog. "
WORDS = "alpha beta gamma delta epsilon zeta eta theta iota kappa lambda mu".split()


# --- strings with counts --------------------------------------------------------------------------


@attack
def max_length_100000() -> Attack:
    """A counter of a hundred thousand characters, fed up to its bound."""
    return schema({"type": "string", "maxLength": 100_000}, (PROSE * 2300)[:100_000])


@attack
def letters_to_900() -> Attack:
    """`^[a-zA-Z .]{1,900}$`, fed up to its bound."""
    return schema({"type": "string", "pattern": "^[a-zA-Z .]{1,900}$"}, (PROSE * 20)[:900])


@attack
def words_to_200() -> Attack:
    r"""`^(?:\S+\s+){0,199}\S+$`: a counter around classes that overlap nowhere."""
    text = " ".join(WORDS[at % 12] for at in range(200))
    return schema({"type": "string", "pattern": "^(?:\\S+\\s+){0,199}\\S+$"}, text)


@attack
def nested_counters() -> Attack:
    """A counter in a counter in a counter."""
    text = ";".join(",".join("ab" * 5 for _ in range(30)) for _ in range(15))
    return Attack({"regex": "(?:(?:(?:[ab]{1,20}),?){1,40};?){1,30}"}, text)


@attack
def pattern_and_length() -> Attack:
    """A pattern and both lengths on one string."""
    value = {"type": "string", "pattern": "^([a-z]+ ?)*$", "minLength": 1000, "maxLength": 4000}
    return schema(value, ("lorem ipsum dolor sit amet " * 160)[:3999])


@attack
def length_in_array() -> Attack:
    """Many strings, each with its own counter."""
    item = {"type": "string", "minLength": 3, "maxLength": 130}
    value = {"type": "array", "items": item, "minItems": 5, "maxItems": 500}
    return schema(value, [PROSE * 2] * 60)


# --- Unicode --------------------------------------------------------------------------------------

MIXED = "naïve Ελληνικά Русский हिन्दी 漢字仮名 한국어 Tiếng Việt "


@attack
def word_characters() -> Attack:
    r"""`\w` with a count, over many scripts."""
    text = "".join(re.findall(r"\w", MIXED * 20))[:400]  # Python's \w, which has no vowel signs
    return Attack({"regex": "\\w{1,500}"}, text)


@attack
def letters_of_unicode() -> Attack:
    r"""A pattern with `\p{L}` and a count."""
    letters = "".join(char for char in MIXED * 20 if char.isalpha())[:300]
    return schema({"type": "string", "pattern": "^\\p{L}{1,300}$"}, letters)


@attack
def no_space_to_300() -> Attack:
    r"""`[^\s]` with a count: almost everything, with holes."""
    text = (MIXED * 20).replace(" ", "")[:300]
    return schema({"type": "string", "pattern": "^[^\\s]{1,300}$"}, text)


# --- wide objects and choices ---------------------------------------------------------------------


def _wide(required: bool, additional: bool) -> Attack:
    names = [f"property_{at:04}_{WORDS[at % 12]}" for at in range(2000)]
    value: dict[str, Any] = {
        "type": "object",
        "properties": {name: {"type": "integer"} for name in names},
        "additionalProperties": additional,
    }
    if required:
        value["required"] = names
    step = 1 if required else 7
    return schema(value, {name: at for at, name in enumerate(names) if at % step == 0})


@attack
def properties_2000_required() -> Attack:
    """2,000 properties, all of them required."""
    return _wide(required=True, additional=False)


@attack
def properties_2000_required_open() -> Attack:
    """2,000 required properties, and any others."""
    return _wide(required=True, additional=True)


@attack
def properties_2000_optional() -> Attack:
    """2,000 optional properties: any of those ahead may come next."""
    return _wide(required=False, additional=False)


@attack
def properties_2000_optional_open() -> Attack:
    """2,000 optional properties, and any others: a name that is none of 2,000."""
    return _wide(required=False, additional=True)


@attack
def properties_2000_one_required() -> Attack:
    """One required property, then 2,000 optional ones, and any others."""
    case = _wide(required=False, additional=True)
    value = case.sources["schema"]
    value["properties"] = {"id": {"type": "integer"}, **value["properties"]}
    value["required"] = ["id"]
    return Attack(case.sources, '{"id": 1, ' + case.text[1:])


@attack
def properties_2000_of_unicode() -> Attack:
    """2,000 optional properties whose names are not ASCII, some of them the same but for an end."""
    names = [f"{MIXED[at % 40]}имя{chr(0x4E00 + at % 50)}{at // 50}" for at in range(2000)]
    properties = {name: {"type": "boolean"} for name in names}
    value = {"type": "object", "properties": properties, "additionalProperties": False}
    return schema(value, dict.fromkeys(names[::9], True))


@attack
def enum_10000() -> Attack:
    """One of ten thousand strings."""
    names = [f"{WORDS[at % 12]}-{WORDS[at // 12 % 12]}-{at * 7919 % 100003}" for at in range(10000)]
    return schema({"enum": names}, names[7777])


@attack
def any_of_50_objects() -> Attack:
    """Fifty objects with the same keys, told apart by the last."""

    def branch(at: int) -> dict[str, Any]:
        keys = {f"key{index}": {"type": "string"} for index in range(10)}
        keys["kind"] = {"const": f"kind{at}"}
        return {"type": "object", "properties": keys, "required": list(keys)}

    instance = {f"key{index}": PROSE for index in range(10)} | {"kind": "kind49"}
    return schema({"anyOf": [branch(at) for at in range(50)]}, instance)


@attack
def schema_of_4_mb() -> Attack:
    """4 MB of schema: 9,600 definitions, each used once."""
    note = "what this part of the document is about, at some length. " * 4
    names = [f"part{at}" for at in range(9600)]

    def part(at: int) -> dict[str, Any]:
        keys = {
            "id": {"type": "integer"},
            f"name{at}": {"type": "string", "maxLength": at % 50 + 1},
        }
        return {"type": "object", "description": note, "properties": keys, "required": ["id"]}

    value = {
        "type": "object",
        "$defs": {name: part(at) for at, name in enumerate(names)},
        "properties": {name: {"$ref": f"#/$defs/{name}"} for name in names},
    }
    return schema(value, {name: {"id": 1} for name in names[::50]})


# --- depth ----------------------------------------------------------------------------------------


@attack
def arrays_10000_deep() -> Attack:
    """A recursive schema, fed ten thousand levels."""
    value = {"type": "array", "items": {"$ref": "#"}, "maxItems": 2}
    return Attack({"schema": value}, "[" * 10_000 + "]" * 10_000)


@attack
def objects_10000_deep() -> Attack:
    """A recursive object, fed ten thousand levels."""
    value = {"type": "object", "properties": {"a": {"$ref": "#"}}, "additionalProperties": False}
    return Attack({"schema": value}, '{"a":' * 10_000 + "{}" + "}" * 10_000)


@attack
def parentheses_10000_deep() -> Attack:
    """Nesting in a grammar."""
    return lark(
        'start: "(" start ")" | "x"',
        "(" * 10_000 + "x" + ")" * 10_000,
        'root ::= "(" root ")" | "x"',
    )


@attack
def right_recursion_10000() -> Attack:
    """A list that calls itself at its end: quadratic without care."""
    return lark('start: "a," start | "a"', "a," * 10_000 + "a", 'root ::= "a," root | "a"')


def nested(make: Callable[[Any], Any], inner: Any, depth: int = 10_000) -> Any:
    """Something put into something so many times, without recursion."""
    for _ in range(depth):
        inner = make(inner)
    return inner


@attack
def schema_10000_deep() -> Attack:
    """A schema that is itself ten thousand levels deep."""
    value = nested(lambda inner: {"type": "array", "items": inner}, {"type": "integer"})
    return Attack({"schema": value}, "[" * 300 + "]" * 300)


@attack
def references_10000_long() -> Attack:
    """Definitions that each refer to the next one, with nothing between."""
    value: dict[str, Any] = {f"d{at}": {"$ref": f"#/$defs/d{at + 1}"} for at in range(10_000)}
    return schema({"$defs": value | {"d10000": {"type": "integer"}}, "$ref": "#/$defs/d0"}, 17)


@attack
def regex_10000_deep() -> Attack:
    """Ten thousand groups in each other."""
    return Attack({"regex": "(?:" * 10_000 + "a" + ")" * 10_000}, "a")


@attack
def grammar_10000_deep() -> Attack:
    """A rule with ten thousand brackets in each other."""
    return lark('start: "b" ' + "(" * 10_000 + '"a"' + ")" * 10_000, "ba")


@attack
def rules_2000_long() -> Attack:
    """Rules that each call the next one."""
    names = ["start", *(f"r{at}" for at in range(1, 2_000))]
    rules = [f'{name}: {after} | "{at}"' for at, (name, after) in enumerate(pairwise(names))]
    ebnf = [f'{name} ::= {after} | "{at}"' for at, (name, after) in enumerate(pairwise(names))]
    ebnf[0] = ebnf[0].replace("start", "root")
    last = names[-1]
    return lark("\n".join([*rules, f'{last}: "x"']), "777", "\n".join([*ebnf, f'{last} ::= "x"']))


# --- ambiguity ------------------------------------------------------------------------------------


@attack
def two_runs_of_a() -> Attack:
    """`A A` with `A: /a+/`: where the first ends is open."""
    return lark("start: A A\nA: /a+/", "a" * 2000, "root ::= a a\na ::= [a]+")


@attack
def pairs_of_e() -> Attack:
    """`e: e e | "a"`: as many trees as there are."""
    return lark('start: e\ne: e e | "a"', "a" * 500, 'root ::= e\ne ::= e e | "a"')


@attack
def sums_of_e() -> Attack:
    """`e: e "+" e | "a"`: ambiguous sums."""
    return lark('start: e\ne: e "+" e | "a"', "a" + "+a" * 500, 'root ::= e\ne ::= e "+" e | "a"')


@attack
def empty_everywhere() -> Attack:
    """Optional parts that overlap, many ways to be empty."""
    ebnf = "root ::= x*\nx ::= a? b? a? b?\na ::= [ab]*\nb ::= [bc]*\n"
    return lark("start: x*\nx: a? b? a? b?\na: /[ab]+/\nb: /[bc]+/", "abcabc" * 200, ebnf)


_NOT_NA = r"/n|na[\s\S]+|n[^a][\s\S]*|[^n][\s\S]*/"


@attack
def counted_not_na() -> Attack:
    """`T{8,20} T{8,20}{2,3}`, where T is any text but "na": a word may be one T or many."""
    return lark(f"start: t t~2..3\nt: T~8..20\nT: {_NOT_NA}", "banana naan " * 20)


@attack
def counted_twice_not_na() -> Attack:
    """`T{2,20} T{2,20} T{2,20}{1,3}`, likewise."""
    return lark(f"start: t t t~1..3\nt: T~2..20\nT: {_NOT_NA}", "banana naan " * 20)


@attack
def counted_not_na_regex() -> Attack:
    """The first of these as one expression."""
    one = _NOT_NA[1:-1]
    text = "banana naan " * 20
    return Attack({"regex": f"(?:{one}){{8,20}}(?:(?:{one}){{8,20}}){{2,3}}"}, text)


# --- code -----------------------------------------------------------------------------------------

_CODE = r"""start: statement+
statement: "if" "(" value ")" statement | "while" "(" value ")" statement | "return" value ";"
  | "let" NAME "=" value ";" | NAME "=" value ";" | "{" statement* "}"
value: value ("+" | "-" | "*" | "/" | "<" | "==" | "and" | "or") value | "not" value
  | NAME | NUMBER | STRING | "(" value ")" | NAME "(" (value ("," value)*)? ")"
NAME: /[A-Za-z_][A-Za-z0-9_]*/
NUMBER: /[0-9]+(\.[0-9]+)?/
STRING: /"[^"\\\n]*"/
%ignore /[ \n]+/
"""
_CODE_EBNF = r"""root ::= statement+
ws ::= [ \n]*
statement ::= "if" ws "(" ws value ")" ws statement | "while" ws "(" ws value ")" ws statement
  | "return" ws value ";" ws | "let" ws name "=" ws value ";" ws | name "=" ws value ";" ws
  | "{" ws statement* "}" ws
value ::= unary (op ws unary)*
op ::= "+" | "-" | "*" | "/" | "<" | "==" | "and" | "or"
unary ::= "not" ws unary | name | number | string | "(" ws value ")" ws
  | name "(" ws (value ("," ws value)*)? ")" ws
name ::= [A-Za-z_] [A-Za-z0-9_]* ws
number ::= [0-9]+ ("." [0-9]+)? ws
string ::= "\"" [^"\\\n]* "\"" ws
"""
_PROGRAM = """let total = 0;
while (index < length(items) and not done) {
  let letter = get(items, index) + "some text";
  if (letter == iffy or andy == 3.25) { total = total + weight(letter, ifelse) * 2; }
  returned = notes(total) - whilever;
}
return total;
"""


@attack
def identifiers_and_keywords() -> Attack:
    """A small language whose identifiers may look like its keywords."""
    return lark(_CODE, _PROGRAM * 4, _CODE_EBNF)


@attack
def deep_json_document() -> Attack:
    """Any JSON value at all, a document of some depth."""
    row = {"id": 1, "tags": ["a", "b"], "text": PROSE * 3, "more": {"x": [1.5, None, True]}}
    return schema({}, {"rows": [row] * 20})

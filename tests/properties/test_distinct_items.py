"""Arrays whose items are all different: masks are what brute force says, in both engines."""

from __future__ import annotations

import json
import time
from random import Random
from typing import Any

import numpy as np
import pytest

from slm.errors import GrammarTooComplex
from slm.grammar.ir import Grammar
from slm.grammar.reader import read_grammar
from slm.mask import compile_grammar
from slm.mask.compile import native_available
from slm.mask.distinct import key_of
from slm.schema import compile_schema
from slm.vocab import Vocabulary, byte_vocabulary

ENGINES = ["reference", *(["native"] if native_available() else [])]

ITEMS = {
    "numbers": '[1-2] [0-1]? | "1.0" | "10e-1"',
    "spellings": '"\\"a\\"" | "\\"\\\\u0061\\"" | "\\"ab\\"" | "true" | "null"',
    "objects": '"{\\"a\\":1}" | "{\\"a\\":1.0}" | "{\\"b\\":1,\\"a\\":2}"'
    ' | "{\\"a\\":2,\\"b\\":1}" | "{}"',
    "whitespace": '"[" " "{0,2} "1"? "]" | "[1,2]" | "[2, 1]"',
    "prefixes": '"1" | "12" | "122" | "\\"1\\"" | "\\"12\\""',
}


def grammar_of(items: str, most: int) -> Grammar:
    """An array of one to `most` different items."""
    return read_grammar(
        f"""%memory distinct
start: "[" BEGIN ITEM VALUE END ("," ITEM VALUE END){{0,{most - 1}}} "]" LEAVE
BEGIN: "\\u{{1c}}"
ITEM: "\\u{{1d}}"
END: "\\u{{1e}}"
LEAVE: "\\u{{1f}}"
VALUE: {items}
"""
    )


def texts_of(items: str, most: int) -> set[str]:
    """The same, one by one."""
    values: list[str] = []
    compiled = compile_grammar(read_grammar(f"start: VALUE\nVALUE: {items}"), byte_vocabulary())
    stack = [(compiled.matcher(), "")]
    while stack:
        matcher, text = stack.pop()
        if matcher.is_complete():
            values.append(text)
        for byte in matcher.allowed():
            if byte < 256:
                after = matcher.fork()
                after.accept(byte)
                stack.append((after, text + chr(byte)))
    found: set[str] = set()
    rows: list[list[str]] = [[]]
    for _ in range(most):
        rows = [
            [*row, value]
            for row in rows
            for value in values
            if not any(equal(value, other) for other in row)
        ]
        found |= {"[" + ",".join(row) + "]" for row in rows}
    return found


def equal(one: str, two: str) -> bool:
    """Whether two texts are one JSON value."""
    return any(x == y for x, y in zip(key_of(one), key_of(two), strict=True))


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("kind", ITEMS)
def test_masks_are_the_prefixes_of_all_texts(engine: str, kind: str) -> None:
    """At each prefix of a text exactly the next bytes of texts with different items are allowed."""
    texts = texts_of(ITEMS[kind], 3)
    nexts: dict[str, set[int]] = {}
    for text in texts:
        for at in range(len(text)):
            nexts.setdefault(text[:at], set()).add(ord(text[at]))
    compiled = compile_grammar(grammar_of(ITEMS[kind], 3), byte_vocabulary(), engine)
    end = byte_vocabulary().eos_ids[0]
    stack = [(compiled.matcher(), "")]
    met = 0
    random = Random(0)
    while stack and met < 200:
        matcher, text = stack.pop(random.randrange(len(stack)))
        met += 1
        allowed = set(matcher.allowed())
        assert allowed - {end} == nexts.get(text, set()), text
        assert (end in allowed) == (text in texts), text
        for byte in allowed - {end}:
            after = matcher.fork()
            after.accept(byte)
            stack.append((after, text + chr(byte)))
    assert met > 100


SCHEMAS: list[Any] = [
    {"type": "array", "uniqueItems": True, "items": {"type": ["string", "boolean"]}},
    {
        "type": "array",
        "uniqueItems": True,
        "items": {"type": "integer", "minimum": 0, "maximum": 99},
    },
    {
        "type": "array",
        "uniqueItems": True,
        "minItems": 2,
        "items": {"type": "string", "pattern": "^[ab]{1,3}$"},
    },
    {
        "type": "array",
        "uniqueItems": True,
        "items": {
            "type": "object",
            "properties": {"a": {"type": "boolean"}, "b": {"type": "string"}},
            "additionalProperties": False,
        },
    },
    {
        "$defs": {
            "tree": {"type": "array", "uniqueItems": True, "items": {"$ref": "#/$defs/tree"}}
        },
        "$ref": "#/$defs/tree",
    },
    {
        "anyOf": [
            {"type": "array", "uniqueItems": True, "items": {"type": "integer"}},
            {"type": "array", "items": {"enum": [1, 22]}},
        ]
    },
    {
        "type": "array",
        "uniqueItems": True,
        "minItems": 3,
        "items": {
            "type": "array",
            "uniqueItems": True,
            "minItems": 2,
            "items": {"type": "integer", "minimum": 0, "maximum": 99},
        },
    },
]


def words() -> Vocabulary:
    """Bytes, and tokens that end items and begin others."""
    parts = ['"', ",", "[", "]", "1", "2", "a", "b", "true", "{", "}", ":", '"a"', '","', " "]
    tokens = [bytes([byte]) for byte in range(256)]
    tokens += [(x + y).encode() for x in parts for y in parts]
    tokens += [b'"a","b"', b'"a","a"', b"1,1", b"1,2,1", b"[],[]", b'"}]', b"aaab", b'ab","']
    distinct = [*dict.fromkeys(tokens)]
    return Vocabulary.from_bytes([*distinct, None], eos_ids=[len(distinct)])


# Two readings of `{"a":[1,1`: one has ended, the other has no array whose items differ.
LONG_OR_DISTINCT: Any = {
    "anyOf": [
        {
            "type": "object",
            "properties": {
                "a": {"type": "array", "uniqueItems": True, "items": {"type": "integer"}}
            },
            "additionalProperties": False,
        },
        {
            "type": "object",
            "properties": {"a": {"type": "array", "minItems": 3, "items": {"enum": [1, 2]}}},
            "additionalProperties": False,
        },
    ]
}
PAIR: Any = {"type": "array", "uniqueItems": True, "items": {"enum": ["a", "b", 1, 12]}}
MEMBERS: Any = {
    "type": "object",
    "properties": {"a": PAIR, "b": {"type": "array", "uniqueItems": True, "items": PAIR}},
    "additionalProperties": False,
}


@pytest.mark.skipif("native" not in ENGINES, reason="the native engine is not built")
@pytest.mark.parametrize(
    ("schema", "text"),
    [
        (LONG_OR_DISTINCT, '{"a":[1,1,2]}'),
        (LONG_OR_DISTINCT, '{"a":[1,12,11]}'),
        (LONG_OR_DISTINCT, '{"a":[1,2]}'),
        (MEMBERS, '{"a":["a","b",1,12],"b":[["a",1],[1,"a"],[]]}'),
        (MEMBERS, '{"b":[[12,1],["b"]]}'),
    ],
)
def test_tokens_with_commas_and_readings_that_have_ended(schema: Any, text: str) -> None:
    """Masks are those of the reference engine at each byte: outside, inside, and after an array."""
    vocabulary = words()
    grammar = compile_schema(schema, whitespace="compact").grammar
    one, two = (compile_grammar(grammar, vocabulary, e).matcher() for e in ("native", "reference"))
    for byte in text.encode():
        assert np.array_equal(one.mask(), two.mask())
        token = vocabulary.tokens.index(bytes([byte]))
        one.accept(token)
        two.accept(token)
    assert np.array_equal(one.mask(), two.mask())


@pytest.mark.skipif("native" not in ENGINES, reason="the native engine is not built")
@pytest.mark.parametrize("schema", SCHEMAS, ids=str)
@pytest.mark.parametrize("seed", range(2))
def test_engines_agree_along_walks(schema: Any, seed: int) -> None:
    """Masks, ends, forced texts and refusals are the same after every token of a random walk."""
    random = Random(seed)
    vocabulary = words()
    grammar = compile_schema(schema, whitespace="compact").grammar
    one, two = (compile_grammar(grammar, vocabulary, e).matcher() for e in ("native", "reference"))
    for _ in range(14):
        mask = one.mask()
        assert np.array_equal(mask, two.mask())
        assert one.is_complete() == two.is_complete()
        assert one.forced_text(8) == two.forced_text(8)
        allowed = [token for token in one.allowed() if token not in vocabulary.eos_ids]
        if not allowed:
            break
        refused = random.randrange(len(vocabulary) - 1)
        assert str(one.why_not(refused)) == str(two.why_not(refused))
        near = [t for t in allowed if len(vocabulary.tokens[t] or b"") > 1 or random.random() < 0.2]
        token = random.choice(near or allowed)
        one.accept(token)
        two.accept(token)
    assert one.allowed()


def duplicates(value: Any) -> bool:
    """Whether some array in a value has two equal items."""
    if isinstance(value, dict):
        return any(map(duplicates, value.values()))
    if not isinstance(value, list):
        return False
    keys = [key_of(json.dumps(item))[1] for item in value]
    return len(set(keys)) < len(keys) or any(map(duplicates, value))


@pytest.mark.parametrize("schema", SCHEMAS[:5], ids=str)
def test_walks_never_repeat_an_item(schema: Any) -> None:
    """Whatever a random walk writes has no array with two equal items, and it is never stuck."""
    vocabulary = words()
    compiled = compile_grammar(compile_schema(schema).grammar, vocabulary)
    end = vocabulary.eos_ids[0]
    for seed in range(5):
        random = Random(seed)
        matcher, text = compiled.matcher(), b""
        for step in range(200):
            allowed = matcher.allowed()
            assert allowed, text
            if end in allowed and (step > 60 or random.random() < 0.2):
                break
            tokens = [token for token in allowed if token != end]
            if not tokens:
                break
            closing = [t for t in tokens if (vocabulary.tokens[t] or b"")[:1] in b']}"']
            token = random.choice(closing if step > 60 and closing else tokens)
            matcher.accept(token)
            text += vocabulary.tokens[token] or b""
        if matcher.is_complete():
            assert not duplicates(json.loads(text)), text


NEAR = "0.1000000000000000055511151231257827"  # a tenth, as a double
NUMBERS: list[tuple[Any, str, str]] = [
    ({"type": "number"}, "1234567890.1", "1234567890.10000000000000000"),
    ({"type": "number", "minimum": 0, "maximum": 1}, "0.1", NEAR),
    ({"type": "number", "minimum": 0, "maximum": 1}, "0.1,0.10000000000000002", NEAR[:19]),
    ({"type": "array", "items": {"type": "number", "minimum": 0}, "maxItems": 1}, "[0.1]", "[1e1"),
    (
        {
            "type": "object",
            "properties": {"a": {"type": "number", "maximum": 1}},
            "additionalProperties": False,
        },
        '{"a":0.1}',
        '{"a":' + NEAR,
    ),
]
DIGITS = [b"00", b"000", b"0000000000", b"000000000000000", b"0.1000000000000000", b",0.1", b"5]"]
DIGITS += [b",0.1000000000000000000", b"00000,", b"[0.10000000000000000000"]
LONG = Vocabulary.from_bytes([*(bytes([b]) for b in range(256)), *DIGITS, None], eos_ids=[266])


@pytest.mark.skipif("native" not in ENGINES, reason="the native engine is not built")
@pytest.mark.parametrize(("items", "seen", "near"), NUMBERS, ids=str)
def test_digits_that_make_no_new_double_lead_nowhere(items: Any, seen: str, near: str) -> None:
    """A number that only digits can follow has to become a double that was not seen."""
    schema = {"type": "array", "uniqueItems": True, "items": items}
    grammar = compile_schema(schema, whitespace="compact").grammar
    matcher = compile_grammar(grammar, LONG, "native").matcher()
    spelled = compile_grammar(grammar, byte_vocabulary(), "native")
    for byte in f"[{seen},".encode():
        matcher.accept(byte)
    for byte in near.encode():
        for token in range(256, 266):
            alone = spelled.matcher()
            text = matcher.text + (LONG.tokens[token] or b"")
            reached = True
            for each in text:
                reached = reached and alone.check(each)
                if reached:
                    alone.accept(each)
            assert matcher.check(token) == reached, (text, token)
            assert (token in matcher.allowed()) == reached, (text, token)
        if not matcher.check(byte):
            break
        matcher.accept(byte)
    assert (len(matcher.text) < len(f"[{seen},{near}")) == ("e" not in near)
    left = matcher.min_tokens().tokens
    while not matcher.is_complete():
        matcher.accept(matcher.allowed(budget=left)[0])
        left -= 1
    assert not duplicates(json.loads(matcher.text)), matcher.text


@pytest.mark.skipif("native" not in ENGINES, reason="the native engine is not built")
def test_only_the_text_that_takes_too_long_fails() -> None:
    """Too many readings of one text, or too long a search, are an error there and nowhere else."""
    tree = {"type": "array", "uniqueItems": True, "items": {"$ref": "#"}}
    schema = {"anyOf": [tree, {"type": "array", "items": {"$ref": "#"}}]}
    compiled = compile_grammar(compile_schema(schema, whitespace="compact").grammar, words())
    deep, other = compiled.matcher(), compiled.matcher()
    for _ in range(8):
        deep.accept(ord("["))
    with pytest.raises(GrammarTooComplex, match="too many readings"):
        deep.accept(ord("["))
    deep.accept(ord("]"))
    other.accept(ord("["))
    assert other.check(ord("]"))
    assert deep.check(ord("]"))
    trees = compile_grammar(compile_schema(tree).grammar, words()).matcher()
    for byte in b"[[],[[]],[[],[[]]],[":
        trees.accept(byte)
    before = trees.mask()
    begin = time.thread_time()
    with pytest.raises(GrammarTooComplex, match="ask for no budget"):
        trees.mask(budget=6)
    assert time.thread_time() - begin < 10
    assert np.array_equal(trees.mask(), before)


def test_what_is_remembered_is_taken_back() -> None:
    """After a rollback, in a fork and in tables begun anew, exactly what was seen is seen."""
    compiled = compile_grammar(compile_schema(SCHEMAS[0]).grammar, words(), memory=1)
    matcher = compiled.matcher()
    for byte in b'["a","b",':
        matcher.accept(byte)
    for byte in b'"c':
        matcher.accept(byte)
    before = matcher.mask()
    fork = matcher.fork()
    fork.accept(ord('"'))
    for byte in b',"c':
        fork.accept(byte)
    assert not fork.check(ord('"'))
    assert matcher.check(ord('"'))
    matcher.rollback(1)
    matcher.accept(ord("a"))
    assert not matcher.check(ord('"'))
    matcher.rollback(1)
    matcher.accept(ord("c"))
    assert np.array_equal(matcher.mask(), before)


# Arrays of nothing but arrays have no loop that makes new values: budgets of them take a search.
WITH_BUDGETS = [*SCHEMAS[:4], SCHEMAS[5], {"type": "array", "uniqueItems": True}]
BUDGETS: list[Any] = [
    {
        "type": "array",
        "uniqueItems": True,
        "minItems": 2,
        "maxItems": 3,
        "items": {"type": "integer", "minimum": 1, "maximum": 66},
    },
    {"type": "array", "uniqueItems": True, "minItems": 2, "items": {"type": ["array", "null"]}},
]


@pytest.mark.skipif("native" not in ENGINES, reason="the native engine is not built")
def test_budgets_count_items_that_have_to_differ() -> None:
    """The fewest tokens are those that a breadth-first search finds, and the budget is kept."""
    vocabulary = byte_vocabulary()
    for schema, text in zip(BUDGETS, (b"[1,1", b"[null,"), strict=True):
        grammar = compile_schema(schema, whitespace="compact").grammar
        native, reference = (
            compile_grammar(grammar, vocabulary, engine).matcher() for engine in ENGINES[::-1]
        )
        for at in range(len(text) + 1):
            if at > 1:
                assert native.min_tokens().tokens == reference.min_tokens().tokens
            if at < len(text):
                native.accept(text[at])
                reference.accept(text[at])
        budget = native.min_tokens().tokens
        assert native.fits(budget)
        assert set(native.allowed(budget=budget)) <= set(reference.allowed(budget=budget))
        while not native.is_complete():
            native.accept(native.allowed(budget=budget)[0])
            budget -= 1
        assert budget >= 0


@pytest.mark.skipif("native" not in ENGINES, reason="the native engine is not built")
@pytest.mark.parametrize("schema", WITH_BUDGETS, ids=str)
@pytest.mark.parametrize("budget", [12, 60])
def test_whoever_follows_the_masks_keeps_the_budget(schema: Any, budget: int) -> None:
    """With a budget from the start, every walk ends within it; far from its end all is allowed."""
    vocabulary = words()
    compiled = compile_grammar(compile_schema(schema).grammar, vocabulary, "native")
    end = vocabulary.eos_ids[0]
    for seed in range(4):
        random = Random(seed)
        matcher = compiled.matcher()
        for left in range(budget, -1, -1):
            allowed = matcher.allowed(budget=left)
            assert set(allowed) <= set(matcher.allowed())
            tokens = [token for token in allowed if token != end]
            if not tokens:
                break
            matcher.accept(random.choice(tokens))
        assert matcher.is_complete()
    assert compiled.matcher().allowed(budget=500) == compiled.matcher().allowed()


@pytest.mark.skipif("native" not in ENGINES, reason="the native engine is not built")
@pytest.mark.parametrize("seed", range(6))
def test_masks_under_budgets_do_not_depend_on_what_was_asked(seed: int) -> None:
    """Near the end of a budget one way is left, of several that are as short: always the same."""
    items = {"type": "integer", "minimum": 0, "maximum": 99}
    schema = {"type": "array", "uniqueItems": True, "minItems": 3, "items": items}
    grammar = compile_schema(schema, whitespace="compact").grammar
    asked, fresh = (compile_grammar(grammar, words(), "native") for _ in range(2))
    for other in "[9,8,7", "[31,3", "[6,65,6", "[", "[2,21":  # states are met in another order
        matcher = asked.matcher()
        for byte in other.encode():
            matcher.accept(byte)
            matcher.mask(budget=8)
    rng = Random(seed)
    texts = [f"[{rng.randrange(100)},{rng.randrange(1, 10)}" for _ in range(20)]
    for text in texts:
        one, two = asked.matcher(), fresh.matcher()
        for byte in text.encode():
            if not one.check(byte):
                break
            one.accept(byte)
            two.accept(byte)
            least = one.min_tokens()
            assert two.min_tokens() == least
            for budget in range(least.tokens, least.tokens + 3):
                assert np.array_equal(one.mask(budget), two.mask(budget)), (one.text, budget)

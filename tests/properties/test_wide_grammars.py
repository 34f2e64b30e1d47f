"""Many alternatives, many readings, many levels: what has a shorter way in the native engine."""

from __future__ import annotations

import json
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import slm
from slm.errors import GrammarTooComplex, SlmError
from slm.grammar import regular
from slm.grammar.charset import CharSet
from slm.grammar.ir import Call, Choice, Expression, Grammar, Rule, Seq, Terminal, optional
from slm.grammar.reader import read_grammar
from slm.mask import compile_grammar, native_available
from slm.schema import compile_schema
from slm.vocab import Vocabulary
from tests.small_stack import in_small_stack

pytestmark = pytest.mark.skipif(not native_available(), reason="the native engine is not built")

PARTS = ("a", "ab", "b", "é", "è", "漢", "😀", "_", "0", "1")
NAMES = st.lists(st.sampled_from(PARTS), min_size=1, max_size=4).map("".join)
ENDS = (
    regular.EPSILON,
    regular.literal("!"),
    regular.repeat(regular.Chars(CharSet.of(" ")), 0, 2),
    regular.repeat(regular.Chars(CharSet.of("ab")), 1, None),
)
TOKENS = [
    "a",
    "ab",
    "aba",
    "b",
    "é",
    "éa",
    "è",
    "漢",
    "😀",
    "_",
    "01",
    "0",
    "1",
    "!",
    " a",
    "  ",
    ",",
]


def vocabulary() -> Vocabulary:
    """All bytes, some longer tokens, parts of characters, and an end."""
    tokens = [bytes([byte]) for byte in range(256)]
    tokens += [text.encode() for text in TOKENS if len(text.encode()) > 1]
    tokens += ["漢".encode()[:2], "é".encode()[1:] + b"a", "ab漢".encode()[:4]]
    return Vocabulary([*tokens, b""], eos_ids=[len(tokens)])


def same_masks(grammar: Grammar, random: Random, steps: int = 12) -> bool:
    """Whether both engines allow the same tokens all along a random text."""
    words = vocabulary()
    native, reference = (
        compile_grammar(grammar, words, engine=engine).matcher()
        for engine in ("native", "reference")
    )
    for _ in range(steps):
        allowed = native.allowed()
        assert allowed == reference.allowed()
        assert native.is_complete() == reference.is_complete()
        assert native.expected() == reference.expected()
        going_on = [token for token in allowed if token not in words.eos_ids]
        if not going_on:
            break
        going_on.sort(key=lambda token: len(words.tokens[token] or b""))
        token = random.choice(going_on[-8:])
        native.accept(token)
        reference.accept(token)
    return native.tokens == reference.tokens


@pytest.mark.parametrize("wide", ["[a-z]+", '"//" [^!]*', "[ \\t\\n\\r]+"])
def test_many_words_beside_a_wide_terminal_are_allowed(wide: str) -> None:
    """Words that are read together are in the mask where another terminal is a part of its own."""
    words = [f"{letter}{digit}" for letter in "!#%&()*" for digit in "123"]
    rules = f"start: ({' | '.join(f'W{i}' for i in range(len(words)))} | WIDE)*\nWIDE: {wide}\n"
    grammar = read_grammar(rules + "".join(f'W{i}: "{word}"\n' for i, word in enumerate(words)))
    matcher = compile_grammar(grammar, vocabulary(), engine="native").matcher()
    assert {word[0].encode()[0] for word in words} <= set(matcher.allowed())
    assert same_masks(grammar, Random(len(wide)))


def test_a_budget_that_is_enough_is_kept_beside_many_words() -> None:
    """From a name, which many words may follow or white space, to the end in so few tokens."""
    words = [f"{letter}{digit}" for letter in "!#%&()*" for digit in "123"]
    either = " | ".join(f"W{i}" for i in range(len(words)))
    rules = f"start: NAME SPACE? ({either})\nNAME: [a-z]+\nSPACE: [ \\t\\n\\r]+\n"
    grammar = read_grammar(rules + "".join(f'W{i}: "{word}"\n' for i, word in enumerate(words)))
    matchers = [
        compile_grammar(grammar, vocabulary(), engine=engine).matcher()
        for engine in ("native", "reference")
    ]
    for left in (3, 2, 1):
        assert [matcher.min_tokens().tokens for matcher in matchers] == [left, left]
        allowed, expected = (matcher.allowed(budget=left) for matcher in matchers)
        assert allowed == expected
        for matcher in matchers:
            matcher.accept(allowed[0])
    assert all(matcher.is_complete() for matcher in matchers)


@given(
    names=st.lists(
        st.lists(st.sampled_from(PARTS), max_size=5).map("".join),
        min_size=64,
        max_size=90,
        unique=True,
    ),
    shape=st.sampled_from(["alone", "ended", "beside", "excluded", "again"]),
    random=st.randoms(use_true_random=False),
)
def test_a_long_list_of_words_is_the_union_of_them(
    names: list[str], shape: str, random: Random
) -> None:
    """One terminal for all; before something, beside other texts, taken out of them, in a loop."""
    words = regular.union(*(regular.literal(name) for name in names))
    letters = regular.repeat(regular.Chars(CharSet.of("ab_é漢")), 0, None)
    language = {
        "alone": regular.concat(regular.literal("0"), words),
        "ended": regular.concat(words, random.choice(ENDS[1:3])),
        "beside": regular.concat(regular.union(words, letters), regular.literal("!")),
        "excluded": regular.concat(
            regular.intersection(letters, regular.complement(words)), regular.literal("!")
        ),
        "again": regular.repeat(regular.concat(words, regular.literal(",")), 1, 3),
    }[shape]
    terminal = Terminal("LIST", language)
    rules = [Rule("start", Seq((terminal, optional(Terminal("END", regular.literal("!"))))))]
    assert same_masks(Grammar(tuple(rules), "start"), random, steps=8)


@given(
    names=st.lists(NAMES, min_size=12, max_size=45, unique=True),
    ends=st.lists(st.sampled_from(ENDS), min_size=45, max_size=45),
    random=st.randoms(use_true_random=False),
)
def test_many_words_are_read_as_each_alone(
    names: list[str], ends: list[regular.Regular], random: Random
) -> None:
    """Terminals may begin like others, or with a whole other; later rules leave more out."""
    terminals: list[Expression] = [
        Terminal(f"T{at}", regular.concat(regular.literal(name), end))
        for at, (name, end) in enumerate(zip(names, ends, strict=False))
    ]
    comma = Terminal("COMMA", regular.literal(","))
    rules = [Rule(f"r{len(terminals)}", Terminal("LAST", regular.literal("z")))]
    for at in range(len(terminals) - 1, -1, -1):
        step = Seq((terminals[at], optional(Seq((comma, Call(f"r{at + 1}"))))))
        rules.append(Rule(f"r{at}", Choice((step, Call(f"r{at + 1}")))))
    assert same_masks(Grammar(tuple(rules), "r0"), random)


@given(
    members=st.lists(st.booleans(), min_size=7, max_size=30),
    opened=st.booleans(),
    random=st.randoms(use_true_random=False),
)
def test_objects_take_their_members_in_order(
    members: list[bool], opened: bool, random: Random
) -> None:
    """Of many members, optional (False) and required ones, in every way to leave some out."""
    names = [f"p{at}" for at in range(len(members))]
    required = [name for name, needed in zip(names, members, strict=True) if needed]
    schema: dict[str, Any] = {
        "type": "object",
        "properties": {name: {"enum": [1, 22]} for name in names},
        "required": required,
        "additionalProperties": {"const": 3} if opened else False,
    }
    compiled = slm.compile(compile_schema(schema).grammar, vocabulary())

    def accepts(value: dict[str, Any]) -> bool:
        matcher = compiled.matcher()
        data = json.dumps(value).encode()
        try:
            for byte in data:
                matcher.accept(byte)
        except SlmError:
            return False
        return matcher.is_complete()

    for _ in range(6):
        share = random.random()
        taken = [name for name in names if name in required or random.random() < share]
        value: dict[str, Any] = {name: random.choice([1, 22]) for name in taken}
        extra = {f"x{at}": 3 for at in range(random.randrange(3))}
        assert accepts(value | extra) == (opened or not extra)
        if len(taken) > 1:
            at = random.randrange(1, len(taken))
            swapped = [*taken[: at - 1], taken[at], taken[at - 1], *taken[at + 1 :]]
            assert not accepts({name: value[name] for name in swapped})
        if required:
            missing = random.choice(required)
            assert not accepts({name: value[name] for name in taken if name != missing})


@given(random=st.randoms(use_true_random=False))
def test_ambiguous_rows_keep_every_reading(random: Random) -> None:
    """Rules that call themselves twice, with words of several lengths and places to stop."""
    a, ab, b = (Terminal(text.upper(), regular.literal(text)) for text in ("a", "ab", "b"))
    e = Choice((Seq((Call("e"), Call("e"))), a, ab, Seq((Call("e"), b, optional(Call("e"))))))
    assert same_masks(
        Grammar((Rule("s", Seq((Call("e"), b))), Rule("e", e)), "s"), random, steps=16
    )


# --- depth ----------------------------------------------------------------------------------------

DEPTH = 10_000
DEEP_TEXTS = [
    (slm.json_schema({"type": "array", "items": {"$ref": "#"}}), "[" * DEPTH + "]" * DEPTH),
    (slm.json_schema({}), '{"a":[' * DEPTH + "1" + "]}" * DEPTH),
    (
        slm.lark('start: "(" start ")" | "x"', parser="earley", lexer="dynamic_complete"),
        "(" * DEPTH + "x" + ")" * DEPTH,
    ),
    (
        slm.lark('start: "a" start | "a"', parser="earley", lexer="dynamic_complete"),
        "a" * DEPTH,
    ),
]


@pytest.mark.parametrize("which", range(len(DEEP_TEXTS)))
def test_deep_texts_need_no_deep_stack(which: int) -> None:
    """Ten thousand levels, with masks, rollback and why_not on the way, in a small thread."""
    spec, text = DEEP_TEXTS[which]

    def work() -> None:
        matcher = slm.compile(spec, vocabulary()).matcher()
        data = text.encode()
        for at, byte in enumerate(data):
            matcher.accept(byte)
            if at % 4999 == 0:
                matcher.rollback(1)
                matcher.accept(byte)
                assert matcher.why_not(0) is not None
                assert matcher.allowed()
        assert matcher.is_complete()

    in_small_stack(work)


def deep_array() -> dict[str, Any]:
    """A schema that is ten thousand levels deep."""
    value: dict[str, Any] = {"type": "integer"}
    for _ in range(DEPTH):
        value = {"type": "array", "items": value}
    return value


@pytest.mark.parametrize("what", ["schema", "regex", "lark"])
def test_deep_sources_are_refused_by_name(what: str) -> None:
    """A schema, an expression and a grammar that are ten thousand levels deep are too complex."""

    def work() -> None:
        if what == "schema":
            slm.json_schema(deep_array())
        elif what == "regex":
            slm.regex("(?:" * DEPTH + "a" + ")" * DEPTH)
        else:
            text = "(" * DEPTH + '"a"' + ")" * DEPTH
            slm.lark(f"start: {text}", parser="earley", lexer="dynamic_complete")

    with pytest.raises(GrammarTooComplex, match="nested too deep"):
        in_small_stack(work)

"""The matcher's own promises: bitmask rows, moving back and forth, what is forced, why not."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from typing import Any

import numpy as np
import pytest

import slm
from slm.errors import BitmaskMismatch, RollbackTooFar, UnknownToken
from slm.grammar import regular
from slm.grammar.ir import Grammar, Rule, Terminal, seq
from slm.grammar.reader import read_grammar
from slm.mask import CompiledGrammar, compile_grammar
from slm.vocab import Vocabulary, byte_vocabulary
from tests.paths import shared_data
from tests.properties.engine_language import ENGINES

GRAMMAR = read_grammar('start: "[" NUMBER ("," NUMBER)* "]"\nNUMBER: "0" | [1-9] [0-9]*', "list")
BYTES = byte_vocabulary()


@lru_cache
def qwen() -> Vocabulary:
    """A real vocabulary."""
    return Vocabulary.from_hf(shared_data("tokenizers/qwen2"))


engines = pytest.mark.parametrize("engine", ENGINES)


def words(*tokens: str, grammar: str, engine: str, ends: int = 1) -> CompiledGrammar:
    """A grammar over all bytes, these tokens from 256 on, and then the end tokens."""
    data = [*(bytes([byte]) for byte in range(256)), *(token.encode() for token in tokens)]
    first = len(data)
    vocabulary = Vocabulary((*data, *[None] * ends), tuple(range(first, first + ends)))
    return compile_grammar(read_grammar(grammar), vocabulary, engine)


# --- masks ----------------------------------------------------------------------------------------


@engines
def test_a_mask_is_packed_bits(engine: str) -> None:
    """Token t is bit t % 32 of word t // 32; the last word's spare bits are 0."""
    mask = compile_grammar(GRAMMAR, BYTES, engine).matcher().mask()
    assert mask.dtype == np.int32
    assert mask.shape == (9,)
    expected = np.zeros(9, np.uint32)
    expected[ord("[") // 32] = 1 << ord("[") % 32
    assert np.array_equal(mask.view(np.uint32), expected)


@engines
def test_fill_mask_writes_every_word_of_one_row(engine: str) -> None:
    """Old content of the row is gone, the other rows are untouched."""
    matcher = compile_grammar(GRAMMAR, BYTES, engine).matcher()
    bitmask = np.full((3, 9), -1, np.int32)
    matcher.fill_mask(bitmask, 1)
    assert np.array_equal(bitmask[1], matcher.mask())
    assert (bitmask[[0, 2]] == -1).all()


@engines
def test_fill_mask_writes_into_tensors(engine: str) -> None:
    """A CPU tensor is written in place; its memory is shared, not copied."""
    torch = pytest.importorskip("torch")
    matcher = compile_grammar(GRAMMAR, BYTES, engine).matcher()
    bitmask = torch.full((2, 9), -1, dtype=torch.int32)
    matcher.fill_mask(bitmask, 1)
    assert np.array_equal(bitmask[1].numpy(), matcher.mask())
    assert (bitmask[0] == -1).all()
    with pytest.raises(BitmaskMismatch):
        matcher.fill_mask(torch.zeros((2, 9), dtype=torch.int64))
    with pytest.raises(BitmaskMismatch):
        matcher.fill_mask(torch.zeros((2, 9), dtype=torch.int32, device="meta"))


@pytest.mark.parametrize(
    ("bitmask", "row"),
    [
        (np.zeros(9, np.int32), 0),
        (np.zeros((1, 10), np.int32), 0),
        (np.zeros((1, 9), np.uint32), 0),
        (np.zeros((1, 9), np.int32), -1),
        (np.zeros((2, 18), np.int32)[:, ::2], 0),
        (np.broadcast_to(np.int32(0), (2, 9)), 0),
        ("bitmask", 0),
        (None, 0),
    ],
)
def test_wrong_bitmasks_are_refused(bitmask: Any, row: int) -> None:
    """Nothing is written where the array is not what it has to be."""
    matcher = compile_grammar(GRAMMAR, BYTES).matcher()
    with pytest.raises(BitmaskMismatch):
        matcher.fill_mask(bitmask, row)


# --- moving ---------------------------------------------------------------------------------------


@engines
def test_a_finished_matcher_only_ends(engine: str) -> None:
    """After an end token: the mask is the end tokens, and accepting one again changes nothing."""
    matcher = words(grammar='start: "a"*', engine=engine, ends=2).matcher()
    matcher.accept(ord("a"))
    assert matcher.is_complete()
    assert not matcher.is_finished
    matcher.accept(257)
    assert matcher.is_finished
    assert matcher.is_complete()
    assert matcher.allowed() == [256, 257]
    matcher.accept(256)
    assert matcher.tokens == (97, 257)
    assert matcher.forced_tokens() == []
    assert matcher.expected() == ()
    assert matcher.why_not(256) is None
    assert "the text has ended" in str(matcher.why_not(97))
    matcher.rollback(1)
    assert not matcher.is_finished
    assert matcher.allowed() == [97, 256, 257]


@engines
def test_rollback_takes_back_tokens_and_not_more(engine: str) -> None:
    """Too many, or fewer than none, are refused and change nothing."""
    matcher = compile_grammar(GRAMMAR, BYTES, engine).matcher()
    for token in b"[12,":
        matcher.accept(token)
    matcher.rollback(0)
    assert matcher.text == b"[12,"
    matcher.rollback(2)
    assert matcher.text == b"[1"
    for n in (3, -1):
        with pytest.raises(RollbackTooFar):
            matcher.rollback(n)
    assert matcher.text == b"[1"
    matcher.accept(ord("]"))
    assert matcher.is_complete()


@engines
def test_forks_go_their_own_ways(engine: str) -> None:
    """Neither sees what the other accepts."""
    matcher = compile_grammar(GRAMMAR, BYTES, engine).matcher()
    matcher.accept(ord("["))
    fork = matcher.fork()
    fork.accept(ord("0"))
    matcher.accept(ord("7"))
    assert (matcher.text, fork.text) == (b"[7", b"[0")
    assert ord("1") in matcher.allowed()
    assert ord("1") not in fork.allowed()
    fork.rollback(2)
    assert (matcher.text, fork.text) == (b"[7", b"")


def test_a_matcher_prints_where_it_is() -> None:
    """How many tokens and bytes, and whether the text may end."""
    matcher = words("ab", grammar='start: "ab"', engine="reference").matcher()
    assert repr(matcher) == "Matcher(0 tokens, 0 bytes, open)"
    matcher.accept(256)
    assert repr(matcher) == "Matcher(1 tokens, 2 bytes, complete)"
    matcher.accept(257)
    assert repr(matcher) == "Matcher(2 tokens, 2 bytes, finished)"


@engines
def test_one_compiled_grammar_serves_many_threads(engine: str) -> None:
    """Matchers of several threads share the caches and do not disturb each other."""
    compiled = compile_grammar(GRAMMAR, BYTES, engine)

    def masks(seed: int) -> list[bytes]:
        matcher = compiled.matcher()
        found = []
        for step in range(40):
            found.append(matcher.mask().tobytes())
            allowed = [token for token in matcher.allowed() if token != 256]
            if not allowed:
                break
            matcher.accept(allowed[(seed * 7 + step * 3) % len(allowed)])
        return found

    alone = [masks(seed) for seed in range(8)]
    compiled = compile_grammar(GRAMMAR, BYTES, engine)
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(masks, range(8))) == alone


# --- what must come -------------------------------------------------------------------------------


@engines
def test_forced_tokens_are_the_longest_and_end_the_text(engine: str) -> None:
    """The whole rest is forced: its tokens, and the end token."""
    matcher = words("true", "tr", "ue", grammar='start: "true"', engine=engine).matcher()
    assert matcher.forced_tokens() == [256, 259]
    matcher.accept(257)
    assert matcher.forced_tokens() == [258, 259]


@engines
def test_what_a_longer_token_could_write_is_not_forced(engine: str) -> None:
    """Token healing: `ab` is forced, but `bc` may be the model's way to go on."""
    compiled = words("bc", "ab", grammar='start: "ab" ("c" | "d")', engine=engine)
    assert compiled.matcher().forced_tokens() == [257]
    compiled = words("abc", grammar='start: "ab" ("c" | "d")', engine=engine)
    assert compiled.matcher().forced_tokens() == []
    # `abx` is no token that could be used here, so nothing stands against `a`, `b`
    compiled = words("abx", grammar='start: "ab" ("c" | "d")', engine=engine)
    assert compiled.matcher().forced_tokens() == [97, 98]


@engines
def test_nothing_is_forced_where_the_text_may_end(engine: str) -> None:
    """The end token is a choice of its own."""
    matcher = words(grammar='start: "a"?', engine=engine).matcher()
    assert matcher.forced_tokens() == []
    matcher.accept(97)
    assert matcher.forced_tokens() == [256]


@engines
def test_forcing_looks_no_further_than_its_limit(engine: str) -> None:
    """And stops before a token that would reach past it."""
    matcher = words("xx", grammar='start: "x"{1000} "!"', engine=engine).matcher()
    assert matcher.forced_tokens(5) in ([256, 256], [256, 256, 120])
    assert len(matcher.forced_tokens(1000)) >= 499


@engines
def test_forced_text_is_tokenised_as_the_tokenizer_would(engine: str) -> None:
    """With a real tokenizer: canonical tokens up to where the model has a say."""
    vocabulary = qwen()
    grammar = read_grammar(
        'start: "{\\"first name\\": \\"" NAME "\\", \\"age\\": 7}"\nNAME: [A-Za-z]+'
    )
    matcher = compile_grammar(grammar, vocabulary, engine).matcher()
    forced = matcher.forced_tokens()
    # the quote after the blank is forced text, but a token of it and letters might be used there
    assert vocabulary.show(forced) == '⟦{"‧first‧ name‧":⟧'
    for token in vocabulary.tokenize('{"first name": "Ada"'):
        matcher.accept(token)
    forced = matcher.forced_tokens()
    assert vocabulary.decode(forced) == b', "age": 7}'
    assert forced == [*vocabulary.tokenize(', "age": 7}'), vocabulary.eos_ids[0]]


# --- why not --------------------------------------------------------------------------------------


def test_why_not_says_where_a_token_dies_and_what_could_have_come() -> None:
    """None for allowed tokens; else the byte, the terminals, the place, and one sentence."""
    compiled = words("12", "1]]", "0]", grammar=str(GRAMMAR), engine="reference")
    compiled = compile_grammar(GRAMMAR, compiled.vocabulary, "reference")
    matcher = compiled.matcher()
    matcher.accept(ord("["))
    assert matcher.why_not(256) is None
    assert matcher.why_not(258) is None
    refusal = matcher.why_not(257)
    assert refusal is not None
    assert (refusal.token_id, refusal.token, refusal.offset) == (257, "⟦1]]⟧", 2)
    assert refusal.expected == ()
    assert str(refusal) == (
        "token 257 ⟦1]]⟧ is not allowed at its byte 2 (']'): expected the end of the text"
    )
    refusal = matcher.why_not(ord(","))
    assert refusal is not None
    assert refusal.expected == ("NUMBER",)
    assert str(refusal.place) == "list:1:1"
    with pytest.raises(UnknownToken):
        matcher.why_not(1000)


@engines
def test_expected_names_what_may_begin_or_go_on(engine: str) -> None:
    """A terminal that has read its last character is not expected any more."""
    matcher = compile_grammar(GRAMMAR, BYTES, engine).matcher()
    assert matcher.expected() == ("[",)
    for token in b"[0":
        matcher.accept(token)
    assert set(matcher.expected()) == {",", "]"}
    matcher.rollback(1)
    matcher.accept(ord("1"))
    assert set(matcher.expected()) == {",", "]", "NUMBER"}


# --- who says so ----------------------------------------------------------------------------------

SCHEMA = {
    "type": "object",
    "properties": {
        "age": {"type": "integer"},
        "count": {"type": "integer"},
        "tags": {"type": "array", "items": {"enum": ["a", "b"]}},
        "size": {"anyOf": [{"$ref": "#/$defs/size"}, {"type": "null"}]},
    },
    "required": ["age", "count", "tags", "size"],
    "additionalProperties": False,
    "$defs": {"size": {"type": "number", "minimum": 0}},
}


@engines
@pytest.mark.parametrize(
    ("text", "places"),
    [
        ("{", ["#"]),
        ('{"age":', ["#/properties/age"]),
        ('{"age":1,"count":', ["#/properties/count"]),
        ('{"age":1,"count":2,"tags":["', ["#/properties/tags/items"]),
        ('{"age":1', ["#", "#/properties/age"]),
        ('{"age":1,"count":2,"tags":[],"size":', ["#/properties/size"]),
    ],
)
def test_a_refusal_says_which_schema_asks(engine: str, text: str, places: list[str]) -> None:
    """Equal schemas in two places are one terminal, and still told apart by where they stand."""
    spec = slm.json_schema(SCHEMA, whitespace="compact")
    matcher = slm.compile(spec, BYTES, engine=engine).matcher()
    for byte in text.encode():
        matcher.accept(byte)
    refusal = matcher.why_not(ord("x"))
    assert refusal is not None
    assert [str(place) for place in refusal.places] == places
    assert refusal.place == refusal.places[0]
    assert str(refusal).endswith(" at " + " or ".join(places[:2]))
    assert {str(one.place) for one in matcher.expectations()} == set(places)


@engines
def test_expectations_have_examples(engine: str) -> None:
    """Terminal, rule, place and a short text that the terminal matches; long ones are cut."""
    grammar = read_grammar(
        'start: "a very long word indeed" | NUMBER | LAZY\n'
        'NUMBER: [0-9]{2,}\nLAZY: [^]* "!" & ~([^]* "?" [^]*)',
        "g",
    )
    found = compile_grammar(grammar, BYTES, engine).matcher().expectations()
    assert [(one.terminal, one.rule, str(one.place), one.example) for one in found] == [
        ("LAZY", "start", "g:1:1", "!"),
        ("NUMBER", "start", "g:1:1", "00"),
        ("a very long word indeed", "start", "g:1:1", "a very long word in…"),
    ]


@engines
def test_fill_mask_takes_what_the_quick_way_does_not(engine: str) -> None:
    """Subclasses, memory maps of other types, rows as numpy numbers, wide strides between rows."""
    matcher = compile_grammar(GRAMMAR, BYTES, engine).matcher()
    expected = matcher.mask()
    wide = np.full((4, 18), -1, np.int32)
    view = wide[::2, 9:]
    matcher.fill_mask(view, 1)
    assert np.array_equal(wide[2, 9:], expected)
    assert (wide[[0, 1, 3]] == -1).all()
    assert (wide[2, :9] == -1).all()
    matcher.fill_mask(view, np.int64(0))
    assert np.array_equal(wide[0, 9:], expected)
    matrix = np.zeros((2, 9), np.int32).view(np.recarray)
    matcher.fill_mask(matrix, True)
    assert np.array_equal(np.asarray(matrix)[1], expected)


@engines
def test_what_an_ended_terminal_forbids_is_not_expected(engine: str) -> None:
    """After `T0`, which is to be the longest, no `a` can follow that `T0` could have taken."""
    other = Terminal("T0", regular.complement(regular.literal("a")), longest=True)
    body = seq(other, Terminal("T1", regular.literal("a")))
    matcher = compile_grammar(Grammar((Rule("start", body),), "start"), BYTES, engine).matcher()
    matcher.accept(ord("b"))
    assert [each.terminal for each in matcher.expectations()] == ["T0"]

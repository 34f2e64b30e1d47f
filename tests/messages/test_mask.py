"""Whole messages of the errors about matching, with either engine; nothing changes by an error."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from slm.errors import EngineUnavailable, SlmError
from slm.grammar.reader import read_grammar
from slm.mask import Matcher, compile_grammar, fill_masks, native_available
from slm.schema import compile_schema
from slm.vocab import Vocabulary, byte_vocabulary

ENGINES = ["reference", *(["native"] if native_available() else [])]
GRAMMAR = read_grammar('start: "{" pair\npair: KEY ":"\nKEY: "é" | [a-z]+', "g")
TOKENS = [*(bytes([byte]) for byte in range(256)), b"{a", b"{:", b"{\xc3\xa9!", None, None]
VOCABULARY = Vocabulary(tuple(TOKENS), (259,))
OTHER = compile_grammar(
    read_grammar('start: "a"'), Vocabulary((b"a", b"b", b"c", None), (3,)), "reference"
)


def after_brace(do: Callable[[Matcher], object]) -> Callable[[Matcher], object]:
    """The same, after `{` was accepted."""

    def then(matcher: Matcher) -> object:
        matcher.accept(ord("{"))
        return do(matcher)

    return then


def after_everything(matcher: Matcher) -> None:
    for token in [*b"{a:", 259]:
        matcher.accept(token)
    matcher.accept(ord("a"))


MESSAGES: dict[str, tuple[Callable[[Matcher], object], str]] = {
    "first byte": (
        lambda matcher: matcher.accept(ord("a")),
        "[M001] token 97 ⟦a⟧ is not allowed at its byte 0 ('a'): expected { (in rule `start`) "
        "at g:1:1\n"
        "  at g:1:1\n"
        '  start: "{" pair\n'
        "  ^^^^^\n"
        "  hint: accept only tokens that `mask` allows",
    ),
    "later byte": (
        lambda matcher: matcher.accept(257),
        "[M001] token 257 ⟦{:⟧ is not allowed at its byte 1 (':'): expected KEY (in rule `pair`) "
        "at g:2:1\n"
        "  at g:2:1\n"
        '  pair: KEY ":"\n'
        "  ^^^^\n"
        "  hint: accept only tokens that `mask` allows",
    ),
    "after a character of two bytes": (
        lambda matcher: matcher.accept(258),
        "[M001] token 258 ⟦{é!⟧ is not allowed at its byte 3 ('!'): expected : (in rule `pair`) "
        "at g:2:1\n"
        "  at g:2:1\n"
        '  pair: KEY ":"\n'
        "  ^^^^\n"
        "  hint: accept only tokens that `mask` allows",
    ),
    "a byte that is no character": (
        after_brace(lambda matcher: matcher.accept(0xFF)),
        "[M001] token 255 ⟦\\xff⟧ is not allowed at its byte 0 (0xff): expected KEY (in rule "
        "`pair`) at g:2:1\n"
        "  at g:2:1\n"
        '  pair: KEY ":"\n'
        "  ^^^^\n"
        "  hint: accept only tokens that `mask` allows",
    ),
    "end too early": (
        lambda matcher: matcher.accept(259),
        "[M001] token 259 ends the text, which is not complete: expected { (in rule `start`) "
        "at g:1:1\n"
        "  at g:1:1\n"
        '  start: "{" pair\n'
        "  ^^^^^\n"
        "  hint: accept only tokens that `mask` allows",
    ),
    "special token": (
        lambda matcher: matcher.accept(260),
        "[M001] token 260 never matches text: expected { (in rule `start`) at g:1:1\n"
        "  at g:1:1\n"
        '  start: "{" pair\n'
        "  ^^^^^\n"
        "  hint: accept only tokens that `mask` allows",
    ),
    "after the end": (
        after_everything,
        "[M001] token 97 ⟦a⟧ is not allowed: the text has ended\n"
        "  hint: accept only tokens that `mask` allows",
    ),
    "unknown token": (
        lambda matcher: matcher.accept(261),
        "[V003] token id 261 is outside the vocabulary of 261 tokens\n"
        "  hint: use the vocabulary of the model that produced the id",
    ),
    "unknown token of a draft": (
        lambda matcher: matcher.verify([ord("{"), 261]),
        "[V003] token id 261 is outside the vocabulary of 261 tokens\n"
        "  hint: use the vocabulary of the model that produced the id",
    ),
    "a draft that is no tree": (
        lambda matcher: matcher.verify_tree([1, 2, 3], [-1, 1, 0]),
        "[M006] node 1 of the draft has parent 1\n"
        "  hint: parents come first: each is the index of an earlier node, or -1",
    ),
    "a draft without parents": (
        lambda matcher: matcher.verify_tree([1, 2, 3], [-1, 0]),
        "[M006] 3 draft tokens have 2 parents\n"
        "  hint: pass one parent for each token: an index, or -1 for those right after the text",
    ),
    "a bitmask too small for a draft": (
        lambda matcher: matcher.verify([1, 2], np.zeros((3, 9), np.int32), 1),
        "[M003] 3 rows from row 1 on are needed, and the bitmask has 3\n"
        "  hint: a draft of k tokens needs k + 1 rows: one for each token and one after the last",
    ),
    "a batch with one row twice": (
        lambda matcher: fill_masks([matcher, matcher], np.zeros((3, 9), np.int32), [1, 1]),
        "[M003] row 1 is given to two matchers\n  hint: pass a row of its own for each matcher",
    ),
    "a batch without rows": (
        lambda matcher: fill_masks([matcher, matcher], np.zeros((3, 9), np.int32), [1]),
        "[M003] 2 matchers have 1 rows\n"
        "  hint: pass a row for each matcher, or none: then matcher i has row i",
    ),
    "a batch of two vocabularies": (
        lambda matcher: fill_masks([matcher, OTHER.matcher()], np.zeros((3, 9), np.int32)),
        "[M003] matcher 1 is over 4 tokens, matcher 0 over 261\n"
        "  hint: give the sequences of each model a bitmask of their own",
    ),
    "a batch on no thread": (
        lambda matcher: fill_masks([matcher], np.zeros((3, 9), np.int32), threads=0),
        "[C001] threads=0 is out of range\n  hint: threads must be 1 or above",
    ),
    "no memory": (
        lambda matcher: compile_grammar(GRAMMAR, VOCABULARY, memory=0),
        "[C001] memory=0 is out of range\n  hint: memory must be 1 or above",
    ),
    "rollback": (
        after_brace(lambda matcher: matcher.rollback(2)),
        "[M002] cannot take back 2 tokens: 1 were accepted\n"
        "  hint: count only tokens accepted by this matcher since it was made",
    ),
    "bitmask shape": (
        lambda matcher: matcher.fill_mask(np.zeros((1, 8), np.int32)),
        "[M003] a bitmask has to be int32 (batch, 9), not int32 (1, 8)\n"
        "  hint: np.zeros((batch, 9), np.int32)",
    ),
    "bitmask type": (
        lambda matcher: matcher.fill_mask(np.zeros((1, 9), np.int64)),
        "[M003] a bitmask has to be int32 (batch, 9), not int64 (1, 9)\n"
        "  hint: np.zeros((batch, 9), np.int32)",
    ),
    "bitmask row": (
        lambda matcher: matcher.fill_mask(np.zeros((1, 9), np.int32), 1),
        "[M003] row 1 is outside the bitmask of 1 rows\n  hint: rows start at 0",
    ),
    "bitmask layout": (
        lambda matcher: matcher.fill_mask(np.zeros((9, 2), np.int32).T),
        "[M003] a row of the bitmask has to be contiguous and writable\n"
        "  hint: do not pass a transposed, strided or read-only array",
    ),
    "not an array": (
        lambda matcher: matcher.fill_mask([[0] * 9]),
        "[M003] a bitmask has to be a numpy array or a CPU tensor, not list\n"
        "  hint: allocate it on the CPU and copy it to the device after filling it",
    ),
}


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("name", MESSAGES)
def test_errors_of_a_matcher_say_what_where_and_what_next(name: str, engine: str) -> None:
    """The whole message, the same from every engine."""
    cause, message = MESSAGES[name]
    matcher = compile_grammar(GRAMMAR, VOCABULARY, engine).matcher()
    with pytest.raises(SlmError) as caught:
        cause(matcher)
    assert str(caught.value) == message


@pytest.mark.parametrize("engine", ENGINES)
def test_a_rejected_token_changes_nothing(engine: str) -> None:
    """After every error the text, the mask and the tokens are as before."""
    matcher = compile_grammar(GRAMMAR, VOCABULARY, engine).matcher()
    matcher.accept(ord("{"))
    before = (matcher.text, matcher.tokens, matcher.mask().tobytes())
    for token in (0xFF, 256, 259, 260, 999, -1):
        with pytest.raises(SlmError):
            matcher.accept(token)
        assert (matcher.text, matcher.tokens, matcher.mask().tobytes()) == before


def test_an_unknown_engine_is_refused() -> None:
    """The message lists the engines there are."""
    with pytest.raises(EngineUnavailable) as caught:
        compile_grammar(GRAMMAR, VOCABULARY, "fastest")
    assert str(caught.value) == (
        "[M004] there is no engine `fastest`\n  hint: use one of native, reference"
    )


def test_an_engine_that_is_not_built_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """Asking for the native engine by name never falls back in silence."""
    monkeypatch.setitem(__import__("sys").modules, "slm.mask.native", None)
    monkeypatch.setattr("slm.mask.compile._module", None)
    with pytest.raises(EngineUnavailable) as caught:
        compile_grammar(GRAMMAR, VOCABULARY, "native")
    assert str(caught.value) == (
        "[M004] the native engine is not built here\n"
        "  hint: install slm with a C++ compiler at hand, or use engine='reference'"
    )


@pytest.mark.parametrize("engine", ENGINES)
def test_budget_below_what_is_missing(engine: str) -> None:
    """How many tokens are missing, and the budget; at a complete text none are."""
    matcher = compile_grammar(GRAMMAR, VOCABULARY, engine).matcher()
    with pytest.raises(SlmError) as caught:
        matcher.mask(budget=1)
    assert str(caught.value) == (
        "[D002] the text needs 2 more tokens to be complete, and the budget is 1\n"
        "  hint: a budget has to be kept from the first token on: check `min_tokens` there"
    )
    assert matcher.allowed(budget=2) == [256]
    for token in [256, ord(":")]:
        matcher.accept(token)
    assert matcher.allowed(budget=0) == [259]
    assert str(matcher.min_tokens()) == "0 more tokens"


@pytest.mark.skipif("native" not in ENGINES, reason="the native engine is not built")
def test_a_minimum_that_is_not_found_beside_a_memory() -> None:
    """What cannot be counted in reasonable time is said, with the way to do without."""
    grammar = compile_schema({"type": "object", "minProperties": 6}).grammar
    matcher = compile_grammar(grammar, byte_vocabulary(), "native").matcher()
    with pytest.raises(SlmError) as caught:
        matcher.min_tokens()
    assert str(caught.value) == (
        "[G004] how many tokens finish the text takes too long to tell: ask for no budget\n"
        "  hint: simplify the grammar, or lower its bounds"
    )


@pytest.mark.parametrize("engine", ENGINES)
def test_an_item_that_is_there_already(engine: str) -> None:
    """The end of an equal item is refused for that, and what could come instead is said."""
    schema = {"type": "array", "uniqueItems": True, "items": {"type": "string"}}
    grammar = compile_schema(schema, whitespace="compact").grammar
    matcher = compile_grammar(grammar, byte_vocabulary(), engine).matcher()
    for byte in b'["ab","a\\u0062':
        matcher.accept(byte)
    assert str(matcher.why_not(ord('"'))) == (
        "token 34 ⟦\"⟧ is not allowed at its byte 0 ('\"'): every item or name that goes on so "
        "is there already; expected STRING (in rule `root`) at #/items"
    )
    assert "is there already" not in str(matcher.why_not(0x01))

"""Digits that make a multiple: a remainder in place of an automaton, in both engines."""

from __future__ import annotations

import random

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from slm.grammar.derivative import Languages
from slm.grammar.ir import Grammar, Rule, Terminal
from slm.grammar.printer import print_grammar
from slm.grammar.reader import read_grammar
from slm.grammar.regular import Multiple, concat, literal, nullable, union
from slm.mask import compile_grammar
from slm.schema import compile_schema
from slm.schema.algebra import matches
from slm.vocab import Vocabulary
from tests.conformance.maskbench import accepts
from tests.properties.engine_language import ENGINES

MODULI = st.one_of(st.integers(1, 40), st.sampled_from([123456789, 10**9 + 7, 10**18 - 1, 2**59]))


def _vocabulary(rng: random.Random) -> Vocabulary:
    """The bytes, numbers of two and three digits, and some with a point behind."""
    more = {str(rng.randrange(10, 1000)).encode() for _ in range(60)}
    more |= {f"{rng.randrange(10, 100)}.0".encode() for _ in range(10)}
    tokens = [*(bytes([byte]) for byte in range(256)), *sorted(more)]
    return Vocabulary.from_bytes([*tokens, None], eos_ids=[len(tokens)])


VOCABULARY = _vocabulary(random.Random(0))


def _grammar(digits: Multiple) -> Grammar:
    language = union(digits, concat(literal("1"), digits, literal(".0")))
    return Grammar((Rule("start", Terminal("NUMBER", language)),), "start")


@given(
    modulus=MODULI, factor=st.integers(0, 10**12), most=st.integers(0, 40), odd=st.integers(0, 3)
)
@example(modulus=7, factor=0, most=0, odd=0)
def test_the_language_is_that_of_arithmetic(modulus: int, factor: int, most: int, odd: int) -> None:
    """Digits are in it if they make a multiple behind what is left, and are not too many."""
    pool = Languages()
    rest = factor % modulus
    text = str(modulus * factor + odd)
    digits = Multiple(modulus, rest, most)
    whole = rest * 10 ** len(text) + int(text)
    fits = whole % modulus == 0 and len(text) <= most
    assert matches(digits, text, pool) == fits
    assert nullable(digits) == (rest == 0)
    if most >= 19:  # so many digits can make up for any remainder
        assert pool.alive(pool.state(digits))


@given(modulus=st.integers(1, 3000), rest=st.integers(0, 2999), most=st.integers(0, 3))
def test_nothing_is_begun_that_cannot_end(modulus: int, rest: int, most: int) -> None:
    """A state has a text if and only if trying all digits finds one."""
    pool, digits = Languages(), Multiple(modulus, rest % modulus, most)
    texts = [""] + [f"{n:0{size}}" for size in range(1, most + 1) for n in range(10**size)]
    found = any(int(f"{digits.rest}{text}") % modulus == 0 for text in texts)
    assert pool.alive(pool.state(digits)) == found
    grammar = _grammar(digits)
    assert read_grammar(print_grammar(grammar)) == grammar


@pytest.mark.skipif(len(ENGINES) < 2, reason="the native engine is not built")
@settings(max_examples=30)
@given(modulus=MODULI, rest=st.integers(0, 10**18), most=st.integers(19, 30), seed=st.integers())
def test_engines_agree(modulus: int, rest: int, most: int, seed: int) -> None:
    """The same masks, ends and fewest tokens along a walk of random tokens."""
    rng = random.Random(seed)
    grammar, vocabulary = _grammar(Multiple(modulus, rest % modulus, most)), VOCABULARY
    one, other = (compile_grammar(grammar, vocabulary, engine).matcher() for engine in ENGINES)
    for _ in range(6):
        assert one.allowed() == other.allowed()
        assert one.is_complete() == other.is_complete()
        texts = [token for token in one.allowed() if token not in vocabulary.eos_ids]
        if not texts:
            break
        token = rng.choice(texts)
        one.accept(token)
        other.accept(token)
    if modulus <= 40 and seed % 4 == 0:  # beyond, the slow one would try every number
        assert one.min_tokens().tokens == other.min_tokens().tokens


@pytest.mark.parametrize("engine", ENGINES)
def test_integers_are_multiples_of_steps_that_no_table_holds(engine: str) -> None:
    """Alone, with other steps and as items; `.0` as with any integer; a bound is too much."""
    vocabulary = VOCABULARY
    step = {"type": "integer", "multipleOf": 0.123456789}
    compiled = compile_grammar(compile_schema(step).grammar, vocabulary, engine)
    for text in (
        "0",
        "123456789",
        "-246913578",
        "123456789.0",
        str(123456789 * 10**200 + 123456789),
    ):
        assert accepts(compiled, text), text
    for text in ("123456788", "1234567890123", "0123456789", "123456789.5", "1" + "0" * 308):
        assert not accepts(compiled, text), text
    both = {"allOf": [step, {"multipleOf": 7001}]}
    compiled = compile_grammar(compile_schema(both).grammar, vocabulary, engine)
    assert accepts(compiled, str(123456789 * 7001))
    assert not accepts(compiled, "123456789")
    draft_4 = compile_schema({"type": "array", "items": step}, draft="4")
    compiled = compile_grammar(draft_4.grammar, vocabulary, engine)
    assert accepts(compiled, "[123456789,0]")
    assert not accepts(compiled, "[123456789.0]")

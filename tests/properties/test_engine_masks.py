"""What a mask is, whichever engine makes it: token by token, and whatever tokens came before."""

from __future__ import annotations

from random import Random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from slm.grammar.ir import Grammar
from slm.mask import Matcher, compile_grammar
from slm.vocab import Vocabulary
from tests.properties.engine_language import ENGINES, grammars, vocabularies
from tests.properties.test_engine_language import start

randoms = st.randoms(use_true_random=False)


def walk(matcher: Matcher, random: Random, steps: int = 8) -> None:
    """Accept allowed tokens at random; stays short of an end token."""
    for _ in range(steps):
        ends = matcher.compiled.vocabulary.eos_ids
        allowed = [token for token in matcher.allowed() if token not in ends]
        if not allowed:
            return
        # long tokens are rare: prefer them
        allowed.sort(key=lambda token: len(matcher.compiled.vocabulary.tokens[token] or b""))
        matcher.accept(random.choice(allowed[-6:]))


@pytest.mark.parametrize("engine", ENGINES)
@given(grammar=grammars(longest=True, again=True), vocabulary=vocabularies(), random=randoms)
def test_the_mask_is_what_each_token_alone_says(
    engine: str, grammar: Grammar, vocabulary: Vocabulary, random: Random
) -> None:
    """Bit t is set iff all bytes of token t are viable; end bits iff complete; the rest is 0."""
    matcher = start(grammar, engine, vocabulary)
    walk(matcher, random)
    session = matcher.fork()._session
    expected = [
        matcher.is_complete()
        if token in vocabulary.eos_ids
        else data is not None and session.viable_length(data) == len(data)
        for token, data in enumerate(vocabulary.tokens)
    ]
    assert matcher.allowed() == [token for token, allowed in enumerate(expected) if allowed]
    for token, allowed in enumerate(expected):
        assert matcher.why_not(token) is None if allowed else str(matcher.why_not(token))
        assert matcher.fork()._session.accept(token) == allowed


@pytest.mark.parametrize("engine", ENGINES)
@given(grammar=grammars(longest=True, again=True), vocabulary=vocabularies(), random=randoms)
def test_only_the_bytes_count_not_the_tokens_that_wrote_them(
    engine: str, grammar: Grammar, vocabulary: Vocabulary, random: Random
) -> None:
    """The same bytes through other tokens: the same mask, completeness and expectations."""
    matcher = start(grammar, engine, vocabulary)
    walk(matcher, random)
    ids, _ = vocabulary.by_bytes
    other = matcher.compiled.matcher()
    for byte in matcher.text:
        other.accept(ids[bytes([byte])])
    greedy = matcher.compiled.matcher()
    for token in vocabulary.tokenize(matcher.text):
        greedy.accept(token)
    for same in (other, greedy):
        assert same.text == matcher.text
        assert np.array_equal(same.mask(), matcher.mask())
        assert same.is_complete() == matcher.is_complete()
        assert same.expected() == matcher.expected()


@pytest.mark.parametrize("engine", ENGINES)
@given(grammar=grammars(longest=True, again=True), vocabulary=vocabularies(), random=randoms)
def test_rollback_and_fork_give_back_the_past(
    engine: str, grammar: Grammar, vocabulary: Vocabulary, random: Random
) -> None:
    """After any detour and its rollback, or on a fork, every mask is as before; forks are apart."""
    matcher = start(grammar, engine, vocabulary)
    masks = [matcher.mask()]
    for _ in range(6):
        walk(matcher, random, 1)
        if len(matcher.tokens) == len(masks):
            masks.append(matcher.mask())
    copy = matcher.fork()
    before = len(matcher.tokens)
    if matcher.is_complete():
        matcher.accept(vocabulary.eos_ids[0])
    else:
        walk(matcher, random, 3)
    matcher.rollback(len(matcher.tokens) - before)
    assert not matcher.is_finished
    while True:
        assert np.array_equal(matcher.mask(), masks[len(matcher.tokens)])
        if not matcher.tokens:
            break
        matcher.rollback(1)
    assert np.array_equal(copy.mask(), masks[before])
    assert len(copy.tokens) == before


@pytest.mark.parametrize("engine", ENGINES)
@given(grammar=grammars(longest=True, again=True), vocabulary=vocabularies(), random=randoms)
def test_forced_bytes_and_tokens_are_in_every_continuation(
    engine: str, grammar: Grammar, vocabulary: Vocabulary, random: Random
) -> None:
    """Forced bytes have no alternative; forced tokens are allowed and write those bytes."""
    matcher = start(grammar, engine, vocabulary)
    walk(matcher, random, 4)
    session = matcher.fork()._session
    forced = session.forced_bytes(12)
    for at in range(len(forced[:3])):
        for byte in range(256):
            viable = session.viable_length(forced[:at] + bytes([byte])) == at + 1
            assert viable == (byte == forced[at])
    tokens = matcher.forced_tokens(12)
    for token in tokens:
        assert token in matcher.allowed()
        matcher.accept(token)
    if matcher.is_finished:
        assert set(matcher.allowed()) == set(vocabulary.eos_ids)
    else:
        assert forced.startswith(vocabulary.decode(tokens))


@pytest.mark.skipif("native" not in ENGINES, reason="the native engine is not built")
@given(grammar=grammars(longest=True, again=True), vocabulary=vocabularies(), random=randoms)
def test_the_native_engine_is_the_reference(
    grammar: Grammar, vocabulary: Vocabulary, random: Random
) -> None:
    """On a random walk: the same masks, ends, forced bytes and viable lengths."""
    matcher = start(grammar, "reference", vocabulary)
    twin = compile_grammar(grammar, vocabulary, "native").matcher()
    for _ in range(8):
        assert np.array_equal(matcher.mask(), twin.mask()), f"after {matcher.text!r}"
        assert matcher.is_complete() == twin.is_complete()
        assert matcher._session.forced_bytes(8) == twin._session.forced_bytes(8)
        for token in random.sample(range(len(vocabulary)), min(5, len(vocabulary))):
            data = vocabulary.tokens[token] or b""
            assert matcher._session.viable_length(data) == twin._session.viable_length(data)
        before = len(matcher.tokens)
        walk(matcher, random, 1)
        if len(matcher.tokens) == before:
            break
        twin.accept(matcher.tokens[-1])


@pytest.mark.skipif("native" not in ENGINES, reason="the native engine is not built")
@given(grammar=grammars(again=True), vocabulary=vocabularies(), random=randoms)
def test_the_native_engine_expects_what_the_reference_expects(
    grammar: Grammar, vocabulary: Vocabulary, random: Random
) -> None:
    """On a random walk: the same terminals of the same rules may begin or go on."""
    matcher = start(grammar, "reference", vocabulary)
    twin = compile_grammar(grammar, vocabulary, "native").matcher()
    walk(matcher, random, 4)
    for token in matcher.tokens:
        twin.accept(token)
    assert matcher._session.expected(b"") == twin._session.expected(b"")

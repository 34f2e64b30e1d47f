"""Drafts, checks and batches say what masks and accepting say, whichever engine is asked."""

from __future__ import annotations

from random import Random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from slm.errors import TokenRejected
from slm.grammar.ir import Grammar
from slm.mask import Matcher, compile_grammar, fill_masks
from slm.vocab import Vocabulary
from tests.properties.engine_language import ENGINES, grammars, vocabularies
from tests.properties.test_engine_language import start
from tests.properties.test_engine_masks import randoms, walk

engines = pytest.mark.parametrize("engine", ENGINES)


def draft(
    matcher: Matcher, random: Random, size: int
) -> tuple[list[int], list[int], list[Matcher | None]]:
    """A tree of tokens, mostly legal ones, end tokens among them; and its forks.

    These are the root and, for each token, a fork that accepted its way there; None: it could not.
    """
    tokens: list[int] = []
    parents: list[int] = []
    nodes: list[Matcher | None] = [matcher]
    for _ in range(size):
        parent = random.randrange(-1, len(tokens))
        before = nodes[parent + 1]
        if before is None or random.random() < 0.2:
            token = random.randrange(len(matcher.compiled.vocabulary))
        else:
            token = random.choice(before.allowed())
        node = None if before is None else before.fork()
        try:
            if node is not None:
                node.accept(token)
        except TokenRejected:
            node = None
        tokens.append(token)
        parents.append(parent)
        nodes.append(node)
    return tokens, parents, nodes


@engines
@given(grammar=grammars(longest=True), vocabulary=vocabularies(), random=randoms)
def test_a_draft_is_judged_as_accepting_it_would(
    engine: str, grammar: Grammar, vocabulary: Vocabulary, random: Random
) -> None:
    """Trees and chains: the same verdicts, ends and masks as forks that accept; nothing moves."""
    matcher = start(grammar, engine, vocabulary)
    walk(matcher, random, 3)
    before = (matcher.tokens, matcher.mask().tobytes(), matcher.is_finished)
    tokens, parents, nodes = draft(matcher, random, 6)
    bitmask = np.full((9, vocabulary.words), -1, np.int32)
    verdict = matcher.verify_tree(tokens, parents, bitmask, 1)
    assert verdict == matcher.verify_tree(np.array(tokens), np.array(parents))
    assert verdict.legal == tuple(node is not None for node in nodes[1:])
    assert verdict.may_end == tuple(node is not None and node.is_complete() for node in nodes[1:])
    empty = np.zeros(vocabulary.words, np.int32)
    for row, node in zip(bitmask[1:8], nodes, strict=True):
        assert np.array_equal(row, empty if node is None else node.mask())
    assert (bitmask[[0, 8]] == -1).all()

    chain = matcher.verify(tokens, bitmask)
    copy, count = matcher.fork(), 0
    for token in tokens:
        assert np.array_equal(bitmask[count], copy.mask())
        if not copy.check(token):
            break
        copy.accept(token)
        assert chain.may_end[count] == copy.is_complete()
        count += 1
    assert chain.accepted == count == len(chain.may_end)
    assert not bitmask[count + 1 : len(tokens) + 1].any()
    assert before == (matcher.tokens, matcher.mask().tobytes(), matcher.is_finished)


@engines
@given(grammar=grammars(longest=True), vocabulary=vocabularies(), random=randoms)
def test_check_is_the_bit_of_the_mask(
    engine: str, grammar: Grammar, vocabulary: Vocabulary, random: Random
) -> None:
    """For every token, at every place, after the end too."""
    matcher = start(grammar, engine, vocabulary)
    walk(matcher, random, 4)
    for _ in range(2):
        allowed = set(matcher.allowed())
        for token in range(len(vocabulary)):
            assert matcher.check(token) == (token in allowed)
            assert matcher.check(np.int64(token)) == (token in allowed)
        if matcher.is_complete():
            matcher.accept(vocabulary.eos_ids[0])


@engines
@given(
    several=st.lists(grammars(), min_size=1, max_size=3), vocabulary=vocabularies(), random=randoms
)
def test_a_batch_is_filled_as_its_matchers_fill_their_rows(
    engine: str, several: list[Grammar], vocabulary: Vocabulary, random: Random
) -> None:
    """Any rows, the same matcher twice, one thread or three; other rows are left alone."""
    matchers = []
    for grammar in several:
        first = start(grammar, engine, vocabulary)
        matchers += [first, first.fork(), first]
        walk(first, random, 2)
    rows = random.sample(range(12), len(matchers))
    for threads in (1, 3, None):
        bitmask = np.full((12, vocabulary.words), -1, np.int32)
        fill_masks(matchers, bitmask, rows, threads=threads)
        for matcher, row in zip(matchers, rows, strict=True):
            assert np.array_equal(bitmask[row], matcher.mask())
        assert (np.delete(bitmask, rows, 0) == -1).all()


@pytest.mark.skipif("native" not in ENGINES, reason="the native engine is not built")
@given(grammar=grammars(longest=True), vocabulary=vocabularies(), random=randoms)
def test_both_engines_look_ahead_alike(
    grammar: Grammar, vocabulary: Vocabulary, random: Random
) -> None:
    """What is forced, what could be written across it, and what is the only way."""
    slow = start(grammar, "reference", vocabulary)
    walk(slow, random, 4)
    fast = compile_grammar(grammar, vocabulary, "native").matcher()
    for token in slow.tokens:
        fast.accept(token)

    def seen(matcher: Matcher) -> object:
        data, ends, straddles = matcher._session.look_ahead(9, 3)
        places = [
            (at, sorted(vocabulary.tokens[t] or b"" for t in tokens), more)
            for at, tokens, more in straddles
        ]
        return data, ends, places

    assert seen(slow) == seen(fast)
    assert slow._session.only_tokens(9) == fast._session.only_tokens(9)
    assert slow.forced_tokens(9) == fast.forced_tokens(9)
    assert [e.terminal for e in slow.expectations()] == [e.terminal for e in fast.expectations()]

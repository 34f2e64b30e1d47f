"""Budgets of tokens: what fits is allowed, what does not is not, and the text always ends whole."""

from __future__ import annotations

from random import Random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from slm.errors import BudgetTooSmall, GrammarTooComplex
from slm.grammar.ir import Grammar
from slm.mask import Matcher, compile_grammar
from slm.syntax.regex import compile_regex
from slm.vocab import Vocabulary
from tests.properties.engine_language import ENGINES, grammars, vocabularies
from tests.properties.test_engine_language import start
from tests.properties.test_engine_masks import walk

randoms = st.randoms(use_true_random=False)
native_only = pytest.mark.skipif("native" not in ENGINES, reason="the native engine is not built")


def by_hand(matcher: Matcher, limit: int) -> int | None:
    """The fewest tokens that complete the text, by trying all sequences of them, level by level.

    Shares nothing with either engine's search: texts, not positions, and the plain masks.
    """
    ends = matcher.compiled.vocabulary.eos_ids
    level, seen = [matcher.fork()], {matcher.text}
    for count in range(limit + 1):
        if any(one.is_complete() for one in level):
            return count
        longer = []
        for one in level:
            for token in one.allowed():
                if token in ends:
                    continue
                after = one.fork()
                after.accept(token)
                if after.text not in seen:
                    seen.add(after.text)
                    longer.append(after)
            if len(seen) > 3000:
                return None
        level = longer
    return None


@pytest.mark.parametrize("engine", ENGINES)
@given(grammar=grammars(), vocabulary=vocabularies(), random=randoms)
def test_the_minimum_is_the_least_number_of_tokens(
    engine: str, grammar: Grammar, vocabulary: Vocabulary, random: Random
) -> None:
    """`min_tokens` is exact, and what trying all sequences of tokens finds."""
    matcher = start(grammar, engine, vocabulary)
    walk(matcher, random, 3)
    found = by_hand(matcher, 4)
    if found is not None:
        assert matcher.min_tokens() == (found, True)
        assert matcher.fits(found)
        assert not found or not matcher.fits(found - 1)


@native_only
@given(grammar=grammars(), vocabulary=vocabularies(), random=randoms)
def test_the_native_engine_is_the_reference(
    grammar: Grammar, vocabulary: Vocabulary, random: Random
) -> None:
    """On a random walk: the same minimum, and the same masks under any budget."""
    slow = start(grammar, "reference", vocabulary)
    fast = compile_grammar(grammar, vocabulary, "native").matcher()
    for _ in range(4):
        try:
            fewest = slow.min_tokens()
        except GrammarTooComplex:
            return
        assert fast.min_tokens() == fewest
        for budget in range(fewest.tokens, fewest.tokens + 3):
            assert slow.allowed(budget) == fast.allowed(budget), (slow.text, budget)
        if fewest.tokens:
            with pytest.raises(BudgetTooSmall):
                fast.mask(fewest.tokens - 1)
        ends = vocabulary.eos_ids
        allowed = [token for token in fast.allowed() if token not in ends]
        if not allowed:
            return
        token = random.choice(allowed)
        slow.accept(token)
        fast.accept(token)


@pytest.mark.parametrize("engine", ENGINES)
@given(grammar=grammars(), vocabulary=vocabularies(), random=randoms, more=st.integers(0, 4))
def test_a_budget_is_always_enough(
    engine: str, grammar: Grammar, vocabulary: Vocabulary, random: Random, more: int
) -> None:
    """From the minimum on, random tokens under the budget end whole, within the budget."""
    matcher = start(grammar, engine, vocabulary)
    try:
        budget = matcher.min_tokens().tokens + more
    except GrammarTooComplex:
        return
    plain = matcher.fork()
    while True:
        allowed = matcher.allowed(budget)
        assert allowed
        assert set(allowed) <= set(plain.allowed())
        token = random.choice(allowed)
        if token in vocabulary.eos_ids:
            break
        assert budget > 0
        budget -= 1
        matcher.accept(token)
        plain.accept(token)
    assert matcher.is_complete()
    assert matcher.is_complete() == plain.is_complete()


@native_only
@given(grammar=grammars(longest=True), vocabulary=vocabularies(), random=randoms)
def test_terminals_that_must_be_the_longest_stay_safe(
    grammar: Grammar, vocabulary: Vocabulary, random: Random
) -> None:
    """The minimum is enough though it may not be the least, and what is called exact is."""
    slow = start(grammar, "reference", vocabulary)
    fast = compile_grammar(grammar, vocabulary, "native").matcher()
    try:
        fewest = fast.min_tokens()
        least = slow.min_tokens()
    except GrammarTooComplex:
        return
    assert fewest.tokens >= least.tokens
    assert not fewest.exact or fewest == least
    budget = fewest.tokens
    while (token := random.choice(fast.allowed(budget))) not in vocabulary.eos_ids:
        fast.accept(token)
        budget -= 1
    assert budget >= 0


@native_only
@given(grammar=grammars(), vocabulary=vocabularies(), random=randoms)
def test_an_ample_budget_changes_nothing(
    grammar: Grammar, vocabulary: Vocabulary, random: Random
) -> None:
    """With more tokens than any completion here needs, the mask is the ordinary one."""
    matcher = start(grammar, "native", vocabulary)
    for _ in range(5):
        assert np.array_equal(matcher.mask(1 << 40), matcher.mask())
        walk(matcher, random, 1)


@pytest.mark.parametrize("engine", ENGINES)
def test_a_loop_after_the_end_of_another_text_is_no_end(engine: str) -> None:
    """What may end before a round of a loop need not end after it: `aab` is whole, `aabb` is not."""
    vocabulary = Vocabulary([b"a", b"b", b"c", b"ab", b"bb", b"bbb", None], eos_ids=[6])
    grammar = compile_regex("aab|[ab]{2,}ccc")
    matcher = compile_grammar(grammar, vocabulary, engine).matcher()
    for token in (0, 0):
        matcher.accept(token)
    assert matcher.allowed(1) == [1]
    assert matcher.allowed(4) == [0, 1, 2, 3, 4, 5]
    assert matcher.allowed(3) == [1, 2]

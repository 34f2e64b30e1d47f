"""A bound on memory changes no mask, and forks of a matcher share nothing that can be seen."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from random import Random
from threading import Event

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import slm
from slm.errors import UsageError
from slm.grammar.ir import Grammar, Rule
from slm.mask import Matcher, compile_grammar, fill_masks
from slm.mask.stats import DEFAULT_MEMORY
from slm.vocab import Vocabulary, byte_vocabulary
from tests.properties.engine_language import grammars, vocabularies
from tests.properties.test_engine_language import start
from tests.properties.test_engine_masks import randoms, walk

tables = pytest.importorskip("tests.properties.test_native_tables", exc_type=ImportError)


def bounded(matcher: Matcher, memory: int = 1) -> Matcher:
    """A matcher of the same grammar whose tables are begun anew all the time."""
    compiled = matcher.compiled
    return compile_grammar(compiled.grammar, compiled.vocabulary, "native", memory=memory).matcher()


@settings(max_examples=40)
@given(grammar=grammars(longest=True), vocabulary=vocabularies(), random=randoms)
def test_masks_do_not_depend_on_memory(
    grammar: Grammar, vocabulary: Vocabulary, random: Random
) -> None:
    """Through moves, rollbacks, forks and drafts, a tiny memory gives the masks of a large one."""
    plain = start(grammar, "native", vocabulary)
    small = bounded(plain)
    for _ in range(40):
        before = len(plain.tokens)
        walk(plain, random, 2)
        for token in plain.tokens[before:]:
            assert small.check(token)
            small.accept(token)
        if random.random() < 0.3:
            count = random.randrange(len(plain.tokens) + 1)
            plain.rollback(count)
            small.rollback(count)
        if random.random() < 0.3:
            left, small = small, small.fork()
            left.rollback(len(left.tokens))  # moves nobody else
        token = random.randrange(len(vocabulary))
        assert small.verify([token]) == plain.verify([token])
        assert np.array_equal(small.mask(), plain.mask())
        assert small.is_complete() == plain.is_complete()
        assert small.expected() == plain.expected()
        assert small.tokens == plain.tokens
        assert small.fits(3) == plain.fits(3)


@given(grammar=grammars(), vocabulary=vocabularies(), data=st.data())
def test_forks_are_independent(
    grammar: Grammar, vocabulary: Vocabulary, data: st.DataObject
) -> None:
    """A tree of forks, moved and taken back in any order, is a list of matchers of their own."""
    first = start(grammar, "native", vocabulary)
    twins = [(first, [])]
    random = data.draw(randoms)
    for _ in range(30):
        matcher, past = twins[random.randrange(len(twins))]
        move = random.randrange(3)
        if move == 0:
            twins.append((matcher.fork(), list(past)))
        elif move == 1:
            count = random.randrange(len(past) + 1)
            matcher.rollback(count)
            del past[len(past) - count :]
        else:
            before = len(past)
            walk(matcher, random, 2)
            past += matcher.tokens[before:]
    for matcher, past in twins:
        assert matcher.tokens == tuple(past)
        alone = first.compiled.matcher()
        for token in past:
            alone.accept(token)
        assert np.array_equal(alone.mask(), matcher.mask())


def test_tables_are_begun_anew_and_say_so() -> None:
    """Past its memory a grammar's tables are renewed, are small again, and go on counting."""
    vocabulary = tables.words_vocabulary()
    grammar = Grammar((Rule("s", tables.EXPRESSIONS["huge bound"]),), "s")
    small = compile_grammar(grammar, vocabulary, "native", memory=100_000)
    large = compile_grammar(grammar, vocabulary, "native")
    for compiled in (small, large):
        for seed in range(30):
            matcher, random = compiled.matcher(), Random(seed)
            for _ in range(30):
                allowed = matcher.allowed()
                matcher.accept(random.choice(allowed))
                if matcher.is_finished:
                    break
    assert small.stats().renewals > 0
    assert large.stats().renewals == 0
    assert small.stats().bytes < large.stats().bytes
    assert small.stats().memory == 100_000
    asked = [s.mask_hits + s.mask_misses for s in (small.stats(), large.stats())]
    assert asked[0] == asked[1]
    assert 0 < small.stats().hit_rate < large.stats().hit_rate <= 1


def test_threads_of_a_small_memory_see_the_same_masks() -> None:
    """Many threads, and batches, on one grammar whose tables are taken away all the time."""
    vocabulary = tables.words_vocabulary()
    grammar = Grammar((Rule("s", tables.EXPRESSIONS["nested"]),), "s")
    small = compile_grammar(grammar, vocabulary, "native", memory=1)

    def walks(seed: int) -> bool:
        random = Random(seed)
        large = compile_grammar(grammar, vocabulary, "native").matcher()
        matchers = [small.matcher() for _ in range(3)]
        rows = np.zeros((3, vocabulary.words), np.int32)
        for _ in range(60):
            fill_masks(matchers, rows, threads=2)
            if any(not np.array_equal(row, large.mask()) for row in rows):
                return False
            ends = set(vocabulary.eos_ids)
            allowed = [token for token in large.allowed() if token not in ends]
            if not allowed:
                count = random.randrange(len(large.tokens) + 1)
                for matcher in (large, *matchers):
                    matcher.rollback(count)
                continue
            token = random.choice(allowed)
            for matcher in (large, *matchers):
                matcher.accept(token)
        return True

    with ThreadPoolExecutor(4) as pool:
        assert all(pool.map(walks, range(8)))
    assert small.stats().renewals > 0


def test_the_memory_of_a_specification_is_chosen() -> None:
    """`slm.compile` takes it, for each its own compiled form, and refuses what is none."""
    vocabulary, spec = byte_vocabulary(), slm.regex("[a-z]+")
    small = slm.compile(spec, vocabulary, engine="native", memory=12_345)
    assert small.stats().memory == 12_345
    assert slm.compile(spec, vocabulary, engine="native").stats().memory == DEFAULT_MEMORY
    assert slm.compile(spec, vocabulary, engine="native", memory=12_345) is small
    with pytest.raises(UsageError, match="memory=0"):
        slm.compile(spec, vocabulary, memory=0)


def test_a_long_text_outlives_engines_that_others_retire() -> None:
    """While a text is walked through new tables, others may take those away: it gets its masks."""
    vocabulary = byte_vocabulary()
    spec = slm.regex(r"([a-z]{1,20}[0-9]{1,9},)*")
    small = slm.compile(spec, vocabulary, engine="native", memory=1)
    plain = slm.compile(spec, vocabulary, engine="native").matcher()
    long = small.matcher()
    for token in b"abc12," * 5000:
        plain.accept(token)
        long.accept(token)
    stop = Event()

    def others(seed: int) -> int:
        random, count = Random(seed), 0
        while not stop.is_set():
            draft = [random.choice(b"abcz019,") if i % 3 else ord("a") for i in range(60)]
            other = small.matcher()
            other.verify(draft)
            other.mask(budget=10**6)
            count += 1
        return count

    with ThreadPoolExecutor(3) as pool:
        busy = [pool.submit(others, seed) for seed in range(3)]
        try:
            expected, row = plain.mask(), np.zeros((1, vocabulary.words), np.int32)
            end = time.monotonic() + 2
            while time.monotonic() < end:
                long.fill_mask(row)
                assert np.array_equal(row[0], expected)
        finally:
            stop.set()
    assert all(one.result() > 0 for one in busy)
    assert small.stats().renewals > 0

"""Sampling: exact contracts at the edges, and the distributions that the filters leave."""

from __future__ import annotations

import math

import numpy as np
import pytest

from slm.decode.sampling import Sampler, Sampling, unpack_mask
from slm.errors import InvalidSampling, LogitsMismatch

INF = float("inf")


def bits(*tokens: int, size: int = 40) -> np.ndarray:
    words = np.zeros((size + 31) // 32, np.uint32)
    for token in tokens:
        words[token // 32] |= np.uint32(1 << token % 32)
    return words.view(np.int32)


def pick(logits, mask=None, seed=0, size=None, seen=(), **how):
    logits = np.array(logits, np.float32)
    sampler = Sampler(Sampling(**how), seed, size or len(logits))
    sampler.see(list(seen))
    return sampler.choose(logits, mask).token_id


def frequencies(logits, draws=4000, mask=None, **how):
    logits = np.array(logits, np.float32)
    sampler = Sampler(Sampling(temperature=1.0, **how), 1, len(logits))
    found = [sampler.choose(logits, mask).token_id for _ in range(draws)]
    return np.bincount(found, minlength=len(logits)) / draws


def test_temperature_zero_is_the_first_argmax():
    """At temperature 0 the highest logit wins; of equals, the lowest id."""
    assert pick([1, 3, 3, 2]) == 1
    assert pick([1, 3, 3, 2], mask=bits(0, 2, 3)) == 2


def test_temperature_near_zero_is_argmax_without_overflow():
    """The smallest temperatures neither warn nor pick anything but the best token."""
    assert pick([1, 1.001, -1e30], temperature=1e-300) == 1


def test_nan_counts_as_minus_infinity():
    """A NaN logit is never drawn, with or without temperature."""
    assert pick([math.nan, -5, math.nan]) == 1
    assert all(pick([math.nan, -5, math.nan], seed=s, temperature=1.0) == 1 for s in range(20))


def test_plus_infinity_wins():
    """A logit of +inf beats everything finite; several share the draw."""
    assert pick([1, INF, 1e30]) == 1
    found = frequencies([INF, 1e30, INF, 0])
    assert found[1] == found[3] == 0
    assert 0.45 < found[0] < 0.55


def test_masked_infinity_does_not_win():
    """A masked +inf is masked all the same, and the legal mass says so."""
    sampler = Sampler(Sampling(), 0, 3)
    got = sampler.choose(np.array([INF, 1, 2], np.float32), bits(1, 2))
    assert (got.token_id, got.legal_mass, got.logprob) == (2, 0.0, -INF)


def test_padding_is_never_drawn():
    """Ids past the vocabulary are not tokens, however high their logits, and whatever the mask."""
    assert pick([0, 1, 50, 60], size=2) == 1
    every = np.array([-1], np.int32)
    assert pick([0, 1, 50, 60], size=2, mask=every) == 1


def test_masked_tokens_are_never_drawn():
    """Only tokens whose bit is set come out, at any temperature."""
    logits = np.linspace(5, -5, 40)
    allowed = {3, 31, 32, 39}
    drawn = {pick(logits, bits(*allowed), seed, temperature=3.0) for seed in range(200)}
    assert drawn == allowed


def test_draws_follow_the_softmax():
    """Frequencies at temperature 1 are the probabilities."""
    found = frequencies(np.log([0.5, 0.3, 0.2]), draws=20_000)
    assert np.abs(found - [0.5, 0.3, 0.2]).max() < 0.02


def test_temperature_divides_the_logits():
    """Temperature 2 takes the square root of the odds."""
    logits = np.array([math.log(9), 0, -INF], np.float32)
    sampler = Sampler(Sampling(temperature=2.0), 5, 3)
    found = [sampler.choose(logits, None).token_id for _ in range(8000)]
    assert abs(found.count(0) / 8000 - 0.75) < 0.02


def test_top_k_keeps_k_legal_tokens():
    """Top-k counts legal tokens only; of equals it keeps the lower ids."""
    assert (frequencies([5, 1, 1, 1, 0], mask=bits(1, 2, 3, 4), top_k=2) > 0).tolist() == [
        False, True, True, False, False,
    ]  # fmt: skip


def test_top_p_keeps_the_smallest_sufficient_set():
    """Top-p stops as soon as the probability is reached, and always keeps one."""
    logits = np.log([0.5, 0.3, 0.15, 0.05])
    assert np.count_nonzero(frequencies(logits, top_p=0.79)) == 2
    assert np.count_nonzero(frequencies(logits, top_p=0.81)) == 3
    assert np.count_nonzero(frequencies(logits, top_p=1e-9)) == 1


def test_min_p_is_relative_to_the_best_token():
    """Min-p drops what is below its share of the most likely legal token."""
    logits = np.log([0.6, 0.25, 0.1, 0.05])
    assert np.count_nonzero(frequencies(logits, min_p=0.3)) == 2
    assert np.count_nonzero(frequencies(logits, min_p=1.0)) == 1


def test_repetition_penalty_moves_seen_tokens_down():
    """Positive logits of seen tokens are divided, negative ones multiplied."""
    assert pick([2.0, 1.5], seen=[0], repetition_penalty=1.5) == 1
    assert pick([-1.0, -1.2], seen=[0], repetition_penalty=1.5) == 1
    assert pick([2.0, 1.5], seen=[0]) == 0


def test_equal_seeds_draw_equal_tokens():
    """A seed fixes the whole sequence of draws; no seed gives fresh ones."""
    logits = np.zeros(1000, np.float32)

    def draws(seed):
        sampler = Sampler(Sampling(temperature=1.0), seed, 1000)
        return [sampler.choose(logits, None).token_id for _ in range(8)]

    assert draws(7) == draws(7) != draws(8)
    assert draws(None) != draws(None)


def test_likelihood_is_that_of_the_unmasked_model():
    """logprob and legal_mass are about the model as it is, whatever mask and temperature do."""
    logits = np.log(np.array([0.7, 0.2, 0.1], np.float32))
    got = Sampler(Sampling(temperature=0.5), 0, 3).choose(logits, bits(1))
    assert got.token_id == 1
    assert got.legal == 1
    assert got.logprob == pytest.approx(math.log(0.2), abs=1e-6)
    assert got.legal_mass == pytest.approx(0.2, abs=1e-6)


def test_likelihood_of_the_unlikely_stays_finite():
    """A token far below the rest has its true log-probability, not log 0."""
    got = Sampler(Sampling(), 0, 2).choose(np.array([0, -5000], np.float32), bits(1))
    assert got.logprob == pytest.approx(-5000)


def test_nothing_usable_is_an_error():
    """No legal token above -inf: an error, never an illegal token."""
    with pytest.raises(LogitsMismatch):
        pick([1, -INF], mask=bits(1))
    with pytest.raises(LogitsMismatch):
        pick([math.nan, math.nan])
    with pytest.raises(LogitsMismatch):
        pick([1.0, 2.0], size=3)


def test_logits_are_not_changed():
    """The model's array stays as it was."""
    logits = np.array([1, math.nan, 3], np.float32)
    Sampler(Sampling(temperature=1.0), 0, 3).choose(logits, bits(0, 1))
    assert logits.tolist()[::2] == [1, 3]


@pytest.mark.parametrize(
    "bad",
    [
        {"temperature": -1.0},
        {"temperature": INF},
        {"temperature": math.nan},
        {"temperature": "1"},
        {"temperature": True},
        {"top_k": 0},
        {"top_k": 2.5},
        {"top_p": 0.0},
        {"top_p": 1.5},
        {"min_p": -0.1},
        {"min_p": 2},
        {"repetition_penalty": 0},
    ],
)
def test_out_of_range_is_refused(bad):
    """Every argument outside its range is an InvalidSampling that names it."""
    with pytest.raises(InvalidSampling, match=next(iter(bad))):
        Sampling(**bad)


def test_numpy_numbers_are_numbers():
    """Values computed with numpy are accepted."""
    assert Sampling(temperature=np.float32(0.5), top_k=np.int64(3)) == Sampling(0.5, 3)


def test_unpack_mask_reads_every_bit():
    """Token t is bit t % 32 of word t // 32, the sign bit included."""
    assert np.flatnonzero(unpack_mask(bits(0, 31, 32, 39), 40)).tolist() == [0, 31, 32, 39]

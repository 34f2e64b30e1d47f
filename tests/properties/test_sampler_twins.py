"""The Sampler on the C++ kernels, and its slow twin in numpy: the same picks."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from slm.decode.sampling import Sampler, Sampling
from slm.errors import LogitsMismatch

pytest.importorskip("slm.kernels.cpu", reason="the native engine is not built here")

HOW = st.builds(
    Sampling,
    temperature=st.sampled_from([0.0, 1e-5, 0.7, 1.0, 50.0]),
    top_k=st.none() | st.integers(1, 300),
    top_p=st.sampled_from([1e-9, 0.31, 0.9, 1.0]),
    min_p=st.sampled_from([0.0, 0.11, 0.999]),
    repetition_penalty=st.sampled_from([0.5, 1.0, 1.3]),
)


def twins(how, seed, size):
    """One on the kernels, one in numpy."""
    native, slow = Sampler(how, seed, size), Sampler(how, seed, size)
    assert native._kernel is not None
    slow._kernel = None
    return native, slow


def pick(sampler, *given):
    try:
        return sampler.choose(*given)
    except LogitsMismatch as error:
        return str(error)


def alike(one, other):
    """Equal, up to what float32 sums leave of likelihoods."""
    if one is None or isinstance(one, str) or isinstance(other, str) or other is None:
        return one == other
    for a, b in ((one.logprob, other.logprob), (one.legal_mass, other.legal_mass)):
        if (a is None) != (b is None):
            return False
        if a is not None and a != b and not math.isclose(a, b, rel_tol=2e-6, abs_tol=1e-6):
            return False
    return (one.token_id, one.legal) == (other.token_id, other.legal)


@given(
    how=HOW, size=st.sampled_from([1, 33, 300, 9001]), seed=st.integers(0, 2**30),
    density=st.sampled_from([None, 0.0, 0.01, 0.97]), special=st.booleans(),
    likelihoods=st.booleans(),
)  # fmt: skip
def test_both_pick_the_same(how, size, seed, density, special, likelihoods):
    """Tokens, likelihoods, counts and errors are equal, draw after draw, with and without masks."""
    rng = np.random.default_rng(seed)
    native, slow = twins(how, seed, size)
    for _ in range(3):
        logits = np.round(rng.standard_normal(size + 3) * 4, rng.integers(0, 4)).astype(np.float32)
        if special:
            logits[rng.integers(0, size, 2)] = rng.choice([math.nan, math.inf, -math.inf], 2)
        mask = None
        if density is not None:
            bits = rng.random((size + 31) // 32 * 32) < density
            mask = np.packbits(bits, bitorder="little").view(np.int32)
        picks = [pick(s, logits, mask, likelihoods) for s in (native, slow)]
        assert alike(*picks), picks
        lawful = set(rng.integers(0, size, size).tolist())
        free = [s.choose_unmasked(logits, lawful.__contains__, likelihoods) for s in (native, slow)]
        assert alike(*free), free
        seen = rng.integers(0, size, 2).tolist()
        native.see(seen)
        slow.see(seen)


@given(how=HOW, seed=st.integers(0, 2**30), count=st.sampled_from([1, 5, 700]))
def test_few_logits_are_as_good_as_all(how, seed, count):
    """`choose_among` on the legal logits alone is `choose` on all of them, in both twins."""
    rng, size = np.random.default_rng(seed), 9001
    logits = (rng.standard_normal(size) * 3).astype(np.float32)
    legal = np.sort(rng.choice(size, count, replace=False))
    bits = np.zeros((size + 31) // 32 * 32, np.bool_)
    bits[legal] = True
    mask = np.packbits(bits, bitorder="little").view(np.int32)
    for twin in (0, 1):
        among, whole = twins(how, seed, size)[twin], twins(how, seed, size)[twin]
        for sampler in (among, whole):
            sampler.see(legal[:2].tolist())
        assert among.choose_among(logits[legal], legal) == whole.choose(logits, mask, False)


def test_the_reference_engine_is_numpy(monkeypatch):
    """`SLM_ENGINE=reference` leaves the kernels alone."""
    monkeypatch.setenv("SLM_ENGINE", "reference")
    assert Sampler(Sampling(), 0, 3)._kernel is None
    monkeypatch.delenv("SLM_ENGINE")
    assert Sampler(Sampling(), 0, 3)._kernel is not None

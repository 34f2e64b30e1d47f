"""Properties of sampling: legal or nothing, whatever the logits."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from slm.decode.sampling import Sampler, Sampling
from slm.errors import LogitsMismatch

SIZE = 70
NUMBERS = st.floats(width=32, allow_nan=True, allow_infinity=True)
HOW = st.builds(
    Sampling,
    temperature=st.sampled_from([0.0, 1e-6, 0.7, 1.0, 100.0]),
    top_k=st.none() | st.integers(1, 80),
    top_p=st.sampled_from([1e-9, 0.3, 0.9, 1.0]),
    min_p=st.sampled_from([0.0, 0.1, 1.0]),
    repetition_penalty=st.sampled_from([0.5, 1.0, 1.3]),
)


@given(
    logits=st.lists(NUMBERS, min_size=SIZE, max_size=SIZE + 9),
    legal=st.sets(st.integers(0, SIZE - 1), min_size=1),
    how=HOW,
    seed=st.integers(0, 5),
    seen=st.lists(st.integers(0, SIZE - 1), max_size=5),
)
def test_what_is_drawn_is_legal_and_possible(logits, legal, how, seed, seen):
    """A drawn token is legal and above -inf; without such a token there is an error."""
    words = np.zeros((SIZE + 31) // 32, np.uint32)
    for token in legal:
        words[token // 32] |= np.uint32(1 << token % 32)
    array = np.array(logits, np.float32)
    sampler = Sampler(how, seed, SIZE)
    sampler.see(seen)
    possible = {t for t in legal if not np.isnan(array[t]) and array[t] != -np.inf}
    try:
        pick = sampler.choose(array, words.view(np.int32))
    except LogitsMismatch:
        assert not possible
        return
    assert pick.token_id in possible
    assert pick.legal == len(legal)
    assert 0 <= pick.legal_mass <= 1
    assert pick.logprob <= 0


@given(
    logits=st.lists(NUMBERS, min_size=SIZE, max_size=SIZE),
    legal=st.sets(st.integers(0, SIZE - 1), min_size=1),
    how=HOW,
    seed=st.integers(0, 5),
    seen=st.lists(st.integers(0, SIZE - 1), max_size=5),
)
def test_logits_of_legal_tokens_are_enough(logits, legal, how, seed, seen):
    """The pick among the legal tokens' logits is the pick among all under the mask."""
    words = np.zeros((SIZE + 31) // 32, np.uint32)
    for token in legal:
        words[token // 32] |= np.uint32(1 << token % 32)
    array, ids = np.array(logits, np.float32), np.array(sorted(legal), np.int64)
    picks = []
    for sampler in (Sampler(how, seed, SIZE), Sampler(how, seed, SIZE)):
        sampler.see(seen)
        try:
            if not picks:
                picks.append(sampler.choose(array, words.view(np.int32), likelihoods=False))
            else:
                picks.append(sampler.choose_among(array[ids], ids))
        except LogitsMismatch as error:
            picks.append(str(error))
    assert picks[0] == picks[1]


@given(logits=st.lists(NUMBERS, min_size=SIZE, max_size=SIZE), how=HOW, seed=st.integers(0, 9))
def test_padding_changes_nothing(logits, how, seed):
    """Logits past the vocabulary have no influence, whatever they are."""
    array = np.array(logits, np.float32)
    padded = np.concatenate([array, np.full(7, np.inf, np.float32)])
    results = []
    for version in (array, padded):
        try:
            results.append(Sampler(how, seed, SIZE).choose(version, None))
        except LogitsMismatch:
            results.append(None)
    assert results[0] == results[1]

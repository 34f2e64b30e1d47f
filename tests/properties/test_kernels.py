"""Draws, probabilities and losses of `slm.kernels` for whatever logits, masks and parameters."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from slm.kernels import masked_log_softmax, masked_sample, masked_softmax
from tests.unit.kernels.backends import Way, ways
from tests.unit.kernels.judge import Row, bits_of

every_way = pytest.mark.parametrize("way", ways())

_NUMBERS = st.one_of(
    st.floats(-30, 30, width=32),
    st.sampled_from([0.0, -0.0, 1.0, 3.0, math.inf, -math.inf, math.nan, 3e38, -3e38, 1e-40]),
)


@st.composite
def a_row(draw: st.DrawFn) -> tuple[NDArray[np.float32], NDArray[np.int32] | None, int]:
    """Logits with all that floats can be, a mask or none, and a limit."""
    width = draw(st.integers(1, 80))
    logits = np.array(draw(st.lists(_NUMBERS, min_size=width, max_size=width)), np.float32)
    mask = None
    if draw(st.booleans()):
        words = draw(st.integers(1, -(-width // 32)))
        word = st.one_of(st.integers(-(2**31), 2**31 - 1), st.sampled_from([0, -1, 1, -(2**31)]))
        mask = np.array(draw(st.lists(word, min_size=words, max_size=words)), np.int32)
        width = min(width, words * 32)
    return logits, mask, draw(st.integers(1, width))


@every_way
@given(row=a_row(), data=st.data())
def test_a_draw_is_legal_and_its_figures_agree(way: Way, row: Any, data: st.DataObject) -> None:
    """A token is legal, above -inf and kept by the filters; its figures are those of softmax."""
    logits, mask, limit = row
    legal = [t for t in (range(limit) if mask is None else bits_of(mask)) if t < limit]
    temperature = data.draw(st.sampled_from([0.0, 1e-3, 0.5, 1.0, 30.0]))
    filters = {
        "top_k": data.draw(st.one_of(st.none(), st.integers(1, 100))),
        "top_p": data.draw(st.one_of(st.none(), st.floats(0.01, 1))),
        "min_p": data.draw(st.one_of(st.none(), st.floats(0, 1))),
    }
    given_mask = None if mask is None else mask[None]
    got = way.call(
        masked_sample, logits[None], given_mask, temperature=temperature, vocab_size=limit,
        rng=data.draw(st.sampled_from(["inverse", "gumbel"])), legal_mass=True,
        seed=data.draw(st.integers(-(2**63), 2**64 - 1)),
        position=data.draw(st.integers(0, 2**63 - 1)), **filters,
    )  # fmt: skip
    judge = Row(logits, legal, limit, temperature)
    token, status = int(got.token[0]), int(got.status[0])
    assert bool(status & 1) == (not judge.alive) == (token == -1)
    assert bool(status & 2) == bool(np.isnan(logits[legal]).any())
    assert bool(status & 4) == bool((logits[legal] == math.inf).any())
    if token == -1:
        assert (got.logprob[0], got.lse[0], got.log_legal_mass[0]) == (-math.inf,) * 3
        return
    assert token in judge.alive
    if temperature == 0:
        assert token == judge.argmax()
    else:
        # One token more than the filters leave where rounding decides at their edge.
        loose = {k: v for k, v in filters.items() if k == "top_k"}
        if filters["top_p"] is not None:
            loose["top_p"] = min(1.0, filters["top_p"] * (1 + 1e-5))
        if filters["min_p"] is not None:
            loose["min_p"] = filters["min_p"] * (1 - 1e-4)
        assert token in judge.survivors(**loose)
    assert -math.inf <= got.log_legal_mass[0] <= 0
    assert got.logprob[0] <= 1e-6
    if temperature > 0:
        logs = way.call(
            masked_log_softmax, logits[None], given_mask, temperature=temperature, vocab_size=limit
        )
        assert got.logprob[0] == pytest.approx(logs[0, token], rel=1e-5, abs=1e-5)


@every_way
@given(row=a_row(), temperature=st.sampled_from([1e-3, 0.7, 1.0, 50.0]))
def test_probabilities_sum_to_one_on_the_mask(way: Way, row: Any, temperature: float) -> None:
    """Exactly 0 off the mask, and 1 in all, or all 0 where nothing is legal."""
    logits, mask, limit = row
    given_mask = None if mask is None else mask[None]
    found = way.call(
        masked_softmax, logits[None], given_mask, temperature=temperature, vocab_size=limit
    )[0]
    legal = [t for t in (range(limit) if mask is None else bits_of(mask)) if t < limit]
    judge = Row(logits, legal, limit, temperature)
    outside = np.setdiff1d(np.arange(len(logits)), judge.alive)
    assert np.all(found[outside] == 0)
    assert np.all(found >= 0)
    assert found.sum() == pytest.approx(1.0 if judge.alive else 0.0, abs=1e-5)


def chi_square(
    way: Way, kind: str, filters: dict[str, Any], temperature: float
) -> tuple[float, int]:
    """The statistic of 6,000 draws against the exact distribution, and its degrees of freedom."""
    rng = np.random.default_rng(12)
    count, width = 6_000, 45
    logits = rng.normal(0, 1.5, width).astype(np.float32)
    mask = np.array([[0x7FFF5F1F, 0x1EF3]], np.int32)
    row = Row(logits, [t for t in bits_of(mask[0]) if t < width], width, temperature)
    kept = row.survivors(**filters)
    got = way.call(
        masked_sample, np.tile(logits, (count, 1)), mask, temperature=temperature, rng=kind,
        mask_index=np.zeros(count, np.int32), seed=np.arange(count, dtype=np.int64) * 7919,
        position=np.full(count, 3, np.int64), **filters,
    )  # fmt: skip
    seen = np.bincount(got.token, minlength=width)
    total = sum(kept.values())
    expected = np.array([kept.get(t, 0.0) / total * count for t in range(width)])
    assert np.all(seen[expected == 0] == 0)
    inside = expected > 0
    return float(((seen - expected)[inside] ** 2 / expected[inside]).sum()), int(inside.sum()) - 1


@every_way
@pytest.mark.parametrize("kind", ["inverse", "gumbel"])
@pytest.mark.parametrize(
    ("temperature", "filters"),
    [(1.0, {}), (0.4, {}), (2.0, {"top_k": 12}), (1.0, {"top_p": 0.8}), (1.0, {"min_p": 0.1})],
    ids=str,
)
def test_draws_have_the_distribution(
    way: Way, kind: str, temperature: float, filters: dict[str, Any]
) -> None:
    """Chi-square over many seeds is within five standard deviations of its mean."""
    found, freedom = chi_square(way, kind, filters, temperature)
    assert freedom > 2
    assert abs(found - freedom) < 5 * math.sqrt(2 * freedom)


@every_way
@pytest.mark.parametrize("kind", ["inverse", "gumbel"])
def test_every_legal_token_can_be_drawn(way: Way, kind: str) -> None:
    """With equal logits over two chunks, some draws a token meet every one and no other."""
    width, draws = 1300, 2000
    bits = np.zeros(41 * 32, bool)
    bits[np.random.default_rng(5).choice(width, 130, replace=False)] = True
    mask = np.packbits(bits, bitorder="little").view(np.int32)[None]
    seeds = np.arange(draws, dtype=np.int64)
    got = way.call(
        masked_sample, np.zeros((draws, width), np.float32), mask,
        mask_index=np.zeros(draws, np.int32), rng=kind, seed=seeds,
    )  # fmt: skip
    assert set(got.token.tolist()) == set(bits_of(mask[0]))


@every_way
@given(seed=st.integers(0, 2**63), temperature=st.sampled_from([0.5, 1.0]))
def test_noise_does_not_depend_on_the_mask(way: Way, seed: int, temperature: float) -> None:
    """With Gumbel noise, the draw without a mask is the masked one wherever it is legal."""
    rng = np.random.default_rng(seed % 1000)
    logits = rng.normal(0, 1, (1, 100)).astype(np.float32)
    mask = rng.integers(-(2**31), 2**31, (1, 4)).astype(np.int32)
    named = {"seed": seed, "rng": "gumbel", "temperature": temperature}
    free = int(way.call(masked_sample, logits, **named).token[0])
    bound = int(way.call(masked_sample, logits, mask, **named).token[0])
    assert bound in bits_of(mask[0])
    assert bound == free or free not in bits_of(mask[0])

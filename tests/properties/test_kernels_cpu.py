"""The C++ kernels against their definition in float64, for every instruction set that runs here."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

cpu = pytest.importorskip("slm.kernels.cpu", reason="the native engine is not built here")
torch = pytest.importorskip("torch", reason="the definition of the kernels is in torch")
from slm.kernels import reference  # noqa: E402

ISAS = st.sampled_from(cpu.ISAS)
WIDTHS = st.one_of(st.integers(1, 70), st.sampled_from([95, 1023, 1024, 1025, 2112, 9000]))
SPECIAL = [math.nan, math.inf, -math.inf, 3e38, -3e38, 1e-44, 0.0, -0.0]
DTYPES = {
    "float32": torch.float32,
    "bfloat16": torch.bfloat16,
    "float16": torch.float16,
}
TINY = 2e-38  # around the smallest float32 that has all its digits


@st.composite
def batches(draw, dtypes=tuple(DTYPES), finite=False):
    """Logits with any row stride, a table of masks with an index, and a limit; all for tensors."""
    width, rows = draw(WIDTHS), draw(st.integers(1, 3))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    spread = draw(st.sampled_from([0.0, 0.5, 4.0, 40.0, 1e4]))
    values = rng.standard_normal((rows, width + draw(st.integers(0, 5)))) * spread
    if draw(st.booleans()):
        values = np.round(values)  # ties
    if not finite and draw(st.booleans()):
        count = draw(st.integers(1, 4))
        places = rng.integers(0, values.size, count)
        values.flat[places] = draw(st.lists(st.sampled_from(SPECIAL), min_size=count,
                                            max_size=count))  # fmt: skip
    with np.errstate(over="ignore"):
        made = torch.from_numpy(values.astype(np.float32))
    logits = made.to(DTYPES[draw(st.sampled_from(dtypes))])[:, :width]
    if draw(st.booleans()):
        return logits, None, None, draw(st.integers(1, width))
    words = draw(st.integers(1, (width + 31) // 32))
    density = draw(st.sampled_from([0.0, 0.02, 0.5, 0.97, 1.0]))
    bits = rng.random((rows, words * 32)) < density
    bitmask = torch.from_numpy(np.packbits(bits, axis=1, bitorder="little").view(np.int32))
    limit = draw(st.integers(1, min(width, words * 32)))
    if draw(st.booleans()):
        return logits, bitmask, None, limit
    index = torch.from_numpy(rng.integers(-1, rows, rows).astype(np.int32))
    return logits, bitmask, index, limit


# Exact as float32, which the definition makes of them.
TEMPERATURES = st.sampled_from([1.0, 0.75, 2.0**-10, 30.0, 2.0**-70, 2.0**70])


@given(batches(), TEMPERATURES, st.booleans(), ISAS)
def test_softmax_is_that_of_float64(batch, temperature, log, isa):
    """Every probability and log-probability has a relative error of 1e-6 at most, 0 stays 0."""
    logits, bitmask, index, limit = batch
    out = torch.full(logits.shape, 7.0)
    cpu.softmax(logits, bitmask, index, temperature, limit, out, log, isa=isa)
    want = torch.empty(logits.shape, dtype=torch.float64)
    reference.softmax(logits.double(), bitmask, index, temperature, limit, want, log)
    if log:
        want = want.float().double()  # below the smallest float32: -inf
        same = (out.double() == want) | ((out - want).abs() <= 1e-6 * want.abs().clamp(min=0.3))
    else:
        same = (out - want).abs() <= 1e-6 * want + TINY
        same &= (out == 0) | (want > 0)
    assert bool(same.all()), (out[~same][:5], want[~same][:5])


@given(batches(), st.sampled_from(list(DTYPES.values())), ISAS)
def test_probabilities_are_rounded_once(batch, dtype, isa):
    """A narrow result is the float32 one, rounded to the nearest, ties to even."""
    logits, bitmask, index, limit = batch
    wide, narrow = torch.empty(logits.shape), torch.empty(logits.shape, dtype=dtype)
    for log in (False, True):
        cpu.softmax(logits, bitmask, index, 1.0, limit, wide, log, isa=isa)
        cpu.softmax(logits, bitmask, index, 1.0, limit, narrow, log, isa=isa)
        assert torch.equal(narrow, wide.to(dtype))


@given(
    batches(), TEMPERATURES | st.just(0.0), st.sampled_from([None, 1, 2, 40, 1500]),
    st.sampled_from([None, 1e-6, 0.37, 0.9, 0.9999]), st.sampled_from([None, 0.04, 0.6, 0.999]),
    st.integers(-(2**63), 2**63 - 1), st.integers(0, 2**40), st.sampled_from(["inverse", "gumbel"]),
    ISAS,
)  # fmt: skip
def test_sample_is_that_of_float64(
    batch, temperature, top_k, top_p, min_p, seed, position, rng, isa
):
    """The definition's token, log-probability, sum, legal mass and status."""
    logits, bitmask, index, limit = batch
    if rng == "gumbel":  # the definition adds noise to x / T, and loses it where that is huge
        temperature = max(temperature, 2.0**-10) if temperature else 0.0
    arguments = (
        bitmask, index, temperature, top_k, top_p, min_p, seed, position, rng, True, limit
    )  # fmt: skip
    token, logprob, lse, mass, status = map(
        torch.from_numpy, cpu.sample(logits, *arguments, isa=isa)
    )
    want = reference.sample(logits.double(), *arguments)
    assert status.tolist() == want[4].tolist()
    assert token.tolist() == want[0].tolist()
    for got, exact in zip((logprob, lse, mass), want[1:4], strict=True):
        exact = exact.float().double()
        near = (got - exact).abs() <= 1e-6 * exact.abs().clamp(min=0.3)
        assert bool((near | (got == exact)).all()), (got, exact)


@given(batches(), st.data(), st.sampled_from([0.0, 0.3, 2.5]), ISAS)
def test_cross_entropy_is_that_of_float64(batch, data, legality_weight, isa):
    """Losses, log P(legal), statuses and gradients are the definition's; in place, too."""
    logits, bitmask, index, limit = batch
    rows, width = logits.shape
    target = torch.tensor(data.draw(st.lists(st.integers(-1, width), min_size=rows, max_size=rows)))
    weight = torch.tensor(data.draw(st.lists(st.sampled_from([0.0, 1.0, 0.3]), min_size=rows,
                                             max_size=rows)))  # fmt: skip
    arguments = (target, bitmask, index, weight, -1, legality_weight, limit)
    grad = torch.full(logits.shape, 7.0, dtype=logits.dtype)
    made = cpu.cross_entropy(logits, *arguments, grad, isa=isa)
    exact_grad = torch.empty(logits.shape, dtype=torch.float64)
    exact = reference.cross_entropy(logits.double(), *arguments, exact_grad)
    assert made[2].tolist() == exact[2].tolist()
    for got, want in zip(map(torch.from_numpy, made[:2]), exact[:2], strict=True):
        near = (got - want).abs() <= 1e-6 * want.abs().clamp(min=0.3)
        assert bool((near | (got == want)).all()), (got, want)
    step = {torch.float32: 1e-6, torch.bfloat16: 2**-8, torch.float16: 2**-10}[logits.dtype]
    near = (grad.double() - exact_grad).abs() <= step * exact_grad.abs() + 1e-7
    assert bool(near.all()), (grad[~near], exact_grad[~near])
    if logits.is_contiguous():
        place = logits.clone()
        cpu.cross_entropy(place, *arguments, place, isa=isa)
        assert torch.equal(place, grad)


@given(batches(), ISAS)
def test_masking_is_that_of_the_definition(batch, isa):
    """-inf off the mask and from the limit on; everything else keeps its bits."""
    logits, bitmask, index, limit = batch
    want = reference.apply_bitmask(logits.clone(), bitmask, index, limit)
    cpu.apply_bitmask(logits, bitmask, index, limit, isa=isa)
    assert torch.equal(logits.nan_to_num(7.0), want.nan_to_num(7.0))
    assert torch.equal(logits.isnan(), want.isnan())


@given(batches(), TEMPERATURES)
def test_instruction_sets_compute_alike(batch, temperature):
    """Where multiply-and-add rounds once, results are equal bit by bit; tokens are, everywhere."""
    logits, bitmask, index, limit = batch
    made = {}
    for isa in cpu.ISAS:
        out = torch.empty(logits.shape)
        cpu.softmax(logits, bitmask, index, temperature, limit, out, False, isa=isa)
        token, *rest = cpu.sample(logits, bitmask, index, temperature, limit=limit, isa=isa)
        made[isa] = [token.tolist(), out.numpy().tobytes(), *[str(one) for one in rest]]
    plain = made.pop("plain")
    first = next(iter(made.values()), plain)
    assert all(one == first for one in made.values())
    assert plain[0] == first[0]


@given(batches(), st.data())
def test_rows_do_not_depend_on_their_batch(batch, data):
    """A row alone, or many times in a batch that threads share, gives the same bits."""
    logits, bitmask, index, limit = batch
    row = data.draw(st.integers(0, len(logits) - 1))
    which = torch.tensor([row] * 5)
    mask = None
    if bitmask is not None:
        mask = torch.tensor([row if index is None else int(index[row])], dtype=torch.int32)
    alone = cpu.sample(logits[row : row + 1], bitmask, mask, 0.8, limit=limit)
    many = None if mask is None else mask.repeat(5)
    together = cpu.sample(logits[which], bitmask, many, 0.8, limit=limit, threads=2)
    for one, several in zip(alone, together, strict=True):
        assert one is None or several.tobytes() == one.tobytes() * 5

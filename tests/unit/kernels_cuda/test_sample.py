"""masked_sample as CUDA computes it, emulated on the host, against float64."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from slm.kernels.cuda.params import GATHER_BLOCK, GATHER_CLUSTER, GATHER_TICKET, SampleParams
from slm.kernels.cuda.plan import Plan
from tests.unit.kernels_cuda import emulator
from tools import gpu_reference as reference

PLANS = [
    Plan(GATHER_BLOCK, 0, 1),
    Plan(GATHER_BLOCK, 0, 3),
    Plan(GATHER_CLUSTER, 1, 1),
    Plan(GATHER_CLUSTER, 2, 2),
    Plan(GATHER_TICKET, 1, 2),
    Plan(GATHER_TICKET, 3, 1),
]
RECORD = {"": 8}


def sample(
    logits: np.ndarray,
    dtype: str,
    mask: np.ndarray | None = None,
    index: np.ndarray | None = None,
    *,
    plan: Plan = PLANS[0],
    temperature: Any = 1.0,
    seed: Any = 7,
    position: Any = 0,
    limit: int | None = None,
    order: int = 0,
) -> dict[str, np.ndarray]:
    """One emulated launch; the arrays a device would have written."""
    batch, padded = logits.shape
    p = SampleParams()
    rows = p.rows
    rows.logits, rows.padded = logits.ctypes.data, padded
    rows.logits_stride = logits.strides[0] // logits.itemsize
    rows.limit = padded if limit is None else limit
    if mask is not None:
        rows.bitmask, rows.masks = mask.ctypes.data, mask.shape[0]
        rows.mask_stride = mask.strides[0] // 4
        rows.limit = min(rows.limit, 32 * mask.shape[1])
    rows.chunks = -(-rows.limit // 1024)
    if index is not None:
        rows.mask_index = index.ctypes.data
    held = [np.asarray(v) for v in (temperature, seed, position)]
    if held[0].ndim:
        held[0] = held[0].astype(np.float32)
        rows.temperatures = held[0].ctypes.data
    else:
        rows.temperature = temperature
    if held[1].ndim:
        p.seeds, p.positions = held[1].ctypes.data, held[2].ctypes.data
    else:
        p.seed, p.position = seed, position
    out = {
        "token": np.full(batch, 99, np.int64),
        "logprob": np.full(batch, 99, np.float32),
        "lse": np.full(batch, 99, np.float32),
        "status": np.full(batch, 99, np.uint8),
    }
    for name, array in out.items():
        setattr(p, name, array.ctypes.data)
    scratch = np.full((batch * rows.chunks + 1) * 2, np.nan, np.float32)
    tickets = np.zeros(batch, np.uint32)
    p.scratch, p.tickets = scratch.ctypes.data, tickets.ctypes.data
    emulator.launch(f"slm_sample_{dtype}", p, batch, plan, RECORD[""], order)
    assert not tickets.any(), "a ticket counter was left behind"
    return out


def random_masks(rng: np.random.Generator, count: int, words: int) -> np.ndarray:
    """Masks of every kind: none, all, dense with holes, sparse, one token, a run."""
    bits = np.zeros((count, words * 32), bool)
    for i in range(count):
        kind = i % 6
        if kind == 1:
            bits[i] = True
        elif kind == 2:
            bits[i] = rng.random(words * 32) < 0.97
        elif kind == 3:
            bits[i, rng.integers(0, words * 32, 9)] = True
        elif kind == 4:
            bits[i, rng.integers(0, words * 32)] = True
        elif kind == 5:
            start = rng.integers(0, words * 32)
            bits[i, start : start + 70] = True
    return np.packbits(bits, axis=1, bitorder="little").view(np.int32)


def check(out: dict[str, np.ndarray], worth: np.ndarray, mask: Any, index: Any, **how: Any) -> None:
    """Every row of a result against the judge."""
    limit = how.get("limit") or worth.shape[1]
    for i in range(len(worth)):
        which = i if index is None else int(index[i])
        words = None if mask is None or which == -1 else mask[which]
        if mask is not None:
            limit = min(limit, 32 * mask.shape[1])
        allowed = reference.legal(words, worth.shape[1], limit)
        t = float(np.broadcast_to(np.float32(how.get("temperature", 1.0)), len(worth))[i])
        row = reference.distribution(worth[i], allowed, t)
        seed = int(np.broadcast_to(how.get("seed", 7), len(worth))[i])
        position = int(np.broadcast_to(how.get("position", 0), len(worth))[i])
        u = reference.uniform(seed, position) if t > 0 else None
        got = [out[n][i].item() for n in ("token", "logprob", "lse", "status")]
        assert reference.judge(row, *got, u=u) is None, f"row {i}: {reference.judge(row, *got, u=u)}"


@pytest.mark.parametrize("dtype", emulator.DTYPES)
@pytest.mark.parametrize("plan", PLANS, ids=str)
def test_sample_agrees_with_float64(dtype: str, plan: Plan) -> None:
    """Every kind of mask, any split: the token's interval holds u, logprob and lse are right."""
    rng = np.random.default_rng(3)
    padded = 2500
    lying, worth = emulator.stored(rng.normal(0, 3, (7, padded)), dtype)
    logits = emulator.aligned(lying.shape, lying.dtype)
    logits[:] = lying
    mask = random_masks(rng, 6, 78)
    index = np.array([0, 1, 2, 3, 4, 5, -1], np.int32)
    how = {
        "temperature": np.array([1, 0.7, 1.3, 2, 1, 0, 0.5]),
        "seed": np.arange(7, dtype=np.int64) * 99991 - 5,
        "position": np.arange(7, dtype=np.int64) << 31,
        "limit": 2490,
    }
    out = sample(logits, dtype, mask, index, plan=plan, order=5, **how)
    check(out, worth, mask, index, **how)


@pytest.mark.parametrize("dtype", emulator.DTYPES)
@pytest.mark.parametrize(("padded", "shift", "stride"), [(1025, 0, 1025), (1100, 3, 1103), (5, 1, 7)])
def test_rows_need_no_alignment(dtype: str, padded: int, shift: int, stride: int) -> None:
    """Rows at any address and stride give what float64 says, and the bits of aligned rows."""
    rng = np.random.default_rng(4)
    lying, worth = emulator.stored(rng.normal(0, 2, (4, padded)), dtype)
    mask = random_masks(rng, 4, -(-padded // 32))
    logits = emulator.aligned(lying.shape, lying.dtype, shift, stride)
    logits[:] = lying
    out = sample(logits, dtype, mask, plan=Plan(GATHER_BLOCK, 0, 2))
    check(out, worth, mask, None)
    for i in range(4):
        alone = emulator.aligned((1, padded), lying.dtype)
        alone[:] = lying[i]
        again = sample(alone, dtype, mask[i : i + 1])
        for name, array in again.items():
            assert array[0].tobytes() == out[name][i].tobytes(), (name, i)


@pytest.mark.parametrize("dtype", emulator.DTYPES)
def test_nan_and_infinity(dtype: str) -> None:
    """NaN is -inf, +inf wins and is shared evenly; illegal ones count for nothing; status says so."""
    rng = np.random.default_rng(5)
    values = rng.normal(0, 2, (9, 1200))
    values[0, 40] = values[1, 900] = np.nan
    values[2, [3, 700, 1100]] = np.inf
    values[3, [3, 700]] = np.inf, np.nan
    values[4] = np.nan
    values[5] = -np.inf
    values[6, :] = -np.inf
    values[6, 77] = np.nan
    values[7, 5] = -np.inf
    values[8, 9] = np.inf
    mask = np.full((9, 38), -1, np.int32)
    mask[1] = 0
    mask[1, 900 // 32 - 1] = -1  # its NaN is not legal
    mask[8, 0] = ~(1 << 9)
    lying, worth = emulator.stored(values, dtype)
    logits = emulator.aligned(lying.shape, lying.dtype)
    logits[:] = lying
    for temperature in (1.0, 0.0, 1e-3, 1e3, 1e-29):
        out = sample(logits, dtype, mask, temperature=temperature, plan=Plan(GATHER_CLUSTER, 1, 1))
        check(out, worth, mask, None, temperature=temperature)
    assert [int(s) for s in out["status"]] == [2, 0, 4, 6, 3, 1, 3, 0, 0]


def test_results_depend_on_no_split() -> None:
    """The same row gives the same bits for every plan and every order of the blocks."""
    rng = np.random.default_rng(6)
    lying, _ = emulator.stored(rng.normal(0, 3, (2, 5200)), "bfloat16")
    logits = emulator.aligned(lying.shape, lying.dtype)
    logits[:] = lying
    mask = random_masks(rng, 3, 163)[1:]
    outs = [
        sample(logits, "bfloat16", mask, plan=plan, order=order)
        for plan in PLANS
        for order in (1, 2)
    ]
    for out in outs[1:]:
        for name, array in out.items():
            assert array.tobytes() == outs[0][name].tobytes(), name


def test_no_token_without_a_mask_row() -> None:
    """An index that names no mask opens nothing: token -1 and the status EMPTY."""
    logits = emulator.aligned((3, 64), np.float32)
    mask = np.full((2, 2), -1, np.int32)
    out = sample(logits, "float32", mask, np.array([2, -2, 1], np.int32))
    assert out["token"].tolist()[:2] == [-1, -1]
    assert out["status"].tolist() == [1, 1, 0]


def test_rare_tokens_are_reachable() -> None:
    """Draws follow the distribution: each of 40 equal tokens comes, in even shares."""
    batch = 600
    logits = np.broadcast_to(emulator.aligned((1, 40), np.float32), (batch, 40))
    out = sample(
        logits,
        "float32",
        seed=np.full(batch, 11, np.int64),
        position=np.arange(batch, dtype=np.int64),
    )
    counts = np.bincount(out["token"], minlength=40)
    assert counts.min() > 0
    assert ((counts - 15.0) ** 2 / 15.0).sum() < 80

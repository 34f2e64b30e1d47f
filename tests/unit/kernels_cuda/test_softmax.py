"""masked_softmax and masked_log_softmax as CUDA computes them, emulated, against float64."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from slm.kernels import cuda
from tests.unit.kernels_cuda.fake import FakeDevice, fake  # noqa: F401
from tools import gpu_reference as reference

KINDS = ["none", "all", "97%", "few", "one", "run"]
PLANS = ["", "0,0,2", "1,1,1", "1,2,2", "2,1,1"]


def masks(width: int, seed: int = 1) -> torch.Tensor:
    """One packed mask of each of KINDS."""
    rng = np.random.default_rng(seed)
    bits = np.zeros((len(KINDS), -(-width // 32) * 32), bool)
    bits[1] = True
    bits[2] = rng.random(bits.shape[1]) < 0.97
    bits[3, rng.integers(0, width, 9)] = True
    bits[4, width // 2] = True
    bits[5, width // 3 : width // 3 + 50] = True
    return torch.from_numpy(np.packbits(bits, axis=1, bitorder="little").view(np.int32))


def close(got: torch.Tensor, want: np.ndarray, dtype: torch.dtype, log: bool) -> None:
    """Equal within the rounding of the type; zeros and infinities exactly."""
    have = got.double().numpy()
    assert not np.isnan(have).any()
    off = want == (-np.inf if log else 0)
    assert (have[off] == want[off]).all()
    step = {torch.float32: 2e-6, torch.bfloat16: 2.0**-8, torch.float16: 2.0**-10}[dtype]
    tiny = 1e-6 if log else {torch.float16: 2.0**-24}.get(dtype, 1e-37)
    have, want = have[~off], want[~off]
    assert (np.abs(have - want) <= step * np.abs(want) + tiny).all()
    if dtype == torch.float32 and not log:
        assert np.linalg.norm(have - want) <= 3e-7 * np.linalg.norm(want)


def expected(
    logits: torch.Tensor, table: torch.Tensor, index: torch.Tensor, heat: torch.Tensor, limit: int, log: bool
) -> np.ndarray:
    """What every element must be, float64."""
    want = np.zeros(logits.shape)
    for i in range(len(logits)):
        words = None if index[i] < 0 else table[index[i]].numpy()
        allowed = reference.legal(words, logits.shape[1], min(limit, 32 * table.shape[1]))
        row = reference.distribution(logits[i].float().numpy(), allowed, float(heat[i]))
        if row.status & reference.EMPTY:
            p = np.zeros(logits.shape[1])
        elif heat[i] <= 0:
            p = np.zeros(logits.shape[1])
            p[row.values.argmax()] = 1
        else:
            p = row.weights / row.weights.sum()
        with np.errstate(divide="ignore"):
            want[i] = np.log(p) if log else p
            if log and not row.status & (reference.EMPTY | reference.INFINITE) and heat[i] > 0:
                want[i] = row.values - row.lse  # where exp underflows, the logarithm does not
    return want


@pytest.mark.parametrize("how", PLANS)
@pytest.mark.parametrize("log", [False, True])
@pytest.mark.parametrize(
    ("dtype", "out_dtype"),
    [
        (torch.float32, torch.float32),
        (torch.bfloat16, torch.bfloat16),
        (torch.bfloat16, torch.float32),
        (torch.float16, torch.float16),
        (torch.float16, torch.float32),
        (torch.float32, torch.bfloat16),
    ],
)
def test_softmax_agrees_with_float64(
    fake: FakeDevice,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
    dtype: torch.dtype,
    out_dtype: torch.dtype,
    log: bool,
    how: str,
) -> None:
    """Every mask, greedy rows, NaN, infinities, odd strides, a limit inside the row."""
    monkeypatch.setenv("SLM_CUDA_PLAN", how)
    width = 1130
    gen = torch.Generator().manual_seed(2)
    logits = (3 * torch.randn(9, width + 3, generator=gen)).to(dtype)[:, :width]
    logits[1, 5] = float("nan")
    logits[2, [3, 800]] = float("inf")
    table = masks(width)
    index = torch.tensor([2, 2, 1, 0, 3, 4, 5, -1, 2], dtype=torch.int32)
    heat = torch.tensor([1.0, 0.7, 1.0, 1.0, 1.0, 2.0, 1.0, 1.3, 0.0])
    out = torch.full((9, width + 8), 7.0, dtype=out_dtype)
    got = cuda.softmax(logits, table, index, heat, width - 5, out[:, :width], log)
    assert got.data_ptr() == out.data_ptr()
    close(got, expected(logits, table, index, heat, width - 5, log), out_dtype, log)
    assert (out[:, width:] == 7).all(), "written beyond the row"


def test_softmax_depends_on_no_split(
    fake: FakeDevice,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The same bits for every plan."""
    logits = torch.randn(2, 3000, generator=torch.Generator().manual_seed(3)).to(torch.bfloat16)
    outs = []
    for how in PLANS:
        monkeypatch.setenv("SLM_CUDA_PLAN", how)
        out = torch.empty(2, 3000)
        outs.append(cuda.softmax(logits, masks(3000)[2:4], None, 0.8, 3000, out, False))
    assert all(torch.equal(out, outs[0]) for out in outs)

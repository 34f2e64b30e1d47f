"""The launcher: what reaches the kernels from tensors, and the split it chooses."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
import torch

from slm.kernels import cuda
from slm.kernels.cuda.launch import two_phases
from slm.kernels.cuda.params import (
    GATHER_BLOCK,
    GATHER_CLUSTER,
    GATHER_TICKET,
    RESULTS,
    STATISTICS,
    STRUCTURES,
    SoftmaxParams,
)
from slm.kernels.cuda.plan import Plan, plan
from tests.unit.kernels_cuda import emulator
from tests.unit.kernels_cuda.fake import FakeDevice, fake  # noqa: F401
from tools import gpu_reference as reference


def test_structures_have_the_sizes_of_the_sources() -> None:
    """Each ctypes structure is as large as the C++ one of its name."""
    import ctypes

    sizes = {name: ctypes.sizeof(kind) for name, kind in STRUCTURES.items()}
    assert sizes == {name: emulator.library().slm_size_of(name.encode()) for name in sizes}


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
@pytest.mark.parametrize("how", ["", "2,1,1", "1,1,2", "0,0,3"])
def test_sample_from_tensors(
    fake: FakeDevice,  # noqa: F811
    dtype: torch.dtype,
    how: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Tensors and numbers, strides and indexes arrive as they were meant."""
    monkeypatch.setenv("SLM_CUDA_PLAN", how)
    gen = torch.Generator().manual_seed(1)
    logits = (3 * torch.randn(5, 1500, generator=gen)).to(dtype)[:, 200:1300]
    bits = torch.randint(-(2**31), 2**31, (3, 40), generator=gen).to(torch.int32)[:, :35]
    index = torch.tensor([2, -1, 0, 1, 2], dtype=torch.int32)
    heat = torch.tensor([1.0, 0.5, 0.0, 1.5, 1.0])
    seeds = torch.tensor([3, 4, 5, 6, 2**40])
    token, logprob, lse, mass, status = cuda.sample(
        logits, bits, index, heat, None, None, None, seeds, 17, "inverse", False, 1090
    )
    assert mass is None
    for i in range(5):
        words = None if index[i] < 0 else bits[index[i]].numpy()
        allowed = reference.legal(words, 1100, 1090)
        row = reference.distribution(logits[i].float().numpy(), allowed, float(heat[i]))
        u = reference.uniform(int(seeds[i]), 17) if heat[i] > 0 else None
        got = [c[i].item() for c in (token, logprob, lse, status)]
        assert reference.judge(row, *got, u=u) is None
    assert not any(counters.any() for counters in fake.counters)


def test_an_empty_batch_launches_nothing(fake: FakeDevice) -> None:  # noqa: F811
    """No rows: results of no rows, no launch (a grid of 0 blocks is an error)."""
    out = cuda.sample(
        torch.zeros(0, 10), None, None, 1.0, None, None, None, 0, 0, "inverse", False, 10
    )
    assert [len(part) for part in out if part is not None] == [0, 0, 0, 0]
    assert not fake.launches


@dataclass
class Chip:
    """Two kinds of device."""

    processors: int
    cluster: int


@pytest.mark.parametrize("batch", [1, 2, 8, 64, 65, 132, 133, 1024, 70_000])
@pytest.mark.parametrize("chunks", [0, 1, 2, 31, 126, 256, 20_000])
@pytest.mark.parametrize("chip", [Chip(132, 16), Chip(108, 1), Chip(2, 8)], ids=str)
@pytest.mark.parametrize("most", [16, 32])
def test_plans_can_be_launched(batch: int, chunks: int, chip: Chip, most: int) -> None:
    """Any size gets a launch within the device's limits; one wave of blocks for split rows."""
    how = plan(batch, chunks, chip, 8, most)
    assert 1 <= how.warps <= most
    assert how.splits == 1 or batch * how.splits <= chip.processors
    assert how.gather != GATHER_BLOCK or how.splits == 1
    assert how.gather != GATHER_CLUSTER or how.splits <= chip.cluster
    assert how.gather == GATHER_TICKET or chunks * 8 + 256 <= 48 * 1024
    assert np.log2(how.splits) == how.split_bits


def test_threads_of_one_stream_do_not_share_what_lies_between_phases() -> None:
    """The launch that reads the scratch follows the one that wrote it, whatever others do."""
    order: list[tuple[int, int]] = []

    class Slow(FakeDevice):
        def kernel(self, name: str) -> Any:
            return self

        def launch(self, params: SoftmaxParams, **_: Any) -> None:
            order.append((threading.get_ident(), params.phase))
            time.sleep(0.005)

    device = Slow()

    def work() -> None:
        for _ in range(5):
            two_phases(device, "any", SoftmaxParams(), 1, Plan(GATHER_TICKET, 1, 1), 8)  # type: ignore[arg-type]

    threads = [threading.Thread(target=work) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(order) == 30
    for first, second in zip(order[::2], order[1::2], strict=True):
        assert (first, second) == ((first[0], STATISTICS), (first[0], RESULTS))

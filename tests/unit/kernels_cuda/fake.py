"""A device whose launches go to the emulator: the launcher's own code runs on CPU tensors."""

from __future__ import annotations

import ctypes
from typing import Any

import pytest
import torch

from slm.kernels.cuda import runtime
from tests.unit.kernels_cuda import emulator


class FakeKernel:
    """Stands in for driver.Kernel."""

    def __init__(self, name: str, launches: list[tuple[str, int, int, int]]) -> None:
        self.name, self.launches = name, launches

    def launch(
        self, params: Any, *, blocks: int, threads: int, shared: int, cluster: int, stream: int
    ) -> None:
        """An emulated launch; each one has its blocks in another order."""
        self.launches.append((self.name, blocks, threads, cluster))
        failed = emulator.library().slm_emulate(
            self.name.encode(),
            ctypes.byref(params),
            *(ctypes.c_uint(number) for number in (blocks, threads, shared, cluster)),
            ctypes.c_ulonglong(len(self.launches)),
        )
        assert not failed, failed.decode()


class FakeDevice:
    """Stands in for runtime.Device: a chip of four multiprocessors, with clusters."""

    processors, cluster = 4, 16
    torch_device = torch.device("cpu")

    def __init__(self) -> None:
        self.launches: list[tuple[str, int, int, int]] = []  # name, blocks, threads, cluster
        self.counters: list[torch.Tensor] = []

    def kernel(self, name: str) -> FakeKernel:
        """Any kernel."""
        return FakeKernel(name, self.launches)

    def stream(self) -> int:
        """No stream."""
        return 0

    def scratch(self, stream: int, batch: int, record_bytes: int) -> Any:
        """Records full of rubbish, counters at 0."""
        self.counters.append(torch.zeros(batch, dtype=torch.int32))
        return torch.full((batch * record_bytes,), 255, dtype=torch.uint8), self.counters[-1]


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> FakeDevice:
    """Makes the launcher use the emulator."""
    emulator.library()
    device = FakeDevice()
    monkeypatch.setattr(runtime, "device", lambda index: device)
    return device

"""A device whose launches go to the emulator: the launcher's own code runs on CPU tensors."""

from __future__ import annotations

import ctypes
from typing import Any

import pytest
import torch

from slm.kernels.cuda import launch
from tests.unit.kernels_cuda import emulator


class FakeDevice:
    """Stands in for runtime.Device."""

    processors = 132
    clusters = True

    def __init__(self) -> None:
        self.launches: list[tuple[str, int, int, int]] = []  # name, blocks, threads, cluster
        self.counters: list[torch.Tensor] = []

    def kernel(self, name: str) -> Any:
        """Something with a `launch`."""
        outer = self

        class Kernel:
            def launch(
                self, params: Any, *, blocks: int, threads: int, shared: int, cluster: int, stream: int
            ) -> None:
                outer.launches.append((name, blocks, threads, cluster))
                failed = emulator.library().slm_emulate(
                    name.encode(),
                    ctypes.byref(params),
                    *(ctypes.c_uint(n) for n in (blocks, threads, shared, cluster)),
                    ctypes.c_ulonglong(len(outer.launches)),
                )
                assert not failed, failed.decode()

        return Kernel()

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
    monkeypatch.setattr(launch, "device", lambda index: device)
    return device

"""What stays between launches on a device: the loaded module, and scratch memory for each stream."""

from __future__ import annotations

import functools
from typing import Any

from slm.kernels.cuda import binary, driver
from slm.kernels.cuda.driver import DriverError, Kernel, Module


class Device:
    """One GPU of this process."""

    def __init__(self, index: int) -> None:
        import torch

        facts = torch.cuda.get_device_properties(index)
        self.index = index
        self.processors: int = facts.multi_processor_count
        self.architecture: int = 10 * facts.major + facts.minor
        self.clusters = facts.major >= 9
        with torch.cuda.device(index):
            torch.cuda.current_stream(index).synchronize()  # makes the context current
            self.module, self.origin = self._load()
        self._scratch: dict[tuple[int, str], Any] = {}

    def _load(self) -> tuple[Module, str]:
        prebuilt = binary.fat_binary()
        if prebuilt is not None:
            try:
                return Module(prebuilt), "fat binary"
            except DriverError:
                pass  # made for newer drivers or other chips: NVRTC makes what fits
        return Module(binary.compiled(self.architecture)), "NVRTC"

    def kernel(self, name: str) -> Kernel:
        """A kernel by name."""
        return self.module.kernel(name)

    def scratch(self, stream: int, kind: str, size: int, capturing: bool) -> Any:
        """`size` bytes that no launch on another stream uses, zero when they are first given out.

        A graph gets memory of its own: it may be replayed on any stream, beside any launch.
        """
        import torch

        device = torch.device("cuda", self.index)
        if capturing:
            return torch.zeros(size, dtype=torch.uint8, device=device)
        held = self._scratch.get((stream, kind))
        if held is None or held.numel() < size:
            grown = max(size, 1 << 16, 2 * held.numel() if held is not None else 0)
            held = torch.zeros(grown, dtype=torch.uint8, device=device)
            self._scratch[stream, kind] = held
        return held


@functools.cache
def device(index: int) -> Device:
    """The device of that index, its kernels loaded.

    Raises:
        binary.CompileError: there is no fat binary for it, and NVRTC is missing or fails.
        driver.DriverError: the driver refuses the module.
    """
    return Device(index)


@functools.cache
def why_unavailable() -> str | None:
    """None if the kernels can run here, else why not."""
    reason = driver.has_driver()
    if reason is not None:
        return reason
    import torch

    if not torch.cuda.is_available():
        return "torch sees no CUDA device"
    if torch.version.hip is not None:
        return "this torch is built for ROCm"
    try:
        binary.sources()
        if binary.fat_binary() is None:
            binary.nvrtc()
    except (FileNotFoundError, binary.CompileError) as error:
        return str(error)
    return None

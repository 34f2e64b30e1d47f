"""What stays between launches on a device: loaded modules, and scratch memory for each stream."""

from __future__ import annotations

import functools
from typing import Any

from slm.kernels.cuda import binary, driver
from slm.kernels.cuda.driver import DriverError, Kernel, Module


class Device:
    """One GPU of this process."""

    def __init__(self, index: int) -> None:
        import torch

        self._torch: Any = torch
        facts = torch.cuda.get_device_properties(index)
        self.index = index
        self.processors: int = facts.multi_processor_count
        self.architecture: int = 10 * facts.major + facts.minor
        # 16 blocks is beyond what every chip with clusters promises; these two have it.
        self.cluster = {9: 16, 10: 16}.get(facts.major, 8 if facts.major > 10 else 1)
        self.torch_device = torch.device("cuda", index)
        with torch.cuda.device(index):
            torch.zeros(1, device=f"cuda:{index}")  # makes the device's context current
            self.context = driver.current_context()
            self._whole = self._prebuilt()
            self._parts: dict[int, Module] = {}
            self._kernels: dict[str, Kernel] = {}
            self._scratch: dict[tuple[int, str], Any] = {}
            self._counters: Any = None
            self._counted = 0
            if not torch.cuda.is_current_stream_capturing():
                self._counters = torch.zeros(1 << 18, dtype=torch.int32, device=f"cuda:{index}")
                torch.cuda.synchronize(index)

    def _prebuilt(self) -> Module | None:
        image = binary.fat_binary()
        if image is None:
            return None
        try:
            return Module(image, self.context)
        except DriverError:
            return None  # made for newer drivers or other chips: NVRTC makes what fits

    @property
    def origin(self) -> str:
        """Where the kernels come from."""
        return "NVRTC, part by part" if self._whole is None else "the fat binary"

    def kernel(self, name: str) -> Kernel:
        """A kernel by name; without a fat binary the first of its part costs a compilation."""
        kernel = self._kernels.get(name)
        if kernel is None:
            module = self._whole
            if module is None:
                part = binary.part_of(name)
                module = self._parts.get(part)
                if module is None:
                    code = binary.compiled(self.architecture, part)
                    with self._torch.cuda.device(self.index):
                        module = self._parts[part] = Module(code, self.context)
            kernel = self._kernels[name] = module.kernel(name)
        return kernel

    def stream(self) -> int:
        """The handle of torch's current stream on this device."""
        import torch

        raw: int = torch._C._cuda_getCurrentRawStream(self.index)  # as Triton and inductor do
        return raw

    def scratch(self, stream: int, batch: int, record_bytes: int) -> Any:
        """Memory for a launch with tickets that no launch beside it uses: (records, counters).

        Counters are 0 when they are given out, and every launch leaves them at 0. Launches on one
        stream follow each other and share; a graph may be replayed on any stream, beside any
        launch, so each captured launch gets memory of its own: records that live as long as the
        graph, and counters from a reserve that was zeroed when the device was set up.
        """
        import torch

        device = self.torch_device
        if torch.cuda.is_current_stream_capturing():
            records = torch.empty(batch * record_bytes, dtype=torch.uint8, device=device)
            if self._counters is None or self._counted + batch > self._counters.numel():
                return records, torch.zeros(batch, dtype=torch.int32, device=device)
            self._counted += batch
            return records, self._counters[self._counted - batch : self._counted]
        return (
            self._kept(stream, "records", batch * record_bytes, device),
            self._kept(stream, "counters", batch * 4, device),
        )

    def _kept(self, stream: int, kind: str, size: int, device: Any) -> Any:
        import torch

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
    """None if the kernels can run on every device that torch may name here, else why not."""
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
        reasons = (binary.why_no_code(chip) for chip in sorted(set(driver.architectures())))
        return next((reason for reason in reasons if reason is not None), None)
    except (FileNotFoundError, DriverError) as error:
        return str(error)

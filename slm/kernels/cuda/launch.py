"""From tensors to launches: what every kernel's arguments have in common, and the start itself."""

from __future__ import annotations

import threading
from typing import Any

from slm.kernels.cuda.params import GATHER_CLUSTER, GATHER_TICKET, RESULTS, STATISTICS, Rows
from slm.kernels.cuda.plan import Plan
from slm.kernels.cuda.runtime import Device

CHUNK = 1024
FRONT = 256  # bytes of shared memory before the records: kFrontBytes of gather.cuh
KINDS = ("float32", "bfloat16", "float16")
# Threads may share a stream, and with it the scratch that the second launch reads.
_between_phases = threading.Lock()
_NAMES: dict[Any, str] = {}  # a dtype's name, kept: making it anew is slow


def kind(tensor: Any) -> str:
    """The name of a tensor's dtype: ``float32``."""
    dtype = tensor.dtype
    name = _NAMES.get(dtype)
    if name is None:
        name = _NAMES[dtype] = str(dtype).removeprefix("torch.")
    return name


def pointer(tensor: Any) -> int | None:
    """The address of a tensor's first element; None for None."""
    return None if tensor is None else tensor.data_ptr()


def per_row(value: Any, off: float = 0) -> tuple[int | None, Any]:
    """A parameter as (pointer, number): a tensor gives its address, None gives ``off``."""
    if value is None:
        return None, off
    if hasattr(value, "data_ptr"):
        return value.data_ptr(), off
    return None, value


def fill_rows(rows: Rows, logits: Any, bitmask: Any, mask_index: Any, limit: int) -> None:
    """The part of the arguments that every kernel has."""
    rows.logits = logits.data_ptr()
    rows.logits_stride, rows.padded = logits.stride(0), logits.shape[1]
    rows.limit = limit
    rows.chunks = (limit + CHUNK - 1) // CHUNK
    rows.temperature = 1.0
    if bitmask is not None:
        rows.bitmask = bitmask.data_ptr()
        rows.masks, rows.mask_stride = bitmask.shape[0], bitmask.stride(0)
        if mask_index is not None:
            rows.mask_index = mask_index.data_ptr()


def start(
    on: Device, name: str, params: Any, batch: int, how: Plan, records: int, stream: int
) -> None:
    """Launches `name` for `batch` rows as `how` says; `records`: bytes of a row's records."""
    rows = params if isinstance(params, Rows) else params.rows
    rows.split_bits, rows.gather = how.split_bits, how.gather
    on.kernel(name).launch(
        params,
        blocks=batch << how.split_bits,
        threads=32 * how.warps,
        shared=FRONT + (0 if how.gather == GATHER_TICKET else records),
        cluster=how.splits if how.gather == GATHER_CLUSTER else 1,
        stream=stream,
    )


def two_phases(on: Device, name: str, params: Any, batch: int, how: Plan, records: int) -> None:
    """A kernel of two phases: one launch where the blocks of a row can meet, else one a phase."""
    stream = on.stream()
    if how.gather != GATHER_TICKET:
        start(on, name, params, batch, how, records, stream)
        return
    with _between_phases:
        scratch, _ = on.scratch(stream, batch, records)
        params.scratch = scratch.data_ptr()
        for params.phase in (STATISTICS, RESULTS):
            start(on, name, params, batch, how, records, stream)

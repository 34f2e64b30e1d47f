"""From tensors to launches: fills a kernel's structure and starts it on the current stream."""

from __future__ import annotations

import os

from typing import TYPE_CHECKING, Any

from slm.kernels.cuda.params import (
    GATHER_CLUSTER,
    GATHER_TICKET,
    RESULTS,
    STATISTICS,
    Rows,
    SampleParams,
    SoftmaxParams,
)
from slm.kernels.cuda.plan import Plan, plan
from slm.kernels.cuda.runtime import Device, device

if TYPE_CHECKING:
    import torch

CHUNK = 1024
FRONT = 256  # bytes of shared memory before the records: kFrontBytes of gather.cuh


def _pointer(tensor: Any) -> int | None:
    return None if tensor is None else tensor.data_ptr()


def per_row(value: Any, kind: str, device: Any) -> tuple[int | None, Any]:
    """A parameter as (pointer, scalar): a tensor gives a pointer to its rows, a number itself."""
    if hasattr(value, "data_ptr"):
        import torch

        wanted = {"float": torch.float32, "int": torch.int32, "long": torch.int64}[kind]
        if value.dtype != wanted or not value.is_contiguous():
            raise TypeError(f"expected a contiguous {wanted} tensor")
        return value.data_ptr(), 0
    return None, value


def fill_rows(rows: Rows, logits: Any, bitmask: Any, mask_index: Any, limit: int) -> None:
    """The part of the arguments that every kernel has."""
    rows.logits = logits.data_ptr()
    rows.logits_stride = logits.stride(0)
    rows.padded = logits.shape[1]
    rows.limit = limit
    rows.chunks = -(-limit // CHUNK)
    rows.bitmask = _pointer(bitmask)
    rows.mask_index = _pointer(mask_index)
    if bitmask is not None:
        rows.masks = bitmask.shape[0]
        rows.mask_stride = bitmask.stride(0)


def start(
    on: Device, name: str, params: Any, batch: int, how: Plan, record: int, stream: int
) -> None:
    """Launches `name` for `batch` rows as `how` says."""
    rows = params.rows
    rows.split_bits, rows.gather, rows.eager = how.split_bits, how.gather, how.eager
    shared = FRONT + (0 if how.gather == GATHER_TICKET else rows.chunks * record)
    on.kernel(name).launch(
        params,
        blocks=batch << how.split_bits,
        threads=32 * how.warps,
        shared=shared,
        cluster=how.splits if how.gather == GATHER_CLUSTER else 1,
        stream=stream,
    )


def sample(
    logits: torch.Tensor,
    bitmask: torch.Tensor | None,
    mask_index: torch.Tensor | None,
    temperature: Any,
    top_k: Any,
    top_p: Any,
    min_p: Any,
    seed: Any,
    position: Any,
    rng: str,
    legal_mass: bool,
    limit: int,
) -> tuple[Any, ...]:
    """(token int64, logprob, lse, log legal mass or None, status uint8), each (batch,).

    Cost: one launch, one read of the logits that the mask allows.
    """
    import torch

    batch, on = logits.shape[0], device(logits.device.index)
    token = torch.empty(batch, dtype=torch.int64, device=logits.device)
    numbers = torch.empty(2, batch, dtype=torch.float32, device=logits.device)
    status = torch.empty(batch, dtype=torch.uint8, device=logits.device)
    if not batch:
        return token, numbers[0], numbers[1], None, status
    params = SampleParams()
    rows = params.rows
    fill_rows(rows, logits, bitmask, mask_index, limit)
    rows.temperatures, rows.temperature = per_row(temperature, "float", logits.device)
    params.seeds, params.seed = per_row(seed, "long", logits.device)
    params.positions, params.position = per_row(position, "long", logits.device)
    params.token, params.status = token.data_ptr(), status.data_ptr()
    params.logprob = numbers.data_ptr()
    params.lse = params.logprob + 4 * batch
    record = 8
    how = plan(batch, rows.chunks, on.processors, on.clusters, record)
    stream, scratch = on.stream(), None
    if how.gather == GATHER_TICKET:
        scratch = on.scratch(stream, batch, rows.chunks * record)
        params.scratch, params.tickets = (part.data_ptr() for part in scratch)
    name = "slm_sample_" + str(logits.dtype).removeprefix("torch.")
    name += "_eager" if how.eager else os.environ.get("SLM_WAY", "")
    start(on, name, params, batch, how, record, stream)
    return token, numbers[0], numbers[1], None, status


def _two_launches(
    on: Device, name: str, params: Any, batch: int, how: Plan, record: int, records: int
) -> None:
    """A kernel of two phases: one launch where the blocks of a row can meet, else one a phase."""
    stream = on.stream()
    if how.gather != GATHER_TICKET:
        start(on, name, params, batch, how, record, stream)
        return
    scratch, _ = on.scratch(stream, batch, records * record)
    params.scratch = scratch.data_ptr()
    for params.phase in (STATISTICS, RESULTS):
        start(on, name, params, batch, how, record, stream)


def softmax(
    logits: torch.Tensor,
    bitmask: torch.Tensor | None,
    mask_index: torch.Tensor | None,
    temperature: Any,
    limit: int,
    out: torch.Tensor,
    log: bool,
) -> torch.Tensor:
    """Writes probabilities, or log-probabilities, of any float type to `out`; returns it.

    Cost: one launch, two reads of the logits (the second mostly from L2), one write.
    """
    import torch

    batch = logits.shape[0]
    if not batch:
        return out
    if out.dtype not in (logits.dtype, torch.float32) or (out.shape[1] > 1 and out.stride(1) != 1):
        wide = torch.empty(logits.shape, dtype=torch.float32, device=logits.device)
        return out.copy_(softmax(logits, bitmask, mask_index, temperature, limit, wide, log))
    on = device(logits.device.index)
    params = SoftmaxParams()
    fill_rows(params.rows, logits, bitmask, mask_index, limit)
    rows = params.rows
    rows.temperatures, rows.temperature = per_row(temperature, "float", logits.device)
    params.out, params.out_stride, params.log = out.data_ptr(), out.stride(0), log
    how = plan(batch, -(-rows.padded // CHUNK), on.processors, on.clusters, 8, 16)
    kinds = [str(tensor.dtype).removeprefix("torch.") for tensor in (logits, out)]
    _two_launches(on, "slm_softmax_" + "_".join(kinds), params, batch, how, 8, rows.chunks)
    return out

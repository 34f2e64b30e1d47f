"""Whole rows of results on a CUDA device: softmax, cross-entropy with gradient, the mask alone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from slm.kernels.cuda import runtime
from slm.kernels.cuda.launch import CHUNK, fill_rows, kind, per_row, pointer, start, two_phases
from slm.kernels.cuda.params import GATHER_BLOCK, LossParams, Rows, SoftmaxParams
from slm.kernels.cuda.plan import Plan, plan

if TYPE_CHECKING:
    import torch

_MOST = 16  # warps of these kernels' blocks
_SOFTMAX_BYTES, _LOSS_BYTES = 8, 16  # records of a chunk


def _native(tensor: torch.Tensor, like: tuple[Any, ...]) -> bool:
    return tensor.dtype in like and (tensor.shape[1] < 2 or tensor.stride(1) == 1)


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

    Cost: one launch, two reads of the logits (the second mostly from L2), one write. Types other
    than the logits' and float32 cost a copy.
    """
    import torch

    batch = logits.shape[0]
    if not logits.numel():
        return out
    if not _native(out, (logits.dtype, torch.float32)):
        wide = torch.empty(logits.shape, dtype=torch.float32, device=logits.device)
        return out.copy_(softmax(logits, bitmask, mask_index, temperature, limit, wide, log))
    on = runtime.device(logits.device.index)
    params = SoftmaxParams()
    rows = params.rows
    fill_rows(rows, logits, bitmask, mask_index, limit)
    rows.temperatures, rows.temperature = per_row(temperature)
    params.out, params.out_stride, params.log = out.data_ptr(), out.stride(0), log
    how = plan(batch, -(-rows.padded // CHUNK), on, _SOFTMAX_BYTES, _MOST)
    name = f"slm_softmax_{kind(logits)}_{kind(out)}"
    two_phases(on, name, params, batch, how, rows.chunks * _SOFTMAX_BYTES)
    return out


def cross_entropy(
    logits: torch.Tensor,
    target: torch.Tensor,
    bitmask: torch.Tensor | None,
    mask_index: torch.Tensor | None,
    weight: torch.Tensor | None,
    ignore_index: int,
    legality_weight: float,
    limit: int,
    grad: torch.Tensor | None,
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """(loss, log P(legal), status) of each row; writes the gradient of its loss to `grad`.

    `grad` may be `logits`. Cost: one launch, two reads of the logits, one write.
    """
    import torch

    batch = logits.shape[0]
    numbers = torch.empty(2, batch, dtype=torch.float32, device=logits.device)
    status = torch.empty(batch, dtype=torch.uint8, device=logits.device)
    if not batch:
        return numbers[0], numbers[1], status
    on = runtime.device(logits.device.index)
    made = grad
    if grad is not None and not _native(grad, (logits.dtype,)):
        made = torch.empty_like(logits)
    params = LossParams()
    rows = params.rows
    fill_rows(rows, logits, bitmask, mask_index, limit)
    target = target.to(torch.int64).contiguous()
    weight = None if weight is None else weight.to(torch.float32).contiguous()
    params.target, params.weight = target.data_ptr(), pointer(weight)
    params.loss, params.legal_mass = numbers[0].data_ptr(), numbers[1].data_ptr()
    params.status = status.data_ptr()
    if made is not None:
        params.grad, params.grad_stride = made.data_ptr(), made.stride(0)
    params.ignore_index, params.legality = ignore_index, legality_weight
    how = plan(batch, -(-rows.padded // CHUNK), on, _LOSS_BYTES, _MOST)
    name = f"slm_loss_{kind(logits)}"
    two_phases(on, name, params, batch, how, (rows.chunks + 1) * _LOSS_BYTES)
    if made is not None and made is not grad:
        assert grad is not None
        grad.copy_(made)
    return numbers[0], numbers[1], status


def apply_bitmask(
    logits: torch.Tensor, bitmask: torch.Tensor, mask_index: torch.Tensor | None, limit: int
) -> torch.Tensor:
    """-inf off the mask and past the limit, in place. Cost: one launch; reads only the mask."""
    if not logits.numel():
        return logits
    on = runtime.device(logits.device.index)
    rows = Rows()
    fill_rows(rows, logits, bitmask, mask_index, limit)
    how = plan(logits.shape[0], -(-rows.padded // CHUNK), on, 0, 32)
    how = Plan(GATHER_BLOCK, how.split_bits, how.warps)  # the blocks of a row need not meet
    name = f"slm_bitmask_{kind(logits)}"
    start(on, name, rows, logits.shape[0], how, 0, on.stream())
    return logits

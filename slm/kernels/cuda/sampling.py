"""Sampling on a CUDA device: one launch, or two with filters."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from slm.kernels.cuda import runtime
from slm.kernels.cuda.launch import fill_rows, kind, per_row, start
from slm.kernels.cuda.params import GATHER_BLOCK, GATHER_TICKET, FilterParams, SampleParams
from slm.kernels.cuda.plan import Plan, plan

if TYPE_CHECKING:
    import torch

_FULL_BYTES, _PLAIN_BYTES, _CUT_BYTES = 32, 8, 16  # records of a chunk, a row's Cut
_FILTER_PLAN = Plan(GATHER_BLOCK, 0, 16)  # its sums depend on the number of warps: always the same
_BOARD_BYTES = 1024


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

    Cost: one launch that reads the logits the mask allows, once. With legal mass or Gumbel noise
    another kernel, that computes more for a token; with filters a launch before it, which reads the
    row from L2 once for each two bits of a logit.
    """
    import torch

    batch = logits.shape[0]
    on = runtime.device(logits.device.index)
    token = torch.empty(batch, dtype=torch.int64, device=logits.device)
    numbers = torch.empty(3 if legal_mass else 2, batch, device=logits.device, dtype=torch.float32)
    status = torch.empty(batch, dtype=torch.uint8, device=logits.device)
    logprob, lse, *rest = numbers.unbind()
    mass = rest[0] if rest else None
    if not batch:
        return token, logprob, lse, mass, status
    params = SampleParams()
    rows = params.rows
    fill_rows(rows, logits, bitmask, mask_index, limit)
    rows.temperatures, rows.temperature = per_row(temperature)
    params.seeds, params.seed = per_row(seed)
    params.positions, params.position = per_row(position)
    params.token, params.status = token.data_ptr(), status.data_ptr()
    base = numbers.data_ptr()
    params.logprob, params.lse = base, base + 4 * batch
    if legal_mass:
        params.legal_mass = base + 8 * batch
    params.gumbel = rng == "gumbel"
    filtered = top_k is not None or top_p is not None or min_p is not None
    full = filtered or legal_mass or rng == "gumbel"
    name = kind(logits)
    wide = full or name == "float32"  # kernels of at most 16 warps
    record = _FULL_BYTES if full else _PLAIN_BYTES
    how = plan(batch, rows.chunks, on, record, 16 if wide else 32)
    stream = on.stream()
    cuts = _cut(on, params, name, batch, (top_k, top_p, min_p), stream) if filtered else None
    if how.gather == GATHER_TICKET:
        scratch = on.scratch(stream, batch, rows.chunks * record)
        params.scratch, params.tickets = (part.data_ptr() for part in scratch)
    name = f"slm_sample_full_{name}" if full else f"slm_sample_{name}"
    start(on, name, params, batch, how, rows.chunks * record, stream)
    del cuts  # kept until the launch that reads it is queued
    return token, logprob, lse, mass, status


def _cut(
    on: Any, params: SampleParams, name: str, batch: int, filters: tuple[Any, Any, Any], stream: int
) -> Any:
    """Launches the filters; their results lie in the tensor returned."""
    import torch

    where = params.rows
    cuts = torch.empty(batch * _CUT_BYTES, dtype=torch.uint8, device=on.torch_device)
    asked = FilterParams()
    asked.rows = where
    asked.top_ks, asked.top_k = per_row(filters[0])
    asked.top_ps, asked.top_p = per_row(filters[1])
    asked.min_ps, asked.min_p = per_row(filters[2])
    asked.cuts = params.cuts = cuts.data_ptr()
    records = 8 * (where.chunks + 1) + _BOARD_BYTES
    start(on, f"slm_filter_{name}", asked, batch, _FILTER_PLAN, records, stream)
    return cuts

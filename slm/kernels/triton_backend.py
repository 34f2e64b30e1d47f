"""Starts the Triton kernels: the interface of `slm.kernels.reference`, for tensors on GPUs.

With top-k, top-p or min-p the reference draws: sorting a row is torch's work here. Two launches for
a draw or a softmax, two or three for a loss. `TRITON_INTERPRET=1` in the environment runs the same
kernels on the CPU, for tests.
"""

from __future__ import annotations

import os
from importlib.util import find_spec
from typing import Any

import torch
from torch import Tensor

from slm.kernels import reference

_CHUNK = reference.CHUNK
_PLANES = 7
_GROUP = 4  # chunks a program of the softmax writes: it reads the figures of the whole row once
# Fused multiply-adds would depend on Triton's version; weights should not.
_OPTIONS = {"enable_fp_fusion": False}
_INTERPRETED = os.environ.get("TRITON_INTERPRET") == "1"
DEVICES = ("cuda", "cpu") if _INTERPRETED else ("cuda",)


def available() -> str | None:
    """None where Triton and a GPU are there (or its interpreter is asked for), else what is not."""
    if find_spec("triton") is None:
        return "triton is not installed"
    if not _INTERPRETED and not torch.cuda.is_available():
        return "no GPU that torch can use"
    return None


def _on(tensor: Tensor) -> Any:
    """The tensor's device is the current one; nothing for CPU tensors."""
    return torch.cuda.device_of(tensor)  # type: ignore[no-untyped-call]


class _Call:
    """What all kernels of a call are given."""

    def __init__(
        self, logits: Tensor, bitmask: Tensor | None, mask_index: Tensor | None, limit: int
    ) -> None:
        from slm.kernels import triton_kernels

        self.kernels: Any = triton_kernels
        self.logits, self.limit = logits, limit
        self.batch, self.width = logits.shape
        self.chunks = -(-limit // _CHUNK)
        self.round = 1 << (self.chunks - 1).bit_length()
        self.bitmask = logits if bitmask is None else bitmask  # never read without a mask
        self.mask_index = logits if mask_index is None else mask_index
        self.size = (0, 0) if bitmask is None else (bitmask.shape[0], bitmask.shape[1])
        index = {"HAS_INDEX": mask_index is not None, **_OPTIONS}
        self.index_flags, self.flags = index, {"HAS_MASK": bitmask is not None, **index}

    def make(self, *shape: int, dtype: torch.dtype = torch.float32) -> Tensor:
        """A tensor beside the logits."""
        return torch.empty(shape, dtype=dtype, device=self.logits.device)

    def rows(self, value: Any, dtype: torch.dtype) -> tuple[Tensor, int]:
        """A value a row and the step from row to row: 0 for one number."""
        if isinstance(value, Tensor):
            return value.to(dtype), 1
        return torch.full((1,), value, dtype=dtype, device=self.logits.device), 0

    def stats(
        self, temperature: tuple[Tensor, int], seed: tuple[Tensor, int],
        position: tuple[Tensor, int], *, dense: bool, gumbel: bool,
    ) -> tuple[Tensor, Tensor]:  # fmt: skip
        """The table of the chunks' figures, and the chunks' best tokens."""
        table = self.make(_PLANES, self.batch, self.chunks)
        found = self.make(self.batch, self.chunks, dtype=torch.int32)
        self.kernels.stats[(self.batch * self.chunks,)](
            self.logits, self.bitmask, self.mask_index, temperature[0], seed[0], position[0],
            table, found, self.logits.stride(0), *self.size, self.limit, self.width, self.chunks,
            temperature[1], seed[1], position[1], **self.flags, DENSE=dense, GUMBEL=gumbel,
        )  # fmt: skip
        return table, found


def softmax(
    logits: Tensor, bitmask: Tensor | None, mask_index: Tensor | None, temperature: float | Tensor,
    limit: int, out: Tensor, log: bool,
) -> Tensor:  # fmt: skip
    """See `slm.kernels.reference.softmax`."""
    if logits.shape[0] == 0:
        return out
    call = _Call(logits, bitmask, mask_index, limit)
    groups = -(-call.width // (_CHUNK * _GROUP))
    with _on(logits):
        at, zero = call.rows(temperature, torch.float32), call.rows(0, torch.int64)
        table, _ = call.stats(at, zero, zero, dense=False, gumbel=False)
        call.kernels.normalise[(call.batch * groups,)](
            logits, call.bitmask, call.mask_index, at[0], table, out, logits.stride(0),
            out.stride(0), *call.size, limit, call.width, call.chunks, groups, call.batch, at[1],
            **call.flags, LOG=log, GROUP=_GROUP, ROUND=call.round,
        )  # fmt: skip
    return out


def sample(
    logits: Tensor, bitmask: Tensor | None, mask_index: Tensor | None, temperature: float | Tensor,
    top_k: int | Tensor | None, top_p: float | Tensor | None, min_p: float | Tensor | None,
    seed: int | Tensor, position: int | Tensor, rng: str, legal_mass: bool, limit: int,
) -> tuple[Tensor, Tensor, Tensor, Tensor | None, Tensor]:  # fmt: skip
    """See `slm.kernels.reference.sample`."""
    if logits.shape[0] == 0 or not (top_k is None and top_p is None and min_p is None):
        return reference.sample(
            logits, bitmask, mask_index, temperature, top_k, top_p, min_p, seed, position, rng,
            legal_mass, limit,
        )  # fmt: skip
    call = _Call(logits, bitmask, mask_index, limit)
    with _on(logits):
        at = call.rows(temperature, torch.float32)
        key, place = call.rows(seed, torch.int64), call.rows(position, torch.int64)
        gumbel = rng == "gumbel"
        table, found = call.stats(at, key, place, dense=legal_mass, gumbel=gumbel)
        token, logprob = call.make(call.batch, dtype=torch.int64), call.make(call.batch)
        lse, mass = call.make(call.batch), call.make(call.batch)
        status = call.make(call.batch, dtype=torch.uint8)
        call.kernels.pick[(call.batch,)](
            logits, call.bitmask, call.mask_index, at[0], key[0], place[0], table, found, token,
            logprob, lse, mass, status, logits.stride(0), *call.size, limit, call.width,
            call.chunks, at[1], key[1], place[1], **call.flags, DENSE=legal_mass, GUMBEL=gumbel,
            ROUND=call.round,
        )  # fmt: skip
    return token, logprob, lse, mass if legal_mass else None, status


def cross_entropy(
    logits: Tensor, target: Tensor, bitmask: Tensor | None, mask_index: Tensor | None,
    weight: Tensor | None, ignore_index: int, legality_weight: float, limit: int,
    grad: Tensor | None,
) -> tuple[Tensor, Tensor, Tensor]:  # fmt: skip
    """See `slm.kernels.reference.cross_entropy`."""
    call = _Call(logits, bitmask, mask_index, limit)
    loss, mass = call.make(call.batch), call.make(call.batch)
    status = call.make(call.batch, dtype=torch.uint8)
    if call.batch == 0:
        return loss, mass, status
    with _on(logits):
        one, zero = call.rows(1.0, torch.float32), call.rows(0, torch.int64)
        table, _ = call.stats(one, zero, zero, dense=True, gumbel=False)
        figures = call.make(call.batch, 5)
        call.kernels.row_loss[(call.batch,)](
            logits, target, call.bitmask, call.mask_index, loss if weight is None else weight,
            table, loss, mass, status, figures, logits.stride(0), *call.size, limit, call.chunks,
            ignore_index, legality_weight, **call.flags, HAS_WEIGHT=weight is not None,
            ROUND=call.round,
        )  # fmt: skip
        if grad is not None:
            chunks = -(-call.width // _CHUNK)
            call.kernels.gradient[(call.batch * chunks,)](
                logits, target, call.bitmask, call.mask_index, figures, grad, logits.stride(0),
                grad.stride(0), *call.size, limit, call.width, chunks, **call.flags,
            )  # fmt: skip
    return loss, mass, status


def apply_bitmask(logits: Tensor, bitmask: Tensor, mask_index: Tensor | None, limit: int) -> Tensor:
    """See `slm.kernels.reference.apply_bitmask`."""
    if logits.shape[0] == 0:
        return logits
    call = _Call(logits, bitmask, mask_index, limit)
    chunks = -(-call.width // _CHUNK)
    with _on(logits):
        call.kernels.forbid[(call.batch * chunks,)](
            logits, call.bitmask, call.mask_index, logits.stride(0), *call.size, limit, call.width,
            chunks, **call.index_flags,
        )  # fmt: skip
    return logits

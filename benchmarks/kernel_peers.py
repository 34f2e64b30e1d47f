"""Who takes part in `kernels.py`: slm and the chains that others run, each a way to make a call.

A contestant gets a `Case` and returns the call to be timed; it raises `Absent` where it can't take
part. What others need beforehand (a mask as booleans, a compiled function) is made before the
clock starts, in their favour.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache, cached_property
from typing import Any

import numpy as np
import torch
from torch import Tensor

from benchmarks.kernel_timing import Run
from slm import kernels

TEMPERATURE, TOP_K, TOP_P = 0.8, 50, 0.9


class Absent(Exception):
    """A contestant that can't take part, and why."""


@dataclass
class Case:
    """One thing to measure."""

    what: str  # sample, filters, softmax or loss
    logits: Tensor
    bitmask: Tensor
    target: Tensor = field(repr=False)

    @cached_property
    def forbidden(self) -> Tensor:
        """The mask as booleans, True where a token is not allowed."""
        bits = (self.bitmask[:, :, None] >> torch.arange(32, device=self.bitmask.device)) & 1
        return bits.flatten(1)[:, : self.logits.shape[1]] == 0

    @cached_property
    def scratch(self) -> Tensor:
        """A copy of the logits to be masked in place, again and again: it changes nothing."""
        return self.logits.clone()


def slm_backend(backend: str | None) -> Callable[[Case], Run]:
    """slm, by its best backend here or by the one named."""

    def make(case: Case) -> Run:
        device = case.logits.device.type
        if backend is not None:
            reason = kernels.backends()[backend]
            if reason is not None:
                raise Absent(reason)
            if (backend == "cpu") != (device == "cpu"):
                raise Absent(f"not for {device}")
        named: dict[str, Any] = {"bitmask": case.bitmask, "backend": backend}
        if case.what == "loss":
            logits = case.logits.detach().requires_grad_()
            return lambda: torch.autograd.grad(
                kernels.masked_cross_entropy(logits, case.target, **named), logits
            )
        if case.what == "softmax":
            out = torch.empty_like(case.logits)
            return lambda: kernels.masked_softmax(
                case.logits, temperature=TEMPERATURE, out=out, **named
            )
        if case.what == "filters":
            named |= {"top_k": TOP_K, "top_p": TOP_P}
        position = torch.arange(case.logits.shape[0], device=device)
        return lambda: kernels.masked_sample(
            case.logits, temperature=TEMPERATURE, position=position, **named
        )

    return make


def slm_numpy(case: Case) -> Run:
    """slm on numpy arrays: the same kernels without torch's dispatch around them."""
    if case.logits.device.type != "cpu" or case.logits.dtype == torch.bfloat16:
        raise Absent("for arrays in CPU memory")
    if case.what == "loss":
        raise Absent("no gradient")
    logits, mask = case.logits.numpy(), case.bitmask.numpy()
    if case.what == "softmax":
        out = np.empty_like(logits)
        return lambda: kernels.masked_softmax(logits, mask, temperature=TEMPERATURE, out=out)
    named = {"top_k": TOP_K, "top_p": TOP_P} if case.what == "filters" else {}
    position = np.arange(len(logits))
    return lambda: kernels.masked_sample(
        logits, mask, temperature=TEMPERATURE, position=position, **named
    )


# --- torch ----------------------------------------------------------------------------------------


def _filter(logits: Tensor) -> Tensor:
    """Top-k, then top-p by sorting, as transformers' warpers do it."""
    least = torch.topk(logits, TOP_K)[0][:, -1:]
    logits = logits.masked_fill(logits < least, float("-inf"))
    ranked, order = torch.sort(logits, descending=False)
    drop = torch.softmax(ranked, -1).cumsum(-1) <= 1 - TOP_P
    drop[:, -1:] = False
    return logits.masked_fill(drop.scatter(1, order, drop), float("-inf"))


def chain(logits: Tensor, forbidden: Tensor | None, target: Tensor, what: str) -> Any:
    """Mask, temperature, softmax and draw, as stacks do it: in float32, step by step."""
    masked = logits.float()
    if forbidden is not None:
        masked = masked.masked_fill(forbidden, float("-inf"))
    if what == "loss":
        return torch.nn.functional.cross_entropy(masked, target)
    masked = masked / TEMPERATURE
    if what == "filters":
        masked = _filter(masked)
    probabilities = torch.softmax(masked, -1)
    if what == "softmax":
        return probabilities.to(logits.dtype)
    return torch.multinomial(probabilities, 1)


def packed_chain(logits: Tensor, bitmask: Tensor, target: Tensor, what: str) -> Any:
    """The same from the packed mask, which a compiler may unpack where it is read."""
    ids = torch.arange(logits.shape[1], device=logits.device)
    forbidden = ((bitmask[:, ids // 32] >> (ids % 32)) & 1) == 0
    return chain(logits, forbidden, target, what)


def _with_gradient(loss: Callable[[Tensor], Tensor], logits: Tensor) -> Run:
    wanted = logits.detach().requires_grad_()
    return lambda: torch.autograd.grad(loss(wanted), wanted)


def eager(case: Case) -> Run:
    """torch as it is; the mask is given as booleans."""
    if case.what == "loss":
        return _with_gradient(lambda x: chain(x, case.forbidden, case.target, "loss"), case.logits)
    case.forbidden  # noqa: B018 made before the clock starts
    return lambda: chain(case.logits, case.forbidden, case.target, case.what)


@cache
def _compiled(what: str) -> Any:
    return torch.compile(
        lambda logits, bitmask, target: packed_chain(logits, bitmask, target, what), dynamic=True
    )


def compiled(case: Case) -> Run:
    """torch.compile of the chain from the packed mask, for any size."""
    if case.what == "filters":
        raise Absent("sorting is not compiled")
    run = _compiled(case.what)

    def loss(logits: Tensor) -> Tensor:
        made: Tensor = run(logits, case.bitmask, case.target)
        return made

    made = (
        _with_gradient(loss, case.logits)
        if case.what == "loss"
        else lambda: run(case.logits, case.bitmask, case.target)
    )
    try:
        made()
    except Exception as error:  # no compiler, or a graph that it can't do
        raise Absent(f"torch.compile: {type(error).__name__}") from error
    return made


# --- others ---------------------------------------------------------------------------------------


def xgrammar(case: Case) -> Run:
    """xgrammar's kernel for the mask, in place, then torch."""
    try:
        import xgrammar
    except ImportError as error:
        raise Absent("not installed") from error
    if case.what == "loss":
        raise Absent("masks in place: no gradient")
    if case.logits.device.type == "cpu" and case.logits.dtype != torch.float32:
        raise Absent("float32 only on the CPU")
    scratch = case.scratch

    def run() -> Any:
        xgrammar.apply_token_bitmask_inplace(scratch, case.bitmask)
        return chain(scratch, None, case.target, case.what)

    return run


def flashinfer(case: Case) -> Run:
    """The mask by xgrammar if it is there, else by torch, then FlashInfer's kernels."""
    try:
        import flashinfer
    except ImportError as error:
        raise Absent("not installed") from error
    if case.logits.device.type != "cuda" or case.what == "loss":
        raise Absent("no kernel for this")
    scratch = case.logits.float()
    try:
        import xgrammar

        def mask() -> Tensor:
            xgrammar.apply_token_bitmask_inplace(scratch, case.bitmask)
            return scratch
    except ImportError:
        forbidden = case.forbidden

        def mask() -> Tensor:
            return scratch.masked_fill_(forbidden, float("-inf"))

    sampling = flashinfer.sampling
    if case.what == "softmax":
        return lambda: sampling.softmax(mask(), temperature=TEMPERATURE)
    if case.what == "filters":
        return lambda: sampling.top_k_top_p_sampling_from_logits(
            mask() / TEMPERATURE, TOP_K, TOP_P, filter_apply_order="top_k_first"
        )
    return lambda: sampling.sampling_from_logits(mask() / TEMPERATURE)


CONTESTANTS: dict[str, Callable[[Case], Run]] = {
    "slm": slm_backend(None),
    "slm-numpy": slm_numpy,
    "slm-triton": slm_backend("triton"),
    "slm-reference": slm_backend("reference"),
    "torch": eager,
    "torch.compile": compiled,
    "xgrammar": xgrammar,
    "flashinfer": flashinfer,
}

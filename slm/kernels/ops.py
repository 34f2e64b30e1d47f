"""The kernels as operators of torch, in the namespace ``slm``: for compilers, autograd and graphs.

`torch.library.Library` and not `custom_op`, whose calls cost several times as much. Operators have
no data-dependent shapes and never wait for the device, so they can be compiled into one graph and
captured. A parameter that is a number or a value a row is two arguments of an operator: the tensor,
used if there is one, and the number.

Gradients exist for softmax, log-softmax and cross-entropy, in the logits alone. That of the
cross-entropy is made in the forward pass, so it can't be differentiated again, and says so.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import torch
from torch import Tensor

from slm.errors import KernelArgumentError
from slm.kernels import reference
from slm.kernels.arguments import dtype_name
from slm.kernels.dispatch import choose

_library: Any = torch.library.Library("slm", "FRAGMENT")  # type: ignore[no-untyped-call]
_MASK = "Tensor logits, Tensor? bitmask, Tensor? mask_index, "
_SOFTMAX = _MASK + "Tensor? temperatures, float temperature, int limit, bool log, str backend"


def _define(name: str, schema: str, run: Any, fake: Any) -> None:
    _library.define(f"{name}({schema}", tags=(torch.Tag.pt2_compliant_tag,))
    for key in ("CPU", "CUDA", "XPU", "MPS"):
        _library.impl(name, run, key)
    torch.library.register_fake(f"slm::{name}", fake, lib=_library)


class _Cpu:
    """The C++ kernels, for tensors: they share memory by DLPack; arrays come out of them."""

    def __init__(self, module: Any) -> None:
        self._module = module

    def __getattr__(self, name: str) -> Any:
        run = getattr(self._module, name)

        def call(logits: Tensor, *values: Any) -> Any:
            made = run(logits.detach() if logits.requires_grad else logits, *values)
            if not isinstance(made, tuple):
                return None
            return tuple([None if one is None else torch.from_numpy(one) for one in made])

        return call


def _backend(logits: Tensor, backend: str) -> Any:
    module = choose(logits.device.type, dtype_name(logits.dtype), backend or None)
    if logits.shape[0] == 0:
        return reference  # nothing to launch
    return _cpu(module) if module.__name__.endswith(".cpu") else module


@cache
def _cpu(module: Any) -> _Cpu:
    return _Cpu(module)


def _pick(rows: Tensor | None, number: Any) -> Any:
    return number if rows is None else rows


def _pair(value: Any, number: Any) -> tuple[Tensor | None, Any]:
    """A number or tensor as the two arguments of an operator; ``number`` stands in for none."""
    return (value, number) if isinstance(value, Tensor) else (None, value)


def _result(logits: Tensor) -> torch.dtype:
    return torch.float64 if logits.dtype == torch.float64 else torch.float32


# --- softmax --------------------------------------------------------------------------------------


def _run_softmax_out(
    logits: Tensor, bitmask: Tensor | None, mask_index: Tensor | None,
    temperatures: Tensor | None, temperature: float, limit: int, log: bool, backend: str,
    out: Tensor,
) -> None:  # fmt: skip
    _backend(logits, backend).softmax(
        logits, bitmask, mask_index, _pick(temperatures, temperature), limit, out, log
    )


def _run_softmax(
    logits: Tensor, bitmask: Tensor | None, mask_index: Tensor | None,
    temperatures: Tensor | None, temperature: float, limit: int, log: bool, backend: str,
    out_dtype: torch.dtype,
) -> Tensor:  # fmt: skip
    out = torch.empty(logits.shape, dtype=out_dtype, device=logits.device)
    _run_softmax_out(
        logits, bitmask, mask_index, temperatures, temperature, limit, log, backend, out
    )
    return out


def _fake_softmax(logits: Tensor, *values: Any) -> Tensor:
    return torch.empty(logits.shape, dtype=values[-1], device=logits.device)


def _softmax_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
    logits, _, _, temperatures, ctx.temperature, _, ctx.log, _, _ = inputs
    ctx.dtype = logits.dtype
    ctx.save_for_backward(output, temperatures)


def _softmax_backward(ctx: Any, grad: Tensor) -> tuple[Any, ...]:
    output, temperatures = ctx.saved_tensors
    at = ctx.temperature if temperatures is None else temperatures[:, None]
    wide = torch.float64 if ctx.dtype == torch.float64 else torch.float32
    output, grad = output.to(wide), grad.to(wide)
    if ctx.log:
        legal = output > float("-inf")
        grad = torch.where(legal, grad, 0.0)
        change = torch.where(legal, (grad - output.exp() * grad.sum(-1, keepdim=True)) / at, 0.0)
    else:
        change = output * (grad - (output * grad).sum(-1, keepdim=True)) / at
    if temperatures is not None:  # the pick of a greedy row does not move
        change = torch.where(at > 0, change, 0.0)
    return change.to(ctx.dtype), *[None] * 8


_define("masked_softmax", _SOFTMAX + ", ScalarType out_dtype) -> Tensor", _run_softmax,
        _fake_softmax)  # fmt: skip
_define("masked_softmax_out", _SOFTMAX + ", Tensor(a!) out) -> ()", _run_softmax_out,
        lambda *_: None)  # fmt: skip
torch.library.register_autograd(
    "slm::masked_softmax", _softmax_backward, setup_context=_softmax_context, lib=_library
)


def softmax(
    logits: Tensor, bitmask: Tensor | None, mask_index: Tensor | None, temperature: Any, limit: int,
    out: Tensor | None, dtype: str, log: bool, backend: str | None,
) -> Tensor:  # fmt: skip
    """See `slm.kernels.functions.masked_softmax`; ``dtype`` is that of the result."""
    values = (
        logits, bitmask, mask_index, *_pair(temperature, 1.0), limit, log, backend or ""
    )  # fmt: skip
    if out is None:
        made: Tensor = torch.ops.slm.masked_softmax(*values, getattr(torch, dtype))
        return made
    torch.ops.slm.masked_softmax_out(*values, out)
    return out


# --- sample ---------------------------------------------------------------------------------------


def _run_sample(
    logits: Tensor, bitmask: Tensor | None, mask_index: Tensor | None,
    temperatures: Tensor | None, temperature: float, top_ks: Tensor | None, top_k: int | None,
    top_ps: Tensor | None, top_p: float | None, min_ps: Tensor | None, min_p: float | None,
    seeds: Tensor | None, seed: int, positions: Tensor | None, position: int, rng: str,
    legal_mass: bool, limit: int, backend: str,
) -> tuple[Tensor, ...]:  # fmt: skip
    token, logprob, lse, mass, status = _backend(logits, backend).sample(
        logits, bitmask, mask_index, _pick(temperatures, temperature), _pick(top_ks, top_k),
        _pick(top_ps, top_p), _pick(min_ps, min_p), _pick(seeds, seed), _pick(positions, position),
        rng, legal_mass, limit,
    )  # fmt: skip
    return token, logprob, lse, logprob.new_empty(0) if mass is None else mass, status


def _fake_sample(logits: Tensor, *values: Any) -> tuple[Tensor, ...]:
    batch, dtype = logits.shape[0], _result(logits)
    return (
        logits.new_empty(batch, dtype=torch.int64),
        logits.new_empty(batch, dtype=dtype),
        logits.new_empty(batch, dtype=dtype),
        logits.new_empty(batch if values[15] else 0, dtype=dtype),
        logits.new_empty(batch, dtype=torch.uint8),
    )


_define(
    "masked_sample",
    _MASK + "Tensor? temperatures, float temperature, Tensor? top_ks, int? top_k, Tensor? top_ps, "
    "float? top_p, Tensor? min_ps, float? min_p, Tensor? seeds, int seed, Tensor? positions, "
    "int position, str rng, bool legal_mass, int limit, str backend) -> "
    "(Tensor token, Tensor logprob, Tensor lse, Tensor log_legal_mass, Tensor status)",
    _run_sample,
    _fake_sample,
)


def sample(
    logits: Tensor, bitmask: Tensor | None, mask_index: Tensor | None, temperature: Any, top_k: Any,
    top_p: Any, min_p: Any, seed: Any, position: Any, rng: str, legal_mass: bool, limit: int,
    backend: str | None,
) -> tuple[Any, ...]:  # fmt: skip
    """See `slm.kernels.functions.masked_sample`."""
    if logits.requires_grad:
        logits = logits.detach()
    token, logprob, lse, mass, status = torch.ops.slm.masked_sample(
        logits, bitmask, mask_index, *_pair(temperature, 1.0), *_pair(top_k, None),
        *_pair(top_p, None), *_pair(min_p, None), *_pair(seed, 0), *_pair(position, 0), rng,
        legal_mass, limit, backend or "",
    )  # fmt: skip
    return token, logprob, lse, mass if legal_mass else None, status


# --- cross-entropy --------------------------------------------------------------------------------


def _run_loss(
    logits: Tensor, target: Tensor, bitmask: Tensor | None, mask_index: Tensor | None,
    weight: Tensor | None, ignore_index: int, legality_weight: float, limit: int, needs_grad: bool,
    backend: str,
) -> tuple[Tensor, ...]:  # fmt: skip
    grad = torch.empty_like(logits) if needs_grad else None
    loss, mass, status = _backend(logits, backend).cross_entropy(
        logits, target, bitmask, mask_index, weight, ignore_index, legality_weight, limit, grad
    )
    return loss, mass, status, logits.new_empty((0, 0)) if grad is None else grad


def _fake_loss(logits: Tensor, *values: Any) -> tuple[Tensor, ...]:
    batch, dtype = logits.shape[0], _result(logits)
    return (
        logits.new_empty(batch, dtype=dtype),
        logits.new_empty(batch, dtype=dtype),
        logits.new_empty(batch, dtype=torch.uint8),
        torch.empty_like(logits) if values[7] else logits.new_empty((0, 0)),
    )


def _loss_context(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, ...]) -> None:
    if not inputs[8]:
        raise RuntimeError("slm::masked_cross_entropy has no gradient without needs_grad=True")
    ctx.mark_non_differentiable(*output[1:])
    ctx.save_for_backward(output[3])


class _Final(torch.autograd.Function):
    """Its input; whoever differentiates that is told that it can't be done.

    Torch's own `once_differentiable` says so only where the incoming gradient has a graph: beside
    another term of the loss, this one's part of a second derivative would be left out in silence.
    """

    @staticmethod
    def forward(ctx: Any, change: Tensor) -> Tensor:  # noqa: ARG004
        return change.view_as(change)

    @staticmethod
    def backward(ctx: Any, *grad: Tensor) -> Any:  # noqa: ARG004
        raise KernelArgumentError(
            "the gradient of masked_cross_entropy is made in the forward pass and can't be "
            "differentiated again",
            argument="logits",
            hint="write the loss with masked_log_softmax",
        )


def _loss_backward(ctx: Any, grad: Tensor, *_: Any) -> tuple[Any, ...]:
    (made,) = ctx.saved_tensors
    with torch.no_grad():
        change = (made * grad[:, None]).to(made.dtype)
    if torch.is_grad_enabled():
        change = _Final.apply(change.requires_grad_())  # type: ignore[no-untyped-call]
    return change, *[None] * 9


_define(
    "masked_cross_entropy",
    "Tensor logits, Tensor target, Tensor? bitmask, Tensor? mask_index, Tensor? weight, "
    "int ignore_index, float legality_weight, int limit, bool needs_grad, str backend) -> "
    "(Tensor loss, Tensor log_legal_mass, Tensor status, Tensor grad)",
    _run_loss,
    _fake_loss,
)
torch.library.register_autograd(
    "slm::masked_cross_entropy", _loss_backward, setup_context=_loss_context, lib=_library
)


def cross_entropy(
    logits: Tensor, target: Tensor, bitmask: Tensor | None, mask_index: Tensor | None,
    weight: Tensor | None, ignore_index: int, legality_weight: float, limit: int,
    backend: str | None,
) -> tuple[Tensor, Tensor]:  # fmt: skip
    """Loss and log P(legal) of each row; see `slm.kernels.functions.masked_cross_entropy`."""
    loss, mass, _, _ = torch.ops.slm.masked_cross_entropy(
        logits, target, bitmask, mask_index, weight, ignore_index, legality_weight, limit,
        logits.requires_grad and torch.is_grad_enabled(), backend or "",
    )  # fmt: skip
    return loss, mass


# --- apply_bitmask_ -------------------------------------------------------------------------------


def _run_apply(
    logits: Tensor, bitmask: Tensor, mask_index: Tensor | None, limit: int, backend: str
) -> None:
    _backend(logits, backend).apply_bitmask(logits, bitmask, mask_index, limit)


_define(
    "apply_bitmask_",
    "Tensor(a!) logits, Tensor bitmask, Tensor? mask_index, int limit, str backend) -> ()",
    _run_apply,
    lambda *_: None,
)


def apply_bitmask(
    logits: Tensor, bitmask: Tensor, mask_index: Tensor | None, limit: int, backend: str | None
) -> None:
    """See `slm.kernels.functions.apply_bitmask_`."""
    torch.ops.slm.apply_bitmask_(logits, bitmask, mask_index, limit, backend or "")

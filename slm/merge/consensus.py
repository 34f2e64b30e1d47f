"""Merges whose shares follow from the weights themselves: model stock, and SCE."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations

import torch

from slm.merge.trimming import largest

Tensor = torch.Tensor


def model_stock(base: Tensor, tensors: Sequence[Tensor], *, filter_wise: bool = False) -> Tensor:
    """Between the base and the mean of its fine-tunings, as far as these agree.

    With N fine-tunings and the mean cosine c between their differences from the base, the result is
    t · mean + (1 - t) · base with t = N c / (1 + (N - 1) c).

    Args:
        base: float32 or float64.
        tensors: two or more; overwritten to save memory.
        filter_wise: one t a row (along the last dimension) instead of one a tensor.

    Source: Jang et al. 2024, "Model Stock", arXiv 2403.19522.
    """
    shape, count = base.shape, len(tensors)
    flat = (1, -1) if not filter_wise or base.dim() < 2 else shape
    start = base.reshape(flat)
    mean = torch.zeros_like(start)
    for tensor in tensors:
        mean += tensor.reshape(flat)
    mean /= count
    deltas = [tensor.sub_(base).reshape(flat) for tensor in tensors]
    cosines = []
    for one, other in combinations(deltas, 2):
        lengths = torch.linalg.vector_norm(one, dim=-1) * torch.linalg.vector_norm(other, dim=-1)
        cosines.append(((one * other).sum(-1) / lengths.clamp(min=1e-6)).clamp(-1, 1))
    cosine = torch.stack(cosines).mean(0).unsqueeze(-1)
    divisor = 1 + (count - 1) * cosine
    opposed = divisor.abs() < 1e-6  # no t is the best one: stay with the base
    share = (count * cosine / divisor.masked_fill(opposed, 1.0)).masked_fill(opposed, 0.0)
    return mean.mul_(share).add_((1 - share) * start).reshape(shape)


def sce(base: Tensor, tensors: Sequence[Tensor], *, select: float = 1.0) -> Tensor:
    """Select, calculate, erase: the entries that vary most, weighted by energy, of one sign.

    Select: keep the share `select` of entries whose differences from the base vary most among the
    models (of those that vary at all). Calculate: a model's weight is its share of the sum of
    squares. Erase: drop the differences whose sign is not that of the sum.

    Args:
        base: float32 or float64; overwritten, like `tensors`, to save memory.
        tensors: fine-tuned versions of it.
        select: share of entries, in [0, 1].

    Source: Wan et al. 2024, "FuseChat", arXiv 2408.07990.
    """
    if not tensors:
        return base
    deltas = [tensor.sub_(base) for tensor in tensors]
    if select < 1:
        kept = _most_varying(deltas, select)
        for delta in deltas:
            delta.mul_(kept)
    energies = [float(delta.square().mean()) for delta in deltas]
    energy = sum(energies)
    weights = [e / energy if energy >= 1e-6 else 1 / len(energies) for e in energies]
    positive = sum(deltas[1:], deltas[0]) >= 0
    total, divisor = torch.zeros_like(base), torch.zeros_like(base)
    for delta, weight in zip(deltas, weights, strict=True):
        agrees = torch.where(positive, delta > 0, delta < 0)
        total.add_(delta.mul_(agrees), alpha=weight)
        divisor.add_(agrees, alpha=weight)
    return base.add_(total.div_(divisor.clamp_(min=1e-6)))


def _most_varying(deltas: Sequence[Tensor], select: float) -> Tensor:
    mean = sum(deltas[1:], deltas[0]) / len(deltas)
    variance = torch.zeros_like(mean)
    for delta in deltas:
        variance += (delta - mean).square_()
    variance /= len(deltas)
    count = int(torch.count_nonzero(variance) * select) if select > 0 else 0
    return largest(variance, count)

"""Merges whose shares follow from the weights themselves: model stock, and SCE."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations

import torch

Tensor = torch.Tensor


def model_stock(base: Tensor, tensors: Sequence[Tensor], *, filter_wise: bool = False) -> Tensor:
    """Between the base and the mean of its fine-tunings, as far as these agree.

    With N fine-tunings and the mean cosine c between their differences from the base, the result is
    t · mean + (1 - t) · base with t = N c / (1 + (N - 1) c).

    Args:
        base: float32 or float64.
        tensors: two or more.
        filter_wise: one t a row (along the last dimension) instead of one a tensor.

    Source: Jang et al. 2024, "Model Stock", arXiv 2403.19522.
    """
    shape = base.shape
    flat = (1, -1) if not filter_wise or base.dim() < 2 else shape
    start = base.reshape(flat)
    deltas = [tensor.reshape(flat) - start for tensor in tensors]
    cosines = []
    for one, other in combinations(deltas, 2):
        lengths = torch.linalg.vector_norm(one, dim=-1) * torch.linalg.vector_norm(other, dim=-1)
        cosines.append(((one * other).sum(-1) / lengths.clamp(min=1e-6)).clamp(-1, 1))
    cosine = torch.stack(cosines).mean(0).unsqueeze(-1)
    count = len(deltas)
    divisor = 1 + (count - 1) * cosine
    opposed = divisor.abs() < 1e-6  # no t is the best one: stay with the base
    share = (count * cosine / divisor.masked_fill(opposed, 1.0)).masked_fill(opposed, 0.0)
    mean = torch.stack(list(tensors)).sum(0).reshape(flat) / count
    return (share * mean + (1 - share) * start).reshape(shape)


def sce(base: Tensor, tensors: Sequence[Tensor], *, select: float = 1.0) -> Tensor:
    """Select, calculate, erase: the entries that vary most, weighted by energy, of one sign.

    Select: keep the share `select` of entries whose differences from the base vary most among the
    models (of those that vary at all). Calculate: a model's weight is its share of the sum of
    squares. Erase: drop the differences whose sign is not that of the sum.

    Args:
        base: float32 or float64.
        tensors: fine-tuned versions of it.
        select: share of entries, in [0, 1].

    Source: Wan et al. 2024, "FuseChat", arXiv 2408.07990.
    """
    if not tensors:
        return base
    deltas = torch.stack([tensor - base for tensor in tensors])
    if select < 1:
        deltas = deltas * _most_varying(deltas, select)
    energy = deltas.square().reshape(len(tensors), -1).mean(1)
    total = float(energy.sum())
    even = torch.full_like(energy, 1 / len(tensors))
    weights = even if abs(total) < 1e-6 else energy / total
    positive = deltas.sum(0) >= 0
    agrees = torch.where(positive, deltas > 0, deltas < 0)
    shares = weights.reshape(-1, *[1] * base.dim()) * agrees
    return base + (deltas * shares).sum(0) / shares.sum(0).clamp(min=1e-6)


def _most_varying(deltas: Tensor, select: float) -> Tensor:
    variance = deltas.var(0, unbiased=False)
    count = int(torch.count_nonzero(variance) * select) if select > 0 else 0
    mask = torch.zeros(variance.numel(), dtype=deltas.dtype)
    order = torch.argsort(variance.reshape(-1), descending=True, stable=True)
    mask[order[:count]] = 1
    return mask.reshape(variance.shape)

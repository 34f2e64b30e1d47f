"""Soups: the mean of weights."""

from __future__ import annotations

from collections.abc import Sequence

import torch

Tensor = torch.Tensor


def linear(tensors: Sequence[Tensor], weights: Sequence[float], *, normalize: bool) -> Tensor:
    """Σ wᵢ xᵢ, divided by Σ wᵢ if `normalize`.

    Args:
        tensors: alike in shape, float32 or float64.
        weights: one a tensor.
        normalize: whether to divide. The plan refuses weights whose sum is zero then.

    Returns:
        A tensor of the same shape and type.

    Cost: one pass over each tensor.
    Source: Wortsman et al. 2022, "Model soups", arXiv 2203.05482.
    """
    total = torch.zeros_like(tensors[0])
    for tensor, weight in zip(tensors, weights, strict=True):
        total.add_(tensor, alpha=weight)
    return total.div_(sum(weights)) if normalize else total

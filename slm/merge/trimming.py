"""Trimming a difference of weights: which entries are kept, by size or by chance."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch

Tensor = torch.Tensor
Draw = Callable[[tuple[int, ...]], Tensor]


@dataclass(frozen=True, slots=True)
class Trim:
    """How a difference is trimmed.

    Attributes:
        kind: ``""`` nothing is dropped; ``"magnitude"`` the largest entries are kept (TIES);
            ``"random"`` each is kept by chance (DARE); ``"outliers"`` the largest are dropped too
            (breadcrumbs); ``"ranked"`` larger ones are likelier to be kept (DELLA).
        density: share that is kept.
        rescale: multiply what is kept so that the L1 norm is what it was. (The DARE paper divides
            by the density instead, which is the same in expectation.)
        gamma: share of largest entries that ``"outliers"`` drops.
        epsilon: ``"ranked"`` keeps entries with probabilities from density - epsilon, for the
            smallest of a row, to density + epsilon, for the largest.
    """

    kind: str
    density: float = 1.0
    rescale: bool = False
    gamma: float = 0.01
    epsilon: float = 0.15


def trim_delta(delta: Tensor, how: Trim, draw: Draw) -> Tensor:
    """A trimmed copy of a difference.

    Args:
        delta: float32 or float64, any shape.
        how: see `Trim`.
        draw: uniform random numbers in [0, 1) of a shape.

    Cost: a sort of all entries (of each row for ``"ranked"``), or one pass for ``"random"``.
    """
    if not how.kind or how.density >= 1:
        return delta.clone()
    keep = _CHOICES[how.kind](delta, how, draw)
    kept = delta * keep
    if how.rescale:
        before, after = float(delta.abs().sum()), float(kept.abs().sum())
        if min(before, after) >= 1e-7:
            kept *= before / after
    return kept


def _largest(delta: Tensor, how: Trim, draw: Draw) -> Tensor:
    """At least one entry, unless the density is zero; of equal ones, the first."""
    del draw
    count = max(1, int(how.density * delta.numel())) if how.density > 0 and delta.numel() else 0
    order = torch.argsort(delta.abs().reshape(-1), descending=True, stable=True)
    return _chosen(delta, order[:count])


def _without_outliers(delta: Tensor, how: Trim, draw: Draw) -> Tensor:
    """The density decides: where it leaves no room, fewer outliers are dropped."""
    del draw
    count, dropped = int(how.density * delta.numel()), int(how.gamma * delta.numel())
    first = max(0, delta.numel() - count - dropped)
    order = torch.argsort(delta.abs().reshape(-1), stable=True)
    return _chosen(delta, order[first : first + count])


def _by_chance(delta: Tensor, how: Trim, draw: Draw) -> Tensor:
    return draw(tuple(delta.shape)) < how.density


def _by_rank(delta: Tensor, how: Trim, draw: Draw) -> Tensor:
    """Ranks are within a row: along dimension 1, or of all entries of a vector."""
    rows = delta if delta.dim() >= 2 else delta.reshape(1, -1)
    if how.density <= 0:
        return torch.zeros_like(delta, dtype=torch.bool)
    ranks = rows.abs().argsort(dim=1).argsort(dim=1).to(delta.dtype)
    span = max(1, rows.shape[1] - 1)
    chances = (how.density - how.epsilon) + ranks / span * 2 * how.epsilon
    return (draw(tuple(rows.shape)) < chances).reshape(delta.shape)


def _chosen(delta: Tensor, indices: Tensor) -> Tensor:
    mask = torch.zeros(delta.numel(), dtype=torch.bool)
    mask[indices] = True
    return mask.reshape(delta.shape)


_CHOICES: dict[str, Callable[[Tensor, Trim, Draw], Tensor]] = {
    "magnitude": _largest,
    "random": _by_chance,
    "outliers": _without_outliers,
    "ranked": _by_rank,
}

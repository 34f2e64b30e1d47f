"""Trimming a difference of weights: which entries are kept, by size or by chance."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
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
    """Trim a difference in place, and give it back.

    Args:
        delta: float32 or float64, any shape.
        how: see `Trim`.
        draw: uniform random numbers in [0, 1) of a shape.

    Cost: linear; ``"ranked"`` sorts each row.
    """
    if not how.kind or how.density >= 1:
        return delta
    keep = _CHOICES[how.kind](delta, how, draw)
    before = float(torch.linalg.vector_norm(delta, 1)) if how.rescale else 0.0
    delta.mul_(keep)
    if how.rescale:
        after = float(torch.linalg.vector_norm(delta, 1))
        if min(before, after) >= 1e-7:
            delta.mul_(before / after)
    return delta


def largest(values: Tensor, count: int) -> Tensor:
    """Which are the `count` largest values, as a mask; of equal ones, the first.

    Cost: linear, and memory of one copy; a sort would need several.
    """
    if count <= 0:
        return torch.zeros_like(values, dtype=torch.bool)
    if count >= values.numel():
        return torch.ones_like(values, dtype=torch.bool)
    flat = values.reshape(-1).numpy()
    last = np.partition(flat, flat.size - count)[flat.size - count]
    mask = flat > last
    missing = count - int(np.count_nonzero(mask))
    mask[np.flatnonzero(flat == last)[:missing]] = True
    return torch.from_numpy(mask).reshape(values.shape)


def _largest(delta: Tensor, how: Trim, draw: Draw) -> Tensor:
    """At least one entry, unless the density is zero; of equal ones, the first."""
    del draw
    count = max(1, int(how.density * delta.numel())) if how.density > 0 and delta.numel() else 0
    return largest(delta.abs(), count)


def _without_outliers(delta: Tensor, how: Trim, draw: Draw) -> Tensor:
    """The density decides: where it leaves no room, fewer outliers are dropped."""
    del draw
    count, dropped = int(how.density * delta.numel()), int(how.gamma * delta.numel())
    first = max(0, delta.numel() - count - dropped)
    opposite = -delta.abs()
    return largest(opposite, first + count) & ~largest(opposite, first)


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


_CHOICES: dict[str, Callable[[Tensor, Trim, Draw], Tensor]] = {
    "magnitude": _largest,
    "random": _by_chance,
    "outliers": _without_outliers,
    "ranked": _by_rank,
}

"""Interpolation along arcs: slerp of two tensors, the Karcher mean of several.

Weights are taken as points on a sphere (their direction) with a length. Going straight from one to
the other shortens what lies between; going along the arc does not. Where the two directions are
nearly the same, or opposite, the arc is not determined, and the straight line is taken.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch

Tensor = torch.Tensor
_PARALLEL = 0.9995  # beyond this cosine the arc is as good as straight


def slerp(t: float, start: Tensor, end: Tensor) -> Tensor:
    """The point at share `t` of the arc from `start` to `end`, each tensor taken as one vector.

    The coefficients sin((1 - t)θ)/sin θ and sin(tθ)/sin θ of the angle θ between the two directions
    are applied to the tensors as they are, lengths and all.

    Args:
        t: 0 gives `start`, 1 gives `end`.
        start: float32 or float64.
        end: alike.

    Cost: three passes over both.
    Source: Shoemake 1985, "Animating rotation with quaternion curves".

    >>> slerp(0.5, torch.tensor([1.0, 0.0]), torch.tensor([0.0, 1.0]))
    tensor([0.7071, 0.7071])
    """
    cosine = _cosine(start, end)
    if abs(cosine) > _PARALLEL:
        return (1 - t) * start + t * end
    angle = math.acos(cosine)
    first, second = math.sin((1 - t) * angle), math.sin(t * angle)
    return (start * (first / math.sin(angle))).add_(end, alpha=second / math.sin(angle))


def nuslerp(
    first: Tensor,
    second: Tensor,
    weights: Sequence[float],
    *,
    base: Tensor | None = None,
    flatten: bool = True,
    row_wise: bool = False,
) -> Tensor:
    """Slerp with weights instead of `t`, of whole tensors or of their rows or columns.

    Args:
        first: float32 or float64.
        second: alike.
        weights: of the two; `t` is the second's share of their sum (a half if that is zero).
        base: if given, it is the two differences from it that are interpolated.
        flatten: take each tensor as one vector.
        row_wise: otherwise, take vectors along the first dimension and not along the last.

    Source: Shoemake 1985; normalised per vector as mergekit's NuSLERP is observed to do.
    """
    total = sum(weights)
    t = 0.5 if abs(total) < 1e-6 else weights[1] / total
    if base is not None:
        first, second = first - base, second - base
    shape = first.shape
    if flatten:
        mixed = _arcs(t, first.reshape(1, -1), second.reshape(1, -1)).reshape(shape)
    elif row_wise:
        mixed = _arcs(t, first.transpose(0, -1), second.transpose(0, -1)).transpose(0, -1)
    else:
        mixed = _arcs(t, first, second)
    return mixed if base is None else base + mixed


def karcher(tensors: Sequence[Tensor], *, steps: int, tolerance: float) -> Tensor:
    """The mean direction on the sphere, times the mean length.

    The mean direction has the least sum of squared arc lengths to all; it is found by going, again
    and again, along the mean of the tangents that lead to each tensor.

    Args:
        tensors: float32 or float64; tensors of zeros have no direction and count for length only.
        steps: how often at most.
        tolerance: a tangent shorter than this ends it.

    Cost: about two passes over each tensor a step.
    Source: Karcher 1977, "Riemannian center of mass and mollifier smoothing".
    """
    if len(tensors) == 1:
        return tensors[0]
    lengths = [float(torch.linalg.vector_norm(tensor)) for tensor in tensors]
    units = [
        tensor / length
        for tensor, length in zip(tensors, lengths, strict=True)
        if length > tolerance
    ]
    if not units:
        return torch.zeros_like(tensors[0])
    mean = torch.zeros_like(units[0])
    for unit in units:
        mean += unit / len(units)
    size = float(torch.linalg.vector_norm(mean))
    mean = units[0].clone() if size < tolerance else mean / size
    for _ in range(steps):
        tangent = torch.zeros_like(mean)
        for unit in units:
            cosine = (mean * unit).sum().clamp(-1, 1)
            angle = torch.acos(cosine)
            if float(angle) >= tolerance:
                tangent += (angle / torch.sin(angle) / len(units)) * (unit - cosine * mean)
        size = float(torch.linalg.vector_norm(tangent))
        if size < tolerance:
            break
        mean = math.cos(size) * mean + (math.sin(size) / size) * tangent
        mean /= torch.linalg.vector_norm(mean).clamp(min=tolerance)
    return mean * (sum(lengths) / len(lengths))


def _cosine(first: Tensor, second: Tensor) -> float:
    """Of the angle between two tensors; 0 where one has no direction. Summed in float64."""
    products = [0.0, 0.0, 0.0]
    x, y = first.reshape(-1), second.reshape(-1)
    for at in range(0, x.numel(), 1 << 20):  # in pieces, as float64 takes twice the memory
        a, b = x[at : at + (1 << 20)].double(), y[at : at + (1 << 20)].double()
        for number, (p, q) in enumerate(((a, b), (a, a), (b, b))):
            products[number] += float(p @ q)
    lengths = math.sqrt(products[1]) * math.sqrt(products[2])
    return max(-1.0, min(1.0, products[0] / lengths)) if lengths > 1e-16 else 0.0


def _arcs(t: float, first: Tensor, second: Tensor) -> Tensor:
    """Slerp of each pair of vectors along the last dimension."""

    def unit(x: Tensor) -> Tensor:
        lengths: Tensor = torch.linalg.vector_norm(x, dim=-1, keepdim=True)
        return x / lengths.clamp(min=1e-7)

    cosine = (unit(first) * unit(second)).sum(-1, keepdim=True).clamp(-1, 1)
    straight = 1 - cosine.square() <= 1e-16
    angle = torch.acos(cosine.masked_fill(straight, 0.0))
    mixed = torch.sin((1 - t) * angle) * first + torch.sin(t * angle) * second
    arc: Tensor = torch.where(straight, (1 - t) * first + t * second, mixed / torch.sin(angle))
    return arc

"""Every merge method again, element by element in plain Python: slow, to be read beside the papers.

A tensor is a flat list of numbers here. `rows` in the shape-aware methods is a list of lists.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from itertools import combinations

Vector = list[float]


def dot(a: Vector, b: Vector) -> float:
    """The inner product."""
    return math.fsum(x * y for x, y in zip(a, b, strict=True))


def length(a: Vector) -> float:
    """The Euclidean norm."""
    return math.sqrt(dot(a, a))


def minus(a: Vector, b: Vector) -> Vector:
    """The difference."""
    return [x - y for x, y in zip(a, b, strict=True)]


def combine(shares: Sequence[float], vectors: Sequence[Vector]) -> Vector:
    """A weighted sum."""
    return [
        math.fsum(s * x for s, x in zip(shares, column, strict=True))
        for column in zip(*vectors, strict=True)
    ]


def linear(vectors: Sequence[Vector], weights: Sequence[float], *, normalize: bool) -> Vector:
    """Wortsman et al. 2022."""
    total = math.fsum(weights) if normalize else 1.0
    return [x / total for x in combine(weights, vectors)]


def slerp(t: float, a: Vector, b: Vector, *, straight_above: float = 0.9995) -> Vector:
    """Shoemake 1985; the straight line where the directions are nearly the same or opposite."""
    la, lb = length(a), length(b)
    cosine = dot(a, b) / (la * lb) if la and lb else 0.0
    cosine = max(-1.0, min(1.0, cosine))
    if abs(cosine) > straight_above:
        return combine([1 - t, t], [a, b])
    theta = math.acos(cosine)
    return combine(
        [math.sin((1 - t) * theta) / math.sin(theta), math.sin(t * theta) / math.sin(theta)], [a, b]
    )


def karcher(vectors: Sequence[Vector], steps: int) -> Vector:
    """Karcher 1977: gradient descent on the sphere, then the mean length."""
    units = [[x / length(v) for x in v] for v in vectors]
    mean = combine([1 / len(units)] * len(units), units)
    mean = [x / length(mean) for x in mean]
    for _ in range(steps):
        tangent = [0.0] * len(mean)
        for unit in units:
            cosine = max(-1.0, min(1.0, dot(mean, unit)))
            angle = math.acos(cosine)
            if angle < 1e-9:
                continue
            away = combine([1.0, -cosine], [unit, mean])
            tangent = combine([1.0, angle / math.sin(angle) / len(units)], [tangent, away])
        size = length(tangent)
        if size < 1e-12:
            break
        mean = combine([math.cos(size), math.sin(size) / size], [mean, tangent])
    return [x * math.fsum(length(v) for v in vectors) / len(vectors) for x in mean]


def keep_largest(delta: Vector, density: float) -> list[bool]:
    """TIES: the largest entries; of equal ones, the first."""
    if density >= 1:
        return [True] * len(delta)
    count = max(1, int(density * len(delta))) if density > 0 else 0
    order = sorted(range(len(delta)), key=lambda i: (-abs(delta[i]), i))
    return [i in set(order[:count]) for i in range(len(delta))]


def keep_middle(delta: Vector, density: float, gamma: float) -> list[bool]:
    """Breadcrumbs: neither the smallest nor the largest."""
    if density >= 1:
        return [True] * len(delta)
    n = len(delta)
    count, first = int(density * n), max(0, n - int(density * n) - int(gamma * n))
    order = sorted(range(n), key=lambda i: (abs(delta[i]), i))
    return [i in set(order[first : first + count]) for i in range(n)]


def chances_by_rank(row: Vector, density: float, epsilon: float) -> Vector:
    """DELLA: from density - epsilon for the smallest to density + epsilon for the largest."""
    order = sorted(range(len(row)), key=lambda i: abs(row[i]))
    rank = {i: r for r, i in enumerate(order)}
    span = max(1, len(row) - 1)
    return [density - epsilon + 2 * epsilon * rank[i] / span for i in range(len(row))]


def deltas_added(
    base: Vector,
    models: Sequence[Vector],
    weights: Sequence[float],
    keep: Callable[[int, Vector], list[bool]],
    *,
    elect: bool,
    normalize: bool,
    rescale: bool,
    scale: float,
) -> Vector:
    """Task arithmetic, TIES, DARE, DELLA, breadcrumbs: entry by entry."""
    trimmed = []
    for number, model in enumerate(models):
        delta = minus(model, base)
        mask = keep(number, delta)
        kept = [x if m else 0.0 for x, m in zip(delta, mask, strict=True)]
        before, after = math.fsum(map(abs, delta)), math.fsum(map(abs, kept))
        if rescale and not all(mask) and min(before, after) >= 1e-7:
            kept = [x * before / after for x in kept]
        trimmed.append(kept)
    result = []
    for i, origin in enumerate(base):
        parts = [w * d[i] for w, d in zip(weights, trimmed, strict=True)]
        used = list(range(len(parts)))
        if elect:
            sign = 1 if math.fsum(parts) >= 0 else -1
            used = [k for k in used if parts[k] * sign > 0]
        total = math.fsum(parts[k] for k in used)
        divisor = math.fsum(weights[k] for k in used)
        if normalize and abs(divisor) > 1e-8:
            total /= divisor
        result.append(origin + scale * total)
    return result


def model_stock(base: Vector, models: Sequence[Vector]) -> Vector:
    """Jang et al. 2024, equation 1 and its general form for N models."""
    deltas = [minus(model, base) for model in models]
    pairs = list(combinations(deltas, 2))
    cosine = math.fsum(dot(a, b) / max(1e-6, length(a) * length(b)) for a, b in pairs) / len(pairs)
    n = len(models)
    t = n * cosine / (1 + (n - 1) * cosine)
    mean = combine([1 / n] * n, models)
    return combine([t, 1 - t], [mean, base])


def sce(base: Vector, models: Sequence[Vector], select: float) -> Vector:
    """Wan et al. 2024: select by variance, weigh by energy, erase minority signs."""
    deltas = [minus(model, base) for model in models]
    columns = list(zip(*deltas, strict=True))
    means = [math.fsum(c) / len(c) for c in columns]
    variance = [
        math.fsum((x - m) ** 2 for x in c) / len(c) for c, m in zip(columns, means, strict=True)
    ]
    if select < 1:
        count = int(sum(v > 0 for v in variance) * select)
        order = sorted(range(len(base)), key=lambda i: (-variance[i], i))
        chosen = set(order[:count])
        deltas = [[x if i in chosen else 0.0 for i, x in enumerate(d)] for d in deltas]
    energy = [math.fsum(x * x for x in d) / len(d) for d in deltas]
    total = math.fsum(energy)
    shares = [e / total if total >= 1e-6 else 1 / len(energy) for e in energy]
    result = []
    for i, origin in enumerate(base):
        sign = 1 if math.fsum(d[i] for d in deltas) >= 0 else -1
        used = [k for k, d in enumerate(deltas) if d[i] * sign > 0]
        weight = max(1e-6, math.fsum(shares[k] for k in used))
        result.append(origin + math.fsum(shares[k] * deltas[k][i] for k in used) / weight)
    return result

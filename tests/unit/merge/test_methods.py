"""Each merge method against its slow twin in float64, and what its paper promises."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

pytest.importorskip("torch")

import torch

from slm.merge import consensus, soups, spheres
from slm.merge.methods import METHODS, Group
from slm.merge.trimming import Trim, trim_delta
from tests.unit.merge import twins
from tests.unit.merge.mergekit_oracle import uniform

# Numbers on a coarse grid, apart enough that signs and orders are the same in every summation.
NUMBERS = st.integers(-40, 40).map(lambda n: n / 8)
SHARES = st.sampled_from([0.1, 0.25, 0.5, 0.7, 0.9, 1.0])
WEIGHTS = st.sampled_from([0.25, 0.5, 1.0, 1.5])


def vectors(count: int, size: int = 12) -> st.SearchStrategy[list[list[float]]]:
    """So many vectors of one size."""
    one = st.lists(NUMBERS, min_size=size, max_size=size)
    return st.lists(one, min_size=count, max_size=count)


def tensor(values: list[float]) -> Any:
    """A (3, 4) tensor in float64."""
    return torch.tensor(values, dtype=torch.float64).reshape(3, 4)


def close(ours: Any, twin: list[float]) -> bool:
    """Equal up to rounding."""
    return bool(
        torch.allclose(
            ours.reshape(-1), torch.tensor(twin, dtype=torch.float64), atol=1e-9, rtol=1e-9
        )
    )


def run(method: str, base: list[float] | None, models: list[list[float]], **values: Any) -> Any:
    """Run a method with its defaults, `values` set over them; lists are one value a model."""
    shared, each = {}, {}
    for name, parameter in METHODS[method].parameters.items():
        value = values.get(name.replace("lambda", "scale"), parameter.default)
        if parameter.each:
            each[name] = value if isinstance(value, list) else [value] * len(models)
        else:
            shared[name] = value
    group = Group(
        [tensor(m) for m in models],
        None if base is None else tensor(base),
        0,
        shared,
        each,
        lambda shape: uniform(shape),
    )
    return METHODS[method].run(group)


@given(vectors(3), st.lists(WEIGHTS, min_size=3, max_size=3), st.booleans())
def test_linear(models: list[list[float]], weights: list[float], normalize: bool) -> None:
    """The weighted sum, divided by the weights or not."""
    ours = soups.linear([tensor(m) for m in models], weights, normalize=normalize)
    assert close(ours, twins.linear(models, weights, normalize=normalize))


@given(vectors(2), st.floats(0, 1))
def test_slerp(models: list[list[float]], t: float) -> None:
    """The point on the arc; its ends are the two tensors."""
    start, end = map(tensor, models)
    assert close(spheres.slerp(t, start, end), twins.slerp(t, *models))
    assert close(spheres.slerp(0.0, start, end), models[0])
    assert close(spheres.slerp(1.0, start, end), models[1])


@given(vectors(2), st.lists(WEIGHTS, min_size=2, max_size=2))
def test_nuslerp(models: list[list[float]], weights: list[float]) -> None:
    """As slerp with the second's share of the weights, of whole tensors, rows and columns."""
    start, end = map(tensor, models)
    t = weights[1] / sum(weights)

    def twin(pairs: list[tuple[Any, Any]]) -> Any:
        rows = [twins.slerp(t, a.tolist(), b.tolist(), straight_above=1 - 1e-12) for a, b in pairs]
        return torch.tensor(rows, dtype=torch.float64)

    whole = twin([(start.reshape(-1), end.reshape(-1))]).reshape(3, 4)
    rows = twin(list(zip(start, end, strict=True)))
    columns = twin(list(zip(start.T, end.T, strict=True))).T
    for expected, options in (
        (whole, {}),
        (rows, {"flatten": False}),
        (columns, {"flatten": False, "row_wise": True}),
    ):
        assert torch.allclose(spheres.nuslerp(start, end, weights, **options), expected, atol=1e-6)


@given(vectors(3))
def test_karcher(models: list[list[float]]) -> None:
    """The mean of directions, with the mean length, where the vectors are not far apart."""
    near = [[x + 6 for x in model] for model in models]
    ours = spheres.karcher([tensor(m) for m in near], steps=60, tolerance=1e-12)
    assert torch.allclose(
        ours.reshape(-1), torch.tensor(twins.karcher(near, 60), dtype=torch.float64), atol=1e-6
    )
    lengths = [twins.length(m) for m in near]
    assert math.isclose(float(ours.norm()), sum(lengths) / 3, rel_tol=1e-9)


@given(
    vectors(3),
    st.lists(WEIGHTS, min_size=2, max_size=2),
    st.lists(SHARES, min_size=2, max_size=2),
    st.booleans(),
    st.booleans(),
    st.sampled_from(["ties", "breadcrumbs", "breadcrumbs_ties", "task_arithmetic"]),
)
def test_trimmed_sums(
    parts: list[list[float]],
    weights: list[float],
    densities: list[float],
    normalize: bool,
    rescale: bool,
    method: str,
) -> None:
    """Entries kept by size, signs elected by weighted sum, what remains added to the base."""
    base, *models = parts
    gamma = 0.1

    def keep(number: int, delta: list[float]) -> list[bool]:
        if method == "ties":
            return twins.keep_largest(delta, densities[number])
        if method == "task_arithmetic":
            return [True] * len(delta)
        return twins.keep_middle(delta, densities[number], gamma)

    ours = run(
        method,
        base,
        models,
        weight=weights,
        density=densities,
        gamma=gamma,
        normalize=normalize,
        rescale=rescale,
        scale=0.8,
    )
    elect = method in ("ties", "breadcrumbs_ties")
    twin = twins.deltas_added(
        base, models, weights, keep, elect=elect, normalize=normalize, rescale=rescale, scale=0.8
    )
    assert close(ours, twin)


@given(
    vectors(3),
    st.lists(st.sampled_from([0.3, 0.5, 0.7, 1.0]), min_size=2, max_size=2),
    st.booleans(),
    st.sampled_from(["dare_linear", "dare_ties", "della", "della_linear"]),
)
def test_random_trims_with_the_same_masks(
    parts: list[list[float]], densities: list[float], rescale: bool, method: str
) -> None:
    """Given the random numbers, the masks are the papers'; large entries are likelier in DELLA."""
    base, *models = parts
    rows = [[abs(x - y) for x, y in zip(m, base, strict=True)] for m in models]
    if method.startswith("della"):  # equal entries have no order of rank
        assume(all(len(set(r[i : i + 4])) == 4 for r in rows for i in (0, 4, 8)))
    draws = uniform((3, 4)).reshape(-1).tolist()

    def keep(number: int, delta: list[float]) -> list[bool]:
        density = densities[number]
        if density >= 1:
            return [True] * len(delta)
        chances = [density] * len(delta)
        if method.startswith("della"):
            chances = [
                c for i in (0, 4, 8) for c in twins.chances_by_rank(delta[i : i + 4], density, 0.15)
            ]
        return [u < c for u, c in zip(draws, chances, strict=True)]

    normalize = method == "della"
    ours = run(method, base, models, weight=[1.0, 0.5], density=densities, rescale=rescale)
    twin = twins.deltas_added(
        base,
        models,
        [1.0, 0.5],
        keep,
        elect=method in ("dare_ties", "della"),
        normalize=normalize,
        rescale=rescale,
        scale=1.0,
    )
    assert close(ours, twin)


@given(vectors(4))
def test_model_stock(parts: list[list[float]]) -> None:
    """The interpolation of the paper, where the fine-tunings are not exactly opposed."""
    base, *models = parts
    deltas = [twins.minus(m, base) for m in models]
    assume(all(twins.length(d) > 0.5 for d in deltas))
    cosines = [
        twins.dot(a, b) / twins.length(a) / twins.length(b)
        for i, a in enumerate(deltas)
        for b in deltas[i + 1 :]
    ]
    assume(abs(1 + 2 * sum(cosines) / 3) > 1e-3)
    ours = consensus.model_stock(tensor(base), [tensor(m) for m in models])
    assert close(ours, twins.model_stock(base, models))


@given(vectors(4), st.sampled_from([0.0, 0.3, 0.6, 1.0]))
def test_sce(parts: list[list[float]], select: float) -> None:
    """Select, calculate, erase; where equal variances leave a choice, the first entries win."""
    base, *models = parts
    columns = zip(*(twins.minus(m, base) for m in models), strict=True)
    spread = [sum(x * x for x in c) - sum(c) ** 2 / 3 for c in columns]
    assume(all(abs(a - b) > 1e-9 for i, a in enumerate(spread) for b in spread[i + 1 :]))
    ours = consensus.sce(tensor(base), [tensor(m) for m in models], select=select)
    assert close(ours, twins.sce(base, models, select))


@pytest.mark.parametrize("kind", ["random", "ranked"])
def test_random_masks_have_their_density(kind: str) -> None:
    """The share of kept entries is the density, and the L1 norm is kept by rescaling."""
    generator = torch.Generator().manual_seed(1)
    delta = torch.randn(200, 500, generator=generator, dtype=torch.float64)
    how = Trim(kind, density=0.3, rescale=True, epsilon=0.1)
    kept = trim_delta(delta.clone(), how, lambda s: torch.rand(s, generator=generator).double())
    assert abs(float((kept != 0).double().mean()) - 0.3) < 0.005
    assert math.isclose(float(kept.abs().sum()), float(delta.abs().sum()), rel_tol=1e-12)
    if kind == "ranked":  # the upper half of each row is kept more often
        large = delta.abs() > delta.abs().median(dim=1, keepdim=True).values
        share = (kept != 0)[large].double().mean() - (kept != 0)[~large].double().mean()
        assert 0.08 < float(share) < 0.12


@pytest.mark.parametrize("method", METHODS)
def test_one_model_is_a_fixed_point(method: str) -> None:
    """Copies of one model merge to that model, whatever the method."""
    model = [float(n) for n in range(1, 13)]
    count = 3 if method == "karcher" else METHODS[method].most or 3
    base = model if METHODS[method].base == "needed" else None
    ours = run(method, base, [model] * count, weight=1.0, density=0.5, t=0.3, scale=1.0)
    assert close(ours, model)

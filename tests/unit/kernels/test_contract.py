"""What every backend promises, checked against numbers worked out apart (judge.py)."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from slm.kernels import (
    apply_bitmask_,
    masked_argmax,
    masked_cross_entropy,
    masked_log_softmax,
    masked_sample,
    masked_softmax,
)
from tests.unit.kernels.backends import Way, ways
from tests.unit.kernels.judge import Row, bits_of, uniform

EMPTY, NAN, INF = 1, 2, 4
SIZES = [1, 31, 32, 33, 1000, 1024, 1025, 3000]
every_way = pytest.mark.parametrize("way", ways())


def masks_of(rng: np.random.Generator, rows: int, width: int) -> NDArray[np.int32]:
    """Rows that are dense, half full, nearly empty, of one token, and empty, in turns."""
    words = -(-width // 32)
    bits = np.zeros((rows, words * 32), bool)
    for row, share in zip(range(rows), [0.97, 0.5, 0.01, 0.0, -1.0] * rows, strict=False):
        bits[row] = rng.random(words * 32) < share
        if share >= 0:
            bits[row, rng.integers(width)] = True
    return np.packbits(bits, axis=1, bitorder="little").view(np.int32)


def rows_of(
    logits: NDArray[Any], mask: NDArray[np.int32] | None, limit: int, temperature: Any = 1.0
) -> list[Row]:
    """The judge's rows."""
    temperatures = np.broadcast_to(temperature, len(logits))
    return [
        Row(
            x,
            [t for t in (range(limit) if mask is None else bits_of(mask[i])) if t < limit],
            limit,
            float(temperatures[i]),
        )
        for i, x in enumerate(logits)
    ]


def check_close(got: NDArray[Any], expected: Any, tolerance: float) -> None:
    """Equal infinities and zeros, everything else to a relative tolerance."""
    expected = np.asarray(expected)
    finite = np.isfinite(expected)
    assert np.array_equal(got[~finite], expected[~finite])
    assert np.all((got == 0) == (expected == 0) | (np.abs(expected) < 1e-37))
    np.testing.assert_allclose(got[finite], expected[finite], rtol=tolerance, atol=1e-37)


@every_way
@pytest.mark.parametrize("width", SIZES)
def test_softmax(way: Way, width: int) -> None:
    """Probabilities are within 1e-6 of float64, exactly 0 off the mask; logs are -inf there.

    In the tail exp's argument v is rounded to float32, so a weight is off by up to |v| / 2**23.
    """
    rng = np.random.default_rng(width)
    logits = rng.normal(0, 4, (5, width)).astype(np.float32)
    mask = masks_of(rng, 5, width)
    rows = rows_of(logits, mask, width, 0.7)
    expected = np.stack([row.probabilities() for row in rows])
    got = way.call(masked_softmax, logits, mask, temperature=0.7)
    assert got.dtype == np.float32
    assert np.linalg.norm(got - expected) <= 1e-6 * np.linalg.norm(expected)
    assert np.array_equal(got == 0, expected == 0)
    depth = np.abs(np.log(expected, where=expected > 0, out=np.zeros_like(expected)))
    assert np.all(np.abs(got - expected) <= expected * (1e-6 + depth * 1.5e-7))
    logs = way.call(masked_log_softmax, logits, mask, temperature=0.7)
    assert np.array_equal(np.isneginf(logs), expected == 0)
    inside = expected > 0
    np.testing.assert_allclose(logs[inside], np.log(expected[inside]), rtol=2e-6, atol=2e-6)


@every_way
@pytest.mark.parametrize("width", SIZES)
@pytest.mark.parametrize("temperature", [1.0, 0.3, 0.0])
def test_sample(way: Way, width: int, temperature: float) -> None:
    """Token, log-probability, lse, legal mass and status of every row are what they must be."""
    rng = np.random.default_rng(width)
    logits = rng.normal(0, 4, (5, width)).astype(np.float32)
    mask = masks_of(rng, 5, width)
    got = way.call(
        masked_sample, logits, mask, temperature=temperature, seed=11, position=5, legal_mass=True
    )
    kinds = [np.int64, np.float32, np.float32, np.float32, np.uint8]
    assert [field.dtype for field in got] == kinds
    for i, row in enumerate(rows_of(logits, mask, width, temperature)):
        if not row.alive:
            assert got.token[i] == -1
            assert (got.logprob[i], got.lse[i], got.log_legal_mass[i]) == (-np.inf,) * 3
            assert got.status[i] == EMPTY
            continue
        allowed = {row.argmax()} if temperature == 0 else row.inverse(
            row.survivors(), uniform(11, 5)
        )  # fmt: skip
        token = int(got.token[i])
        assert token in allowed
        assert got.logprob[i] == pytest.approx(row.logprob(token), rel=2e-6, abs=3e-6)
        assert got.lse[i] == pytest.approx(row.lse(), rel=2e-6, abs=1e-6)
        assert got.log_legal_mass[i] == pytest.approx(row.legal_mass(), rel=2e-6, abs=3e-6)
        assert got.status[i] == 0


FILTERS = [
    {"top_k": 1}, {"top_k": 7}, {"top_p": 0.5}, {"top_p": 0.97}, {"min_p": 0.2}, {"min_p": 1.0},
    {"top_k": 20, "top_p": 0.8}, {"top_k": 50, "top_p": 0.9, "min_p": 0.02},
]  # fmt: skip


@every_way
@pytest.mark.parametrize("rng_kind", ["inverse", "gumbel"])
@pytest.mark.parametrize("filters", FILTERS, ids=str)
def test_filters(way: Way, rng_kind: str, filters: dict[str, Any]) -> None:
    """Draws keep to what top-k, top-p and min-p leave, and are those of the leftover weights."""
    rng = np.random.default_rng(2)
    logits = rng.normal(0, 2, (6, 1500)).astype(np.float32)
    logits[1] = np.round(logits[1])  # many equals
    mask = masks_of(rng, 6, 1500)
    for seed in range(4):
        got = way.call(masked_sample, logits, mask, rng=rng_kind, seed=seed, position=9, **filters)
        for i, row in enumerate(rows_of(logits, mask, 1500)):
            kept = row.survivors(**filters)
            if not kept:
                assert got.token[i] == -1
                continue
            token = int(got.token[i])
            allowed = (
                row.gumbel(kept, seed, 9)
                if rng_kind == "gumbel"
                else row.inverse(kept, uniform(seed, 9))
            )
            assert token in allowed
            assert got.logprob[i] == pytest.approx(row.logprob(token), rel=2e-6, abs=3e-6)


@every_way
def test_values_a_row(way: Way) -> None:
    """Every parameter may have a value a row; each row is as if called with its own number."""
    rng = np.random.default_rng(3)
    logits = rng.normal(0, 2, (5, 700)).astype(np.float32)
    mask = masks_of(rng, 3, 700)
    index = np.array([2, 0, -1, 1, 0], np.int32)
    named = {
        "temperature": np.array([1, 0.5, 0, 2, 1], np.float32),
        "top_k": np.array([0, 5, 3, 100, -1], np.int32),
        "top_p": np.array([0.9, 2, 0.5, 0.3, 0], np.float32),
        "min_p": np.array([0, 0.1, 2, -1, 0.05], np.float32),
        "seed": np.array([1, 2, -3, 2**62, 5], np.int64),
        "position": np.array([0, 7, 2**40, 1, 0], np.int64),
    }
    for kind in ("inverse", "gumbel"):
        got = way.call(masked_sample, logits, mask, mask_index=index, rng=kind, **named)
        for i in range(5):
            top_k, top_p, min_p = (named[name][i].item() for name in ("top_k", "top_p", "min_p"))
            alone = way.call(
                masked_sample, logits[i : i + 1], mask, mask_index=index[i : i + 1],
                temperature=named["temperature"][i].item(), rng=kind,
                top_k=top_k if top_k > 0 else None, top_p=top_p if 0 < top_p < 1 else None,
                min_p=min_p if 0 < min_p <= 1 else None,
                seed=named["seed"][i].item(), position=named["position"][i].item(),
            )  # fmt: skip
            assert [field[i] for field in got if field is not None] == [
                field[0] for field in alone if field is not None
            ]


@every_way
@pytest.mark.parametrize("rng_kind", ["inverse", "gumbel"])
def test_a_row_does_not_depend_on_its_batch(way: Way, rng_kind: str) -> None:
    """Bitwise: a row alone, in a batch, and in another order of rows."""
    rng = np.random.default_rng(4)
    logits = rng.normal(0, 3, (9, 2100)).astype(np.float32)
    mask = masks_of(rng, 9, 2100)
    seeds, order = np.arange(9, dtype=np.int64), rng.permutation(9)
    named = {"legal_mass": True, "rng": rng_kind, "temperature": 0.9}
    whole = way.call(masked_sample, logits, mask, seed=seeds, **named)
    mixed = way.call(masked_sample, logits[order], mask[order], seed=seeds[order], **named)
    probabilities = way.call(masked_softmax, logits, mask)
    for i, j in enumerate(order):
        assert [field[i] for field in mixed] == [field[j] for field in whole]
        one = slice(j, j + 1)
        alone = way.call(masked_sample, logits[one], mask[one], seed=seeds[one], **named)
        assert [field[0] for field in alone] == [field[j] for field in whole]
        row = way.call(masked_softmax, logits[one], mask[one])
        assert np.array_equal(row[0], probabilities[j])


@every_way
def test_values_that_are_no_numbers(way: Way) -> None:
    """NaN is -inf, +inf wins and is shared evenly, a row of nothing else is empty."""
    nan, inf = np.nan, np.inf
    logits = np.array(
        [
            [nan, 1, 2, nan], [inf, 5, inf, 1], [-inf, -inf, nan, -inf], [nan, -inf, 3, inf],
            [1, 2, 3, inf],
        ],
        np.float32,
    )  # fmt: skip
    mask = np.array([[15], [15], [15], [15], [7]], np.int32)
    got = way.call(masked_sample, logits, mask, temperature=0.5, legal_mass=True)
    assert got.status.tolist() == [NAN, INF, EMPTY | NAN, NAN | INF, 0]
    assert got.token[2] == -1
    assert got.token[3] == 3
    assert got.token[1] in (0, 2)
    np.testing.assert_allclose(got.logprob[[1, 2, 3]], [-np.log(2), -inf, 0], rtol=1e-6)
    assert got.lse[[1, 2, 3]].tolist() == [inf, -inf, inf]
    assert got.log_legal_mass.tolist() == [0, 0, -inf, 0, -inf]
    found = way.call(masked_softmax, logits, mask)
    assert found[1].tolist() == [0.5, 0, 0.5, 0]
    assert found[2].tolist() == [0] * 4
    assert found[3].tolist() == [0, 0, 0, 1]
    logs = way.call(masked_log_softmax, logits, mask)
    assert logs[2].tolist() == [-inf] * 4
    np.testing.assert_allclose(logs[1], [-np.log(2), -inf, -np.log(2), -inf], rtol=1e-6)
    drawn = {
        int(way.call(masked_sample, logits[1:2], mask[1:2], seed=s, rng=kind).token[0])
        for s in range(20)
        for kind in ("inverse", "gumbel")
    }
    assert drawn == {0, 2}
    assert way.call(masked_argmax, logits, mask).token.tolist() == [2, 0, -1, 3, 2]


@every_way
def test_ids_past_the_limit(way: Way) -> None:
    """Padding of logits, ids past the mask's words and past vocab_size are never legal."""
    logits = np.zeros((3, 96), np.float32)
    logits[:, 60:] = 50
    full = np.full((1, 2), -1, np.int32)
    index = np.array([0, -1, 0], np.int32)
    for named, limit in (({}, 64), ({"vocab_size": 61}, 61), ({"vocab_size": 33}, 33)):
        found = way.call(masked_softmax, logits, full, mask_index=index, **named)
        assert np.all(found[:, limit:] == 0)
        np.testing.assert_allclose(found.sum(1), 1, rtol=1e-6)
        for kind in ("inverse", "gumbel"):
            got = way.call(masked_sample, logits, full, mask_index=index, rng=kind, **named)
            assert np.all(got.token < limit)
        copy = logits.copy()
        out = way.call(apply_bitmask_, copy, full, mask_index=index, **named)
        assert np.array_equal(np.isneginf(out), np.arange(96) >= np.full((3, 1), limit))
    assert np.all(way.call(masked_softmax, logits, vocab_size=7)[:, 7:] == 0)


@every_way
@pytest.mark.parametrize("width", [33, 1030])
def test_apply_bitmask(way: Way, width: int) -> None:
    """-inf off the mask, all else as it was, bit for bit."""
    rng = np.random.default_rng(width)
    logits = rng.normal(0, 4, (4, width)).astype(np.float32)
    mask = masks_of(rng, 2, width)
    index = np.array([1, -1, 0, 1], np.int32)
    out = way.call(apply_bitmask_, logits.copy(), mask, mask_index=index)
    for i, row in enumerate(index):
        legal = np.zeros(width, bool)
        legal[[t for t in bits_of(mask[row]) if t < width] if row >= 0 else slice(None)] = True
        assert np.array_equal(out[i][legal], logits[i][legal])
        assert np.all(np.isneginf(out[i][~legal]))


@every_way
@pytest.mark.parametrize("legality", [0.0, 0.4, 1.0])
def test_cross_entropy(way: Way, legality: float) -> None:
    """Row losses and log P(legal); ignored, weightless and illegal targets; the mean."""
    rng = np.random.default_rng(6)
    width = 1100
    logits = rng.normal(0, 3, (7, width)).astype(np.float32)
    mask = masks_of(rng, 2, width)
    index = np.array([0, 1, -1, 0, 0, 1, 0], np.int32)
    rows = rows_of(logits, None, width)
    for i, row in enumerate(index):
        if row >= 0:
            rows[i] = Row(logits[i], [t for t in bits_of(mask[row]) if t < width], width)
    target = np.array([row.legal[len(row.legal) // 2] for row in rows], np.int64)
    target[3] = -100
    target[4] = next(t for t in range(width) if t not in rows[4].legal)
    target[5] = width + 3
    target[6] = target[4]
    weight = np.array([1, 2, 0.5, 1, 1, 1, 0], np.float32)
    expected = [
        w * (-row.logprob(t) - legality * row.legal_mass())
        for row, t, w in zip(rows[:3], target, weight, strict=False)
    ] + [0, np.inf, np.inf, 0]
    named = {"mask_index": index, "weight": weight, "legality_weight": legality}
    loss, mass = way.call(
        masked_cross_entropy, logits, target, mask, reduction="none", return_legal_mass=True,
        **named,
    )  # fmt: skip
    check_close(loss, expected, 3e-6)
    np.testing.assert_allclose(mass, [row.legal_mass() for row in rows], rtol=3e-6, atol=3e-6)
    first = {k: v[:4] if isinstance(v, np.ndarray) else v for k, v in named.items()}
    mean = way.call(masked_cross_entropy, logits[:4], target[:4], mask, **first)
    assert mean == pytest.approx(sum(expected[:3]) / 3.5, rel=3e-6)
    total = way.call(masked_cross_entropy, logits[:4], target[:4], mask, reduction="sum", **first)
    assert total == pytest.approx(sum(expected[:3]), rel=3e-6)


@every_way
@pytest.mark.parametrize("kind", ["float16", "bfloat16"])
def test_half_precision(way: Way, kind: str) -> None:
    """Half-precision logits give what their exact values give; outputs are rounded once."""
    if way.device == "numpy" and kind == "bfloat16":
        pytest.skip("numpy has no bfloat16")
    torch = pytest.importorskip("torch")
    rng = np.random.default_rng(8)
    wide = torch.from_numpy(rng.normal(0, 3, (4, 1200)).astype(np.float32))
    narrow = wide.to(getattr(torch, kind))
    exact = narrow.float().numpy()
    logits = narrow.numpy() if way.device == "numpy" else narrow.to(way.device)
    mask = masks_of(rng, 4, 1200)
    rows = rows_of(exact, mask, 1200, 0.8)
    expected = np.stack([row.probabilities() for row in rows])
    found = way.call(masked_softmax, logits, mask, temperature=0.8)
    cut = way.backend == "triton" and way.device == "cpu"  # its interpreter cuts, GPUs round
    np.testing.assert_allclose(found, expected, rtol=2**-7 if cut else 2**-8, atol=1e-7)
    f32 = np.float32 if way.device == "numpy" else torch.float32
    found = way.call(masked_softmax, logits, mask, temperature=0.8, out_dtype=f32)
    assert found.dtype == np.float32
    assert np.linalg.norm(found - expected) <= 1e-6 * np.linalg.norm(expected)
    got = way.call(masked_sample, logits, mask, temperature=0.8, legal_mass=True, seed=3)
    plain = way.call(masked_sample, exact, mask, temperature=0.8, legal_mass=True, seed=3)
    assert np.array_equal(got.token, plain.token)
    for one, other in zip(got[1:4], plain[1:4], strict=True):
        # Sums near 1 in another order differ by a float32's last digit.
        np.testing.assert_allclose(one, other, rtol=1e-6, atol=2.5e-7)
    target = np.array([row.legal[0] for row in rows_of(exact, None, 1200)], np.int64) + 5
    loss = way.call(masked_cross_entropy, logits, target, reduction="none")
    np.testing.assert_allclose(loss, [-r.logprob(5) for r in rows_of(exact, None, 1200)], rtol=3e-6)


@every_way
def test_no_rows(way: Way) -> None:
    """A batch of none gives results of none."""
    logits, mask = np.zeros((0, 50), np.float32), np.zeros((0, 2), np.int32)
    assert way.call(masked_softmax, logits, mask).shape == (0, 50)
    assert [len(field) for field in way.call(masked_sample, logits, mask, legal_mass=True)] == [
        0
    ] * 5
    target = np.zeros(0, np.int64)
    assert way.call(masked_cross_entropy, logits, target, mask, reduction="sum") == 0
    assert way.call(apply_bitmask_, logits, mask).shape == (0, 50)


@every_way
def test_rows_apart(way: Way) -> None:
    """Rows may lie anywhere apart, odd strides included; what is between them is left alone."""
    rng = np.random.default_rng(9)
    wide = rng.normal(0, 3, (4, 1133)).astype(np.float32)
    mask = masks_of(rng, 4, 1101)
    if way.device == "numpy":
        logits, before = wide[:, 7 : 7 + 1101], wide.copy()
    else:
        whole = way.give(wide)
        logits, before = whole[:, 7 : 7 + 1101], wide.copy()
    packed = np.ascontiguousarray(before[:, 7 : 7 + 1101])
    assert np.array_equal(
        way.call(masked_softmax, logits, mask), way.call(masked_softmax, packed, mask)
    )
    one = way.call(masked_sample, logits, mask, seed=1, legal_mass=True)
    other = way.call(masked_sample, packed, mask, seed=1, legal_mass=True)
    assert all(np.array_equal(a, b) for a, b in zip(one, other, strict=True))
    way.call(apply_bitmask_, logits, mask)
    after = wide if way.device == "numpy" else way.take(whole)
    assert np.array_equal(after[:, :7], before[:, :7])
    assert np.array_equal(after[:, 7 + 1101 :], before[:, 7 + 1101 :])
    assert np.array_equal(after[:, 7:-25], way.call(apply_bitmask_, packed, mask))


@every_way
def test_gradient_where_the_loss_is_infinite(way: Way) -> None:
    """A row with an infinite loss has gradient 0, whatever made it so; others have theirs."""
    torch = pytest.importorskip("torch")
    if way.device == "numpy":
        pytest.skip("arrays have no gradients")
    inf, nan = np.inf, np.nan
    logits = np.array(
        [
            [1, 2, 3, 4], [1, 2, 3, inf], [inf, 2, 3, 4], [1, 2, -inf, 4], [1, 2, nan, 4],
            [1, 2, 3, 4], [1, 2, 3, 4],
        ],
        np.float32,
    )  # fmt: skip
    target = np.array([2, 2, 2, 2, 2, 3, 9], np.int64)
    mask = np.full((7, 1), 7, np.int32)
    leaf = way.give(logits).requires_grad_()
    losses = way.call(
        masked_cross_entropy, leaf, target, mask, legality_weight=0.5, reduction="none"
    )
    assert np.isposinf(losses).tolist() == [False] + [True] * 6
    loss = masked_cross_entropy(
        leaf, way.give(target), way.give(mask), legality_weight=0.5, reduction="none",
        backend=way.backend,
    )  # fmt: skip
    gradient = way.take(torch.autograd.grad(loss[0] + loss[1:].sum(), leaf)[0])
    assert np.all(gradient[1:] == 0)
    legal = np.exp([1, 2, 3, -inf]) / np.exp([1, 2, 3]).sum()
    everything = np.exp([1, 2, 3, 4]) / np.exp([1, 2, 3, 4]).sum()
    expected = 0.5 * legal + 0.5 * everything - np.array([0, 0, 1, 0])
    np.testing.assert_allclose(gradient[0], expected, rtol=3e-6, atol=1e-7)


@every_way
@pytest.mark.parametrize("legality", [0.0, 0.6])
def test_gradient_of_the_loss(way: Way, legality: float) -> None:
    """Over several chunks the gradient is that of the reference in float64, ignored rows' 0."""
    torch = pytest.importorskip("torch")
    if way.device == "numpy":
        pytest.skip("arrays have no gradients")
    rng = np.random.default_rng(10)
    logits = rng.normal(0, 3, (5, 2100)).astype(np.float32)
    mask = masks_of(rng, 5, 2100)
    target = np.array([bits_of(row)[0] if row.any() else 0 for row in mask], np.int64)
    target[1] = -100
    weight = np.array([1, 1, 0.25, 2, 1], np.float32)
    found = []
    for x, backend in ((way.give(logits), way.backend), (way.give(logits).double(), "reference")):
        leaf = x.requires_grad_()
        loss = masked_cross_entropy(
            leaf, way.give(target), way.give(mask), weight=way.give(weight), reduction="none",
            legality_weight=legality, backend=backend,
        )  # fmt: skip
        found.append(way.take(torch.autograd.grad(loss.sum(), leaf)[0]))
    assert np.linalg.norm(found[0] - found[1]) <= 1e-6 * np.linalg.norm(found[1])
    assert np.all(found[0][1] == 0)
    assert np.all(found[0][4] == 0)

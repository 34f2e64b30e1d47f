"""The operators: gradients, compilation, fake tensors, and that torch is loaded by tensors only."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import numpy as np
import pytest

from slm import kernels
from slm.errors import KernelArgumentError

torch = pytest.importorskip("torch")

WIDTH = 70


def mask_of(rows: int, seed: int = 0) -> Any:
    """Random bits, the last row empty."""
    rng = np.random.default_rng(seed)
    bits = rng.integers(-(2**31), 2**31, (rows, 3)).astype(np.int32)
    bits[-1] = 0
    return torch.from_numpy(bits)


def logits_of(rows: int, dtype: Any = None, seed: int = 0) -> Any:
    """Normal logits that want a gradient."""
    generator = torch.Generator().manual_seed(seed)
    made = torch.randn(rows, WIDTH, generator=generator, dtype=torch.float64)
    return made.to(dtype or torch.float64).requires_grad_()


def legal_of(mask: Any) -> Any:
    """The mask as booleans (rows, WIDTH)."""
    bits = (mask[:, :, None] >> torch.arange(32)) & 1
    return bits.reshape(len(mask), -1)[:, :WIDTH].bool()


@pytest.mark.parametrize("temperature", [1.0, 0.3, "rows"])
def test_gradient_of_softmax(temperature: Any) -> None:
    """In float64 the gradient is that of finite differences, and can be differentiated again."""
    if temperature == "rows":
        temperature = torch.tensor([0.5, 2.0, 1.0])
    logits, mask = logits_of(3), mask_of(3)

    def run(x: Any) -> Any:
        return kernels.masked_softmax(x, mask, temperature=temperature)

    assert torch.autograd.gradcheck(run, (logits,))
    assert torch.autograd.gradgradcheck(run, (logits,))


def test_gradient_of_log_softmax() -> None:
    """The same for legal tokens; a gradient that comes in where the result is -inf is ignored."""
    logits, mask = logits_of(3), mask_of(3)
    legal = legal_of(mask)

    def run(x: Any) -> Any:
        return kernels.masked_log_softmax(x, mask, temperature=0.7)[legal]

    assert torch.autograd.gradcheck(run, (logits,))
    out = kernels.masked_log_softmax(logits, mask)
    out.backward(torch.where(legal, 1.0, float("nan")))
    assert torch.isfinite(logits.grad).all()
    assert (logits.grad[~legal] == 0).all()


@pytest.mark.parametrize("legality", [0.0, 0.3, 1.0])
@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
def test_gradient_of_cross_entropy(legality: float, reduction: str) -> None:
    """In float64 the gradient made in the forward pass is that of finite differences."""
    logits, mask = logits_of(4), mask_of(4)
    target = kernels.masked_argmax(logits, mask).token
    target[3] = -100
    weight = torch.tensor([1.0, 0.5, 0.0, 2.0])

    def run(x: Any) -> Any:
        return kernels.masked_cross_entropy(
            x, target, mask, weight=weight, legality_weight=legality, reduction=reduction
        )

    assert torch.autograd.gradcheck(run, (logits,))


def test_legality_of_one_is_torch_s_own_loss() -> None:
    """With a legality weight of 1, or without a mask, it is the ordinary cross-entropy."""
    logits, mask = logits_of(4), mask_of(4)[:1]
    index = torch.zeros(4, dtype=torch.int32)
    target = torch.nonzero(legal_of(mask)[0])[:4, 0]
    expected = torch.nn.functional.cross_entropy(logits, target)
    (gradient,) = torch.autograd.grad(expected, logits)
    for named in (
        {"bitmask": mask, "mask_index": index, "legality_weight": 1.0},
        {"legality_weight": 0.0},
    ):
        loss = kernels.masked_cross_entropy(logits, target, **named)
        torch.testing.assert_close(loss, expected)
        torch.testing.assert_close(torch.autograd.grad(loss, logits)[0], gradient)


def test_a_loss_that_is_infinite_moves_nothing() -> None:
    """A row with an illegal target has an infinite loss and no gradient; the others keep theirs."""
    logits, mask = logits_of(3, torch.float32), mask_of(3)
    legal = legal_of(mask)
    target = torch.tensor([int(legal[0].nonzero()[0]), int((~legal[1]).nonzero()[0]), 0])
    losses, mass = kernels.masked_cross_entropy(
        logits, target, mask, reduction="none", return_legal_mass=True
    )
    assert torch.isinf(losses).tolist() == [False, True, True]
    assert not mass.requires_grad
    losses.sum().backward()
    assert logits.grad[0].abs().sum() > 0
    assert (logits.grad[1:] == 0).all()


def test_a_second_derivative_of_the_loss_is_refused() -> None:
    """It is not known; also where another term of the sum has one, nothing is left out silently."""
    logits = logits_of(2)
    loss = kernels.masked_cross_entropy(logits, torch.tensor([1, 2]))
    for whole in (loss, loss.square(), loss + kernels.masked_softmax(logits).square().sum()):
        (gradient,) = torch.autograd.grad(whole, logits, create_graph=True)
        with pytest.raises(KernelArgumentError) as caught:
            gradient.square().sum().backward()
        assert str(caught.value) == (
            "[X001] the gradient of masked_cross_entropy is made in the forward pass and can't be "
            "differentiated again\n"
            "  hint: write the loss with masked_log_softmax"
        )


def test_no_gradient_no_work() -> None:
    """Without a gradient wanted none is made; a draw never has one."""
    logits = logits_of(2, torch.float32)
    with torch.no_grad():
        assert not kernels.masked_cross_entropy(logits, torch.tensor([1, 2])).requires_grad
    assert not kernels.masked_sample(logits).logprob.requires_grad


def every_function(logits: Any, mask: Any, index: Any, target: Any, seeds: Any) -> Any:
    """All functions, as one graph."""
    drawn = kernels.masked_sample(
        logits, mask, mask_index=index, temperature=0.8, top_k=9, top_p=0.9, min_p=0.01,
        seed=seeds, position=4, legal_mass=True,
    )  # fmt: skip
    noisy = kernels.masked_sample(logits, mask, mask_index=index, rng="gumbel", seed=3)
    best = kernels.masked_argmax(logits, vocab_size=40)
    soft = kernels.masked_softmax(logits, mask, mask_index=index, out_dtype=torch.float32)
    logs = kernels.masked_log_softmax(logits, mask, mask_index=index, temperature=2.0)
    loss = kernels.masked_cross_entropy(logits, target, mask, mask_index=index)
    cut = kernels.apply_bitmask_(logits.detach().clone(), mask, mask_index=index)
    out = torch.empty_like(cut)
    kernels.masked_softmax(logits.detach(), out=out)
    parts = [*drawn, *noisy, *best, soft, logs, loss, cut, out]
    return [part for part in parts if part is not None]


def inputs(rows: int, dtype: Any) -> tuple[Any, ...]:
    """Arguments of `every_function`."""
    index = torch.tensor(([0, -1, 1, 0] * rows)[:rows], dtype=torch.int32)
    target = torch.full((rows,), -100)
    return logits_of(rows, dtype), mask_of(3), index, target, torch.arange(rows)


@pytest.mark.timeout(300)
@pytest.mark.parametrize("dynamic", [False, True])
def test_everything_compiles_into_one_graph(dynamic: bool) -> None:
    """torch.compile(fullgraph=True) takes every function, and its results are those without it."""
    torch._dynamo.reset()
    compiled = torch.compile(every_function, fullgraph=True, dynamic=dynamic, backend="aot_eager")
    for rows in (4, 7):
        given = inputs(rows, torch.float32)
        for one, other in zip(compiled(*given), every_function(*given), strict=True):
            torch.testing.assert_close(one, other, equal_nan=True)


@pytest.mark.timeout(300)
def test_gradients_compile() -> None:
    """A compiled training step has the gradient of one that is not; log P(legal) comes along."""
    torch._dynamo.reset()
    mask, target = mask_of(4), torch.tensor([5, -100, -100, -100])
    target[0] = int(legal_of(mask)[0].nonzero()[0])

    def step(x: Any) -> Any:
        loss, mass = kernels.masked_cross_entropy(
            x, target, mask, legality_weight=0.2, return_legal_mass=True
        )
        return loss + kernels.masked_softmax(x, mask).square().sum() - 0.0 * mass[0]

    found = []
    for run in (step, torch.compile(step, fullgraph=True, backend="aot_eager")):
        logits = logits_of(4, torch.bfloat16)
        run(logits).backward()
        assert logits.grad.dtype == torch.bfloat16
        found.append(logits.grad)
    torch.testing.assert_close(*found)


def test_operators_are_registered_rightly() -> None:
    """torch's own checks of schema, fake tensors, autograd and compilation pass for every one."""
    from slm.kernels import ops

    assert ops.softmax
    names = torch.ops.slm
    mask, index = mask_of(3), torch.tensor([0, -1, 2, 1], dtype=torch.int32)
    logits, plain = logits_of(4, torch.float32), logits_of(4, torch.float32).detach()
    rows = torch.tensor([0.5, 1.0, 2.0, 0.0])
    softmax = (mask, index, None, 0.5, WIDTH)
    draw = (None, 5, None, 0.9, None, None, torch.arange(4), 0, None, 3, "inverse", True, WIDTH, "")
    target = torch.tensor([1, 2, -100, 4])
    cases = [
        (names.masked_softmax, (logits, *softmax, False, "", torch.float32)),
        (names.masked_softmax, (logits, *softmax, True, "reference", torch.float32)),
        (names.masked_softmax, (logits, mask, index, rows, 1.0, 50, False, "", torch.bfloat16)),
        (names.masked_softmax_out, (plain, *softmax, False, "", torch.empty_like(plain))),
        (names.masked_sample, (plain, mask, index, rows, 1.0, *draw)),
        (names.masked_sample, (plain, None, None, None, 1.0, *draw[:-4], "gumbel", False, 60, "")),
        (
            names.masked_cross_entropy,
            (logits, target, mask, index, rows, -100, 0.5, WIDTH, True, ""),
        ),
        (
            names.masked_cross_entropy,
            (plain, target, None, None, None, -100, 0.0, WIDTH, False, ""),
        ),
        (names.apply_bitmask_, (plain.clone(), mask, index, WIDTH, "")),
    ]
    for run, values in cases:
        outcome = torch.library.opcheck(run.default, values)
        assert set(outcome.values()) == {"SUCCESS"}, (run, outcome)


def test_torch_is_loaded_by_tensors_only() -> None:
    """slm.kernels, and its functions on arrays where the C++ kernels are, load no torch."""
    code = (
        "import sys, numpy as np, slm.kernels as k; print('torch' in sys.modules); "
        "ok = __import__('importlib').util.find_spec('slm.kernels.cpu') is not None; "
        "k.masked_sample(np.zeros((1, 9), np.float32)) if ok else None; "
        "print('torch' in sys.modules if ok else False)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "False"]


def test_other_devices_have_shapes() -> None:
    """On the meta device, and under fake tensors, results have shapes and dtypes and no values."""
    from torch._subclasses.fake_tensor import FakeTensorMode

    with FakeTensorMode():
        logits = torch.empty(3, 40, dtype=torch.bfloat16)
        mask = torch.empty(2, 2, dtype=torch.int32)
        index = torch.empty(3, dtype=torch.int32)
        drawn = kernels.masked_sample(logits, mask, mask_index=index, legal_mass=True)
        assert [field.dtype for field in drawn] == [
            torch.int64, torch.float32, torch.float32, torch.float32, torch.uint8
        ]  # fmt: skip
        assert all(field.shape == (3,) for field in drawn)
        assert kernels.masked_softmax(logits, mask, mask_index=index).dtype == torch.bfloat16

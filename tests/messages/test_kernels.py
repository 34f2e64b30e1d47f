"""Whole messages of the errors of `slm.kernels`: the argument, what was given, what is expected."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from slm import kernels
from slm.errors import KernelArgumentError, KernelUnavailable
from slm.kernels import dispatch

torch = pytest.importorskip("torch")

LOGITS = np.zeros((2, 40), np.float32)
MASK = np.full((2, 2), -1, np.int32)
TENSOR = torch.zeros(2, 40)
BITS = torch.full((2, 2), -1, dtype=torch.int32)
SAMPLE, SOFTMAX, LOSS = kernels.masked_sample, kernels.masked_softmax, kernels.masked_cross_entropy
TARGET = np.zeros(2, np.int64)

_LOGITS = "a numpy array or torch tensor, float32, bfloat16 or float16 (batch, padded_vocab)"
_MASK = "int32 (masks, words), contiguous; token t is bit t % 32 of word t // 32"
_SEED = "a whole number of 64 bits, or an int64 value a row"
_TEMPERATURE = "a finite number, 0 or above (0: greedy), or a float32 value a row"

WRONG: list[tuple[Any, tuple[Any, ...], dict[str, Any], str, str, str]] = [
    # function, positional, named, the argument, what was given, what is expected
    (SAMPLE, ([[0.0]],), {}, "logits", "of type list", _LOGITS),
    (SAMPLE, (LOGITS[0],), {}, "logits", "an array, float32 (40,)", _LOGITS),
    (SAMPLE, (LOGITS.astype(np.int32),), {}, "logits", "an array, int32 (2, 40)", _LOGITS),
    (SAMPLE, (TENSOR[:, :0],), {}, "logits", "a tensor on cpu, float32 (2, 0)", _LOGITS),
    (
        SAMPLE, (LOGITS[:, ::2],), {}, "logits", "of strides (40, 2), in elements",
        "contiguous in its last dimension, its row stride not negative",
    ),
    (
        SAMPLE, (LOGITS[::-1],), {}, "logits", "of strides (-40, 1), in elements",
        "contiguous in its last dimension, its row stride not negative",
    ),
    (
        SAMPLE, (LOGITS, BITS), {}, "bitmask", "a tensor on cpu, int32 (2, 2)",
        "a numpy array, as the logits are",
    ),
    (
        SAMPLE, (TENSOR, MASK), {}, "bitmask", "an array, int32 (2, 2)",
        "a tensor on cpu, as the logits are",
    ),
    (
        SAMPLE, (TENSOR, BITS.to("meta")), {}, "bitmask", "a tensor on meta, int32 (2, 2)",
        "a tensor on cpu, as the logits are",
    ),
    (SAMPLE, (LOGITS, MASK.astype(bool)), {}, "bitmask", "an array, bool (2, 2)", _MASK),
    (SAMPLE, (LOGITS, MASK[0]), {}, "bitmask", "an array, int32 (2,)", _MASK),
    (SAMPLE, (LOGITS, MASK.T), {}, "bitmask", "of strides (1, 2), in elements", _MASK),
    (
        SAMPLE, (LOGITS, MASK[:1]), {}, "bitmask", "of 1 rows",
        "of 2 rows, one for each row of logits; or pass mask_index",
    ),
    (
        SAMPLE, (LOGITS, MASK[:, :1].copy()), {"vocab_size": 40}, "bitmask",
        "1 words wide, enough for 32 tokens", "at least 2 words wide for vocab_size=40",
    ),
    (
        SAMPLE, (LOGITS, MASK), {"vocab_size": 0}, "vocab_size", "0",
        "a whole number, 1 or above, or None",
    ),
    (
        SAMPLE, (LOGITS,), {"mask_index": np.zeros(2, np.int32)}, "mask_index",
        "an array, int32 (2,)", "None where there is no bitmask",
    ),
    (
        SAMPLE, (LOGITS, MASK), {"mask_index": np.zeros(2, np.int64)}, "mask_index",
        "an array, int64 (2,)", "int32 (2,) like the rows of the logits, contiguous",
    ),
    (
        SAMPLE, (LOGITS, MASK), {"mask_index": np.zeros(3, np.int32)}, "mask_index",
        "an array, int32 (3,)", "int32 (2,) like the rows of the logits, contiguous",
    ),
    (
        SAMPLE, (LOGITS, MASK), {"mask_index": np.array([0, 2], np.int32)}, "mask_index",
        "2 in one place", "a row of the bitmask (0 to 1), or -1 for a row without a mask",
    ),
    (
        SAMPLE, (TENSOR, BITS), {"mask_index": torch.tensor([-2, 0], dtype=torch.int32)},
        "mask_index", "-2 in one place",
        "a row of the bitmask (0 to 1), or -1 for a row without a mask",
    ),
    (SAMPLE, (LOGITS,), {"temperature": -0.5}, "temperature", "-0.5", _TEMPERATURE),
    (SAMPLE, (LOGITS,), {"temperature": float("nan")}, "temperature", "nan", _TEMPERATURE),
    (SAMPLE, (LOGITS,), {"temperature": float("inf")}, "temperature", "inf", _TEMPERATURE),
    (SAMPLE, (LOGITS,), {"temperature": "hot"}, "temperature", "'hot'", _TEMPERATURE),
    (
        SAMPLE, (LOGITS,), {"temperature": np.ones(2)}, "temperature", "an array, float64 (2,)",
        "float32 (2,) like the rows of the logits, contiguous",
    ),
    (
        SAMPLE, (TENSOR,), {"temperature": torch.ones(1).expand(2)}, "temperature",
        "of strides (0,), in elements", "float32 (2,) like the rows of the logits, contiguous",
    ),
    (
        SOFTMAX, (TENSOR,), {"temperature": torch.ones(2, requires_grad=True)}, "temperature",
        "a tensor that requires a gradient", "detached: only logits have gradients",
    ),
    (
        SOFTMAX, (LOGITS,), {"temperature": 0}, "temperature", "0",
        "a finite number above 0, or a float32 value a row; for 0 see masked_argmax",
    ),
    (
        SAMPLE, (LOGITS,), {"top_k": 0}, "top_k", "0",
        "a whole number, 1 or above, an int32 value a row, or None",
    ),
    (
        SAMPLE, (LOGITS,), {"top_k": 2.0}, "top_k", "2.0",
        "a whole number, 1 or above, an int32 value a row, or None",
    ),
    (
        SAMPLE, (LOGITS,), {"top_p": 0}, "top_p", "0",
        "a number above 0 and at most 1, a float32 value a row, or None",
    ),
    (
        SAMPLE, (LOGITS,), {"top_p": 1.01}, "top_p", "1.01",
        "a number above 0 and at most 1, a float32 value a row, or None",
    ),
    (
        SAMPLE, (LOGITS,), {"min_p": -0.1}, "min_p", "-0.1",
        "a number from 0 to 1, a float32 value a row, or None",
    ),
    (SAMPLE, (LOGITS,), {"seed": 2**64}, "seed", "18446744073709551616", _SEED),
    (SAMPLE, (LOGITS,), {"seed": True}, "seed", "True", _SEED),
    (SAMPLE, (LOGITS,), {"position": 0.5}, "position", "0.5", _SEED),
    (SAMPLE, (LOGITS,), {"rng": "dice"}, "rng", "'dice'", '"inverse" or "gumbel"'),
    (
        SAMPLE, (LOGITS,), {"backend": "abacus"}, "backend", "'abacus'",
        "None or one of cuda, triton, cpu, reference",
    ),
    (
        SOFTMAX, (LOGITS,), {"out": np.zeros((2, 39), np.float32)}, "out",
        "an array, float32 (2, 39)", "of shape (2, 40), as the logits are",
    ),
    (
        SOFTMAX, (LOGITS,), {"out": LOGITS}, "out", "in the memory of the logits",
        "memory of its own",
    ),
    (
        SOFTMAX, (LOGITS,), {"out": np.broadcast_to(np.float32(0), (2, 40))}, "out",
        "of strides (0, 0), in elements", "contiguous in its last dimension, its rows apart",
    ),
    (
        SOFTMAX, (TENSOR,), {"out": torch.zeros(2, 40), "out_dtype": torch.float16}, "out",
        "a tensor on cpu, float32 (2, 40)", "float16, as out_dtype says",
    ),
    (
        SOFTMAX, (TENSOR.clone().requires_grad_(),), {"out": torch.zeros(2, 40)}, "out",
        "given where a gradient is needed", "None, or under no_grad",
    ),
    (
        SOFTMAX, (LOGITS,), {"out_dtype": np.int32}, "out_dtype", "<class 'numpy.int32'>",
        "float32, float16 or float64",
    ),
    (
        LOSS, (LOGITS, TARGET[:1]), {}, "target", "an array, int64 (1,)",
        "int64 (2,) like the rows of the logits, contiguous",
    ),
    (
        LOSS, (LOGITS, TARGET.astype(np.int32)), {}, "target", "an array, int32 (2,)",
        "int64 (2,) like the rows of the logits, contiguous",
    ),
    (
        LOSS, (LOGITS, TARGET), {"weight": np.ones(2)}, "weight", "an array, float64 (2,)",
        "float32 (2,) like the rows of the logits, contiguous",
    ),
    (
        LOSS, (LOGITS, TARGET), {"legality_weight": -1}, "legality_weight", "-1",
        "a finite number, 0 or above",
    ),
    (
        LOSS, (LOGITS, TARGET), {"reduction": "max"}, "reduction", "'max'",
        '"mean", "sum" or "none"',
    ),
    (LOSS, (LOGITS, TARGET), {"ignore_index": None}, "ignore_index", "of type NoneType",
     "a whole number"),
    (
        kernels.apply_bitmask_, (LOGITS, None), {}, "bitmask", "None", "int32 (masks, words)",
    ),
    (
        kernels.apply_bitmask_, (TENSOR.clone().requires_grad_(), BITS), {}, "logits",
        "a tensor that requires a gradient", "detached; masked_log_softmax is differentiable",
    ),
    (
        kernels.apply_bitmask_, (torch.zeros(1, 40).expand(2, 40), BITS), {}, "logits",
        "of strides (0, 1), in elements", "contiguous in its last dimension, its rows apart",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("run", "values", "named", "argument", "given", "expected"), WRONG)
def test_wrong_arguments(
    run: Any, values: Any, named: Any, argument: str, given: str, expected: str
) -> None:
    """Each wrong argument is named, with what was given and what is expected."""
    with pytest.raises(KernelArgumentError) as caught:
        run(*values, **named)
    assert str(caught.value) == (
        f"[X001] {argument} is {given}\n  hint: {argument} must be {expected}"
    )
    assert caught.value.argument == argument
    assert isinstance(caught.value, ValueError)


def test_read_only_logits() -> None:
    """What can't be written is said to be so before anything is done."""
    frozen = np.zeros((2, 40), np.float32)
    frozen.flags.writeable = False
    with pytest.raises(KernelArgumentError) as caught:
        kernels.apply_bitmask_(frozen, MASK)
    assert str(caught.value) == (
        "[X001] logits is a read-only array\n  hint: logits must be writable"
    )


@pytest.fixture
def forgetful() -> Iterator[None]:
    """What was chosen on this machine is forgotten before a test about another one, and after."""
    dispatch.choose.cache_clear()
    yield
    dispatch.choose.cache_clear()


@pytest.mark.usefixtures("forgetful")
def test_absent_backend(monkeypatch: pytest.MonkeyPatch) -> None:
    """A backend asked for by name that can't be used: why, and what can be."""
    reasons = {"cuda": "no CUDA device", "triton": "triton is not installed", "cpu": "not built"}
    monkeypatch.setattr(dispatch, "why_not", reasons.get)
    with pytest.raises(KernelUnavailable) as caught:
        kernels.masked_sample(LOGITS, backend="cuda")
    assert str(caught.value) == (
        "[X002] the backend 'cuda' can't be used here: no CUDA device\n"
        "  hint: usable for logits on cpu: reference; slm.kernels.backends() has the reasons"
    )


@pytest.mark.usefixtures("forgetful")
def test_no_backend_at_all(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without compiled kernels and without torch, arrays can't be worked on: all reasons."""
    monkeypatch.setattr(dispatch, "why_not", lambda name: f"no {name} today")
    with pytest.raises(KernelUnavailable) as caught:
        kernels.masked_softmax(LOGITS)
    assert str(caught.value) == (
        "[X002] no backend can be used: cuda: no cuda today; triton: no triton today; "
        "cpu: no cpu today; reference: no reference today\n"
        "  hint: pip install slm with a compiler present for the C++ kernels, or install torch"
    )


@pytest.mark.usefixtures("forgetful")
def test_backend_of_another_device(monkeypatch: pytest.MonkeyPatch) -> None:
    """A backend that is there, but not for these logits."""
    monkeypatch.setattr(dispatch, "why_not", lambda name: None)
    monkeypatch.setitem(dispatch._MODULES, "cuda", "slm.kernels.reference")
    with pytest.raises(KernelArgumentError) as caught:
        kernels.masked_softmax(LOGITS, backend="cuda")
    assert str(caught.value) == (
        "[X001] backend is 'cuda'\n  hint: backend must be one for logits on cpu"
    )

"""What the functions of `slm.kernels` accept. Every check is here, before any backend is called.

Only what the host knows is checked: shapes, dtypes, devices, strides, Python numbers, and the
values of ``mask_index`` where it lies in CPU memory. The values of tensors on a device are not read
(that would wait for the device); `slm.kernels.reference` says what each of them means.

Works on numpy arrays and torch tensors alike and imports no torch.
"""

from __future__ import annotations

import math
import sys
from functools import cache
from numbers import Integral, Real
from typing import Any

import numpy as np

from slm.errors import KernelArgumentError

FLOATS = ("float32", "bfloat16", "float16", "float64")
_MASK = "int32 (masks, words), contiguous; token t is bit t % 32 of word t // 32"


def is_tensor(value: Any) -> bool:
    """Whether it is a torch tensor; imports no torch to find out."""
    torch = sys.modules.get("torch")
    return torch is not None and isinstance(value, torch.Tensor)


def dtype_name(dtype: Any) -> str:
    """The name of a dtype of numpy or torch: ``"float32"``."""
    return _numpy_name(dtype) if isinstance(dtype, np.dtype) else str(dtype).replace("torch.", "")


@cache
def _numpy_name(dtype: Any) -> str:
    """Remembered: numpy takes a microsecond to make it."""
    return str(dtype)


def device_of(value: Any) -> str:
    """``"cpu"`` for arrays; for tensors the device with its number."""
    return str(value.device) if is_tensor(value) else "cpu"


def refuse(argument: str, given: str, expected: str) -> KernelArgumentError:
    """The error: the argument's name, what was given, and what is expected."""
    return KernelArgumentError(
        f"{argument} is {given}", argument=argument, hint=f"{argument} must be {expected}"
    )


def describe(value: Any) -> str:
    """A tensor or array in a few words; anything else as it is written."""
    if is_tensor(value) or isinstance(value, np.ndarray):
        kind = f"a tensor on {device_of(value)}" if is_tensor(value) else "an array"
        return f"{kind}, {dtype_name(value.dtype)} {tuple(value.shape)}"
    return f"{value!r}" if isinstance(value, str | Real) else f"of type {type(value).__name__}"


def _strides(value: Any) -> tuple[int, ...]:
    """In elements."""
    if is_tensor(value):
        return tuple(value.stride())
    return tuple(step // value.itemsize for step in value.strides)


def _contiguous(value: Any) -> bool:
    return bool(value.is_contiguous() if is_tensor(value) else value.flags.c_contiguous)


def _rows_are_contiguous(value: Any, *, written: bool) -> bool:
    batch, width = value.shape
    if batch == 0:
        return True  # numpy's strides say nothing then
    row, last = _strides(value)
    if width > 1 and last != 1:
        return False
    return batch <= 1 or row >= (width if written else 0)


def _same_kind(argument: str, value: Any, logits: Any) -> None:
    """Arrays go with arrays, tensors with tensors on the same device."""
    if is_tensor(logits):
        if not is_tensor(value) or value.device != logits.device:
            raise refuse(
                argument, describe(value), f"a tensor on {device_of(logits)}, as the logits are"
            )
    elif not isinstance(value, np.ndarray):
        raise refuse(argument, describe(value), "a numpy array, as the logits are")


def check_logits(logits: Any, *, argument: str = "logits", written: bool = False) -> None:
    """A float matrix whose rows are contiguous.

    Raises:
        KernelArgumentError: it is not.
    """
    expected = "a numpy array or torch tensor, float32, bfloat16 or float16 (batch, padded_vocab)"
    if not (is_tensor(logits) or isinstance(logits, np.ndarray)):
        raise refuse(argument, describe(logits), expected)
    if len(logits.shape) != 2 or logits.shape[1] < 1 or dtype_name(logits.dtype) not in FLOATS:
        raise refuse(argument, describe(logits), expected)
    if not _rows_are_contiguous(logits, written=written):
        raise refuse(
            argument,
            f"of strides {_strides(logits)}, in elements",
            "contiguous in its last dimension"
            + (", its rows apart" if written else ", its row stride not negative"),
        )
    if written and not is_tensor(logits) and not logits.flags.writeable:
        raise refuse(argument, "a read-only array", "writable")


def check_mask(logits: Any, bitmask: Any, mask_index: Any, vocab_size: Any) -> int:
    """Check what says which tokens are legal.

    Returns:
        The limit: ids from it on are never legal.

    Raises:
        KernelArgumentError: a wrong argument, by name.
    """
    batch, limit = int(logits.shape[0]), int(logits.shape[1])
    if vocab_size is not None:
        if not _is_integer(vocab_size) or vocab_size < 1:
            raise refuse("vocab_size", describe(vocab_size), "a whole number, 1 or above, or None")
        limit = min(limit, int(vocab_size))
    if bitmask is None:
        if mask_index is not None:
            raise refuse("mask_index", describe(mask_index), "None where there is no bitmask")
        return limit
    _same_kind("bitmask", bitmask, logits)
    if dtype_name(bitmask.dtype) != "int32" or len(bitmask.shape) != 2:
        raise refuse("bitmask", describe(bitmask), _MASK)
    masks, words = int(bitmask.shape[0]), int(bitmask.shape[1])
    if words < 1 or not _contiguous(bitmask):
        given = describe(bitmask) if words < 1 else f"of strides {_strides(bitmask)}, in elements"
        raise refuse("bitmask", given, _MASK)
    if vocab_size is not None and words * 32 < vocab_size:
        raise refuse(
            "bitmask", f"{words} words wide, enough for {words * 32} tokens",
            f"at least {-(-int(vocab_size) // 32)} words wide for vocab_size={vocab_size}",
        )  # fmt: skip
    if mask_index is None:
        if masks != batch:
            raise refuse(
                "bitmask", f"of {masks} rows",
                f"of {batch} rows, one for each row of logits; or pass mask_index",
            )  # fmt: skip
        return min(limit, words * 32)
    check_rows("mask_index", mask_index, logits, "int32")
    _check_index_values(mask_index, masks)
    return min(limit, words * 32)


def _check_index_values(mask_index: Any, masks: int) -> None:
    """Only where reading them waits for nothing."""
    if mask_index.shape[0] == 0 or not _is_readable(mask_index):
        return
    low, high = int(mask_index.min()), int(mask_index.max())
    if low < -1 or high >= masks:
        raise refuse(
            "mask_index", f"{low if low < -1 else high} in one place",
            f"a row of the bitmask (0 to {masks - 1}), or -1 for a row without a mask",
        )  # fmt: skip


def _is_readable(value: Any) -> bool:
    """Whether its values are in the memory of this process, now."""
    if not is_tensor(value):
        return True
    torch = sys.modules["torch"]
    if torch.compiler.is_compiling() or value.device.type != "cpu":
        return False
    return not isinstance(value, torch._subclasses.FakeTensor)


def check_rows(argument: str, value: Any, logits: Any, dtype: str) -> None:
    """One value for each row of the logits, of this dtype.

    Raises:
        KernelArgumentError: it is not that.
    """
    expected = f"{dtype} ({logits.shape[0]},) like the rows of the logits, contiguous"
    _same_kind(argument, value, logits)
    if dtype_name(value.dtype) != dtype or tuple(value.shape) != (logits.shape[0],):
        raise refuse(argument, describe(value), expected)
    if not _contiguous(value):
        raise refuse(argument, f"of strides {_strides(value)}, in elements", expected)
    if is_tensor(value) and value.requires_grad:
        raise refuse(
            argument, "a tensor that requires a gradient", "detached: only logits have gradients"
        )


def _is_integer(value: Any) -> bool:
    return isinstance(value, Integral) and not isinstance(value, bool)


def check_parameter(
    argument: str, value: Any, logits: Any, dtype: str, low: float, high: float, expected: str
) -> Any:
    """A number in [low, high], or a value a row; what the kernels get of it.

    Numbers of numpy become Python's; whole numbers of 64 bits become signed ones of the same bits.

    Raises:
        KernelArgumentError: out of range, of a wrong type, shape, dtype or device.
    """
    if is_tensor(value) or isinstance(value, np.ndarray):
        check_rows(argument, value, logits, dtype)
        return value
    whole = dtype.startswith("int")
    good = _is_integer(value) if whole else isinstance(value, Real) and not isinstance(value, bool)
    if not good or not low <= value <= high:
        raise refuse(argument, describe(value), expected)
    if not whole:
        return float(value)
    number = int(value)
    return number - 2**64 if number >= 2**63 else number


_TINY = 5e-324  # the least number above 0


def check_temperature(value: Any, logits: Any, *, zero: bool) -> Any:
    """A finite number above 0, or 0 where greedy means something; or float32 a row."""
    if zero:
        expected = "a finite number, 0 or above (0: greedy), or a float32 value a row"
    else:
        expected = "a finite number above 0, or a float32 value a row; for 0 see masked_argmax"
    low = 0.0 if zero else _TINY
    return check_parameter(
        "temperature", value, logits, "float32", low, sys.float_info.max, expected
    )


def check_filters(top_k: Any, top_p: Any, min_p: Any, logits: Any) -> tuple[Any, Any, Any]:
    """The three filters, None where one filters nothing."""
    if top_k is not None:
        expected = "a whole number, 1 or above, an int32 value a row, or None"
        top_k = check_parameter("top_k", top_k, logits, "int32", 1, 2**31 - 1, expected)
    if top_p is not None:
        expected = "a number above 0 and at most 1, a float32 value a row, or None"
        top_p = check_parameter("top_p", top_p, logits, "float32", _TINY, 1, expected)
    if min_p is not None:
        expected = "a number from 0 to 1, a float32 value a row, or None"
        min_p = check_parameter("min_p", min_p, logits, "float32", 0, 1, expected)
    return (
        None if isinstance(top_k, int) and top_k >= logits.shape[1] else top_k,
        None if isinstance(top_p, float) and top_p == 1 else top_p,
        None if isinstance(min_p, float) and min_p == 0 else min_p,
    )


def check_random(seed: Any, position: Any, rng: Any, logits: Any) -> tuple[Any, Any]:
    """Seed and position of a draw, and how it is made."""
    if rng not in ("inverse", "gumbel"):
        raise refuse("rng", repr(rng), '"inverse" or "gumbel"')
    expected = "a whole number of 64 bits, or an int64 value a row"
    low, high = -(2**63), 2**64 - 1
    return (
        check_parameter("seed", seed, logits, "int64", low, high, expected),
        check_parameter("position", position, logits, "int64", low, high, expected),
    )


def check_out(out: Any, out_dtype: Any, logits: Any) -> str:
    """Where probabilities go.

    Returns:
        The name of their dtype.

    Raises:
        KernelArgumentError: of a wrong shape, dtype or device, or in the place of the logits.
    """
    name = dtype_name(logits.dtype)
    if out_dtype is not None:
        name = dtype_name(out_dtype if is_tensor(logits) else np.dtype(out_dtype))
        allowed = FLOATS if is_tensor(logits) else [one for one in FLOATS if one != "bfloat16"]
        if name not in allowed:
            raise refuse("out_dtype", str(out_dtype), f"{', '.join(allowed[:-1])} or {allowed[-1]}")
    if out is None:
        return name
    _same_kind("out", out, logits)
    check_logits(out, argument="out", written=True)
    if tuple(out.shape) != tuple(logits.shape):
        raise refuse("out", describe(out), f"of shape {tuple(logits.shape)}, as the logits are")
    if out_dtype is not None and dtype_name(out.dtype) != name:
        raise refuse("out", describe(out), f"{name}, as out_dtype says")
    if is_tensor(logits):
        if logits.requires_grad or out.requires_grad:
            raise refuse("out", "given where a gradient is needed", "None, or under no_grad")
        shares = not sys.modules["torch"].compiler.is_compiling() and _overlap(out, logits)
    else:
        shares = np.may_share_memory(out, logits)
    if shares:
        raise refuse("out", "in the memory of the logits", "memory of its own")
    return dtype_name(out.dtype)


def _overlap(one: Any, other: Any) -> bool:
    """Whether two tensors are of one storage; views that do not meet are refused, too."""
    if isinstance(one, sys.modules["torch"]._subclasses.FakeTensor):
        return False
    return bool(one.untyped_storage().data_ptr() == other.untyped_storage().data_ptr())


def check_loss(
    target: Any, weight: Any, ignore_index: Any, legality_weight: Any, reduction: Any, logits: Any
) -> float:
    """The arguments that only the loss has; returns the weight of legality as a float."""
    check_rows("target", target, logits, "int64")
    if weight is not None:
        check_rows("weight", weight, logits, "float32")
    if not _is_integer(ignore_index):
        raise refuse("ignore_index", describe(ignore_index), "a whole number")
    if not isinstance(legality_weight, Real) or not 0 <= float(legality_weight) < math.inf:
        raise refuse("legality_weight", describe(legality_weight), "a finite number, 0 or above")
    if reduction not in ("mean", "sum", "none"):
        raise refuse("reduction", repr(reduction), '"mean", "sum" or "none"')
    return float(legality_weight)

"""The functions for numpy arrays: the C++ kernels, or the reference on views as torch tensors."""

from __future__ import annotations

from typing import Any

import numpy as np

from slm.kernels.arguments import dtype_name
from slm.kernels.dispatch import choose


class _Reference:
    """The reference, for arrays: tensors on the same memory go in, arrays come out."""

    def __getattr__(self, name: str) -> Any:
        from slm.kernels import reference

        run = getattr(reference, name)

        def call(*values: Any) -> Any:
            made = run(*map(_tensor, values))
            return tuple(map(_array, made)) if isinstance(made, tuple) else _array(made)

        return call


class _NoRows:
    """The results for a batch of none; numpy's strides of such arrays say nothing to C++."""

    def softmax(self, *_: Any) -> None:
        pass

    def sample(self, *values: Any) -> tuple[Any, ...]:
        floats = [np.empty(0, np.float32) for _ in range(3)]
        mass = floats[2] if values[10] else None
        return np.empty(0, np.int64), floats[0], floats[1], mass, np.empty(0, np.uint8)

    def cross_entropy(self, *_: Any) -> tuple[Any, ...]:
        return np.empty(0, np.float32), np.empty(0, np.float32), np.empty(0, np.uint8)

    def apply_bitmask(self, *_: Any) -> None:
        pass


def _tensor(value: Any) -> Any:
    import torch

    if not isinstance(value, np.ndarray):
        return value
    return torch.from_numpy(value if value.flags.writeable else value.copy())


def _array(value: Any) -> Any:
    return value if value is None else value.numpy()


def _backend(logits: Any, backend: str | None) -> Any:
    module = choose("cpu", dtype_name(logits.dtype), backend)
    if logits.shape[0] == 0:
        return _NoRows()
    return module if module.__name__.endswith(".cpu") else _Reference()


def softmax(
    logits: Any, bitmask: Any, mask_index: Any, temperature: Any, limit: int, out: Any, dtype: str,
    log: bool, backend: str | None,
) -> Any:  # fmt: skip
    """See `slm.kernels.functions.masked_softmax`; ``dtype`` is that of the result."""
    run = _backend(logits, backend)
    out = np.empty(logits.shape, dtype) if out is None else out
    run.softmax(logits, bitmask, mask_index, temperature, limit, out, log)
    return out


def sample(*values: Any) -> Any:
    """See `slm.kernels.functions.masked_sample`: logits first, the backend last."""
    return _backend(values[0], values[-1]).sample(*values[:-1])


def cross_entropy(*values: Any) -> tuple[Any, Any]:
    """Loss and log P(legal) of each row: logits first, the backend last."""
    loss, mass, _ = _backend(values[0], values[-1]).cross_entropy(*values[:-1], None)
    return loss, mass


def apply_bitmask(*values: Any) -> None:
    """See `slm.kernels.functions.apply_bitmask_`: logits first, the backend last."""
    _backend(values[0], values[-1]).apply_bitmask(*values[:-1])

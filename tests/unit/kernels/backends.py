"""The backends that can be tested here, each as one way to call the public functions.

A backend for CPU memory is called with numpy arrays and with tensors; one for GPUs with tensors on
a GPU, where there is one. `TRITON_INTERPRET=1` adds Triton's interpreter (see test_triton.py).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from slm.kernels import backends

try:
    import torch
except ImportError:
    torch = None  # type: ignore[assignment]


@dataclass(frozen=True)
class Way:
    """A backend and the kind of arguments it gets."""

    backend: str
    device: str  # "numpy", or a device of torch's

    def __str__(self) -> str:
        return f"{self.backend}-{self.device}"

    def give(self, value: Any) -> Any:
        """An array in the form this way takes; anything else as it is."""
        if not isinstance(value, np.ndarray) or self.device == "numpy":
            return value
        return torch.from_numpy(value.copy()).to(self.device)

    def take(self, value: Any) -> NDArray[Any] | None:
        """A result as an array."""
        if value is None or isinstance(value, np.ndarray | np.generic):
            return value
        if value.dtype == torch.bfloat16:
            value = value.float()
        return value.detach().cpu().numpy()

    def call(self, run: Any, *values: Any, **named: Any) -> Any:
        """Run a public function on arrays, through this backend; arrays come back."""
        made = run(
            *map(self.give, values),
            **{name: self.give(value) for name, value in named.items()},
            backend=self.backend,
        )
        if isinstance(made, tuple):
            return type(made)(*map(self.take, made)) if hasattr(made, "_fields") else tuple(
                map(self.take, made)
            )  # fmt: skip
        return self.take(made)


def ways() -> list[Any]:
    """Every backend that is here; those that are not are skipped with their reason."""
    absent = backends()
    made: list[Any] = []
    for name in ("reference", "cpu", "triton", "cuda"):
        devices = ["numpy", "cpu"] if name in ("reference", "cpu") else [_gpu(name)]
        devices = [one for one in devices if torch is not None or one == "numpy"]
        for device in devices:
            reason = absent[name]
            marks = [] if reason is None else [pytest.mark.skip(reason=f"{name}: {reason}")]
            made.append(pytest.param(Way(name, device), id=f"{name}-{device}", marks=marks))
    return made


def _gpu(name: str) -> str:
    if name == "triton" and torch is not None and not torch.cuda.is_available():
        return "cpu"  # interpreted, if at all
    return "cuda"

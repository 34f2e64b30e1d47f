"""Which backend computes: the first that can be used, or the one that is asked for by name.

| logits | in this order |
|---|---|
| on a CUDA device | ``cuda`` (prebuilt, else NVRTC), ``triton``, ``reference`` |
| in CPU memory | ``cpu`` (C++), ``reference`` |
| on another device, or float64 | ``reference`` |

A backend is a module with `available`, `softmax`, `sample`, `cross_entropy` and `apply_bitmask`, as
in `slm.kernels.reference`.
"""

from __future__ import annotations

from functools import cache
from importlib import import_module
from importlib.util import find_spec
from typing import Any

from slm.errors import KernelUnavailable
from slm.kernels.arguments import refuse

_MODULES = {
    "cuda": "slm.kernels.cuda",
    "triton": "slm.kernels.triton_backend",
    "cpu": "slm.kernels.cpu",
    "reference": "slm.kernels.reference",
}
_DEVICES = {"cuda": ("cuda",), "triton": ("cuda",), "cpu": ("cpu",)}
_ORDER = {"cuda": ("cuda", "triton", "reference"), "cpu": ("cpu", "reference")}
_NEEDS_TORCH = frozenset({"cuda", "triton", "reference"})


def backends() -> dict[str, str | None]:
    """Every backend, and why it can't be used here: None where it can.

    Cost: the first call looks for devices and libraries; later ones remember.

    >>> sorted(backends())
    ['cpu', 'cuda', 'reference', 'triton']
    """
    return {name: why_not(name) for name in _MODULES}


@cache
def why_not(name: str) -> str | None:
    """Why a backend can't be used on this machine, or None if it can."""
    if name in _NEEDS_TORCH and find_spec("torch") is None:
        return "torch is not installed"
    try:
        module = import_module(_MODULES[name])
    except ImportError as error:
        return f"{error}"
    found: str | None = module.available()
    return found


@cache
def choose(device: str, dtype: str, name: str | None) -> Any:
    """The module that computes for logits on a type of device. Answers are remembered.

    Args:
        device: ``"cuda"``, ``"cpu"``, or another type of torch's.
        dtype: the name of the logits' dtype.
        name: the backend asked for, or None.

    Raises:
        KernelArgumentError: no backend has this name, or it can't work on these logits.
        KernelUnavailable: it is not usable here, or none is.
    """
    if name:
        return _by_name(device, dtype, name)
    for candidate in ("reference",) if dtype == "float64" else _ORDER.get(device, ("reference",)):
        if why_not(candidate) is None:
            return import_module(_MODULES[candidate])
    raise KernelUnavailable(
        f"no backend can be used: {'; '.join(f'{k}: {v}' for k, v in backends().items())}",
        hint="pip install slm with a compiler present for the C++ kernels, or install torch",
    )


def _by_name(device: str, dtype: str, name: str) -> Any:
    if name not in _MODULES:
        raise refuse("backend", repr(name), f"None or one of {', '.join(_MODULES)}")
    reason = why_not(name)
    if reason is not None:
        usable = [one for one in _ORDER.get(device, ("reference",)) if why_not(one) is None]
        raise KernelUnavailable(
            f"the backend {name!r} can't be used here: {reason}",
            hint=f"usable for logits on {device}: {', '.join(usable) or 'none'}; "
            "slm.kernels.backends() has the reasons",
        )
    module = import_module(_MODULES[name])
    devices = getattr(module, "DEVICES", _DEVICES.get(name))
    if devices is not None and device not in devices:
        raise refuse("backend", repr(name), f"one for logits on {device}")
    if dtype == "float64" and name != "reference":
        raise refuse("logits", "float64", f"float32, bfloat16 or float16 for backend={name!r}")
    return module

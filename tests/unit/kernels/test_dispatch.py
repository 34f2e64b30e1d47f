"""Which backend computes, and that each one does everything."""

from __future__ import annotations

from importlib import import_module

import pytest

from slm.kernels import backends, dispatch

FUNCTIONS = ("softmax", "sample", "cross_entropy", "apply_bitmask")


@pytest.mark.parametrize("name", sorted(backends()))
def test_a_backend_does_everything(name: str) -> None:
    """Every backend has the four functions, also where it can't be used."""
    try:
        module = import_module(dispatch._MODULES[name])
    except ImportError as error:
        pytest.skip(f"{name}: {error}")
    assert [one for one in FUNCTIONS if not callable(getattr(module, one, None))] == []


def test_the_reference_does_everything() -> None:
    """What no other backend does, and float64, is the reference's."""
    pytest.importorskip("torch")
    assert backends()["reference"] is None
    for device in ("cpu", "cuda", "mps"):
        chosen = dispatch.choose(device, "float64", None)
        assert chosen.__name__ == "slm.kernels.reference"
    assert dispatch.choose("mps", "float32", None).__name__ == "slm.kernels.reference"


def test_reasons_are_texts() -> None:
    """Every backend is usable or says why not."""
    for name, reason in backends().items():
        assert reason is None or reason.strip(), name

"""Which backend computes, and that what each is said to do is there."""

from __future__ import annotations

from importlib import import_module

import pytest

from slm.kernels import backends, dispatch

FUNCTIONS = ("softmax", "sample", "cross_entropy", "apply_bitmask")


@pytest.mark.parametrize("name", sorted(backends()))
def test_a_backend_has_what_it_is_said_to_do(name: str) -> None:
    """The functions of a backend are those of the table, so that none is forgotten or made up."""
    try:
        module = import_module(dispatch._MODULES[name])
    except ImportError as error:
        pytest.skip(f"{name}: {error}")
    parts = dispatch._PARTS.get(name, frozenset(FUNCTIONS))
    assert {one for one in FUNCTIONS if hasattr(module, one)} == parts & set(FUNCTIONS)


def test_the_reference_does_everything() -> None:
    """What no other backend does, and float64, is the reference's."""
    pytest.importorskip("torch")
    assert backends()["reference"] is None
    for device in ("cpu", "cuda", "mps"):
        chosen = dispatch.choose(device, "float64", None, "sample", "filters")
        assert chosen.__name__ == "slm.kernels.reference"
    assert dispatch.choose("mps", "float32", None, "softmax").__name__ == "slm.kernels.reference"


def test_reasons_are_texts() -> None:
    """Every backend is usable or says why not."""
    for name, reason in backends().items():
        assert reason is None or reason.strip(), name

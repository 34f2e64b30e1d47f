"""The contract of slm.kernels, held by the CUDA kernels on the emulator: the tests of all backends."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from typing import Any

import pytest

from slm.kernels import cuda, dispatch
from tests.unit.kernels import test_contract as contract
from tests.unit.kernels.backends import Way
from tests.unit.kernels_cuda.fake import FakeDevice, fake  # noqa: F401

SPLITS = ["", "2,1,2"]


def cases() -> Iterator[Any]:
    """Every test of the contract with all its parameters but the backend."""
    for name, test in inspect.getmembers(contract, inspect.isfunction):
        if not name.startswith("test_"):
            continue
        made: list[dict[str, Any]] = [{}]
        for mark in getattr(test, "pytestmark", []):
            if mark.name != "parametrize" or mark.args[0] == "way":
                continue
            made = [{**one, mark.args[0]: value} for one in made for value in mark.args[1]]
        for named in made:
            yield pytest.param(test, named, id=f"{name}-{'-'.join(map(str, named.values()))}")


@pytest.mark.parametrize("split", SPLITS)
@pytest.mark.parametrize(("test", "named"), list(cases()))
def test_contract(
    fake: FakeDevice,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
    test: Any,
    named: dict[str, Any],
    split: str,
) -> None:
    """What all backends must compute, for rows in one block, in clusters, and across blocks."""
    monkeypatch.setenv("SLM_CUDA_PLAN", split)
    monkeypatch.setattr(cuda, "DEVICES", ("cpu",), raising=False)
    monkeypatch.setattr(dispatch, "why_not", lambda name: None)
    test(way=Way("cuda", "cpu"), **named)
    assert not any(counters.any() for counters in fake.counters), "a ticket was left behind"

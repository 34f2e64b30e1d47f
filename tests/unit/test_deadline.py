"""The tests' own time limit: it stops what it may stop, and nothing else."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable

import pytest

from tests.deadline import OutOfTime, within

PACKAGE = __name__.split(".")[0]


def spin(seconds: float, first: Callable[[], object] = lambda: None) -> None:
    first()
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        pass


def test_code_of_the_package_is_stopped() -> None:
    """A loop that would take 20 s is over at once."""
    before = time.monotonic()
    with pytest.raises(OutOfTime), within(0.05, PACKAGE):
        spin(20)
    assert time.monotonic() - before < 10


def test_other_code_is_left_alone() -> None:
    """What is not of a named package runs to its end."""
    before = time.monotonic()
    with within(0.02, "lark"):
        spin(0.2)
    assert time.monotonic() - before >= 0.2


def test_a_callback_of_the_collector_is_not_broken() -> None:
    """The limit that passes within a foreign callback of the collector is raised after it."""
    done: list[str] = []
    space: dict[str, object] = {"__name__": "foreign", "done": done, "time": time}
    exec(
        "def callback(phase, info):\n"
        "    if phase == 'start':\n"
        "        end = time.monotonic() + 0.2\n"
        "        while time.monotonic() < end: pass\n"
        "        done.append(phase)\n",
        space,
    )
    gc.callbacks.append(space["callback"])  # type: ignore[arg-type]
    try:
        with pytest.raises(OutOfTime), within(0.05, PACKAGE):
            spin(20, first=gc.collect)
    finally:
        gc.callbacks.remove(space["callback"])  # type: ignore[arg-type]
    assert "start" in done

"""A time limit for pure Python that has none of its own: Lark's parser, the reference engine."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

AGAIN = 0.05


class OutOfTime(BaseException):
    """Not an Exception, so that nothing on the way catches it."""


@contextmanager
def within(seconds: float, *packages: str) -> Iterator[None]:
    """Raises `OutOfTime` after ``seconds``, once code of ``packages`` is running.

    Only there: an exception raised in a callback of the garbage collector (hypothesis has one) or
    in a ``__del__`` is swallowed, and pytest fails the test for it. Until then it is tried anew
    every 0.05 s. Main thread only.
    """

    def over(_: int, frame: FrameType | None) -> None:
        name = str(frame.f_globals.get("__name__", "")) if frame else ""
        if name.split(".")[0] in packages and frame and frame.f_code.co_name != "__del__":
            raise OutOfTime

    before = signal.signal(signal.SIGALRM, over)
    signal.setitimer(signal.ITIMER_REAL, seconds, AGAIN)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)

"""No garbage collection while a grammar is worked out.

Making a grammar makes hundreds of thousands of objects that stay, and none that need the cycle
collector; it would look through all of them again and again, for a third of the time.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock

_lock = Lock()
_inside = 0
_was_on = False


@contextmanager
def without_collection() -> Iterator[None]:
    """Cycle collection waits; it goes on as before when the last thread in here has left."""
    global _inside, _was_on
    with _lock:
        if _inside == 0:
            _was_on = gc.isenabled()
            gc.disable()
        _inside += 1
    try:
        yield
    finally:
        with _lock:
            _inside -= 1
            if _inside == 0 and _was_on:
                gc.enable()

"""Work in a thread with as little stack as some systems give: what recurses too deep shows."""

from __future__ import annotations

import threading
from collections.abc import Callable

STACK = 512 * 1024


def in_small_stack(work: Callable[[], object]) -> None:
    """Run in a thread of 512 KB; what it raises is raised here."""
    raised: list[BaseException] = []

    def guarded() -> None:
        try:
            work()
        except BaseException as error:
            raised.append(error)

    before = threading.stack_size(STACK)
    try:
        thread = threading.Thread(target=guarded)
        thread.start()
        thread.join()
    finally:
        threading.stack_size(before)
    if raised:
        raise raised[0]

"""What an engine is: the two protocols that the reference and the native engine implement.

An engine is made for one grammar and one vocabulary, is shared between threads, and answers
through sessions, one a sequence. `Matcher` wraps a session; nothing else uses this interface.
"""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray


class Session(Protocol):
    """The text of one sequence so far, and what may follow it.

    *Viable* bytes are those that still can be continued to a text of the grammar. A session never
    leaves the viable texts. After an end token it is finished: only end tokens are allowed, and
    accepting one again changes nothing.
    """

    def fill_mask(self, row: NDArray[np.int32]) -> None:
        """Write every word of `row`: text tokens that stay viable, end tokens when complete.

        Args:
            row: (ceil(vocabulary / 32),), contiguous; token t is bit t % 32 of word t // 32.
        """
        ...

    def fill_mask_within(self, row: NDArray[np.int32], budget: int) -> None:
        """`fill_mask`, without the text tokens after which `budget - 1` more cannot finish.

        Args:
            row: as for `fill_mask`.
            budget: how many text tokens there may still be, 0 or more.
        """
        ...

    def tokens_left(self) -> tuple[int, bool]:
        """(n, exact): n more text tokens can complete the text; exact: and no fewer.

        n is -1 when no way to the end is known.
        """
        ...

    def fits(self, budget: int) -> bool:
        """Whether `budget` more text tokens are enough: n of `tokens_left` is known and no more."""
        ...

    def accept(self, token_id: int) -> bool:
        """Take a text token, or an end token when complete; False (and no change) if forbidden."""
        ...

    def viable_length(self, data: bytes) -> int:
        """How many leading bytes of `data` are viable from here; changes nothing."""
        ...

    def rollback(self, n: int) -> None:
        """Take back the last `n` tokens; the caller has checked that there are so many."""
        ...

    def fork(self) -> Session:
        """An independent session with the same past."""
        ...

    def is_complete(self) -> bool:
        """Whether the text so far is a text of the grammar."""
        ...

    def is_finished(self) -> bool:
        """Whether an end token was accepted."""
        ...

    def forced_bytes(self, limit: int) -> bytes:
        """The bytes, at most `limit`, that every continuation has: one viable byte, no end."""
        ...

    def expected(self, after: bytes) -> list[tuple[str, str]]:
        """Sorted (terminal, rule) pairs that may begin or go on after these viable bytes."""
        ...


class Engine(Protocol):
    """A compiled grammar over a vocabulary; immutable but for invisible caches."""

    def session(self) -> Session:
        """A new session at the start of the text."""
        ...

    def stats(self) -> dict[str, int]:
        """Sizes and counters, for people."""
        ...

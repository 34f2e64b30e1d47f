"""What an engine is: the two protocols that the reference and the native engine implement.

An engine is made for one grammar and one vocabulary, is shared between threads, and answers
through sessions, one a sequence. `Matcher` wraps a session; nothing else uses this interface.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from slm.grammar.ir import Grammar, Terminal
from slm.mask.stats import Stats

# What every continuation begins with: the bytes; whether the text is complete after them and can
# not go on; else, by ascending position, the tokens that begin there inside these bytes, go on
# after their end, and are viable: the first few, one a byte string, and whether there are more.
Ahead: TypeAlias = tuple[bytes, bool, list[tuple[int, list[int], bool]]]


class SchemaProgram(Protocol):
    """A grammar that a front end made in C++, and that Python can make as well, if anyone asks."""

    @property
    def program(self) -> Any:
        """In the form that the native engine reads."""
        ...

    def grammar(self) -> Grammar:
        """The same as rules, by number."""
        ...


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

    def mask_key(self) -> int | None:
        """Sessions of this process with the same number have the same mask; None: not known."""
        ...

    def tokens_left(self) -> tuple[int, bool]:
        """(n, exact): n more text tokens can complete the text; exact: and no fewer.

        n is -1 when no way to the end is known.
        """
        ...

    def fits(self, budget: int) -> bool:
        """Whether `budget` more text tokens are enough: n of `tokens_left` is known and no more."""
        ...

    def fill_row(self, bitmask: Any, row: Any) -> bool:
        """The quick way for a numpy bitmask: write the mask into its row.

        False, and nothing is written, where the bitmask or the row is not plainly right.
        """
        ...

    @staticmethod
    def fill_rows(sessions: Sequence[Any], bitmask: Any, rows: list[int], threads: int) -> bool:
        """`fill_row` for each session; False, and nothing is written, if one would be False."""
        ...

    def accept(self, token_id: Any) -> bool:
        """Take a text token, or an end token when complete; False (and no change) if forbidden.

        Also False for whatever is not plainly an id: no `int`, or none of the vocabulary's.
        """
        ...

    def check(self, token_id: Any) -> bool:
        """What `accept` would say; changes nothing."""
        ...

    def verify(
        self, tokens: Sequence[Any], parents: Sequence[Any] | None, rows: NDArray[np.int32] | None
    ) -> tuple[list[bool], list[bool]] | None:
        """For each node of a tree of tokens: legal or not, and whether the text may end after it.

        Args:
            tokens: the token of each node.
            parents: the index of the node before it, an earlier one; -1 for the text so far. None
                for a chain.
            rows: (nodes + 1, words): the mask after the text goes to row 0, the mask after node i
                to row i + 1, zeros where it is illegal; None for no masks.

        Returns:
            None where the tree is not plainly right, and nothing is written.
        """
        ...

    def tokens(self) -> list[int]:
        """The accepted ids."""
        ...

    def viable_length(self, data: bytes) -> int:
        """How many leading bytes of `data` are viable from here; changes nothing."""
        ...

    def forbids(self, data: bytes) -> bool:
        """Whether the last of these bytes is refused for what is remembered, not by the rules."""
        ...

    def rollback(self, n: int) -> bool:
        """Take back the last `n` tokens, 0 or more; False, and no change, if there are fewer."""
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

    def look_ahead(self, limit: int, kinds: int) -> Ahead:
        """What comes next for certain, and what could be written across its end.

        Args:
            limit: at most so many bytes.
            kinds: at most so many tokens a position.
        """
        ...

    def only_tokens(self, limit: int) -> tuple[list[int], bool]:
        """Tokens, at most `limit` bytes, each of which is the only one allowed after those before.

        And whether the text is complete after them and nothing can follow.
        """
        ...

    def expected(self, after: bytes) -> list[tuple[str, str]]:
        """Sorted (terminal, rule) pairs that may begin or go on after these viable bytes."""
        ...

    def waiting(self, after: bytes) -> list[tuple[str, str, Terminal | None]]:
        """As `expected`, with the terminal as it stands in the rule, where that is known.

        Sorted; several times the same pair where several places of a rule wait.
        """
        ...


class Engine(Protocol):
    """A compiled grammar over a vocabulary; immutable but for invisible caches."""

    def session(self) -> Session:
        """A new session at the start of the text."""
        ...

    def stats(self) -> Stats:
        """Sizes and counters, for people."""
        ...

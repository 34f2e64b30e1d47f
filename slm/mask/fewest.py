"""The fewest tokens to the end of a text, by breadth-first search: what a token budget *means*.

Tokens are the edges. All places that one token reaches, then all that two reach, and so on, until
the text is complete at one of them. That visits every place at least as near as the end: for small
grammars only. The native engine does it by the structure of the grammar, and is judged by this.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, TypeVar

from slm.errors import GrammarTooComplex
from slm.vocab import Vocabulary

Position = TypeVar("Position")

_MAX_POSITIONS = 20_000


class FewestTokens(Generic[Position]):
    """Distances to the end, in tokens.

    Args:
        after_token: the position after some bytes, or None.
        is_complete: whether a text may end at a position.
        vocabulary: the tokens; end tokens are not counted.
    """

    def __init__(
        self,
        after_token: Callable[[Position, bytes], Position | None],
        is_complete: Callable[[Position], bool],
        vocabulary: Vocabulary,
    ) -> None:
        self._after_token = after_token
        self._is_complete = is_complete
        self._tokens = vocabulary.sorted_bytes
        self._successors: dict[Position, dict[bytes, Position]] = {}
        self._fewest: dict[Position, int] = {}

    def successors(self, position: Position) -> dict[bytes, Position]:
        """The position after each token that is allowed."""
        known = self._successors.get(position)
        if known is None:
            tries = ((data, self._after_token(position, data)) for data in self._tokens)
            known = {data: after for data, after in tries if after is not None}
            self._successors[position] = known
        return known

    def tokens(self, position: Position) -> int:
        """The fewest tokens to an end; -1 when none can be reached.

        Raises:
            GrammarTooComplex: too many positions are nearer than the end.
        """
        if position not in self._fewest:
            found = self._search(position, None)
            assert found is not None
            self._fewest[position] = found
        return self._fewest[position]

    def within(self, position: Position, budget: int) -> bool:
        """Whether so many tokens reach an end."""
        known = self._fewest.get(position)
        if known is None:
            found = self._search(position, budget)
            if found is None:
                return False
            known = self._fewest[position] = found
        return 0 <= known <= budget

    def _search(self, start: Position, limit: int | None) -> int | None:
        """The fewest tokens; -1 if there is no end, None if it takes more than the limit."""
        seen, level, count = {start}, [start], 0
        while level:
            if any(self._is_complete(position) for position in level):
                return count
            if count == limit:
                return None
            count += 1
            reached = dict.fromkeys(
                after for position in level for after in self.successors(position).values()
            )
            level = [position for position in reached if position not in seen]
            seen.update(level)
            if len(seen) > _MAX_POSITIONS:
                raise GrammarTooComplex(
                    "the fewest tokens to the end of the text are too far to be counted one by one",
                    hint="use the native engine",
                )
        return -1

"""What decoding asks of a model: its vocabulary, an encoder for prompts, and logits on demand.

A runtime implements `LanguageModel` and `Session` and nothing else; no tensor type of its own shows
here. Its sessions may offer `MaskedSession` too: where the mask is known before the model runs,
they need not compute the logits that it forbids.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from slm.vocab import Vocabulary


class Session(Protocol):
    """One batch under way: a row for each sequence, each with its own KV cache."""

    def feed(self, tokens: Sequence[Sequence[int]]) -> NDArray[np.float32]:
        """Run the model over the next tokens of each row.

        Args:
            tokens: for each row at least one token; rows may differ in how many they get. The
                first call brings the prompts.

        Returns:
            (rows, padded_vocab) float32: the logits after each row's last token. What a row gets
            does not depend on the other rows, up to rounding. The array may be reused by the next
            call.
        """
        ...

    def keep(self, rows: Sequence[int]) -> None:
        """Go on with these rows only, in this order; the others are finished."""
        ...


@dataclass(frozen=True, slots=True)
class Logits:
    """One row's logits: all of them, or those of some tokens.

    Attributes:
        values: float32; (padded_vocab,), or one for each of `ids`.
        ids: (len(values),) int64, rising: the tokens that `values` are of, which are exactly those
            that the row's mask allows; None for all.
    """

    values: NDArray[np.float32]
    ids: NDArray[np.int64] | None = None


@runtime_checkable
class MaskedSession(Session, Protocol):
    """A session that can leave out logits which a mask forbids."""

    def feed_masked(
        self, tokens: Sequence[Sequence[int]], masks: Sequence[NDArray[np.int32] | None]
    ) -> Sequence[Logits]:
        """As `feed`, with what will be allowed after each row's last token.

        Args:
            tokens: as for `feed`.
            masks: for each row (words,) int32, token t is bit t % 32 of word t // 32, 1 = allowed;
                None where all logits are wanted.

        Returns:
            For each row its logits: all of them, or exactly those of the allowed tokens. The
            session decides which rows are worth leaving something out of.
        """
        ...


class LanguageModel(Protocol):
    """A causal language model that can be decoded from."""

    @property
    def vocabulary(self) -> Vocabulary:
        """Its tokens as bytes, with the ids that end a text."""
        ...

    @property
    def context_length(self) -> int | None:
        """How many tokens, prompt and output together, it can attend to; None without a limit."""
        ...

    def encode(self, text: str) -> list[int]:
        """The tokens of a prompt, with whatever the model wants at its beginning."""
        ...

    def session(self, rows: int) -> Session:
        """A fresh batch of so many rows."""
        ...

"""What decoding asks of a model: its vocabulary, an encoder for prompts, and logits on demand.

A runtime implements these two protocols and nothing else; no tensor type of its own shows here.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

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

"""Models without weights: for tests, for documentation, and for random walks under a mask."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from slm.vocab import Vocabulary

LogitsFunction: TypeAlias = Callable[[Sequence[int], Sequence[int]], NDArray[np.float32]]


class FakeModel:
    """A model whose logits are any function of the prompt and of the tokens after it.

    Args:
        vocabulary: its tokens.
        logits: (prompt tokens, tokens fed since) → (padded_vocab,) float32.
        context_length: None for no limit.
    """

    def __init__(
        self,
        vocabulary: Vocabulary,
        logits: LogitsFunction,
        *,
        context_length: int | None = None,
    ) -> None:
        self.vocabulary = vocabulary
        self.logits = logits
        self.context_length = context_length
        self._encoded: dict[tuple[int, ...], None] = {}

    def encode(self, text: str) -> list[int]:
        """The vocabulary's own tokenisation; one end token for the empty text."""
        tokens = list(self.vocabulary.tokenize(text)) or list(self.vocabulary.eos_ids[:1])
        self._encoded[tuple(tokens)] = None
        return tokens

    def prompt_length(self, tokens: Sequence[int]) -> int:
        """How many of a row's first tokens are its prompt: what `encode` gave, else all."""
        known = (len(prompt) for prompt in self._encoded if prompt == (*tokens[: len(prompt)],))
        return max(known, default=len(tokens))

    def session(self, rows: int) -> FakeSession:
        """A fresh batch of so many rows."""
        return FakeSession(self, rows)


class FakeSession:
    """Remembers what each row was fed: its prompt, and what came after."""

    def __init__(self, model: FakeModel, rows: int) -> None:
        self._model = model
        self._prompts: list[list[int]] = [[] for _ in range(rows)]
        self._outputs: list[list[int]] = [[] for _ in range(rows)]
        self.fed: list[list[list[int]]] = []  # every call's tokens

    def feed(self, tokens: Sequence[Sequence[int]]) -> NDArray[np.float32]:
        """See `slm.decode.protocol.Session.feed`."""
        self.fed.append([list(row) for row in tokens])
        for prompt, output, new in zip(self._prompts, self._outputs, tokens, strict=True):
            length = 0 if prompt else self._model.prompt_length(new)
            prompt.extend(new[:length])
            output.extend(new[length:])
        rows = zip(self._prompts, self._outputs, strict=True)
        return np.stack([self._model.logits(prompt, output) for prompt, output in rows])

    def keep(self, rows: Sequence[int]) -> None:
        """See `slm.decode.protocol.Session.keep`."""
        self._prompts = [self._prompts[row] for row in rows]
        self._outputs = [self._outputs[row] for row in rows]


def uniform(vocabulary: Vocabulary, *, context_length: int | None = None) -> FakeModel:
    """A model that finds every token equally likely, always."""
    logits = np.zeros(len(vocabulary), np.float32)
    return FakeModel(vocabulary, lambda _prompt, _output: logits, context_length=context_length)


def scripted(
    vocabulary: Vocabulary, text: str | bytes, *, context_length: int | None = None
) -> FakeModel:
    """A model that wants to say exactly this text, and then to end.

    At each place it prefers the longest token that continues the text; where the output (or a
    token forced on it) has left the text, it wants to end.

    >>> from slm.vocab import byte_vocabulary
    >>> model = scripted(byte_vocabulary(), "hi")
    >>> session = model.session(1)
    >>> prompt = model.encode("say hi: ")
    >>> chr(session.feed([prompt])[0].argmax()), chr(session.feed([list(b"h")])[0].argmax())
    ('h', 'i')
    """
    wanted = text.encode() if isinstance(text, str) else text
    by_first: dict[int, list[int]] = {}
    for token in range(len(vocabulary)):
        if piece := vocabulary.bytes_of(token):
            by_first.setdefault(piece[0], []).append(token)

    def logits(_prompt: Sequence[int], output: Sequence[int]) -> NDArray[np.float32]:
        scores = np.zeros(len(vocabulary), np.float32)
        said = b"".join(vocabulary.bytes_of(token) or b"" for token in output)
        if said == wanted or not wanted.startswith(said):
            scores[list(vocabulary.eos_ids)] = 100
            return scores
        for token in by_first.get(wanted[len(said)], ()):
            piece = vocabulary.bytes_of(token) or b""
            if wanted.startswith(piece, len(said)):
                scores[token] = 10 + len(piece)
        return scores

    return FakeModel(vocabulary, logits, context_length=context_length)

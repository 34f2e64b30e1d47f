"""What a generation gives back: the text, its value, and how each token came about."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, fields
from typing import Any, Literal


@dataclass(frozen=True, slots=True)
class Step:
    """One token of an output and how it came about.

    Attributes:
        token_id: the token.
        piece: its bytes; empty for a special token.
        forced: the specification left nothing else here, so the model was not asked.
        legal: how many tokens the mask allowed; None for forced tokens, and without a mask.
        logprob: the token's natural log-probability under the unmasked model; None when forced,
            and without ``likelihoods=True``.
        legal_mass: the probability the unmasked model gave to all legal tokens; None where
            `legal` or `logprob` is.
    """

    token_id: int
    piece: bytes
    forced: bool
    legal: int | None = None
    logprob: float | None = None
    legal_mass: float | None = None

    def __str__(self) -> str:
        shown = self.piece.decode("utf-8", "backslashreplace")
        if self.forced:
            return f"{shown!r} forced"
        among = "unmasked" if self.legal is None else f"one of {self.legal}"
        if self.logprob is None:
            return f"{shown!r} {among}"
        return f"{shown!r} {among}, p={2.718281828459045**self.logprob:.3f}"


@dataclass(frozen=True, slots=True)
class GenerationStats:
    """Counts and times of one output.

    Attributes:
        prompt_tokens: length of the prompt.
        chosen_tokens: tokens the model was asked for (an end token included).
        forced_tokens: tokens the specification left no choice about.
        forward_passes: how often the model ran for this row.
        mask_seconds: time spent in the mask engine.
        seconds: wall time, shared with the other rows of the batch.
        masks: how many masks were made; with ``masking="opportunistic"``, how often the model's
            own choice was not legal, or its sampling needed the mask.
        logits: how many logits were computed for this row, in all passes together; without a mask,
            and with ``likelihoods=True``, as many a pass as the model has.
    """

    prompt_tokens: int
    chosen_tokens: int
    forced_tokens: int
    forward_passes: int
    mask_seconds: float
    seconds: float
    masks: int = 0
    logits: int = 0


@dataclass(frozen=True, slots=True)
class Generation:
    """One finished output.

    Attributes:
        text: what was generated, without the prompt.
        value: the text as the specification's value: parsed JSON, the pydantic object, the tuple
            of triples, else the text itself. None if the text is not complete.
        tokens: its token ids, without an end token.
        trace: one step a token, and one for the end token where the model chose to end.
        finish_reason: "complete" when the text ended as the specification (or, without one, the
            model) wanted; "length" when the budget or the context ran out first, which a whole
            output does not (see `Generator`).
        complete: whether the text is a whole text of the specification. With finish_reason
            "length" this can be true: it could have gone on, but did not have to.
        stats: counts and times.
        tree: of a Lark grammar's text, what Lark makes of it.

    Printing it prints the value.
    """

    text: str
    value: Any
    tokens: tuple[int, ...]
    trace: tuple[Step, ...] = field(repr=False)
    finish_reason: Literal["complete", "length"]
    complete: bool
    stats: GenerationStats = field(repr=False)
    _tree: Callable[[], Any] | None = field(default=None, repr=False, compare=False)

    @property
    def tree(self) -> Any:
        """The parse tree: a `lark.Tree`, or what the grammar's transformer makes of one.

        None where the text is not complete, or is not of a Lark grammar.

        Raises:
            lark.exceptions.VisitError: the transformer failed.

        Cost: Lark parses the text, when first asked.
        """
        return None if self._tree is None else self._tree()

    def __reduce__(self) -> tuple[Any, ...]:
        plain = tuple(getattr(self, each.name) for each in fields(self) if each.name != "_tree")
        return _restored, (plain, self.tree)  # what makes a tree cannot be copied, a tree can

    def __str__(self) -> str:
        return str(self.value) if self.complete else self.text


def _restored(plain: tuple[Any, ...], tree: Any) -> Generation:
    made = Generation(*plain)
    object.__setattr__(made, "_tree", lambda: tree)
    return made

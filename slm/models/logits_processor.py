"""Grammar masks for people who call ``model.generate`` of transformers themselves."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from slm.decode.sampling import unpack_mask
from slm.errors import BitmaskMismatch, TokenRejected, UsageError

if TYPE_CHECKING:
    import torch

    from slm.mask import CompiledGrammar, Matcher


class GrammarLogitsProcessor:
    """A logits processor that leaves only the tokens a grammar allows.

    Give it to ``model.generate(…, logits_processor=[processor])``. The first call takes what is
    there as the prompt; each later call takes the tokens added since. One object serves one call
    of ``generate``: make a new one, or call `reset`, for the next.

    Args:
        compiled: from `slm.compile`; a list of them gives each row of the batch its own, None for
            free text.
        prompt_length: where the output begins, if not at the first call (to go on with an output
            that was begun); counts the padding of the batch too.
        num_beams: as given to ``generate``. With several beams the rows change places at every
            step; each row's state is then found again by its tokens.

    Each matcher is its own, so the object must not be shared by concurrent calls.

    Cost: one mask and one pass over the scores per row and step.
    """

    def __init__(
        self,
        compiled: CompiledGrammar | Sequence[CompiledGrammar | None],
        *,
        prompt_length: int | None = None,
        num_beams: int = 1,
    ) -> None:
        self._compiled = compiled
        self._given_length = prompt_length
        self._num_beams = num_beams
        self.reset()

    def reset(self) -> None:
        """Forget everything: the next call begins a new output."""
        self._length: int | None = None  # of the input at the last call
        self._start = self._given_length or 0
        # By (which grammar, tokens so far): the matcher there, None once a token was not allowed.
        self._states: dict[tuple[int, tuple[int, ...]], Matcher | None] = {}

    def __call__(self, input_ids: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
        """Set the scores of disallowed tokens to -inf.

        Args:
            input_ids: (rows, length), prompts and outputs so far.
            scores: (rows, padded_vocab); not changed.

        Returns:
            New scores. Rows that have ended allow their end tokens only: ``generate`` pads them,
            and if it does not know the end token, nothing else follows.

        Raises:
            UsageError: more or fewer rows than grammars, rows that changed places without
                `num_beams`, or a processor used for a second ``generate`` without `reset`.
            TokenRejected: an output has a token that was not allowed (another processor, or a
                forced token, overruled the mask).
            BitmaskMismatch: fewer scores than the vocabulary has tokens.
        """
        rows = input_ids.tolist()
        length = len(rows[0])
        if self._length is None:
            self._start = length if self._given_length is None else self._given_length
        elif length != self._length + 1:
            raise UsageError(
                f"the input has {length} tokens after {self._length} in the call before",
                hint="use a new GrammarLogitsProcessor, or reset(), for every call of generate",
            )
        result = scores.clone()
        states: dict[tuple[int, tuple[int, ...]], Matcher | None] = {}
        for row, ids in enumerate(rows):
            which, compiled = self._grammar(row, len(rows))
            if compiled is None:
                continue
            key = (which, tuple(ids[self._start :]))
            if key not in states:
                states[key] = self._state(key, compiled, row)
            self._mask_row(result, row, states[key], compiled)
        self._states, self._length = states, length
        return result

    def _grammar(self, row: int, rows: int) -> tuple[int, CompiledGrammar | None]:
        """The grammar of a row: its number in the list, and itself."""
        if not isinstance(self._compiled, Sequence):
            # Rows of one grammar are told apart by their place, unless beams move them about.
            return (0 if self._num_beams > 1 else row), self._compiled
        if rows != len(self._compiled) * self._num_beams:
            raise UsageError(
                f"{rows} rows for {len(self._compiled)} grammars and num_beams={self._num_beams}",
                hint="pass one grammar for each prompt, and the num_beams that generate gets",
            )
        which = row // self._num_beams
        return which, self._compiled[which]

    def _state(
        self, key: tuple[int, tuple[int, ...]], compiled: CompiledGrammar, row: int
    ) -> Matcher | None:
        """The matcher after these tokens: one step from the last call's, or from the beginning."""
        which, tokens = key
        if self._length is None:
            matcher, new = compiled.matcher(), tokens
        else:
            before = (which, tokens[:-1])
            if before not in self._states:
                raise UsageError(
                    f"row {row} does not continue what it was in the call before",
                    hint="with beam search pass num_beams=…; for a new generate call reset()",
                )
            known = self._states[before]
            if known is None:
                return None
            matcher, new = known.fork(), tokens[-1:]
        for token in new:
            if matcher.is_finished:
                break  # padding
            try:
                matcher.accept(token)
            except TokenRejected:
                # A beam search keeps beams of probability 0 where fewer tokens are legal than it
                # has beams; nothing can come of them.
                if self._num_beams == 1:
                    raise
                return None
        return matcher

    def _mask_row(
        self, scores: Any, row: int, matcher: Matcher | None, compiled: CompiledGrammar
    ) -> None:
        import torch

        size = len(compiled.vocabulary)
        if scores.shape[1] < size:
            raise BitmaskMismatch(
                f"scores of width {scores.shape[1]} for a vocabulary of {size} tokens",
                hint="compile the grammar with the vocabulary of this model",
            )
        if matcher is None:
            return
        if matcher.is_finished:
            ends = list(compiled.vocabulary.eos_ids)
            scores[row] = float("-inf")
            scores[row, ends] = 0.0  # the model's own may be -inf
            return
        legal = np.zeros(scores.shape[1], np.bool_)
        legal[:size] = unpack_mask(matcher.mask(), size)
        scores[row, torch.from_numpy(~legal).to(scores.device)] = float("-inf")

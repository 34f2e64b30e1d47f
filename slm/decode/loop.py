"""The decode loop: one batch, a row for each request, each with its own grammar or none.

A row alternates between the model and its matcher. After each token the model chose, the matcher
says which tokens must follow anyway; they are accepted at once and go through the model together
with the chosen one, in a single forward pass. When the text is complete and nothing but the end
token may follow, the row ends without asking the model again.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from slm.decode.generation import GenerationStats, Step
from slm.decode.protocol import LanguageModel, Logits, MaskedSession, Session
from slm.decode.sampling import Pick, Sampler, Sampling
from slm.errors import BudgetTooSmall, LogitsMismatch, Place, PromptTooLong, UsageError

if TYPE_CHECKING:
    from slm.mask import Matcher

Masking: TypeAlias = Literal["always", "opportunistic"]


@dataclass(frozen=True, slots=True)
class Request:
    """One row of a batch.

    Attributes:
        prompt: its tokens, at least one.
        matcher: what bounds the output; None for free text. The loop advances it.
        max_tokens: the most tokens to generate, forced ones included, the end token not.
        sampling: how tokens are chosen.
        seed: equal seeds give equal outputs; None for a new one.
        masking: "always" makes the mask of every token; "opportunistic" takes the model's choice
            if it is legal, and makes the mask only if not. The outputs have the same distribution.
        whole: with a matcher, only tokens are allowed after which the text can still be completed
            within the budget, so it always is. False: the budget just ends it. None: True with the
            native engine (the reference engine finds the shortest completion of small grammars
            only).
        likelihoods: steps say what the unmasked model thought of them, which takes all its logits.
            False: a session may leave out the logits that the mask forbids.
    """

    prompt: tuple[int, ...]
    matcher: Matcher | None
    max_tokens: int
    sampling: Sampling = field(default_factory=Sampling)
    seed: int | None = 0
    masking: Masking = "always"
    whole: bool | None = None
    likelihoods: bool = False


@dataclass(frozen=True, slots=True)
class Progress:
    """What one turn of the loop did for one row.

    Attributes:
        row: which request.
        steps: the new tokens, in order.
        text: all bytes so far; a multi-byte character may be unfinished.
        finish_reason: None while the row goes on.
        complete: the text so far is whole (without a matcher: the model ended it).
        stats: counts and times so far.
    """

    row: int
    steps: tuple[Step, ...]
    text: bytes
    finish_reason: Literal["complete", "length"] | None
    complete: bool
    stats: GenerationStats


def decode(
    model: LanguageModel, requests: Sequence[Request], *, batch_size: int | None = None
) -> Iterator[Progress]:
    """Generate for all requests together, and report each row's tokens as they come.

    A row's output depends on its own request only, not on the batch.

    Args:
        model: what gives the logits.
        requests: the rows; all are checked before the first one runs.
        batch_size: at most so many rows go through the model together, the others wait; None for
            all at once.

    Raises:
        PromptTooLong: a prompt leaves no room in the model's context. Nothing was generated then.
        BudgetTooSmall: `max_tokens` is below 1, or no text of a row that has to be whole fits into
            it, or into the model's context; the message says how many it takes. Nothing was
            generated then. Without `whole`, a budget that runs out is a finish reason.
        InvalidSampling: see `Sampling`.
        LogitsMismatch: the model's logits do not fit its vocabulary, or are unusable.
        UsageError: an empty prompt.

    Cost: per token one mask and one pass over the vocabulary, besides the model.
    """
    rows = [_Row(index, request, model) for index, request in enumerate(requests)]
    for row in rows:
        row.check_minimum(model.context_length)
    size = batch_size or max(1, len(rows))
    for begin in range(0, len(rows), size):
        yield from _decode_batch(model, rows[begin : begin + size])


def _decode_batch(model: LanguageModel, rows: list[_Row]) -> Iterator[Progress]:
    active = []
    for row in rows:
        row.start()
        if row.finish_reason is None:
            active.append(row)
        if row.fresh or row.finish_reason is not None:
            yield row.report()
    session = model.session(len(active)) if active else None
    masked = session if isinstance(session, MaskedSession) else None
    while active:
        assert session is not None
        for row, logits in zip(active, _feed(session, masked, active), strict=True):
            row.advance(logits)
            yield row.report()
        going = [at for at, row in enumerate(active) if row.finish_reason is None]
        if going and len(going) < len(active):
            session.keep(going)
        active = [active[at] for at in going]


def _feed(session: Session, masked: MaskedSession | None, rows: list[_Row]) -> Sequence[Logits]:
    """Each row's next logits; where its mask is known already, maybe only those it allows."""
    tokens = [row.pending for row in rows]
    masks = [None if row.request.likelihoods else row.mask for row in rows]
    if masked is not None and any(mask is not None for mask in masks):
        return masked.feed_masked(tokens, masks)
    logits = session.feed(tokens)
    if logits.ndim != 2 or logits.shape[0] != len(rows):
        raise LogitsMismatch(
            f"logits of shape {logits.shape} for a batch of {len(rows)} rows",
            hint="a session's feed returns (rows, padded_vocab)",
        )
    return [Logits(values) for values in logits]


class _Row:
    """The state of one request under way."""

    def __init__(self, index: int, request: Request, model: LanguageModel) -> None:
        self.index, self.request, self.matcher = index, request, request.matcher
        self.vocabulary = model.vocabulary
        self.tokens: list[int] = []
        self.fresh: list[Step] = []  # steps not reported yet
        self.pending = list(request.prompt)  # tokens the model has not seen yet
        self.finish_reason: Literal["complete", "length"] | None = None
        self.ended = False  # the model chose the end token
        self.mask: NDArray[np.int32] | None = None
        self.opportunistic = request.masking == "opportunistic" and request.matcher is not None
        self.masks = 0
        self.text = bytearray()
        self.chosen = self.forced = self.passes = self.logits = 0
        self.mask_seconds = 0.0
        self.started = time.perf_counter()
        size = len(self.vocabulary)
        self.sampler = Sampler(request.sampling, request.seed, size)
        self.sampler.see([token for token in request.prompt if token < size])
        self.budget = self._budget(model.context_length)
        self.whole = self._keeps_whole()
        self.end_ids = frozenset(self.vocabulary.eos_ids)
        self.ends = np.zeros((size + 31) // 32, np.uint32)
        for token in self.end_ids:
            self.ends[token // 32] |= np.uint32(1 << token % 32)

    def _budget(self, context: int | None) -> int:
        """`max_tokens`, or less where the context ends before."""
        request = self.request
        if isinstance(request.max_tokens, bool) or request.max_tokens < 1:
            raise BudgetTooSmall(
                f"max_tokens={request.max_tokens!r} allows no token at all",
                hint="max_tokens must be 1 or above",
            )
        if not request.prompt:
            raise UsageError(
                f"prompt {self.index} has no tokens",
                hint="a model needs at least one token to start from",
            )
        if context is None:
            return request.max_tokens
        room = context - len(request.prompt)
        if room < 1:
            raise PromptTooLong(
                f"the prompt has {len(request.prompt)} tokens, and the model's context of "
                f"{context} leaves no room for an output",
                at=Place(f"prompt {self.index}"),
                hint=f"shorten the prompt by at least {1 - room} tokens, or split it",
            )
        return min(request.max_tokens, room)

    def _keeps_whole(self) -> bool:
        if self.matcher is None or self.request.whole is not None:
            return self.matcher is not None and bool(self.request.whole)
        return self.matcher.compiled.keeps_budgets

    def check_minimum(self, context: int | None) -> None:
        """A text has to fit into the budget; who stays within it from then on always ends whole."""
        if not self.whole or self.matcher is None or self.matcher.fits(self.budget):
            return
        need = self.matcher.min_tokens()
        shortest = "the shortest output" + ("" if need.exact else " that was found")
        if self.budget < self.request.max_tokens:
            what = (
                f"the model's context of {context} tokens leaves {self.budget} for the output, and "
                f"{shortest} has {need.tokens}"
            )
            hint = f"shorten the prompt by {need.tokens - self.budget} tokens, or split it"
        else:
            what = f"max_tokens={self.budget} is too small: {shortest} has {need.tokens} tokens"
            hint = f"raise max_tokens to {need.tokens} or more"
        raise BudgetTooSmall(
            what,
            at=Place(f"prompt {self.index}"),
            hint=f"{hint}; whole=False takes unfinished outputs",
        )

    def start(self) -> None:
        """Take what is certain before the model is asked."""
        self.started = time.perf_counter()
        if self.matcher is not None:
            self._follow()

    def advance(self, logits: Logits) -> None:
        """Choose one token, then take what it forces."""
        self.pending = []
        self.passes += 1
        self.logits += len(logits.values)
        pick = self._pick(logits)
        self.chosen += 1
        token = pick.token_id
        ends = token in self.end_ids
        step = Step(
            token,
            b"" if ends else self._bytes(token),
            False,
            legal=pick.legal,
            logprob=pick.logprob,
            legal_mass=pick.legal_mass,
        )
        if ends:
            self.fresh.append(step)
            self.ended = True
            self.finish_reason = "complete"
            if self.matcher is not None:
                self.matcher.accept(token)
            return
        self._take(step)
        if self.matcher is not None:
            self._follow()
        elif len(self.tokens) == self.budget:
            self.finish_reason = "length"

    def _pick(self, given: Logits) -> Pick:
        logits, likelihoods = given.values, self.request.likelihoods
        if given.ids is not None:
            among = self.sampler.choose_among(logits, given.ids)
            self._check_allowed(among.token_id)
            return among
        if not self.opportunistic:
            return self.sampler.choose(logits, self.mask, likelihoods)
        assert self.matcher is not None
        pick = self.sampler.choose_unmasked(logits, self._is_legal, likelihoods)
        if pick is not None:
            return pick
        begin = time.perf_counter()
        mask = self._make_mask(self.matcher)
        self.mask_seconds += time.perf_counter() - begin
        return self.sampler.choose(logits, mask, likelihoods)

    def _check_allowed(self, token: int) -> None:
        """The ids that came with the logits are the session's word; the mask has the last one."""
        if self.mask is None or not int(self.mask[token >> 5]) >> (token & 31) & 1:
            raise LogitsMismatch(
                f"the session gave logits of token {token}, which its mask does not allow",
                hint="a session's feed_masked names exactly the tokens of the mask, or none",
            )

    def _is_legal(self, token: int) -> bool:
        assert self.matcher is not None
        begin = time.perf_counter()
        legal = self.matcher.check(token) and (token in self.end_ids or self._fits_after(token))
        self.mask_seconds += time.perf_counter() - begin
        return legal

    def _make_mask(self, matcher: Matcher) -> NDArray[np.int32]:
        self.masks += 1
        return matcher.mask(self.budget - len(self.tokens) if self.whole else None)

    def _fits_after(self, token: int) -> bool:
        """Whether the text can still be completed within the budget after a legal text token."""
        if not self.whole or self.matcher is None:
            return True
        left = self.budget - len(self.tokens) - 1
        if left < 0:
            return False
        self.matcher.accept(token)
        fits = self.matcher.fits(left)
        self.matcher.rollback(1)
        return fits

    def _follow(self) -> None:
        """Take forced tokens, then make the next mask; finish where the text or the budget ends.

        Where masks are left unmade, what is forced says it all: an end token among it when nothing
        else can follow, and any token that is the only one.
        """
        assert self.matcher is not None
        begin = time.perf_counter()
        try:
            for token in self.matcher.forced_tokens():
                if token in self.end_ids:
                    if self.opportunistic:
                        self.finish_reason = "complete"
                        return
                    break
                if self.whole:
                    # What is forced is certain, how it is cut into tokens is not.
                    if not self._fits_after(token):
                        break
                elif len(self.tokens) == self.budget:
                    self.finish_reason = "length"
                    return
                self._take(Step(token, self._bytes(token), True))
            if self.opportunistic:
                if len(self.tokens) == self.budget:
                    self.finish_reason = "complete" if self.whole else "length"
                return
            while self.finish_reason is None:
                left = self.budget - len(self.tokens)
                mask = self._make_mask(self.matcher)
                others = mask.view(np.uint32) & ~self.ends
                complete = self.matcher.is_complete()
                if complete and not others.any():
                    self.finish_reason = "complete"
                elif left == 0:
                    self.finish_reason = "length"
                elif complete or (only := _single(others)) is None:
                    self.mask = mask
                    return
                else:
                    self._take(Step(only, self._bytes(only), True))
        finally:
            self.mask_seconds += time.perf_counter() - begin

    def _take(self, step: Step) -> None:
        token = step.token_id
        if self.matcher is not None:
            self.matcher.accept(token)
        if step.forced:
            self.forced += 1
        self.text += step.piece
        self.tokens.append(token)
        self.pending.append(token)
        self.fresh.append(step)
        self.sampler.see([token])

    def _bytes(self, token: int) -> bytes:
        return self.vocabulary.bytes_of(token) or b""

    def report(self) -> Progress:
        """The steps since the last report."""
        steps, self.fresh = tuple(self.fresh), []
        complete = self.ended or (self.matcher is not None and self.matcher.is_complete())
        stats = GenerationStats(
            len(self.request.prompt),
            self.chosen,
            self.forced,
            self.passes,
            self.mask_seconds,
            time.perf_counter() - self.started,
            self.masks,
            self.logits,
        )
        return Progress(self.index, steps, bytes(self.text), self.finish_reason, complete, stats)


def _single(words: NDArray[np.uint32]) -> int | None:
    """The one token whose bit is set, or None if there are more (or none)."""
    places = np.flatnonzero(words)
    if len(places) != 1:
        return None
    word = int(words[places[0]])
    return None if word & (word - 1) else int(places[0]) * 32 + word.bit_length() - 1

"""From one row of logits and a token mask to one token.

The order is: repetition penalty, mask, temperature, top-k, top-p, min-p, draw. The filters come
after the mask, so they choose among legal tokens and always leave at least one.

A mask can also be left unmade (`Sampler.choose_unmasked`): draw x from p, the distribution without
a mask, and take it if it is legal, else draw again under the mask. With Z = p(legal), a legal x
comes out with probability p(x) + (1 - Z) p(x) / Z = p(x) / Z: what drawing under the mask gives.
That holds for whatever maps each token's logit to its weight by itself: the repetition penalty and
the temperature; and temperature 0, where the argmax of all, if legal, is that of the legal ones.
`min_p` compares weights with the likeliest token's: it is the same filter with and without the mask
if that token is legal. `top_k` and `top_p` choose among what the mask leaves, so they need it.

Contracts: temperature 0 is the exact argmax (of equals, the lowest id); NaN counts as -inf; +inf
wins over everything finite; ids past the vocabulary (padding of the output layer) and masked ids
are never drawn; a row draws from its own generator, one number a token, so what it gets does not
depend on the batch it is in. Without a mask the number is spent on the first draw, and one more on
the second where there is one: equal seeds give equal outputs, though other ones than with masks.

Two implementations: the kernels in C++ (`slm.kernels.cpu`) where they are built, and numpy, in
float64, which is the slow twin that tests compare them with, and what runs without them or with
``SLM_ENGINE=reference``. Both take the same random number and draw the same token, but where the
number falls within rounding (about 1e-7) of the border between two.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from numbers import Integral, Real
from typing import Any

import numpy as np
from numpy.typing import NDArray

from slm.errors import InvalidSampling, LogitsMismatch

_MOST = float(np.finfo(np.float32).max)


@dataclass(frozen=True, slots=True)
class Sampling:
    """How a token is chosen among the legal ones.

    Attributes:
        temperature: 0 takes the most likely token; otherwise logits are divided by it.
        top_k: only the k most likely (of equals, the lower ids); None for no limit.
        top_p: only the smallest set of most likely tokens whose probability reaches p.
        min_p: only tokens with at least this share of the most likely one's probability.
        repetition_penalty: logits of tokens that the prompt or the output already has are divided
            by it where positive, multiplied where negative (Keskar et al. 2019); 1 for none.

    Raises:
        InvalidSampling: a value outside its range; names the argument, the value and the range.

    >>> Sampling(top_p=0.0)
    Traceback (most recent call last):
    slm.errors.InvalidSampling: [D003] top_p=0.0 is out of range
      hint: top_p must be a number above 0 and at most 1
    """

    temperature: float = 0.0
    top_k: int | None = None
    top_p: float = 1.0
    min_p: float = 0.0
    repetition_penalty: float = 1.0

    def __post_init__(self) -> None:
        _check(
            "temperature", self.temperature, 0 <= _number(self.temperature) < math.inf,
            "a finite number, 0 or above",
        )  # fmt: skip
        _check(
            "top_k", self.top_k, self.top_k is None or _integer(self.top_k) >= 1,
            "a whole number, 1 or above, or None for no limit",
        )  # fmt: skip
        _check("top_p", self.top_p, 0 < _number(self.top_p) <= 1, "a number above 0 and at most 1")
        _check("min_p", self.min_p, 0 <= _number(self.min_p) <= 1, "a number from 0 to 1")
        _check(
            "repetition_penalty", self.repetition_penalty,
            0 < _number(self.repetition_penalty) < math.inf, "a finite number above 0",
        )  # fmt: skip


def check_seed(seed: Any) -> int | None:
    """The seed, if it is one.

    Raises:
        InvalidSampling: neither None nor a whole number of 0 or above.
    """
    _check(
        "seed", seed, seed is None or _integer(seed) >= 0,
        "a whole number, 0 or above, or None for a new one every time",
    )  # fmt: skip
    return None if seed is None else int(seed)


def _check(argument: str, value: Any, good: bool, expected: str) -> None:
    if not good:
        raise InvalidSampling(
            f"{argument}={value!r} is out of range", hint=f"{argument} must be {expected}"
        )


def _number(value: Any) -> float:
    return float(value) if isinstance(value, Real) and not isinstance(value, bool) else math.nan


def _integer(value: Any) -> int:
    return int(value) if isinstance(value, Integral) and not isinstance(value, bool) else -1


@dataclass(frozen=True, slots=True)
class Pick:
    """A drawn token and what the model thought of it.

    Attributes:
        token_id: the token.
        logprob: its natural log-probability under the model as it is: no mask, no temperature;
            None where it was not asked for.
        legal_mass: the probability that the model, as it is, gives to all legal tokens together;
            None where no mask was made, or it was not asked for.
        legal: how many tokens were legal; None where no mask was made.
    """

    token_id: int
    logprob: float | None
    legal_mass: float | None
    legal: int | None


def unpack_mask(mask: NDArray[np.int32], size: int) -> NDArray[np.bool_]:
    """The bits of one row's token mask.

    Args:
        mask: (ceil(size / 32),) int32; token t is bit t % 32 of word t // 32.
        size: the vocabulary size.

    Returns:
        (size,) bool.

    >>> unpack_mask(np.array([5], np.int32), 4).tolist()
    [True, False, True, False]
    """
    words = np.ascontiguousarray(mask).astype("<i4", copy=False)
    bits = np.unpackbits(words.view(np.uint8), count=size, bitorder="little")
    return bits.view(np.bool_)


class Sampler:
    """Draws one row's tokens, one after another.

    Args:
        sampling: how to choose.
        seed: equal seeds draw equal tokens from equal logits; None for a new one.
        vocabulary_size: ids from here on are padding and never drawn.
    """

    def __init__(self, sampling: Sampling, seed: int | None, vocabulary_size: int) -> None:
        self.sampling = sampling
        self.vocabulary_size = vocabulary_size
        self._kernel = _kernel()
        self._random = np.random.Generator(np.random.Philox(check_seed(seed)))
        self._unused: float | None = None  # a number that no token was drawn with
        self._seen = np.zeros(vocabulary_size, np.bool_)

    def see(self, tokens: list[int]) -> None:
        """Count these tokens as said, for the repetition penalty."""
        self._seen[tokens] = True

    def choose(
        self,
        logits: NDArray[np.float32],
        mask: NDArray[np.int32] | None,
        likelihoods: bool = True,
    ) -> Pick:
        """Draw one token.

        Args:
            logits: (padded_vocab,), at least as long as the vocabulary; not changed.
            mask: (ceil(vocabulary_size / 32),) int32, 1 = allowed; None allows every token.
            likelihoods: whether to work out `logprob` and `legal_mass`.

        Raises:
            LogitsMismatch: the logits are too short, or none of the legal ones is above -inf.

        Cost: the mask and the logits it leaves; with likelihoods all of them, once. In numpy, a few
        passes over the vocabulary, and a sort of the legal tokens with top-p.
        """
        size = self.vocabulary_size
        self._check(logits)
        if self._kernel is not None and logits.dtype == np.float32:
            drawn, logprob, mass, count = self._run(logits[:size], mask, size, likelihoods)
            if drawn < 0:
                raise _nothing(count)
            return Pick(drawn, logprob, mass, count)
        scores = _cleaned(logits[:size])
        legal = np.arange(size) if mask is None else np.flatnonzero(unpack_mask(mask, size))
        drawn = self._draw_legal(scores[legal], legal)
        if not likelihoods:
            return Pick(drawn, None, None, len(legal))
        return Pick(drawn, *_likelihood(scores, legal, drawn), len(legal))

    def choose_among(self, logits: NDArray[np.float32], legal: NDArray[np.int64]) -> Pick:
        """Draw one token where only the legal ones have logits: the one `choose` would draw.

        Args:
            logits: (len(legal),); not changed.
            legal: the ids of all legal tokens, rising.

        Raises:
            LogitsMismatch: other than one logit a token, or none of them above -inf.

        Cost: as `choose`, but O(legal tokens).
        """
        if logits.shape != legal.shape:
            raise LogitsMismatch(
                f"logits of shape {logits.shape} for {len(legal)} legal tokens",
                hint="a session's feed_masked returns one logit for each id it names",
            )
        if self._kernel is not None and logits.dtype == np.float32:
            place, _, _, count = self._run(logits, None, len(legal), False, legal)
            if place < 0:
                raise _nothing(count)
            return Pick(int(legal[place]), None, None, count)
        return Pick(self._draw_legal(_cleaned(logits), legal), None, None, len(legal))

    def choose_unmasked(
        self,
        logits: NDArray[np.float32],
        is_legal: Callable[[int], bool],
        likelihoods: bool = True,
    ) -> Pick | None:
        """Draw one token without a mask; None where that takes a mask after all: `choose` then.

        The token that the two calls give together has the distribution of `choose` alone; at
        temperature 0 it is the same token.

        Args:
            logits: as for `choose`.
            is_legal: whether the mask would allow a token.
            likelihoods: as for `choose`.

        Raises:
            LogitsMismatch: the logits are too short.

        Cost: as `choose`, and one or two questions to `is_legal`.
        """
        how, size = self.sampling, self.vocabulary_size
        self._check(logits)
        if how.temperature > 0 and (how.top_k is not None or how.top_p < 1):
            return None
        if self._kernel is not None and logits.dtype == np.float32:
            if how.temperature > 0 and how.min_p > 0:
                best = self._run(logits[:size], None, size, False, greedy=True)[0]
                if best < 0 or not is_legal(best):
                    return None
            drawn, logprob, _, _ = self._run(logits[:size], None, size, likelihoods)
            return Pick(drawn, logprob, None, None) if drawn >= 0 and is_legal(drawn) else None
        scores = _cleaned(logits[:size])
        if scores.max(initial=-np.inf) == -np.inf:
            return None  # `choose` says so if no legal token is better
        everything = np.arange(self.vocabulary_size)
        if how.temperature > 0 and how.min_p > 0:
            likeliest = int(self._penalised(scores, everything).argmax())
            if not is_legal(likeliest):
                return None
        drawn = self._draw(scores, everything)
        if not is_legal(drawn):
            return None
        logprob = _likelihood(scores, everything, drawn)[0] if likelihoods else None
        return Pick(drawn, logprob, None, None)

    def _check(self, logits: NDArray[np.float32]) -> None:
        size = self.vocabulary_size
        if logits.ndim != 1 or logits.shape[0] < size:
            raise LogitsMismatch(
                f"logits of shape {logits.shape} for a vocabulary of {size} tokens",
                hint="the model and the tokenizer do not belong together",
            )

    def _run(
        self,
        logits: NDArray[np.float32],
        mask: NDArray[np.int32] | None,
        size: int,
        likelihoods: bool,
        ids: NDArray[np.int64] | None = None,
        greedy: bool = False,
    ) -> tuple[int, float | None, float | None, int]:
        """The kernel's draw: the token's place, logprob, legal mass, and how many are legal.

        Args:
            logits: (size,).
            mask: (ceil(size / 32),), or None.
            size: how many logits there are.
            likelihoods: whether logprob and mass are wanted.
            ids: (size,): the tokens whose logits these are; None for 0, 1, 2, …
            greedy: whether the likeliest token is wanted, whatever the temperature.
        """
        assert self._kernel is not None
        how = self.sampling
        logits = np.ascontiguousarray(logits)
        penalised = None
        if how.repetition_penalty != 1:
            seen = np.flatnonzero(self._seen if ids is None else self._seen[ids])
            penalised = logits.copy()
            penalised[seen] = self._penalty(logits[seen].astype(np.float64))
        if mask is not None:
            mask = np.ascontiguousarray(mask).view(np.int32)
        temperature = 0.0 if greedy else float(how.temperature)
        number = self._next() if temperature > 0 else 0.0
        token, logprob, mass, legal = self._kernel(
            logits, penalised, mask, size, temperature, how.top_k, how.top_p, how.min_p, number,
            likelihoods,
        )  # fmt: skip
        if token < 0 and temperature > 0:
            self._unused = number
        return (token, logprob, mass, legal) if likelihoods else (token, None, None, legal)

    def _next(self) -> float:
        number, self._unused = self._unused, None
        return self._random.random() if number is None else number

    def _draw_legal(self, scores: NDArray[np.float64], legal: NDArray[np.intp]) -> int:
        if not len(legal) or scores.max() == -np.inf:
            raise _nothing(len(legal))
        return int(legal[self._draw(scores, legal)])

    def _penalised(
        self, scores: NDArray[np.float64], legal: NDArray[np.intp]
    ) -> NDArray[np.float64]:
        if self.sampling.repetition_penalty == 1:
            return scores
        return np.where(self._seen[legal], self._penalty(scores), scores)

    def _penalty(self, scores: NDArray[np.float64]) -> NDArray[np.float64]:
        """Float32 numbers again, as logits are; finite ones stay finite."""
        by = self.sampling.repetition_penalty
        with np.errstate(over="ignore", invalid="ignore"):
            changed = np.where(scores > 0, scores / by, scores * by)
        bounded = np.where(np.isfinite(scores), np.clip(changed, -_MOST, _MOST), scores)
        return bounded.astype(np.float32).astype(np.float64)

    def _draw(self, scores: NDArray[np.float64], legal: NDArray[np.intp]) -> int:
        """The place of the drawn token in `legal`."""
        how = self.sampling
        scores = self._penalised(scores, legal)
        if how.temperature == 0:
            return int(scores.argmax())
        top = scores.max()
        if top == np.inf:
            scores = np.where(scores == np.inf, 0.0, -np.inf)
            top = 0.0
        with np.errstate(over="ignore"):
            weights = np.exp((scores - top) / how.temperature)
        if how.top_k is not None and how.top_k < len(weights):
            weights[~_largest(scores, how.top_k)] = 0
        if how.top_p < 1:
            order = np.argsort(-scores, kind="stable")
            before = np.cumsum(weights[order]) - weights[order]
            weights[order[before >= how.top_p * weights.sum()]] = 0
        if how.min_p > 0:
            weights[weights < how.min_p] = 0  # the most likely token's weight is 1
        cumulated = np.cumsum(weights)
        at = np.searchsorted(cumulated, self._next() * cumulated[-1], side="right")
        return int(min(at, np.flatnonzero(weights)[-1]))


def _cleaned(logits: NDArray[np.float32]) -> NDArray[np.float64]:
    """A copy, NaN as -inf."""
    scores = logits.astype(np.float64)
    scores[np.isnan(scores)] = -np.inf
    return scores


def _largest(scores: NDArray[np.float64], count: int) -> NDArray[np.bool_]:
    """Which are the `count` largest scores, of equals those with the lowest ids."""
    threshold = np.partition(scores, -count)[-count]
    kept: NDArray[np.bool_] = scores > threshold
    equals = np.flatnonzero(scores == threshold)
    kept[equals[: count - np.count_nonzero(kept)]] = True
    return kept


def _nothing(legal: int) -> LogitsMismatch:
    return LogitsMismatch(
        f"none of the {legal} legal tokens has a logit above -inf",
        hint="the model computes NaN or -inf here: check its weights and its dtype",
    )


def _kernel() -> Callable[..., tuple[int, float, float, int]] | None:
    """`slm.kernels.cpu.choose`, where the kernels are built and not switched off."""
    if os.environ.get("SLM_ENGINE") == "reference":
        return None
    try:
        module = import_module("slm.kernels.cpu")
    except ImportError:
        return None
    choose: Callable[..., tuple[int, float, float, int]] = module.choose
    return choose


def _likelihood(
    scores: NDArray[np.float64], legal: NDArray[np.intp], drawn: int
) -> tuple[float, float]:
    """The token's log-probability and the probability of all legal tokens, both without a mask."""
    top = scores.max()
    if top == np.inf:
        weights = (scores == np.inf).astype(np.float64)
    else:
        weights = np.exp(scores - top)
    total = weights.sum()
    if weights[drawn] > 0:
        logprob = math.log(weights[drawn]) - math.log(total)
    else:  # too small for a float64 weight
        logprob = float(scores[drawn] - top) - math.log(total)
    return logprob, min(1.0, float(weights[legal].sum() / total))

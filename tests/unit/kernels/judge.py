"""What a row must give, worked out in float64 and Python integers, one token after another.

Written from the contract and not from `slm.kernels.reference`, so that each can find the other's
mistakes. Slow on purpose.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

MASK64 = 2**64 - 1


def philox(counter: Sequence[int], key: Sequence[int]) -> list[int]:
    """Philox4x32-10 with Python's integers, as the paper writes it."""
    (r0, l0, r1, l1), (k0, k1) = counter, key
    for _ in range(10):
        p0, p1 = 0xD2511F53 * r0, 0xCD9E8D57 * r1
        r0, l0, r1, l1 = (p1 >> 32) ^ l0 ^ k0, p1 % 2**32, (p0 >> 32) ^ l1 ^ k1, p0 % 2**32
        k0, k1 = (k0 + 0x9E3779B9) % 2**32, (k1 + 0xBB67AE85) % 2**32
    return [r0, l0, r1, l1]


def halves(number: int) -> tuple[int, int]:
    """Low and high 32 bits."""
    return (number & MASK64) % 2**32, (number & MASK64) >> 32


def uniform(seed: int, position: int) -> float:
    """The one number of an inverse draw."""
    w0, w1, _, _ = philox((0, *halves(position), 0x5A17), halves(seed))
    return min(((w0 << 32) + w1 + 0.5) / 2**64, 1 - 2**-53)


def noise(token: int, seed: int, position: int) -> float:
    """A token's Gumbel number."""
    word = philox((token >> 2, *halves(position), 0x6B31), halves(seed))[token & 3]
    return -math.log(-math.log1p(-(word + 0.5) / 2**32))


def bits_of(mask: NDArray[np.int32]) -> list[int]:
    """The ids whose bits are set in a row of words."""
    words = [int(word) & 0xFFFFFFFF for word in mask]
    return [32 * w + b for w, word in enumerate(words) for b in range(32) if word >> b & 1]


@dataclass
class Row:
    """One row of logits with the tokens that are legal in it."""

    x: NDArray[np.float64]
    legal: list[int]
    limit: int
    temperature: float = 1.0

    def __post_init__(self) -> None:
        self.x = np.where(np.isnan(self.x), -np.inf, self.x.astype(np.float64))
        self.alive = [t for t in self.legal if self.x[t] > -math.inf]

    def log_weights(self, tokens: list[int], temperature: float) -> dict[int, float]:
        """log(weight) relative to the largest; only +inf counts if there is one."""
        largest = max((self.x[t] for t in tokens), default=-math.inf)
        return {
            t: 0.0 if self.x[t] == largest else (self.x[t] - largest) / temperature
            for t in tokens
            if self.x[t] > -math.inf
        }

    @property
    def softened(self) -> float:
        """The temperature of log-probabilities: 1 for a greedy row."""
        return self.temperature if self.temperature > 0 else 1.0

    def probabilities(self) -> NDArray[np.float64]:
        """Softmax over the legal tokens."""
        out = np.zeros(len(self.x))
        logs = self.log_weights(self.alive, self.softened)
        total = math.fsum(math.exp(v) for v in logs.values())
        for t, v in logs.items():
            out[t] = math.exp(v) / total
        return out

    def lse(self) -> float:
        """log sum exp(x / T)."""
        if not self.alive:
            return -math.inf
        logs = self.log_weights(self.alive, self.softened)
        largest = max(self.x[t] for t in self.alive)
        return largest / self.softened + math.log(math.fsum(map(math.exp, logs.values())))

    def logprob(self, token: int) -> float:
        """Of a legal token."""
        logs = self.log_weights(self.alive, self.softened)
        return logs[token] - math.log(math.fsum(map(math.exp, logs.values())))

    def legal_mass(self) -> float:
        """log P(legal) at temperature 1."""
        if not self.alive:
            return -math.inf
        logs = self.log_weights(list(range(self.limit)), 1.0)
        terms = [math.exp(logs[t]) for t in self.alive if t in logs]
        if math.fsum(terms) == 0:  # far below the largest of all
            largest = max(self.x[t] for t in self.alive)
            whole = max(self.x[: self.limit])
            own = self.log_weights(self.alive, 1.0)
            top = math.log(math.fsum(math.exp(v) for v in logs.values()))
            own_sum = math.log(math.fsum(map(math.exp, own.values())))
            return min(0.0, largest - whole + own_sum - top)
        everything = math.fsum(math.exp(v) for v in logs.values())
        return min(0.0, math.log(math.fsum(terms) / everything))

    def argmax(self) -> int:
        """The lowest id of the largest legal logits, or -1."""
        return min(self.alive, key=lambda t: (-self.x[t], t), default=-1)

    def survivors(
        self, top_k: int | None = None, top_p: float | None = None, min_p: float | None = None
    ) -> dict[int, float]:
        """Weights of the tokens that the filters leave."""
        logs = self.log_weights(self.alive, self.softened)
        ranked = sorted(logs, key=lambda t: (-self.x[t], t))
        if top_k is not None and top_k > 0:
            ranked = ranked[:top_k]
        if top_p is not None and 0 < top_p < 1:
            total = math.fsum(math.exp(logs[t]) for t in ranked)
            kept, before = [], 0.0
            for t in ranked:
                if kept and not before < top_p * total:
                    break
                kept.append(t)
                before += math.exp(logs[t])
            ranked = kept
        if min_p is not None and 0 < min_p <= 1:
            ranked = [t for t in ranked if math.exp(logs[t]) >= min_p]
        return {t: math.exp(logs[t]) for t in sorted(ranked)}

    def inverse(self, kept: dict[int, float], u: float) -> set[int]:
        """The tokens a draw with ``u`` may give: more than one only where rounding decides."""
        total, before, found = math.fsum(kept.values()), 0.0, set()
        for t, w in kept.items():
            low, high = before - 2e-6 * total, before + w + 2e-6 * total
            if w > 0 and low <= u * total <= high:
                found.add(t)
            before += w
        return found

    def gumbel(self, kept: dict[int, float], seed: int, position: int) -> set[int]:
        """The tokens a Gumbel draw may give: more than one only where rounding decides."""
        infinite = any(self.x[t] == math.inf for t in kept)
        scores = {
            t: (0.0 if infinite else self.x[t] / self.softened) + noise(t, seed, position)
            for t, w in kept.items()
            if w > 0
        }
        best = max(scores.values())
        near = 1e-5 * max(1.0, abs(best))
        return {t for t, score in scores.items() if score >= best - near}

"""What the CUDA kernels must compute, in float64 and plain numpy: the judge of gpu_check and tests.

Independent of slm on purpose: it shares no line with the kernels, their twins or their launcher.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

EMPTY, NAN, INFINITE, ILLEGAL = 1, 2, 4, 8


def philox(seed: int, position: int, block: int, stream: int) -> list[int]:
    """Philox4x32-10: four 32-bit words."""
    key = [seed & 0xFFFFFFFF, seed >> 32 & 0xFFFFFFFF]
    c = [block, position & 0xFFFFFFFF, position >> 32 & 0xFFFFFFFF, stream]
    for _ in range(10):
        a, b = 0xD2511F53 * c[0], 0xCD9E8D57 * c[2]
        c = [
            (b >> 32) ^ c[1] ^ key[0],
            b & 0xFFFFFFFF,
            (a >> 32) ^ c[3] ^ key[1],
            a & 0xFFFFFFFF,
        ]
        key = [(key[0] + 0x9E3779B9) & 0xFFFFFFFF, (key[1] + 0xBB67AE85) & 0xFFFFFFFF]
    return c


def uniform(seed: int, position: int) -> float:
    """The one uniform number of a row, for the inverse CDF."""
    w = philox(seed, position, 0, 0x5A17)
    return min((float(w[0] << 32 | w[1]) + 0.5) * 2.0**-64, np.nextafter(1.0, 0.0))


def gumbel_noise(seed: int, position: int, tokens: np.ndarray) -> np.ndarray:
    """Noise of each token, float64."""
    out = np.empty(len(tokens))
    held: dict[int, list[int]] = {}
    for i, t in enumerate(tokens.tolist()):
        words = held.get(t >> 2)
        if words is None:
            words = held[t >> 2] = philox(seed, position, t >> 2, 0x6B31)
        u = (words[t & 3] + 0.5) * 2.0**-32
        out[i] = -np.log(-np.log1p(-u))
    return out


def legal(words: np.ndarray | None, padded: int, limit: int) -> np.ndarray:
    """A row's mask as booleans, (padded,)."""
    allowed = np.ones(padded, bool)
    if words is not None:
        bits = np.unpackbits(np.ascontiguousarray(words).view(np.uint8), bitorder="little")
        allowed = np.zeros(padded, bool)
        n = min(padded, bits.size)
        allowed[:n] = bits[:n].astype(bool)
    allowed[limit:] = False
    return allowed


@dataclass
class Row:
    """The distribution of a row: ids by number, weights relative to the largest logit."""

    weights: np.ndarray  # (padded,) float64, 0 off the mask
    values: np.ndarray  # x / T, -inf off the mask and for NaN
    lse: float
    status: int


def distribution(x: np.ndarray, allowed: np.ndarray, temperature: float) -> Row:
    """Softmax statistics of one row of logits (as stored, any float dtype)."""
    x = x.astype(np.float64)
    status = NAN if bool(np.isnan(x[allowed]).any()) else 0
    x = np.where(allowed & ~np.isnan(x), x, -np.inf)
    t = temperature if temperature > 0 else 1.0
    top = x.max(initial=-np.inf)
    if top == -np.inf:
        return Row(np.zeros(len(x)), x, -np.inf, status | EMPTY)
    if top == np.inf:
        w = (x == np.inf).astype(np.float64)
        return Row(w, x, np.inf, status | INFINITE)
    with np.errstate(over="ignore"):
        w = np.exp((x - top) / t)
    return Row(w, x / t, top / t + float(np.log(w.sum())), status)


def judge(
    row: Row, token: int, logprob: float, lse: float, status: int, *, u: float | None
) -> str | None:
    """Why a sample is wrong, or None. `u`: the uniform number; None: greedy."""
    if status != row.status:
        return f"status {status} for {row.status}"
    if row.status & EMPTY:
        ok = token == -1 and logprob == -np.inf and lse == -np.inf
        return None if ok else f"empty row gave {token}, {logprob}, {lse}"
    if not 0 <= token < len(row.weights) or row.weights[token] <= 0:
        return f"token {token} is not legal"
    total = row.weights.sum()
    want = np.log(row.weights[token] / total)
    if abs(logprob - want) > 2e-6 * max(1.0, abs(want)) + 1e-6:
        return f"logprob {logprob} for {want}"
    if not (lse == row.lse or abs(lse - row.lse) <= 1e-6 * max(1.0, abs(row.lse))):
        return f"lse {lse} for {row.lse}"
    if u is None:
        best = int(np.argmax(row.values))
        return None if token == best else f"greedy token {token} for {best}"
    before = row.weights[:token].sum() / total
    after = before + row.weights[token] / total
    if not before - 2e-6 <= u <= after + 2e-6:
        return f"token {token} has ({before}, {after}), u is {u}"
    return None

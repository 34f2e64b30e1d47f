"""The kernels in C++, for logits in CPU memory: what `slm.kernels` runs for arrays and CPU tensors.

The four functions are those that every backend has (`slm.kernels.reference`). They take numpy
arrays and whatever gives DLPack in CPU memory, torch's tensors among them; nothing is copied, and
torch is not needed. Arguments are expected to be checked already (`slm.kernels.arguments`); what
would read or write where it must not is refused here, too.

How it works: a row whose mask leaves at most 8,192 tokens is gathered into a list, others are read
chunk by chunk of 1,024 ids where they lie. Each chunk's weights are 2^(x log2(e) / T - base) with a
base of its own, a whole number, so one pass over the logits finds the maximum and the sum, and
chunks are brought together exactly. Loops exist for AVX-512, AVX2, NEON and plain C++, and the
processor is asked at run time (`ISAS`). A row's result depends on nothing but the row: not on the
batch, not on threads; and on the instruction set only as far as multiply-and-add rounds once or
twice (the plain loops; the others compute alike). Errors against exact arithmetic are below 1e-6,
relative.

The GIL is released. One thread does the work, unless `THREADS` or an argument says otherwise: then
batches of four rows and more, if they are long, are spread over the threads of the mask engine.

Temperatures count as at least 2^-100 and at most 2^100; with arrays of them, 0, less and NaN mean
greedy. For sums, chunks of ids whose best token weighs less than 2^-80 of the best one count as 0:
no draw of 64 bits can find them.

Source: online softmax, Milakov and Gimelshein 2018; the generator, Salmon et al. 2011.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from slm import _native

ISAS: tuple[str, ...] = tuple(_native.softmax_isas())
"""The instruction sets whose loops run here, best first."""

THREADS: int = 1
"""How many threads long batches use at most. More help where cores are idle, and only there: a
batch is done when its slowest row is, so a thread that waits for a core holds up all."""


def available() -> str | None:
    """None: with this module the kernels are there."""
    return None


def softmax(
    logits: Any,
    bitmask: Any,
    mask_index: Any,
    temperature: Any,
    limit: int,
    out: Any,
    log: bool,
    *,
    threads: int | None = None,
    isa: str = "",
) -> Any:
    """Write probabilities (exactly 0 off the mask) or log-probabilities (-inf) to ``out``.

    Args:
        logits: float32, bfloat16 or float16 (batch, padded_vocab), any row stride.
        bitmask: int32 (masks, words), or None.
        mask_index: int32 (batch,): the mask of each row, -1 for none; or None.
        temperature: a number or float32 (batch,).
        limit: ids from here on are never legal; at most 32 * words.
        out: as the logits, of any of the three dtypes or float64; may be the logits.
        log: whether logarithms are wanted.
        threads: at most so many; None for `THREADS`.
        isa: one of `ISAS`; "" for the best.

    Returns:
        out.

    Raises:
        KernelArgumentError: an array of a wrong shape, dtype, device or layout.

    Cost: the mask, the logits that it leaves, twice the output.
    """
    into = out
    if _name(out.dtype) == "float64":
        into = np.empty(out.shape, np.float32)
    _native.masked_softmax(
        _bits(logits), bitmask, mask_index, temperature, limit, _bits(into), log,
        THREADS if threads is None else threads, isa,
    )  # fmt: skip
    if into is not out:
        out[...] = into if isinstance(out, np.ndarray) else out.new_tensor(into)
    return out


def sample(
    logits: Any,
    bitmask: Any = None,
    mask_index: Any = None,
    temperature: Any = 1.0,
    top_k: Any = None,
    top_p: Any = None,
    min_p: Any = None,
    seed: Any = 0,
    position: Any = 0,
    rng: str = "inverse",
    legal_mass: bool = False,
    limit: int | None = None,
    *,
    threads: int | None = None,
    isa: str = "",
) -> tuple[
    NDArray[np.int64],
    NDArray[np.float32],
    NDArray[np.float32],
    NDArray[np.float32] | None,
    NDArray[np.uint8],
]:
    """One token a row: (token, logprob, lse, log_legal_mass | None, status), arrays of (batch,).

    Args:
        logits: as for `softmax`.
        bitmask: as for `softmax`.
        mask_index: as for `softmax`.
        temperature: a number or float32 (batch,); 0 for the first of the most likely tokens.
        top_k: None, a number or int32 (batch,).
        top_p: None, a number or float32 (batch,); so is min_p.
        min_p: None, a number or float32 (batch,).
        seed: a number or int64 (batch,); so is position. Together they fix the draw.
        position: a number or int64 (batch,).
        rng: "inverse" or "gumbel".
        legal_mass: whether log P(legal) of the model is wanted: that reads the whole row.
        limit: ids from here on are never legal; None for as many as there are logits and mask bits.
        threads: as for `softmax`.
        isa: as for `softmax`.

    Raises:
        KernelArgumentError: an array of a wrong shape, dtype, device or layout.

    Cost: the mask and the logits that it leaves, once; filters sort no more than they must.

    >>> logits = np.array([[0.0, 1.0, 2.0, 3.0]], np.float32)
    >>> sample(logits, np.array([[0b0110]], np.int32), temperature=0)[0].tolist()
    [2]
    """
    batch, width = logits.shape[0], logits.shape[-1]
    if limit is None:
        limit = width if bitmask is None else min(width, 32 * bitmask.shape[-1])
    token = np.empty(batch, np.int64)
    logprob, lse = np.empty(batch, np.float32), np.empty(batch, np.float32)
    mass = np.empty(batch, np.float32) if legal_mass else None
    status = np.empty(batch, np.uint8)
    _native.masked_sample(
        _bits(logits), bitmask, mask_index, temperature, top_k, top_p, min_p, seed, position,
        rng == "gumbel", limit, token, logprob, lse, mass, status,
        THREADS if threads is None else threads, isa,
    )  # fmt: skip
    return token, logprob, lse, mass, status


def cross_entropy(
    logits: Any,
    target: Any,
    bitmask: Any,
    mask_index: Any,
    weight: Any,
    ignore_index: int,
    legality_weight: float,
    limit: int,
    grad: Any,
    *,
    threads: int | None = None,
    isa: str = "",
) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.uint8]]:
    """Loss, log P(legal) and status of each row; the gradient of its loss is written to ``grad``.

    Args:
        logits: as for `softmax`.
        target: int64 (batch,).
        bitmask: as for `softmax`.
        mask_index: as for `softmax`.
        weight: float32 (batch,), or None for 1.
        ignore_index: a target that stands for none: loss and gradient 0.
        legality_weight: how much -log P(legal) counts.
        limit: as for `softmax`.
        grad: as the logits, of their dtype; may be the logits; None for no gradient.
        threads: as for `softmax`.
        isa: as for `softmax`.

    Raises:
        KernelArgumentError: an array of a wrong shape, dtype, device or layout.

    Cost: one pass over the logits, another one with a gradient.
    """
    batch = logits.shape[0]
    loss, mass = np.empty(batch, np.float32), np.empty(batch, np.float32)
    status = np.empty(batch, np.uint8)
    _native.masked_cross_entropy(
        _bits(logits), target, bitmask, mask_index, weight, ignore_index, legality_weight, limit,
        None if grad is None else _bits(grad), loss, mass, status,
        THREADS if threads is None else threads, isa,
    )  # fmt: skip
    return loss, mass, status


def apply_bitmask(
    logits: Any,
    bitmask: Any,
    mask_index: Any,
    limit: int,
    *,
    threads: int | None = None,
    isa: str = "",
) -> Any:
    """-inf off the mask and past the limit, in place; arguments as for `softmax`.

    Cost: the mask, and one write of what it forbids.
    """
    _native.apply_bitmask(
        _bits(logits), bitmask, mask_index, limit, THREADS if threads is None else threads, isa
    )
    return logits


def choose(
    logits: NDArray[np.float32],
    penalised: NDArray[np.float32] | None,
    mask: NDArray[np.int32] | None,
    size: int,
    temperature: float,
    top_k: int | None,
    top_p: float,
    min_p: float,
    uniform: float,
    likelihoods: bool = True,
) -> tuple[int, float, float, int]:
    """One row's token, drawn with a number of the caller's: for `slm.decode.Sampler`.

    Args:
        logits: (at least size,), contiguous.
        penalised: the logits that the draw looks at, if they are not those of the model.
        mask: (ceil(size / 32),) int32, contiguous, or None.
        size: ids from here on are never legal.
        temperature: 0 for the first of the most likely tokens.
        top_k: None for no limit; so top_p of 1 and min_p of 0.
        top_p: from 0 to 1.
        min_p: from 0 to 1.
        uniform: in [0, 1); how far along the legal probability, in the order of ids, the token is.
        likelihoods: whether the probabilities below are wanted, which takes all logits.

    Returns:
        The token, -1 where no legal one is above -inf; its natural log-probability under the model
        as it is; the model's probability of all legal tokens; how many those are. Without
        likelihoods, the two in the middle mean nothing.

    >>> choose(np.zeros(4, np.float32), None, np.array([6], np.int32), 4, 1.0, None, 1, 0, 0.9)[0]
    2
    """
    return _native.choose(
        logits, penalised, mask, size, temperature, top_k or 0, top_p, min_p, uniform, likelihoods
    )


def _name(dtype: Any) -> str:
    return str(dtype).rpartition(".")[2]


def _bits(array: Any) -> Any:
    """numpy has no bfloat16 of its own; where another package adds one, it gives no DLPack."""
    if isinstance(array, np.ndarray) and array.dtype.name == "bfloat16":
        return array.view(np.uint16)
    return array

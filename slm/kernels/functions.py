"""The public functions: arguments are checked here, then arrays and tensors go their ways.

Common to all of them:

- ``logits`` is float32, bfloat16 or float16 (batch, padded_vocab), a numpy array or a torch tensor;
  rows are contiguous, any stride lies between them. float64 works, too, through the reference.
- ``bitmask`` is int32 (masks, words), token t is bit t % 32 of word t // 32, 1 = allowed: what
  `slm.Matcher.fill_mask` writes. None: every token is legal.
- ``mask_index``, int32 (batch,), says which row of the bitmask is a row's mask; -1: none. Without
  it the bitmask has a row for each row of logits.
- Ids from min(padded_vocab, 32 * words, vocab_size) on are never legal, in any row.
- ``temperature`` and what is said to take "a value a row" is a Python number or a (batch,) array or
  tensor where the logits are. Values on a device are not read by the host: see
  `slm.kernels.reference` for what each means.
- ``backend`` is None for the best one here, or a name of `slm.kernels.backends`.
- Arithmetic is in float32, whatever the logits are; sums over chunks of 1024 ids in a fixed order,
  so a row's result does not depend on the batch it is in.
- NaN counts as -inf; +inf wins over everything finite, several share evenly.

Raises, all of them: `KernelArgumentError` naming the argument; `KernelUnavailable` for a backend
that is not here.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from slm.kernels import arguments
from slm.kernels.arguments import is_tensor


class Sample(NamedTuple):
    """A token for each row of logits, and how likely it was. Every field is (batch,).

    Attributes:
        token: int64; -1 where the row has no legal token above -inf.
        logprob: float32, the natural log-probability of the pick under mask and temperature (at
            temperature 0: as at 1), before filters; -inf for token -1.
        lse: float32, the log of the sum of exp(logit / temperature) over legal tokens.
        log_legal_mass: float32, the log of the probability that the model, without mask and at
            temperature 1, gives to all legal tokens; None unless asked for. The model's own
            log-probability of the pick at temperature 1 is ``logprob + log_legal_mass``.
        status: uint8, a sum of 1 (EMPTY: no legal token), 2 (NAN: a legal logit is NaN) and 4
            (INF: a legal logit is +inf).
    """

    token: Any
    logprob: Any
    lse: Any
    log_legal_mass: Any
    status: Any


def _ways(logits: Any) -> Any:
    """Where the work is done for arrays or for tensors."""
    if is_tensor(logits):
        from slm.kernels import ops

        return ops
    from slm.kernels import arrays

    return arrays


def masked_softmax(
    logits: Any,
    bitmask: Any = None,
    *,
    mask_index: Any = None,
    temperature: Any = 1.0,
    vocab_size: int | None = None,
    out: Any = None,
    out_dtype: Any = None,
    backend: str | None = None,
) -> Any:
    """Probabilities of the legal tokens; exactly 0 for all others.

    Args:
        logits: float (batch, padded_vocab).
        bitmask: int32 (masks, words), or None.
        mask_index: int32 (batch,), or None.
        temperature: above 0, or a value a row (float32; 0 or less: 1 for the lowest id of the
            largest logits).
        vocab_size: ids from here on are never legal.
        out: where to write, of the logits' shape, in memory of its own; not with gradients.
        out_dtype: the dtype of the result; the logits' own without it.
        backend: None or a name.

    Returns:
        (batch, padded_vocab). A row without a legal token above -inf is all 0.

    Differentiable in the logits: dL/dx = p * (g - sum(g * p)) / temperature.

    Cost: the mask, the logits it leaves, and one write of the output.

    >>> import numpy as np
    >>> masked_softmax(np.zeros((1, 4), np.float32), np.array([[0b0011]], np.int32)).tolist()
    [[0.5, 0.5, 0.0, 0.0]]
    """
    return _softmax(
        logits, bitmask, mask_index, temperature, vocab_size, out, out_dtype, backend, log=False
    )


def masked_log_softmax(
    logits: Any,
    bitmask: Any = None,
    *,
    mask_index: Any = None,
    temperature: Any = 1.0,
    vocab_size: int | None = None,
    out: Any = None,
    out_dtype: Any = None,
    backend: str | None = None,
) -> Any:
    """Log-probabilities of the legal tokens; -inf for all others. Else as `masked_softmax`.

    Differentiable in the logits; where the result is -inf the gradient is 0.

    >>> import numpy as np
    >>> masked_log_softmax(np.zeros((1, 3), np.float32), np.array([[0b001]], np.int32)).tolist()
    [[0.0, -inf, -inf]]
    """
    return _softmax(
        logits, bitmask, mask_index, temperature, vocab_size, out, out_dtype, backend, log=True
    )


def _softmax(
    logits: Any,
    bitmask: Any,
    mask_index: Any,
    temperature: Any,
    vocab_size: Any,
    out: Any,
    out_dtype: Any,
    backend: str | None,
    *,
    log: bool,
) -> Any:
    arguments.check_logits(logits)
    limit = arguments.check_mask(logits, bitmask, mask_index, vocab_size)
    temperature = arguments.check_temperature(temperature, logits, zero=False)
    name = arguments.check_out(out, out_dtype, logits)
    return _ways(logits).softmax(
        logits, bitmask, mask_index, temperature, limit, out, name, log, backend
    )


def masked_sample(
    logits: Any,
    bitmask: Any = None,
    *,
    mask_index: Any = None,
    temperature: Any = 1.0,
    top_k: Any = None,
    top_p: Any = None,
    min_p: Any = None,
    seed: Any = 0,
    position: Any = 0,
    rng: str = "inverse",
    legal_mass: bool = False,
    vocab_size: int | None = None,
    backend: str | None = None,
) -> Sample:
    """Draw one legal token a row; equal arguments give equal tokens.

    A draw is a function of (seed, position), the row's logits and its mask. Give each sequence its
    own seed and count positions up.

    Args:
        logits: float (batch, padded_vocab). No gradient flows back from a draw.
        bitmask: int32 (masks, words), or None.
        mask_index: int32 (batch,), or None.
        temperature: 0 is the exact argmax, of equals the lowest id; or a float32 value a row.
        top_k: only the k likeliest, of equals the lower ids; or an int32 value a row.
        top_p: only the likeliest whose preceding sum is below p of what top_k left; or float32.
        min_p: only tokens with at least this share of the likeliest's probability; or float32.
        seed: 64 bits, or an int64 value a row.
        position: 64 bits, or an int64 value a row.
        rng: ``"inverse"``: one number a row (inverse of the cumulated distribution, in id order);
            ``"gumbel"``: one number a token (argmax of logit + noise), slower on large masks, but a
            token's noise does not depend on the mask.
        legal_mass: also the log of the model's probability of all that is legal; reads all logits.
        vocab_size: ids from here on are never legal.
        backend: None or a name.

    Returns:
        A `Sample`; filters always leave the likeliest token.

    Cost: the mask and the logits it leaves, read once; with filters about twice that.
    Source: Philox4x32-10 (Salmon et al. 2011), online softmax (Milakov and Gimelshein 2018).

    >>> import numpy as np
    >>> logits, mask = np.zeros((2, 64), np.float32), np.array([[16, 0], [0, 0]], np.int32)
    >>> drawn = masked_sample(logits, mask, seed=7)
    >>> drawn.token.tolist(), drawn.logprob.tolist(), drawn.status.tolist()
    ([4, -1], [0.0, -inf], [0, 1])
    """
    arguments.check_logits(logits)
    limit = arguments.check_mask(logits, bitmask, mask_index, vocab_size)
    temperature = arguments.check_temperature(temperature, logits, zero=True)
    filters = arguments.check_filters(top_k, top_p, min_p, logits)
    seed, position = arguments.check_random(seed, position, rng, logits)
    return Sample(
        *_ways(logits).sample(
            logits, bitmask, mask_index, temperature, *filters, seed, position, rng,
            bool(legal_mass), limit, backend,
        )
    )  # fmt: skip


def masked_argmax(
    logits: Any,
    bitmask: Any = None,
    *,
    mask_index: Any = None,
    legal_mass: bool = False,
    vocab_size: int | None = None,
    backend: str | None = None,
) -> Sample:
    """The likeliest legal token of each row, of equals the lowest id: `masked_sample` at T = 0.

    >>> import numpy as np
    >>> masked_argmax(np.array([[3.0, 5.0, 5.0, 9.0]], np.float32), vocab_size=3).token.tolist()
    [1]
    """
    return masked_sample(
        logits, bitmask, mask_index=mask_index, temperature=0.0, legal_mass=legal_mass,
        vocab_size=vocab_size, backend=backend,
    )  # fmt: skip


def masked_cross_entropy(
    logits: Any,
    target: Any,
    bitmask: Any = None,
    *,
    mask_index: Any = None,
    weight: Any = None,
    ignore_index: int = -100,
    legality_weight: float = 0.0,
    reduction: str = "mean",
    vocab_size: int | None = None,
    return_legal_mass: bool = False,
    backend: str | None = None,
) -> Any:
    """The loss of training on legal tokens only; its gradient is made in the forward pass.

    A row's loss is ``weight * (lse_legal - x_target + legality_weight * (lse_all - lse_legal))``:
    with a legality weight of 0 the model need not learn what the grammar knows; with 1 it is the
    ordinary cross-entropy; between, both.

    Args:
        logits: float (batch, padded_vocab).
        target: int64 (batch,). One without any probability (masked, out of range, or with a logit
            of -inf or NaN) makes the row's loss +inf and its gradient 0.
        bitmask: int32 (masks, words), or None.
        mask_index: int32 (batch,), or None.
        weight: float32 (batch,), or None for 1; a row of weight 0 has loss 0, whatever its target.
        ignore_index: rows with this target have loss 0 and no part in the mean.
        legality_weight: 0 or above.
        reduction: ``"mean"`` divides by the sum of the weights of the rows not ignored (NaN if that
            is 0, as in torch); ``"sum"``; ``"none"``: (batch,).
        vocab_size: ids from here on are never legal.
        return_legal_mass: also log P(legal), (batch,), without a gradient.
        backend: None or a name.

    Returns:
        The loss as float32 (float64 for float64 logits), or (loss, log P(legal)).

    Cost: one read of the logits, and one write of the gradient if one is needed.
    Source: gradients made in the forward pass as in Liger Kernel (Hsu et al. 2024).

    >>> import numpy as np
    >>> logits, target = np.zeros((1, 4), np.float32), np.array([1])
    >>> round(float(masked_cross_entropy(logits, target, np.array([[0b0011]], np.int32))), 6)
    0.693147
    """
    arguments.check_logits(logits)
    limit = arguments.check_mask(logits, bitmask, mask_index, vocab_size)
    legality = arguments.check_loss(
        target, weight, ignore_index, legality_weight, reduction, logits
    )
    loss, mass = _ways(logits).cross_entropy(
        logits, target, bitmask, mask_index, weight, int(ignore_index), legality, limit, backend
    )
    if reduction != "none":
        total = loss.sum()
        if reduction == "mean":
            counted = target != ignore_index
            total = total / (counted if weight is None else counted * weight).sum()
        loss = total
    return (loss, mass) if return_legal_mass else loss


def apply_bitmask_(
    logits: Any,
    bitmask: Any,
    *,
    mask_index: Any = None,
    vocab_size: int | None = None,
    backend: str | None = None,
) -> Any:
    """Set logits to -inf off the mask and past the limit, in place; returns them.

    Unlike its kin in xgrammar, ids past the mask's last word become -inf, too: padding of the
    output layer can't be sampled. Tensors that require a gradient are refused.

    Cost: the mask, and a write of what it forbids; logits are not read.

    >>> import numpy as np
    >>> apply_bitmask_(np.zeros((1, 3), np.float32), np.array([[0b101]], np.int32)).tolist()
    [[0.0, -inf, 0.0]]
    """
    arguments.check_logits(logits, written=True)
    if bitmask is None:
        raise arguments.refuse("bitmask", "None", "int32 (masks, words)")
    limit = arguments.check_mask(logits, bitmask, mask_index, vocab_size)
    if is_tensor(logits) and logits.requires_grad:
        raise arguments.refuse(
            "logits", "a tensor that requires a gradient",
            "detached; masked_log_softmax is differentiable",
        )  # fmt: skip
    _ways(logits).apply_bitmask(logits, bitmask, mask_index, limit, backend)
    return logits

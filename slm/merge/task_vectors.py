"""Arithmetic with task vectors: what fine-tuning added to a base model, trimmed and summed.

All of these methods have three steps, of which the first two may be missing: *trim* most entries of
each difference to zero; *elect* a sign for each entry and drop the differences that disagree; *add*
the rest to the base, weighted.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch

from slm.merge.trimming import Trim, trim_delta

Tensor = torch.Tensor


def merge_deltas(
    base: Tensor,
    tensors: Sequence[Tensor],
    *,
    weights: Sequence[float],
    densities: Sequence[float],
    trim: str,
    elect: bool,
    normalize: bool,
    rescale: bool,
    scale: float,
    gammas: Sequence[float] | None,
    epsilons: Sequence[float] | None,
    draw: Callable[[tuple[int, ...]], Tensor],
) -> Tensor:
    """The base plus `scale` times the weighted sum of trimmed differences.

    Args:
        base: float32 or float64; overwritten, like `tensors`, to save memory.
        tensors: fine-tuned versions of it.
        weights: one each; negative ones unlearn.
        densities: share of each difference that is kept, one each.
        trim: how entries are chosen, see `slm.merge.trimming`; "" keeps all.
        elect: for each entry, keep only differences with the sign of the weighted sum (TIES). A sum
            of zero counts as positive.
        normalize: divide by the sum of the weights that were added in.
        rescale: give each trimmed difference the L1 norm it had before.
        scale: the papers' λ.
        gammas: share of largest entries that are dropped, one each (breadcrumbs).
        epsilons: half the range of probabilities, one each (DELLA).
        draw: source of uniform random numbers.

    Sources: Ilharco et al. 2022 (task arithmetic), Yadav et al. 2023 (TIES), Yu et al. 2023 (DARE),
    Davari and Belilovsky 2023 (breadcrumbs), Deep et al. 2024 (DELLA).
    """
    if not tensors:
        return base
    total = torch.zeros_like(base)
    deltas = []
    for row, tensor in enumerate(tensors):
        how = Trim(
            trim,
            density=densities[row],
            rescale=rescale,
            gamma=gammas[row] if gammas is not None else 0.0,
            epsilon=epsilons[row] if epsilons is not None else 0.0,
        )
        delta = trim_delta(tensor.sub_(base), how, draw).mul_(weights[row])
        total += delta
        if elect:
            deltas.append(delta)
    if elect:
        positive = total >= 0
        divisor = torch.zeros_like(base)
        total.zero_()
        for delta, weight in zip(deltas, weights, strict=True):
            agrees = torch.where(positive, delta > 0, delta < 0)
            total += delta.mul_(agrees)
            divisor.add_(agrees, alpha=weight)
        if normalize:
            total.div_(divisor.masked_fill_(divisor == 0, 1.0))
    elif normalize and abs(sum(weights)) >= 1e-8:
        total.div_(sum(weights))
    return base.add_(total.mul_(scale) if scale != 1 else total)

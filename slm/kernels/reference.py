"""What every kernel computes, written out in torch: the definition, and the judge of the backends.

It materialises all that a fused kernel avoids (unpacked masks, weights, sorted rows), runs on any
device, and computes in float64 where the logits are float64, else in float32. The four functions
`softmax`, `sample`, `cross_entropy` and `apply_bitmask` are the interface that every backend has;
their arguments are checked already (`slm.kernels.arguments`).

The rules, for a row:

- A token is *legal* if its bit is set and its id is below ``limit``; a row whose ``mask_index`` is
  -1 has no bits to ask. Any other index that is not a row of the bitmask leaves nothing legal.
- x is the logit as float; NaN counts as -inf. A legal token with x = -inf has probability 0 and is
  never picked. m is the largest legal x; if it is -inf the row is EMPTY.
- The weight of a legal token is exp((x - m) / T), and 1 where x = m. So +inf wins over everything
  finite, and several +inf share evenly; their log-sum-exp is +inf, their log-probability -log(how
  many there are).
- T = +inf gives every legal token above -inf the same weight. T <= 0 and NaN mean greedy: the pick
  is the lowest id with x = m, softmax is 1 there and 0 elsewhere, and log-probability and
  log-sum-exp are those of T = 1.
- Filters go by x, equals by rising id (weights are monotone in x; two x may round to one weight).

Cost: O(batch * padded_vocab) memory and time, O(padded_vocab * log) a row with top-k or top-p.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from slm.kernels.philox import GUMBEL_STREAM, INVERSE_STREAM, philox, split

if TYPE_CHECKING:
    from torch import Tensor

EMPTY, NAN, INF, ILLEGAL = 1, 2, 4, 8
"""Bits of a row's status."""

CHUNK = 1024
"""Ids a chunk: sums run within chunks first, so that no result depends on how work is split."""

_BELOW_ONE = {torch.float32: 1 - 2.0**-24, torch.float64: 1 - 2.0**-53}
_NEGATIVE_INFINITY = float("-inf")


def available() -> str | None:
    """None: it can always be used."""
    return None


def legal_tokens(
    logits: Tensor, bitmask: Tensor | None, mask_index: Tensor | None, limit: int
) -> Tensor:
    """Bool (batch, padded_vocab): which tokens the mask and the limit allow."""
    batch, width = logits.shape
    legal = torch.arange(width, device=logits.device).expand(batch, width) < limit
    if bitmask is None:
        return legal
    if mask_index is None:
        return legal & _unpack(bitmask, width)
    inside = (mask_index >= 0) & (mask_index < bitmask.shape[0])
    if bitmask.shape[0] == 0:
        return legal & (mask_index == -1)[:, None]
    row = _unpack(bitmask[torch.where(inside, mask_index, 0).long()], width)
    return legal & ((row & inside[:, None]) | (mask_index == -1)[:, None])


def _unpack(bitmask: Tensor, width: int) -> Tensor:
    """Token t is bit t % 32 of word t // 32; False past the last word."""
    bits = (bitmask[:, :, None] >> torch.arange(32, device=bitmask.device)) & 1
    flat = bits.flatten(1)[:, :width] != 0
    return torch.nn.functional.pad(flat, (0, width - flat.shape[1]))


class _Row:
    """Legal logits, their maximum and their weights, all of a batch: (batch, padded_vocab)."""

    def __init__(self, logits: Tensor, legal: Tensor, temperature: float | Tensor) -> None:
        x = logits.to(torch.float64 if logits.dtype == torch.float64 else torch.float32)
        nan = legal & torch.isnan(x)
        self.all = torch.where(torch.isnan(x), _NEGATIVE_INFINITY, x)
        self.x = torch.where(legal, self.all, _NEGATIVE_INFINITY)
        self.largest = self.x.amax(-1, keepdim=True)
        self.empty = self.largest == _NEGATIVE_INFINITY
        given = _column(temperature, self.x)
        self.greedy = ~(given > 0)
        at = torch.where(self.greedy, 1.0, given)
        self.temperature = at.clamp(max=torch.finfo(x.dtype).max)
        self.weights = weights(self.x, self.largest, self.temperature)
        self.sum = chunk_sums(self.weights).sum(-1, keepdim=True)
        infinite = self.largest == float("inf")
        self.status = (
            self.empty * EMPTY + nan.any(-1, keepdim=True) * NAN + infinite * INF
        ).to(torch.uint8)[:, 0]  # fmt: skip

    @property
    def lse(self) -> Tensor:
        """log sum exp(x / T) over legal tokens, (batch, 1); -inf where the row is empty."""
        lse = self.largest / self.temperature + self.sum.log().to(self.x.dtype)
        return torch.where(self.empty, _NEGATIVE_INFINITY, lse)

    def logprob(self, x: Tensor) -> Tensor:
        """The log-probability under mask and temperature of a legal token with logit ``x``."""
        step = torch.where(x == self.largest, 0.0, (x - self.largest) / self.temperature)
        return torch.where(
            (x == _NEGATIVE_INFINITY) | self.empty,
            _NEGATIVE_INFINITY,
            step - self.sum.log().to(x.dtype),
        )

    def first(self, chosen: Tensor) -> Tensor:
        """The lowest id that is chosen, (batch, 1)."""
        return chosen.to(torch.int8).argmax(-1, keepdim=True)


def weights(x: Tensor, largest: Tensor, temperature: Tensor) -> Tensor:
    """exp((x - largest) / T); 1 where x is the largest, 0 where x is -inf."""
    w = torch.where(x == largest, 1.0, ((x - largest) / temperature).exp())
    return torch.where(x == _NEGATIVE_INFINITY, 0.0, w)


def chunk_sums(values: Tensor) -> Tensor:
    """The sums of the chunks in double, (batch, chunks)."""
    padded = torch.nn.functional.pad(values, (0, -values.shape[1] % CHUNK))
    return padded.double().reshape(len(values), padded.shape[1] // CHUNK, CHUNK).sum(-1)


def _column(value: float | Tensor, like: Tensor) -> Tensor:
    """A number, or a value a row, as (1, 1) or (batch, 1)."""
    made = torch.as_tensor(value, device=like.device)
    if made.is_floating_point():
        made = made.to(like.dtype)
    return made.reshape(-1, 1)


def softmax(
    logits: Tensor,
    bitmask: Tensor | None,
    mask_index: Tensor | None,
    temperature: float | Tensor,
    limit: int,
    out: Tensor,
    log: bool,
) -> Tensor:
    """Write probabilities (exactly 0 off the mask) or log-probabilities (-inf) to ``out``."""
    row = _Row(logits, legal_tokens(logits, bitmask, mask_index, limit), temperature)
    first = row.first((row.x == row.largest) & ~row.empty)
    pick = torch.zeros_like(row.x, dtype=torch.bool).scatter_(1, first, True) & ~row.empty
    if log:
        values = torch.where(row.greedy, torch.where(pick, 0.0, float("-inf")), row.logprob(row.x))
    else:
        share = (row.weights / row.sum).to(row.x.dtype)
        values = torch.where(row.greedy, pick.to(row.x.dtype), share)
        values = torch.where(row.empty, 0.0, values)
    return out.copy_(values)


def sample(
    logits: Tensor,
    bitmask: Tensor | None,
    mask_index: Tensor | None,
    temperature: float | Tensor,
    top_k: int | Tensor | None,
    top_p: float | Tensor | None,
    min_p: float | Tensor | None,
    seed: int | Tensor,
    position: int | Tensor,
    rng: str,
    legal_mass: bool,
    limit: int,
) -> tuple[Tensor, Tensor, Tensor, Tensor | None, Tensor]:
    """One token a row: (token, logprob, lse, log_legal_mass | None, status), each (batch,)."""
    row = _Row(logits, legal_tokens(logits, bitmask, mask_index, limit), temperature)
    kept = row.weights.clone()
    if top_k is not None or top_p is not None:
        kept = _top(row, kept, top_k, top_p)
    if min_p is not None:
        share = _column(min_p, row.x)
        share = torch.where((share > 0) & (share <= 1), share, 0.0)
        kept = torch.where(kept >= share, kept, 0.0)  # the largest weight is 1
    key, place = split(_whole(seed, row.x)), split(_whole(position, row.x))
    greedy = row.first(row.x == row.largest)
    drawn = (_gumbel if rng == "gumbel" else _inverse)(row, kept, key, place)
    token = torch.where(row.greedy, greedy, drawn)
    logprob = row.logprob(row.x.gather(1, token))
    token = torch.where(row.empty, -1, token)
    result = torch.float64 if row.x.dtype == torch.float64 else torch.float32
    mass = log_legal_mass(row, limit).to(result) if legal_mass else None
    return token[:, 0], logprob[:, 0].to(result), row.lse[:, 0].to(result), mass, row.status


def _whole(value: int | Tensor, like: Tensor) -> Tensor:
    """A number as int64 (1, 1); one above the signed range is taken as the same 64 bits."""
    if isinstance(value, int):
        value = value - 2**64 if value >= 2**63 else value
        return torch.full((1, 1), value, dtype=torch.int64, device=like.device)
    return value.to(torch.int64).reshape(-1, 1)


def _top(
    row: _Row, kept: Tensor, top_k: int | Tensor | None, top_p: float | Tensor | None
) -> Tensor:
    """The weights that top-k, then top-p leave; 0 elsewhere. ``kept`` is in id order."""
    order = torch.sort(row.x, dim=-1, descending=True, stable=True).indices
    ranked = kept.gather(1, order)
    rank = torch.arange(ranked.shape[1], device=ranked.device)
    if top_k is not None:
        most = _column(top_k, row.x)
        ranked = torch.where((most <= 0) | (rank < most), ranked, 0.0)
    if top_p is not None:
        share = _column(top_p, row.x).double()
        limited = (share > 0) & (share < 1)
        before = ranked.double().cumsum(-1)
        total = before[:, -1:].clone()
        before -= ranked
        inside = (before < share * total) | (rank == 0)
        ranked = torch.where(~limited | inside, ranked, 0.0)
    return torch.zeros_like(kept).scatter_(1, order, ranked)


def _inverse(
    row: _Row, kept: Tensor, key: tuple[Tensor, Tensor], place: tuple[Tensor, Tensor]
) -> Tensor:
    """The first token whose cumulated weight exceeds u * total, in id order: (batch, 1)."""
    block, stream = torch.zeros_like(place[0]), torch.full_like(place[0], INVERSE_STREAM)
    w0, w1, _, _ = philox((block, *place, stream), key)
    u = ((w0.double() * 2.0**32 + w1.double()) + 0.5) * 2.0**-64
    u = u.clamp(max=_BELOW_ONE[torch.float64])
    sums = chunk_sums(kept)
    prefix = sums.cumsum(-1)
    threshold = u * prefix[:, -1:]
    # A chunk without weight can't be where the sum passes the threshold. If rounding runs past
    # the end, it is the last one with weight.
    passed = (prefix > threshold) & (sums > 0)
    last = prefix.shape[1] - 1 - (sums > 0).flip(-1).to(torch.int8).argmax(-1, keepdim=True)
    chunk = torch.where(passed.any(-1, keepdim=True), row.first(passed), last)
    before = torch.where(chunk > 0, prefix.gather(1, (chunk - 1).clamp(min=0)), 0.0)
    ids = chunk * CHUNK + torch.arange(CHUNK, device=kept.device)
    inside = ids < kept.shape[1]
    w = kept.gather(1, ids.clamp(max=kept.shape[1] - 1)) * inside
    passed = (before + w.double().cumsum(-1) > threshold) & (w > 0)
    last = CHUNK - 1 - (w > 0).flip(-1).to(torch.int8).argmax(-1, keepdim=True)
    within = torch.where(passed.any(-1, keepdim=True), row.first(passed), last)
    return (chunk * CHUNK + within).clamp(max=kept.shape[1] - 1)


def _gumbel(
    row: _Row, kept: Tensor, key: tuple[Tensor, Tensor], place: tuple[Tensor, Tensor]
) -> Tensor:
    """argmax of v + g over what is left, (batch, 1); of equals the lowest id.

    u is at most the largest number below 1 of the type, so that g is finite and a lone legal token
    is always found. With a +inf in the row only such tokens take part, with v = 0.
    """
    ids = torch.arange(kept.shape[1], device=kept.device)[None]
    stream = torch.full_like(place[0], GUMBEL_STREAM)
    words = torch.stack([w.expand(len(kept), -1) for w in _blocks(ids, key, place, stream)], -1)
    drawn = words.reshape(len(kept), -1)[:, : kept.shape[1]]
    u = ((drawn.to(kept.dtype) + 0.5) * 2.0**-32).clamp(max=_BELOW_ONE[kept.dtype])
    noise = -((-torch.log1p(-u)).log())
    v = torch.where(torch.isinf(row.largest), 0.0, row.x / row.temperature)
    return torch.where(kept > 0, v + noise, _NEGATIVE_INFINITY).argmax(-1, keepdim=True)


def _blocks(
    ids: Tensor, key: tuple[Tensor, Tensor], place: tuple[Tensor, Tensor], stream: Tensor
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """The words of every fourth id, whose block is its number / 4."""
    return philox((ids[:, ::4] >> 2, *place, stream), key)


def log_legal_mass(row: _Row, limit: int) -> Tensor:
    """log P(legal) of the model as it is, at temperature 1, (batch,); at most 0.

    -inf where nothing is legal, 0 where nothing illegal has any probability.
    """
    everything = row.all[:, :limit]
    top = everything.amax(-1, keepdim=True)
    one = torch.ones((1, 1), dtype=row.x.dtype, device=row.x.device)
    whole = chunk_sums(weights(everything, top, one)).sum(-1)
    part = chunk_sums(weights(row.x, top, one)).sum(-1)
    # The legal part is summed relative to its own maximum: it may be far below that of all.
    own = chunk_sums(weights(row.x, row.largest, one)).sum(-1)
    gap = (row.largest - top).double()[:, 0]
    same = row.largest[:, 0] == top[:, 0]
    mass = torch.where(same, part.log(), gap + own.log()) - whole.log()
    return torch.where(row.empty[:, 0], _NEGATIVE_INFINITY, mass.clamp(max=0.0))


def cross_entropy(
    logits: Tensor,
    target: Tensor,
    bitmask: Tensor | None,
    mask_index: Tensor | None,
    weight: Tensor | None,
    ignore_index: int,
    legality_weight: float,
    limit: int,
    grad: Tensor | None,
) -> tuple[Tensor, Tensor, Tensor]:
    """Loss, log P(legal) and status of each row; the gradient of its loss is written to ``grad``.

    A target is illegal if its probability under the mask is 0: it is not a legal token, or its
    logit is -inf, NaN, or finite beside a legal +inf. The bit ILLEGAL is set then, and the loss is
    +inf. Where a loss is +inf (also for a weight of legality beside an illegal +inf), the gradient
    of the row is 0: there is nothing to follow. An ignored row, and a row of weight 0, has loss and
    gradient 0. ``grad`` may be ``logits``. Losses are float64 where the logits are.
    """
    legal = legal_tokens(logits, bitmask, mask_index, limit)
    row = _Row(logits, legal, 1.0)
    ignored = target == ignore_index
    inside = (target >= 0) & (target < limit) & ~ignored
    at = torch.where(inside, target, 0)[:, None]
    logprob = row.logprob(row.x.gather(1, at))[:, 0]
    illegal = ~ignored & ~(inside & (logprob > _NEGATIVE_INFINITY))
    mass = log_legal_mass(row, limit).to(row.x.dtype)
    loss = -logprob
    if legality_weight:
        loss = loss - legality_weight * mass
    loss = torch.where(illegal, float("inf"), loss)
    scale = torch.ones_like(loss) if weight is None else weight.to(loss.dtype)
    idle = ignored | (scale == 0)
    loss = torch.where(idle, 0.0, scale * loss)
    if grad is not None:
        share = (row.weights / row.sum).to(row.x.dtype)
        change = share.scatter_add(1, at, -torch.ones_like(loss)[:, None])
        if legality_weight:
            below = torch.arange(row.all.shape[1], device=row.all.device) < limit
            everything = torch.where(below, row.all, _NEGATIVE_INFINITY)
            top = everything.amax(-1, keepdim=True)
            all_weights = weights(everything, top, torch.ones_like(top))
            whole = chunk_sums(all_weights).sum(-1, keepdim=True)
            change = change + legality_weight * ((all_weights / whole).to(share.dtype) - share)
        still = idle | torch.isposinf(loss)
        change = torch.where(still[:, None], 0.0, change * scale[:, None])
        grad.copy_(change)
    return loss, mass, row.status | (illegal * ILLEGAL).to(torch.uint8)


def apply_bitmask(logits: Tensor, bitmask: Tensor, mask_index: Tensor | None, limit: int) -> Tensor:
    """-inf off the mask and past the limit, in place."""
    return logits.masked_fill_(~legal_tokens(logits, bitmask, mask_index, limit), float("-inf"))

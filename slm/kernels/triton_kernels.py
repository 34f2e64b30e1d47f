"""The kernels in Triton: for GPUs without CUDA's compilers. `triton_backend` starts them.

A program works on one chunk of 1024 ids, 32 words of the mask: its maximum, its sum of weights
relative to that maximum, and with Gumbel noise its best token go to a small table. A second kernel
puts a row's chunks together. Chunks and the order within them are fixed, so a row's result does not
depend on the batch.

Reads of logits are predicated on whole words of the mask: a predicate for each element would split
every load into single elements; so would a bound on the offset, which only a row's last chunk has.
"""

from __future__ import annotations

import triton
import triton.language as tl

CHUNK: tl.constexpr = tl.constexpr(1024)
WORDS: tl.constexpr = tl.constexpr(32)
_INF: tl.constexpr = tl.constexpr(float("inf"))
_FAR: tl.constexpr = tl.constexpr(2**31 - 1)


@triton.jit
def _words(bitmask, mask_index, row, chunk, masks, words, limit,
           HAS_MASK: tl.constexpr, HAS_INDEX: tl.constexpr):  # fmt: skip
    """The 32 words of a chunk, without bits from ``limit`` on; none of an index out of range."""
    at = chunk * WORDS + tl.arange(0, WORDS)
    word = tl.full([WORDS], 0xFFFFFFFF, tl.uint32)
    if HAS_MASK:
        mask = row
        if HAS_INDEX:
            mask = tl.load(mask_index + row).to(tl.int64)
        inside = ((mask >= 0) & (mask < masks)).to(tl.int32)
        given = tl.load(bitmask + mask * words + at, mask=at < words * inside, other=0)
        given = given.to(tl.uint32, bitcast=True)
        word = tl.where(mask == -1, word, given)
    left = limit - at * 32
    shift = tl.minimum(tl.maximum(32 - left, 0), 31).to(tl.uint32)
    tail = tl.full([WORDS], 0xFFFFFFFF, tl.uint32) >> shift
    return word & tl.where(left > 0, tail, 0)


@triton.jit
def _ids(chunk):
    """The ids of a chunk, a row for each word."""
    return chunk * CHUNK + tl.arange(0, WORDS)[:, None] * 32 + tl.arange(0, 32)[None, :]


@triton.jit
def _bits(word):
    return ((word[:, None] >> tl.arange(0, 32)[None, :].to(tl.uint32)) & 1) != 0


@triton.jit
def _load(logits, row, stride, chunk, word, width,
          DENSE: tl.constexpr):  # fmt: skip
    """A chunk of logits as float32, with NaN in it; -inf where no bit of the word is set."""
    ids = _ids(chunk)
    at = logits + row * stride + ids
    if (chunk + 1) * CHUNK <= width:
        if DENSE:
            x = tl.load(at)
        else:
            x = tl.load(at, mask=(word != 0)[:, None], other=-_INF)
    else:
        if DENSE:
            x = tl.load(at, mask=ids < width, other=-_INF)
        else:
            x = tl.load(at, mask=(word != 0)[:, None] & (ids < width), other=-_INF)
    return x.to(tl.float32)


@triton.jit
def _weights(x, largest, temperature):
    """exp((x - largest) / T); 1 where x is the largest, +inf included; 0 for -inf."""
    w = tl.where(x == largest, 1.0, tl.exp((x - largest) / temperature))
    return tl.where(x == -_INF, 0.0, w)


@triton.jit
def _softened(temperature):
    """1 where greedy (0, less, NaN); finite."""
    return tl.minimum(tl.where(temperature > 0, temperature, 1.0), 3.4028234e38)


@triton.jit
def _max(tile):
    return tl.max(tl.max(tile, 1), 0)


@triton.jit
def _sum(tile):
    return tl.sum(tl.sum(tile, 1), 0)


@triton.jit
def _noise(chunk, seed, position):
    """A Gumbel number for each id of a chunk: word t & 3 of Philox block t >> 2."""
    block = (chunk * 256 + tl.arange(0, 256)).to(tl.uint32)
    low, high = (position & 0xFFFFFFFF).to(tl.uint32), (position >> 32).to(tl.uint32)
    zero = tl.zeros([256], tl.uint32)
    w0, w1, w2, w3 = tl.philox(seed, block, zero + low, zero + high, zero + 0x6B31)
    word = tl.reshape(tl.join(tl.join(w0, w2), tl.join(w1, w3)), [WORDS, 32])
    u = tl.minimum((word.to(tl.float32) + 0.5) * 2.3283064365386963e-10, 0.99999994)
    # log1p(-u), which Triton has only with its libraries: exact enough in both halves.
    small = u * (1.0 + u * (0.5 + u * (0.33333334 + u * (0.25 + u * 0.2))))
    return -tl.log(tl.where(u < 0.01, small, -tl.log(1.0 - u)))


@triton.jit
def stats(logits, bitmask, mask_index, temperature, seed, position,
          table, found, stride, masks, words, limit, width,
          chunks, t_step, s_step, p_step,
          HAS_MASK: tl.constexpr, HAS_INDEX: tl.constexpr, DENSE: tl.constexpr,
          GUMBEL: tl.constexpr):  # fmt: skip
    """A chunk's figures, in planes of ``table``: 0 maximum, 1 sum, 2 whether a legal one is NaN.

    With noise also 3 the best score, and its id in ``found``; with DENSE 4 the sum at T = 1, and 5
    and 6 maximum and sum over all ids below the limit.
    """
    pid = tl.program_id(0)
    row, chunk = (pid // chunks).to(tl.int64), pid % chunks
    plane = (tl.num_programs(0)).to(tl.int64)
    t = _softened(tl.load(temperature + row * t_step))
    word = _words(bitmask, mask_index, row, chunk, masks, words, limit, HAS_MASK, HAS_INDEX)
    x = _load(logits, row, stride, chunk, word, width, DENSE)
    bits = _bits(word)
    is_nan = x != x
    nan = _max((bits & is_nan).to(tl.float32))
    x = tl.where(is_nan, -_INF, x)
    legal = tl.where(bits, x, -_INF)
    largest = _max(legal)
    tl.store(table + pid, largest)
    tl.store(table + plane + pid, _sum(_weights(legal, largest, t)))
    tl.store(table + 2 * plane + pid, nan)
    if GUMBEL:
        noise = _noise(chunk, tl.load(seed + row * s_step), tl.load(position + row * p_step))
        v = tl.where(largest == _INF, tl.where(legal == _INF, 0.0, -_INF), legal / t)
        score = tl.where(legal > -_INF, v + noise, -_INF)
        best = _max(score)
        first = -_max(-tl.where(score == best, _ids(chunk), _FAR))
        tl.store(table + 3 * plane + pid, best)
        tl.store(found + pid, first)
    if DENSE:
        tl.store(table + 4 * plane + pid, _sum(_weights(legal, largest, 1.0)))
        everything = tl.where(_ids(chunk) < limit, x, -_INF)
        top = _max(everything)
        tl.store(table + 5 * plane + pid, top)
        tl.store(table + 6 * plane + pid, _sum(_weights(everything, top, 1.0)))


@triton.jit
def _plane(table, number, rows, row, chunks, other,
           ROUND: tl.constexpr):  # fmt: skip
    """A row's part of a plane of the table, padded to a power of two."""
    n = tl.arange(0, ROUND)
    return tl.load(table + (number * rows + row) * chunks + n, mask=n < chunks, other=other)


@triton.jit
def _whole(maxima, sums, largest, t):
    """The chunks' sums relative to the row's maximum, in double."""
    return sums.to(tl.float64) * _weights(maxima, largest, t).to(tl.float64)


@triton.jit
def _log_mass(table, rows, row, chunks, maxima, largest,
              ROUND: tl.constexpr):  # fmt: skip
    """log P(legal) at temperature 1."""
    own = tl.sum(_whole(maxima, _plane(table, 4, rows, row, chunks, 0.0, ROUND), largest, 1.0), 0)
    tops = _plane(table, 5, rows, row, chunks, -_INF, ROUND)
    top = tl.max(tops, 0)
    every = tl.sum(_whole(tops, _plane(table, 6, rows, row, chunks, 0.0, ROUND), top, 1.0), 0)
    gap = tl.where(largest == top, 0.0, largest - top).to(tl.float64)
    mass = tl.minimum(gap + tl.log(own) - tl.log(every), 0.0).to(tl.float32)
    return tl.where(largest == -_INF, -_INF, mass)


@triton.jit
def pick(logits, bitmask, mask_index, temperature, seed, position,
         table, found, token_out, logprob_out, lse_out, mass_out,
         status_out, stride, masks, words, limit, width, chunks,
         t_step, s_step, p_step,
         HAS_MASK: tl.constexpr, HAS_INDEX: tl.constexpr, DENSE: tl.constexpr,
         GUMBEL: tl.constexpr, ROUND: tl.constexpr):  # fmt: skip
    """A row's token and figures from its chunks'; reads one chunk of logits again."""
    row = tl.program_id(0).to(tl.int64)
    rows = tl.num_programs(0).to(tl.int64)
    given = tl.load(temperature + row * t_step)
    t = _softened(given)
    n = tl.arange(0, ROUND)
    maxima = _plane(table, 0, rows, row, chunks, -_INF, ROUND)
    largest = tl.max(maxima, 0)
    empty = largest == -_INF
    sums = _whole(maxima, _plane(table, 1, rows, row, chunks, 0.0, ROUND), largest, t)
    total = tl.sum(sums, 0)
    pos, key = tl.load(position + row * p_step), tl.load(seed + row * s_step)
    # The chunk where the cumulated sum passes u * total; greedy: the first with the maximum.
    prefix = tl.cumsum(sums, 0)
    zero = tl.zeros([1], tl.uint32)
    low, high = (pos & 0xFFFFFFFF).to(tl.uint32), (pos >> 32).to(tl.uint32)
    w0, w1, _w2, _w3 = tl.philox(key, zero, zero + low, zero + high, zero + 0x5A17)
    u = (w0.to(tl.float64) * 4294967296.0 + w1.to(tl.float64) + 0.5) * 5.421010862427522e-20
    threshold = tl.sum(tl.minimum(u, 0.9999999999999999), 0) * tl.max(prefix, 0)
    chunk = tl.min(tl.where((prefix > threshold) & (sums > 0), n, _FAR), 0)
    chunk = tl.where(chunk == _FAR, tl.max(tl.where(sums > 0, n, 0), 0), chunk)
    first = tl.min(tl.where((maxima == largest) & (n < chunks), n, _FAR), 0)
    chunk = tl.where(given > 0, chunk, first)
    before = tl.max(tl.where(n < chunk, prefix, 0.0), 0)
    word = _words(bitmask, mask_index, row, chunk, masks, words, limit, HAS_MASK, HAS_INDEX)
    x = _load(logits, row, stride, chunk, word, width, False)
    x = tl.where(_bits(word) & (x == x), x, -_INF)
    x = tl.reshape(x, [CHUNK])
    ids = chunk * CHUNK + tl.arange(0, CHUNK)
    w = _weights(x, largest, t)
    passed = (before + tl.cumsum(w.to(tl.float64), 0) > threshold) & (w > 0)
    token = tl.min(tl.where(passed, ids, _FAR), 0)
    token = tl.where(token == _FAR, tl.max(tl.where(w > 0, ids, 0), 0), token)
    token = tl.where(given > 0, token, tl.min(tl.where(x == largest, ids, _FAR), 0))
    if GUMBEL:
        score = _plane(table, 3, rows, row, chunks, -_INF, ROUND)
        score = tl.where(largest == _INF, tl.where(maxima == _INF, score, -_INF), score)
        at = tl.load(found + row * chunks + n, mask=n < chunks, other=_FAR)
        noisy = tl.min(tl.where(score == tl.max(score, 0), at, _FAR), 0)
        token = tl.where(given > 0, noisy, token)
    token = tl.where(empty, 0, tl.minimum(token, limit - 1))
    mine = tl.load(logits + row * stride + token).to(tl.float32)
    log_total = tl.log(total).to(tl.float32)
    logprob = tl.where(mine == largest, 0.0, (mine - largest) / t) - log_total
    tl.store(token_out + row, tl.where(empty, -1, token).to(tl.int64))
    tl.store(logprob_out + row, tl.where(empty, -_INF, logprob))
    tl.store(lse_out + row, tl.where(empty, -_INF, largest / t + log_total))
    nan = tl.max(_plane(table, 2, rows, row, chunks, 0.0, ROUND), 0) > 0
    status = empty.to(tl.int32) + 2 * nan.to(tl.int32) + 4 * (largest == _INF).to(tl.int32)
    tl.store(status_out + row, status.to(tl.uint8))
    if DENSE:
        tl.store(mass_out + row, _log_mass(table, rows, row, chunks, maxima, largest, ROUND))


@triton.jit
def normalise(logits, bitmask, mask_index, temperature, table, out,
              stride, out_stride, masks, words, limit, width,
              chunks, groups, rows, t_step,
              HAS_MASK: tl.constexpr, HAS_INDEX: tl.constexpr, LOG: tl.constexpr,
              GROUP: tl.constexpr, ROUND: tl.constexpr):  # fmt: skip
    """Probabilities or their logs, of ``GROUP`` chunks, from the figures of all chunks."""
    pid = tl.program_id(0)
    row, group = (pid // groups).to(tl.int64), pid % groups
    given = tl.load(temperature + row * t_step)
    t = _softened(given)
    n = tl.arange(0, ROUND)
    maxima = _plane(table, 0, rows, row, chunks, -_INF, ROUND)
    largest = tl.max(maxima, 0)
    total = tl.sum(_whole(maxima, _plane(table, 1, rows, row, chunks, 0.0, ROUND), largest, t), 0)
    scale = tl.where(largest == -_INF, 0.0, 1.0 / total).to(tl.float32)
    log_total = tl.log(total).to(tl.float32)
    first = tl.min(tl.where((maxima == largest) & (n < chunks), n, _FAR), 0)
    for chunk in range(group * GROUP, group * GROUP + GROUP):
        word = _words(bitmask, mask_index, row, chunk, masks, words, limit, HAS_MASK, HAS_INDEX)
        x = _load(logits, row, stride, chunk, word, width, False)
        x = tl.where(_bits(word) & (x == x), x, -_INF)
        ids = _ids(chunk)
        at = -_max(-tl.where((x == largest) & (x > -_INF), ids, _FAR))
        hot = ids == tl.where(chunk == first, at, -1)
        if LOG:
            y = tl.where(x == largest, 0.0, (x - largest) / t) - log_total
            y = tl.where(x > -_INF, y, -_INF)
            y = tl.where(given > 0, y, tl.where(hot, 0.0, -_INF))
        else:
            y = _weights(x, largest, t) * scale
            y = tl.where(given > 0, y, hot.to(tl.float32))
        y = y.to(out.dtype.element_ty)
        if (chunk + 1) * CHUNK <= width:
            tl.store(out + row * out_stride + ids, y)
        else:
            tl.store(out + row * out_stride + ids, y, mask=ids < width)


@triton.jit
def row_loss(logits, target, bitmask, mask_index, weight, table,
             loss_out, mass_out, status_out, figures, stride, masks,
             words, limit, chunks, ignore, legality,
             HAS_MASK: tl.constexpr, HAS_INDEX: tl.constexpr, HAS_WEIGHT: tl.constexpr,
             ROUND: tl.constexpr):  # fmt: skip
    """A row's loss, and in ``figures`` what its gradient needs.

    These are: the largest legal logit, factors of legal and of all weights, the largest logit of
    all, and the factor of the target; all factors 0 where the row has no gradient.
    """
    row = tl.program_id(0).to(tl.int64)
    rows = tl.num_programs(0).to(tl.int64)
    maxima = _plane(table, 0, rows, row, chunks, -_INF, ROUND)
    largest = tl.max(maxima, 0)
    total = tl.sum(_whole(maxima, _plane(table, 4, rows, row, chunks, 0.0, ROUND), largest, 1.0), 0)
    tops = _plane(table, 5, rows, row, chunks, -_INF, ROUND)
    top = tl.max(tops, 0)
    every = tl.sum(_whole(tops, _plane(table, 6, rows, row, chunks, 0.0, ROUND), top, 1.0), 0)
    mass = _log_mass(table, rows, row, chunks, maxima, largest, ROUND)
    t = tl.load(target + row)
    ignored = t == ignore
    inside = (t >= 0) & (t < limit) & (t != ignore)
    at = tl.where(inside, t, 0)
    word = _words(bitmask, mask_index, row, (at // CHUNK).to(tl.int32), masks, words, limit,
                  HAS_MASK, HAS_INDEX)  # fmt: skip
    here = tl.arange(0, WORDS) == (at % CHUNK) // 32
    own = tl.sum(tl.where(here, word, 0).to(tl.int64), 0)
    legal = inside & (((own >> (at % 32)) & 1) != 0)
    x = tl.load(logits + row * stride + at).to(tl.float32)
    alive = legal & (x > -_INF) & ((largest < _INF) | (x == _INF))
    logprob = tl.where(x == largest, 0.0, x - largest) - tl.log(total).to(tl.float32)
    loss = -logprob
    if legality != 0.0:
        loss -= legality * mass
    loss = tl.where(alive, loss, _INF)
    scale = 1.0
    if HAS_WEIGHT:
        scale = tl.load(weight + row)
    idle = ignored | (scale == 0.0)
    tl.store(loss_out + row, tl.where(idle, 0.0, loss * scale))
    tl.store(mass_out + row, mass)
    nan = tl.max(_plane(table, 2, rows, row, chunks, 0.0, ROUND), 0) > 0
    wrong = (alive.to(tl.int32) + ignored.to(tl.int32)) == 0
    status = (largest == -_INF).to(tl.int32) + 2 * nan.to(tl.int32)
    status += 4 * (largest == _INF).to(tl.int32) + 8 * wrong.to(tl.int32)
    tl.store(status_out + row, status.to(tl.uint8))
    moved = (loss < _INF).to(tl.int32) * (1 - idle.to(tl.int32))
    tl.store(figures + row * 5, largest)
    own_factor = ((1.0 - legality) * scale / total).to(tl.float32)
    tl.store(figures + row * 5 + 1, tl.where(moved != 0, own_factor, 0.0))
    tl.store(figures + row * 5 + 2, top)
    all_factor = (legality * scale / every).to(tl.float32)
    tl.store(figures + row * 5 + 3, tl.where(moved != 0, all_factor, 0.0))
    tl.store(figures + row * 5 + 4, tl.where(moved != 0, scale, 0.0))


@triton.jit
def gradient(logits, target, bitmask, mask_index, figures, grad,
             stride, grad_stride, masks, words, limit, width,
             chunks, HAS_MASK: tl.constexpr, HAS_INDEX: tl.constexpr):  # fmt: skip
    """A chunk of a row loss's gradient; may be written where the logits are."""
    pid = tl.program_id(0)
    row, chunk = (pid // chunks).to(tl.int64), pid % chunks
    largest, own = tl.load(figures + row * 5), tl.load(figures + row * 5 + 1)
    top, every = tl.load(figures + row * 5 + 2), tl.load(figures + row * 5 + 3)
    scale = tl.load(figures + row * 5 + 4)
    word = _words(bitmask, mask_index, row, chunk, masks, words, limit, HAS_MASK, HAS_INDEX)
    x = _load(logits, row, stride, chunk, word, width, True)
    ids = _ids(chunk)
    x = tl.where((x == x) & (ids < limit), x, -_INF)
    y = _weights(tl.where(_bits(word), x, -_INF), largest, 1.0) * own
    y += _weights(x, top, 1.0) * every
    y -= tl.where(ids == tl.load(target + row), scale, 0.0)
    y = tl.where(scale != 0.0, y, 0.0).to(grad.dtype.element_ty)
    tl.store(grad + row * grad_stride + ids, y, mask=ids < width)


@triton.jit
def forbid(logits, bitmask, mask_index, stride, masks, words,
           limit, width, chunks, HAS_INDEX: tl.constexpr):  # fmt: skip
    """-inf where a bit is 0; logits are not read."""
    pid = tl.program_id(0)
    row, chunk = (pid // chunks).to(tl.int64), pid % chunks
    word = _words(bitmask, mask_index, row, chunk, masks, words, limit, True, HAS_INDEX)
    ids = _ids(chunk)
    value = tl.full([WORDS, 32], -_INF, tl.float32).to(logits.dtype.element_ty)
    tl.store(logits + row * stride + ids, value, mask=(_bits(word) == 0) & (ids < width))

// Where top-k, top-p and min-p end a row: one block a row looks for the last logit that stays.
//
// Logits have an order as unsigned keys. The key at which a count (top-k) or a sum of weights
// (top-p) is reached is found two bits at a time, from the top: each step reads the row (from L2)
// and counts the tokens at or above three candidates. Of tokens equal to the last one the lowest
// ids stay.
#pragma once
#include "cut.cuh"
#include "gather.cuh"
#include "totals.cuh"
#include "walk.cuh"

namespace slm {

struct FilterParams {
  Rows rows;
  const i32* top_ks;
  const float* top_ps;
  const float* min_ps;
  Cut* cuts;
  i32 top_k;  // at most 0: no limit
  float top_p, min_p;
  i32 unused;
};

constexpr int kPivots = 3, kFilterWarps = 16;

struct Count {
  u32 tokens;
  double mass;
};

/// Shared memory of a filter: after the records of the chunks.
struct Board {
  Count partial[kFilterWarps][kPivots];
  i32 last;
};

/// The order of floats as unsigned numbers. T's own digits are the upper T::kKeyBits.
template <class T>
SLM_DEVICE u32 key_of(float x) {
  const u32 bits = float_bits(x + 0.0f);  // -0 is 0
  return (bits >> 31 ? ~bits : bits | 0x80000000u) >> (32 - T::kKeyBits);
}

/// visit(chunk, values) for the masked chunks of this warp that have a token. `tops`, if given, has
/// their largest logits: chunks that have none with at least the key `from` are left out.
template <class T, class Visit>
SLM_DEVICE void visit_chunks(const Rows& p, const Row& row, const Stat* tops, u64 from,
                             Visit visit) {
  for (int chunk = warp_id(); chunk < p.chunks; chunk += warp_count()) {
    if (tops && !(key_of<T>(tops[chunk].top) >= from)) continue;
    const int w = chunk * 32 + lane_id();
    const u32 word = clip_word(row, w, load_word(row, w));
    if (!ballot(word != 0)) continue;
    Dense<T> dense;
    load_dense<T>(dense, row, chunk, word);
    if (ballot(word != ~0u)) mask_dense<T>(dense, word);
    visit(chunk, dense);
  }
}

/// Tokens at or above each candidate key, and their weights; the same in every thread.
template <class T>
SLM_DEVICE void count_above(const Rows& p, const Row& row, const Stat* tops, Board* board,
                            const u64 (&from)[kPivots], float top, float scale,
                            Count (&counts)[kPivots]) {
  Count mine[kPivots]{};
  visit_chunks<T>(p, row, tops, from[0], [&](int, const Dense<T>& d) {
    float mass[kPivots]{};
#pragma unroll
    for (int i = 0; i < Dense<T>::kCount; ++i) {
      const float x = value(d, i);
      const float w = weight(x, top, scale);
      const u32 key = key_of<T>(x);
#pragma unroll
      for (int j = 0; j < kPivots; ++j) {
        // -inf and NaN are no tokens, though the bits of a NaN are above all numbers.
        const bool in = x > -infinity() && key >= from[j];
        mine[j].tokens += in;
        mass[j] += in ? w : 0.0f;
      }
    }
#pragma unroll
    for (int j = 0; j < kPivots; ++j) mine[j].mass += static_cast<double>(mass[j]);
  });
  sync_block();
#pragma unroll
  for (int j = 0; j < kPivots; ++j) {
    const Count whole{warp_sum(mine[j].tokens), warp_sum(mine[j].mass)};
    if (lane_id() == 0) board->partial[warp_id()][j] = whole;
  }
  sync_block();
#pragma unroll
  for (int j = 0; j < kPivots; ++j) {
    const bool there = lane_id() < warp_count();
    counts[j].tokens = warp_sum(there ? board->partial[lane_id()][j].tokens : 0u);
    counts[j].mass = warp_sum(there ? board->partial[lane_id()][j].mass : 0.0);
  }
}

/// The largest key for which enough(count) holds, with the counts of the tokens from it on and of
/// those above it.
struct Found {
  u32 key;
  Count above, with;
};
/// `low`: a key for which it is known to hold; `high`: the key of the largest logit. Between them
/// the row is read, and of it only the chunks that reach up there.
template <class T, class Enough>
SLM_DEVICE Found search(const Rows& p, const Row& row, const Stat* tops, Board* board, float top,
                        float scale, u32 low, Enough enough) {
  const u64 high = key_of<T>(top);
  Found f{0, {0, 0.0}, {0, 0.0}};
  bool counted = false;
  u64 from[kPivots];
  Count counts[kPivots]{};
  for (int shift = T::kKeyBits - 2; shift >= 0; shift -= 2) {
    const u32 prefix = f.key;
    u64 asked[kPivots];
    bool open = false;
#pragma unroll
    for (int j = 0; j < kPivots; ++j) {
      from[j] = prefix + (static_cast<u64>(j + 1) << shift);
      asked[j] = from[j] > low ? from[j] : static_cast<u64>(low) + 1;
      open |= from[j] > low && from[j] <= high;
    }
    if (open) count_above<T>(p, row, tops, board, asked, top, scale, counts);
    bool settled = false;
#pragma unroll
    for (int j = kPivots - 1; j >= 0; --j) {
      if (settled) continue;
      const bool known = from[j] <= low;
      if (known || (from[j] <= high && enough(counts[j]))) {
        f.key = prefix + (static_cast<u32>(j + 1) << shift);
        f.with = counts[j];
        counted = !known;
        settled = true;
      } else {
        f.above = from[j] <= high ? counts[j] : Count{0, 0.0};
      }
    }
  }
  if (f.key && !counted) {
    const u64 last[kPivots] = {f.key, f.key, f.key};
    count_above<T>(p, row, tops, board, last, top, scale, counts);
    f.with = counts[0];
  }
  return f;
}

/// A key that at least `k` tokens reach: that of the k-th largest of the chunks' largest; 0 if
/// there are fewer chunks.
template <class T>
SLM_DEVICE u32 reached_by(const Rows& p, const Stat* tops, u32 k) {
  u32 key = 0;
  for (int bit = T::kKeyBits - 1; bit >= 0; --bit) {
    const u32 tried = key | 1u << bit;
    u32 reach = 0;
    for (int c = lane_id(); c < p.chunks; c += 32)
      reach += tops[c].top > -infinity() && key_of<T>(tops[c].top) >= tried;
    if (warp_sum(reach) >= k) key = tried;
  }
  return key;
}

/// The id of the `rank`-th token (from 1) whose key is `key`.
template <class T>
SLM_DEVICE int find_equal(const Rows& p, const Row& row, Board* board, u32* counts, u32 key,
                          u32 rank) {  // overwrites the records of the chunks with counts
  sync_block();
  for (int c = static_cast<int>(thread_id()); c < p.chunks; c += warp_count() * 32) counts[c] = 0;
  sync_block();
  visit_chunks<T>(p, row, nullptr, 0, [&](int chunk, const Dense<T>& d) {
    u32 equal = 0;
#pragma unroll
    for (int i = 0; i < Dense<T>::kCount; ++i)
      equal += value(d, i) > -infinity() && key_of<T>(value(d, i)) == key;
    equal = warp_sum(equal);
    if (lane_id() == 0) counts[chunk] = equal;
  });
  sync_block();
  if (warp_id() == 0) {
    u32 before = 0;
    int at = 0;
    for (; at + 1 < p.chunks && before + counts[at] < rank; ++at) before += counts[at];
    // A lane a word of that chunk.
    const int w = at * 32 + lane_id();
    u32 word = clip_word(row, w, load_word(row, w)), equal = 0;
    for (u32 rest = word; rest; rest &= rest - 1) {
      const int bit = first_bit(rest);
      const float x = load_one<T>(row, w * 32 + bit);
      if (x > -infinity() && key_of<T>(x) == key) equal |= 1u << bit;
    }
    const u32 through = before + warp_prefix(static_cast<u32>(count_bits(equal)));
    const int lane = choose_lane(through >= rank, equal != 0);
    u32 left = rank - (shfl(through, lane) - static_cast<u32>(count_bits(shfl(equal, lane))));
    u32 bits = shfl(equal, lane);
    for (; left > 1 && (bits & (bits - 1)); --left) bits &= bits - 1;
    if (lane_id() == 0) board->last = (at * 32 + lane) * 32 + first_bit(bits);
  }
  sync_block();
  return board->last;
}

template <class T>
SLM_DEVICE void filter_rows(const FilterParams& p) {
  const i64 at = static_cast<i64>(block_id());
  const Row row = make_row<T>(p.rows, at);
  const Heat heat = heat_of(p.rows, at);
  Stat* const slots = reinterpret_cast<Stat*>(shared_memory() + kFrontBytes);
  Board* const board = reinterpret_cast<Board*>(slots + (p.rows.chunks + 1) / 2 * 2);
  for (int c = static_cast<int>(thread_id()); c < p.rows.chunks; c += warp_count() * 32)
    slots[c] = {-infinity(), 0.0f};
  sync_block();
  visit_chunks<T>(p.rows, row, nullptr, 0, [&](int chunk, Dense<T>& d) {
    const Stat stat = chunk_stat(d, heat.scale);
    if (lane_id() == 0) slots[chunk] = stat;
  });
  sync_block();
  const float top = add_up(slots, p.rows.chunks, heat.scale).top;
  sync_block();

  const i32 k = p.top_ks ? p.top_ks[at] : p.top_k;
  const float share = p.top_ps ? p.top_ps[at] : p.top_p;
  const float least = p.min_ps ? p.min_ps[at] : p.min_p;
  Cut cut{-infinity(), 0x7fffffff, top, least > 0.0f && least <= 1.0f ? least : 0.0f};
  const bool by_count = k > 0, by_mass = share > 0.0f && share < 1.0f;
  u32 key = 0, keep = ~0u;  // of the tokens with this key the first `keep` stay
  double total = 0.0;
  if (top > -infinity() && !heat.greedy && (by_count || by_mass)) {
    if (by_count) {
      const Found f = search<T>(p.rows, row, slots, board, top, heat.scale,
                                reached_by<T>(p.rows, slots, static_cast<u32>(k)),
                                [&](const Count& c) { return c.tokens >= static_cast<u32>(k); });
      key = f.key;
      keep = f.key ? static_cast<u32>(k) - f.above.tokens : ~0u;
      // What stays of the equal ones weighs as much as any of them.
      const u32 equal = f.with.tokens - f.above.tokens;
      const double each = equal ? (f.with.mass - f.above.mass) / equal : 0.0;
      total = f.above.mass + each * (keep < equal ? keep : equal);
    }
    if (by_mass) {
      if (!key) {
        Count all[kPivots];
        const u64 none[kPivots] = {0, 0, 0};
        count_above<T>(p.rows, row, slots, board, none, top, heat.scale, all);
        total = all[0].mass;
      }
      const double wanted = static_cast<double>(share) * total;
      const Found f = search<T>(p.rows, row, slots, board, top, heat.scale, key,
                                [&](const Count& c) { return c.mass >= wanted; });
      const u32 equal = f.with.tokens - f.above.tokens;
      const double each = equal ? (f.with.mass - f.above.mass) / equal : 0.0;
      u32 stay = 1;
      if (each > 0.0) {
        const double need = (wanted - f.above.mass) / each;
        stay = need < 4294967040.0 ? static_cast<u32>(need) : ~0u;
        if (static_cast<double>(stay) < need) ++stay;
        if (stay < 1) stay = 1;
      }
      keep = f.key == key && keep < stay ? keep : stay;
      key = f.key;
    }
    if (key) {
      const int last = find_equal<T>(p.rows, row, board, reinterpret_cast<u32*>(slots), key, keep);
      const u32 bits = key << (32 - T::kKeyBits);
      // Back from the key: digits that T does not have are 0 above zero, 1 below it.
      const u32 low = T::kKeyBits < 32 ? (1u << (32 - T::kKeyBits)) - 1u : 0u;
      cut.lowest = bits_float(bits >> 31 ? bits & 0x7fffffffu : ~(bits | low));
      cut.last = last;
    }
  }
  if (thread_id() == 0) p.cuts[at] = cut;
}

}  // namespace slm

// Masked softmax and log-softmax: statistics by chunk, brought together, then each chunk is read
// once more (from L2, mostly) and its probabilities are written.
#pragma once
#include "output.cuh"
#include "pick.cuh"
#include "walk.cuh"

namespace slm {

/// Which part of the work a launch does. Blocks that can't meet (kGatherTicket) need two launches.
enum Phase { kBoth = 0, kStatistics = 1, kResults = 2 };

struct SoftmaxParams {
  Rows rows;
  void* out;
  void* scratch;  // records, for kGatherTicket
  i64 out_stride;
  i32 log;
  i32 phase;
};

/// What turns a logit of a row into its result.
struct Scale {
  float top, scale, inverse;
  float shift, share;  // the logarithm and the inverse of the sum of weights
  float rest;          // scale + rest is log2(e) / temperature, to twice a float's digits
  float floor;         // below the top by this much, a weight is 0
  bool clean;          // neither NaN nor +inf among the legal logits
};

/// exp((x - top) / T) with an error of some 2e-7 at any depth: the product's rounding, which grows
/// with its size, is made good to first order. Three operations more than `weight`.
SLM_DEVICE float exact_weight(const Scale& s, float x) {
  const float d = fmaxf(x - s.top, s.floor);
  const float y = d * s.scale;
  const float lost = fmaf(d, s.rest, fmaf(d, s.scale, -y));
  return x == -infinity() ? 0.0f : exp2_fast(y) * fmaf(lost, kLn2, 1.0f);
}
/// kExact: for results with the digits to show it.
template <bool kExact>
SLM_DEVICE float probability(const Scale& s, float x) {
  if (!s.clean) {
    if (is_nan(x)) return 0.0f;
    if (s.top == infinity()) return x == s.top ? s.share : 0.0f;
  }
  return (kExact ? exact_weight(s, x) : exp2_fast((x - s.top) * s.scale)) * s.share;
}
SLM_DEVICE float log_probability(const Scale& s, float x) {
  if (!s.clean) {
    if (is_nan(x)) return -infinity();
    if (s.top == infinity()) return x == s.top ? -s.shift : -infinity();
  }
  return (x - s.top) * s.inverse - s.shift;
}

SLM_DEVICE Scale make_scale(const Total& t, const Heat& h) {
  Scale s;
  s.top = t.top;
  s.inverse = h.inverse;
  s.shift = log1pf(static_cast<float>(t.sum - 1.0));
  s.share = static_cast<float>(1.0 / t.sum);
  const double scale = 1.4426950408889634 / h.temperature;
  s.scale = static_cast<float>(scale);
  s.rest = static_cast<float>(scale - s.scale);
  s.floor = fmaxf(-200.0f / s.scale, -3e38f);
  s.clean = !t.nan && t.top < infinity();
  return s;
}

/// Gives every token of the row the value other(token): rows that are empty or greedy.
template <class Out, class X>
SLM_DEVICE void fill_row(const Output& o, const Share& s, X x) {
  for (int chunk = s.first; chunk * kChunk < o.padded; chunk += s.step)
    for (int i = lane_id(); i < kChunk && chunk * kChunk + i < o.padded; i += 32)
      store_one<Out>(o, chunk * kChunk + i, x(chunk * kChunk + i));
}

template <class T, class Out, bool kLog>
SLM_DEVICE void write_row(const Row& row, const Output& o, const Share& s, const Scale& scale) {
  const float off = kLog ? -infinity() : 0.0f;
  for (int chunk = s.first; chunk * kChunk < o.padded; chunk += s.step) {
    const int w = chunk * 32 + lane_id();
    const u32 word = clip_word(row, w, load_word(row, w));
    if (!ballot(word != 0)) {
#pragma unroll
      for (int g = 0; g < Dense<T>::kGroups; ++g)
        store_some<Out, T::kPer>(o, Dense<T>::token(chunk, g), [=](int) { return off; });
      continue;
    }
    Dense<T> dense;
    load_dense<T>(dense, row, chunk, word);
    if (ballot(word != ~0u)) mask_dense<T>(dense, word);
#pragma unroll
    for (int g = 0; g < Dense<T>::kGroups; ++g)
      store_some<Out, T::kPer>(o, Dense<T>::token(chunk, g), [&](int i) {
        const float x = T::get(dense.pack[g], i);
        return kLog ? log_probability(scale, x) : probability<Out::kBytes == 4>(scale, x);
      });
  }
}

template <class T>
SLM_DEVICE void softmax_stats(const SoftmaxParams& p) {
  const Share share = make_share(p.rows);
  open_slots<Stat, kEveryone>(p.rows, share, p.rows.chunks);
  const Row row = make_row<T>(p.rows, share.row);
  const float scale = heat_of(p.rows, share.row).scale;
  Stat* const slots = record_slots<Stat>(p.rows, share, p.scratch, p.rows.chunks);
  each_chunk<T, 2>(
      p.rows, row, share, [] {},
      [&](int chunk, auto& values) {
        put_record<kEveryone>(p.rows, slots, chunk, chunk_stat(values, scale));
      },
      [&](int chunk) { put_record<kEveryone>(p.rows, slots, chunk, Stat{-infinity(), 0.0f}); });
}

template <class T, class Out>
SLM_DEVICE void softmax_rows(const SoftmaxParams& p) {
  if (p.phase != kResults) {
    softmax_stats<T>(p);
    if (p.phase == kStatistics) return;
    gather_everyone(p.rows);
  }
  const Share share = make_share(p.rows);
  const Row row = make_row<T>(p.rows, share.row);
  const Heat heat = heat_of(p.rows, share.row);
  const Stat* const slots = record_slots<Stat>(p.rows, share, p.scratch, p.rows.chunks);
  const Output o = make_output<Out>(p.out, share.row, p.out_stride, p.rows.padded);
  const Total total = add_up(slots, p.rows.chunks, heat.scale);
  if (total.top == -infinity() || heat.greedy) {
    int pick = -1;
    if (total.top > -infinity())
      pick = find_in_chunk<T>(row, first_chunk(slots, total), total.top).token;
    const float on = p.log ? 0.0f : 1.0f, off = p.log ? -infinity() : 0.0f;
    fill_row<Out>(o, share, [=](int token) { return token == pick ? on : off; });
    return;
  }
  const Scale scale = make_scale(total, heat);
  if (p.log) {
    write_row<T, Out, true>(row, o, share, scale);
  } else {
    write_row<T, Out, false>(row, o, share, scale);
  }
}

}  // namespace slm

// The unit of every kernel: 1024 tokens, read and summed by one warp in an order that depends on
// the chunk's mask alone. So a row gives the same bits for every batch size and every split.
//
// Three ways to read a chunk, by its mask: nothing allowed: nothing is read; at most four tokens a
// word: each lane reads its own; else 16-byte loads, each made only if one of its tokens is
// allowed.
#pragma once
#include "rows.cuh"

namespace slm {

struct Stat {
  float top;  // the largest legal logit; -inf: none
  float sum;  // of weight(x, top) over the legal tokens; its sign bit: a legal NaN was seen

  SLM_MEMBER Stat stat() const { return *this; }  // of a record that is no more than this
};
SLM_DEVICE float stat_sum(const Stat& s) { return fabsf(s.sum); }
SLM_DEVICE bool stat_nan(const Stat& s) { return float_bits(s.sum) >> 31; }

/// A chunk in registers. Lane l has tokens kSpan * g + kPer * l + 0 .. kPer - 1 of it.
template <class T>
struct Dense {
  static constexpr int kGroups = kChunk / 32 / T::kPer;
  static constexpr int kSpan = 32 * T::kPer;
  static constexpr int kCount = kChunk / 32;
  Pack pack[kGroups];

  SLM_DEVICE int token(int chunk, int g) {
    return chunk * kChunk + g * kSpan + lane_id() * T::kPer;
  }
  SLM_DEVICE u32 bits(u32 word, int g) {
    const int lane = lane_id();
    const u32 from = shfl(word, (g * kSpan + lane * T::kPer) >> 5);
    return from >> ((lane * T::kPer) & 31) & ((1u << T::kPer) - 1u);
  }
};
template <class T>
SLM_DEVICE float value(const Dense<T>& d, int i) {
  return T::get(d.pack[i / T::kPer], i % T::kPer);
}
template <class T>
SLM_DEVICE void set_value(Dense<T>& d, int i, float x) {
  T::set(d.pack[i / T::kPer], i % T::kPer, x);
}
template <class T>
SLM_DEVICE float lane_top(const Dense<T>& d) {
  u32 best = T::kMinusInfinity;
#pragma unroll
  for (int g = 0; g < Dense<T>::kGroups; ++g) best = T::top(d.pack[g], best);
  return T::top_value(best);
}

/// A chunk with few allowed tokens, four a lane at most; the rest is -inf.
struct Few {
  static constexpr int kCount = 4;
  float x[4];
};
SLM_DEVICE float value(const Few& f, int i) { return f.x[i]; }
SLM_DEVICE void set_value(Few& f, int i, float x) { f.x[i] = x; }
SLM_DEVICE float lane_top(const Few& f) {
  return fmaxf(fmaxf(f.x[0], f.x[1]), fmaxf(f.x[2], f.x[3]));
}

template <class T>
SLM_DEVICE void load_few(Few& f, const Row& r, int chunk, u32 word) {
  const int first = chunk * kChunk + lane_id() * 32;
#pragma unroll
  for (int i = 0; i < 4; ++i) {
    f.x[i] = -infinity();
    if (word) f.x[i] = load_one<T>(r, first + first_bit(word));
    word &= word - 1;
  }
}

/// Reads the packs of which `word`, this lane's mask word, allows a token.
template <class T>
SLM_DEVICE void load_dense(Dense<T>& d, const Row& r, int chunk, u32 word) {
  const bool whole = (chunk + 1) * kChunk <= r.vector_end;
  const int first = Dense<T>::token(chunk, 0);
  const unsigned char* at = r.logits + static_cast<i64>(first) * T::kBytes;
  u32 bits[Dense<T>::kGroups];
#pragma unroll
  for (int g = 0; g < Dense<T>::kGroups; ++g) {
    bits[g] = Dense<T>::bits(word, g);
#pragma unroll
    for (int i = 0; i < 4; ++i) d.pack[g].word[i] = T::kMinusInfinity;
  }
  if (whole) {
#pragma unroll
    for (int g = 0; g < Dense<T>::kGroups; ++g) load_pack16_if(d.pack[g], at + g * 512, bits[g]);
  } else {
#pragma unroll
    for (int g = 0; g < Dense<T>::kGroups; ++g)
      if (bits[g]) d.pack[g] = load_some<T>(r, first + g * Dense<T>::kSpan);
  }
}
/// Puts -inf in place of the tokens that `word` forbids.
template <class T>
SLM_DEVICE void mask_dense(Dense<T>& d, u32 word) {
#pragma unroll
  for (int g = 0; g < Dense<T>::kGroups; ++g) T::mask(d.pack[g], Dense<T>::bits(word, g));
}

/// Sum of weights in this lane's order: four running sums, so that no addition waits for the last.
template <class V>
SLM_DEVICE float lane_sum(const V& v, float top, float scale) {
  float sum[4] = {0.0f, 0.0f, 0.0f, 0.0f};
#pragma unroll
  for (int i = 0; i < V::kCount; ++i) sum[i & 3] += exp2_fast((value(v, i) - top) * scale);
  return (sum[0] + sum[2]) + (sum[1] + sum[3]);
}

/// Makes NaN -inf; where +inf is there, it becomes 0 and all else -inf, so that it has all weight.
template <class V>
SLM_DEVICE bool repair(V& v, bool infinite) {
  bool nan = false;
#pragma unroll
  for (int i = 0; i < V::kCount; ++i) {
    const float x = value(v, i);
    const bool bad = is_nan(x);
    nan |= bad;
    const float kept = infinite ? (x == infinity() ? 0.0f : -infinity()) : x;
    set_value(v, i, bad ? -infinity() : kept);
  }
  return ballot(nan) != 0;
}

/// Statistics of a masked chunk; the same in every lane. Nothing is checked per token: NaN or +inf
/// show in the result, and only then is the chunk repaired and summed again.
template <class V>
SLM_DEVICE Stat chunk_stat(V& v, float scale) {
  bool repaired = false, infinite = false, nan = false;
  for (;;) {
    const float top = warp_max(lane_top(v));
    float sum = 0.0f;
    if (top > -infinity()) sum = warp_sum(lane_sum(v, top, scale));
    // A top of -inf may hide NaN. A repaired chunk has none, and no +inf.
    if (repaired || (top > -infinity() && top < infinity() && !is_nan(sum)))
      return {infinite ? infinity() : top, nan ? -sum : sum};
    infinite = top == infinity();
    nan = repair(v, infinite);
    repaired = true;
  }
}

}  // namespace slm

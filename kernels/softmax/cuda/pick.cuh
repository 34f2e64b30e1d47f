// From a chunk of a row to one token of it: which word, then which token of the word.
#pragma once
#include "totals.cuh"

namespace slm {

struct Pick {
  int token;
  float logit;
};

/// A chunk with one mask word, 32 tokens in order, a lane.
template <class T>
struct Words32 {
  static constexpr int kCount = 32;
  Pack pack[32 / T::kPer];
};
template <class T>
SLM_DEVICE float value(const Words32<T>& t, int i) {
  return T::get(t.pack[i / T::kPer], i % T::kPer);
}
template <class T>
SLM_DEVICE void set_value(Words32<T>& t, int i, float x) {
  T::set(t.pack[i / T::kPer], i % T::kPer, x);
}

/// Reads all of it at once, not waiting for the mask; what that forbids becomes -inf.
template <class T>
SLM_DEVICE void load_words(Words32<T>& t, const Row& r, int chunk) {
  const int w = chunk * 32 + lane_id();
  const u32 raw = load_word(r, w);
  const bool whole = (w + 1) * 32 <= r.vector_end;
  const unsigned char* at = r.logits + static_cast<i64>(w) * 32 * T::kBytes;
#pragma unroll
  for (int k = 0; k < 32 / T::kPer; ++k) {
    t.pack[k] = Pack{};
    load_pack16_if(t.pack[k], at + k * 16, whole);
  }
  const u32 word = clip_word(r, w, raw);
#pragma unroll
  for (int k = 0; k < 32 / T::kPer; ++k) {
    const u32 bits = word >> (k * T::kPer) & ((1u << T::kPer) - 1u);
    if (!whole && bits) t.pack[k] = load_some<T>(r, w * 32 + k * T::kPer);
    T::mask(t.pack[k], bits);
  }
}

/// The first token of a chunk whose running sum of weights exceeds spot.rest. `held` is 128 bytes
/// of shared memory. drop(words, infinite) makes -inf of what else can't be picked.
template <class T, class Drop>
SLM_DEVICE Pick pick_in_chunk(const Row& r, const Spot& spot, float scale, unsigned char* held,
                              Drop drop) {
  Words32<T> words;
  load_words(words, r, spot.chunk);
  float top = spot.stat.top;
  if (stat_nan(spot.stat) || top == infinity()) {
    repair(words, top == infinity());
    if (top == infinity()) top = 0.0f;
  }
  drop(words, spot.stat.top == infinity());
  const float sum = lane_sum(words, top, scale);
  const double through = warp_prefix(static_cast<double>(sum));
  const int chosen = choose_lane(through > spot.rest, sum > 0.0f);
  // Then one lane a token of the word that was chosen.
  if (lane_id() == chosen) {
#pragma unroll
    for (int k = 0; k < 32 / T::kPer; ++k) *reinterpret_cast<Pack*>(held + k * 16) = words.pack[k];
  }
  const double rest = spot.rest - (shfl(through, chosen) - static_cast<double>(shfl(sum, chosen)));
  sync_warp();
  const float x = T::from(held + lane_id() * T::kBytes);
  const float mine = exp2_fast((x - top) * scale);
  const int best = choose_lane(warp_prefix(static_cast<double>(mine)) > rest, mine > 0.0f);
  return {(spot.chunk * 32 + chosen) * 32 + best, shfl(x, best)};
}

/// The lowest legal token of `chunk` whose logit is `top`.
template <class T>
SLM_DEVICE Pick find_in_chunk(const Row& r, int chunk, float top) {
  Words32<T> words;
  load_words(words, r, chunk);
  int found = 32;
#pragma unroll
  for (int i = 31; i >= 0; --i)
    if (value(words, i) == top) found = i;
  const int chosen = first_bit(ballot(found < 32));
  return {(chunk * 32 + chosen) * 32 + shfl(found, chosen), top};
}

}  // namespace slm

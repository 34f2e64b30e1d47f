// From the chunk records of a row to one token: which chunk, which word of it, which token.
#pragma once
#include "chunk.cuh"

namespace slm {

/// The distribution of a row: the largest logit and the sum of weights relative to it.
struct Total {
  float top;
  double sum;
  double below;    // sum over the chunks of the lanes below this one
  double through;  // and of this one's
  bool nan;
  int first, end;  // this lane's chunks
};

SLM_DEVICE float factor(float top, float best, float scale) {
  return top == best ? 1.0f : exp2_fast((top - best) * scale);
}

/// One warp adds up the records, in double, chunk by chunk in order.
template <class Record>
SLM_DEVICE Total add_up(const volatile Record* slots, int chunks, float scale) {
  Total t;
  const int per = (chunks + 31) >> 5;
  t.first = lane_id() * per < chunks ? lane_id() * per : chunks;
  t.end = t.first + per < chunks ? t.first + per : chunks;
  float top = -infinity();
  for (int c = t.first; c < t.end; ++c) top = fmaxf(top, slots[c].top);
  t.top = warp_max(top);
  double sum = 0.0;
  bool nan = false;
  for (int c = t.first; c < t.end; ++c) {
    const float s = slots[c].sum;
    nan |= float_bits(s) >> 31;
    sum += static_cast<double>(fabsf(s)) * factor(slots[c].top, t.top, scale);
  }
  t.nan = ballot(nan) != 0;
  t.through = warp_prefix(sum);
  t.below = shfl_up(t.through, 1);
  if (lane_id() == 0) t.below = 0.0;
  t.sum = shfl(t.through, 31);
  return t;
}

struct Pick {
  int token;
  float logit;
};

/// The first lane where `yes` holds; if none, the last where `maybe` does: rounding ran past the end.
SLM_DEVICE int choose_lane(bool yes, bool maybe) {
  const u32 hits = ballot(yes && maybe), able = ballot(maybe);
  return hits ? first_bit(hits) : last_bit(able);
}

/// The 32 tokens of one mask word a lane.
template <class T>
struct Words32 {
  Pack pack[32 / T::kPer];
};
template <class T>
SLM_DEVICE float value(const Words32<T>& t, int i) {
  return T::get(t.pack[i / T::kPer], i % T::kPer);
}
/// All loads are made before the first is waited for.
template <class T>
SLM_DEVICE void load_words(Words32<T>& t, const Row& r, int w, u32 word) {
  const bool whole = (w + 1) * 32 <= r.vector_end;
  const unsigned char* at = r.logits + static_cast<i64>(w) * 32 * T::kBytes;
#pragma unroll
  for (int k = 0; k < 32 / T::kPer; ++k) {
    const u32 bits = word >> (k * T::kPer) & ((1u << T::kPer) - 1u);
    t.pack[k] = Pack{};
    load_pack16_if(t.pack[k], at + k * 16, whole ? bits : 0u);
    if (!whole && bits) t.pack[k] = load_some<T>(r, w * 32 + k * T::kPer);
  }
}

/// The first token of `chunk` whose running sum of weights exceeds `rest`.
template <class T>
SLM_DEVICE Pick pick_in_chunk(const Row& r, int chunk, float top, float scale, double rest) {
  const int lane = lane_id();
  const int w = chunk * 32 + lane;
  const u32 word = clip_word(r, w, load_word(r, w));
  Words32<T> tokens;
  load_words(tokens, r, w, word);
  float sum = 0.0f;  // of the 32 tokens of this lane's word, in order
#pragma unroll
  for (int i = 0; i < 32; ++i)
    if (word >> i & 1u) sum += weight(value(tokens, i), top, scale);
  const double through = warp_prefix(static_cast<double>(sum));
  const int chosen = choose_lane(through > rest, sum > 0.0f);
  rest -= shfl(through, chosen) - static_cast<double>(shfl(sum, chosen));
  // Then one lane a token of that word.
  const int token = (chunk * 32 + chosen) * 32 + lane;
  const bool legal = shfl(word, chosen) >> lane & 1u;
  const float x = legal ? load_one<T>(r, token) : -infinity();
  const float mine = legal ? weight(x, top, scale) : 0.0f;
  const int best = choose_lane(warp_prefix(static_cast<double>(mine)) > rest, mine > 0.0f);
  return {shfl(token, best), shfl(x, best)};
}

/// The lowest legal token of `chunk` whose logit is `top`.
template <class T>
SLM_DEVICE Pick find_in_chunk(const Row& r, int chunk, float top) {
  const int w = chunk * 32 + lane_id();
  const u32 word = clip_word(r, w, load_word(r, w));
  Words32<T> tokens;
  load_words(tokens, r, w, word);
  int found = 32;
#pragma unroll
  for (int i = 31; i >= 0; --i)
    if ((word >> i & 1u) && value(tokens, i) == top) found = i;
  const int chosen = first_bit(ballot(found < 32));
  return {(chunk * 32 + chosen) * 32 + shfl(found, chosen), top};
}

/// The first chunk that has the largest logit of the row.
template <class Record>
SLM_DEVICE int first_chunk(const volatile Record* slots, const Total& t) {
  int chunk = t.end;
  for (int c = t.end - 1; c >= t.first; --c)
    if (slots[c].top == t.top) chunk = c;
  return shfl(chunk, first_bit(ballot(chunk < t.end)));
}

/// The chunk in which the running sum passes `u`, and how far in, in units of its own weights.
struct Spot {
  int chunk;
  float top;
  double rest;
};
template <class Record>
SLM_DEVICE Spot find_chunk(const volatile Record* slots, const Total& t, float scale, double u) {
  const double target = u * t.sum;
  const int chosen = choose_lane(t.through > target, t.through > t.below);
  double run = shfl(t.below, chosen);
  const int first = shfl(t.first, chosen), end = shfl(t.end, chosen);
  Spot spot{first, 0.0f, 0.0};
  for (int c = first; c < end; ++c) {
    const float top = slots[c].top, f = factor(top, t.top, scale);
    const double mass = static_cast<double>(fabsf(slots[c].sum)) * f;
    if (!(mass > 0.0)) continue;
    spot = {c, top, (target - run) / f};
    run += mass;
    if (run > target) break;
  }
  return spot;
}

}  // namespace slm

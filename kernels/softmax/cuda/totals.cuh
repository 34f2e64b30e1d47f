// The chunk records of a row, brought together by one warp: the largest logit, the sum of weights,
// and the chunk in which a running sum passes a target. Sums over chunks are in double, in id
// order.
//
// This is the tail that every row waits for while one warp works alone, so a lane holds its records
// in registers, and its steps do not wait for each other where they need not.
#pragma once
#include "chunk.cuh"

namespace slm {

constexpr int kHeld =
    8;  // records a lane holds: rows of 262144 tokens; longer ones read them again

struct Total {
  float top;
  float scale;
  double sum;
  double below;  // sum over the chunks of the lanes below this one
  bool nan;
  int first, count;  // this lane's chunks
  Stat held[kHeld];
};

/// The weight of a chunk, relative to the largest logit of the row.
SLM_DEVICE double chunk_mass(const Stat& s, float top, float scale) {
  const float f = s.top == top ? 1.0f : exp2_fast((s.top - top) * scale);
  return static_cast<double>(stat_sum(s)) * static_cast<double>(f);
}

template <class Records>
SLM_DEVICE Total add_up(const Records& slots, int chunks, float scale) {
  Total t;
  const int per = (chunks + 31) >> 5;
  t.scale = scale;
  t.first = lane_id() * per;
  t.count = t.first + per <= chunks ? per : (t.first < chunks ? chunks - t.first : 0);
  float top = -infinity();
  u32 signs = 0;
#pragma unroll
  for (int i = 0; i < kHeld; ++i) {
    t.held[i] = {-infinity(), 0.0f};
    if (i < t.count) t.held[i] = slots[t.first + i].stat();
    top = fmaxf(top, t.held[i].top);
    signs |= float_bits(t.held[i].sum);
  }
  for (int i = kHeld; i < t.count; ++i) {
    const Stat s = slots[t.first + i].stat();
    top = fmaxf(top, s.top);
    signs |= float_bits(s.sum);
  }
  t.nan = ballot(signs >> 31) != 0;
  t.top = warp_max(top);
  double sum = 0.0;
#pragma unroll
  for (int i = 0; i < kHeld; ++i) sum += chunk_mass(t.held[i], t.top, scale);
  for (int i = kHeld; i < t.count; ++i) sum += chunk_mass(slots[t.first + i].stat(), t.top, scale);
  const double through = warp_prefix(sum);
  t.below = shfl_up(through, 1);
  if (lane_id() == 0) t.below = 0.0;
  t.sum = shfl(through, 31);
  return t;
}

/// The first lane where `yes` holds; if none, the last where `maybe` does: rounding ran past the
/// end.
SLM_DEVICE int choose_lane(bool yes, bool maybe) {
  const u32 hits = ballot(yes && maybe), able = ballot(maybe);
  return hits ? first_bit(hits) : last_bit(able);
}

/// The chunk in which the running sum passes a target, and how far in, in units of its own weights.
struct Spot {
  int chunk;
  Stat stat;
  double rest;
};

template <class Records>
SLM_DEVICE Spot find_chunk(const Records& slots, const Total& t, double u) {
  const double target = u * t.sum;
  double run = t.below, before = 0.0;
  int mine = -1;
  Stat stat{0.0f, 0.0f};
  bool passed = false;
  const auto step = [&](int i, const Stat& s) {
    const double mass = chunk_mass(s, t.top, t.scale);
    const bool take = mass > 0.0 && !passed;
    if (take) {
      mine = i;
      stat = s;
      before = run;
    }
    run += mass;
    passed |= take && run > target;
  };
#pragma unroll
  for (int i = 0; i < kHeld; ++i) step(i, t.held[i]);
  for (int i = kHeld; i < t.count; ++i) step(i, slots[t.first + i].stat());
  const int chosen = choose_lane(passed, mine >= 0);
  Spot spot;
  spot.chunk = shfl(t.first + mine, chosen);
  spot.stat.top = shfl(stat.top, chosen);
  spot.stat.sum = shfl(stat.sum, chosen);
  spot.rest = target - shfl(before, chosen);
  // Divided by the chunk's factor, which is not 0 where a chunk has mass.
  if (spot.stat.top != t.top)
    spot.rest *= static_cast<double>(exp2_fast((t.top - spot.stat.top) * t.scale));
  return spot;
}

/// The first chunk that has the largest logit of the row.
template <class Records>
SLM_DEVICE int first_chunk(const Records& slots, const Total& t) {
  int mine = -1;
  for (int i = t.count - 1; i >= kHeld; --i)
    if (slots[t.first + i].stat().top == t.top) mine = i;
#pragma unroll
  for (int i = kHeld - 1; i >= 0; --i)
    if (i < t.count && t.held[i].top == t.top) mine = i;
  return shfl(t.first + mine, first_bit(ballot(mine >= 0)));
}

/// log P(legal) from the totals of the legal tokens and of all, both at temperature 1; at most 0.
SLM_DEVICE float log_mass(const Total& legal, const Total& all) {
  if (legal.top == -infinity()) return -infinity();
  if (all.top == infinity()) {
    if (legal.top != infinity()) return -infinity();
    return fminf(static_cast<float>(legal.sum / all.sum) < 1.0f
                     ? logf(static_cast<float>(legal.sum / all.sum))
                     : 0.0f,
                 0.0f);
  }
  const float gap = static_cast<float>(static_cast<double>(legal.top) - all.top);
  return fminf(gap + logf(static_cast<float>(legal.sum)) - logf(static_cast<float>(all.sum)), 0.0f);
}

}  // namespace slm

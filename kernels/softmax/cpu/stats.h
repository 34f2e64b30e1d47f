// The sum of a row's weights, chunk by chunk.
#pragma once

#include <cmath>
#include <vector>

#include "softmax/cpu/legal.h"

namespace slm::softmax {

inline constexpr double kLog2E = 1.4426950408889634074, kLn2 = 0.69314718055994530942;

/// The scale under which `top`, the largest of some logits, gets a weight of about 1.
///
/// Temperatures are taken into [2^-100, 2^100]: outside, float32 logits are all alike or all apart.
/// A product of logit and factor above 2^20 would round to few bits of a fraction, so such logits
/// have `top` subtracted first; that is exact for all those within a factor of 2 of it, and the
/// others have no weight.
inline Scale make_scale(double temperature, float top) noexcept {
  double t = temperature < 0x1p-100 ? 0x1p-100 : temperature > 0x1p100 ? 0x1p100 : temperature;
  Scale scale{};
  scale.factor = kLog2E / t;
  scale.high = static_cast<float>(scale.factor);
  scale.low = static_cast<float>(scale.factor - scale.high);
  scale.offset = std::fabs(top * scale.factor) > 0x1p20 ? top : 0.0f;
  double base = std::nearbyint((static_cast<double>(top) - scale.offset) * scale.factor);
  scale.base = static_cast<std::int32_t>(base);
  scale.floor = static_cast<float>((base - 127) / scale.factor);
  return scale;
}

/// log2 of the weight of x under the scale, exactly (as far as doubles go).
inline double log2_weight(double x, const Scale& scale) noexcept {
  return (x - scale.offset) * scale.factor - scale.base;
}

/// log2 of how much more a weight of `part` is worth than one of `whole`, of the same temperature.
inline double log2_worth(const Scale& part, const Scale& whole) noexcept {
  return (static_cast<double>(part.offset) - whole.offset) * whole.factor +
         (static_cast<double>(part.base) - whole.base);
}

struct ChunkStats {
  float max = kNone;
  double worth = 0;  ///< its weights times this are weights under the row's scale
  double sum = 0;    ///< under the row's scale
  Scale scale{};
};

/// Maxima and sums of the legal tokens, at one temperature.
///
/// `sum` adds chunks up in their order, in doubles. A chunk whose best token has less than 2^-80 of
/// the best weight counts as 0: less than the 64 bits of a draw can tell. Where one token has
/// nearly everything, its log-probability is what the others have: `exact` keeps that apart from
/// the error of its weight, and the log-probability of a lone token is 0.
struct Stats {
  float max = kNone;  ///< -inf: no token at all, or none above -inf
  bool nan = false;
  Scale scale{};  ///< of `max`
  double sum = 0;
  double exact = 0;  ///< the sum with the best token's weight free of error
  std::vector<ChunkStats> chunks;
  std::vector<float> lanes;  ///< kLanes maxima of each chunk

  /// What `take` gets for each chunk that has a token above -inf; it returns the sum of the
  /// weights.
  template <class Take>
  void measure(Legal& legal, const Passes& passes, double temperature, Take take);

  void measure(Legal& legal, const Passes& passes, double temperature) {
    measure(legal, passes, temperature, [&](std::size_t, Legal::Chunk chunk, const Scale& by) {
      return passes.sum(chunk.x, chunk.n, by);
    });
  }

  bool empty() const noexcept { return max == kNone; }
  /// log2 of the sum of 2^(x log2(e) / T), less the scale's offset and base.
  double log2_sum() const noexcept { return std::log2(exact); }
  /// The natural logarithm of the sum of exp(x / T).
  double lse() const noexcept {
    return (scale.offset * scale.factor + scale.base + log2_sum()) * kLn2;
  }
  /// The natural log-probability of a token with logit x.
  double logprob(double x) const noexcept {
    double log2 = log2_weight(x, scale) - log2_sum();
    return log2 < 0 ? log2 * kLn2 : 0;
  }
};

template <class Take>
void Stats::measure(Legal& legal, const Passes& passes, double temperature, Take take) {
  const std::size_t count = legal.chunks();
  chunks.assign(count, {});
  lanes.resize(count * kLanes);
  max = kNone;
  nan = false;
  sum = 0;
  for (std::size_t c = 0; c < count; ++c) {
    ChunkStats& here = chunks[c];
    Legal::Chunk chunk = legal.load(c);
    float* maxima = lanes.data() + c * kLanes;
    if (chunk.n == 0) {
      for (std::size_t i = 0; i < kLanes; ++i) maxima[i] = kNone;
      continue;
    }
    here.max = passes.max(chunk.x, chunk.n, maxima, nan);
    if (here.max == std::numeric_limits<float>::infinity()) {
      legal.only_infinite();
      bool seen = nan;
      measure(legal, passes, temperature, take);
      nan |= seen;
      return;
    }
    if (here.max == kNone) continue;
    here.scale = make_scale(temperature, here.max);
    if (here.max > max) {
      max = here.max;
      scale = here.scale;
    }
    here.sum = take(c, chunk, here.scale);
  }
  for (ChunkStats& here : chunks) {
    if (here.max == kNone) continue;
    double log2 = log2_worth(here.scale, scale);
    here.worth = std::exp2(log2);
    here.sum = log2 > -80 ? here.sum * here.worth : 0;
    sum += here.sum;
  }
  if (max == kNone) return;
  float best[kLanes], weight[kLanes];
  for (float& x : best) x = kNone;
  best[0] = max;
  exact = sum - passes.weights(best, kLanes, scale, weight) + std::exp2(log2_weight(max, scale));
}

}  // namespace slm::softmax

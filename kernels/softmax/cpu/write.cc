// Kernels whose result is a row: softmax, the gradient of the cross-entropy, masking.
#include <algorithm>
#include <bit>
#include <cstring>
#include <limits>

#include "softmax/cpu/rows.h"

namespace slm::softmax {
namespace {

constexpr double kInf = std::numeric_limits<double>::infinity();

char* at(void* row, Dtype dtype, std::size_t place) {
  return static_cast<char*>(row) + place * bytes_of(dtype);
}

void fill(void* row, Dtype dtype, std::size_t first, std::size_t end, float value) {
  if (first >= end) return;
  if (dtype == Dtype::f32) {
    std::fill_n(static_cast<float*>(row) + first, end - first, value);
  } else {
    std::uint16_t none = dtype == Dtype::bf16 ? 0xFF80 : 0xFC00;
    std::fill_n(static_cast<std::uint16_t*>(row) + first, end - first,
                value == 0 ? std::uint16_t{0} : none);
  }
}

bool overlap(const void* a, const void* b, std::size_t bytes) {
  auto x = reinterpret_cast<std::uintptr_t>(a), y = reinterpret_cast<std::uintptr_t>(b);
  return x < y + bytes && y < x + bytes;
}

/// Writes floats of a list's chunk to their ids.
void scatter(const Passes& passes, const Legal& legal, std::size_t chunk, const float* values,
             Dtype dtype, void* out) {
  const std::size_t n = legal.size(chunk);
  auto ids = legal.ids().subspan(chunk * kChunk, n);
  if (dtype == Dtype::f32) {
    for (std::size_t i = 0; i < n; ++i) static_cast<float*>(out)[ids[i]] = values[i];
    return;
  }
  std::uint16_t halves[kChunk];
  write_floats(passes, values, n, dtype, halves);
  for (std::size_t i = 0; i < n; ++i) static_cast<std::uint16_t*>(out)[ids[i]] = halves[i];
}

/// `values(c, n)` are the n floats of each chunk that has a token above -inf.
template <class F>
void write_chunks(const Passes& passes, const Workspace& space, Dtype dtype, void* out,
                  float nothing, F values) {
  const Legal& legal = space.legal;
  for (std::size_t c = 0; c < legal.chunks(); ++c) {
    const std::size_t first = c * kChunk, count = legal.size(c);
    const bool any = space.stats.chunks[c].max != kNone;
    if (legal.listed()) {
      if (any) scatter(passes, legal, c, values(c, padded(count)), dtype, out);
    } else if (any) {
      write_floats(passes, values(c, padded(count)), count, dtype, at(out, dtype, first));
    } else {
      fill(out, dtype, first, first + count, nothing);
    }
  }
}

}  // namespace

std::uint8_t softmax_row(const Passes& passes, Workspace& space, const Row& row, std::size_t width,
                         double temperature, bool log, Dtype dtype, void* out) {
  const float nothing = log ? kNone : 0.0f;
  if (!(temperature > 0)) {  // the limit: all on the first of the most likely tokens
    Draw greedy;
    greedy.temperature = 0;
    Drawn drawn = sample_row(passes, space, row, greedy);
    fill(out, dtype, 0, width, nothing);
    if (drawn.token < 0) return drawn.status;
    const float one = log ? 0.0f : 1.0f;
    auto token = static_cast<std::size_t>(drawn.token);
    write_floats(passes, &one, 1, dtype, at(out, dtype, token));
    return drawn.status;
  }
  Legal& legal = space.legal;
  Stats& stats = space.stats;
  legal.gather(passes, row, false);
  // Weights go where the probabilities will be, if they fit there and the logits are not there.
  const bool direct = !log && !legal.listed() && dtype == Dtype::f32 &&
                      !overlap(out, row.logits, width * sizeof(float));
  float* kept = static_cast<float*>(out);
  if (!log && !direct) {
    space.row.resize(legal.chunks() * kChunk);
    kept = space.row.data();
  }
  space.weights.resize(kChunk);
  if (log) {
    stats.measure(legal, passes, temperature);
  } else {
    stats.measure(legal, passes, temperature,
                  [&](std::size_t c, Legal::Chunk chunk, const Scale& scale) {
                    const std::size_t first = c * kChunk;
                    if (!direct || first + chunk.n <= row.limit) {
                      return passes.weights(chunk.x, chunk.n, scale, kept + first);
                    }
                    double sum = passes.weights(chunk.x, chunk.n, scale, space.weights.data());
                    std::copy_n(space.weights.data(), row.limit - first, kept + first);
                    return sum;
                  });
  }
  std::uint8_t status = stats.nan ? kNan : 0;
  if (legal.infinite()) status |= kInfinite;
  if (stats.empty()) {
    fill(out, dtype, 0, width, nothing);
    return status | kEmpty;
  }
  if (legal.listed()) fill(out, dtype, 0, width, nothing);
  if (log) {
    const double lse = stats.lse(), by = stats.scale.factor * kLn2;
    const bool far = stats.scale.offset != 0;  // x * by would lose what is left of the difference
    write_chunks(passes, space, dtype, out, nothing, [&](std::size_t c, std::size_t n) {
      const float* x = legal.load(c).x;
      float* to = space.weights.data();
      if (dtype == Dtype::f32 && !legal.listed() && c * kChunk + n <= row.limit) {
        to = static_cast<float*>(out) + c * kChunk;
      }
      if (!far) {
        passes.logs(x, n, by, lse, to);
      } else {
        for (std::size_t i = 0; i < n; ++i) {
          to[i] = x[i] > kNone ? static_cast<float>(stats.logprob(x[i])) : kNone;
        }
      }
      return static_cast<const float*>(to);
    });
  } else {
    // Only whole lanes are multiplied: the last ones go through a buffer where the row ends in
    // them.
    write_chunks(passes, space, dtype, out, nothing, [&](std::size_t c, std::size_t n) {
      const std::size_t first = c * kChunk;
      const bool fits = !direct || first + n <= row.limit;
      const auto by = static_cast<float>(stats.chunks[c].worth / stats.sum);
      float* to = direct && fits ? kept + first : space.weights.data();
      if (!fits) {
        std::copy_n(kept + first, row.limit - first, to);
        std::fill(to + (row.limit - first), to + n, 0.0f);
      }
      passes.multiply(fits ? kept + first : to, n, by, 1, to);
      return static_cast<const float*>(to);
    });
  }
  if (!legal.listed()) fill(out, dtype, row.limit, width, nothing);
  return status;
}

Loss cross_entropy_row(const Passes& passes, Workspace& space, const Row& row, std::size_t width,
                       std::int64_t target, double weight, double legality_weight, void* gradient) {
  Legal &legal = space.legal, &others = space.others;
  legal.gather(passes, row, false);
  space.stats.measure(legal, passes, 1);
  Stats &stats = space.stats, &rest = space.rest;
  const bool masked = row.mask != nullptr;
  if (masked) {
    others.gather(passes, row, true);
    rest.measure(others, passes, 1);
  }
  Loss out{kInf, -kInf, 0};
  if (stats.nan) out.status |= kNan;
  if (stats.empty()) out.status |= kEmpty;
  if (legal.infinite()) out.status |= kInfinite;
  if (!stats.empty()) {
    out.log_mass = masked ? log_share(stats, legal.infinite(), rest, others.infinite()) : 0;
  }
  const auto place = static_cast<std::size_t>(target);
  const bool inside = target >= 0 && place < row.limit;
  double logprob = -kInf;
  if (inside && !stats.empty() && (!masked || (row.mask[place / 32] >> (place % 32) & 1) != 0)) {
    float x = read_float(row, place);
    if (legal.infinite()) x = x == std::numeric_limits<float>::infinity() ? 0.0f : kNone;
    if (x > kNone) logprob = stats.logprob(x);
  }
  if (logprob == -kInf) out.status |= kIllegal;
  if (weight == 0) {
    out.loss = 0;
  } else if (logprob != -kInf) {
    out.loss = weight * (-logprob + (legality_weight != 0 ? -legality_weight * out.log_mass : 0));
  }
  if (gradient == nullptr) return out;
  if (weight == 0 || !(out.loss < kInf)) {  // nothing to descend along
    fill(gradient, row.dtype, 0, width, 0);
    return out;
  }
  // Of a legal logit: weight * ((1 - l + l P) p_legal - target); of another: weight * l * p_all.
  const double mass = std::exp(out.log_mass);
  const auto inner =
      static_cast<float>(weight * (1 - legality_weight + legality_weight * mass) / stats.sum);
  const bool pulls = masked && legality_weight != 0 && !rest.empty() && mass < 1;
  const auto outer =
      pulls ? static_cast<float>(weight * legality_weight * -std::expm1(out.log_mass) / rest.sum)
            : 0;
  std::vector<float>& full = space.row;
  full.assign((width + kChunk - 1) / kChunk * kChunk, 0.0f);
  space.weights.resize(kChunk);
  auto spread = [&](Legal& tokens, const Stats& sums, float by) {
    for (std::size_t c = 0; c < tokens.chunks(); ++c) {
      if (sums.chunks[c].max == kNone) continue;
      Legal::Chunk chunk = tokens.load(c);
      passes.weights(chunk.x, chunk.n, sums.scale, space.weights.data());
      passes.multiply(space.weights.data(), chunk.n, by, std::numeric_limits<float>::infinity(),
                      space.weights.data());
      if (tokens.listed()) {
        const std::size_t n = tokens.size(c);
        for (std::size_t i = 0; i < n; ++i) full[tokens.ids()[c * kChunk + i]] = space.weights[i];
      } else {
        float* to = full.data() + c * kChunk;
        for (std::size_t i = 0; i < chunk.n; ++i) to[i] += space.weights[i];
      }
    }
  };
  spread(legal, stats, inner);
  if (pulls) spread(others, rest, outer);
  // p - 1 cancels where p is near 1: the target's entry is made of what is left to the others.
  const double missing = -std::expm1(logprob);
  full[place] =
      static_cast<float>(weight * (-missing - legality_weight * (1 - mass) * std::exp(logprob)));
  write_floats(passes, full.data(), width, row.dtype, gradient);
  return out;
}

void apply_row(const Passes& passes, const Row& row, std::size_t width, void* logits) {
  const float none = kNone;
  for (std::size_t first = 0; row.mask != nullptr && first < row.limit; first += 32) {
    std::uint32_t bits = row.mask[first / 32];
    if (bits == ~0u) continue;
    const std::size_t count = std::min<std::size_t>(32, row.limit - first);
    if (bits == 0) {
      fill(logits, row.dtype, first, first + count, none);
    } else if (row.dtype == Dtype::f32 && count == 32) {
      float* to = static_cast<float*>(logits) + first;
      passes.keep(to, &bits, 32, to);
    } else {
      for (std::size_t i = 0; i < count; ++i) {
        if ((bits >> i & 1) == 0) fill(logits, row.dtype, first + i, first + i + 1, none);
      }
    }
  }
  fill(logits, row.dtype, row.limit, width, none);
}

}  // namespace slm::softmax

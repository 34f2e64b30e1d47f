#include "softmax/cpu/filters.h"

#include <algorithm>
#include <bit>
#include <cfloat>
#include <functional>

namespace slm::softmax {
namespace {

bool limits_mass(const Draw& draw) noexcept { return draw.top_p > 0 && draw.top_p < 1; }
bool limits_weight(const Draw& draw) noexcept { return draw.min_p > 0 && draw.min_p <= 1; }

std::uint64_t key_of(float x, std::uint32_t place) noexcept {
  auto bits = std::bit_cast<std::uint32_t>(x + 0.0f);  // -0 and 0 are equal
  std::uint32_t rising = (bits >> 31) != 0 ? ~bits : bits | 0x80000000u;
  return std::uint64_t{~rising} << 32 | place;
}

/// The smallest float that is not below the number.
float float_above(double number) noexcept {
  if (!(number > -FLT_MAX)) return -FLT_MAX;
  if (number > FLT_MAX) return FLT_MAX;
  auto near = static_cast<float>(number);
  return near < number ? std::nextafterf(near, FLT_MAX) : near;
}

/// All legal tokens of at least this logit, with their weights; their sum.
double collect(const Passes& passes, Workspace& space, float least, std::vector<Candidate>& out) {
  double sum = 0;
  out.clear();
  space.places.resize(kChunk);
  std::vector<float>& x = space.x;
  x.resize(kChunk);
  space.weights.resize(kChunk);
  for (std::size_t c = 0; c < space.legal.chunks(); ++c) {
    if (space.stats.chunks[c].max < least) continue;
    Legal::Chunk chunk = space.legal.load(c);
    std::size_t count = passes.above(chunk.x, chunk.n, least, space.places.data());
    const std::size_t n = padded(count);
    for (std::size_t i = 0; i < count; ++i) x[i] = chunk.x[space.places[i]];
    std::fill(x.begin() + static_cast<std::ptrdiff_t>(count),
              x.begin() + static_cast<std::ptrdiff_t>(n), kNone);
    sum += passes.weights(x.data(), n, space.stats.scale, space.weights.data());
    for (std::size_t i = 0; i < count; ++i) {
      auto place = static_cast<std::uint32_t>(c * kChunk) + space.places[i];
      out.push_back({key_of(x[i], place), space.weights[i]});
    }
  }
  return sum;
}

/// A logit that at least `count` tokens reach: lanes have no tokens in common.
float reached_by(const std::vector<float>& lanes, std::size_t count, std::vector<float>& scratch) {
  if (count > lanes.size()) return -FLT_MAX;
  scratch = lanes;
  auto at = scratch.begin() + static_cast<std::ptrdiff_t>(count - 1);
  std::nth_element(scratch.begin(), at, scratch.end(), std::greater<>());
  return std::max(*at, -FLT_MAX);
}

/// Leaves the shortest beginning that weighs at least `wanted`: quickselect by weight.
void keep_mass(std::vector<Candidate>& tokens, double wanted) {
  std::size_t low = 0, high = tokens.size();
  double before = 0;  // what tokens[0, low) weigh, all of which stay
  auto at = [&](std::size_t i) { return tokens.begin() + static_cast<std::ptrdiff_t>(i); };
  while (high - low > 64) {
    std::size_t middle = (low + high) / 2;
    std::nth_element(at(low), at(middle), at(high));
    double part = 0;
    for (std::size_t i = low; i < middle; ++i) part += tokens[i].weight;
    if (before + part < wanted) {
      before += part;
      low = middle;
    } else {
      high = middle;
    }
  }
  std::sort(at(low), at(high));
  while (low < high && (low == 0 || before < wanted)) before += tokens[low++].weight;
  tokens.resize(low);
}

}  // namespace

bool has_filters(const Draw& draw) noexcept {
  return draw.top_k > 0 || limits_mass(draw) || limits_weight(draw);
}

std::vector<Candidate> filter(const Passes& passes, Workspace& space, const Draw& draw) {
  const Stats& stats = space.stats;
  const double unit = kLog2E / stats.scale.factor;  // the temperature, as the scale takes it
  const float weighty =
      limits_weight(draw)
          ? std::min(stats.max, float_above(stats.max + unit * std::log(draw.min_p)))
          : -FLT_MAX;
  const auto wanted = static_cast<std::size_t>(std::max<std::int64_t>(draw.top_k, 0));
  std::vector<Candidate> tokens;
  double sum = 0;
  if (wanted > 0) {
    sum = collect(passes, space, reached_by(stats.lanes, wanted, space.x), tokens);
    if (tokens.size() > wanted) {
      std::nth_element(tokens.begin(), tokens.begin() + static_cast<std::ptrdiff_t>(wanted),
                       tokens.end());
      tokens.resize(wanted);
      sum = 0;
      for (const Candidate& token : tokens) sum += token.weight;
    }
    if (limits_mass(draw)) keep_mass(tokens, draw.top_p * sum);
  } else if (limits_mass(draw)) {
    const double enough = draw.top_p * stats.sum;
    // What top-p keeps is mostly near the best token; looking further costs another pass.
    for (double gap : {3.0, 6.0, 9.0, 12.0, 16.0, 1e300}) {
      float least = float_above(stats.max - gap * unit);
      sum = collect(passes, space, std::max(least, weighty), tokens);
      if (sum >= enough || least <= weighty) break;
    }
    keep_mass(tokens, enough);
  } else {
    collect(passes, space, weighty, tokens);
  }
  if (limits_weight(draw)) {
    const std::uint64_t last = key_of(weighty, 0xFFFFFFFFu);
    std::erase_if(tokens, [&](const Candidate& token) { return token.key > last; });
  }
  std::sort(tokens.begin(), tokens.end(),
            [](const Candidate& a, const Candidate& b) { return a.place() < b.place(); });
  return tokens;
}

}  // namespace slm::softmax

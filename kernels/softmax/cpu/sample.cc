// Drawing a token.
#include <algorithm>
#include <cmath>
#include <limits>

#include "softmax/cpu/filters.h"
#include "softmax/cpu/philox.h"
#include "softmax/cpu/rows.h"

namespace slm::softmax {
namespace {

constexpr double kInf = std::numeric_limits<double>::infinity();

struct Place {
  std::size_t chunk, at;
};

/// The first of the most likely tokens.
Place likeliest(Legal& legal, const Stats& stats) {
  std::size_t c = 0;
  while (stats.chunks[c].max != stats.max) ++c;
  Legal::Chunk chunk = legal.load(c);
  return {c, static_cast<std::size_t>(std::find(chunk.x, chunk.x + chunk.n, stats.max) - chunk.x)};
}

/// The first token whose weight, with those before it, exceeds u times the whole.
Place by_inverse(const Passes& passes, Workspace& space, double u) {
  const Stats& stats = space.stats;
  const double wanted = u * stats.sum;
  double before = 0;
  std::size_t c = 0, last = 0;
  for (; c < stats.chunks.size(); ++c) {
    if (stats.chunks[c].sum == 0) continue;
    last = c;
    if (before + stats.chunks[c].sum > wanted) break;
    before += stats.chunks[c].sum;
  }
  // Rounding can run past the end of everything, or of a chunk: the last token with a weight then.
  space.weights.resize(kChunk);
  Legal::Chunk chunk = space.legal.load(last);
  const ChunkStats& here = stats.chunks[last];
  passes.weights(chunk.x, chunk.n, here.scale, space.weights.data());
  Place found{last, 0};
  for (std::size_t i = 0; i < chunk.n; ++i) {
    if (space.weights[i] == 0) continue;
    found.at = i;
    before += space.weights[i] * here.worth;
    if (before > wanted) break;
  }
  return found;
}

/// What a token adds to its logit over the temperature, from its random word.
double gumbel(std::uint32_t word) noexcept {
  return -std::log(-std::log1p(-(word + 0.5) * 0x1p-32));
}

std::uint32_t word_of(const Draw& draw, std::int64_t token) noexcept {
  std::uint32_t words[4];
  philox(draw.seed, draw.position, static_cast<std::uint32_t>(token >> 2), kGumbelStream, words);
  return words[token & 3];
}

/// The best of logit over temperature and noise; both parts of the sum are kept apart, so that huge
/// logits do not swallow the noise.
struct Best {
  double log2 = -kInf;  ///< of the weight under the row's scale
  double noise = 0;
  std::int64_t token = -1;
  Place place{};

  double score() const noexcept { return log2 * kLn2 + noise; }
  void offer(double log2_weight, double its_noise, std::int64_t its_token, Place its_place) {
    double its_score = log2_weight * kLn2 + its_noise;
    if (token >= 0 && !(its_score > score() || (its_score == score() && its_token < token))) return;
    *this = {log2_weight, its_noise, its_token, its_place};
  }
};

/// argmax of logit over temperature and noise.
///
/// -log(1 - u) > u, so a token's noise is below -log(u), and only one with u < exp(v - best) can
/// beat the best so far: weights say which, and few logarithms are taken.
Place by_gumbel(const Passes& passes, Workspace& space, const Draw& draw) {
  const Stats& stats = space.stats;
  Legal& legal = space.legal;
  std::vector<std::uint32_t>& words = space.places;
  words.resize(kChunk);
  space.weights.resize(kChunk);
  Best best;
  Place first = likeliest(legal, stats);
  std::int64_t id = legal.token(first.chunk, first.at);
  best.offer(log2_weight(stats.max, stats.scale), gumbel(word_of(draw, id)), id, first);
  for (std::size_t c = 0; c < stats.chunks.size(); ++c) {
    const ChunkStats& here = stats.chunks[c];
    if (here.max == kNone) continue;
    const double most = (log2_weight(here.max, stats.scale)) * kLn2 + 23;  // no noise is more
    if (most < best.score()) continue;
    Legal::Chunk chunk = legal.load(c);
    passes.weights(chunk.x, chunk.n, here.scale, space.weights.data());
    if (legal.listed()) {
      for (std::size_t i = 0; i < legal.size(c); ++i) {
        words[i] = word_of(draw, legal.token(c, i));
      }
    } else {
      passes.noise(draw.seed, draw.position, static_cast<std::uint32_t>(c * kChunk), chunk.n,
                   words.data());
    }
    const double worth = log2_worth(here.scale, stats.scale) * kLn2;
    auto bar = [&] { return std::exp(worth - best.score()) * (1 + 1e-5) * 0x1p32; };
    double limit = bar();
    for (std::size_t i = 0; i < chunk.n; ++i) {
      if (!(words[i] <= space.weights[i] * limit) || !(chunk.x[i] > kNone)) continue;
      best.offer(log2_weight(chunk.x[i], stats.scale), gumbel(words[i]), legal.token(c, i), {c, i});
      limit = bar();
    }
  }
  return best.place;
}

Place among(const std::vector<Candidate>& tokens, Workspace& space, const Draw& draw, double u) {
  auto place = [](const Candidate& token) {
    return Place{token.place() / kChunk, token.place() % kChunk};
  };
  if (draw.gumbel) {
    Best best;
    for (const Candidate& token : tokens) {
      Place at = place(token);
      std::int64_t id = space.legal.token(at.chunk, at.at);
      double log2 = log2_weight(space.legal.load(at.chunk).x[at.at], space.stats.scale);
      best.offer(log2, gumbel(word_of(draw, id)), id, at);
    }
    return best.place;
  }
  double sum = 0;
  for (const Candidate& token : tokens) sum += token.weight;
  double before = 0;
  Place found = place(tokens[0]);
  for (const Candidate& token : tokens) {
    if (token.weight == 0) continue;
    found = place(token);
    before += token.weight;
    if (before > u * sum) break;
  }
  return found;
}

}  // namespace

double uniform(std::uint64_t seed, std::uint64_t position) noexcept {
  std::uint32_t words[4];
  philox(seed, position, 0, kInverseStream, words);
  auto both = std::uint64_t{words[0]} << 32 | words[1];
  double u = (static_cast<double>(both) + 0.5) * 0x1p-64;
  return std::min(u, 1 - 0x1p-53);
}

double log_share(const Stats& legal, bool infinite, const Stats& others, bool others_infinite) {
  if (others.empty()) return 0;
  if (infinite != others_infinite) return infinite ? 0 : -kInf;
  double odds =
      (log2_worth(others.scale, legal.scale) + others.log2_sum() - legal.log2_sum()) * kLn2;
  return odds < 700 ? -std::log1p(std::exp(odds)) : -odds;
}

namespace {

/// log P(legal) at temperature 1, given the legal tokens' sum at temperature 1.
double mass_of(const Passes& passes, Workspace& space, const Row& row, const Stats& legal) {
  if (row.mask == nullptr) return 0;
  space.others.gather(passes, row, true);
  space.rest.measure(space.others, passes, 1);
  return log_share(legal, space.legal.infinite(), space.rest, space.others.infinite());
}

}  // namespace

Drawn sample_row(const Passes& passes, Workspace& space, const Row& row, const Draw& draw) {
  Drawn out{-1, -kInf, -kInf, -kInf, -kInf, 0};
  const bool greedy = !(draw.temperature > 0);
  const double temperature = greedy ? 1 : draw.temperature;
  Legal& legal = space.legal;
  Stats& stats = space.stats;
  legal.gather(passes, row, false);
  stats.measure(legal, passes, temperature);
  if (stats.nan) out.status |= kNan;
  if (stats.empty()) {
    out.status |= kEmpty;
    return out;
  }
  if (legal.infinite()) out.status |= kInfinite;
  Place picked;
  const double u =
      draw.uniform.value_or(draw.gumbel || greedy ? 0 : uniform(draw.seed, draw.position));
  if (greedy) {
    picked = likeliest(legal, stats);
  } else if (has_filters(draw)) {
    picked = among(filter(passes, space, draw), space, draw, u);
  } else {
    picked = draw.gumbel ? by_gumbel(passes, space, draw) : by_inverse(passes, space, u);
  }
  const float x = legal.load(picked.chunk).x[picked.at];
  out.token = legal.token(picked.chunk, picked.at);
  out.logprob = stats.logprob(x);
  out.lse = legal.infinite() ? kInf : stats.lse();
  if (!draw.mass) return out;
  Stats* at_one = &stats;
  if (temperature != 1) {
    at_one = &space.plain;
    at_one->measure(legal, passes, 1);
  }
  out.log_mass = mass_of(passes, space, row, *at_one);
  out.model_logprob = at_one->logprob(x) + out.log_mass;
  return out;
}

Drawn likelihood(const Passes& passes, Workspace& space, const Row& row, std::int64_t token) {
  Drawn out{token, -kInf, -kInf, -kInf, -kInf, 0};
  Legal& legal = space.legal;
  legal.gather(passes, row, false);
  space.stats.measure(legal, passes, 1);
  if (space.stats.empty()) {
    out.status |= kEmpty;
    return out;
  }
  float x = read_float(row, static_cast<std::size_t>(token));
  if (legal.infinite()) x = x == std::numeric_limits<float>::infinity() ? 0.0f : kNone;
  out.log_mass = mass_of(passes, space, row, space.stats);
  out.logprob = x == x ? space.stats.logprob(x) : -kInf;
  out.lse = legal.infinite() ? kInf : space.stats.lse();
  out.model_logprob = out.logprob + out.log_mass;
  return out;
}

}  // namespace slm::softmax

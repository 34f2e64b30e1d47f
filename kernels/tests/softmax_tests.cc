// Tests of the softmax kernels of CPUs: every instruction set against plain arithmetic in doubles.
//
// Rows lie in memory of exactly their size, so that AddressSanitizer sees whatever reads past them.
#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <memory>
#include <random>
#include <thread>
#include <vector>

#include "softmax/cpu/filters.h"
#include "softmax/cpu/philox.h"
#include "softmax/cpu/rows.h"
#include "tests/check.h"

namespace {

using namespace slm::softmax;

constexpr double kInf = std::numeric_limits<double>::infinity();

std::vector<const Passes*> tables() {
  std::vector<const Passes*> found;
  for (const char* name : {"avx512", "avx2", "neon", "plain"}) {
    if (const Passes* passes = passes_by_name(name)) found.push_back(passes);
  }
  return found;
}

/// A random row and its mask, on the heap; `bits` says which tokens are legal.
struct Case {
  std::unique_ptr<float[]> logits;
  std::unique_ptr<std::uint32_t[]> mask;
  std::vector<bool> bits;
  Row row{};

  Case(std::mt19937& random, std::size_t limit, double density, double spread) {
    std::normal_distribution<float> normal(0, static_cast<float>(spread));
    std::bernoulli_distribution legal(density);
    const std::size_t words = (limit + 31) / 32;
    logits.reset(new float[limit]);
    mask.reset(new std::uint32_t[words]);
    for (std::size_t i = 0; i < limit; ++i) logits[i] = normal(random);
    // Bits past the limit are set: they mean nothing.
    for (std::size_t w = 0; w < words; ++w) mask[w] = ~0u;
    for (std::size_t i = 0; i < limit; ++i) {
      bits.push_back(legal(random));
      if (!bits[i]) mask[i / 32] &= ~(1u << i % 32);
    }
    row = {logits.get(), Dtype::f32, mask.get(), limit};
  }

  double sum(double temperature, bool all) const {
    double total = 0;
    for (std::size_t i = 0; i < bits.size(); ++i) {
      if (all || bits[i]) total += std::exp(static_cast<double>(logits[i]) / temperature);
    }
    return total;
  }
};

bool near(double a, double b, double relative) {
  return a == b || std::fabs(a - b) <= relative * std::max(std::fabs(a), std::fabs(b));
}

/// The generator's first words, from its authors' file of known answers.
void test_philox_is_philox() {
  std::uint32_t out[4];
  philox(0, 0, 0, 0, out);
  CHECK(out[0] == 0x6627e8d5 && out[1] == 0xe169c58d && out[2] == 0xbc57ac4c &&
        out[3] == 0x9b00dbd8);
  for (const Passes* passes : tables()) {
    std::vector<std::uint32_t> words(kLanes * 2);
    passes->noise(0x1234567890ABCDEF, 77, 4096, words.size(), words.data());
    for (std::uint32_t i = 0; i < words.size(); ++i) {
      philox(0x1234567890ABCDEF, 77, (4096 + i) / 4, kGumbelStream, out);
      CHECK(words[i] == out[i % 4]);
    }
  }
}

/// Weights have a relative error below 2e-7 all the way down to 2^-126, at any temperature.
void test_weights_are_exact_enough() {
  std::mt19937 random(1);
  for (const Passes* passes : tables()) {
    for (double temperature : {1.0, 0.3, 1e-6, 1e-25, 7.0, 1e25}) {
      for (float top : {0.0f, 3.5f, -80.25f, 1e4f, 3e38f, -1e-30f}) {
        const Scale scale = make_scale(temperature, top);
        alignas(64) float x[kChunk], weights[kChunk];
        for (float& one : x) {
          double below = std::uniform_real_distribution<>(0, 140)(random) / scale.factor;
          one = std::min(top, static_cast<float>(top - below));
        }
        x[0] = top;
        x[1] = -std::numeric_limits<float>::infinity();
        x[2] = std::numeric_limits<float>::quiet_NaN();
        passes->weights(x, kChunk, scale, weights);
        CHECK(weights[1] == 0 && weights[2] == 0);
        for (std::size_t i = 0; i < kChunk; ++i) {
          if (i == 1 || i == 2) continue;
          double exact = std::exp2(log2_weight(x[i], scale));
          CHECK(exact < 0x1p-125 ? weights[i] <= 0x1p-124 : near(weights[i], exact, 2e-7));
        }
      }
    }
  }
}

/// 16-bit floats: every value of the two types reads as itself, and writes back; ties go to even.
void test_halves() {
  for (const Passes* passes : tables()) {
    for (std::uint32_t first = 0; first < 0x10000; first += kLanes) {
      std::uint16_t in[kLanes], out[kLanes];
      float floats[kLanes];
      for (std::uint32_t i = 0; i < kLanes; ++i) in[i] = static_cast<std::uint16_t>(first + i);
      passes->from_bf16(in, kLanes, floats);
      passes->to_bf16(floats, kLanes, out);
      for (std::size_t i = 0; i < kLanes; ++i) CHECK(in[i] == out[i] || std::isnan(floats[i]));
      passes->from_f16(in, kLanes, floats);
      passes->to_f16(floats, kLanes, out);
      for (std::size_t i = 0; i < kLanes; ++i) CHECK(in[i] == out[i] || std::isnan(floats[i]));
    }
    float ties[kLanes] = {2049, 2051, 65519, 65520, 0x1p-25f, 0x1.8p-24f, -0x1.000002p-25f};
    std::uint16_t out[kLanes];
    passes->to_f16(ties, kLanes, out);
    CHECK(out[0] == 0x6800 && out[1] == 0x6802 && out[2] == 0x7BFF && out[3] == 0x7C00);
    CHECK(out[4] == 0 && out[5] == 2 && out[6] == 0x8001);
  }
}

/// Sums, masses and softmax are those of doubles, for any width, density and temperature.
void test_rows_are_those_of_doubles() {
  std::mt19937 random(2);
  for (const Passes* passes : tables()) {
    Workspace space;
    for (std::size_t limit : {1, 31, 32, 33, 1000, 1025, 20000}) {
      for (double density : {0.02, 0.5, 1.0}) {
        for (double temperature : {1.0, 0.37}) {
          Case one(random, limit, density, 4);
          if (one.sum(temperature, false) == 0) continue;
          Draw draw;
          draw.temperature = temperature;
          draw.seed = random();
          draw.mass = true;
          Drawn drawn = sample_row(*passes, space, one.row, draw);
          CHECK(drawn.status == 0 && one.bits[static_cast<std::size_t>(drawn.token)]);
          const double total = one.sum(temperature, false);
          CHECK(near(drawn.lse, std::log(total), 1e-6) || std::fabs(drawn.lse) < 1e-2);
          CHECK(std::fabs(drawn.log_mass - std::log(one.sum(1, false) / one.sum(1, true))) < 1e-6);
          std::unique_ptr<float[]> out(new float[limit]);
          softmax_row(*passes, space, one.row, limit, temperature, false, Dtype::f32, out.get());
          double sum = 0;
          for (std::size_t i = 0; i < limit; ++i) {
            double exact = one.bits[i] ? std::exp(one.logits[i] / temperature) / total : 0;
            CHECK(near(out[i], exact, 1e-6));
            sum += out[i];
          }
          CHECK(std::fabs(sum - 1) < 1e-5);
          softmax_row(*passes, space, one.row, limit, temperature, true, Dtype::f32, out.get());
          double lse = std::log(total);
          for (std::size_t i = 0; i < limit; ++i) {
            double exact = one.bits[i] ? one.logits[i] / temperature - lse : -kInf;
            CHECK(out[i] == exact || std::fabs(out[i] - exact) < 1e-6 * std::max(1.0, -exact));
          }
        }
      }
    }
  }
}

/// Filters keep what sorting all tokens and cutting the list says.
void test_filters_are_those_of_sorting() {
  std::mt19937 random(3);
  for (int round = 0; round < 120; ++round) {
    const Passes& passes = *tables()[static_cast<std::size_t>(round) % tables().size()];
    Workspace space;
    Case one(random, 1 + random() % 12000, round % 3 == 0 ? 0.05 : 0.95, round % 5 == 0 ? 0 : 3);
    if (round % 2 == 0) {  // ties
      for (std::size_t i = 0; i < one.bits.size(); ++i) one.logits[i] = std::round(one.logits[i]);
    }
    Draw draw;
    if (round % 4 != 1) draw.top_k = static_cast<std::int64_t>(1 + random() % 3000);
    if (round % 3 != 1) draw.top_p = std::uniform_real_distribution<>(0.01, 0.99)(random);
    if (round % 5 == 1) draw.min_p = std::uniform_real_distribution<>(0.01, 0.99)(random);
    if (!has_filters(draw)) continue;
    std::vector<std::size_t> order;
    for (std::size_t i = 0; i < one.bits.size(); ++i) {
      if (one.bits[i]) order.push_back(i);
    }
    if (order.empty()) continue;
    std::stable_sort(order.begin(), order.end(),
                     [&](std::size_t a, std::size_t b) { return one.logits[a] > one.logits[b]; });
    const double top = one.logits[order[0]];
    if (draw.top_k > 0 && order.size() > static_cast<std::size_t>(draw.top_k)) {
      order.resize(static_cast<std::size_t>(draw.top_k));
    }
    double sum = 0, before = 0;
    for (std::size_t token : order) sum += std::exp(one.logits[token] - top);
    std::vector<std::size_t> kept;
    bool border = false;  // where rounding may decide
    for (std::size_t token : order) {
      double weight = std::exp(one.logits[token] - top);
      if (draw.top_p < 1) {
        border |= near(before, draw.top_p * sum, 1e-5);
        if (!kept.empty() && before >= draw.top_p * sum) break;
      }
      before += weight;
      if (draw.min_p > 0 && weight < draw.min_p) break;
      kept.push_back(token);
    }
    space.legal.gather(passes, one.row, false);
    space.stats.measure(space.legal, passes, 1);
    std::sort(kept.begin(), kept.end());
    std::vector<std::size_t> got;
    for (const Candidate& token : filter(passes, space, draw)) {
      got.push_back(static_cast<std::size_t>(
          space.legal.token(token.place() / kChunk, token.place() % kChunk)));
    }
    CHECK(got == kept || border);
  }
}

/// Draws with numbers spread over [0, 1) find every token as often as its probability says, with a
/// list and with chunks; those at the two ends are the first and the last token with a weight.
void test_draws_follow_the_distribution() {
  std::mt19937 random(4);
  for (const Passes* passes : tables()) {
    Workspace space;
    for (std::size_t limit : {200, 9000}) {
      Case one(random, limit, 0.97, 1);
      std::vector<double> found(limit);
      const int draws = 3000;
      Draw draw;
      for (int i = 0; i < draws; ++i) {
        draw.uniform = (i + 0.5) / draws;
        Drawn drawn = sample_row(*passes, space, one.row, draw);
        found[static_cast<std::size_t>(drawn.token)] += 1.0 / draws;
      }
      double total = one.sum(1, false);
      for (std::size_t i = 0; i < limit; ++i) {
        double exact = one.bits[i] ? std::exp(one.logits[i]) / total : 0;
        CHECK(std::fabs(found[i] - exact) <= 1.001 / draws);
      }
      auto first = std::find(one.bits.begin(), one.bits.end(), true) - one.bits.begin();
      draw.uniform = 0;
      CHECK(sample_row(*passes, space, one.row, draw).token == first);
      auto last = one.bits.rend() - std::find(one.bits.rbegin(), one.bits.rend(), true) - 1;
      draw.uniform = 1 - 0x1p-53;
      CHECK(sample_row(*passes, space, one.row, draw).token == last);
    }
  }
}

/// Rows of nothing, of NaN and of infinities have the results and statuses that are promised.
void test_edges() {
  std::mt19937 random(5);
  const float inf = std::numeric_limits<float>::infinity();
  for (const Passes* passes : tables()) {
    for (std::size_t limit : {40, 9000}) {
      Workspace space;
      Case one(random, limit, 1, 1);
      Draw draw;
      draw.mass = true;
      one.logits[7] = std::numeric_limits<float>::quiet_NaN();
      CHECK(sample_row(*passes, space, one.row, draw).status == kNan);
      one.logits[7] = inf;
      one.logits[39] = inf;
      Drawn drawn = sample_row(*passes, space, one.row, draw);
      CHECK(drawn.status == kInfinite && (drawn.token == 7 || drawn.token == 39));
      CHECK(std::fabs(drawn.logprob + std::log(2)) < 1e-12 && drawn.log_mass == 0);
      one.logits[limit - 1] = std::numeric_limits<float>::quiet_NaN();
      CHECK(sample_row(*passes, space, one.row, draw).status == (kNan | kInfinite) || limit == 40);
      one.logits[limit - 1] = limit == 40 ? inf : 0;
      one.mask[0] &= ~(1u << 7);
      drawn = sample_row(*passes, space, one.row, draw);
      CHECK(drawn.token == 39 && std::fabs(drawn.log_mass + std::log(2)) < 1e-12);
      for (std::size_t i = 0; i < limit; ++i) one.logits[i] = -inf;
      drawn = sample_row(*passes, space, one.row, draw);
      CHECK(drawn.token == -1 && drawn.status == kEmpty && drawn.lse == -kInf);
      one.row.limit = 0;
      CHECK(sample_row(*passes, space, one.row, draw).token == -1);
    }
  }
}

/// Threads with workspaces of their own do not disturb one another.
void test_threads() {
  std::mt19937 random(6);
  Case one(random, 30000, 0.9, 3);
  Workspace space;
  Draw draw;
  draw.top_p = 0.9;
  const std::int64_t token = sample_row(best_passes(), space, one.row, draw).token;
  std::vector<std::thread> threads;
  std::vector<std::int64_t> found(4);
  for (std::size_t i = 0; i < found.size(); ++i) {
    threads.emplace_back([&, i] {
      Workspace own;
      for (int k = 0; k < 20; ++k) found[i] = sample_row(best_passes(), own, one.row, draw).token;
    });
  }
  for (std::thread& thread : threads) thread.join();
  for (std::int64_t each : found) CHECK(each == token);
}

}  // namespace

int main() {
  test_philox_is_philox();
  test_weights_are_exact_enough();
  test_halves();
  test_rows_are_those_of_doubles();
  test_filters_are_those_of_sorting();
  test_draws_follow_the_distribution();
  test_edges();
  test_threads();
  return slm::tests::failures == 0 ? 0 : 1;
}

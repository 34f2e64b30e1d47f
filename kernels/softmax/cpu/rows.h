// What the softmax kernels compute, a row at a time.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "softmax/cpu/legal.h"
#include "softmax/cpu/stats.h"

namespace slm::softmax {

/// Bits of a row's status.
enum : std::uint8_t {
  kEmpty = 1,     ///< no legal token above -inf
  kNan = 2,       ///< a legal one is NaN
  kInfinite = 4,  ///< a legal one is +inf
  kIllegal = 8,   ///< a target that is not legal
};

/// What rows need while they are worked on; one a thread, kept between rows for its memory.
struct Workspace {
  Legal legal, others;
  Stats stats, plain;  ///< of the legal tokens: at the temperature, and at 1
  Stats rest;          ///< of the others, at 1
  std::vector<float> row, x, weights;
  std::vector<std::uint32_t> places;
};

/// As in `Sampling` of slm/decode/sampling.py; out of range means not there.
struct Draw {
  double temperature = 1;  ///< 0, less, or NaN: the first of the most likely tokens
  std::int64_t top_k = 0;
  double top_p = 1, min_p = 0;
  bool gumbel = false;
  std::uint64_t seed = 0, position = 0;
  std::optional<double> uniform;  ///< in [0, 1): instead of seed and position, without gumbel
  bool mass = false;              ///< whether `log_mass` and `model_logprob` are wanted
};

struct Drawn {
  std::int64_t token = -1;
  double logprob, lse;   ///< under mask and temperature (1 where it is 0), before filters
  double log_mass;       ///< log of the model's probability of all legal tokens
  double model_logprob;  ///< of the token, without mask and temperature
  std::uint8_t status;
};

/// The double in (0, 1) that a draw by the inverse of the distribution function takes.
double uniform(std::uint64_t seed, std::uint64_t position) noexcept;

/// Draws a token.
///
/// Cost: the mask's scan and the legal tokens; with `mass` all of them.
Drawn sample_row(const Passes& passes, Workspace& space, const Row& row, const Draw& draw);

/// log P(legal), and of a token of the row its log-probability without a mask, at temperature 1.
Drawn likelihood(const Passes& passes, Workspace& space, const Row& row, std::int64_t token);

/// log of the share that the legal tokens have of everything, from sums at one temperature.
double log_share(const Stats& legal, bool infinite, const Stats& others, bool others_infinite);

/// Probabilities, or log-probabilities, of ids below `width`; 0 or -inf off the mask and from the
/// row's limit on. `out` may be the row's logits.
std::uint8_t softmax_row(const Passes& passes, Workspace& space, const Row& row, std::size_t width,
                         double temperature, bool log, Dtype dtype, void* out);

struct Loss {
  double loss, log_mass;
  std::uint8_t status;
};

/// weight * (lse_legal - x_target + legality_weight * (lse_all - lse_legal)), and into `gradient`
/// (unless null; of the row's dtype; may be the logits) its derivative by each logit.
Loss cross_entropy_row(const Passes& passes, Workspace& space, const Row& row, std::size_t width,
                       std::int64_t target, double weight, double legality_weight, void* gradient);

/// -inf off the mask and from the row's limit on, in place.
void apply_row(const Passes& passes, const Row& row, std::size_t width, void* logits);

}  // namespace slm::softmax

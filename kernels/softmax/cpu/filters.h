// Top-k, top-p and min-p.
#pragma once

#include <vector>

#include "softmax/cpu/rows.h"

namespace slm::softmax {

/// A token that filters look at. Candidates sort from the likeliest on, of equals by their places.
struct Candidate {
  std::uint64_t key;  ///< the logit, turned round into a whole number; then the place
  float weight;       ///< under the row's scale

  std::uint32_t place() const noexcept { return static_cast<std::uint32_t>(key); }
  friend bool operator<(const Candidate& a, const Candidate& b) noexcept { return a.key < b.key; }
};

bool has_filters(const Draw& draw) noexcept;

/// What the filters leave of the legal tokens, by rising place (in `space.legal`); at least one.
///
/// Each filter keeps a beginning of the tokens in their order: the k first; those before which less
/// than p of the weight of what top-k left stands; those of at least min_p of the best one's
/// weight. So a bound on logits that surely leaves what a filter keeps goes first, and the rest is
/// selection, not sorting.
/// Cost: one pass over the legal tokens, linear in those above the bound.
/// Needs `space.stats`, measured at the draw's temperature, and a row that is not empty.
std::vector<Candidate> filter(const Passes& passes, Workspace& space, const Draw& draw);

}  // namespace slm::softmax

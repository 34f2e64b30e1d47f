// Goals: sets of signed schema numbers that must all hold; a negative one must fail.
#pragma once

#include <algorithm>
#include <cstdlib>
#include <span>
#include <vector>

#include "schema/algebra.h"
#include "schema/intern.h"

namespace slm::schema {

/// Numbers goals, so that they are compared and looked up in O(1).
///
/// Invariant: `literals(g)` is sorted; the empty goal is 0, {1} ("false") is 1.
class Goals {
 public:
  explicit Goals(Arena& arena)
      : arena_(arena), numbers_(arena), sets_(arena), positive_(arena), negative_(arena) {
    intern({});
    std::int32_t never[] = {kFalseId};
    intern(never);
  }

  Goal of(std::int32_t literal) {
    Growing<Goal>& known = literal > 0 ? positive_ : negative_;
    auto at = static_cast<std::size_t>(std::abs(literal));
    if (at >= known.size()) known.resize(2 * at + 16, kTrue);
    if (known[at] == kTrue) known[at] = intern({&literal, 1});
    return known[at];
  }

  std::span<const std::int32_t> literals(Goal goal) const { return sets_[goal]; }
  std::size_t size() const { return sets_.size(); }

  /// Both goals; a contradiction that shows at once becomes false.
  Goal conjoin(Goal left, Goal right) {
    if (left == kTrue || left == right) return right;
    if (right == kTrue) return left;
    if (left == kFalse || right == kFalse) return kFalse;
    scratch_.clear();
    std::ranges::set_union(sets_[left], sets_[right], std::back_inserter(scratch_));
    for (std::int32_t literal : sets_[left]) {
      if (std::ranges::binary_search(scratch_, -literal)) return kFalse;
    }
    return intern(scratch_);
  }

  /// Whether every literal of `part` is in `whole`.
  bool contains(Goal whole, Goal part) const {
    return part == whole || std::ranges::includes(sets_[whole], sets_[part]);
  }

 private:
  Goal intern(std::span<const std::int32_t> literals) {
    std::size_t before = numbers_.size();
    std::span<const std::int32_t> kept = literals;
    Goal goal = numbers_.intern_words(literals);
    if (goal == before) sets_.push_back(arena_.keep(kept));
    return goal;
  }

  Arena& arena_;
  Interner numbers_;
  Growing<std::span<const std::int32_t>> sets_;
  Growing<Goal> positive_, negative_;
  std::vector<std::int32_t> scratch_;
};

}  // namespace slm::schema

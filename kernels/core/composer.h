// Puts a row together from what shapes know.
#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

#include "core/shapes.h"

namespace slm {

/// From outcomes of some rows to the row that they make, with all rules that are complete by that.
///
/// `Rows` are rows of any kind, as numbers, of which an older one has a smaller one:
/// `shape(row)`; `origin(row, k)`: the row that the k-th origin of its shape stands for;
/// `complete(rule, row)`: the rule and row to go on with where a rule that began in `row` is
/// complete, or nothing, when `Rows` sees to that.
///
/// Cost: a few look-ups for each rule that began in another row and is complete.
class Composer {
 public:
  explicit Composer(Shapes& shapes) : shapes_(shapes) {}

  static constexpr std::size_t kManyOrigins = 16;  // shapes with more are as new as their rows
  static constexpr std::size_t kMost = 32;         // outcomes

  void clear() noexcept { bound_.clear(); }

  /// What becomes of a row when terminals end; false when its shape has too many origins.
  template <class Rows>
  bool add(const Rows& rows, std::uint32_t row, AcceptId set) {
    const ShapeId shape = rows.shape(row);
    if (shapes_[shape].origins > kManyOrigins || bound_.size() == kMost) return false;
    bound_.push_back({shapes_.on_terminals(shape, set), row});
    return true;
  }
  /// The same, when a rule is complete.
  template <class Rows>
  bool add_rule(const Rows& rows, RuleId rule, std::uint32_t row) {
    const ShapeId shape = rows.shape(row);
    if (shapes_[shape].origins > kManyOrigins || bound_.size() == kMost) return false;
    bound_.push_back({shapes_.on_rule(shape, rule), row});
    return true;
  }

  /// Makes the row of what was added: `made`, or nothing if there is no item in it. False when
  /// there are too many readings for that.
  template <class Rows>
  bool compose(Rows& rows);

  /// A shape, and the rows that its origins stand for; empty: nothing.
  std::vector<std::uint32_t> made;

 private:
  struct Bound {
    OutcomeId outcome;
    std::uint32_t row;
  };
  Shapes& shapes_;
  std::vector<Bound> bound_;
  std::vector<std::pair<RuleId, std::uint32_t>> completed_;
  std::vector<OutcomeId> outcomes_;
  std::vector<std::uint32_t> origins_, sorted_, ranks_;
};

template <class Rows>
bool Composer::compose(Rows& rows) {
  completed_.clear();
  outcomes_.clear();
  origins_.clear();
  made.clear();
  for (std::size_t i = 0; i < bound_.size(); ++i) {
    const auto [id, row] = bound_[i];
    for (std::size_t k = 0; k < shapes_.outcome(id).ended.size(); ++k) {
      const Outcome::Ended ended = shapes_.outcome(id).ended[k];
      auto at = rows.complete(ended.rule, rows.origin(row, ended.origin));
      if (!at || std::ranges::find(completed_, *at) != completed_.end()) continue;
      completed_.push_back(*at);
      if (!add_rule(rows, at->first, at->second)) return false;
    }
    const Outcome& outcome = shapes_.outcome(id);
    if (!outcome.adds()) continue;
    outcomes_.push_back(id);
    for (std::uint32_t from : outcome.from) {
      origins_.push_back(from == 0 ? row : rows.origin(row, from - 1));
    }
  }
  if (outcomes_.empty()) return true;
  sorted_ = origins_;
  std::ranges::sort(sorted_);
  sorted_.erase(std::unique(sorted_.begin(), sorted_.end()), sorted_.end());
  ranks_.clear();
  for (std::uint32_t origin : origins_) {
    auto at = std::ranges::lower_bound(sorted_, origin);
    ranks_.push_back(static_cast<std::uint32_t>(at - sorted_.begin()));
  }
  std::span<const std::uint32_t> joined = shapes_.join(outcomes_, ranks_);
  made.push_back(joined[0]);
  for (std::uint32_t at : joined.subspan(1)) made.push_back(origins_[at]);
  return true;
}

}  // namespace slm

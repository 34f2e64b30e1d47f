// Right-hand sides as numbers: equal expressions are one node.
#pragma once

#include <cstdint>
#include <span>
#include <utility>
#include <vector>

#include "lower/lists.h"

namespace slm::lower {

/// The values are those of `Program::Op`.
enum class Op : std::uint32_t { kTerminal = 8, kCall, kSeq, kChoice, kMany };

/// A pool of expressions, hash-consed. Children come before their parents.
class Expressions {
 public:
  Expressions() = default;
  Expressions(const Expressions&) = delete;
  Expressions& operator=(const Expressions&) = delete;

  std::size_t size() const noexcept { return nodes_.size(); }
  Op op(std::uint32_t node) const noexcept { return static_cast<Op>(nodes_[node][0]); }
  /// Of a sequence or choice its parts; of a terminal its atom; of a call its name; of many its
  /// body, the least and the most (-1: no bound).
  std::span<const std::uint32_t> values(std::uint32_t node) const noexcept {
    return nodes_[node].subspan(1);
  }
  bool has_parts(std::uint32_t node) const noexcept {
    return op(node) == Op::kSeq || op(node) == Op::kChoice;
  }

  /// `values` may point into this pool.
  std::uint32_t make(Op op, std::span<const std::uint32_t> values);
  /// The parts one after the other, or any of them; parts that are of the same kind are opened.
  std::uint32_t flat(Op op, std::span<const std::uint32_t> parts);

 private:
  Lists nodes_;
  std::vector<std::uint32_t> scratch_;
};

/// What things call, one thing after the other.
class Calls {
 public:
  Calls() = default;
  /// `first`: where those of each thing begin, and one more.
  Calls(std::vector<std::uint32_t> called, std::vector<std::uint32_t> first)
      : called_(std::move(called)), first_(std::move(first)) {}

  void add(std::uint32_t called) { called_.push_back(called); }
  /// The calls of one thing are all there.
  void end() { first_.push_back(static_cast<std::uint32_t>(called_.size())); }

  std::size_t size() const noexcept { return first_.size() - 1; }
  std::span<const std::uint32_t> operator[](std::size_t thing) const noexcept {
    return std::span(called_).subspan(first_[thing], first_[thing + 1] - first_[thing]);
  }

 private:
  std::vector<std::uint32_t> called_, first_{0};
};

/// The coarsest blocks of things of one kind whose calls, in order, go to the same blocks.
/// As many calls for all of one kind. The twin is `slm.syntax.alike.refined`.
std::vector<std::uint32_t> refined(const std::vector<std::uint32_t>& kinds, const Calls& calls);

}  // namespace slm::lower

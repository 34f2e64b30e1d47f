// Right-hand sides as numbers: equal expressions are one node.
#pragma once

#include <cstdint>
#include <span>
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

/// The coarsest blocks of things of one kind whose calls, in order, go to the same blocks.
/// As many calls for all of one kind. The twin is `slm.syntax.alike.refined`.
std::vector<std::uint32_t> refined(const std::vector<std::uint32_t>& kinds,
                                   const std::vector<std::vector<std::uint32_t>>& calls);

}  // namespace slm::lower

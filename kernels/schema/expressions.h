// Right-hand sides of rules: the expressions of slm/grammar/ir.py.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <optional>
#include <span>
#include <vector>

#include "schema/arena.h"

namespace slm::schema {

/// Invariant: sequences hold no sequences and choices no choices.
struct Expression {
  enum class Kind : std::uint8_t { kTerminal, kCall, kSeq, kChoice, kMany };

  Kind kind;
  std::uint32_t index = 0;                    // of the terminal or rule
  std::span<const Expression* const> parts;   // of a seq, choice or many
  std::int64_t low = 0;                       // of a many
  std::optional<std::int64_t> high;           // of a many
  mutable std::uint32_t number = 0xFFFFFFFF;  // of its node, once it is written
};

/// Makes expressions as the constructors of ir.py do.
class Expressions {
 public:
  using Pointer = const Expression*;
  using Kind = Expression::Kind;

  explicit Expressions(Arena& arena) : arena_(arena) {
    empty = arena.make<Expression>(Kind::kSeq);
    never = arena.make<Expression>(Kind::kChoice);
  }

  Pointer terminal(std::uint32_t index) { return arena_.make<Expression>(Kind::kTerminal, index); }
  Pointer call(std::uint32_t rule) { return arena_.make<Expression>(Kind::kCall, rule); }

  Pointer seq(std::span<const Pointer> parts) { return flat(Kind::kSeq, parts); }
  Pointer seq(std::initializer_list<Pointer> parts) {
    return flat(Kind::kSeq, std::span<const Pointer>(parts.begin(), parts.size()));
  }
  Pointer alternatives(std::span<const Pointer> options) { return flat(Kind::kChoice, options); }
  Pointer alternatives(std::initializer_list<Pointer> options) {
    return flat(Kind::kChoice, std::span<const Pointer>(options.begin(), options.size()));
  }

  Pointer many(Pointer body, std::int64_t low = 0, std::optional<std::int64_t> high = {}) {
    if (high && *high < low) return never;
    if (high && *high == 0) return empty;
    if (low == 1 && high && *high == 1) return body;
    return arena_.make<Expression>(Kind::kMany, 0u, arena_.keep(std::span<const Pointer>(&body, 1)),
                                   low, high);
  }
  Pointer optional(Pointer body) { return many(body, 0, 1); }

  static bool is_never(Pointer one) { return one->kind == Kind::kChoice && one->parts.empty(); }
  static bool is_empty(Pointer one) { return one->kind == Kind::kSeq && one->parts.empty(); }

  Pointer empty, never;

 private:
  Pointer flat(Kind kind, std::span<const Pointer> parts) {
    scratch_.clear();
    for (Pointer part : parts) {
      if (part->kind == kind) {
        scratch_.insert(scratch_.end(), part->parts.begin(), part->parts.end());
      } else {
        scratch_.push_back(part);
      }
    }
    if (scratch_.size() == 1) return scratch_[0];
    if (scratch_.empty()) return kind == Kind::kSeq ? empty : never;
    return arena_.make<Expression>(kind, 0u, arena_.keep(scratch_));
  }

  Arena& arena_;
  std::vector<Pointer> scratch_;
};

}  // namespace slm::schema

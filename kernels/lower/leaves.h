// Expressions of tokens, and of what may stand at the end: what rules are made of.
#pragma once

#include <span>
#include <vector>

#include "lower/expressions.h"
#include "lower/lists.h"

namespace slm::lower {

/// Expressions without calls, hash-consed; terminals are atoms, which Python makes.
///
/// The twins are `seq`, `choice` and `optional` of `slm.grammar.ir`.
class Leaves {
 public:
  /// Atoms: of a language by its number, or what Python has numbered.
  enum Kind : Number { kLexeme, kIgnored, kLine, kBlanks, kMark };

  Number terminal(Kind kind, Number token, Number value);
  Number sequence(std::span<const Number> parts);
  /// Any of the parts, without repeats.
  Number choice(std::span<const Number> parts) { return any_of(parts, true); }
  /// Any of the parts, which are known to differ.
  Number either(std::span<const Number> parts) { return any_of(parts, false); }
  Number optional(Number body);
  Number empty() { return sequence({}); }

  /// Kind, token and value of each atom.
  const Lists& atoms() const noexcept { return atoms_; }
  /// What `Rules` reads first, with these labels.
  void write(std::span<const Number> labels, std::vector<std::int32_t>& words) const;

 private:
  Number any_of(std::span<const Number> parts, bool once);
  Op op(Number node) const noexcept { return static_cast<Op>(nodes_[node][0]); }

  Lists atoms_, nodes_;
};

}  // namespace slm::lower

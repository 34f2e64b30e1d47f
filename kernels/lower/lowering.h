// A Lark grammar from its terminals, its rules and its table to the rules of the IR.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "lower/contexts.h"
#include "lower/indents.h"
#include "lower/rules.h"

namespace slm::lower {

/// What `slm.syntax.native_lowering` is the face of.
class Lowering {
 public:
  enum class Outcome { kDone, kTooComplex, kTooManyStates };

  /// Reads a grammar and lowers it. `split` is asked about newlines where there is an `Indenter`;
  /// it may ask about languages meanwhile. Throws std::invalid_argument on anything malformed.
  Outcome run(std::span<const std::int32_t> words, IndentedLexing::Split split);
  /// After kTooComplex: the terminal that says so; -1: ignored text.
  std::int32_t culprit() const noexcept { return static_cast<std::int32_t>(culprit_); }

  /// How a language is made: 0 and an automaton's words, with sets by number; 1, a terminal, the
  /// type that its matches become and the renames that are tried on them; 2 and the languages that
  /// it is the union of.
  std::vector<std::int32_t> language(Number which) const;
  /// The letters of a set: low, high, low, high …
  std::vector<std::int32_t> letters(Set set) const;
  /// The characters of a set: how many rows, and low, high, low, high … `owned` are all rows of
  /// characters, ascending: low, high and letter of each.
  std::vector<std::int32_t> characters(Set set, std::span<const std::int32_t> owned) const;
  /// Kind, token and value of each atom that the rules use, in the order in which they are
  /// numbered.
  std::vector<std::int32_t> atoms() const;
  const Rules& rules() const;

 private:
  std::unique_ptr<Lexing> lexing_;
  std::optional<Rules> rules_;
  Number culprit_ = kNone;
};

}  // namespace slm::lower

// Explicit automata over letters, and the smallest one of a language.
#pragma once

#include <optional>
#include <utility>
#include <vector>

#include "lower/letters.h"

namespace slm::lower {

/// An edge over the letters low to high.
struct Edge {
  Number low, high, to;
};

/// States with their ways: sets of letters, and the state each leads to. State 0 is the start.
using Rows = std::vector<std::vector<std::pair<Set, Number>>>;

/// Deterministic automata, hash-consed. The twin is `slm.grammar.regular.Dfa`.
class Automata {
 public:
  explicit Automata(LetterSets& sets) : sets_(sets) {}

  /// An automaton as it is.
  Number add(const Rows& rows, const std::vector<bool>& accepting);
  /// The smallest automaton of the same language, numbered as it is met with ascending letters:
  /// the same one for the same language. Nothing where no text is accepted.
  ///
  /// Ways of a state that overlap are allowed; then, and with several `starts`, it is made
  /// deterministic first. `most`: the states that may have. The twins are `minimise` and
  /// `determinise` in `slm.grammar.ordered_dfa`. Throws TooMany.
  /// Cost: Hopcroft's algorithm.
  std::optional<Number> smallest(const Rows& rows, const std::vector<bool>& accepting);
  std::optional<Number> smallest(const Rows& rows, const std::vector<bool>& accepting,
                                 Number starts, Number most);
  struct TooMany {};

  Number states(Number automaton) const noexcept { return words_[automaton][0]; }
  bool accepts(Number automaton, Number state) const noexcept {
    return words_[automaton][places_[automaton][state]] != 0;
  }
  /// The ways of a state as (set, target) pairs, flat.
  std::span<const Number> ways(Number automaton, Number state) const noexcept {
    std::span<const Number> words = words_[automaton];
    std::size_t at = places_[automaton][state];
    return words.subspan(at + 2, 2 * words[at + 1]);
  }
  /// Number of states; then for each whether it accepts, its ways' number, and those.
  std::span<const Number> words(Number automaton) const noexcept { return words_[automaton]; }

 private:
  class Table;

  std::optional<Number> minimal(const Table& table);
  Number keep(std::span<const Number> words);

  LetterSets& sets_;
  Lists words_;
  std::vector<std::vector<Number>> places_;  // by automaton: where each state begins
};

}  // namespace slm::lower

// Regular languages over letters as states: derivatives, lazily and hash-consed.
#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <span>
#include <vector>

#include "lower/automata.h"
#include "lower/letters.h"
#include "lower/words.h"

namespace slm::lower {

using State = Number;

/// A pool of states. The twin is `slm.grammar.derivative.Languages`: what is one state there is one
/// here, so that whatever is told apart by states is told apart alike.
class Languages {
 public:
  static constexpr State kNothing = 0, kEmpty = 1, kAnything = 2, kAnyLetter = 3;

  Languages(LetterSets& sets, Automata& automata);
  Languages(const Languages&) = delete;
  Languages& operator=(const Languages&) = delete;

  /// Whether the empty text is in the language.
  bool accepts(State state) const noexcept { return facts_[state].nullable; }
  /// Whether any text is in it.
  bool alive(State state);
  /// Whether any text but the empty one is in it.
  bool extendable(State state);
  /// What each letter leaves; letters that leave nothing are absent. Stays where it is.
  std::span<const Edge> edges(State state);

  State chars(Set set);
  State concat(State left, State right);
  State unite(std::span<const State> options);
  State intersect(std::span<const State> parts);
  State complement(State body);
  State repeat(State body, Number low, Number high);  // kNone: no bound
  State automaton(Number which, Number at);

  std::size_t size() const noexcept { return terms_.size(); }
  struct TooMany {};  // thrown where there would be more states than `kMost`
  static constexpr std::size_t kMost = 1'000'000;

 private:
  enum Kind : Number { kChars, kConcat, kUnion, kIntersection, kRepeat, kNot, kDfa };
  struct Facts {
    bool nullable, plain;  // plain: no complement, intersection or automaton inside
    std::int8_t alive = -1, extendable = -1;  // -1: nobody has asked
    bool derived = false;
  };

  Kind kind(State state) const noexcept { return static_cast<Kind>(terms_[state][0]); }
  std::span<const Number> inner(State state) const noexcept { return terms_[state].subspan(1); }
  State add(Kind kind, std::span<const Number> inner, bool nullable, bool plain);
  bool search(State state);
  std::vector<Edge> derive(State state);
  template <class Combine>
  std::vector<Edge> overlay(const std::vector<std::vector<Edge>>& ways, Combine combine);

  LetterSets& sets_;
  Automata& automata_;
  Lists terms_;
  std::vector<Facts> facts_;
  std::deque<std::vector<Edge>> edges_;
};

/// Forms of regular nodes; the values are those of `Program::Op`.
enum class Form : std::uint32_t {
  kChars,
  kLiteral,
  kConcat,
  kUnion,
  kRepeat,
  kIntersection,
  kComplement,
  kDfa
};

/// The states of regular nodes, as `slm.grammar.flatten` writes those.
///
/// Reads the count of nodes and the nodes; `sets` are those that they refer to by number.
/// Throws std::invalid_argument on anything malformed, or of a kind that no lexer meets.
class Regulars {
 public:
  void read(Words& in, std::span<const Set> sets, LetterSets& known, Automata& automata);

  std::size_t size() const noexcept { return nodes_.size(); }
  State state(Number node, Languages& pool, LetterSets& sets);
  /// The letters at each place, where there is nothing but rows of letters; `any`: whether it is
  /// so.
  std::vector<Set> row(Number node, bool& any) const;
  bool is_chars(Number node) const noexcept { return nodes_[node].form == Form::kChars; }
  Set set_of(Number node) const noexcept { return nodes_[node].values[0]; }

 private:
  struct Node {
    Form form;
    std::vector<Number> values;
    State state = kNone;
  };
  std::vector<Node> nodes_;
};

}  // namespace slm::lower

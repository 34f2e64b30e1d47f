// What is open at some place of a text: promises that say which texts may follow.
#pragma once

#include <span>
#include <unordered_map>
#include <vector>

#include "core/flat_map.h"
#include "lower/languages.h"

namespace slm::lower {

/// One promise as a number: see `Promises`.
using Promise = Number;
/// A set of promises: its number in `Promises::sets`.
using Open = Number;

/// Promises have a kind in their upper bits: an obligation or a claim is a state, a rival is the
/// state of an automaton with assertions. Kinds of places behind a newline come last.
enum class PromiseKind : Number {
  kState,
  kRival,
  kClaim,
  kLast,
  kNewline,
  kIndent,
  kDedent,
  kFinish
};

constexpr Promise promise(PromiseKind kind, Number value) noexcept {
  return static_cast<Number>(kind) << 28 | value;
}
constexpr PromiseKind kind_of(Promise each) noexcept {
  return static_cast<PromiseKind>(each >> 28);
}
constexpr Number value_of(Promise each) noexcept { return each & 0x0FFFFFFFu; }

/// The automata of terminals with assertions, gone through: `slm.grammar.asserting`.
class Rivals {
 public:
  static constexpr Number kDead = kNone;
  struct Option {
    Number target;              // a rival's number, or kDead
    std::vector<State> claims;  // of the text that follows
  };

  void read(Words& in, std::span<const Set> sets, Regulars& regulars, Languages& pool,
            LetterSets& letters);

  std::size_t automata() const noexcept { return starts_.size(); }
  Number automaton(Number rival) const noexcept { return states_[rival].automaton; }
  bool accepts(Number rival) const noexcept { return states_[rival].accepts; }
  bool extendable(Number rival) const noexcept { return states_[rival].extendable; }
  /// Ways as edges: a number on each, one more than that of its options.
  std::span<const Edge> edges(Number rival) const noexcept { return states_[rival].edges; }
  std::span<const Option> options(Number rival, Number which) const noexcept {
    return states_[rival].options[which - 1];
  }
  std::size_t ways(Number rival) const noexcept { return states_[rival].options.size(); }
  /// The states before the first letter: `left` is 0 where the text begins, 1 behind a letter of no
  /// class, 2 and more behind one of a class.
  std::span<const Option> starts(Number automaton, Number left) const noexcept {
    return starts_[automaton][left];
  }
  std::span<const Set> classes() const noexcept { return classes_; }
  bool asked_behind() const noexcept { return asked_behind_; }
  /// The number of each letter's class.
  std::span<const Edge> class_edges() const noexcept { return class_edges_; }
  bool has_outside() const noexcept { return has_outside_; }

 private:
  struct RivalState {
    Number automaton;
    bool accepts, extendable;
    std::vector<Edge> edges;
    std::vector<std::vector<Option>> options;
  };
  std::vector<RivalState> states_;
  std::vector<std::vector<std::vector<Option>>> starts_;
  std::vector<Set> classes_;
  std::vector<Edge> class_edges_;
  bool asked_behind_ = false, has_outside_ = false;
};

/// Questions about what is open. The twin is `slm.syntax.promises`.
class Promises {
 public:
  static constexpr Open kFree = 0;

  Promises(Languages& pool, LetterSets& letters, Automata& automata, const Rivals& rivals);

  /// The letters a text of a language that is not empty, or a match, can begin with.
  Set first(Promise matched);
  Set first_of_automaton(Number automaton);
  /// One state for all obligations that are broken by the same texts.
  State first_hit(State state);
  /// What is open without what the first letter of a word settles.
  Open touching(State state, Open open_now);
  bool may_end(Open open_now);
  /// What is open without what can never matter.
  Open needed(Open open_now);

  Open add(std::vector<Promise>& promises);  // sorts them
  std::span<const Promise> operator[](Open which) const noexcept { return sets_[which]; }

 protected:
  Set breaks(Promise matched);

  Languages& pool_;
  LetterSets& letters_;
  Automata& automata_;
  const Rivals& rivals_;

 private:
  bool ranks_before(Promise left, Promise right) const;

  Lists sets_;
  std::unordered_map<State, State> first_hits_;
  std::unordered_map<State, std::vector<std::int64_t>> spelt_;
  std::unordered_map<Promise, Set> firsts_, breaking_;
  FlatMap touching_;
  std::unordered_map<Open, Open> needed_;
};

}  // namespace slm::lower

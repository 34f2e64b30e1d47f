// Which terminals are being read at once, and how far each has come.
//
// A lexer state is a set of (terminal, expression still to match). States are hash-consed and
// their transitions memoised, so reading a byte is a table look-up once a state has been seen.
// Many terminals that begin with fixed texts are one element of it while those are read.
// Expressions are shared with other grammars, and are asked under their lock; states are not.
#pragma once

#include <memory>
#include <span>
#include <vector>

#include "core/char_class.h"
#include "core/flat_map.h"
#include "core/grammar.h"
#include "core/hash.h"
#include "core/literal_sets.h"
#include "core/regex.h"
#include "core/terminal_tables.h"

namespace slm {

using LexId = std::uint32_t;         // 0: nothing is alive
using AcceptId = std::uint32_t;      // a set of terminals that end here; 0: none
using ObligationId = std::uint32_t;  // expressions that must not come to a match; 0: none

inline constexpr std::uint32_t kUnknown = 0xFFFFFFFFu;
inline constexpr ObligationId kBroken = 0xFFFFFFFEu;

class Lexer {
 public:
  Lexer(TerminalTables& shared, GrammarTables& grammar);

  /// The state before the first byte of these terminals (sorted, no repeats).
  LexId start(std::span<const TerminalId> terminals);

  LexId step(LexId state, std::uint8_t byte) {
    const State& here = states_[state];
    if (!here.first[byte]) return 0;
    LexId known = here.row ? here.row[byte] : sparse_.find(key(state, byte));
    return known != kUnknown ? known : compute_step(state, byte);
  }

  /// The part of a state that can go on: without what has ended and can only end.
  LexId going_on(LexId state) {
    LexId known = states_[state].going_on;
    return known != kUnknown ? known : compute_going_on(state);
  }

  /// The terminals that a text just read to `state` completes. Meaningful only after a `step`: a
  /// terminal never matches the empty text.
  AcceptId accepts(LexId state) const noexcept { return states_[state].accepts; }
  std::span<const TerminalId> terminals_of(AcceptId set) const noexcept {
    return accept_sets_.words(set);
  }

  /// The set of just this terminal.
  AcceptId accept_only(TerminalId terminal) { return accept_sets_.intern({&terminal, 1}); }

  /// What a state is: (terminal, expression still to match), sorted. A pair for which `is_stretch`
  /// holds is many terminals, of which none is complete; they stand last. In place of an expression
  /// for which `is_fixed` holds, one byte after the other must follow, and it has no options.
  std::span<const std::uint32_t> pairs(LexId state) const noexcept { return pairs_.words(state); }
  static bool is_stretch(std::uint32_t terminal) noexcept { return (terminal & kStretch) != 0; }

  static bool is_fixed(NodeId node) noexcept { return LiteralSets::is_fixed(node); }

  /// The same with every terminal by itself, and expressions only.
  std::vector<std::uint32_t> all_pairs(LexId state);

  /// The state of such pairs.
  LexId state_of(std::vector<std::uint32_t> pairs) {
    std::lock_guard lock(shared_.mutex);
    return intern(pairs);
  }

  /// Characters, each of which leaves the state alive however many of them come. Valid until the
  /// next call.
  const CharClass& loop_characters(LexId state) {
    const State& here = states_[state];
    return here.loop != kUnknown ? loops_[here.loop] : compute_loop(state);
  }

  /// Whether nothing but fixed texts is read.
  bool is_fixed_only(LexId state) const noexcept { return states_[state].fixed_only; }

  /// A superset of the bytes that can follow.
  const ByteSet& first_bytes(LexId state) const noexcept { return states_[state].first; }

  /// Obligations after `ended` of the terminals ended in `state`: a terminal that must be longest
  /// leaves behind what would have made it longer. `before` are older, unresolved ones.
  ObligationId oblige(ObligationId before, LexId state, TerminalId ended);

  /// kBroken when `byte` completes a longer match that was promised not to come.
  ObligationId step_obligation(ObligationId set, std::uint8_t byte);

  bool is_longest(TerminalId terminal) const noexcept { return grammar_.is_longest(terminal); }
  std::size_t size() const noexcept { return states_.size(); }
  std::size_t bytes() const noexcept;

 private:
  struct State {
    ByteSet first;
    AcceptId accepts = 0;
    LexId going_on = kUnknown;
    bool fixed_only = true;
    std::uint32_t misses = 0;
    std::uint32_t loop = kUnknown;           // place in loops_
    std::unique_ptr<std::uint32_t[]> row{};  // 256 next states, once the state is seen to be busy
  };

  static std::uint64_t key(LexId state, std::uint8_t byte) noexcept {
    return (std::uint64_t{state} << 8) | byte;
  }
  static constexpr std::uint32_t kStretch = 0x80000000u;  // in place of a terminal; beside it: 0
  LexId intern(
      const std::vector<std::uint32_t>& pairs);  // under the lock, as the next ones take it
  void add_stretch(LiteralSets::Start stretch, std::vector<std::uint32_t>& pairs);
  LexId compute_step(LexId state, std::uint8_t byte);
  LexId compute_going_on(LexId state);
  const CharClass& compute_loop(LexId state);

  TerminalTables& shared_;
  RegexPool& regexes_;
  GrammarTables& grammar_;
  std::vector<State> states_;
  LiteralSets literals_;
  SequencePool pairs_;        // (terminal, node), sorted
  SequencePool accept_sets_;  // terminals, sorted; 0 is the empty set
  SequencePool obligations_;  // nodes, sorted; 0 is the empty set
  FlatMap sparse_;
  FlatMap obligation_steps_;
  std::vector<CharClass> loops_;          // [0]: none
  std::vector<std::uint32_t> from_, to_;  // scratch of step
  LiteralSets::Pairs loose_;              // the same
  std::vector<TerminalId> ended_;         // scratch of intern
  std::size_t rows_ = 0;
};

}  // namespace slm

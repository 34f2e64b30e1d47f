// Rules as small automata over terminals and calls: what the recogniser's items point into.
#pragma once

#include <cstdint>
#include <vector>

#include "core/fixpoints.h"
#include "core/program.h"
#include "core/regex.h"
#include "core/terminal_tables.h"

namespace slm {

using RuleId = std::uint32_t;
using PositionId = std::uint32_t;
using TerminalId = std::uint32_t;

/// One place in a rule's right-hand side.
///
/// A plain position has silent edges and at most one symbol edge. A counted position is the whole
/// body of a helper rule `Many(symbol, low, high)`: it loops on itself over its symbol, and the
/// item that stands there carries the count.
struct Position {
  enum class Symbol : std::uint8_t { kNone, kTerminal, kRule };
  enum class Ends : std::uint8_t { kUnasked, kYes, kNo };

  RuleId rule = 0;
  Symbol symbol_kind = Symbol::kNone;
  bool final = false;  // the rule may end here
  bool counted = false;
  Ends only_ends = Ends::kUnasked;
  std::uint32_t symbol = 0;  // terminal or rule
  PositionId target = 0;     // after the symbol
  std::uint32_t source = 0;  // the program's node that is the terminal, for explanations
  std::int32_t low = 0, high = 0;
  std::uint32_t silent = 0;  // the first of its silent edges, or 0
};

struct SilentEdge {
  PositionId to = 0;
  std::uint32_t next = 0;  // the position's next edge, or 0
};

struct RuleInfo {
  PositionId first = 0;
  bool nullable = false;
  bool built = false;        // its positions are there
  std::uint32_t source = 0;  // the rule of the program that it is, or is part of
};

/// The rules and terminals of one program. Both are made when first asked for: most texts need few
/// of a large grammar's. Unproductive symbols are left out: from every position the rule can end.
///
/// References to positions and rules are valid until the next call that can make any.
class GrammarTables {
 public:
  /// Throws NoText when the start rule derives no text at all.
  GrammarTables(Program program, TerminalTables& shared);

  const Program& program() const noexcept { return program_; }
  RuleId start() const noexcept { return 0; }  // a helper rule that just calls the program's start
  const Position& position(PositionId id) const noexcept { return positions_[id]; }
  const SilentEdge& silent(std::uint32_t edge) const noexcept { return silent_[edge]; }
  const RuleInfo& rule(RuleId id) const noexcept { return rules_[id]; }
  std::size_t positions() const noexcept { return positions_.size(); }
  std::size_t rules() const noexcept { return rules_.size(); }
  std::size_t terminals() const noexcept { return program_.terminals().size(); }

  /// The rule with its positions.
  RuleInfo open(RuleId id) {
    if (!rules_[id].built) build(id);
    return rules_[id];
  }
  /// Makes all that can be reached from the start.
  void open_all();

  /// Whether nothing but the end of the rule can follow the position.
  bool only_ends(PositionId id) {
    Position::Ends known = positions_[id].only_ends;
    return known == Position::Ends::kUnasked ? find_only_ends(id) : known == Position::Ends::kYes;
  }

  /// The words of a terminal. Takes the shared lock; `language_locked` is for those who hold it.
  NodeId language(TerminalId terminal);
  NodeId language_locked(TerminalId terminal);
  bool is_longest(TerminalId terminal) const noexcept {
    return program_.terminals()[terminal].longest;
  }

  /// The expression of a regular node of the program. Under the shared lock.
  NodeId regular(std::uint32_t node);

  std::size_t bytes() const noexcept;

 private:
  static constexpr NodeId kUnmade = 0xFFFFFFFFu;

  void find_ends();
  bool productive(std::uint32_t node) const {
    return program_.is_whole() || (found_[node] & kWritten) != 0;
  }
  bool nullable(std::uint32_t node);
  std::vector<bool> terminals_with_text();
  bool is_word_list(std::uint32_t node) const;
  NodeId make_regular(std::uint32_t node);
  NodeId known(const KnownLanguage& language);
  NodeId anything();
  NodeId intersection(std::uint32_t node);

  void build(RuleId id);
  RuleId new_rule(std::uint32_t source, bool nullable);
  PositionId new_position(RuleId rule);
  RuleId rule_of(std::uint32_t source);
  void add_silent(PositionId from, PositionId to);
  PositionId free_position(PositionId from);
  void add_symbol(PositionId from, Position::Symbol kind, std::uint32_t symbol, PositionId to);
  void add_terminal(PositionId from, std::uint32_t node, PositionId to);
  void compile(std::uint32_t node, PositionId from, PositionId to, RuleId owner);
  void compile_many(std::uint32_t node, PositionId from, PositionId to, RuleId owner);
  RuleId counted_rule(std::uint32_t node, RuleId owner);
  bool find_only_ends(PositionId id);

  Program program_;
  TerminalTables& shared_;
  std::vector<Position> positions_;
  std::vector<SilentEdge> silent_{1};
  std::vector<RuleInfo> rules_;
  std::vector<RuleId> rule_of_;      // by rule of the program
  std::vector<NodeId> regular_;      // by node of the program
  std::vector<NodeId> sets_;         // by set of the program
  std::vector<std::uint8_t> found_;  // the same: kWritten, kEmpty; empty until they are needed
};

}  // namespace slm

// Rules as small automata over terminals and calls: what the recogniser's items point into.
#pragma once

#include <cstdint>
#include <vector>

#include "core/lexer.h"
#include "core/program.h"
#include "core/regex.h"

namespace slm {

using RuleId = std::uint32_t;
using PositionId = std::uint32_t;

/// One place in a rule's right-hand side.
///
/// A plain position has silent edges and at most one symbol edge. A counted position is the whole
/// body of a helper rule `Many(symbol, low, high)`: it loops on itself over its symbol, and the
/// item that stands there carries the count.
struct Position {
  enum class Symbol : std::uint8_t { kNone, kTerminal, kRule };

  RuleId rule = 0;
  Symbol symbol_kind = Symbol::kNone;
  bool final = false;  // the rule may end here
  bool counted = false;
  bool only_ends = false;    // nothing but the end of the rule can follow
  std::uint32_t symbol = 0;  // terminal or rule
  PositionId target = 0;     // after the symbol
  std::uint32_t source = 0;  // the program's node that is the terminal, for explanations
  std::int32_t low = 0, high = 0;
  std::vector<PositionId> silent;
};

struct RuleInfo {
  PositionId first = 0;
  bool nullable = false;
  std::uint32_t source = 0;  // the rule of the program that it is, or is part of
};

/// Immutable once built. Unproductive symbols are gone: from every position the rule can end.
struct GrammarTables {
  std::vector<Position> positions;
  std::vector<RuleInfo> rules;
  std::vector<TerminalInfo> terminals;  // numbered as in the program
  RuleId start = 0;                     // a helper rule that just calls the program's start
};

/// Throws NoText when the start rule derives no text at all.
GrammarTables build_tables(const Program& program, RegexPool& regexes);

}  // namespace slm

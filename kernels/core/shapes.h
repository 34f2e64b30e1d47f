// What rows of Earley items have in common: shapes.
//
// A row's items point to the rows they began in. Its shape is the row with numbers in place of
// those: which items began in the same row, not in which. All that is asked of a row follows from
// its shape: what it waits for, how that is read, and what becomes of its items when terminals or
// rules end. In texts of one grammar nearly all rows are new, and nearly all of their shapes are
// known. So the closure of a row's items is found out for shapes, and rows are put together from
// that.
//
// Shapes are to rows what the states of an LR(0) automaton are to its stacks, made when met (the
// idea of using them within Earley's algorithm: Aycock and Horspool, 2002; McLean and Horspool,
// 1996).
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "core/flat_map.h"
#include "core/grammar.h"
#include "core/hash.h"
#include "core/items.h"
#include "core/lexer.h"
#include "core/predictions.h"
#include "core/round_set.h"

namespace slm {

inline constexpr std::size_t kMaxRowItems = 200'000;  // more readings than that are too complex

using ShapeId = std::uint32_t;
using OutcomeId = std::uint32_t;

/// Invariant: the items of a shape are sorted by position and count, and their origins numbered in
/// the order in which they come up. Equal sets of items have equal shapes.
struct Shape {
  /// An item that waits for a symbol, already moved past it.
  struct Wait {
    std::uint32_t symbol;
    Item after;
    auto operator<=>(const Wait&) const = default;
  };
  std::vector<Wait> terminals;         // sorted by symbol; of items that began in earlier rows
  std::vector<Wait> rules;             // the same
  Predictions::SetId predicted{};      // what begins in the row
  std::uint32_t origins = 0;           // so many rows they began in
  bool accepting = false;              // the text may end here
  LexId lexer = kUnknown;              // see Shapes::lexer
  std::vector<std::uint32_t> parts{};  // shapes: see Shapes::parts

  /// The waits for one symbol.
  static std::span<const Wait> waiting(const std::vector<Wait>& waits, std::uint32_t symbol);
};

/// What becomes of a row's items when terminals end that it waits for, or a rule that began in it,
/// and of all rules that began in it and are complete by that.
struct Outcome {
  std::vector<Item> items;          // those with a symbol after them; origins: places in `from`
  std::vector<std::uint32_t> from;  // 0: the row itself; k + 1: its origin k
  std::uint32_t added = 0;          // the same for equal items, whatever they come from
  struct Ended {
    RuleId rule;
    std::uint32_t origin;  // of the row's, by number
    auto operator<=>(const Ended&) const = default;
  };
  std::vector<Ended> ended;  // rules that are complete now and began in earlier rows
  bool accepting = false;

  /// Whether it does nothing but end one rule more.
  bool passes() const noexcept { return items.empty() && !accepting && ended.size() == 1; }
  /// Whether it adds something of its own to a row.
  bool adds() const noexcept { return !items.empty() || accepting; }
};

/// The shapes of one grammar, and what follows from them. All is made when first asked for.
///
/// References are valid until the next call that can make any.
class Shapes {
 public:
  Shapes(GrammarTables& grammar, Lexer& lexer, Predictions& predictions)
      : grammar_(grammar), lexer_(lexer), predictions_(predictions) {}

  const Shape& operator[](ShapeId id) const noexcept { return shapes_[id]; }

  /// The shape of such items, which have to be as the invariant says.
  ShapeId intern(std::span<const Item> items, bool accepting);

  /// The lexer state that reads the terminals waited for. Made when first asked for: most rows are
  /// walked from by their parts only.
  LexId lexer(ShapeId shape);

  /// By origin, the shape of the items that began there: which have one origin then.
  ///
  /// Which items began together differs from text to text, while those that did are a stretch of
  /// few rules: so parts are far fewer than shapes.
  std::span<const ShapeId> parts(ShapeId shape);

  /// What a row of the shape has for a rule that began in it: its items that wait for the rule, or
  /// for one that may begin with it. The shape itself where that is more than half of its items.
  ///
  /// Cost: linear in the items, the first time; then a look-up.
  struct Waiting {
    ShapeId shape = 0;
    std::vector<std::uint32_t> origins{};  // those of the row that are left, by number
  };
  const Waiting& waiting_for(ShapeId shape, RuleId rule);

  /// What becomes of a row when these terminals end, and when the rule does.
  ///
  /// Cost: the closure of the items, the first time; then a look-up.
  OutcomeId on_terminals(ShapeId shape, AcceptId set);
  /// Whether it was asked before what becomes of such a row. What happens once is found out faster
  /// without an outcome.
  bool met(ShapeId shape, AcceptId set);
  OutcomeId on_rule(ShapeId shape, RuleId rule);
  const Outcome& outcome(OutcomeId id) const noexcept { return outcomes_[id]; }

  /// What outcomes make together: [0] is a shape; then where its origins stand among all that the
  /// outcomes take items `from`, one outcome after the other. `ranks`: of each of these, how many
  /// different rows are older; so equal rows have equal ranks.
  ///
  /// Cost: linear in the items, the first time; then a look-up. Valid until the next call.
  std::span<const std::uint32_t> join(std::span<const OutcomeId> outcomes,
                                      std::span<const std::uint32_t> ranks);

  std::size_t size() const noexcept { return shapes_.size(); }
  std::size_t bytes() const noexcept {
    return bytes_ + keys_.bytes() + met_.bytes() + after_terminals_.bytes() + after_rule_.bytes() +
           waiting_for_.bytes() + added_.bytes() + joins_.bytes() + joined_.bytes() +
           joined_of_.capacity() * 4;
  }

 private:
  OutcomeId close(ShapeId shape);
  std::vector<RuleId> callers(ShapeId shape, RuleId rule) const;
  void spell(std::span<const Item> items, bool accepting);
  void wait_for_rule(ShapeId shape, RuleId rule);

  GrammarTables& grammar_;
  Lexer& lexer_;
  Predictions& predictions_;
  SequencePool keys_;
  std::vector<Shape> shapes_;
  std::vector<Outcome> outcomes_;
  FlatMap met_, after_terminals_, after_rule_;  // by shape, and terminals ended or rule
  FlatMap waiting_for_;                         // by shape and rule: a place in waitings_
  std::vector<Waiting> waitings_;
  SequencePool added_;                    // outcomes' items, and whether it accepts
  SequencePool joins_;                    // what outcomes add, then ranks
  SequencePool joined_;                   // what they make
  std::vector<std::uint32_t> joined_of_;  // by number in joins_: a number in joined_
  std::size_t bytes_ = 0;
  // Scratch space.
  std::vector<Item> todo_;
  ItemSet seen_;
  RoundSet<RuleId> complete_;  // rules that began in the row that is closed
  std::vector<std::uint32_t> key_;
};

/// Items as a shape has them: sorted, without repeats, origins as numbers. Their origins so far are
/// put down in `origins`, in that order. Origins have to be given so that older rows have smaller
/// numbers, or rows that are equal would not be of one shape.
void canonical(std::vector<Item>& items, std::vector<std::uint32_t>& origins);

}  // namespace slm

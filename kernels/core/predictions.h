// What a call of a rule brings into a row: all that may begin there.
//
// Whoever waits for a rule predicts its first symbols, those of the rules that may come first, and
// so on. All of that begins in the same row and depends on nothing else, so it is found out once
// for a set of rules that are called together, and rows only name the set.
#pragma once

#include <algorithm>
#include <cstdint>
#include <span>
#include <vector>

#include "core/grammar.h"
#include "core/hash.h"

namespace slm {

class Predictions {
 public:
  using SetId = std::uint32_t;  // 0: nothing is called

  /// Something awaited, and the position and count behind it. Where it began is the row.
  struct Awaited {
    std::uint32_t symbol;
    PositionId position;
    std::uint32_t count;
    auto operator<=>(const Awaited&) const = default;
  };

  explicit Predictions(GrammarTables& grammar) : grammar_(grammar), sets_(1) { called_.intern({}); }

  /// All that calls of these rules (sorted, no repeats) predict.
  ///
  /// Cost: linear in the rules that may begin there, the first time; then a look-up.
  SetId predict(std::span<const RuleId> called);

  /// Calls `tell` with every wait for the terminal.
  ///
  /// Cost: a binary search; in a large set also one bit for each rule that may begin with it.
  template <class Tell>
  void each_terminal(SetId set, TerminalId terminal, Tell tell) const {
    const Set& in = sets_[set];
    if (!in.large) return each(in.terminals, terminal, tell);
    for (std::uint32_t at = with_terminal_[terminal]; at != 0; at = links_[at].next) {
      RuleId rule = links_[at].rule;
      if (in.has(rule)) each(terminals_of(openings_[rule]), terminal, tell);
    }
  }
  /// The same for a rule.
  template <class Tell>
  void each_rule(SetId set, RuleId rule, Tell tell) const {
    const Set& in = sets_[set];
    if (!in.large) return each(in.rules, rule, tell);
    if (rule >= with_rule_.size()) return;
    for (std::uint32_t at = with_rule_[rule]; at != 0; at = links_[at].next) {
      RuleId caller = links_[at].rule;
      if (in.has(caller)) each(rules_of(openings_[caller]), rule, tell);
    }
  }

  /// Appends the terminals awaited, sorted, without repeats.
  void terminals(SetId set, std::vector<TerminalId>& found);

  std::size_t bytes() const noexcept {
    return bytes_ + called_.bytes() + waits_.capacity() * sizeof(Awaited) +
           openings_.capacity() * sizeof(Opening) + links_.capacity() * sizeof(Link) +
           (opened_.capacity() + visited_.capacity() + passed_.capacity()) * 4;
  }

 private:
  // Larger sets are kept as their rules: later members of an object predict subsets of what
  // earlier ones do, and thousands of them have to fit.
  static constexpr std::size_t kLarge = 128;

  using Waits = std::span<const Awaited>;
  /// What a rule waits for before its first byte: places in waits_, terminals [begin, middle) and
  /// rules [middle, end), sorted.
  struct Opening {
    std::uint32_t begin = kUnknown, middle = 0, end = 0;
  };
  static constexpr std::uint32_t kUnknown = 0xFFFFFFFFu;
  struct Link {
    RuleId rule;
    std::uint32_t next;  // a place in links_, or 0
  };
  Waits terminals_of(const Opening& of) const noexcept {
    return {waits_.data() + of.begin, of.middle - of.begin};
  }
  Waits rules_of(const Opening& of) const noexcept {
    return {waits_.data() + of.middle, of.end - of.middle};
  }
  struct Set {
    bool large = false;
    std::vector<Awaited> terminals, rules;  // of a small one, sorted
    std::uint32_t base = 0;                 // of a large one: its first rule, a multiple of 64
    std::vector<std::uint64_t> members;     // the same: a bit for each rule from there on
    bool has(RuleId rule) const noexcept {
      std::uint32_t at = rule - base;  // wraps below the base
      return at / 64 < members.size() && (members[at / 64] >> (at % 64) & 1) != 0;
    }
  };

  template <class Tell>
  static void each(Waits waits, std::uint32_t symbol, Tell tell) {
    auto at = std::lower_bound(waits.begin(), waits.end(), Awaited{symbol, 0, 0});
    for (; at != waits.end() && at->symbol == symbol; ++at) tell(*at);
  }
  Opening opening(RuleId rule);
  void index_openings();
  void link(std::vector<std::uint32_t>& heads, Waits waits, RuleId rule);

  GrammarTables& grammar_;
  std::vector<Awaited> waits_;     // of all openings
  std::vector<Opening> openings_;  // by rule
  std::vector<RuleId> opened_;     // rules whose opening is known
  SequencePool called_;            // numbered as sets_
  std::vector<Set> sets_;
  // By symbol: a list of the rules whose openings wait for it; of the first `indexed_` of opened_.
  std::vector<std::uint32_t> with_terminal_, with_rule_;
  std::vector<Link> links_{1};
  std::size_t indexed_ = 0;
  std::vector<std::uint32_t> visited_;  // by rule: the last round that met it
  std::vector<std::uint32_t> passed_;   // by position: the rule whose opening met it last, plus one
  std::vector<RuleId> todo_, met_;      // scratch of predict
  std::vector<PositionId> positions_;   // scratch of opening
  std::vector<Awaited> rules_;          // the same
  std::uint32_t round_ = 0;
  std::size_t bytes_ = 0;
};

}  // namespace slm

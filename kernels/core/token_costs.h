// How far a place in the grammar is from the end of the text, in tokens. Exact.
//
// Tokens do not respect the grammar: one may end a string, a field and an object at once. So each
// place is taken together with a phase, how far into a token the text is there, and a shortest way
// leads from (place, phase) to (end of the text, between two tokens), at the price of one for each
// token that ends. As for bytes the way is put together from three kinds of pieces, each known
// once and for all contexts: through a terminal, to the end of a rule, from row to row.
//
// What keeps that small: to be in a phase can be worth only so much (`TokenPhases::detour`), so a
// place in a phase that is not cheaper than the same place between two tokens is dropped.
//
// docs/explanation/token-budgets.md has the argument.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <queue>
#include <span>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "core/costs.h"
#include "core/loop_tokens.h"
#include "core/phases.h"

namespace slm {

/// A terminal that is being read.
struct Reading {
  std::uint32_t row;  // that waits for it
  TerminalId terminal;
  NodeId node;  // what is left of it
};

class TokenCosts {
 public:
  TokenCosts(GrammarTables& grammar, TerminalTables& shared, const RowView& rows,
             const TokenPhases& phases);

  /// The fewest tokens that end one of the readings, and then the text: infinite if they are more
  /// than `limit`, nothing if that is too much work. Begins between two tokens. Never too high; too
  /// low only where a promise that a terminal was the longest possible forbids the way.
  ///
  /// Cost: what has to be looked at grows with the limit, and is looked at once.
  std::optional<Cost> cost(std::span<const Reading> readings, Cost limit);

  /// Where a reading is in a loop: sets the bits of the tokens that stay in it, or end in what
  /// follows it in the terminal, if `limit` more tokens are enough then. The other tokens that are
  /// allowed go on in one of the phases `open`, where the terminal may be over. False, and nothing
  /// is done: not in a loop, or too much work.
  ///
  /// Cost: some sums for each number of rounds that a token can pass, and a write for each token.
  bool fill_loop(const Reading& reading, Cost limit, std::span<std::uint32_t> row,
                 std::vector<Phase>& open);

  /// Where a reading is in a loop that is far from over: so many tokens end the text after any
  /// token that stays, if `plain` do after the terminal; infinite where that is not easily told.
  Cost enough_in_loop(const Reading& reading, Cost plain);

  /// Lifts the bounds on work.
  void unlimit() noexcept { limited_ = false; }
  std::size_t bytes() const noexcept;

  static constexpr std::uint64_t kMaxVisits = 4'000'000;  // trie nodes, for one place in a terminal
  // The same where a word comes again, each of whose nodes is a state of its own.
  static constexpr std::uint64_t kMaxEchoed = 4'000;
  static constexpr std::uint64_t kMaxTasks = 20'000'000;  // places in rules, in all
  static constexpr std::size_t kMaxLoops = 256;           // others are walked through
  static constexpr std::int64_t kFar = 64;                // rounds that no usual token passes

 private:
  using ContextId = std::uint32_t;
  using PlaceId = std::uint32_t;  // a position and a count

  struct Exit {
    Phase phase;
    std::uint32_t cost;
  };
  /// What one token can do from a place in a terminal.
  struct Walk {
    std::vector<Phase> open;  // the terminal ends here, the token does not
    // What is left of the terminal where a token ends, and by how many phases it is reached.
    std::vector<std::pair<NodeId, std::uint32_t>> next;
    std::uint64_t visits = 0;
  };
  /// How a terminal can be finished, whatever follows.
  struct Summary {
    std::vector<Exit> exits;
    bool exact = true;
  };
  /// A place in a loop, and the rounds that are still to come there.
  struct LoopPlace {
    LoopTokens* loop;
    LoopTokens::Place at;
    std::int64_t low, high;  // of which the second may be kNoBound
  };
  /// A summary while it is made.
  struct Ways {
    struct InLoop {
      LoopTokens* loop;
      std::vector<std::pair<LoopPlace, std::uint32_t>> sources;  // and their costs
      std::vector<std::vector<std::uint32_t>> exits;  // by place, and its exits there: the costs
    };
    std::vector<std::vector<NodeId>> levels;            // by cost
    std::unordered_map<NodeId, std::uint32_t> reached;  // with the least cost so far
    std::unordered_map<Phase, std::uint32_t> exits;
    std::uint32_t between = kNever;
    std::vector<InLoop> loops;
    std::uint64_t visits = 0;

    void add(NodeId node, std::uint32_t cost) {
      auto [known, fresh] = reached.try_emplace(node, cost);
      if (!fresh && known->second <= cost) return;
      known->second = cost;
      if (levels.size() <= cost) levels.resize(cost + 1);
      levels[cost].push_back(node);
    }
  };
  /// A number of tokens that is right if it is at most `horizon`, and more than that otherwise.
  struct Known {
    Cost cost = kInfiniteCost, horizon = 0;
    bool made = false;
  };
  /// What is known of the ways on from a terminal that ends in a row, and how a loop leads there.
  struct AfterLoop {
    Known plain;  // between two tokens
    std::vector<std::vector<Known>>
        exits;  // by place, and its exits there: the best of their phases
    std::unordered_map<NodeId, Known> tail;  // by what is left of the terminal
  };
  /// How a rule can be finished from one place in it, begun in one phase.
  struct Context {
    PlaceId first;
    std::uint32_t worst;                                       // the worst detour of its exits
    std::unordered_map<std::uint64_t, std::uint32_t> reached;  // (place, phase)
    std::unordered_map<Phase, std::uint32_t> exits;
    std::unordered_map<std::uint64_t, std::uint32_t>
        callers;                     // (context, place after): cost before
    std::uint32_t between = kNever;  // the cost of the exit between two tokens
    bool exact = true;
  };
  struct Task {
    std::uint32_t cost;
    ContextId context;
    PlaceId place;
    Phase phase;
    bool returns;  // from a call, to be entered at the caller's
    bool silent;   // nothing was read since the place before
    bool operator<(const Task& other) const noexcept { return cost > other.cost; }
  };
  static constexpr std::uint32_t kNever = 0xFFFFFFFFu;
  static constexpr PlaceId kLeaves = 0xFFFFFFFFu;  // instead of a place: the end of the rule

  void measure_ends();
  ByteSet last_bytes(TerminalId terminal);
  const Walk& walk(NodeId node, Phase phase);
  void walk_difference(NodeId narrow, NodeId wide, Phase begun, Walk& walk);
  bool spells(NodeId node, std::string_view bytes);
  const Summary& summary(NodeId node, Phase phase);
  const LoopPlace* loop_place(NodeId node);
  LoopTokens* loop_tokens(const RegexPool::Loop& loop);
  bool pass_loop(const LoopPlace& place, std::uint32_t cost, Ways& ways);
  void leave_loops(Ways& ways) const;
  AfterLoop& after_loop(std::uint32_t row, TerminalId terminal, LoopTokens* loop);
  Cost from_loop(const Reading& reading, const LoopPlace& place, AfterLoop& after, Cost limit,
                 Cost enough);
  template <class Find>
  Cost know(Known& known, Find find);
  Cost least_of(std::span<const Reading> readings, Cost limit);
  Cost after_terminal(const Reading& reading, std::span<const Exit> exits);
  Cost after_tail(const Reading& reading, NodeId left, AfterLoop& after);
  PlaceId place(PositionId position, std::uint32_t count);
  ContextId context(PlaceId first, Phase phase);
  void reach(ContextId context, PlaceId place, Phase phase, std::uint32_t cost,
             bool silent = false);
  void leave(ContextId context, Phase phase, std::uint32_t cost);
  void call(ContextId caller, ContextId called, PlaceId after, std::uint32_t cost);
  void doubt(ContextId context);
  void run(const Task& task);
  void solve();
  void aim(Cost limit);
  bool useless(std::uint32_t cost, Phase phase, std::uint32_t between) const noexcept {
    return phase != kBetween && between != kNever && cost + 1 >= between + phases_.detour(phase);
  }
  std::uint32_t site(std::uint32_t row, RuleId rule);
  template <class Edge, class End>
  void leave_item(const StackItem& item, Phase phase, Cost cost, Edge edge, End end);

  GrammarTables& grammar_;
  TerminalTables& shared_;  // its lock is held for one walk through the trie at most
  RegexPool& regexes_;
  const RowView& rows_;
  const TokenPhases& phases_;
  std::vector<std::uint32_t> worst_;  // by rule: the worst detour of a phase at its end
  std::unordered_map<std::uint64_t, Walk> walks_;                         // (node, phase)
  std::unordered_map<std::uint64_t, Summary> summaries_;                  // (node, phase)
  std::unordered_map<std::uint64_t, std::unique_ptr<LoopTokens>> loops_;  // (body, tail)
  std::unordered_map<NodeId, LoopPlace> loop_places_;                     // without a loop: in none
  std::unordered_map<std::uint64_t, std::unordered_map<LoopTokens*, AfterLoop>> after_loops_;
  std::unordered_map<std::uint64_t, PlaceId> place_ids_;
  std::vector<std::pair<PositionId, std::uint32_t>> places_;
  std::unordered_map<std::uint64_t, ContextId> context_ids_;  // (place, phase)
  std::vector<Context> contexts_;
  std::priority_queue<Task> tasks_;
  std::unordered_map<std::uint64_t, std::uint32_t> site_ids_;
  std::vector<std::pair<std::uint32_t, RuleId>> sites_;
  std::unordered_map<std::uint64_t, Cost> known_;  // (site, phase)
  std::uint64_t tasks_done_ = 0;
  Cost horizon_ = 0;   // ways of more tokens are not looked at now
  Cost known_to_ = 0;  // distances in `known_` that are not more than this are right
  bool limited_ = true;
  bool exact_ = true;   // nothing that was asked for so far was too much work
  bool doubt_ = false;  // something that is asked for now is
};

}  // namespace slm

// How far a place in the grammar is from the end of the text, in bytes.
//
// Three sums: from a place in a terminal to the terminal's end (`RegexPool::least`), from a place
// in a rule to the rule's end, and from the end of a rule, through the rows that wait for it, to
// the end of the text. The first two belong to the grammar; the third to the rows, and is
// remembered by (row, rule).
//
// Source: Knuth (1977), "A generalization of Dijkstra's algorithm", for the rules.
#pragma once

#include <cstdint>
#include <unordered_map>
#include <vector>

#include "core/cost.h"
#include "core/grammar.h"
#include "core/regex.h"

namespace slm {

/// An item of a row, as far as costs are concerned: where in which rule, and where that began.
struct StackItem {
  PositionId position;
  std::uint32_t count;   // rounds done, at a counted position
  std::uint32_t origin;  // a row
};

/// All that costs need to know about rows.
class RowView {
 public:
  virtual ~RowView() = default;
  /// Appends the items that stand after the terminal when it ends in a row that waits for it.
  virtual void after_terminal(std::uint32_t row, TerminalId terminal,
                              std::vector<StackItem>& items) const = 0;
  /// The same for a rule that began in the row.
  virtual void after_rule(std::uint32_t row, RuleId rule, std::vector<StackItem>& items) const = 0;
};

/// Least bytes. A promise that a terminal was the longest possible is not looked at: then the true
/// cost may be higher.
class ByteCosts {
 public:
  ByteCosts(GrammarTables& grammar, TerminalTables& shared, const RowView& rows);

  /// From the end of a terminal that a row waits for to the end of the text.
  Cost after_terminal(std::uint32_t row, TerminalId terminal);

  /// From a position, after `count` rounds if it is a counted one, to the end of its rule.
  Cost to_rule_end(PositionId position, std::uint32_t count) const;

 private:
  void measure_terminals(TerminalTables& shared);
  void measure_rules();
  Cost after_rule(std::uint32_t row, RuleId rule);
  Cost symbol_cost(const Position& position) const;

  GrammarTables& grammar_;
  const RowView& rows_;
  std::vector<Cost> terminals_;  // a text that is not empty; of those that rules name
  std::vector<Cost> ends_;       // by position
  std::unordered_map<std::uint64_t, Cost> sites_, terminal_sites_;
};

/// Shortest ways through a graph that is found while it is walked.
///
/// `expand(node, edge, end)` calls `edge(other, cost)` and `end(cost)` for all ways out of a node.
/// `known` has the distances of nodes that were solved before, and has those of all nodes that can
/// be reached from `start` afterwards.
/// Cost: O(E log V) of what is new.
template <class Expand>
void solve_distances(std::vector<std::uint64_t> start, Expand expand,
                     std::unordered_map<std::uint64_t, Cost>& known) {
  struct Edge {
    std::uint32_t from;
    Cost cost;
  };
  std::vector<std::uint64_t> fresh;
  std::vector<std::vector<Edge>> into;
  std::vector<Cost> best;
  std::unordered_map<std::uint64_t, std::uint32_t> index;
  auto number = [&](std::uint64_t node) {
    auto [at, is_new] = index.try_emplace(node, static_cast<std::uint32_t>(fresh.size()));
    if (is_new) {
      fresh.push_back(node);
      into.emplace_back();
      best.push_back(kInfiniteCost);
    }
    return at->second;
  };
  for (std::uint64_t node : start) {
    if (!known.contains(node)) number(node);
  }
  for (std::uint32_t at = 0; at < fresh.size(); ++at) {
    auto edge = [&](std::uint64_t other, Cost cost) {
      if (auto found = known.find(other); found != known.end()) {
        best[at] = std::min(best[at], add_costs(cost, found->second));
      } else {
        std::uint32_t to = number(other);
        into[to].push_back({at, cost});
      }
    };
    expand(fresh[at], edge, [&](Cost cost) { best[at] = std::min(best[at], cost); });
  }
  using Entry = std::pair<Cost, std::uint32_t>;
  std::vector<Entry> heap;
  auto later = [](const Entry& x, const Entry& y) { return x.first > y.first; };
  auto push = [&](std::uint32_t at) {
    heap.emplace_back(best[at], at);
    std::push_heap(heap.begin(), heap.end(), later);
  };
  for (std::uint32_t at = 0; at < fresh.size(); ++at) {
    if (best[at] < kInfiniteCost) push(at);
  }
  while (!heap.empty()) {
    std::pop_heap(heap.begin(), heap.end(), later);
    auto [cost, at] = heap.back();
    heap.pop_back();
    if (cost > best[at]) continue;
    for (const Edge& edge : into[at]) {
      Cost through = add_costs(cost, edge.cost);
      if (through < best[edge.from]) {
        best[edge.from] = through;
        push(edge.from);
      }
    }
  }
  for (std::uint32_t at = 0; at < fresh.size(); ++at) known.emplace(fresh[at], best[at]);
}

}  // namespace slm

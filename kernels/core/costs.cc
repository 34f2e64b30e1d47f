#include "core/costs.h"

#include <algorithm>
#include <queue>

namespace slm {
namespace {

std::uint64_t pair_key(std::uint32_t row, std::uint32_t symbol) noexcept {
  return (std::uint64_t{row} << 32) | symbol;
}

}  // namespace

ByteCosts::ByteCosts(GrammarTables& grammar, TerminalTables& shared, const RowView& rows)
    : grammar_(grammar), rows_(rows) {
  grammar_.open_all();
  measure_terminals(shared);
  measure_rules();
}

void ByteCosts::measure_terminals(TerminalTables& shared) {
  terminals_.assign(grammar_.terminals(), kInfiniteCost);
  std::vector<bool> measured(grammar_.terminals());
  for (PositionId p = 0; p < grammar_.positions(); ++p) {
    const Position& position = grammar_.position(p);
    if (position.symbol_kind != Position::Symbol::kTerminal || measured[position.symbol]) continue;
    measured[position.symbol] = true;
    std::lock_guard lock(shared.mutex);
    NodeId language = grammar_.language_locked(position.symbol);
    terminals_[position.symbol] = shared.pool.least_more(language).length;
  }
}

Cost ByteCosts::symbol_cost(const Position& position) const {
  return position.symbol_kind == Position::Symbol::kTerminal
             ? terminals_[position.symbol]
             : ends_[grammar_.rule(position.symbol).first];
}

/// Positions are settled in the order of their cost. A position that waits for a symbol can be
/// settled once both the symbol's rule and the position after it are.
void ByteCosts::measure_rules() {
  std::size_t count = grammar_.positions();
  ends_.assign(count, kInfiniteCost);
  // The positions before each, as chains: one list for all of them is one allocation.
  struct Before {
    PositionId position;
    std::uint32_t next;
  };
  std::vector<Before> before{{0, 0}};
  before.reserve(2 * count + 1);
  std::vector<std::uint32_t> silent_before(count), symbol_before(count);
  std::vector<std::uint32_t> callers(grammar_.rules());
  auto add = [&](std::uint32_t& chain, PositionId position) {
    before.push_back({position, chain});
    chain = static_cast<std::uint32_t>(before.size() - 1);
  };
  std::vector<RuleId> begins(count, static_cast<RuleId>(grammar_.rules()));
  using Entry = std::pair<Cost, PositionId>;
  std::priority_queue<Entry, std::vector<Entry>, std::greater<>> open;
  auto push = [&](Cost cost, PositionId position) {
    if (cost < ends_[position]) open.push({cost, position});
  };
  for (PositionId p = 0; p < count; ++p) {
    const Position& position = grammar_.position(p);
    for (std::uint32_t e = position.silent; e != 0; e = grammar_.silent(e).next) {
      add(silent_before[grammar_.silent(e).to], p);
    }
    if (position.symbol_kind != Position::Symbol::kNone && position.target != p) {
      add(symbol_before[position.target], p);
    }
    if (position.symbol_kind == Position::Symbol::kRule) add(callers[position.symbol], p);
    if (position.final && (!position.counted || position.low == 0)) push(0, p);
    if (position.counted && position.symbol_kind == Position::Symbol::kTerminal) {
      push(times(static_cast<Cost>(position.low), terminals_[position.symbol]), p);
    }
  }
  for (RuleId rule = 0; rule < grammar_.rules(); ++rule) begins[grammar_.rule(rule).first] = rule;
  auto try_symbol = [&](PositionId p) {
    const Position& position = grammar_.position(p);
    if (position.symbol_kind == Position::Symbol::kNone) return;
    Cost symbol = symbol_cost(position);
    push(position.counted ? times(static_cast<Cost>(position.low), symbol)
                          : add_costs(symbol, ends_[position.target]),
         p);
  };
  while (!open.empty()) {
    auto [cost, p] = open.top();
    open.pop();
    if (cost >= ends_[p]) continue;
    ends_[p] = cost;
    for (std::uint32_t at = silent_before[p]; at != 0; at = before[at].next) {
      push(cost, before[at].position);
    }
    for (std::uint32_t at = symbol_before[p]; at != 0; at = before[at].next) {
      try_symbol(before[at].position);
    }
    if (begins[p] == grammar_.rules()) continue;
    for (std::uint32_t at = callers[begins[p]]; at != 0; at = before[at].next) {
      try_symbol(before[at].position);
    }
  }
}

Cost ByteCosts::to_rule_end(PositionId at, std::uint32_t count) const {
  const Position& position = grammar_.position(at);
  if (!position.counted) return ends_[at];
  Cost low = static_cast<Cost>(position.low);
  return count >= low ? 0 : times(low - count, symbol_cost(position));
}

Cost ByteCosts::after_rule(std::uint32_t row, RuleId rule) {
  std::uint64_t key = pair_key(row, rule);
  if (auto found = sites_.find(key); found != sites_.end()) return found->second;
  std::vector<StackItem> items;
  auto expand = [&](std::uint64_t site, auto edge, auto end) {
    items.clear();
    rows_.after_rule(static_cast<std::uint32_t>(site >> 32), static_cast<RuleId>(site), items);
    for (const StackItem& item : items) {
      Cost cost = to_rule_end(item.position, item.count);
      RuleId outer = grammar_.position(item.position).rule;
      if (outer == grammar_.start()) {
        end(cost);
      } else {
        edge(pair_key(item.origin, outer), cost);
      }
    }
  };
  solve_distances({key}, expand, sites_);
  return sites_.at(key);
}

Cost ByteCosts::after_terminal(std::uint32_t row, TerminalId terminal) {
  std::uint64_t key = pair_key(row, terminal);
  if (auto found = terminal_sites_.find(key); found != terminal_sites_.end()) return found->second;
  std::vector<StackItem> items;
  rows_.after_terminal(row, terminal, items);
  Cost best = kInfiniteCost;
  for (const StackItem& item : items) {
    RuleId rule = grammar_.position(item.position).rule;
    Cost cost = to_rule_end(item.position, item.count);
    if (rule != grammar_.start()) cost = add_costs(cost, after_rule(item.origin, rule));
    best = std::min(best, cost);
  }
  terminal_sites_.emplace(key, best);
  return best;
}

}  // namespace slm

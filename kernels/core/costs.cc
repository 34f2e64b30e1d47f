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
  std::vector<std::vector<PositionId>> silent_before(count), symbol_before(count);
  std::vector<std::vector<PositionId>> callers(grammar_.rules());
  std::vector<RuleId> begins(count, static_cast<RuleId>(grammar_.rules()));
  using Entry = std::pair<Cost, PositionId>;
  std::priority_queue<Entry, std::vector<Entry>, std::greater<>> open;
  for (PositionId p = 0; p < count; ++p) {
    const Position& position = grammar_.position(p);
    for (std::uint32_t e = position.silent; e != 0; e = grammar_.silent(e).next) {
      silent_before[grammar_.silent(e).to].push_back(p);
    }
    if (position.symbol_kind != Position::Symbol::kNone && position.target != p) {
      symbol_before[position.target].push_back(p);
    }
    if (position.symbol_kind == Position::Symbol::kRule) callers[position.symbol].push_back(p);
    if (position.final && (!position.counted || position.low == 0)) open.push({0, p});
    if (position.counted && position.symbol_kind == Position::Symbol::kTerminal) {
      open.push({times(static_cast<Cost>(position.low), terminals_[position.symbol]), p});
    }
  }
  for (RuleId rule = 0; rule < grammar_.rules(); ++rule) begins[grammar_.rule(rule).first] = rule;
  auto try_symbol = [&](PositionId p) {
    const Position& position = grammar_.position(p);
    if (position.symbol_kind == Position::Symbol::kNone) return;
    Cost symbol = symbol_cost(position);
    Cost cost = position.counted ? times(static_cast<Cost>(position.low), symbol)
                                 : add_costs(symbol, ends_[position.target]);
    if (cost < kInfiniteCost) open.push({cost, p});
  };
  std::vector<bool> settled(count, false);
  while (!open.empty()) {
    auto [cost, p] = open.top();
    open.pop();
    if (settled[p] || cost >= kInfiniteCost) continue;
    settled[p] = true;
    ends_[p] = cost;
    for (PositionId earlier : silent_before[p]) open.push({cost, earlier});
    for (PositionId earlier : symbol_before[p]) try_symbol(earlier);
    if (begins[p] < grammar_.rules()) {
      for (PositionId caller : callers[begins[p]]) try_symbol(caller);
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

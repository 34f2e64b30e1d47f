#include "core/predictions.h"

#include <bit>

namespace slm {

/// A symbol that may be empty is also passed over at once (Aycock and Horspool).
const Predictions::Opening& Predictions::opening(RuleId rule) {
  RuleInfo info = grammar_.open(rule);
  if (rule >= openings_.size()) openings_.resize(std::max<std::size_t>(rule + 1, grammar_.rules()));
  if (openings_[rule].known) return openings_[rule];
  Opening made;
  made.known = true;
  std::vector<PositionId> todo{info.first}, seen;
  while (!todo.empty()) {
    PositionId at = todo.back();
    todo.pop_back();
    if (std::ranges::find(seen, at) != seen.end()) continue;
    seen.push_back(at);
    const Position position = grammar_.position(at);
    for (std::uint32_t e = position.silent; e != 0; e = grammar_.silent(e).next) {
      todo.push_back(grammar_.silent(e).to);
    }
    if (position.symbol_kind == Position::Symbol::kNone) continue;
    Awaited awaited{position.symbol, position.target, 0};
    if (position.counted) {
      if (position.high == 0) continue;
      // Past its lower bound a count without an upper one does not matter any more.
      awaited.count = position.high == kNoBound && position.low <= 0 ? 0 : 1;
    }
    if (position.symbol_kind == Position::Symbol::kTerminal) {
      made.terminals.push_back(awaited);
      continue;
    }
    made.rules.push_back(awaited);
    if (grammar_.rule(position.symbol).nullable && !position.counted) todo.push_back(position.target);
  }
  for (std::vector<Awaited>* waits : {&made.terminals, &made.rules}) {
    std::ranges::sort(*waits);
    waits->erase(std::unique(waits->begin(), waits->end()), waits->end());
    waits->shrink_to_fit();
    bytes_ += waits->size() * sizeof(Awaited);
  }
  bytes_ += sizeof(Opening);
  opened_.push_back(rule);
  return openings_[rule] = std::move(made);
}

Predictions::SetId Predictions::predict(std::span<const RuleId> called) {
  SetId id = called_.intern(called);
  if (id < sets_.size()) return id;
  ++round_;
  std::vector<RuleId> todo(called.begin(), called.end()), met;
  std::size_t waits = 0;
  while (!todo.empty()) {
    RuleId rule = todo.back();
    todo.pop_back();
    if (rule >= visited_.size()) visited_.resize(std::max<std::size_t>(rule + 1, grammar_.rules()));
    if (visited_[rule] == round_) continue;
    visited_[rule] = round_;
    met.push_back(rule);
    const Opening& own = opening(rule);
    waits += own.terminals.size() + own.rules.size();
    for (const Awaited& next : own.rules) todo.push_back(next.symbol);
  }
  Set set;
  set.large = waits > kLarge;
  if (set.large) {
    index_openings();
    auto [first, last] = std::ranges::minmax(met);
    set.base = first / 64 * 64;
    set.members.resize((last - set.base) / 64 + 1);
    for (RuleId rule : met) {
      set.members[(rule - set.base) / 64] |= std::uint64_t{1} << (rule - set.base) % 64;
    }
  } else {
    for (RuleId rule : met) {
      const Opening& own = openings_[rule];
      set.terminals.insert(set.terminals.end(), own.terminals.begin(), own.terminals.end());
      set.rules.insert(set.rules.end(), own.rules.begin(), own.rules.end());
    }
    std::ranges::sort(set.terminals);
    std::ranges::sort(set.rules);
  }
  bytes_ += sizeof(Set) + set.members.size() * 8;
  bytes_ += (set.terminals.size() + set.rules.size()) * sizeof(Awaited);
  sets_.push_back(std::move(set));
  return id;
}

void Predictions::index_openings() {
  begins_with_terminal_.resize(grammar_.terminals());
  if (begins_with_rule_.size() < grammar_.rules()) begins_with_rule_.resize(grammar_.rules());
  auto add = [](std::vector<std::vector<RuleId>>& index, std::vector<Awaited>& waits, RuleId rule) {
    for (std::size_t i = 0; i < waits.size(); ++i) {
      if (i == 0 || waits[i].symbol != waits[i - 1].symbol) index[waits[i].symbol].push_back(rule);
    }
  };
  for (; indexed_ < opened_.size(); ++indexed_) {
    RuleId rule = opened_[indexed_];
    add(begins_with_terminal_, openings_[rule].terminals, rule);
    add(begins_with_rule_, openings_[rule].rules, rule);
  }
}

void Predictions::terminals(SetId id, std::vector<TerminalId>& found) {
  const Set& set = sets_[id];
  auto add = [&](const std::vector<Awaited>& waits) {
    for (const Awaited& wait : waits) found.push_back(wait.symbol);
  };
  if (!set.large) {
    add(set.terminals);  // sorted
  } else {
    for (std::size_t w = 0; w < set.members.size(); ++w) {
      for (std::uint64_t rest = set.members[w]; rest != 0; rest &= rest - 1) {
        std::size_t at = w * 64 + static_cast<std::size_t>(std::countr_zero(rest));
        add(openings_[set.base + at].terminals);
      }
    }
    std::ranges::sort(found);
  }
  found.erase(std::unique(found.begin(), found.end()), found.end());
}

}  // namespace slm

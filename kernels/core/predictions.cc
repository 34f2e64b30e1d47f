#include "core/predictions.h"

#include <bit>

namespace slm {
namespace {

constexpr std::size_t kFew = 16;  // what nearly every grammar waits for

}  // namespace

/// A symbol that may be empty is also passed over at once (Aycock and Horspool).
Predictions::Opening Predictions::opening(RuleId rule) {
  RuleInfo info = grammar_.open(rule);
  if (rule >= openings_.size()) openings_.resize(std::max<std::size_t>(rule + 1, grammar_.rules()));
  if (openings_[rule].begin != kUnknown) return openings_[rule];
  if (waits_.empty()) {
    waits_.reserve(kFew);
    positions_.reserve(kFew);
    rules_.reserve(kFew);
    opened_.reserve(kFew);
    todo_.reserve(kFew);
    met_.reserve(kFew);
  }
  Opening made;
  made.begin = static_cast<std::uint32_t>(waits_.size());
  positions_.assign({info.first});
  rules_.clear();
  if (passed_.size() < grammar_.positions()) passed_.resize(grammar_.positions());
  while (!positions_.empty()) {
    PositionId at = positions_.back();
    positions_.pop_back();
    if (passed_[at] == rule + 1) continue;
    passed_[at] = rule + 1;
    const Position& position = grammar_.position(at);
    for (std::uint32_t e = position.silent; e != 0; e = grammar_.silent(e).next) {
      positions_.push_back(grammar_.silent(e).to);
    }
    if (position.symbol_kind == Position::Symbol::kNone) continue;
    Awaited awaited{position.symbol, position.target, 0};
    if (position.counted) {
      if (position.high == 0) continue;
      // Past its lower bound a count without an upper one does not matter any more.
      awaited.count = position.high == kNoBound && position.low <= 0 ? 0 : 1;
    }
    if (position.symbol_kind == Position::Symbol::kTerminal) {
      waits_.push_back(awaited);
      continue;
    }
    rules_.push_back(awaited);
    bool pass = grammar_.rule(position.symbol).nullable && !position.counted;
    if (pass) positions_.push_back(position.target);
  }
  auto settle = [&](std::size_t from) {
    auto begin = waits_.begin() + static_cast<std::ptrdiff_t>(from);
    std::sort(begin, waits_.end());
    waits_.erase(std::unique(begin, waits_.end()), waits_.end());
    return static_cast<std::uint32_t>(waits_.size());
  };
  made.middle = settle(made.begin);
  waits_.insert(waits_.end(), rules_.begin(), rules_.end());
  made.end = settle(made.middle);
  opened_.push_back(rule);
  return openings_[rule] = made;
}

Predictions::SetId Predictions::predict(std::span<const RuleId> called) {
  SetId id = called_.intern(called);
  if (id < sets_.size()) return id;
  ++round_;
  std::vector<RuleId>&todo = todo_, &met = met_;
  met.clear();
  todo.assign(called.begin(), called.end());
  std::size_t waits = 0;
  while (!todo.empty()) {
    RuleId rule = todo.back();
    todo.pop_back();
    if (rule >= visited_.size()) visited_.resize(std::max<std::size_t>(rule + 1, grammar_.rules()));
    if (visited_[rule] == round_) continue;
    visited_[rule] = round_;
    met.push_back(rule);
    Opening own = opening(rule);
    waits += own.end - own.begin;
    for (const Awaited& next : rules_of(own)) todo.push_back(next.symbol);
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
    set.terminals.reserve(waits);
    set.rules.reserve(waits);
    for (RuleId rule : met) {
      Waits terminals = terminals_of(openings_[rule]), rules = rules_of(openings_[rule]);
      set.terminals.insert(set.terminals.end(), terminals.begin(), terminals.end());
      set.rules.insert(set.rules.end(), rules.begin(), rules.end());
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
  with_terminal_.resize(grammar_.terminals());
  if (with_rule_.size() < grammar_.rules()) with_rule_.resize(grammar_.rules());
  for (; indexed_ < opened_.size(); ++indexed_) {
    RuleId rule = opened_[indexed_];
    link(with_terminal_, terminals_of(openings_[rule]), rule);
    link(with_rule_, rules_of(openings_[rule]), rule);
  }
}

void Predictions::link(std::vector<std::uint32_t>& heads, Waits waits, RuleId rule) {
  for (std::size_t i = 0; i < waits.size(); ++i) {
    if (i > 0 && waits[i].symbol == waits[i - 1].symbol) continue;
    std::uint32_t& head = heads[waits[i].symbol];
    links_.push_back({rule, head});
    head = static_cast<std::uint32_t>(links_.size() - 1);
  }
}

void Predictions::terminals(SetId id, std::vector<TerminalId>& found) {
  const Set& set = sets_[id];
  auto add = [&](Waits waits) {
    for (const Awaited& wait : waits) found.push_back(wait.symbol);
  };
  if (!set.large) {
    add(set.terminals);  // sorted
  } else {
    for (std::size_t w = 0; w < set.members.size(); ++w) {
      for (std::uint64_t rest = set.members[w]; rest != 0; rest &= rest - 1) {
        std::size_t at = w * 64 + static_cast<std::size_t>(std::countr_zero(rest));
        add(terminals_of(openings_[set.base + at]));
      }
    }
    std::ranges::sort(found);
  }
  found.erase(std::unique(found.begin(), found.end()), found.end());
}

}  // namespace slm

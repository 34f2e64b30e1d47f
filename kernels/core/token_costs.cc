#include "core/token_costs.h"

#include <algorithm>

namespace slm {
namespace {

std::uint64_t pair_key(std::uint32_t high, std::uint32_t low) noexcept {
  return (std::uint64_t{high} << 32) | low;
}

}  // namespace

TokenCosts::TokenCosts(GrammarTables& grammar, TerminalTables& shared, const RowView& rows,
                       const TokenPhases& phases)
    : grammar_(grammar), shared_(shared), regexes_(shared.pool), rows_(rows), phases_(phases) {
  grammar_.open_all();
  measure_ends();
}

/// The bytes that the texts of a rule can end with, from the rules they end with: a fixpoint.
void TokenCosts::measure_ends() {
  // Where the rest of the rule can be empty: the symbol before is the last one then.
  std::vector<bool> ends_empty(grammar_.positions());
  std::vector<std::vector<PositionId>> before(grammar_.positions());
  std::vector<PositionId> todo;
  for (PositionId p = 0; p < grammar_.positions(); ++p) {
    const Position& position = grammar_.position(p);
    for (std::uint32_t e = position.silent; e != 0; e = grammar_.silent(e).next) {
      before[grammar_.silent(e).to].push_back(p);
    }
    bool skips =
        position.symbol_kind == Position::Symbol::kRule && grammar_.rule(position.symbol).nullable;
    if (skips) before[position.target].push_back(p);
    if (position.final) todo.push_back(p);
  }
  while (!todo.empty()) {
    PositionId p = todo.back();
    todo.pop_back();
    if (ends_empty[p]) continue;
    ends_empty[p] = true;
    todo.insert(todo.end(), before[p].begin(), before[p].end());
  }
  std::vector<ByteSet> lasts(grammar_.rules());
  std::vector<std::pair<RuleId, RuleId>> inherits;  // a rule may end with another
  for (PositionId p = 0; p < grammar_.positions(); ++p) {
    const Position& position = grammar_.position(p);
    if (position.symbol_kind == Position::Symbol::kNone || !ends_empty[position.target]) continue;
    if (position.symbol_kind == Position::Symbol::kTerminal) {
      lasts[position.rule] |= last_bytes(position.symbol);
    } else {
      inherits.emplace_back(position.rule, position.symbol);
    }
  }
  for (bool changed = true; changed;) {
    changed = false;
    for (auto [rule, last] : inherits) {
      ByteSet more = lasts[rule] | lasts[last];
      changed = changed || more != lasts[rule];
      lasts[rule] = more;
    }
  }
  for (const ByteSet& last : lasts) worst_.push_back(phases_.worst_detour(last));
}

ByteSet TokenCosts::last_bytes(TerminalId terminal) {
  std::lock_guard lock(shared_.mutex);
  return regexes_.last_bytes(grammar_.language_locked(terminal));
}

// --- to the end of a rule ------------------------------------------------------------------------

TokenCosts::PlaceId TokenCosts::place(PositionId position, std::uint32_t count) {
  auto [slot, fresh] =
      place_ids_.try_emplace(pair_key(position, count), static_cast<PlaceId>(places_.size()));
  if (fresh) places_.emplace_back(position, count);
  return slot->second;
}

TokenCosts::ContextId TokenCosts::context(PlaceId first, Phase phase) {
  auto [slot, fresh] =
      context_ids_.try_emplace(pair_key(first, phase), static_cast<ContextId>(contexts_.size()));
  if (fresh) {
    Context& made = contexts_.emplace_back();
    made.first = first;
    made.worst = worst_[grammar_.position(places_[first].first).rule];
    reach(slot->second, first, phase, 0);
  }
  return slot->second;
}

void TokenCosts::reach(ContextId id, PlaceId place, Phase phase, std::uint32_t cost, bool silent) {
  Context& context = contexts_[id];
  std::uint64_t key = pair_key(place, phase);
  auto known = context.reached.find(key);
  if (known != context.reached.end() && known->second <= cost) return;
  if (phase != kBetween) {
    auto plain = context.reached.find(pair_key(place, kBetween));
    if (plain != context.reached.end() && useless(cost, phase, plain->second)) return;
  }
  context.reached[key] = cost;
  tasks_.push({cost, id, place, phase, false, silent});
}

void TokenCosts::leave(ContextId id, Phase phase, std::uint32_t cost) {
  Context& context = contexts_[id];
  if (useless(cost, phase, context.between)) return;
  auto [known, fresh] = context.exits.try_emplace(phase, cost);
  if (!fresh && known->second <= cost) return;
  known->second = cost;
  if (phase == kBetween) context.between = cost;
  for (auto [caller, before] : contexts_[id].callers) {
    PlaceId after = static_cast<PlaceId>(caller);
    tasks_.push({before + cost, static_cast<ContextId>(caller >> 32), after, phase, true, false});
  }
}

/// Lets all exits of a context be ways on for another one, after what that has spent already.
void TokenCosts::call(ContextId caller, ContextId called, PlaceId after, std::uint32_t cost) {
  Context& context = contexts_[called];
  auto [known, fresh] = context.callers.try_emplace(pair_key(caller, after), cost);
  if (!fresh && known->second <= cost) return;
  known->second = cost;
  for (auto [phase, more] : context.exits)
    tasks_.push({cost + more, caller, after, phase, true, false});
  if (!context.exact) doubt(caller);
}

/// The exits of a context may be incomplete, and so those of everyone who calls it.
void TokenCosts::doubt(ContextId id) {
  std::vector<ContextId> todo{id};
  while (!todo.empty()) {
    Context& context = contexts_[todo.back()];
    todo.pop_back();
    if (!context.exact) continue;
    context.exact = false;
    for (auto [caller, cost] : context.callers) {
      todo.push_back(static_cast<ContextId>(caller >> 32));
    }
  }
}

void TokenCosts::run(const Task& task) {
  auto [cost, id, at, phase, returns, silent] = task;
  if (returns) {  // from a call: where the caller goes on
    if (at == kLeaves) {
      leave(id, phase, cost);
    } else {
      reach(id, at, phase, cost);
    }
    return;
  }
  {
    const Context& context = contexts_[id];
    if (context.reached.at(pair_key(at, phase)) < cost) return;
    if (context.between != kNever && cost + 2 > context.between + context.worst) return;
    auto plain = context.reached.find(pair_key(at, kBetween));
    if (plain != context.reached.end() && useless(cost, phase, plain->second)) return;
  }
  auto [position_id, count] = places_[at];
  const Position& position = grammar_.position(position_id);
  bool may_end = position.final, may_loop = true;
  std::uint32_t after_count = 0;
  if (position.counted) {
    std::uint32_t low = static_cast<std::uint32_t>(position.low);
    may_end = count >= low;
    may_loop = position.high == kNoBound || count < static_cast<std::uint32_t>(position.high);
    after_count = position.high == kNoBound && count >= low ? count : count + 1;
    if (count > low) {
      // More rounds than are needed allow nothing that fewer do not.
      const auto& reached = contexts_[id].reached;
      for (std::uint32_t fewer : {low, count - 1}) {
        auto place_id = place_ids_.find(pair_key(position_id, fewer));
        if (place_id == place_ids_.end()) continue;
        auto known = reached.find(pair_key(place_id->second, phase));
        if (known != reached.end() && known->second <= cost) return;
      }
    }
  }
  if (phase == kBetween && !silent && at != contexts_[id].first) {
    // From here on it does not matter how the rule began: all who come here share the rest.
    call(id, context(at, kBetween), kLeaves, cost);
    return;
  }
  for (std::uint32_t e = position.silent; e != 0; e = grammar_.silent(e).next) {
    reach(id, place(grammar_.silent(e).to, count), phase, cost, true);
  }
  if (may_end) leave(id, phase, cost);
  if (position.symbol_kind == Position::Symbol::kNone || !may_loop) return;
  PlaceId after = place(position.target, after_count);
  if (position.symbol_kind == Position::Symbol::kTerminal) {
    const Summary& through = summary(grammar_.language(position.symbol), phase);
    if (!through.exact) doubt(id);
    for (const Exit& exit : through.exits) reach(id, after, exit.phase, cost + exit.cost);
    return;
  }
  call(id, context(place(grammar_.rule(position.symbol).first, 0), phase), after, cost);
}

void TokenCosts::solve() {
  // What has spent more already is on no way that is asked for; it stays for later.
  while (!tasks_.empty() && tasks_.top().cost <= horizon_) {
    if (limited_ && ++tasks_done_ > kMaxTasks) {
      exact_ = false;
      return;
    }
    Task task = tasks_.top();
    tasks_.pop();
    run(task);
  }
}

// --- from row to row -----------------------------------------------------------------------------

std::uint32_t TokenCosts::site(std::uint32_t row, RuleId rule) {
  auto [slot, fresh] =
      site_ids_.try_emplace(pair_key(row, rule), static_cast<std::uint32_t>(sites_.size()));
  if (fresh) sites_.emplace_back(row, rule);
  return slot->second;
}

/// All ways from an item of a row to the end of its rule, and so into the rows that wait for it.
template <class Edge, class End>
void TokenCosts::leave_item(const StackItem& item, Phase phase, Cost cost, Edge edge, End end) {
  ContextId id = context(place(item.position, item.count), phase);
  solve();
  RuleId rule = grammar_.position(item.position).rule;
  if (!contexts_[id].exact) exact_ = false;
  for (auto [left, more] : contexts_[id].exits) {
    if (rule != grammar_.start()) {
      edge(pair_key(site(item.origin, rule), left), cost + more);
    } else if (left == kBetween) {
      end(cost + more);
    }
  }
}

/// What is asked for next are ways of at most so many tokens.
void TokenCosts::aim(Cost limit) {
  doubt_ = false;
  horizon_ = limit;
  if (limit > known_to_) known_.clear();
  known_to_ = limit;  // what is added now is right so far only
}

/// From the end of a terminal in one of some phases to the end of the text.
Cost TokenCosts::after_terminal(const Reading& reading, std::span<const Exit> exits) {
  Cost best = kInfiniteCost;
  std::vector<std::pair<std::uint64_t, Cost>> ways;
  std::vector<std::uint64_t> start;
  std::vector<StackItem> items;
  auto edge = [&](std::uint64_t site, Cost cost) {
    ways.emplace_back(site, cost);
    start.push_back(site);
  };
  auto end = [&](Cost cost) { best = std::min(best, cost); };
  rows_.after_terminal(reading.row, reading.terminal, items);
  for (const Exit& exit : exits) {
    for (const StackItem& item : items) leave_item(item, exit.phase, exit.cost, edge, end);
  }
  auto expand = [&](std::uint64_t from, auto more_edge, auto more_end) {
    auto [row, rule] = sites_[from >> 32];
    std::vector<StackItem> waiting;
    rows_.after_rule(row, rule, waiting);
    for (const StackItem& item : waiting) {
      leave_item(item, static_cast<Phase>(from), 0, more_edge, more_end);
    }
  };
  solve_distances(start, expand, known_);
  for (auto [site, cost] : ways) best = std::min(best, add_costs(cost, known_.at(site)));
  return best;
}

/// The letters of a label are not searched for the way that is the shortest: as it may end after
/// any of them, few are enough. Where more would be of use, that is told by letting in any number.
std::optional<Cost> TokenCosts::cost(std::span<const Reading> readings, Cost limit) {
  aim(limit);
  std::vector<Reading> fewer(readings.begin(), readings.end()), more = fewer;
  bool labels = false;
  {
    std::lock_guard lock(shared_.mutex);
    for (std::size_t at = 0; at < readings.size(); ++at) {
      labels = labels || regexes_.has_label(readings[at].node);
      fewer[at].node = regexes_.without_labels(readings[at].node, false);
      more[at].node = regexes_.without_labels(readings[at].node, true);
    }
  }
  Cost best = least_of(fewer, limit);
  // No text is complete yet, so that one token cannot be too many.
  if (labels && best > 1 && least_of(more, limit) != best) return std::nullopt;
  if (!exact_ || doubt_) return std::nullopt;
  return best;
}

/// Infinite also where it is not found out (`exact_`, `doubt_`).
Cost TokenCosts::least_of(std::span<const Reading> readings, Cost limit) {
  Cost best = kInfiniteCost;
  for (const Reading& reading : readings) {
    if (!exact_) return kInfiniteCost;
    std::optional<LoopPlace> place;
    {
      std::lock_guard lock(shared_.mutex);
      if (const LoopPlace* found = loop_place(reading.node)) place = *found;
    }
    if (place) {
      AfterLoop& after = after_loop(reading.row, reading.terminal, place->loop);
      best = std::min(best, from_loop(reading, *place, after, limit, 0));
    } else {
      const Summary& through = summary(reading.node, kBetween);
      if (!through.exact) {
        doubt_ = true;
        return kInfiniteCost;
      }
      best = std::min(best, after_terminal(reading, through.exits));
    }
  }
  return best <= limit ? best : kInfiniteCost;
}

std::size_t TokenCosts::bytes() const noexcept {
  std::size_t reached = 0;
  for (const Context& context : contexts_) reached += context.reached.size() * 32 + 256;
  for (const auto& [key, loop] : loops_) reached += loop ? loop->bytes() : 0;
  for (const auto& [key, after] : after_loops_) reached += after.size() * 1024;
  return reached + walks_.size() * 128 + known_.size() * 32 + loop_places_.size() * 48;
}

}  // namespace slm

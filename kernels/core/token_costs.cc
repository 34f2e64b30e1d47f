#include "core/token_costs.h"

#include <algorithm>
#include <unordered_set>

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

// --- through a terminal --------------------------------------------------------------------------

/// The caller holds the lock of the expressions.
const TokenCosts::Walk& TokenCosts::walk(NodeId from, Phase begun) {
  auto [slot, fresh] = walks_.try_emplace(pair_key(from, begun));
  Walk& walk = slot->second;
  if (!fresh) return walk;
  NodeId wide = regexes_.without_exclusions(from);
  if (wide != from) {
    walk = this->walk(wide, begun);
    walk.visits = 0;
    walk_difference(from, wide, begun, walk);
    return walk;
  }
  const ByteTrie& trie = phases_.trie();
  struct Frame {
    Phase next, last;
    NodeId node;
    ByteSet follows;
  };
  auto frame = [&](Phase phase, NodeId node) {
    const ByteTrie::Node& inner = trie.nodes[phase];
    return Frame{inner.first_child, inner.last_child, node, regexes_.first_bytes(node)};
  };
  std::unordered_map<NodeId, std::uint32_t> next;
  NodeId last = kNothing;
  std::uint32_t* counter = nullptr;
  std::vector<Frame> stack{frame(begun, from)};
  while (!stack.empty()) {
    Frame& top = stack.back();
    while (top.next < top.last && !top.follows[trie.bytes[top.next]]) ++top.next;
    if (top.next == top.last) {
      stack.pop_back();
      continue;
    }
    Phase phase = top.next++;
    ++walk.visits;
    NodeId node = regexes_.step(top.node, trie.bytes[phase]);
    if (node != top.node && (node == kNothing || !regexes_.alive(node))) continue;
    if (phases_.ends_token(phase)) {
      if (node != last) counter = &next[last = node];
      ++*counter;
    }
    if (!phases_.goes_on(phase)) continue;
    if (regexes_.nullable(node)) walk.open.push_back(phase);
    stack.push_back(frame(phase, node));
  }
  walk.next.assign(next.begin(), next.end());
  std::sort(walk.next.begin(), walk.next.end());
  std::sort(walk.open.begin(), walk.open.end());
  return walk;
}

/// Corrects the walk of `wide` where `narrow`, the same with exclusions, is another: only on the
/// paths of what is excluded.
void TokenCosts::walk_difference(NodeId narrow, NodeId wide, Phase begun, Walk& walk) {
  const ByteTrie& trie = phases_.trie();
  struct Frame {
    Phase next, last;
    NodeId narrow, wide;
    ByteSet differ;
  };
  auto frame = [&](Phase phase, NodeId less, NodeId more) {
    const ByteTrie::Node& inner = trie.nodes[phase];
    bool known = less != kNothing && regexes_.without_exclusions(less) == more;
    ByteSet differ = known ? regexes_.exclusion_bytes(less) : ByteSet{}.set();
    return Frame{inner.first_child, inner.last_child, less, more, differ};
  };
  auto step = [&](NodeId node, std::uint8_t byte) {
    if (node == kNothing) return kNothing;
    NodeId next = regexes_.step(node, byte);
    return next != kNothing && regexes_.alive(next) ? next : kNothing;
  };
  std::unordered_map<NodeId, std::uint32_t> next(walk.next.begin(), walk.next.end());
  std::vector<Phase> closed, opened;
  std::vector<Frame> stack{frame(begun, narrow, wide)};
  while (!stack.empty()) {
    Frame& top = stack.back();
    while (top.next < top.last && !top.differ[trie.bytes[top.next]]) ++top.next;
    if (top.next == top.last) {
      stack.pop_back();
      continue;
    }
    Phase phase = top.next++;
    ++walk.visits;
    NodeId less = step(top.narrow, trie.bytes[phase]), more = step(top.wide, trie.bytes[phase]);
    if (less == more) continue;
    if (phases_.ends_token(phase)) {
      if (more != kNothing && --next[more] == 0) next.erase(more);
      if (less != kNothing) ++next[less];
    }
    if (!phases_.goes_on(phase)) continue;
    bool before = regexes_.nullable(more), now = regexes_.nullable(less);
    if (before && !now) closed.push_back(phase);
    if (now && !before) opened.push_back(phase);
    stack.push_back(frame(phase, less, more));
  }
  std::sort(closed.begin(), closed.end());
  std::erase_if(walk.open, [&](Phase p) { return std::ranges::binary_search(closed, p); });
  walk.open.insert(walk.open.end(), opened.begin(), opened.end());
  std::sort(walk.open.begin(), walk.open.end());
  walk.next.assign(next.begin(), next.end());
  std::sort(walk.next.begin(), walk.next.end());
}

/// Whether the bytes end the terminal here.
bool TokenCosts::spells(NodeId node, std::string_view bytes) {
  for (char c : bytes) {
    node = regexes_.step(node, static_cast<std::uint8_t>(c));
    if (node == kNothing) return false;
  }
  return regexes_.nullable(node);
}

/// Level by level: what is left of the terminal after no, one, two, … whole tokens.
///
/// Once a token can end with the terminal, later exits are of use only in phases whose detour is
/// long. Those are few: they are spelled out, instead of walking through the whole trie.
const TokenCosts::Summary& TokenCosts::summary(NodeId from, Phase begun) {
  auto [slot, fresh] = summaries_.try_emplace(pair_key(from, begun));
  Summary& summary = slot->second;
  if (!fresh) return summary;
  std::unique_lock lock(shared_.mutex);
  const ByteSet last = regexes_.last_bytes(from);
  lock.unlock();
  std::unordered_map<Phase, std::uint32_t> exits;
  std::uint32_t between = kNever;
  std::vector<NodeId> level{from}, next, walked;  // walked: in this level or before
  std::unordered_set<NodeId> seen;
  if (begun == kBetween) seen.insert(from);
  std::uint64_t visits = 0;
  for (std::uint32_t cost = 0; !level.empty(); ++cost) {
    bool settled = between != kNever && cost >= between;
    std::vector<const TokenPhases::Rare*> wanted;
    bool more = !settled;  // whether another level could be of use
    for (std::size_t b = 0; settled && b < 256; ++b) {
      if (!last[b]) continue;
      for (const TokenPhases::Rare& rare : phases_.rare(static_cast<std::uint8_t>(b))) {
        if (useless(cost, rare.phase, between)) break;
        if (exits.contains(rare.phase)) continue;
        wanted.push_back(&rare);
        more = more || !useless(cost + 1, rare.phase, between);
      }
    }
    if (settled && wanted.empty()) break;
    lock.lock();
    // The widest first: nothing new can come of what these cover, as they are no dearer.
    std::ranges::sort(
        level, {}, [&](NodeId node) { return std::pair(regexes_.is_plain(node) ? 0 : 1, node); });
    next.clear();
    lock.unlock();
    for (NodeId node : level) {
      std::lock_guard held(shared_.mutex);
      bool covered = std::ranges::any_of(
          walked, [&](NodeId wide) { return wide != node && regexes_.covers(wide, node); });
      if (covered) continue;
      if (cost > 0 || begun == kBetween) walked.push_back(node);
      for (const TokenPhases::Rare* rare : wanted) {
        visits += rare->bytes.size();
        if (spells(node, rare->bytes)) exits.try_emplace(rare->phase, cost);
      }
      if (!more) continue;
      const Walk& step = walk(node, cost == 0 ? begun : kBetween);
      visits += step.visits;
      if (limited_ && visits > kMaxVisits) {
        summary.exact = false;
        break;
      }
      if (!settled) {
        for (Phase phase : step.open) exits.try_emplace(phase, cost);
      }
      for (auto [after, tokens] : step.next) {
        if (regexes_.nullable(after)) between = std::min(between, cost + 1);
        if (seen.insert(after).second && regexes_.can_continue(after)) next.push_back(after);
      }
    }
    if (!summary.exact) break;
    level = next;
  }
  if (between != kNever) summary.exits.push_back({kBetween, between});
  for (auto [phase, cost] : exits) {
    if (!useless(cost, phase, between)) summary.exits.push_back({phase, cost});
  }
  return summary;
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

std::optional<Cost> TokenCosts::cost(std::span<const Reading> readings, Cost limit) {
  horizon_ = limit;
  if (limit > known_to_) known_.clear();
  known_to_ = limit;  // what is added now is right so far only
  Cost best = kInfiniteCost;
  std::vector<std::pair<std::uint64_t, Cost>> ways;
  std::vector<std::uint64_t> start;
  std::vector<StackItem> items;
  auto edge = [&](std::uint64_t site, Cost cost) {
    ways.emplace_back(site, cost);
    start.push_back(site);
  };
  auto end = [&](Cost cost) { best = std::min(best, cost); };
  for (const Reading& reading : readings) {
    if (!exact_) return std::nullopt;
    const Summary& through = summary(reading.node, kBetween);
    if (!through.exact) return std::nullopt;
    items.clear();
    rows_.after_terminal(reading.row, reading.terminal, items);
    for (const Exit& exit : through.exits) {
      for (const StackItem& item : items) leave_item(item, exit.phase, exit.cost, edge, end);
    }
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
  if (!exact_) return std::nullopt;
  for (auto [site, cost] : ways) best = std::min(best, add_costs(cost, known_.at(site)));
  return best <= horizon_ ? best : kInfiniteCost;
}

std::size_t TokenCosts::bytes() const noexcept {
  std::size_t reached = 0;
  for (const Context& context : contexts_) reached += context.reached.size() * 32 + 256;
  return reached + walks_.size() * 128 + known_.size() * 32;
}

}  // namespace slm

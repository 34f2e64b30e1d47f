// Through a terminal, for the costs in tokens: in which phases it can end, and after how many
// tokens.
#include <algorithm>
#include <unordered_map>

#include "core/token_costs.h"

namespace slm {
namespace {

std::uint64_t pair_key(std::uint32_t high, std::uint32_t low) noexcept {
  return (std::uint64_t{high} << 32) | low;
}

}  // namespace

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
/// long. Those are few: they are spelled out, instead of walking through the whole trie. A loop is
/// no matter of levels: what comes of it is known at once (`pass_loop`).
///
/// Of a label that is to come, as many letters as always fit are looked at. A way with more of them
/// is shorter only with a token of many letters and of what is beside the label.
const TokenCosts::Summary& TokenCosts::summary(NodeId from, Phase begun) {
  {
    std::lock_guard lock(shared_.mutex);
    from = regexes_.without_labels(from, false);
  }
  auto [slot, fresh] = summaries_.try_emplace(pair_key(from, begun));
  Summary& summary = slot->second;
  if (!fresh) return summary;
  std::unique_lock lock(shared_.mutex);
  const ByteSet last = regexes_.last_bytes(from);
  lock.unlock();
  Ways ways;
  ways.add(from, 0);
  if (begun != kBetween) ways.reached.clear();  // it may come again
  std::vector<NodeId> walked;                   // in this level or before
  for (std::uint32_t cost = 0; summary.exact && cost < ways.levels.size(); ++cost) {
    const bool settled = ways.between != kNever && cost >= ways.between;
    std::vector<const TokenPhases::Rare*> wanted;
    bool more = !settled;  // whether another level could be of use
    for (std::size_t b = 0; settled && b < 256; ++b) {
      if (!last[b]) continue;
      for (const TokenPhases::Rare& rare : phases_.rare(static_cast<std::uint8_t>(b))) {
        if (useless(cost, rare.phase, ways.between)) break;
        if (ways.exits.contains(rare.phase)) continue;
        wanted.push_back(&rare);
        more = more || !useless(cost + 1, rare.phase, ways.between);
      }
    }
    if (settled && wanted.empty()) break;
    std::vector<NodeId> level = std::move(ways.levels[cost]);
    lock.lock();
    // The widest first: nothing new can come of what these cover, as they are no dearer.
    std::ranges::sort(
        level, {}, [&](NodeId node) { return std::pair(regexes_.is_plain(node) ? 0 : 1, node); });
    lock.unlock();
    for (NodeId node : level) {
      std::lock_guard held(shared_.mutex);
      const bool begins = cost == 0 && begun != kBetween;
      if (!begins) {
        if (ways.reached.at(node) < cost) continue;  // met again, on a shorter way
        if (const LoopPlace* place = loop_place(node)) {
          if (!pass_loop(*place, cost, ways)) summary.exact = false;
          continue;
        }
      }
      bool covered = std::ranges::any_of(
          walked, [&](NodeId wide) { return wide != node && regexes_.covers(wide, node); });
      if (covered) continue;
      if (!begins) walked.push_back(node);
      for (const TokenPhases::Rare* rare : wanted) {
        ways.visits += rare->bytes.size();
        if (spells(node, rare->bytes)) ways.exits.try_emplace(rare->phase, cost);
      }
      if (!more) continue;
      const std::size_t whole = phases_.trie().nodes.size();
      if (regexes_.echoes(node) && ways.visits + whole > kMaxEchoed) {
        summary.exact = false;
        break;
      }
      const Walk& step = walk(node, cost == 0 ? begun : kBetween);
      ways.visits += step.visits;
      if (limited_ && ways.visits > kMaxVisits) {
        summary.exact = false;
        break;
      }
      if (!settled) {
        for (Phase phase : step.open) {
          ways.exits.try_emplace(phases_.representative(phase), cost);
        }
      }
      for (auto [after, tokens] : step.next) {
        if (regexes_.nullable(after)) ways.between = std::min(ways.between, cost + 1);
        if (regexes_.can_continue(after)) ways.add(after, cost + 1);
      }
    }
  }
  leave_loops(ways);
  if (ways.between != kNever) summary.exits.push_back({kBetween, ways.between});
  for (auto [phase, cost] : ways.exits) {
    if (!useless(cost, phase, ways.between)) summary.exits.push_back({phase, cost});
  }
  return summary;
}

}  // namespace slm

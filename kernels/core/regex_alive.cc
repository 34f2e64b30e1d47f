// Whether anything is left of an expression: a search, below intersections and complements only.
#include <algorithm>
#include <unordered_set>

#include "core/error.h"
#include "core/regex.h"

namespace slm {

/// Where a word comes again there is no intersection or complement around: the parts tell, while a
/// search would go from word to word.
bool RegexPool::alive_by_parts(NodeId id) {
  DepthGuard guard(depth_);
  for (; nodes_[id].kind == Kind::kConcat; id = nodes_[id].b) {
    if (!alive(nodes_[id].a)) return false;
  }
  const Node node = nodes_[id];
  switch (node.kind) {
    case Kind::kUnion:
      return std::ranges::any_of(options(id), [&](NodeId option) { return alive(option); });
    case Kind::kRepeat:
      return node.low == 0 || alive(node.a);
    case Kind::kEcho:
      return true;
    default:
      return alive(id);
  }
}

bool RegexPool::alive(NodeId node) {
  if (nodes_[node].nullable || !nodes_[node].boolean) return node != kNothing;
  Alive known = known_alive(node);
  if (known != kUnasked) return known == kAlive;
  if (nodes_[node].echoes) {
    bool lives = alive_by_parts(node);
    know_alive(node, lives ? kAlive : kEmpty);
    return lives;
  }
  Alive found = search_alive(node, kMaxSearched);
  if (found == kUnasked) {
    throw TooComplex("whether a terminal matches anything could not be decided");
  }
  return found == kAlive;
}

std::optional<bool> RegexPool::alive(NodeId node, std::size_t most) {
  if (!nodes_[node].boolean) return node != kNothing;
  if (nodes_[node].echoes) return alive(node);
  Alive known = known_alive(node);
  Alive found = known != kUnasked ? known : search_alive(node, most);
  return found == kUnasked ? std::nullopt : std::optional(found == kAlive);
}

/// All states of an automaton are measured when the first is asked for, from its ends backwards.
const RegexPool::Least& RegexPool::nearest_end(const Node& node) {
  Automaton& automaton = dfas_[node.a];
  if (automaton.measured) return automaton.states[node.b].nearest;
  std::vector<std::vector<std::pair<std::uint32_t, NodeId>>> before(automaton.states.size());
  std::vector<std::uint32_t> reached;
  for (std::uint32_t at = 0; at < automaton.states.size(); ++at) {
    DfaState& state = automaton.states[at];
    for (auto [set, target] : state.edges) before[target].emplace_back(at, set);
    state.nearest = {};
    if (!state.accepting) continue;
    state.nearest.length = 0;
    reached.push_back(at);
  }
  for (std::size_t i = 0; i < reached.size(); ++i) {
    Cost length = automaton.states[reached[i]].nearest.length + 1;
    for (auto [from, set] : before[reached[i]]) {
      Least& nearest = automaton.states[from].nearest;
      if (nearest.length != kInfiniteCost) continue;
      nearest = {length, least_more(set).byte};
      reached.push_back(from);
    }
  }
  automaton.measured = true;
  return automaton.states[node.b].nearest;
}

/// Bytes that begin the shortest texts of parts of an expression, the part with the longest first.
void RegexPool::hints(NodeId id, std::vector<std::uint8_t>& bytes) {
  DepthGuard guard(depth_);
  const Node node = nodes_[id];
  if (!node.boolean) {
    if (Least least = least_more(id); least.length < kInfiniteCost) bytes.push_back(least.byte);
    return;
  }
  switch (node.kind) {
    case Kind::kConcat:
      return hints(nodes_[node.a].nullable ? node.b : node.a, bytes);
    case Kind::kRepeat:
      return hints(node.a, bytes);
    case Kind::kUnion:
      return hints(lists_.words(node.a)[0], bytes);
    case Kind::kIntersection: {
      std::span<const std::uint32_t> shared = lists_.words(node.a);
      std::vector<std::pair<Cost, NodeId>> parts;
      for (NodeId part : std::vector<NodeId>(shared.begin(), shared.end())) {
        if (!nodes_[part].nullable && nodes_[part].kind != Kind::kComplement) {
          parts.emplace_back(least_at_least(part), part);
        }
      }
      std::sort(parts.rbegin(), parts.rend());
      for (auto [length, part] : parts) hints(part, bytes);
      return;
    }
    case Kind::kDfa:
      if (Least least = nearest_end(node); least.length < kInfiniteCost)
        bytes.push_back(least.byte);
      return;
    default:
      return;
  }
}

/// Depth-first search for a nullable derivative. First come bytes that begin the shortest texts of
/// the parts, then those that close JSON strings: they end most searches within a few steps.
RegexPool::Alive RegexPool::search_alive(NodeId root, std::size_t most) {
  static const std::array<std::uint8_t, 256> order = [] {
    std::array<std::uint8_t, 256> bytes{};
    std::size_t count = 0;
    std::bitset<256> used;
    auto add = [&](std::uint8_t b) {
      if (!used[b]) used.set(b), bytes[count++] = b;
    };
    for (char c : {'"', '}', ']', '0', 'a'}) add(static_cast<std::uint8_t>(c));
    for (int b = 0x20; b < 0x7F; ++b) add(static_cast<std::uint8_t>(b));
    for (int b = 0; b < 256; ++b) add(static_cast<std::uint8_t>(b));
    return bytes;
  }();
  // One byte at a time: the first that is tried nearly always leads to an end.
  struct Visit {
    NodeId node;
    std::size_t next;  // index into `hinted`, then `order`
    std::vector<std::uint8_t> hinted;
  };
  std::vector<Visit> path;
  auto visit = [&](NodeId node) {
    path.push_back({node, 0, {}});
    hints(node, path.back().hinted);
  };
  if (least_at_least(root) < kInfiniteCost) visit(root);
  std::unordered_set<NodeId> seen{root};
  while (!path.empty()) {
    NodeId node = path.back().node;
    std::size_t at = path.back().next, hinted = path.back().hinted.size();
    Alive known = known_alive(node);
    bool lives =
        known != kUnasked ? known == kAlive : nodes_[node].nullable || !nodes_[node].boolean;
    if (lives) {
      for (const Visit& passed : path) know_alive(passed.node, kAlive);
      return kAlive;
    }
    if (known != kUnasked || at == hinted + order.size()) {
      path.pop_back();
      continue;
    }
    ++path.back().next;
    std::uint8_t byte = at < hinted ? path.back().hinted[at] : order[at - hinted];
    if (!first_bytes(node)[byte]) continue;
    NodeId next = step(node, byte);
    if (next != kNothing && seen.insert(next).second && least_at_least(next) < kInfiniteCost) {
      visit(next);
    }
    if (seen.size() > most) return kUnasked;
  }
  for (NodeId node : seen) know_alive(node, kEmpty);
  return kEmpty;
}

/// Whether nothing is in the language, if a short search can tell; false says nothing.
bool RegexPool::surely_empty(NodeId node) {
  constexpr std::size_t kShort = 200;
  if (nodes_[node].nullable || !nodes_[node].boolean) return node == kNothing;
  if (nodes_[node].echoes) return false;
  Alive known = known_alive(node);
  return (known != kUnasked ? known : search_alive(node, kShort)) == kEmpty;
}

}  // namespace slm

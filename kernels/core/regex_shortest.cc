// The shortest texts of an expression: how many bytes, and what the first one is.
//
// Lengths follow the structure (a union is as short as its shortest option, a concatenation the
// sum of its parts), so nothing is enumerated. Only intersections, complements and explicit
// automata are searched, byte by byte, and the rest of the structure says where to look first.
#include <algorithm>
#include <limits>
#include <queue>
#include <unordered_set>

#include "core/error.h"
#include "core/marks.h"
#include "core/regex.h"

namespace slm {
namespace {

constexpr std::size_t kMaxSearch = 1'000'000;

std::uint32_t utf8_length(std::uint32_t point) noexcept {
  return point < 0x80 || is_mark_point(point) ? 1 : point < 0x800 ? 2 : point < 0x10000 ? 3 : 4;
}

std::uint8_t first_byte(std::uint32_t point) noexcept {
  switch (utf8_length(point)) {
    case 1:
      return is_mark_point(point) ? mark_byte(point) : static_cast<std::uint8_t>(point);
    case 2:
      return static_cast<std::uint8_t>(0xC0 | point >> 6);
    case 3:
      return static_cast<std::uint8_t>(0xE0 | point >> 12);
    default:
      return static_cast<std::uint8_t>(0xF0 | point >> 18);
  }
}

using Least = RegexPool::Least;

void keep_less(Least& best, const Least& other) noexcept {
  if (other.length < best.length) best = other;
}

}  // namespace

RegexPool::Least RegexPool::least(NodeId node) {
  return nodes_[node].nullable ? Least{0, 0} : least_more(node);
}

RegexPool::Least RegexPool::least_more(NodeId id) {
  if (id <= kEpsilon) return {};
  if (auto found = least_.find(id); found != least_.end()) return found->second;
  DepthGuard guard(depth_);
  const Node node = nodes_[id];  // a copy: searches make nodes
  Least best;
  switch (node.kind) {
    case Kind::kNothing:
    case Kind::kEpsilon:
      break;
    case Kind::kChars: {
      // Sorted ranges: the first code point is among the shortest.
      std::uint32_t point = sets_.words(node.a)[0];
      best = {utf8_length(point), first_byte(point)};
      break;
    }
    case Kind::kRest: {
      std::uint32_t value = sets_.words(node.a)[0];
      best = {node.b, static_cast<std::uint8_t>(0x80 | value >> (6 * (node.b - 1)))};
      break;
    }
    case Kind::kConcat: {  // a loop: a literal is as many parts as characters
      std::vector<NodeId> suffixes{id};
      NodeId at = node.b;
      for (; nodes_[at].kind == Kind::kConcat && !least_.contains(at); at = nodes_[at].b) {
        suffixes.push_back(at);
      }
      least_more(at);
      for (; !suffixes.empty(); suffixes.pop_back()) {
        const Node suffix = nodes_[suffixes.back()];
        Least head = least_more(suffix.a), tail = least(suffix.b);
        Least whole{add_costs(head.length, tail.length), head.byte};
        if (nodes_[suffix.a].nullable) keep_less(whole, least_more(suffix.b));
        least_.emplace(suffixes.back(), whole);
        best = whole;
      }
      return best;
    }
    case Kind::kUnion: {
      std::span<const std::uint32_t> shared = lists_.words(node.a);
      for (NodeId option : std::vector<NodeId>(shared.begin(), shared.end())) {
        keep_less(best, least_more(option));
      }
      break;
    }
    case Kind::kRepeat: {
      Least first = least_more(node.a);
      Cost rounds = static_cast<Cost>(std::max(node.low - 1, 0));
      best = {add_costs(first.length, times(rounds, least(node.a).length)), first.byte};
      break;
    }
    case Kind::kIntersection:
    case Kind::kComplement:
    case Kind::kDfa:
      return search_least(id);
    case Kind::kMultiple:
      best = nearest_multiple(node);
      break;
    case Kind::kLabel:
      best = least_of_label(node);
      break;
    case Kind::kEcho:
      best = least_echo(node);
      break;
    case Kind::kFirst:
      best = least_more(node.a);
      break;
    case Kind::kWords:
      best = least_of_words(node);
      break;
  }
  least_.emplace(id, best);
  return best;
}

/// At most the length of any text of `id`, from the structure alone.
Cost RegexPool::least_at_least(NodeId id) {
  const Node node = nodes_[id];
  if (node.nullable) return 0;
  if (!node.boolean) return least(id).length;
  if (auto found = least_.find(id); found != least_.end()) return found->second.length;
  DepthGuard guard(depth_);
  Cost bound = 1;
  std::span<const std::uint32_t> shared;
  switch (node.kind) {
    case Kind::kConcat: {
      Cost sum = least_at_least(node.a);
      NodeId at = node.b;
      for (; nodes_[at].kind == Kind::kConcat; at = nodes_[at].b) {
        sum = add_costs(sum, least_at_least(nodes_[at].a));
      }
      return std::max(bound, add_costs(sum, least_at_least(at)));
    }
    case Kind::kUnion: {
      shared = lists_.words(node.a);
      Cost least = kInfiniteCost;
      for (NodeId option : std::vector<NodeId>(shared.begin(), shared.end())) {
        least = std::min(least, least_at_least(option));
      }
      return std::max(bound, least);
    }
    case Kind::kIntersection: {
      shared = lists_.words(node.a);
      for (NodeId part : std::vector<NodeId>(shared.begin(), shared.end())) {
        bound = std::max(bound, least_at_least(part));
      }
      return bound;
    }
    case Kind::kRepeat:
      return std::max(bound, times(static_cast<Cost>(node.low), least_at_least(node.a)));
    case Kind::kDfa:  // a character is a byte at least
      return std::max(bound, nearest_end(node).length);
    case Kind::kEcho:
      return std::max(bound, least(id).length);
    case Kind::kFirst:
      return std::max(bound, least_at_least(node.a));
    default:
      return bound;
  }
}

/// A* over derivatives: the bound drops by at most one a byte, so the first end found is nearest.
/// All on the way to it is remembered: whoever follows the shortest text asks for them next.
RegexPool::Least RegexPool::search_least(NodeId root) {
  struct Reached {
    Cost passed;
    NodeId before;
    std::uint8_t byte;
    bool done;
  };
  std::unordered_map<NodeId, Reached> reached;  // without the root, which may come again
  std::priority_queue<OpenPlace> open;
  auto expand = [&](NodeId from, Cost passed) {
    ByteSet first = first_bytes(from);
    for (std::size_t b = 0; b < 256; ++b) {
      if (!first[b]) continue;
      std::uint8_t byte = static_cast<std::uint8_t>(b);
      NodeId next = step(from, byte);
      if (next == kNothing) continue;
      auto [at, fresh] = reached.try_emplace(next, Reached{passed + 1, from, byte, false});
      if (!fresh && at->second.passed <= passed + 1) continue;
      at->second = {passed + 1, from, byte, false};
      Cost bound = least_at_least(next);
      if (bound < kInfiniteCost) open.push({passed + 1 + bound, passed + 1, next});
    }
    if (reached.size() > kMaxSearch) {
      throw TooComplex("the shortest text of a terminal could not be found");
    }
  };
  expand(root, 0);
  Least best;
  while (!open.empty()) {
    OpenPlace now = open.top();
    open.pop();
    Reached& at = reached.find(now.place)->second;
    if (at.done || at.passed < now.passed) continue;
    at.done = true;
    bool known = !nodes_[now.place].boolean || least_.contains(now.place);
    if (!nodes_[now.place].nullable && !known) {
      expand(now.place, now.passed);
      continue;
    }
    best.length = add_costs(now.passed, least(now.place).length);
    for (NodeId node = now.place;;) {
      const Reached& step = reached.find(node)->second;
      best.byte = step.byte;
      node = step.before;
      if (node == root) break;
      Cost passed = reached.find(node)->second.passed;
      least_.try_emplace(node, Least{best.length - passed, step.byte});
    }
    break;
  }
  least_.emplace(root, best);
  return best;
}

ByteSet RegexPool::last_bytes(NodeId id) {
  if (auto found = last_.find(id); found != last_.end()) return found->second;
  DepthGuard guard(depth_);
  const Node node = nodes_[id];
  ByteSet bytes;
  auto set_range = [&](std::size_t from, std::size_t to) {
    for (std::size_t b = from; b < to; ++b) bytes.set(b);
  };
  switch (node.kind) {
    case Kind::kNothing:
    case Kind::kEpsilon:
      break;
    case Kind::kChars:
      for (auto [low, high] : ranges_of(node.a)) {
        if (low < 0x80) set_range(low, std::min<std::uint32_t>(high, 0x7F) + 1);
        if (high >= 0x80) set_range(0x80, 0xC0);
      }
      break;
    case Kind::kRest:
      set_range(0x80, 0xC0);
      break;
    case Kind::kConcat: {  // a loop: a literal is as many parts as characters
      std::vector<NodeId> parts;
      NodeId at = id;
      for (; nodes_[at].kind == Kind::kConcat; at = nodes_[at].b) parts.push_back(nodes_[at].a);
      bytes = last_bytes(at);
      for (; nodes_[at].nullable && !parts.empty(); parts.pop_back()) {
        at = parts.back();
        bytes |= last_bytes(at);
      }
      break;
    }
    case Kind::kUnion:
    case Kind::kIntersection:
      bytes = of_children(node, &RegexPool::last_bytes);
      break;
    case Kind::kRepeat:
    case Kind::kFirst:
      bytes = last_bytes(node.a);
      break;
    case Kind::kMultiple:
      set_range('0', '9' + 1);
      break;
    case Kind::kLabel:
      bytes = last_bytes(chars(alphabets_of_labels_[node.a].set()));
      break;
    case Kind::kWords:
      bytes = word_lists_.last_bytes(range_of(node));
      break;
    case Kind::kComplement:
    case Kind::kDfa:
    case Kind::kEcho:
      bytes.set();
      break;
  }
  last_.emplace(id, bytes);
  return bytes;
}

NodeId RegexPool::widened(NodeId id) {
  id = without_exclusions(id);
  const Node node = nodes_[id];
  NodeId head = node.kind == Kind::kConcat ? node.a : id;
  const Node repeated = nodes_[head];
  if (repeated.kind == Kind::kUnion && head == id) {
    std::span<const std::uint32_t> shared = lists_.words(node.a);
    std::vector<NodeId> parts(shared.begin(), shared.end());
    for (NodeId& part : parts) {
      if (nodes_[part].kind != Kind::kUnion) part = widened(part);
    }
    return alternate(std::move(parts));
  }
  if (repeated.kind != Kind::kRepeat) return id;
  NodeId any = repeat(repeated.a, 0, kNoBound);
  return node.kind == Kind::kConcat ? concat(any, node.b) : any;
}

bool RegexPool::covers(NodeId wide, NodeId narrow) {
  if (wide == narrow) return true;
  return wider_bounds(wide, nodes_[narrow].boolean ? without_exclusions(narrow) : narrow);
}

bool RegexPool::wider_bounds(NodeId wide, NodeId narrow) const {
  if (wide == narrow) return true;
  const Node &x = nodes_[wide], &y = nodes_[narrow];
  if (x.kind != y.kind || (x.kind == Kind::kConcat && x.b != y.b)) return false;
  const Node& first = x.kind == Kind::kConcat ? nodes_[x.a] : x;
  const Node& other = y.kind == Kind::kConcat ? nodes_[y.a] : y;
  return first.kind == Kind::kRepeat && other.kind == Kind::kRepeat && first.a == other.a &&
         first.low <= other.low &&
         (first.high == kNoBound || (other.high != kNoBound && other.high <= first.high));
}

}  // namespace slm

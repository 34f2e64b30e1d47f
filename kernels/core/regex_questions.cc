// What is asked of expressions: is anything left, what can come first, does it run in a loop.
#include <algorithm>
#include <unordered_set>

#include "core/error.h"
#include "core/regex.h"

namespace slm {

ByteSet RegexPool::first_bytes(NodeId id) {
  if (const ByteSet* known = known_first(id)) return *known;
  DepthGuard guard(depth_);
  const Node node = nodes_[id];
  ByteSet bytes;
  switch (node.kind) {
    case Kind::kNothing:
    case Kind::kEpsilon:
      break;
    case Kind::kChars:
      for (auto [low, high] : ranges_of(node.a)) {
        for (std::uint32_t c = low; c <= std::min<std::uint32_t>(high, 0x7F); ++c) bytes.set(c);
        auto leads = [&](std::uint32_t from, std::uint32_t to, int shift, std::uint32_t mark) {
          std::uint32_t first = std::max(low, from), last = std::min(high, to);
          if (first > last) return;
          for (std::uint32_t b = first >> shift; b <= last >> shift; ++b) bytes.set(mark | b);
        };
        leads(0x80, 0x7FF, 6, 0xC0);
        leads(0x800, 0xFFFF, 12, 0xE0);
        leads(0x10000, 0x10FFFF, 18, 0xF0);
      }
      break;
    case Kind::kRest:
      for (std::uint32_t b = 0x80; b < 0xC0; ++b) bytes.set(b);
      break;
    case Kind::kConcat: {  // a loop: a row of optional parts may be long
      std::vector<NodeId> suffixes{id};
      NodeId at = id;
      while (nodes_[at].kind == Kind::kConcat && nodes_[nodes_[at].a].nullable) {
        suffixes.push_back(at = nodes_[at].b);
        if (known_first(at) != nullptr) break;
      }
      if (nodes_[at].kind != Kind::kConcat || known_first(at) != nullptr) {
        bytes = first_bytes(at);
        suffixes.pop_back();
      }
      for (; !suffixes.empty(); suffixes.pop_back()) {
        bytes |= first_bytes(nodes_[suffixes.back()].a);
        if (suffixes.back() != id) know_first(suffixes.back(), bytes);
      }
      break;
    }
    case Kind::kUnion:
    case Kind::kIntersection: {
      bool all = node.kind == Kind::kIntersection;
      if (all) bytes.set();
      std::span<const std::uint32_t> shared = lists_.words(node.a);
      for (NodeId child : std::vector<NodeId>(shared.begin(), shared.end())) {
        if (all) {
          bytes &= first_bytes(child);
        } else {
          bytes |= first_bytes(child);
        }
      }
      break;
    }
    case Kind::kRepeat:
      bytes = first_bytes(node.a);
      break;
    case Kind::kComplement:
      bytes.set();
      break;
    case Kind::kDfa:
      bytes = first_bytes(dfa_expansion(node));
      break;
  }
  know_first(id, bytes);
  return bytes;
}

bool RegexPool::alive(NodeId node) {
  if (nodes_[node].nullable || !nodes_[node].boolean) return node != kNothing;
  Alive known = known_alive(node);
  return known != kUnasked ? known == kAlive : search_alive(node);
}

/// Depth-first search for a nullable derivative. Bytes that close JSON strings and containers come
/// first: they end most searches within a few steps.
bool RegexPool::search_alive(NodeId root) {
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
    std::size_t next;  // index into `order`
  };
  std::vector<Visit> path{{root, 0}};
  std::unordered_set<NodeId> seen{root};
  while (!path.empty()) {
    auto [node, at] = path.back();
    Alive known = known_alive(node);
    bool lives =
        known != kUnasked ? known == kAlive : nodes_[node].nullable || !nodes_[node].boolean;
    if (lives) {
      for (const Visit& visit : path) know_alive(visit.node, kAlive);
      return true;
    }
    if (known != kUnasked || at == order.size()) {
      path.pop_back();
      continue;
    }
    ++path.back().next;
    if (!first_bytes(node)[order[at]]) continue;
    NodeId next = step(node, order[at]);
    if (next != kNothing && seen.insert(next).second) path.push_back({next, 0});
    if (seen.size() > 1'000'000) {
      throw TooComplex("whether a terminal matches anything could not be decided");
    }
  }
  for (NodeId node : seen) know_alive(node, kEmpty);
  return false;
}

bool RegexPool::can_continue(NodeId node) {
  if (!nodes_[node].boolean) return node > kEpsilon;
  ByteSet first = first_bytes(node);
  for (std::size_t b = 0; b < 256; ++b) {
    if (first[b] && alive(step(node, static_cast<std::uint8_t>(b)))) return true;
  }
  return false;
}

NodeId RegexPool::clamp(NodeId id, std::int32_t length) {
  const Node node = nodes_[id];
  if (node.boolean || node.kind == Kind::kChars || node.kind == Kind::kRest || id <= kEpsilon) {
    return id;
  }
  std::uint64_t key = (std::uint64_t{id} << 32) | static_cast<std::uint32_t>(length);
  if (NodeId known = clamped_.find(key); known != FlatMap::kAbsent) return known;
  DepthGuard guard(depth_);
  NodeId result = id;
  if (node.kind == Kind::kConcat) {  // a loop: a literal is as many parts as characters
    std::vector<NodeId> suffixes;
    for (result = id; nodes_[result].kind == Kind::kConcat; result = nodes_[result].b) {
      std::uint64_t suffix = (std::uint64_t{result} << 32) | static_cast<std::uint32_t>(length);
      if (clamped_.find(suffix) != FlatMap::kAbsent) break;
      suffixes.push_back(result);
    }
    result = clamp(result, length);
    for (; !suffixes.empty(); suffixes.pop_back()) {
      NodeId suffix = suffixes.back();
      result = concat(clamp(nodes_[suffix].a, length), result);
      if (suffix == id) break;
      clamped_.insert((std::uint64_t{suffix} << 32) | static_cast<std::uint32_t>(length), result);
    }
  } else if (node.kind == Kind::kUnion) {
    std::span<const std::uint32_t> shared = lists_.words(node.a);
    std::vector<NodeId> options(shared.begin(), shared.end());
    for (NodeId& option : options) option = clamp(option, length);
    result = alternate(std::move(options));
  } else if (node.kind == Kind::kRepeat) {
    // Each round is at least one byte, so a bound more than `length` away cannot be reached. A
    // nullable body is the exception only for `low`, and that is 0 then.
    std::int32_t high = node.high > length ? kNoBound : node.high;
    result = repeat(clamp(node.a, length), std::min(node.low, length + 1), high);
  }
  clamped_.insert(key, result);
  return result;
}

std::vector<NodeId> RegexPool::options(NodeId node) const {
  if (nodes_[node].kind != Kind::kUnion) return {node};
  std::span<const std::uint32_t> children = lists_.words(nodes_[node].a);
  return {children.begin(), children.end()};
}

NodeId RegexPool::without_exclusions(NodeId node) {
  if (nodes_[node].kind == Kind::kConcat) {
    NodeId head = nodes_[node].a, tail = nodes_[node].b;
    if (nodes_[head].kind != Kind::kChars) return concat(without_exclusions(head), tail);
    NodeId wider = nodes_[tail].boolean ? without_exclusions(tail) : tail;
    return wider == tail ? node : concat(head, wider);
  }
  if (nodes_[node].kind != Kind::kIntersection) return node;
  std::vector<NodeId> kept;
  for (NodeId part : lists_.words(nodes_[node].a)) {
    if (nodes_[part].kind != Kind::kComplement) kept.push_back(part);
  }
  return kept.empty() ? node : intersect(std::move(kept));
}

/// An exclusion matters where its body can go on, and where it ends: there the tail is cut off.
ByteSet RegexPool::exclusion_bytes(NodeId id) {
  const Node node = nodes_[id];
  NodeId head = node.kind == Kind::kConcat ? node.a : id;
  if (nodes_[head].kind == Kind::kChars) return first_bytes(head);
  if (nodes_[head].kind != Kind::kIntersection) return ByteSet{}.set();
  std::span<const std::uint32_t> shared = lists_.words(nodes_[head].a);
  ByteSet bytes;
  for (NodeId part : std::vector<NodeId>(shared.begin(), shared.end())) {
    if (nodes_[part].kind != Kind::kComplement) continue;
    NodeId body = nodes_[part].a;
    bytes |= first_bytes(body);
    if (!nodes_[body].nullable) continue;
    if (head == id) return ByteSet{}.set();
    bytes |= first_bytes(node.b);
  }
  return bytes;
}

/// The characters that are one whole `body` and begin no other text of it.
CharClass RegexPool::single_characters(NodeId body) {
  CharClass found;
  ByteSet others;
  for (NodeId option : options(body)) {
    if (nodes_[option].kind != Kind::kChars) {
      others |= first_bytes(option);
      continue;
    }
    for (auto [low, high] : ranges_of(nodes_[option].a)) {
      for (std::uint32_t c = low; c <= std::min<std::uint32_t>(high, 0x7F); ++c) {
        found.add(static_cast<std::uint8_t>(c));
      }
    }
    Ranges beyond = slice(ranges_of(nodes_[option].a), 0x80, 0x10FFFF);
    const Ranges all{{0, 0xD7FF - 0x80}, {0xE000 - 0x80, 0x10FFFF - 0x80}};
    found.beyond_ascii = found.beyond_ascii || beyond == all;
  }
  found.take_out(others);
  return found;
}

bool RegexPool::is_loop(NodeId id, Loop& loop) const {
  bool whole = nodes_[id].kind != Kind::kConcat;
  const Node& repeated = nodes_[whole ? id : nodes_[id].a];
  if (repeated.kind != Kind::kRepeat || nodes_[repeated.a].nullable) return false;
  loop = {repeated.a, whole ? kEpsilon : nodes_[id].b, repeated.low, repeated.high};
  return true;
}

/// A union of prefix codes is one when its options begin with different bytes; and so on upwards.
bool RegexPool::is_prefix_code(NodeId id) {
  DepthGuard guard(depth_);
  const Node node = nodes_[id];
  switch (node.kind) {
    case Kind::kChars:
    case Kind::kRest:
      return true;
    case Kind::kConcat:
      return is_prefix_code(node.a) && is_prefix_code(node.b);
    case Kind::kRepeat:
      return node.low == node.high && is_prefix_code(node.a);
    case Kind::kUnion: {
      ByteSet taken;
      for (NodeId option : options(id)) {
        ByteSet first = first_bytes(option);
        if ((taken & first).any() || !is_prefix_code(option)) return false;
        taken |= first;
      }
      return true;
    }
    default:
      return false;
  }
}

bool RegexPool::opens_wide(NodeId node) {
  constexpr std::size_t kSome = 4, kMany = 16;
  if (first_bytes(node).count() >= kSome) return true;
  for (int skipped = 0; skipped < 2; ++skipped) {
    if (nodes_[node].kind != Kind::kConcat || nodes_[nodes_[node].a].kind != Kind::kChars) break;
    node = nodes_[node].b;
    if (first_bytes(node).count() >= kMany) return true;
  }
  return false;
}

std::size_t RegexPool::bytes() const noexcept {
  return nodes_.size() * sizeof(Node) + keys_.bytes() + lists_.bytes() + sets_.bytes() +
         derivatives_.bytes() + rows_.size() * 1024 + row_of_.size() * 4 + first_.size() * sizeof(ByteSet) + first_of_.size() * 4 +
         alive_.size();
}

}  // namespace slm

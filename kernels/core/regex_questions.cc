// What is asked of expressions: is anything left, what can come first, does it run in a loop.
#include <algorithm>
#include <unordered_set>

#include "core/error.h"
#include "core/regex.h"

namespace slm {

ByteSet RegexPool::first_bytes(NodeId id) {
  if (auto found = first_.find(id); found != first_.end()) return found->second;
  DepthGuard guard(depth_);
  const Node node = nodes_[id];
  ByteSet bytes;
  switch (node.kind) {
    case Kind::kNothing:
    case Kind::kEpsilon:
      break;
    case Kind::kChars:
      for (auto range : ranges_of(node.a)) {
        // No structured binding: Clang captures those in lambdas from version 16 on.
        const std::uint32_t low = range.first, high = range.second;
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
        if (first_.contains(at)) break;
      }
      if (nodes_[at].kind != Kind::kConcat || first_.contains(at)) {
        bytes = first_bytes(at);
        suffixes.pop_back();
      }
      for (; !suffixes.empty(); suffixes.pop_back()) {
        bytes |= first_bytes(nodes_[suffixes.back()].a);
        first_.emplace(suffixes.back(), bytes);
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
  first_.emplace(id, bytes);
  return bytes;
}

bool RegexPool::alive(NodeId node) {
  if (nodes_[node].nullable || !nodes_[node].boolean) return node != kNothing;
  if (auto found = alive_.find(node); found != alive_.end()) return found->second;
  return search_alive(node);
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
    auto known = alive_.find(node);
    bool lives =
        known != alive_.end() ? known->second : nodes_[node].nullable || !nodes_[node].boolean;
    if (lives) {
      for (const Visit& visit : path) alive_[visit.node] = true;
      return true;
    }
    if (known != alive_.end() || at == order.size()) {
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
  for (NodeId node : seen) alive_[node] = false;
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
    return concat(without_exclusions(head), tail);
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

bool RegexPool::find_loop(NodeId id, Loop& loop) {
  const Node node = nodes_[id];
  NodeId head = node.kind == Kind::kConcat ? node.a : id;
  NodeId tail = node.kind == Kind::kConcat ? node.b : kEpsilon;
  const Node repeated = nodes_[head];
  if (repeated.kind != Kind::kRepeat || nodes_[repeated.a].nullable) return false;
  loop.chars = single_characters(repeated.a);
  loop.chars.take_out(first_bytes(tail));
  loop.high = repeated.high;
  loop.may_end = nodes_[tail].nullable;
  return true;
}

std::size_t RegexPool::bytes() const noexcept {
  return nodes_.size() * sizeof(Node) + keys_.bytes() + lists_.bytes() + sets_.bytes() +
         derivatives_.bytes() + first_.size() * 64;
}

}  // namespace slm

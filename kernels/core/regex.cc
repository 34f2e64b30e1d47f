#include "core/regex.h"

#include <algorithm>
#include <unordered_set>

#include "core/error.h"

namespace slm {
namespace {

struct DepthGuard {
  explicit DepthGuard(int& depth) : depth_(depth) {
    if (++depth_ > RegexPool::kMaxDepth) {
      --depth_;
      throw TooComplex("a terminal is nested too deeply");
    }
  }
  ~DepthGuard() { --depth_; }
  int& depth_;
};

/// The part of `ranges` inside [low, high], moved down by `low`.
Ranges slice(const Ranges& ranges, std::uint32_t low, std::uint32_t high) {
  Ranges found;
  for (auto [first, last] : ranges) {
    std::uint32_t from = std::max(first, low), to = std::min(last, high);
    if (from <= to) found.emplace_back(from - low, to - low);
  }
  return found;
}

}  // namespace

RegexPool::RegexPool() {
  nodes_.push_back({Kind::kNothing, false, false, 0, 0, 0, 0});
  nodes_.push_back({Kind::kEpsilon, true, false, 0, 0, 0, 0});
}

NodeId RegexPool::make(Kind kind, bool nullable, bool boolean, std::uint32_t a, std::uint32_t b,
                       std::int32_t low, std::int32_t high) {
  NodeKey key{static_cast<std::uint8_t>(kind), a, b, low, high};
  auto [at, fresh] = interned_.try_emplace(key, static_cast<NodeId>(nodes_.size()));
  if (fresh) {
    if (nodes_.size() >= kMaxNodes) {
      interned_.erase(at);
      throw TooComplex("the terminals of the grammar need too many states");
    }
    nodes_.push_back({kind, nullable, boolean, a, b, low, high});
  }
  return at->second;
}

// --- sets ----------------------------------------------------------------------------------------

std::uint32_t RegexPool::intern_ranges(const Ranges& ranges) {
  std::vector<std::uint32_t> flat;
  flat.reserve(ranges.size() * 2);
  for (auto [first, last] : ranges) {
    flat.push_back(first);
    flat.push_back(last);
  }
  return sets_.intern(flat);
}

Ranges RegexPool::ranges_of(std::uint32_t set) const {
  std::span<const std::uint32_t> flat = sets_.words(set);
  Ranges ranges;
  ranges.reserve(flat.size() / 2);
  for (std::size_t i = 0; i < flat.size(); i += 2) ranges.emplace_back(flat[i], flat[i + 1]);
  return ranges;
}

bool RegexPool::contains(std::uint32_t set, std::uint32_t value) const {
  std::span<const std::uint32_t> flat = sets_.words(set);
  std::size_t low = 0, high = flat.size() / 2;
  while (low < high) {
    std::size_t middle = (low + high) / 2;
    if (flat[2 * middle + 1] < value) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  return low < flat.size() / 2 && flat[2 * low] <= value;
}

NodeId RegexPool::chars(const Ranges& code_points) {
  if (code_points.empty()) return kNothing;
  return make(Kind::kChars, false, false, intern_ranges(code_points), 0);
}

NodeId RegexPool::rest(std::uint32_t bytes_to_come, const Ranges& values) {
  if (values.empty()) return kNothing;
  return make(Kind::kRest, false, false, intern_ranges(values), bytes_to_come);
}

// --- constructors --------------------------------------------------------------------------------

NodeId RegexPool::concat(NodeId first, NodeId second) {
  if (first == kNothing || second == kNothing) return kNothing;
  if (first == kEpsilon) return second;
  if (second == kEpsilon) return first;
  // Heads are never concatenations: a·(b·c), so that equal texts meet in the same nodes.
  std::vector<NodeId> heads;
  while (nodes_[first].kind == Kind::kConcat) {
    heads.push_back(nodes_[first].a);
    first = nodes_[first].b;
  }
  heads.push_back(first);
  NodeId tail = second;
  for (auto head = heads.rbegin(); head != heads.rend(); ++head) {
    tail = make(Kind::kConcat, nodes_[*head].nullable && nodes_[tail].nullable,
                nodes_[*head].boolean || nodes_[tail].boolean, *head, tail);
  }
  return tail;
}

NodeId RegexPool::concat(std::span<const NodeId> parts) {
  NodeId tail = kEpsilon;
  for (std::size_t i = parts.size(); i-- > 0;) tail = concat(parts[i], tail);
  return tail;
}

/// X{1,5}·K | X{0,3}·K is X{0,5}·K. Without this a loop before a counter (`.*a.{0,1000}`) would
/// make a state for every set of counts.
void RegexPool::merge_repeats(std::vector<NodeId>& options) {
  struct Run {
    NodeId body, tail;
    std::int32_t low, high;
  };
  std::vector<Run> runs;
  std::vector<NodeId> others;
  for (NodeId option : options) {
    const Node& node = nodes_[option];
    NodeId head = node.kind == Kind::kConcat ? node.a : option;
    NodeId tail = node.kind == Kind::kConcat ? node.b : kEpsilon;
    if (nodes_[head].kind == Kind::kRepeat) {
      runs.push_back({nodes_[head].a, tail, nodes_[head].low, nodes_[head].high});
    } else {
      others.push_back(option);
    }
  }
  if (runs.size() < 2) return;
  std::sort(runs.begin(), runs.end(), [](const Run& x, const Run& y) {
    return std::tie(x.body, x.tail, x.low, x.high) < std::tie(y.body, y.tail, y.low, y.high);
  });
  std::vector<Run> merged;
  for (const Run& run : runs) {
    Run* last = merged.empty() ? nullptr : &merged.back();
    bool joins = last && last->body == run.body && last->tail == run.tail &&
                 (last->high == kNoBound || run.low <= last->high + 1);
    if (!joins) {
      merged.push_back(run);
    } else if (last->high != kNoBound) {
      last->high = run.high == kNoBound ? kNoBound : std::max(last->high, run.high);
    }
  }
  if (merged.size() == runs.size()) return;
  options = std::move(others);
  for (const Run& run : merged) {
    options.push_back(concat(repeat(run.body, run.low, run.high), run.tail));
  }
}

NodeId RegexPool::alternate(std::vector<NodeId> options) {
  std::vector<NodeId> flat;
  flat.reserve(options.size());
  for (NodeId option : options) {
    if (nodes_[option].kind == Kind::kUnion) {
      std::span<const std::uint32_t> children = lists_.words(nodes_[option].a);
      flat.insert(flat.end(), children.begin(), children.end());
    } else if (option != kNothing) {
      flat.push_back(option);
    }
  }
  std::sort(flat.begin(), flat.end());
  flat.erase(std::unique(flat.begin(), flat.end()), flat.end());
  if (flat.size() > 1) merge_repeats(flat);
  // Options with the same head share it, so a union of literals is a trie.
  auto head_of = [&](NodeId n) { return nodes_[n].kind == Kind::kConcat ? nodes_[n].a : n; };
  std::stable_sort(flat.begin(), flat.end(),
                   [&](NodeId x, NodeId y) { return head_of(x) < head_of(y); });
  std::vector<NodeId> factored;
  for (std::size_t i = 0; i < flat.size();) {
    std::size_t end = i + 1;
    NodeId head = head_of(flat[i]);
    while (end < flat.size() && head_of(flat[end]) == head) ++end;
    if (end == i + 1) {
      factored.push_back(flat[i]);
    } else {
      std::vector<NodeId> tails;
      for (std::size_t k = i; k < end; ++k) {
        tails.push_back(nodes_[flat[k]].kind == Kind::kConcat ? nodes_[flat[k]].b : kEpsilon);
      }
      DepthGuard guard(depth_);
      factored.push_back(concat(head, alternate(std::move(tails))));
    }
    i = end;
  }
  std::sort(factored.begin(), factored.end());
  factored.erase(std::unique(factored.begin(), factored.end()), factored.end());
  if (factored.empty()) return kNothing;
  if (factored.size() == 1) return factored[0];
  bool null = false, boolean = false;
  for (NodeId option : factored) {
    null = null || nodes_[option].nullable;
    boolean = boolean || nodes_[option].boolean;
  }
  return make(Kind::kUnion, null, boolean, lists_.intern(factored), 0);
}

NodeId RegexPool::repeat(NodeId body, std::int32_t low, std::int32_t high) {
  if (high != kNoBound && high < low) return kNothing;
  if (high == 0 || body == kEpsilon) return kEpsilon;
  if (body == kNothing) return low == 0 ? kEpsilon : kNothing;
  if (nodes_[body].nullable) low = 0;  // the missing ones may all be empty
  if (low == 1 && high == 1) return body;
  if (nodes_[body].kind == Kind::kRepeat && nodes_[body].low == 0 &&
      nodes_[body].high == kNoBound) {
    return body;
  }
  return make(Kind::kRepeat, low == 0 || nodes_[body].nullable, nodes_[body].boolean, body, 0, low,
              high);
}

NodeId RegexPool::intersect(std::vector<NodeId> parts) {
  std::vector<NodeId> flat;
  for (NodeId part : parts) {
    if (part == kNothing) return kNothing;
    if (nodes_[part].kind == Kind::kIntersection) {
      std::span<const std::uint32_t> children = lists_.words(nodes_[part].a);
      flat.insert(flat.end(), children.begin(), children.end());
    } else if (nodes_[part].kind != Kind::kComplement || nodes_[part].a != kNothing) {
      flat.push_back(part);
    }
  }
  std::sort(flat.begin(), flat.end());
  flat.erase(std::unique(flat.begin(), flat.end()), flat.end());
  if (flat.empty()) return complement(kNothing);
  if (flat.size() == 1) return flat[0];
  bool null = true;
  for (NodeId part : flat) null = null && nodes_[part].nullable;
  if (std::find(flat.begin(), flat.end(), kEpsilon) != flat.end()) {
    return null ? kEpsilon : kNothing;
  }
  return make(Kind::kIntersection, null, true, lists_.intern(flat), 0);
}

NodeId RegexPool::complement(NodeId body) {
  if (nodes_[body].kind == Kind::kComplement) return nodes_[body].a;
  return make(Kind::kComplement, !nodes_[body].nullable, true, body, 0);
}

std::uint32_t RegexPool::new_dfa(std::uint32_t states) {
  dfas_.emplace_back(states);
  return static_cast<std::uint32_t>(dfas_.size() - 1);
}

NodeId RegexPool::dfa_state(std::uint32_t dfa, std::uint32_t state) {
  return make(Kind::kDfa, dfas_[dfa][state].accepting, true, dfa, state);
}

void RegexPool::set_dfa_state(std::uint32_t dfa, std::uint32_t state, bool accepting,
                              std::span<const std::pair<NodeId, std::uint32_t>> edges) {
  dfas_[dfa][state].accepting = accepting;
  nodes_[dfa_state(dfa, state)].nullable = accepting;  // made before, maybe, but not yet used
  std::vector<NodeId> options;
  if (accepting) options.push_back(kEpsilon);
  for (auto [set, target] : edges) options.push_back(concat(set, dfa_state(dfa, target)));
  dfas_[dfa][state].expansion = alternate(std::move(options));
}

// --- derivatives ---------------------------------------------------------------------------------

NodeId RegexPool::step(NodeId node, std::uint8_t byte) {
  if (node <= kEpsilon) return kNothing;
  std::uint64_t key = (std::uint64_t{node} << 8) | byte;
  if (NodeId known = derivatives_.find(key); known != FlatMap::kAbsent) return known;
  DepthGuard guard(depth_);
  NodeId result = derive(node, byte);
  derivatives_.insert(key, result);
  return result;
}

NodeId RegexPool::derive_chars(std::uint32_t set, std::uint8_t byte) {
  if (byte < 0x80) return contains(set, byte) ? kEpsilon : kNothing;
  std::uint32_t to_come, base, shortest, longest;
  if (byte >= 0xC2 && byte <= 0xDF) {
    to_come = 1, base = (byte & 0x1Fu) << 6, shortest = 0x80, longest = 0x7FF;
  } else if (byte >= 0xE0 && byte <= 0xEF) {
    to_come = 2, base = (byte & 0x0Fu) << 12, shortest = 0x800, longest = 0xFFFF;
  } else if (byte >= 0xF0 && byte <= 0xF4) {
    to_come = 3, base = (byte & 0x07u) << 18, shortest = 0x10000, longest = 0x10FFFF;
  } else {
    return kNothing;
  }
  // Overlong spellings are not UTF-8, so a code point counts only under its own length.
  std::uint32_t last = base + (1u << (6 * to_come)) - 1;
  Ranges values;
  for (auto [from, to] : ranges_of(set)) {
    std::uint32_t low = std::max({from, base, shortest}), high = std::min({to, last, longest});
    if (low <= high) values.emplace_back(low - base, high - base);
  }
  return rest(to_come, values);
}

NodeId RegexPool::derive(NodeId id, std::uint8_t byte) {
  const Node node = nodes_[id];  // a copy: making nodes moves the table
  switch (node.kind) {
    case Kind::kNothing:
    case Kind::kEpsilon:
      return kNothing;
    case Kind::kChars:
      return derive_chars(node.a, byte);
    case Kind::kRest: {
      if ((byte & 0xC0) != 0x80) return kNothing;
      std::uint32_t value = byte & 0x3Fu;
      if (node.b == 1) return contains(node.a, value) ? kEpsilon : kNothing;
      std::uint32_t width = 6 * (node.b - 1);
      std::uint32_t base = value << width;
      return rest(node.b - 1, slice(ranges_of(node.a), base, base + (1u << width) - 1));
    }
    case Kind::kConcat: {
      NodeId through = concat(step(node.a, byte), node.b);
      if (!nodes_[node.a].nullable) return through;
      return alternate({through, step(node.b, byte)});
    }
    case Kind::kUnion:
    case Kind::kIntersection: {
      std::span<const std::uint32_t> shared = lists_.words(node.a);
      std::vector<NodeId> children(shared.begin(), shared.end());
      bool all = node.kind == Kind::kIntersection;
      std::vector<NodeId> stepped;
      for (NodeId child : children) {
        NodeId next = step(child, byte);
        if (next == kNothing && all) return kNothing;
        if (next != kNothing) stepped.push_back(next);
      }
      return all ? intersect(std::move(stepped)) : alternate(std::move(stepped));
    }
    case Kind::kRepeat: {
      std::int32_t low = std::max(node.low - 1, 0);
      std::int32_t high = node.high == kNoBound ? kNoBound : node.high - 1;
      NodeId first = step(node.a, byte);
      return first == kNothing ? kNothing : concat(first, repeat(node.a, low, high));
    }
    case Kind::kComplement:
      return complement(step(node.a, byte));
    case Kind::kDfa:
      return step(dfa_expansion(node), byte);
  }
  return kNothing;
}

// --- questions -----------------------------------------------------------------------------------

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
    case Kind::kConcat:
      bytes = first_bytes(node.a);
      if (nodes_[node.a].nullable) bytes |= first_bytes(node.b);
      break;
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
    bool lives = known != alive_.end() ? known->second
                                       : nodes_[node].nullable || !nodes_[node].boolean;
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
  if (node.kind == Kind::kConcat) {
    result = concat(clamp(node.a, length), clamp(node.b, length));
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
  return nodes_.size() * (sizeof(Node) + 56) + lists_.bytes() + sets_.bytes() +
         derivatives_.bytes() + first_.size() * 64;
}

}  // namespace slm

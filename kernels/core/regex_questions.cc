// What is asked of expressions: is anything left, what can come first, does it run in a loop.
#include <algorithm>

#include "core/error.h"
#include "core/marks.h"
#include "core/regex.h"

namespace slm {

ByteSet RegexPool::of_children(const Node& node, ByteSet (RegexPool::*bytes_of)(NodeId)) {
  bool all = node.kind == Kind::kIntersection;
  ByteSet bytes;
  if (all) bytes.set();
  std::span<const std::uint32_t> shared = lists_.words(node.a);
  for (NodeId child : std::vector<NodeId>(shared.begin(), shared.end())) {
    ByteSet one = (this->*bytes_of)(child);
    bytes = all ? bytes & one : bytes | one;
  }
  return bytes;
}

ByteSet RegexPool::first_bytes(NodeId id) {
  if (const ByteSet* known = known_first(id)) return *known;
  if (nodes_[id].only != kNoByte) return ByteSet{}.set(nodes_[id].only);
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
        for (std::uint32_t c = std::max(low, kFirstMarkPoint); c <= high; ++c) {
          bytes.set(mark_byte(c));
        }
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
    case Kind::kIntersection:
      bytes = of_children(node, &RegexPool::first_bytes);
      break;
    case Kind::kRepeat:
    case Kind::kFirst:
      bytes = first_bytes(node.a);
      break;
    case Kind::kComplement:
      bytes.set();
      break;
    case Kind::kDfa:
      for (const auto& edge : state_of(node).edges) bytes |= first_bytes(edge.first);
      break;
    case Kind::kMultiple:
      for (std::uint8_t digit = '0'; digit <= '9'; ++digit) {
        if (step(id, digit) != kNothing) bytes.set(digit);
      }
      break;
    case Kind::kLabel:
      bytes = first_bytes_of_label(node);
      break;
    case Kind::kEcho:
      bytes = first_bytes(node.a);
      if (nodes_[node.a].nullable) bytes |= first_bytes(behind_word(node));
      break;
    case Kind::kWords:
      bytes = word_lists_.first_bytes(range_of(node));
      break;
  }
  know_first(id, bytes);
  return bytes;
}

bool RegexPool::can_continue(NodeId node) {
  if (!nodes_[node].boolean) return node > kEpsilon;
  ByteSet first = first_bytes(node);
  for (std::size_t b = 0; b < 256; ++b) {
    if (first[b] && alive(step(node, static_cast<std::uint8_t>(b)))) return true;
  }
  return false;
}

/// A bound on how many bytes any rest of the language may still need: whatever was read of one of
/// its texts, an end is at most so far away.
Cost RegexPool::most_to_end(NodeId id) {
  DepthGuard guard(depth_);
  const Node node = nodes_[id];
  switch (node.kind) {
    case Kind::kNothing:
    case Kind::kEpsilon:
      return 0;
    case Kind::kChars:
    case Kind::kRest:
    case Kind::kLabel:  // one letter is enough
      return 4;
    case Kind::kConcat: {
      std::vector<NodeId> parts;
      for (; nodes_[id].kind == Kind::kConcat; id = nodes_[id].b) parts.push_back(nodes_[id].a);
      Cost most = most_to_end(id), rest = least(id).length;
      for (; !parts.empty(); parts.pop_back()) {
        most = std::max(most, add_costs(most_to_end(parts.back()), rest));
        rest = add_costs(rest, least(parts.back()).length);
      }
      return most;
    }
    case Kind::kUnion: {
      Cost most = 0;
      for (NodeId option : options(id)) most = std::max(most, most_to_end(option));
      return most;
    }
    case Kind::kRepeat: {
      Cost rounds = static_cast<Cost>(std::max(node.low - 1, 0));
      return add_costs(most_to_end(node.a), times(rounds, least(node.a).length));
    }
    case Kind::kWords: {
      const WordRange range = range_of(node);
      constexpr Cost kLongestEscape = 11;  // of two units, behind its first sign
      const Cost escape = word_lists_.is_spelled(range) ? kLongestEscape : 0;
      return word_lists_.rest(range, word_lists_.longest(range)).size() + escape;
    }
    default:
      return kInfiniteCost;
  }
}

/// Texts of at most `high` rounds, beside a condition that never needs many bytes to be met: while
/// the bound is farther away than a text reads and the rest may need, it cannot be felt. Rounds are
/// told apart (a prefix code), and each is a byte at least.
NodeId RegexPool::clamp_intersection(NodeId id, std::int32_t length) {
  std::span<const std::uint32_t> shared = lists_.words(nodes_[id].a);
  std::vector<NodeId> parts(shared.begin(), shared.end());
  auto is_length = [&](NodeId part) {
    const Node& node = nodes_[part];
    return node.kind == Kind::kRepeat && node.low == 0 && node.high > length;
  };
  if (std::ranges::count_if(parts, is_length) != 1) return id;
  NodeId* bound = nullptr;
  Cost needed = static_cast<Cost>(length);
  for (NodeId& part : parts) {
    if (is_length(part)) {
      bound = &part;
    } else {
      needed = add_costs(needed, most_to_end(part));
    }
  }
  const Node repeated = nodes_[*bound];
  if (parts.size() != 2 || needed > static_cast<Cost>(repeated.high) ||
      !is_prefix_code(repeated.a)) {
    return id;
  }
  // The near end must be one of both: of a condition that reads other texts as well, it may not be.
  NodeId other = bound == &parts[0] ? parts[1] : parts[0];
  if (!made_of_rounds(other, repeated.a)) return id;
  *bound = repeat(repeated.a, 0, kNoBound);
  return intersect(std::move(parts));
}

NodeId RegexPool::clamp(NodeId id, std::int32_t length) {
  const Node node = nodes_[id];
  if (!node.counted) return id;
  if (node.kind == Kind::kIntersection) return clamp_intersection(id, length);
  bool outer = node.kind == Kind::kConcat || node.kind == Kind::kUnion;
  if ((node.boolean && !outer) || node.kind == Kind::kChars || node.kind == Kind::kRest ||
      id <= kEpsilon) {
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
    // A bound more rounds away than can be begun cannot be reached. A nullable body is the
    // exception only for `low`, and that is 0 then.
    Cost each = std::clamp<Cost>(least(node.a).length, 1, static_cast<Cost>(length) + 1);
    std::int32_t most = static_cast<std::int32_t>((static_cast<Cost>(length) + each - 1) / each);
    std::int32_t high = node.high > most ? kNoBound : node.high;
    result = repeat(clamp(node.a, length), std::min(node.low, most + 1), high);
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
  if (auto known = singles_.find(body); known != singles_.end()) return known->second;
  CharClass found;
  ByteSet others;
  for (NodeId option : options(body)) {
    if (nodes_[option].kind != Kind::kChars) {
      others |= first_bytes(option);
      continue;
    }
    Ranges ranges = ranges_of(nodes_[option].a);
    for (auto [low, high] : ranges) {
      for (std::uint32_t c = low; c <= std::min<std::uint32_t>(high, 0x7F); ++c) {
        found.add(static_cast<std::uint8_t>(c));
      }
    }
    // A lead byte counts when all its characters are there; no character is a surrogate.
    auto holds = [&](std::uint32_t from, std::uint32_t to) {
      auto at = std::ranges::lower_bound(ranges, from, {}, &Ranges::value_type::second);
      return at != ranges.end() && at->first <= from && to <= at->second;
    };
    for (std::uint32_t lead = 0xC2; lead <= 0xF4; ++lead) {
      std::uint32_t from, to;
      if (lead < 0xE0) {
        from = (lead & 0x1F) << 6, to = from | 0x3F;
      } else if (lead < 0xF0) {
        from = std::max((lead & 0x0F) << 12, 0x800u), to = (lead & 0x0F) << 12 | 0xFFF;
      } else {
        from = std::max((lead & 0x07) << 18, 0x10000u);
        to = std::min((lead & 0x07) << 18 | 0x3FFFF, 0x10FFFFu);
      }
      if (lead == 0xED) to = 0xD7FF;
      if (holds(from, to)) found.add(static_cast<std::uint8_t>(lead));
    }
  }
  found.take_out(others);
  singles_.emplace(body, found);
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
  std::uint32_t known = prefix_codes_.find(id);
  if (known != FlatMap::kAbsent) return known != 0;
  DepthGuard guard(depth_);
  const Node node = nodes_[id];
  bool holds = false;
  switch (node.kind) {
    case Kind::kChars:
    case Kind::kRest:
    case Kind::kFirst:
      holds = true;
      break;
    case Kind::kConcat: {  // a loop: a literal is as many parts as characters
      std::vector<NodeId> passed;
      NodeId at = id;
      for (; nodes_[at].kind == Kind::kConcat && is_prefix_code(nodes_[at].a); at = nodes_[at].b) {
        if (known = prefix_codes_.find(at); known != FlatMap::kAbsent) break;
        if (at != id) passed.push_back(at);
      }
      if (known != FlatMap::kAbsent) {
        holds = known != 0;
      } else {
        holds = nodes_[at].kind != Kind::kConcat && is_prefix_code(at);
      }
      for (NodeId suffix : passed) prefix_codes_.insert(suffix, holds ? 1 : 0);
      break;
    }
    case Kind::kRepeat:
      holds = node.low == node.high && is_prefix_code(node.a);
      break;
    case Kind::kWords:
      holds = word_lists_.is_prefix_code(range_of(node));
      break;
    case Kind::kUnion: {
      holds = true;
      ByteSet taken;
      for (NodeId option : options(id)) {
        ByteSet first = first_bytes(option);
        holds = holds && (taken & first).none() && is_prefix_code(option);
        taken |= first;
      }
      break;
    }
    default:
      break;
  }
  prefix_codes_.insert(id, holds ? 1 : 0);
  return holds;
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
  return nodes_.size() * sizeof(Node) + slots_.bytes() + lists_.bytes() + sets_.bytes() +
         word_lists_.memory() + steps_.size() * sizeof(Step) + rows_.size() * 1024 +
         first_.size() * sizeof(ByteSet) + first_of_.size() * 4 + alive_.size() +
         names_of_.bytes() + names_.size() * sizeof(std::optional<Hash128>);
}

}  // namespace slm

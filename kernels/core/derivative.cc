// The derivative of an expression: what must follow after a byte.
#include <algorithm>

#include "core/error.h"
#include "core/marks.h"
#include "core/regex.h"

namespace slm {

NodeId RegexPool::compute_step(NodeId node, std::uint8_t byte) {
  if (node <= kEpsilon) return kNothing;
  DepthGuard guard(depth_);
  NodeId result = derive(node, byte);
  remember_step(node, byte, result);
  return result;
}

void RegexPool::remember_step(NodeId node, std::uint8_t byte, NodeId next) {
  std::uint32_t& place = nodes_[node].steps;
  if ((place & kHasRow) != 0) {
    rows_[place & ~kHasRow][byte] = next;
    return;
  }
  std::uint8_t length = place == 0 ? 0 : steps_[place - 1].length;
  if (length < kBusy) {
    steps_.push_back({place, next, byte, static_cast<std::uint8_t>(length + 1)});
    place = static_cast<std::uint32_t>(steps_.size());
    return;
  }
  auto row = std::make_unique<NodeId[]>(256);
  std::fill_n(row.get(), 256, kUnknownStep);
  for (std::uint32_t at = place; at != 0; at = steps_[at - 1].before) {
    row[steps_[at - 1].byte] = steps_[at - 1].next;
  }
  row[byte] = next;
  place = kHasRow | static_cast<std::uint32_t>(rows_.size());
  rows_.push_back(std::move(row));
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
  } else if (is_mark_byte(byte)) {
    return contains(set, mark_point(byte)) ? kEpsilon : kNothing;
  } else {
    return kNothing;
  }
  // Overlong spellings are not UTF-8, so a code point counts only under its own length.
  std::uint32_t last = base + (1u << (6 * to_come)) - 1;
  return rest(to_come, slice(set, std::max(base, shortest), std::min(last, longest), base));
}

/// The byte may begin any part up to the first that cannot be empty. From the last of them back to
/// the whole, so that a long row of optional parts needs no deep stack.
NodeId RegexPool::derive_concat(NodeId id, std::uint8_t byte) {
  if (const Node node = nodes_[id]; !nodes_[node.a].nullable) {
    return concat(step(node.a, byte), node.b);
  }
  std::vector<NodeId> suffixes;
  NodeId result = kNothing;
  for (NodeId at = id;; at = nodes_[at].b) {
    if (at != id) {
      NodeId known = known_step(at, byte);
      if (known != kUnknownStep || nodes_[at].kind != Kind::kConcat) {
        result = known != kUnknownStep ? known : step(at, byte);
        break;
      }
    }
    suffixes.push_back(at);
    if (!nodes_[nodes_[at].a].nullable) break;
  }
  for (; !suffixes.empty(); suffixes.pop_back()) {
    const Node node = nodes_[suffixes.back()];
    NodeId through = concat(step(node.a, byte), node.b);
    result = nodes_[node.a].nullable ? alternate({through, result}) : through;
    if (suffixes.back() != id) remember_step(suffixes.back(), byte, result);
  }
  return result;
}

/// An automaton's state moves along the edges that the byte may begin.
NodeId RegexPool::derive_state(const Node& automaton_state, std::uint8_t byte) {
  std::vector<NodeId> options;
  for (auto [set, target] : state_of(automaton_state).edges) {
    const NodeId left = step(set, byte);
    if (left != kNothing) options.push_back(concat(left, dfa_state(automaton_state.a, target)));
  }
  return alternate(std::move(options));
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
      return rest(node.b - 1, slice(node.a, base, base + (1u << width) - 1, base));
    }
    case Kind::kConcat:
      return derive_concat(id, byte);
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
      return derive_state(node, byte);
    case Kind::kMultiple:
      return derive_multiple(node, byte);
    case Kind::kLabel:
      return derive_label(node, byte);
    case Kind::kEcho:
      return derive_echo(node, byte);
    case Kind::kFirst:
      return first_of(step(node.a, byte));
    case Kind::kWords:
      return byte == '\\' && word_lists_.is_spelled(range_of(node))
                 ? words_behind_escape(range_of(node))
                 : words_of(word_lists_.after(range_of(node), byte));
  }
  return kNothing;
}

ByteSet RegexPool::alike(NodeId node, std::uint8_t byte) const {
  constexpr int kSome = 48;  // nodes: beyond that, deriving one by one costs no more
  ByteSet same;
  int left = kSome;
  for (std::size_t b = 0; b < 0x80; ++b) same.set(b);
  if (byte >= 0x80 || !keep_alike(node, byte, same, left)) same.reset();
  same.set(byte);
  return same;
}

/// Takes out of `same` what some part tells apart from the byte; false when there is too much to
/// look at.
bool RegexPool::keep_alike(NodeId id, std::uint8_t byte, ByteSet& same, int& left) const {
  for (;;) {
    if (--left < 0) return false;
    const Node& node = nodes_[id];
    switch (node.kind) {
      case Kind::kNothing:
      case Kind::kEpsilon:
      case Kind::kRest:
        return true;
      case Kind::kChars: {
        ByteSet set;
        std::span<const std::uint32_t> ranges = sets_.words(node.a);
        for (std::size_t i = 0; i < ranges.size() && ranges[i] < 0x80; i += 2) {
          for (std::uint32_t c = ranges[i]; c <= std::min(ranges[i + 1], 0x7Fu); ++c) set.set(c);
        }
        same &= set[byte] ? set : ~set;
        return true;
      }
      case Kind::kConcat:
        if (nodes_[node.a].nullable && !keep_alike(node.b, byte, same, left)) return false;
        id = node.a;
        break;
      case Kind::kUnion:
      case Kind::kIntersection:
        for (NodeId child : lists_.words(node.a)) {
          if (!keep_alike(child, byte, same, left)) return false;
        }
        return true;
      case Kind::kRepeat:
      case Kind::kComplement:
      case Kind::kFirst:
        id = node.a;
        break;
      case Kind::kDfa:
        for (const auto& edge : state_of(node).edges) {
          if (!keep_alike(edge.first, byte, same, left)) return false;
        }
        return true;
      case Kind::kMultiple: {
        ByteSet digits;
        for (std::size_t digit = '0'; digit <= '9'; ++digit) digits.set(digit);
        if (digits[byte]) digits.reset().set(byte).flip();  // each leaves another remainder
        same &= ~digits;
        return true;
      }
      case Kind::kLabel: {
        if (node.high > 0) return true;
        ByteSet letters;
        for (std::uint32_t b = 0; b < 0x80; ++b) {
          if (alphabets_of_labels_[node.a].has(b)) letters.set(b);
        }
        if (letters[byte]) letters.reset().set(byte).flip();  // each leaves another label
        same &= ~letters;
        return true;
      }
      case Kind::kWords: {
        ByteSet first = word_lists_.first_bytes(range_of(node));
        if (first[byte]) first.reset().set(byte).flip();  // each leaves other words
        same &= ~first;
        return true;
      }
      case Kind::kEcho:
        return false;  // each is remembered
    }
  }
}

}  // namespace slm

#include "schema/terms.h"

#include <algorithm>
#include <unordered_map>

#include "core/hash.h"
#include "schema/json.h"

namespace slm::schema {
namespace {

constexpr std::int32_t kLast = 0x10FFFF, kSurrogate = 0xD800, kAfterSurrogates = 0xE000;
constexpr Term kFree = 0xFFFFFFFF;

void add_range(Points& out, std::int32_t low, std::int32_t high) {
  if (low > high) return;
  out.push_back(low);
  out.push_back(high);
}

std::int64_t times(std::int64_t length, std::int64_t count) {
  if (length == 0 || count == 0) return 0;
  return length > Lengths::kEndless / count ? Lengths::kEndless : length * count;
}

std::int64_t plus(std::int64_t left, std::int64_t right) {
  return std::min(left + right, Lengths::kEndless);
}

/// The lengths of `low` to `high` texts one after the other.
Lengths repeated(const Lengths& body, std::int64_t low, std::int64_t high) {
  Lengths found{times(body.least, low), times(body.most, high), 1, 0};
  bool known = body.from <= body.to;
  if (!known) {
    if (low == 0) found.from = found.to = 0;
    return found;
  }
  // k texts have the lengths from k·from to k·to. No gap follows if k + 1 of them start there, and
  // then none follows later, either.
  std::int64_t first = low == 0 && body.from > 1 ? 1 : low;  // no length is near that of no text
  bool gapless = times(body.from, first + 1) <= plus(times(body.to, first), 1);
  found.from = times(body.from, first);
  found.to = times(body.to, gapless ? high : first);
  return found;
}

}  // namespace

Points canonical_ranges(Points ranges) {
  bool plain = true;  // already as they should be
  for (std::size_t at = 0; plain && at < ranges.size(); at += 2) {
    bool apart = at == 0 || ranges[at] > ranges[at - 1] + 1;
    bool clear = ranges[at + 1] < kSurrogate || ranges[at] >= kAfterSurrogates;
    plain = apart && clear && ranges[at] <= ranges[at + 1] && ranges[at + 1] <= kLast;
  }
  if (plain) return ranges;
  std::vector<std::pair<std::int32_t, std::int32_t>> split;
  for (std::size_t at = 0; at < ranges.size(); at += 2) {
    std::int32_t low = ranges[at], high = std::min(ranges[at + 1], kLast);
    if (low < kSurrogate) split.emplace_back(low, std::min(high, kSurrogate - 1));
    if (high >= kAfterSurrogates) split.emplace_back(std::max(low, kAfterSurrogates), high);
  }
  std::ranges::sort(split);
  Points merged;
  for (auto [low, high] : split) {
    if (low > high) continue;
    if (!merged.empty() && low <= merged.back() + 1) {
      merged.back() = std::max(merged.back(), high);
    } else {
      add_range(merged, low, high);
    }
  }
  return merged;
}

Points meet_ranges(Span<std::int32_t> left, Span<std::int32_t> right) {
  Points found;
  std::size_t mine = 0, theirs = 0;
  while (mine < left.size() && theirs < right.size()) {
    add_range(found, std::max(left[mine], right[theirs]),
              std::min(left[mine + 1], right[theirs + 1]));
    (left[mine + 1] < right[theirs + 1] ? mine : theirs) += 2;
  }
  return found;
}

Points other_points(Span<std::int32_t> ranges) {
  Points gaps;
  std::int32_t start = 0;
  for (std::size_t at = 0; at < ranges.size(); at += 2) {
    add_range(gaps, start, ranges[at] - 1);
    start = ranges[at + 1] + 1;
  }
  add_range(gaps, start, kLast);
  return canonical_ranges(std::move(gaps));
}

Terms::Terms(Arena& arena) : arena_(arena) {
  nothing = made(Kind::kChars, {});
  epsilon = made(Kind::kConcat, {});
  any_char = chars({0, kLast});
  anything = repeat(any_char);
}

void Terms::grow() {
  slots_.assign(slots_.empty() ? 256 : 2 * slots_.size(), kFree);
  for (Term term = 0; term < nodes_.size(); ++term) {
    std::size_t at = nodes_[term].hash & (slots_.size() - 1);
    while (slots_[at] != kFree) at = (at + 1) & (slots_.size() - 1);
    slots_[at] = term;
  }
}

Term Terms::made(Kind kind, Span<std::int32_t> data, std::int32_t low, std::int32_t high) {
  if (2 * (nodes_.size() + 1) > slots_.size()) grow();
  std::uint64_t hash = mix(static_cast<std::uint64_t>(kind), data.size());
  hash = mix(hash, (static_cast<std::uint64_t>(static_cast<std::uint32_t>(low)) << 32) |
                       static_cast<std::uint32_t>(high));
  // The sets of an automaton are left out, so that no number of a term goes into it.
  for (std::int32_t word : data) {
    if (kind == Kind::kDfa) break;
    bool raw = kind == Kind::kChars;
    hash = mix(
        hash, raw ? static_cast<std::uint32_t>(word) : nodes_[static_cast<std::size_t>(word)].hash);
  }
  std::size_t at = hash & (slots_.size() - 1);
  for (; slots_[at] != kFree; at = (at + 1) & (slots_.size() - 1)) {
    const Node& known = nodes_[slots_[at]];
    if (known.hash == hash && known.kind == kind && known.low == low && known.high == high &&
        std::ranges::equal(known.data, data)) {
      return slots_[at];
    }
  }
  Node node{kind, false, false, false, low, high, arena_.keep(data), hash, {}};
  describe(node);
  slots_[at] = static_cast<Term>(nodes_.size());
  nodes_.push_back(node);
  return slots_[at];
}

/// What the form of a node shows of its texts.
void Terms::describe(Node& node) const {
  auto child = [&](std::int32_t word) -> const Node& {
    return nodes_[static_cast<std::size_t>(word)];
  };
  for (std::int32_t word : node.data) {
    if (node.kind != Kind::kChars && node.kind != Kind::kDfa) {
      node.boolean = node.boolean || child(word).boolean;
    }
  }
  Lengths& lengths = node.lengths;
  switch (node.kind) {
    case Kind::kChars:
      node.has_text = !node.data.empty();
      lengths = {1, 1, 1, node.data.empty() ? 0 : 1};
      break;
    case Kind::kConcat:
      node.nullable = node.has_text = true;
      lengths = {0, 0, 0, 0};
      for (std::int32_t word : node.data) {
        const Node& part = child(word);
        node.nullable = node.nullable && part.nullable;
        node.has_text = node.has_text && part.has_text;
        bool known = lengths.from <= lengths.to && part.lengths.from <= part.lengths.to;
        lengths = {plus(lengths.least, part.lengths.least), plus(lengths.most, part.lengths.most),
                   known ? plus(lengths.from, part.lengths.from) : 1,
                   known ? plus(lengths.to, part.lengths.to) : 0};
      }
      break;
    case Kind::kUnion:
      lengths = {Lengths::kEndless, 0, 1, 0};
      for (std::int32_t word : node.data) {
        const Node& option = child(word);
        const Lengths& one = option.lengths;
        node.nullable = node.nullable || option.nullable;
        node.has_text = node.has_text || option.has_text;
        lengths.least = std::min(lengths.least, one.least);
        lengths.most = std::max(lengths.most, one.most);
        if (one.from > one.to) continue;
        if (lengths.from > lengths.to) {
          lengths.from = one.from;
          lengths.to = one.to;
        } else if (one.from <= plus(lengths.to, 1) && lengths.from <= plus(one.to, 1)) {
          lengths.from = std::min(lengths.from, one.from);
          lengths.to = std::max(lengths.to, one.to);
        } else if (one.to - one.from > lengths.to - lengths.from) {
          lengths.from = one.from;
          lengths.to = one.to;
        }
      }
      break;
    case Kind::kRepeat: {
      const Node& body = child(node.data[0]);
      node.nullable = node.low == 0 || body.nullable;
      node.has_text = node.low == 0 || body.has_text;
      lengths = repeated(body.lengths, node.low, node.high < 0 ? Lengths::kEndless : node.high);
      break;
    }
    case Kind::kIntersection:
      node.boolean = node.nullable = true;
      for (std::int32_t word : node.data) {
        node.nullable = node.nullable && child(word).nullable;
        lengths.least = std::max(lengths.least, child(word).lengths.least);
        lengths.most = std::min(lengths.most, child(word).lengths.most);
      }
      node.has_text = node.nullable;
      break;
    default:
      node.boolean = true;
  }
}

// --- constructors --------------------------------------------------------------------------------

Term Terms::chars(Points ranges) { return made(Kind::kChars, canonical_ranges(std::move(ranges))); }

Term Terms::any_of_chars(std::string_view ascii) {
  Points ranges;
  for (char each : ascii) ranges.insert(ranges.end(), 2, static_cast<unsigned char>(each));
  return chars(std::move(ranges));
}

Term Terms::literal(std::string_view text) {
  std::vector<Term> parts;
  each_point(text, [&](std::uint32_t point) {
    std::int32_t one[] = {static_cast<std::int32_t>(point), static_cast<std::int32_t>(point)};
    parts.push_back(made(Kind::kChars, one));
  });
  return concat(parts);
}

Term Terms::list(Kind kind, const std::vector<Term>& parts) {
  static_assert(sizeof(Term) == sizeof(std::int32_t));
  return made(kind, {reinterpret_cast<const std::int32_t*>(parts.data()), parts.size()});
}

Term Terms::concat(Span<Term> parts) {
  std::vector<Term> flat;
  for (Term part : parts) {
    if (part == nothing) return nothing;
    const Node& node = nodes_[part];
    if (node.kind == Kind::kConcat) {
      flat.insert(flat.end(), node.data.begin(), node.data.end());
    } else {
      flat.push_back(part);
    }
  }
  return flat.size() == 1 ? flat[0] : list(Kind::kConcat, flat);
}

Term Terms::unite(Span<Term> options) {
  std::vector<Term> flat;
  Points ranges;
  auto add = [&](Term leaf) {
    const Node& node = nodes_[leaf];
    if (node.kind == Kind::kChars) {
      ranges.insert(ranges.end(), node.data.begin(), node.data.end());
    } else if (flat.size() > 64 || std::ranges::find(flat, leaf) == flat.end()) {
      flat.push_back(leaf);
    }
  };
  for (Term option : options) {
    if (nodes_[option].kind == Kind::kUnion) {
      for (std::int32_t leaf : nodes_[option].data) add(static_cast<Term>(leaf));
    } else {
      add(option);
    }
  }
  if (flat.size() > 64) {  // without repeats, the first of each kept
    std::unordered_map<Term, bool> seen;
    std::erase_if(flat, [&](Term leaf) { return !seen.emplace(leaf, true).second; });
  }
  if (!ranges.empty()) flat.push_back(chars(std::move(ranges)));
  if (flat.empty()) return nothing;
  return flat.size() == 1 ? flat[0] : list(Kind::kUnion, flat);
}

Term Terms::repeat(Term body, std::int32_t low, std::int32_t high) {
  if (high != -1 && high < low) return nothing;
  if (high == 0 || body == epsilon) return epsilon;
  if (body == nothing) return low == 0 ? epsilon : nothing;
  if (low == 1 && high == 1) return body;
  std::int32_t child = static_cast<std::int32_t>(body);
  return made(Kind::kRepeat, {&child, 1}, low, high);
}

Term Terms::intersect(Span<Term> parts) {
  std::vector<Term> flat;
  bool all_chars = true, none = false;
  auto add = [&](Term leaf) {
    none = none || leaf == nothing;
    if (leaf == anything || std::ranges::find(flat, leaf) != flat.end()) return;
    all_chars = all_chars && is_chars(leaf);
    flat.push_back(leaf);
  };
  for (Term part : parts) {
    if (nodes_[part].kind == Kind::kIntersection) {
      for (std::int32_t leaf : nodes_[part].data) add(static_cast<Term>(leaf));
    } else {
      add(part);
    }
  }
  if (none) return nothing;
  if (flat.empty()) return anything;
  if (all_chars) {
    Points met(nodes_[flat[0]].data.begin(), nodes_[flat[0]].data.end());
    for (Term leaf : flat) met = meet_ranges(met, nodes_[leaf].data);
    return made(Kind::kChars, met);
  }
  return flat.size() == 1 ? flat[0] : list(Kind::kIntersection, flat);
}

Term Terms::complement(Term body) {
  const Node& node = nodes_[body];
  if (node.kind == Kind::kComplement) return static_cast<Term>(node.data[0]);
  if (body == nothing) return anything;
  if (body == anything) return nothing;
  std::int32_t child = static_cast<std::int32_t>(body);
  return made(Kind::kComplement, {&child, 1});
}

}  // namespace slm::schema

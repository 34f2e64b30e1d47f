// Which characters leave a language no smaller, however many of them are read.
//
// Where that is so, all tokens made of them are allowed, and a walk need not look at them.
#include <algorithm>

#include "core/regex.h"

namespace slm {
namespace {

CharClass all_characters() noexcept {
  CharClass chars;
  chars.starts = {~std::uint64_t{0}, ~std::uint64_t{0}, ~std::uint64_t{0}};
  return chars;
}

}  // namespace

/// Characters c with c⁻¹L ⊇ L: what could come before one of them can still come after it. By the
/// form alone, so maybe not all of them.
CharClass RegexPool::growing(NodeId id) {
  if (id == kNothing) return all_characters();
  while (nodes_[id].kind == Kind::kConcat) id = nodes_[id].a;
  DepthGuard guard(depth_);
  const Node node = nodes_[id];
  switch (node.kind) {
    case Kind::kRepeat:
      return node.high == kNoBound ? single_characters(node.a) : CharClass{};
    case Kind::kUnion:
    case Kind::kIntersection: {
      CharClass chars = all_characters();
      std::span<const std::uint32_t> shared = lists_.words(node.a);
      for (NodeId child : std::vector<NodeId>(shared.begin(), shared.end())) {
        chars.intersect(growing(child));
        if (chars.size() == 0) break;
      }
      return chars;
    }
    case Kind::kComplement:
      return shrinking(node.a);
    case Kind::kDfa: {  // what leads back to the state
      CharClass chars;
      for (NodeId edge : options(dfa_expansion(node))) {
        if (nodes_[edge].kind == Kind::kConcat && nodes_[edge].b == id) {
          chars.unite(single_characters(nodes_[edge].a));
        }
      }
      return chars;
    }
    default:
      return {};
  }
}

/// Characters c with c⁻¹L ⊆ L: what could not come before one of them cannot come after it.
CharClass RegexPool::shrinking(NodeId id) {
  DepthGuard guard(depth_);
  CharClass chars = all_characters();
  for (; nodes_[id].kind == Kind::kConcat; id = nodes_[id].b) {
    chars.intersect(shrinking(nodes_[id].a));
    if (!nodes_[nodes_[id].a].nullable || chars.size() == 0) return chars;
  }
  const Node node = nodes_[id];
  switch (node.kind) {
    case Kind::kUnion:
    case Kind::kIntersection: {
      std::span<const std::uint32_t> shared = lists_.words(node.a);
      for (NodeId child : std::vector<NodeId>(shared.begin(), shared.end())) {
        chars.intersect(shrinking(child));
      }
      return chars;
    }
    case Kind::kComplement:
      chars.intersect(growing(node.a));
      return chars;
    default: {
      CharClass others = all_characters();
      others.take_out(first_bytes(id));
      if (is_free_loop(id)) others.unite(single_characters(node.a));
      chars.intersect(others);
      return chars;
    }
  }
}

/// A superset of the characters in texts of an expression.
const CharClass& RegexPool::alphabet(NodeId id) {
  if (auto known = alphabets_.find(id); known != alphabets_.end()) return known->second;
  DepthGuard guard(depth_);
  const Node node = nodes_[id];
  CharClass chars;
  switch (node.kind) {
    case Kind::kNothing:
    case Kind::kEpsilon:
    case Kind::kRest:
      break;
    case Kind::kChars:
      chars = all_characters();
      chars.take_out(~first_bytes(id));
      break;
    case Kind::kWords:
      chars = all_characters();
      chars.take_out(~word_lists_.bytes(range_of(node)));
      break;
    case Kind::kConcat: {  // a loop: a literal is as many parts as characters
      NodeId at = id;
      for (; nodes_[at].kind == Kind::kConcat; at = nodes_[at].b) {
        chars.unite(alphabet(nodes_[at].a));
      }
      chars.unite(alphabet(at));
      break;
    }
    case Kind::kUnion:
      for (NodeId option : options(id)) chars.unite(alphabet(option));
      break;
    case Kind::kRepeat:
      chars = alphabet(node.a);
      break;
    default:
      chars = all_characters();
  }
  return alphabets_.emplace(id, chars).first->second;
}

/// What some character is enough to get away from, once and for all, excludes only whole texts: it
/// kills nothing that can still grow by that character.
CharClass RegexPool::living_beside_exclusions(std::span<const NodeId> parts) {
  CharClass chars = all_characters(), escapes = all_characters();
  std::vector<NodeId> texts;
  for (NodeId part : parts) {
    if (nodes_[part].kind != Kind::kComplement) {
      texts.push_back(part);
      chars.intersect(growing(part));
      continue;
    }
    CharClass others = all_characters();
    const CharClass& used = alphabet(nodes_[part].a);
    for (std::size_t w = 0; w < others.starts.size(); ++w) others.starts[w] &= ~used.starts[w];
    escapes.intersect(others);
  }
  escapes.intersect(chars);
  if (texts.empty() || escapes.size() == 0 || !alive(intersect(std::move(texts)))) return {};
  return chars;
}

/// Whether what an expression excludes, if it is or begins with an intersection, are words and no
/// repetitions.
bool RegexPool::excludes_words(NodeId id) {
  while (nodes_[id].kind == Kind::kConcat && nodes_[nodes_[id].a].kind == Kind::kChars) {
    id = nodes_[id].b;
  }
  if (nodes_[id].kind == Kind::kConcat) id = nodes_[id].a;
  if (nodes_[id].kind != Kind::kIntersection) return true;
  std::span<const std::uint32_t> parts = lists_.words(nodes_[id].a);
  return std::ranges::all_of(parts, [&](NodeId part) {
    return nodes_[part].kind != Kind::kComplement || !repeats(nodes_[part].a);
  });
}

bool RegexPool::repeats(NodeId id) {
  constexpr std::int32_t kSome = 8;
  if (std::uint32_t known = repeats_.find(id); known != FlatMap::kAbsent) return known != 0;
  DepthGuard guard(depth_);
  const Node node = nodes_[id];
  bool found = node.boolean || node.kind == Kind::kMultiple || node.kind == Kind::kLabel ||
               node.kind == Kind::kFirst;
  if (!found && node.kind == Kind::kConcat) {
    NodeId at = id;
    for (; !found && nodes_[at].kind == Kind::kConcat; at = nodes_[at].b) {
      found = repeats(nodes_[at].a);
    }
    found = found || repeats(at);
  } else if (!found && node.kind == Kind::kUnion) {
    for (NodeId option : options(id)) found = found || repeats(option);
  } else if (!found && node.kind == Kind::kRepeat) {
    found = node.high == kNoBound || node.high > kSome || repeats(node.a);
  }
  repeats_.insert(id, found ? 1 : 0);
  return found;
}

/// Beside a bound of `high` rounds, a text of the pattern that is shorter by all that is read meets
/// the bound also after it.
CharClass RegexPool::living_intersection(NodeId id, std::int32_t length) {
  CharClass chars = growing(id);
  std::span<const std::uint32_t> shared = lists_.words(nodes_[id].a);
  std::vector<NodeId> parts(shared.begin(), shared.end());
  if (std::ranges::any_of(parts, [&](NodeId p) { return nodes_[p].kind == Kind::kComplement; })) {
    CharClass more = living_beside_exclusions(parts);
    return more.size() > chars.size() ? more : chars;
  }
  if (chars.size() > 0 || parts.size() != 2) return chars;
  NodeId bound = parts[0], pattern = parts[1];
  auto is_bound = [&](NodeId part) {
    return nodes_[part].kind == Kind::kRepeat && nodes_[part].high != kNoBound;
  };
  if (!is_bound(bound)) std::swap(bound, pattern);
  if (!is_bound(bound) || is_bound(pattern)) return chars;
  const Node counter = nodes_[bound];
  if (nodes_[pattern].boolean || nodes_[counter.a].boolean || !made_of_rounds(pattern, counter.a)) {
    return chars;
  }
  Cost shortest = add_costs(static_cast<Cost>(counter.low), least(pattern).length);
  if (add_costs(shortest, static_cast<Cost>(length)) > static_cast<Cost>(counter.high)) {
    return chars;
  }
  chars = growing(pattern);
  chars.intersect(single_characters(counter.a));
  return chars;
}

bool RegexPool::leaves(NodeId id, const CharClass& chars) {
  DepthGuard guard(depth_);
  auto leave = [&](NodeId part) { return leaves(part, chars); };
  for (; nodes_[id].kind == Kind::kConcat; id = nodes_[id].b) {
    if (leave(nodes_[id].a)) return true;
  }
  const Node node = nodes_[id];
  if (node.nullable) return false;
  switch (node.kind) {
    case Kind::kUnion:
      return std::ranges::all_of(options(id), leave);
    case Kind::kIntersection: {
      std::span<const std::uint32_t> parts = lists_.words(node.a);
      return std::ranges::any_of(std::vector<NodeId>(parts.begin(), parts.end()), leave);
    }
    case Kind::kRepeat:
      return leave(node.a);
    case Kind::kChars: {
      const ByteSet first = first_bytes(id);
      for (std::size_t byte = 0; byte < 256; ++byte) {
        if (first[byte] && chars.has(static_cast<std::uint8_t>(byte))) return false;
      }
      return true;
    }
    case Kind::kEcho:
      return echo_leaves(node, chars);
    case Kind::kWords:
      return words_leave(node, chars);
    case Kind::kFirst:
      return leave(node.a);
    default:
      return id == kNothing;
  }
}

CharClass RegexPool::living(NodeId id, std::int32_t length) {
  while (nodes_[id].kind == Kind::kConcat) id = nodes_[id].a;
  DepthGuard guard(depth_);
  const Node node = nodes_[id];
  switch (node.kind) {
    case Kind::kUnion: {
      CharClass widest;
      for (NodeId option : options(id)) {
        if (nodes_[option].boolean && !alive(option)) continue;
        CharClass one = living(option, length);
        if (one.size() > widest.size()) widest = one;
      }
      return widest;
    }
    case Kind::kRepeat:
      if (node.high != kNoBound && node.high < length) return {};
      return single_characters(node.a);
    case Kind::kIntersection:
      return living_intersection(id, length);
    case Kind::kEcho:  // whatever the word is, the rest has texts
      return living(node.a == kEpsilon ? behind_word(node) : node.a, length);
    case Kind::kFirst: {  // what no text of the body ends with completes none
      CharClass chars = living(node.a, length);
      ByteSet last = last_bytes(node.a);
      for (std::size_t b = 0x80; b < 0xC0; ++b) {
        if (!last[b]) continue;
        for (std::size_t lead = 0xC0; lead < 0x100; ++lead) last.set(lead);
        break;
      }
      chars.take_out(last);
      return chars;
    }
    default:
      return growing(id);
  }
}

}  // namespace slm

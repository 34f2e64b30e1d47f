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

/// Beside a bound of `high` rounds, a text of the pattern that is shorter by all that is read meets
/// the bound also after it.
CharClass RegexPool::living_intersection(NodeId id, std::int32_t length) {
  CharClass chars = growing(id);
  std::span<const std::uint32_t> shared = lists_.words(nodes_[id].a);
  if (chars.size() > 0 || shared.size() != 2) return chars;
  NodeId bound = shared[0], pattern = shared[1];
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
    default:
      return growing(id);
  }
}

}  // namespace slm

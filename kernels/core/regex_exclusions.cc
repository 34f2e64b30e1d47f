// Texts of a loop but for some: where an exclusion can be seen to leave a way on, whatever was
// read.
//
// A schema's names of properties are such: any string that is none of these, or does not match that
// pattern. Every place in a name asks whether it can still be finished. A search in the automaton
// of the difference would answer; the form of both sides answers once for all places.
#include <algorithm>

#include "core/regex.h"

namespace slm {

bool RegexPool::is_finite(NodeId id) {
  std::uint32_t known = finite_.find(id);
  if (known != FlatMap::kAbsent) return known != 0;
  DepthGuard guard(depth_);
  const Node node = nodes_[id];
  bool holds = false;
  switch (node.kind) {
    case Kind::kNothing:
    case Kind::kEpsilon:
    case Kind::kChars:
    case Kind::kRest:
    case Kind::kWords:
      holds = true;
      break;
    case Kind::kConcat: {  // a loop: a literal is as many parts as characters
      NodeId at = id;
      for (holds = true; holds && nodes_[at].kind == Kind::kConcat; at = nodes_[at].b) {
        holds = is_finite(nodes_[at].a);
      }
      holds = holds && is_finite(at);
      break;
    }
    case Kind::kUnion:
      holds = std::ranges::all_of(options(id), [&](NodeId option) { return is_finite(option); });
      break;
    case Kind::kRepeat:
      holds = node.high != kNoBound && is_finite(node.a);
      break;
    default:
      break;
  }
  finite_.insert(id, holds ? 1 : 0);
  return holds;
}

bool RegexPool::is_exclusion(NodeId id, Exclusion& found) {
  const Node node = nodes_[id];
  if (node.kind != Kind::kConcat || nodes_[node.a].kind != Kind::kIntersection) return false;
  if (nodes_[node.b].nullable || nodes_[node.b].boolean) return false;
  found = {kUndecided, kUndecided, node.b};
  for (NodeId part : lists_.words(nodes_[node.a].a)) {
    bool complement = nodes_[part].kind == Kind::kComplement;
    NodeId& place = complement ? found.body : found.text;
    if (place != kUndecided) return false;
    place = complement ? nodes_[part].a : part;
  }
  if (found.text == kUndecided || found.body == kUndecided) return false;
  const Node loop = nodes_[found.text];
  return loop.kind == Kind::kRepeat && loop.high == kNoBound && !loop.boolean;
}

/// A superset, in which no high count matters but whether there is a round at all.
NodeId RegexPool::without_bounds(NodeId id) {
  constexpr std::int32_t kHigh = 8;
  if (nodes_[id].kind != Kind::kConcat && nodes_[id].kind != Kind::kUnion &&
      nodes_[id].kind != Kind::kRepeat) {
    return id;
  }
  if (NodeId known = unbounded_.find(id); known != FlatMap::kAbsent) return known;
  DepthGuard guard(depth_);
  const Node node = nodes_[id];
  NodeId result;
  if (node.kind == Kind::kRepeat) {
    bool low = node.low <= kHigh, high = node.high <= kHigh && node.high != kNoBound;
    result = repeat(without_bounds(node.a), low ? node.low : 1, high ? node.high : kNoBound);
  } else {
    bool row = node.kind == Kind::kConcat;
    std::vector<NodeId> parts;
    NodeId at = id;
    for (; row && nodes_[at].kind == Kind::kConcat; at = nodes_[at].b) {
      parts.push_back(nodes_[at].a);
    }
    if (row) {
      parts.push_back(at);
    } else {
      parts = options(id);
    }
    for (NodeId& part : parts) part = without_bounds(part);
    result = row ? concat(parts) : alternate(std::move(parts));
  }
  unbounded_.insert(id, result);
  return result;
}

/// Finitely many texts cannot exhaust what a loop goes on with. Else the pairs of states that can
/// be reached are few, once bounds are gone: what escapes without them escapes with them. Each of
/// the pairs has to have a way to where the text goes on and what is excluded does not.
bool RegexPool::always_escapes(const Exclusion& exclusion) {
  if (is_finite(exclusion.body)) return true;
  if (nodes_[exclusion.body].boolean) return false;
  constexpr std::size_t kMostPairs = 100;
  struct Pair {
    NodeId text, body;
    bool escapes;
    std::vector<std::size_t> from;
  };
  std::vector<Pair> pairs;
  std::unordered_map<std::uint64_t, std::size_t> places;
  auto key = [](NodeId text, NodeId body) { return (std::uint64_t{text} << 32) | body; };
  auto place_of = [&](NodeId text, NodeId body) {
    auto [found, fresh] = places.try_emplace(key(text, body), pairs.size());
    if (fresh) {
      auto known = escaping_.find(key(text, body));
      pairs.push_back({text, body, known != escaping_.end() && known->second, {}});
    }
    return found->second;
  };
  const NodeId root = without_bounds(exclusion.body);
  auto known = escaping_.find(key(exclusion.text, root));
  if (known != escaping_.end()) return known->second;
  place_of(exclusion.text, root);
  for (std::size_t i = 0; i < pairs.size() && pairs.size() <= kMostPairs; ++i) {
    auto [text, body] = std::pair(pairs[i].text, pairs[i].body);
    ByteSet bytes = first_bytes(text);
    for (std::size_t b = 0; b < 256; ++b) {
      if (!bytes[b]) continue;
      NodeId next = step(text, static_cast<std::uint8_t>(b));
      if (next == kNothing) continue;
      NodeId excluded = step(body, static_cast<std::uint8_t>(b));
      if (excluded == kNothing) {
        pairs[i].escapes = true;
      } else {
        std::size_t to = place_of(next, excluded);
        if (pairs[to].from.empty() || pairs[to].from.back() != i) pairs[to].from.push_back(i);
      }
    }
  }
  std::vector<std::size_t> todo;
  for (std::size_t i = 0; i < pairs.size(); ++i) {
    if (pairs[i].escapes) todo.push_back(i);
  }
  std::size_t good = 0;
  for (; !todo.empty(); ++good) {
    std::size_t at = todo.back();
    todo.pop_back();
    for (std::size_t from : pairs[at].from) {
      if (!pairs[from].escapes) todo.push_back(from);
      pairs[from].escapes = true;
    }
  }
  bool holds = pairs.size() <= kMostPairs && good == pairs.size();
  if (!holds) pairs.resize(1);
  for (const Pair& pair : pairs) escaping_[key(pair.text, pair.body)] = holds;
  return holds;
}

}  // namespace slm

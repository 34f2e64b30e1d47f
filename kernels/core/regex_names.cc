// Names of expressions that hold beyond this process: hashes of what they are made of.
#include <algorithm>
#include <unordered_set>

#include "core/regex.h"

namespace slm {

/// Numbers depend on the order in which expressions were met, so they must not go in: a node's hash
/// is made of its children's, and those of a union are put in order by hash. Children have lower
/// numbers than their parents, which saves a recursion.
std::optional<Hash128> RegexPool::name(NodeId node, const Hash128& key) {
  auto known = [&](NodeId id) { return names_of_.find(id) != FlatMap::kAbsent; };
  std::vector<NodeId> missing, open;
  auto want = [&](NodeId id) {
    if (!known(id)) open.push_back(id);
  };
  auto for_children = [&](NodeId id, auto visit) {
    const Node& at = nodes_[id];
    switch (at.kind) {
      case Kind::kNothing:
      case Kind::kEpsilon:
      case Kind::kChars:
      case Kind::kRest:
      case Kind::kDfa:
      case Kind::kMultiple:
      case Kind::kLabel:
      case Kind::kEcho:
      case Kind::kWords:
        break;
      case Kind::kConcat:
        visit(at.a);
        visit(at.b);
        break;
      case Kind::kRepeat:
      case Kind::kComplement:
      case Kind::kFirst:
        visit(at.a);
        break;
      case Kind::kUnion:
      case Kind::kIntersection:
        for (NodeId child : lists_.words(at.a)) visit(child);
        break;
    }
  };
  want(node);
  std::unordered_set<NodeId> seen;
  while (!open.empty()) {
    NodeId id = open.back();
    open.pop_back();
    if (!seen.insert(id).second) continue;
    missing.push_back(id);
    for_children(id, want);
  }
  std::sort(missing.begin(), missing.end());
  std::vector<Hash128> parts;
  for (NodeId id : missing) {
    const Node& at = nodes_[id];
    parts.clear();
    bool named = at.kind != Kind::kDfa && at.kind != Kind::kMultiple && at.kind != Kind::kLabel &&
                 at.kind != Kind::kEcho;
    for_children(id, [&](NodeId child) {
      const std::optional<Hash128>& part = names_[names_of_.find(child)];
      named = named && part.has_value();
      if (named) parts.push_back(*part);
    });
    std::optional<Hash128> name;
    if (named) {
      bool unordered = at.kind == Kind::kUnion || at.kind == Kind::kIntersection;
      if (unordered) std::sort(parts.begin(), parts.end());
      KeyedHash hash(key);
      hash.add(static_cast<std::uint64_t>(at.kind) | std::uint64_t{parts.size()} << 8);
      if (at.kind == Kind::kWords) {
        add_words(range_of(at), hash);
      } else {
        hash.add(std::uint64_t{static_cast<std::uint32_t>(at.low)} << 32 |
                 static_cast<std::uint32_t>(at.high));
      }
      for (const Hash128& part : parts) hash.add(part);
      if (at.kind == Kind::kChars || at.kind == Kind::kRest) {
        hash.add(std::uint64_t{at.b});
        for (std::uint32_t bound : sets_.words(at.a)) hash.add(std::uint64_t{bound});
      }
      name = hash.done();
    }
    names_of_.insert(id, static_cast<std::uint32_t>(names_.size()));
    names_.push_back(name);
  }
  return names_[names_of_.find(node)];
}

/// What is left of each, by eight bytes; a length first tells where one ends.
void RegexPool::add_words(const WordRange& range, KeyedHash& hash) const {
  hash.add(std::uint64_t{word_lists_.is_spelled(range)} << 32 | range.size());
  for (std::uint32_t word = range.low; word < range.high; ++word) {
    std::string_view left = word_lists_.rest(range, word);
    hash.add(std::uint64_t{left.size()});
    for (; !left.empty(); left.remove_prefix(std::min<std::size_t>(8, left.size()))) {
      std::uint64_t bytes = 0;
      for (char byte : left.substr(0, 8)) bytes = bytes << 8 | static_cast<std::uint8_t>(byte);
      hash.add(bytes);
    }
  }
}

}  // namespace slm

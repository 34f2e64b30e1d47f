#include "schema/search.h"

#include <vector>

#include "core/error.h"

namespace slm::schema {

std::optional<bool> Search::alive(Term language) {
  try {
    return pool_.alive(node(language), kMost);
  } catch (const TooComplex&) {
    return std::nullopt;
  }
}

std::optional<bool> Search::matches(Term language, std::string_view text) {
  try {
    NodeId state = node(language);
    for (char byte : text) state = pool_.step(state, static_cast<std::uint8_t>(byte));
    return pool_.nullable(state);
  } catch (const TooComplex&) {
    return std::nullopt;
  }
}

NodeId Search::node(Term language) {
  if (auto known = known_.find(language); known != known_.end()) return known->second;
  const Terms::Node& node = terms_[language];
  std::vector<NodeId> parts;
  if (node.kind == Terms::Kind::kDfa) throw TooComplex("an automaton");
  if (node.kind != Terms::Kind::kChars) {
    for (std::int32_t part : node.data) parts.push_back(this->node(static_cast<Term>(part)));
  }
  NodeId made = kNothing;
  switch (node.kind) {
    case Terms::Kind::kChars: {
      Ranges ranges;
      for (std::size_t at = 0; at < node.data.size(); at += 2) {
        ranges.emplace_back(node.data[at], node.data[at + 1]);
      }
      made = pool_.chars(ranges);
      break;
    }
    case Terms::Kind::kConcat:
      made = pool_.concat(parts);
      break;
    case Terms::Kind::kUnion:
      made = pool_.alternate(std::move(parts));
      break;
    case Terms::Kind::kRepeat:
      made = pool_.repeat(parts[0], node.low, node.high);
      break;
    case Terms::Kind::kIntersection:
      made = pool_.intersect(std::move(parts));
      break;
    default: {  // texts are UTF-8, in complements, too
      NodeId anything = pool_.repeat(pool_.chars({{0, 0xD7FF}, {0xE000, 0x10FFFF}}), 0, kNoBound);
      made = pool_.intersect({anything, pool_.complement(parts[0])});
    }
  }
  return known_[language] = made;
}

}  // namespace slm::schema

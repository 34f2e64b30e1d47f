#include "schema/alphabets.h"

#include <algorithm>

namespace slm::schema {

using Kind = Terms::Kind;

bool Alphabets::are_apart(Span<Term> languages) {
  Points shared{0, 0x10FFFF};
  for (Term language : languages) {
    const Terms::Node& node = terms_[language];
    bool denied = node.kind == Kind::kComplement &&
                  std::ranges::find(languages, static_cast<Term>(node.data[0])) != languages.end();
    if (denied) return true;
    shared = meet_ranges(shared, of(language));
  }
  std::unordered_map<Term, Term> known;
  return std::ranges::any_of(
      languages, [&](Term language) { return within(language, shared, known) == terms_.nothing; });
}

const Points& Alphabets::of(Term language) {
  if (auto found = known_.find(language); found != known_.end()) return found->second;
  const Terms::Node node = terms_[language];
  Points points;
  switch (node.kind) {
    case Kind::kChars:
      points.assign(node.data.begin(), node.data.end());
      break;
    case Kind::kConcat:
    case Kind::kUnion:
    case Kind::kRepeat:
      for (std::int32_t part : node.data) {
        const Points& more = of(static_cast<Term>(part));
        points.insert(points.end(), more.begin(), more.end());
      }
      points = canonical_ranges(std::move(points));
      break;
    case Kind::kIntersection:
      points = {0, 0x10FFFF};
      for (std::int32_t part : node.data) points = meet_ranges(points, of(static_cast<Term>(part)));
      break;
    case Kind::kComplement:
    case Kind::kDfa:
      points = {0, 0x10FFFF};
  }
  return known_[language] = std::move(points);
}

Term Alphabets::within(Term language, const Points& points, std::unordered_map<Term, Term>& known) {
  if (auto found = known.find(language); found != known.end()) return found->second;
  const Terms::Node node = terms_[language];  // a copy: making more moves it
  Term made = language;
  if (node.kind == Kind::kChars) {
    made = terms_.chars(meet_ranges(node.data, points));
  } else if (node.kind != Kind::kComplement && node.kind != Kind::kDfa) {
    std::vector<Term> parts;
    for (std::int32_t part : node.data) {
      parts.push_back(within(static_cast<Term>(part), points, known));
    }
    if (node.kind == Kind::kConcat) made = terms_.concat(parts);
    if (node.kind == Kind::kUnion) made = terms_.unite(parts);
    if (node.kind == Kind::kRepeat) made = terms_.repeat(parts[0], node.low, node.high);
    if (node.kind == Kind::kIntersection) made = terms_.intersect(parts);
  }
  return known[language] = made;
}

}  // namespace slm::schema

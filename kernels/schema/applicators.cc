// The keywords that apply other schemas to the same value.
#include "schema/normalise.h"

namespace slm::schema {

using Kind = Value::Kind;

const Kinds* Normaliser::apply_applicators(const SchemaNode& node, const Kinds* found) {
  if (has(node, Keyword::kRef)) found = meet(found, kinds(reader.resolve(node)));
  if (has(node, Keyword::kAllOf)) {
    for (std::size_t at = 0; at < size_of(node, Keyword::kAllOf); ++at) {
      found = meet(found, kinds(reader.child(node, Keyword::kAllOf, at)));
    }
  }
  for (Goal goal : implications(node)) found = meet(found, kinds(goal));
  if (has(node, Keyword::kNot)) {
    found = meet(found, kinds(negation(reader.child(node, Keyword::kNot))));
  }
  if (has(node, Keyword::kIf)) found = meet(found, conditional(node));
  if (has(node, Keyword::kAnyOf)) found = meet(found, any_of(node));
  if (has(node, Keyword::kOneOf)) found = one_of(node, found);
  return found;
}

const Kinds* Normaliser::any_of(const SchemaNode& node) {
  const Kinds* found = &kNoValue;
  for (std::size_t at = 0; at < size_of(node, Keyword::kAnyOf); ++at) {
    found = algebra.join(found, kinds(reader.child(node, Keyword::kAnyOf, at)));
  }
  return found;
}

std::vector<Goal> Normaliser::implications(const SchemaNode& node) {
  std::vector<Goal> found;
  for (Keyword keyword :
       {Keyword::kDependentRequired, Keyword::kDependentSchemas, Keyword::kDependencies}) {
    if (!has(node, keyword)) continue;
    for (const Member& member : find(*node.raw, keyword)->members()) {
      const Value* needs = member.value;
      bool list = needs->is(Kind::kArray);
      if (needs->is_true() || (list && needs->items().empty())) continue;
      if (needs->is(Kind::kObject) && needs->members().empty()) continue;
      const Value* then = list ? object({{Keyword::kRequired, needs}}) : needs;
      auto named = [&](const Value* value) {
        Member one{member.name, member.keyword, value};
        return object(arena.keep(Span<Member>(&one, 1)));
      };
      auto pair = [&](const Value* one, const Value* two) {
        const Value* both[] = {one, two};
        return array(arena.keep(Span<const Value*>(both)));
      };
      const Value* name = string(member.name);
      const Value* absent = object({{Keyword::kProperties, named(&kFalseValue)}});
      const Value* present =
          object({{Keyword::kType, string("object")},
                  {Keyword::kProperties, named(&kTrueValue)},
                  {Keyword::kRequired, array(arena.keep(Span<const Value*>(&name, 1)))}});
      const Value* both = object({{Keyword::kAllOf, pair(present, then)}});
      const Value* either = object({{Keyword::kAnyOf, pair(absent, both)}});
      found.push_back(reader.derive(either, node, keyword, member.name));
    }
  }
  return found;
}

const Kinds* Normaliser::conditional(const SchemaNode& node) {
  Goal condition = reader.child(node, Keyword::kIf);
  kinds(condition);
  Goal then = has(node, Keyword::kThen) ? reader.child(node, Keyword::kThen) : kTrue;
  Goal other = has(node, Keyword::kElse) ? reader.child(node, Keyword::kElse) : kTrue;
  if (then == other) return kinds(then);
  const Kinds* holds = &kNoValue;
  if (condition != kFalse) holds = kinds(goals.conjoin(condition, then));
  if (condition == kTrue) return holds;
  return algebra.join(holds, kinds(goals.conjoin(negation(condition), other)));
}

const Kinds* Normaliser::one_of(const SchemaNode& node, const Kinds* found) {
  std::size_t count = size_of(node, Keyword::kOneOf);
  std::vector<Goal> branches;
  for (std::size_t at = 0; at < count; ++at) {
    branches.push_back(reader.child(node, Keyword::kOneOf, at));
  }
  std::vector<const Kinds*> parts;
  for (Goal goal : branches) parts.push_back(meet(found, kinds(goal)));
  const Kinds* whole = &kNoValue;
  for (std::size_t at = 0; at < count; ++at) {
    const Kinds* part = parts[at];
    for (std::size_t other = 0; other < count; ++other) {
      if (other == at) continue;
      if (!way_.cautious && is_void(*algebra.meet(parts[at], parts[other]))) {
        concluded = true;
        continue;
      }
      part = meet(part, kinds(negation(branches[other])));
    }
    whole = algebra.join(whole, part);
  }
  return whole;
}

}  // namespace slm::schema

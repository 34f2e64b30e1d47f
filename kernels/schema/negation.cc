// What it means that a schema does not hold: negation, pushed down keyword by keyword.
#include <algorithm>

#include "schema/normalise.h"

namespace slm::schema {

using Kind = Value::Kind;
using Count = std::int64_t;

const Kinds* Normaliser::negated_kinds(const SchemaNode& node) {
  for (Keyword keyword :
       {Keyword::kPythonConstraint, Keyword::kUnevaluatedProperties, Keyword::kUnevaluatedItems,
        Keyword::kDynamicRef, Keyword::kRecursiveRef}) {
    if (has(node, keyword)) throw Deferred("an unsupported keyword");
  }
  const Kinds* found = not_type(node);
  found = algebra.join(found, not_finite(node));
  found = algebra.join(found, not_number(node));
  found = algebra.join(found, not_string(node));
  if (!way_.only_scalars) {
    found = algebra.join(found, not_array(node));
    found = algebra.join(found, not_object(node));
  }
  return algebra.join(found, not_applied(node));
}

const Kinds* Normaliser::not_type(const SchemaNode& node) {
  if (!has(node, Keyword::kType)) return &kNoValue;
  const Kinds& admitted = *type_kinds(node);
  Kinds made;
  made.null = !admitted.null;
  made.booleans = admitted.booleans ? 0 : 3;
  made.numbers = kEverything.numbers;
  if (!admitted.numbers.empty()) {
    made.numbers = {};
    if (!algebra.equal(*admitted.numbers[0], kAnyNumber)) {
      made.numbers =
          algebra.one<NumberShape>(arena.make<NumberShape>(NumberShape{.integer = false}));
    }
  }
  if (admitted.strings.empty()) made.strings = kEverything.strings;
  if (admitted.arrays.empty()) made.arrays = kEverything.arrays;
  if (admitted.objects.empty()) made.objects = kEverything.objects;
  return arena.make<Kinds>(made);
}

const Kinds* Normaliser::not_finite(const SchemaNode& node) {
  const Kinds* found = &kNoValue;
  for (Keyword keyword : {Keyword::kEnum, Keyword::kConst}) {
    if (!has(node, keyword)) continue;
    Span<const Value*> values = constants(node, keyword);
    std::vector<Name> strings;
    std::vector<Decimal> numbers;
    Kinds made = kEverything;
    for (const Value* value : values) {
      if (value->is(Kind::kNull)) made.null = false;
      if (value->is(Kind::kBool)) made.booleans &= value->truth ? 1 : 2;
      if (value->is(Kind::kString)) strings.push_back(pool.name(value->text()));
      if (value->is_number()) numbers.push_back(exact(*value));
    }
    if (!numbers.empty()) {
      std::ranges::sort(numbers, [](auto& one, auto& two) { return compare(one, two) < 0; });
      numbers.erase(std::unique(numbers.begin(), numbers.end()), numbers.end());
      NumberShape shape{.excluded = arena.keep(numbers)};
      made.numbers = algebra.one<NumberShape>(arena.make<NumberShape>(shape));
    }
    if (!strings.empty()) {
      Part part = pool.complement_of_names(strings);
      StringShape shape{.parts = arena.keep(Span<Part>(&part, 1))};
      made.strings = algebra.one<StringShape>(arena.make<StringShape>(shape));
    }
    const Kinds* rest = arena.make<Kinds>(made);
    for (const Value* value : values) {
      if (value->is(Kind::kArray) || value->is(Kind::kObject)) {
        rest = meet(rest, kinds(negation(constant_goal(node, keyword, *value))));
      }
    }
    found = algebra.join(found, rest);
  }
  return found;
}

const Kinds* Normaliser::not_number(const SchemaNode& node) {
  const NumberShape& shape = *number_shape(node);
  if (algebra.equal(shape, kAnyNumber)) return &kNoValue;
  if (shape.finite) return arena.make<Kinds>(Kinds{.numbers = kEverything.numbers});
  std::vector<const NumberShape*> found;
  auto add = [&](const NumberShape& one) { found.push_back(arena.make<NumberShape>(one)); };
  if (shape.low) add({.high = shape.low, .high_open = !shape.low_open});
  if (shape.high) add({.low = shape.high, .low_open = !shape.high_open});
  for (const Decimal& step : shape.multiples) {
    add({.non_multiples = arena.keep(Span<Decimal>(&step, 1))});
  }
  return arena.make<Kinds>(Kinds{.numbers = arena.keep(found)});
}

const Kinds* Normaliser::not_string(const SchemaNode& node) {
  const StringShape* shape = string_shape(node, true);
  if (shape == nullptr) return arena.make<Kinds>(Kinds{.strings = kEverything.strings});
  std::vector<const StringShape*> found;
  auto add = [&](const StringShape& one) { found.push_back(arena.make<StringShape>(one)); };
  if (shape->low) add({.high = shape->low - 1});
  if (shape->high) add({.low = *shape->high + 1});
  for (Part part : shape->parts) {
    Part failing = pool.complement(part);
    add({.parts = arena.keep(Span<Part>(&failing, 1))});
  }
  return arena.make<Kinds>(Kinds{.strings = arena.keep(found)});
}

const Kinds* Normaliser::not_array(const SchemaNode& node) {
  const ArrayShape& shape = *array_shape(node);
  std::vector<const ArrayShape*> found;
  auto add = [&](const ArrayShape& one) { found.push_back(arena.make<ArrayShape>(one)); };
  auto size = static_cast<std::int64_t>(shape.prefix.size());
  if (shape.low) add({.high = shape.low - 1});
  if (shape.high) add({.low = *shape.high + 1});
  for (std::size_t at = 0; at < shape.prefix.size(); ++at) {
    if (shape.prefix[at] == kTrue) continue;
    std::vector<Goal> prefix(at, kTrue);
    prefix.push_back(negation(shape.prefix[at]));
    add({.prefix = arena.keep(prefix), .low = static_cast<std::int64_t>(at) + 1});
  }
  if (shape.items == kFalse) {
    add({.low = size + 1});
  } else if (shape.items != kTrue) {
    Contains part{negation(shape.items), 1, std::nullopt, node.number, size};
    add({.contains = arena.keep(Span<Contains>(&part, 1))});
  }
  for (const Contains& part : shape.contains) {
    auto counted = [&](Count low, std::optional<Count> high) {
      Contains one{part.goal, low, high, part.number, part.start};
      add({.contains = arena.keep(Span<Contains>(&one, 1))});
    };
    if (part.low == 1) {
      add({.items = negation(part.goal)});
    } else if (part.low) {
      counted(0, part.low - 1);
    }
    if (part.high) counted(*part.high + 1, std::nullopt);
  }
  if (shape.unique) throw Refused("negated uniqueItems");
  return arena.make<Kinds>(Kinds{.arrays = arena.keep(found)});
}

const Kinds* Normaliser::not_object(const SchemaNode& node) {
  const ObjectShape* shape = object_shape(node);
  if (shape == nullptr) return arena.make<Kinds>(Kinds{.objects = kEverything.objects});
  std::vector<const ObjectShape*> found;
  auto add = [&](const ObjectShape& one) { found.push_back(arena.make<ObjectShape>(one)); };
  auto member = [&](Name name, Goal goal) {
    NamedGoal one{name, goal};
    return arena.keep(Span<NamedGoal>(&one, 1));
  };
  if (has(node, Keyword::kRequired)) {
    for (const Value* item : find(*node.raw, Keyword::kRequired)->items()) {
      add({.members = member(pool.name(item->text()), kFalse)});
    }
  }
  if (has(node, Keyword::kProperties)) {
    for (const Member& each : find(*node.raw, Keyword::kProperties)->members()) {
      Goal goal = reader.child(node, Keyword::kProperties, each);
      if (goal == kTrue) continue;
      Name name = pool.name(each.name);
      add({.members = member(name, negation(goal)), .required = arena.keep(Span<Name>(&name, 1))});
    }
  }
  if (pool.leaned && has(node, Keyword::kPropertyNames)) {
    throw Deferred("negated names of a format that leaves some out");
  }
  for (const NameRule& rule : shape->rules) {
    NameRule some{negation(rule.goal), rule.included, rule.names, rule.excluded};
    add({.number = node.number, .some = arena.keep(Span<NameRule>(&some, 1))});
  }
  if (has(node, Keyword::kMinProperties) && count(node, Keyword::kMinProperties) > 0) {
    add({.high = count(node, Keyword::kMinProperties) - 1});
  }
  if (has(node, Keyword::kMaxProperties)) {
    add({.low = count(node, Keyword::kMaxProperties) + 1, .number = node.number});
  }
  return arena.make<Kinds>(Kinds{.objects = arena.keep(found)});
}

const Kinds* Normaliser::not_applied(const SchemaNode& node) {
  const Kinds* found = &kNoValue;
  auto add = [&](Goal goal) { found = algebra.join(found, kinds(goal)); };
  if (has(node, Keyword::kRef)) add(negation(reader.resolve(node)));
  if (has(node, Keyword::kAllOf)) {
    for (std::size_t at = 0; at < size_of(node, Keyword::kAllOf); ++at) {
      add(negation(reader.child(node, Keyword::kAllOf, at)));
    }
  }
  for (Goal implied : implications(node)) add(negation(implied));
  if (has(node, Keyword::kNot)) add(reader.child(node, Keyword::kNot));
  if (has(node, Keyword::kAnyOf)) found = algebra.join(found, none_of(node, Keyword::kAnyOf));
  if (has(node, Keyword::kOneOf)) {
    found = algebra.join(found, none_of(node, Keyword::kOneOf));
    std::vector<Goal> branches;
    for (std::size_t at = 0; at < size_of(node, Keyword::kOneOf); ++at) {
      branches.push_back(reader.child(node, Keyword::kOneOf, at));
    }
    for (std::size_t one = 0; one < branches.size(); ++one) {
      for (std::size_t two = one + 1; two < branches.size(); ++two) {
        add(goals.conjoin(branches[one], branches[two]));
      }
    }
  }
  if (has(node, Keyword::kIf)) {
    Goal condition = reader.child(node, Keyword::kIf);
    for (Keyword keyword : {Keyword::kThen, Keyword::kElse}) {
      if (!has(node, keyword)) continue;
      Goal fails = negation(reader.child(node, keyword));
      Goal start = keyword == Keyword::kThen ? condition : negation(condition);
      add(goals.conjoin(start, fails));
    }
  }
  if (found->width() > 0) meet(found, &kEverything);
  return found;
}

const Kinds* Normaliser::none_of(const SchemaNode& node, Keyword keyword) {
  const Kinds* found = &kEverything;
  for (std::size_t at = 0; at < size_of(node, keyword); ++at) {
    found = meet(found, kinds(negation(reader.child(node, keyword, at))));
  }
  return found;
}

}  // namespace slm::schema

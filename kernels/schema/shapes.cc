// What a schema's own keywords admit, type by type: one shape for each group of keywords.
#include <algorithm>
#include <cmath>

#include "schema/normalise.h"

namespace slm::schema {
namespace {

using Kind = Value::Kind;

const NumberShape kInteger{.integer = true};
const NumberShape* const kIntegers[] = {&kInteger};
const Kinds kNullKind{.null = true};
const Kinds kBooleanKind{.booleans = 3};
const Kinds kIntegerKind{.numbers = kIntegers};

}  // namespace

const Kinds* kinds_of_type(std::string_view name) {
  static const Kinds number{.numbers = kEverything.numbers}, string{.strings = kEverything.strings};
  static const Kinds array{.arrays = kEverything.arrays}, object{.objects = kEverything.objects};
  switch (name[0]) {  // told by the first letter, but for n
    case 'n':
      return name == "null" ? &kNullKind : &number;
    case 'b':
      return &kBooleanKind;
    case 'i':
      return &kIntegerKind;
    case 's':
      return &string;
    case 'a':
      return &array;
    default:
      return &object;
  }
}

const Kinds* Normaliser::type_kinds(const SchemaNode& node) {
  if (!has(node, Keyword::kType)) return &kEverything;
  const Value& type = *find(*node.raw, Keyword::kType);
  if (type.is(Kind::kString)) return kinds_of_type(type.text());
  auto is_number = [](const Value* name) { return name->text() == "number"; };
  bool all_numbers = std::ranges::any_of(type.items(), is_number);
  const Kinds* found = &kNoValue;
  for (const Value* name : type.items()) {
    if (name->text() == "integer" && all_numbers) continue;
    found = algebra.join(found, kinds_of_type(name->text()));
  }
  return found;
}

const NumberShape* Normaliser::number_shape(const SchemaNode& node) {
  auto get = [&](Keyword keyword) {
    return has(node, keyword) ? find(*node.raw, keyword) : nullptr;
  };
  const Value *low = get(Keyword::kMinimum), *high = get(Keyword::kMaximum);
  const Value* low_open = get(Keyword::kExclusiveMinimum);
  const Value* high_open = get(Keyword::kExclusiveMaximum);
  const NumberShape* shape = &kAnyNumber;
  auto add = [&](const NumberShape& part) {
    if (shape != nullptr) shape = algebra.meet(shape, arena.make<NumberShape>(part));
  };
  if (low != nullptr) {
    add({.low = exact(*low), .low_open = low_open != nullptr && low_open->is_true()});
  }
  if (high != nullptr) {
    add({.high = exact(*high), .high_open = high_open != nullptr && high_open->is_true()});
  }
  if (low_open != nullptr && !low_open->is(Kind::kBool)) {
    add({.low = exact(*low_open), .low_open = true});
  }
  if (high_open != nullptr && !high_open->is(Kind::kBool)) {
    add({.high = exact(*high_open), .high_open = true});
  }
  if (const Value* step = get(Keyword::kMultipleOf)) {
    Decimal one = exact(*step);
    add({.multiples = arena.keep(Span<Decimal>(&one, 1))});
  }
  if (shape != nullptr) return shape;
  return arena.make<NumberShape>(NumberShape{.finite = true});
}

std::int64_t Normaliser::count(const SchemaNode& node, Keyword keyword) const {
  const Value& value = *find(*node.raw, keyword);
  if (value.is(Kind::kInt)) return value.integer;
  if (value.is(Kind::kFloat) && value.real < 1e15) return static_cast<std::int64_t>(value.real);
  throw Deferred("a count is too large");
}

const StringShape* Normaliser::string_shape(const SchemaNode& node, bool wide) {
  std::vector<Part> parts;
  if (has(node, Keyword::kPattern)) {
    Part part = pool.pattern(find(*node.raw, Keyword::kPattern)->text());
    if (!pool.is_anything(part)) parts.push_back(part);  // `.*` says nothing
  }
  if (has(node, Keyword::kFormat) && assert_formats_) {
    std::string_view name = find(*node.raw, Keyword::kFormat)->text();
    if (auto part = pool.format(name, reader.draft_name(), wide)) parts.push_back(*part);
  }
  StringShape made;
  if (has(node, Keyword::kMinLength)) made.low = count(node, Keyword::kMinLength);
  if (has(node, Keyword::kMaxLength)) made.high = count(node, Keyword::kMaxLength);
  if (made.high && made.low > *made.high) return nullptr;
  made.parts = arena.keep(parts);
  return arena.make<StringShape>(made);
}

const ArrayShape* Normaliser::array_shape(const SchemaNode& node) {
  std::vector<Goal> prefix;
  ArrayShape made;
  if (has(node, Keyword::kPrefixItems)) {
    for (std::size_t at = 0; at < size_of(node, Keyword::kPrefixItems); ++at) {
      prefix.push_back(reader.child(node, Keyword::kPrefixItems, at));
    }
  }
  if (has(node, Keyword::kItems)) {
    if (find(*node.raw, Keyword::kItems)->is(Kind::kArray)) {
      prefix.clear();
      for (std::size_t at = 0; at < size_of(node, Keyword::kItems); ++at) {
        prefix.push_back(reader.child(node, Keyword::kItems, at));
      }
      if (has(node, Keyword::kAdditionalItems)) {
        made.items = reader.child(node, Keyword::kAdditionalItems);
      }
    } else {
      made.items = reader.child(node, Keyword::kItems);
    }
  }
  made.prefix = arena.keep(prefix);
  if (has(node, Keyword::kMinItems)) made.low = count(node, Keyword::kMinItems);
  if (has(node, Keyword::kMaxItems)) made.high = count(node, Keyword::kMaxItems);
  if (has(node, Keyword::kContains)) {
    Contains part{reader.child(node, Keyword::kContains), 1, std::nullopt, node.number, 0};
    if (has(node, Keyword::kMinContains)) part.low = count(node, Keyword::kMinContains);
    if (has(node, Keyword::kMaxContains)) part.high = count(node, Keyword::kMaxContains);
    if (part.low != 0 || part.high) made.contains = arena.keep(Span<Contains>(&part, 1));
  }
  bool unique =
      has(node, Keyword::kUniqueItems) && find(*node.raw, Keyword::kUniqueItems)->is_true();
  if (made.low < 2 && made.high && *made.high < 2) unique = false;
  if (made.contains.size() == 1 && made.contains[0].low == 1) {
    made.low = std::max<std::int64_t>(made.low, 1);
  }
  made.unique = unique ? node.number : 0;
  return arena.make<ArrayShape>(made);
}

const ObjectShape* Normaliser::object_shape(const SchemaNode& node) {
  ObjectShape made;
  std::vector<NamedGoal> members;
  if (has(node, Keyword::kProperties)) {
    Span<Member> declared = find(*node.raw, Keyword::kProperties)->members();
    members.reserve(declared.size());
    for (const Member& member : declared) {
      Name name = pool.name(member.name);
      members.push_back({name, reader.child(node, Keyword::kProperties, member)});
    }
  }
  made.members = arena.keep(members);
  std::vector<Name> required;
  if (has(node, Keyword::kRequired)) {
    std::vector<bool> seen;
    Span<const Value*> items = find(*node.raw, Keyword::kRequired)->items();
    required.reserve(items.size());
    for (const Value* item : items) {
      Name name = pool.name(item->text());
      if (name >= seen.size()) seen.resize(2 * name + 16);
      if (!seen[name]) required.push_back(name);
      seen[name] = true;
    }
  }
  made.required = arena.keep(required);
  std::vector<NameRule> rules;
  std::vector<Part> patterns;
  if (has(node, Keyword::kPatternProperties)) {
    for (const Member& member : find(*node.raw, Keyword::kPatternProperties)->members()) {
      Part language = pool.pattern(member.name);
      patterns.push_back(language);
      Goal goal = reader.child(node, Keyword::kPatternProperties, member);
      if (goal != kTrue) rules.push_back({goal, language, {}, {}});
    }
  }
  if (has(node, Keyword::kAdditionalProperties)) {
    Goal goal = reader.child(node, Keyword::kAdditionalProperties);
    if (goal != kTrue) {
      std::vector<Name> names;
      for (const NamedGoal& member : members) names.push_back(member.name);
      std::ranges::sort(names);
      rules.push_back({goal, std::nullopt, arena.keep(names), arena.keep(patterns)});
    }
  }
  if (has(node, Keyword::kPropertyNames)) {
    Span<const StringShape*> shapes = kinds(reader.child(node, Keyword::kPropertyNames))->strings;
    auto whole = [&](const StringShape* shape) { return algebra.equal(*shape, kAnyString); };
    if (std::ranges::none_of(shapes, whole)) {
      auto doubts = [&](const StringShape* shape) { return pool.has_doubts(*shape); };
      pool.leaned = pool.leaned || std::ranges::any_of(shapes, doubts);
      rules.push_back({kFalse, pool.complement_of_shapes(shapes), {}, {}});
    }
  }
  made.rules = arena.keep(rules);
  if (has(node, Keyword::kMinProperties)) made.low = count(node, Keyword::kMinProperties);
  if (has(node, Keyword::kMaxProperties)) made.high = count(node, Keyword::kMaxProperties);
  made.number = node.number;
  auto needed = std::max(made.low, static_cast<std::int64_t>(required.size()));
  if (made.high && needed > *made.high) return nullptr;
  for (Name name : required) {
    if (algebra.goal_of(made, name) == kFalse) return nullptr;
  }
  return arena.make<ObjectShape>(made);
}

}  // namespace slm::schema

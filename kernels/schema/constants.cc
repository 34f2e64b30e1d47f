// `enum` and `const`: JSON constants as shapes of the algebra.
#include <algorithm>

#include "schema/normalise.h"

namespace slm::schema {

using Kind = Value::Kind;

Span<const Value*> Normaliser::constants(const SchemaNode& node, Keyword keyword) {
  const Value* value = find(*node.raw, keyword);
  return keyword == Keyword::kEnum ? value->items() : arena.keep(Span<const Value*>(&value, 1));
}

const Kinds* Normaliser::finite_kinds(const SchemaNode& node, Keyword keyword,
                                      Span<const Value*> values) {
  std::vector<Decimal> numbers;
  std::vector<Name> strings;
  std::vector<bool> seen;
  const Kinds* found = &kNoValue;
  Kinds flat;
  for (const Value* value : values) {
    switch (value->kind) {
      case Kind::kNull:
        flat.null = true;
        break;
      case Kind::kBool:
        flat.booleans |= value->truth ? 2 : 1;
        break;
      case Kind::kString: {
        Name name = pool.name(value->text());
        if (name >= seen.size()) seen.resize(2 * name + 16);
        if (!seen[name]) strings.push_back(name);
        seen[name] = true;
        break;
      }
      case Kind::kArray:
      case Kind::kObject:
        found = algebra.join(found, kinds(constant_goal(node, keyword, *value)));
        break;
      default: {
        Decimal number = exact(*value);
        if (std::ranges::find(numbers, number) == numbers.end()) numbers.push_back(number);
      }
    }
  }
  Kinds made = *algebra.join(found, arena.make<Kinds>(flat));
  made.numbers = {};
  made.strings = {};
  if (!numbers.empty()) {
    NumberShape shape{.finite = true, .values = arena.keep(numbers)};
    made.numbers = algebra.one<NumberShape>(arena.make<NumberShape>(shape));
  }
  if (!strings.empty()) {
    StringShape shape{.finite = true, .values = arena.keep(strings)};
    made.strings = algebra.one<StringShape>(arena.make<StringShape>(shape));
  }
  return arena.make<Kinds>(made);
}

Goal Normaliser::constant_goal(const SchemaNode& node, Keyword keyword, const Value& value) {
  auto exactly = [&](const Value* item) {
    return object({{Keyword::kEnum, array(arena.keep(Span<const Value*>(&item, 1)))}});
  };
  if (value.is(Kind::kArray)) {
    bool tuples = reader.draft() == Draft::k2020;
    auto size = static_cast<std::int64_t>(value.items().size());
    const Value *type = string("array"), *count = integer(size);
    if (size == 0) {
      const Value* empty = object(
          {{Keyword::kType, type}, {Keyword::kMinItems, count}, {Keyword::kMaxItems, count}});
      return reader.derive(empty, node, keyword);
    }
    std::vector<const Value*> items;
    for (const Value* item : value.items()) items.push_back(exactly(item));
    const Value* made =
        object({{Keyword::kType, type},
                {Keyword::kMinItems, count},
                {tuples ? Keyword::kPrefixItems : Keyword::kItems, array(arena.keep(items))},
                {tuples ? Keyword::kItems : Keyword::kAdditionalItems, &kFalseValue}});
    return reader.derive(made, node, keyword);
  }
  std::vector<Member> members;
  std::vector<const Value*> names;
  for (const Member& member : value.members()) {
    members.push_back({member.name, member.keyword, exactly(member.value)});
    names.push_back(string(member.name));
  }
  const Value* made = object({{Keyword::kType, string("object")},
                              {Keyword::kProperties, object(arena.keep(members))},
                              {Keyword::kRequired, array(arena.keep(names))},
                              {Keyword::kAdditionalProperties, &kFalseValue}});
  return reader.derive(made, node, keyword);
}

}  // namespace slm::schema

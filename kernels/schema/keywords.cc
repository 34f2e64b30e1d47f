#include "schema/keywords.h"

#include <array>
#include <cmath>
#include <iterator>

#include "schema/json.h"

namespace slm::schema {
namespace {

using Kind = Value::Kind;

constexpr std::string_view kNames[] = {"",
                                       "type",
                                       "enum",
                                       "const",
                                       "multipleOf",
                                       "minimum",
                                       "maximum",
                                       "exclusiveMinimum",
                                       "exclusiveMaximum",
                                       "minLength",
                                       "maxLength",
                                       "pattern",
                                       "format",
                                       "minItems",
                                       "maxItems",
                                       "uniqueItems",
                                       "items",
                                       "prefixItems",
                                       "additionalItems",
                                       "contains",
                                       "minContains",
                                       "maxContains",
                                       "properties",
                                       "patternProperties",
                                       "additionalProperties",
                                       "propertyNames",
                                       "required",
                                       "minProperties",
                                       "maxProperties",
                                       "dependentRequired",
                                       "dependentSchemas",
                                       "dependencies",
                                       "allOf",
                                       "anyOf",
                                       "oneOf",
                                       "not",
                                       "if",
                                       "then",
                                       "else",
                                       "$ref",
                                       "$dynamicRef",
                                       "$recursiveRef",
                                       "$anchor",
                                       "$id",
                                       "pythonConstraint",
                                       "unevaluatedProperties",
                                       "unevaluatedItems",
                                       "id",
                                       "$schema",
                                       "$dynamicAnchor",
                                       "$defs",
                                       "definitions",
                                       "contentSchema",
                                       "contentMediaType",
                                       "contentEncoding"};
static_assert(std::size(kNames) == kKeywords);

constexpr std::size_t kSlots = 256;
constexpr std::size_t slot_of(std::string_view name) {
  std::size_t hash = name.size() * 7;
  hash += static_cast<unsigned char>(name.front()) * 31u;
  hash += static_cast<unsigned char>(name.back()) * 67u;
  hash += static_cast<unsigned char>(name[name.size() / 2]) * 5u;
  return hash % kSlots;
}

constexpr std::array<std::uint8_t, kSlots> make_table() {
  std::array<std::uint8_t, kSlots> table{};
  for (std::size_t i = 1; i < std::size(kNames); ++i) {
    std::size_t at = slot_of(kNames[i]);
    while (table[at] != 0) at = (at + 1) % kSlots;
    table[at] = static_cast<std::uint8_t>(i);
  }
  return table;
}
constexpr auto kTable = make_table();

bool is_finite_number(const Value& value) {
  if (value.is(Kind::kFloat)) return std::isfinite(value.real);
  return value.is(Kind::kInt) || value.is(Kind::kBigInt);
}

/// Whether no NaN and no Infinity is in a value.
bool is_finite(const Value& value) {
  std::vector<const Value*> todo{&value};
  while (!todo.empty()) {
    const Value* part = todo.back();
    todo.pop_back();
    if (part->is(Kind::kFloat) && !std::isfinite(part->real)) return false;
    todo.insert(todo.end(), part->items().begin(), part->items().end());
    for (const Member& member : part->members()) todo.push_back(member.value);
  }
  return true;
}

bool is_positive(const Value& value) {
  if (value.is(Kind::kFloat)) return value.real > 0;
  return value.is(Kind::kInt) ? value.integer > 0 : !value.text().starts_with('-');
}

bool is_count(const Value& value) {
  if (!is_finite_number(value)) return false;
  if (value.is(Kind::kFloat)) return value.real >= 0 && value.real == std::floor(value.real);
  return value.is(Kind::kInt) ? value.integer >= 0 : !value.text().starts_with('-');
}

bool is_names(const Value& value) {
  if (!value.is(Kind::kArray)) return false;
  for (const Value* item : value.items()) {
    if (!item->is(Kind::kString)) return false;
  }
  return true;
}

bool is_type_name(const Value& value) {
  if (!value.is(Kind::kString) || value.text().empty()) return false;
  switch (value.text()[0]) {  // told by the first letter, but for n
    case 'a':
      return value.text() == "array";
    case 'b':
      return value.text() == "boolean";
    case 'i':
      return value.text() == "integer";
    case 'n':
      return value.text() == "number" || value.text() == "null";
    case 'o':
      return value.text() == "object";
    default:
      return value.text() == "string";
  }
}

bool is_type(const Value& value) {
  if (!value.is(Kind::kArray)) return is_type_name(value);
  for (const Value* item : value.items()) {
    if (!is_type_name(*item)) return false;
  }
  return !value.items().empty();
}

bool is_schema(const Value& value) { return value.is(Kind::kObject) || value.is(Kind::kBool); }

bool are_schemas(const Value& value) {
  if (!value.is(Kind::kArray)) return false;
  for (const Value* item : value.items()) {
    if (!is_schema(*item)) return false;
  }
  return true;
}

template <class Check>
bool is_map(const Value& value, Check check) {
  if (!value.is(Kind::kObject)) return false;
  for (const Member& member : value.members()) {
    if (!check(*member.value)) return false;
  }
  return true;
}

bool is_right(Keyword keyword, const Value& value) {
  switch (keyword) {
    case Keyword::kType:
      return is_type(value);
    case Keyword::kEnum:
      return value.is(Kind::kArray) && is_finite(value);
    case Keyword::kConst:
      return is_finite(value);
    case Keyword::kMultipleOf:
      return is_finite_number(value) && is_positive(value);
    case Keyword::kMinimum:
    case Keyword::kMaximum:
    case Keyword::kExclusiveMinimum:
    case Keyword::kExclusiveMaximum:
      return is_finite_number(value);
    case Keyword::kMinLength:
    case Keyword::kMaxLength:
    case Keyword::kMinItems:
    case Keyword::kMaxItems:
    case Keyword::kMinContains:
    case Keyword::kMaxContains:
    case Keyword::kMinProperties:
    case Keyword::kMaxProperties:
      return is_count(value);
    case Keyword::kPattern:
    case Keyword::kFormat:
    case Keyword::kRef:
    case Keyword::kDynamicRef:
    case Keyword::kRecursiveRef:
    case Keyword::kAnchor:
    case Keyword::kId:
      return value.is(Kind::kString);
    case Keyword::kUniqueItems:
      return value.is(Kind::kBool);
    case Keyword::kItems:
    case Keyword::kAdditionalItems:
    case Keyword::kContains:
    case Keyword::kAdditionalProperties:
    case Keyword::kPropertyNames:
    case Keyword::kNot:
    case Keyword::kIf:
    case Keyword::kThen:
    case Keyword::kElse:
      return is_schema(value);
    case Keyword::kPrefixItems:
    case Keyword::kAllOf:
    case Keyword::kAnyOf:
    case Keyword::kOneOf:
      return are_schemas(value) && !value.items().empty();
    case Keyword::kProperties:
    case Keyword::kPatternProperties:
    case Keyword::kDependentSchemas:
      return is_map(value, is_schema);
    case Keyword::kRequired:
      return is_names(value);
    case Keyword::kDependentRequired:
      return is_map(value, is_names);
    case Keyword::kDependencies:
      return is_map(value, [](const Value& item) { return is_schema(item) || is_names(item); });
    default:
      return true;
  }
}

constexpr KeywordSet kKnown = (bit(Keyword::kOldId) - 1) & ~bit(Keyword::kNone);

constexpr KeywordSet kSince6 =
    set_of(Keyword::kConst, Keyword::kContains, Keyword::kPropertyNames, Keyword::kId);
constexpr KeywordSet kSince7 = set_of(Keyword::kIf, Keyword::kThen, Keyword::kElse);
constexpr KeywordSet kSince2019 =
    set_of(Keyword::kDependentRequired, Keyword::kDependentSchemas, Keyword::kUnevaluatedProperties,
           Keyword::kUnevaluatedItems, Keyword::kMinContains, Keyword::kMaxContains,
           Keyword::kAnchor, Keyword::kRecursiveRef);
constexpr KeywordSet kSince2020 = set_of(Keyword::kPrefixItems, Keyword::kDynamicRef);
constexpr KeywordSet kUntil2019 = set_of(Keyword::kAdditionalItems, Keyword::kRecursiveRef);

}  // namespace

Keyword keyword_of(std::string_view name) noexcept {
  if (name.size() < 2 || name.size() > 21) return Keyword::kNone;
  for (std::size_t at = slot_of(name); kTable[at] != 0; at = (at + 1) % kSlots) {
    if (kNames[kTable[at]] == name) return static_cast<Keyword>(kTable[at]);
  }
  return Keyword::kNone;
}

std::string_view name_of(Keyword keyword) noexcept {
  return kNames[static_cast<std::size_t>(keyword)];
}

KeywordSet known_keywords(Draft draft) noexcept {
  KeywordSet known = kKnown;
  if (draft < Draft::k6) known &= ~kSince6;
  if (draft < Draft::k7) known &= ~kSince7;
  if (draft < Draft::k2019) known &= ~kSince2019;
  if (draft < Draft::k2020) known &= ~kSince2020;
  if (draft == Draft::k2020) known &= ~kUntil2019;
  return known;
}

bool check_keywords(const Value& schema, Draft draft, bool guessed) {
  KeywordSet known = known_keywords(draft);
  for (const auto& [name, keyword, value] : schema.members()) {
    if (keyword == Keyword::kNone || is_right(keyword, *value)) continue;
    if (!(known & bit(keyword))) continue;
    bool exclusive = keyword == Keyword::kExclusiveMinimum || keyword == Keyword::kExclusiveMaximum;
    bool old = draft == Draft::k4 || guessed, tuples = draft != Draft::k2020 || guessed;
    if (exclusive && value->is(Kind::kBool) && old) continue;
    if (keyword == Keyword::kItems && tuples && are_schemas(*value)) continue;
    return false;
  }
  return true;
}

std::vector<Inside> subschemas(const Value& schema) {
  std::vector<Inside> found;
  for (const auto& [keyword_name, keyword, value] : schema.members()) {
    KeywordSet one = bit(keyword);
    if ((one & kSomeInside) && value->is(Kind::kArray)) {
      for (std::size_t at = 0; at < value->items().size(); ++at) {
        found.push_back({keyword, false, true, {}, at, value->items()[at]});
      }
    } else if (one & kOneInside) {
      found.push_back({keyword, false, false, {}, 0, value});
    } else if ((one & kNamedInside) && value->is(Kind::kObject)) {
      for (const Member& member : value->members()) {
        found.push_back({keyword, true, false, member.name, 0, member.value});
      }
    }
  }
  return found;
}

}  // namespace slm::schema

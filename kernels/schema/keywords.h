// The keywords of JSON Schema, numbered: what kind of value each takes. Mirrors keywords.py.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

namespace slm::schema {

struct Value;

enum class Draft : std::uint8_t { k4, k6, k7, k2019, k2020 };

/// Invariant: those up to `kId` have a check or are refused by name, and fit a 64-bit set.
enum class Keyword : std::uint8_t {
  kNone,
  kType,
  kEnum,
  kConst,
  kMultipleOf,
  kMinimum,
  kMaximum,
  kExclusiveMinimum,
  kExclusiveMaximum,
  kMinLength,
  kMaxLength,
  kPattern,
  kFormat,
  kMinItems,
  kMaxItems,
  kUniqueItems,
  kItems,
  kPrefixItems,
  kAdditionalItems,
  kContains,
  kMinContains,
  kMaxContains,
  kProperties,
  kPatternProperties,
  kAdditionalProperties,
  kPropertyNames,
  kRequired,
  kMinProperties,
  kMaxProperties,
  kDependentRequired,
  kDependentSchemas,
  kDependencies,
  kAllOf,
  kAnyOf,
  kOneOf,
  kNot,
  kIf,
  kThen,
  kElse,
  kRef,
  kDynamicRef,
  kRecursiveRef,
  kAnchor,
  kId,  // "$id"
  kPythonConstraint,
  kUnevaluatedProperties,
  kUnevaluatedItems,
  // Never asserted here: they name schemas or hold some, or say what is in a string.
  kOldId,  // "id"
  kSchema,
  kDynamicAnchor,
  kDefs,
  kDefinitions,
  kContentSchema,
  kContentMediaType,
  kContentEncoding,
};

constexpr std::size_t kKeywords = static_cast<std::size_t>(Keyword::kContentEncoding) + 1;

using KeywordSet = std::uint64_t;
constexpr KeywordSet bit(Keyword keyword) {
  return KeywordSet{1} << static_cast<unsigned>(keyword);
}
template <class... Keywords>
constexpr KeywordSet set_of(Keywords... keywords) {
  return (bit(keywords) | ...);
}

/// What a member's name means in a schema; `kNone` for nothing.
Keyword keyword_of(std::string_view name) noexcept;

/// The name of a keyword.
std::string_view name_of(Keyword keyword) noexcept;

/// Those that assert something in a draft.
KeywordSet known_keywords(Draft draft) noexcept;

/// Whether each keyword of a schema has a value of the right kind.
bool check_keywords(const Value& schema, Draft draft, bool guessed);

/// Keywords whose values are schemas, or have schemas in them.
inline constexpr KeywordSet kSomeInside = set_of(Keyword::kAllOf, Keyword::kAnyOf, Keyword::kOneOf,
                                                 Keyword::kPrefixItems, Keyword::kItems);
inline constexpr KeywordSet kOneInside = set_of(
    Keyword::kItems, Keyword::kAdditionalItems, Keyword::kContains, Keyword::kAdditionalProperties,
    Keyword::kPropertyNames, Keyword::kUnevaluatedItems, Keyword::kUnevaluatedProperties,
    Keyword::kNot, Keyword::kIf, Keyword::kThen, Keyword::kElse, Keyword::kContentSchema);
inline constexpr KeywordSet kNamedInside =
    set_of(Keyword::kProperties, Keyword::kPatternProperties, Keyword::kDefs, Keyword::kDefinitions,
           Keyword::kDependentSchemas, Keyword::kDependencies);

/// A value right inside a schema that is one itself.
struct Inside {
  Keyword keyword;
  bool named, indexed;
  std::string_view name;
  std::size_t index;
  const Value* value;
};
std::vector<Inside> subschemas(const Value& schema);

}  // namespace slm::schema

// Schemas that need no algebra, lowered as they stand: types, properties, items, references, and
// scalars with whatever bounds.
//
// Most schemas consist of nothing else. Their goals, kinds and shapes would be made only to be read
// once; here they are not made. Rules and terminals are those that would come of them, number for
// number, and what is not plain, be it right or wrong, is left to the algebra.
#include <algorithm>
#include <array>

#include "schema/lower.h"
#include "schema/members.h"

namespace slm::schema {

/// What an object says as a schema, by keyword.
struct Said {
  explicit Said(const Value& raw) {
    for (const Member& member : raw.members()) {
      keywords |= bit(member.keyword);
      values[static_cast<std::size_t>(member.keyword)] = member.value;
    }
    keywords &= ~bit(Keyword::kNone);
  }
  bool has(Keyword keyword) const { return (keywords & bit(keyword)) != 0; }
  bool has_only(KeywordSet known) const { return (keywords & ~known) == 0; }
  /// Null where it is not said.
  const Value* operator[](Keyword keyword) const {
    return has(keyword) ? values[static_cast<std::size_t>(keyword)] : nullptr;
  }

  KeywordSet keywords = 0;
  std::array<const Value*, kKeywords> values;  // those of `keywords` alone
};

namespace {

using Kind = Value::Kind;
using Count = std::int64_t;

constexpr KeywordSet kScalarKeywords =
    set_of(Keyword::kType, Keyword::kEnum, Keyword::kConst, Keyword::kMultipleOf, Keyword::kMinimum,
           Keyword::kMaximum, Keyword::kExclusiveMinimum, Keyword::kExclusiveMaximum,
           Keyword::kMinLength, Keyword::kMaxLength, Keyword::kPattern, Keyword::kFormat);
constexpr KeywordSet kArrayKeywords =
    set_of(Keyword::kType, Keyword::kItems, Keyword::kMinItems, Keyword::kMaxItems);
constexpr KeywordSet kObjectKeywords = set_of(Keyword::kType, Keyword::kProperties,
                                              Keyword::kRequired, Keyword::kAdditionalProperties);

bool is_container(std::string_view type) { return type == "object" || type == "array"; }
bool is_false(const Value* raw) { return raw != nullptr && raw->is(Kind::kBool) && !raw->truth; }

bool is_scalar(const Value* value) { return !value->is(Kind::kObject) && !value->is(Kind::kArray); }

/// Whether it admits scalars alone, and names no others.
bool is_plain_scalar(const Said& said) {
  if (!said.has_only(kScalarKeywords)) return false;
  if (const Value* listed = said[Keyword::kEnum]) {
    if (!std::ranges::all_of(listed->items(), is_scalar)) return false;
  } else if (const Value* constant = said[Keyword::kConst]) {
    if (!is_scalar(constant)) return false;
  } else if (!said.has(Keyword::kType)) {
    return false;
  }
  const Value* type = said[Keyword::kType];
  if (type == nullptr) return true;
  if (type->is(Kind::kString)) return !is_container(type->text());
  return std::ranges::none_of(type->items(), [](auto* name) { return is_container(name->text()); });
}

bool is_plain_count(const Value* count) {
  return count == nullptr || (count->is(Kind::kInt) && count->integer <= kMaxCount);
}

/// Arrays of any items of one kind.
bool is_plain_array(const Said& said) {
  const Value *low = said[Keyword::kMinItems], *high = said[Keyword::kMaxItems];
  if (!said.has_only(kArrayKeywords) || !is_plain_count(low) || !is_plain_count(high)) return false;
  if (low != nullptr && high != nullptr && low->integer > high->integer) return false;
  const Value* items = said[Keyword::kItems];
  return items == nullptr || (!items->is(Kind::kArray) && !is_false(items));
}

/// Objects without members that must not be there.
bool is_plain_object(const Said& said) {
  if (!said.has_only(kObjectKeywords)) return false;
  const Value *declared = said[Keyword::kProperties], *required = said[Keyword::kRequired];
  if (declared != nullptr) {
    for (const Member& member : declared->members()) {
      if (is_false(member.value)) return false;
    }
  }
  if (required == nullptr || !is_false(said[Keyword::kAdditionalProperties])) return true;
  return std::ranges::all_of(required->items(), [&](const Value* name) {
    return declared != nullptr && find(*declared, name->text()) != nullptr;
  });
}

}  // namespace

/// What a value under the schema looks like; null where it is not plain. In the end `at` is what
/// its references lead to.
Lowering::Pointer Lowering::plain(Target& at) {
  for (int turn = 0; plain_ && turn < kMaxAliases; ++turn) {
    const Value& raw = *at.raw;
    if (raw.number == 0 || raw.members().empty()) return nullptr;
    if (raw.number < plain_values_.size() && plain_values_[raw.number] != nullptr) {
      return plain_values_[raw.number];
    }
    Said said(raw);
    std::optional<KeywordSet> keywords = of.reader.said(at, said.keywords);
    if (!keywords) return nullptr;
    said.keywords = *keywords;
    if (said.keywords == bit(Keyword::kRef)) {
      at = of.reader.follow(at, said[Keyword::kRef]->text());
      continue;
    }
    Pointer found = plain(at, said);
    if (found == nullptr) return nullptr;
    if (raw.number >= plain_values_.size()) plain_values_.resize(2 * raw.number + 16, nullptr);
    return plain_values_[raw.number] = found;
  }
  return nullptr;
}

Lowering::Pointer Lowering::plain(const Target& at, const Said& said) {
  const Value* type = said[Keyword::kType];
  if (type != nullptr && type->is(Kind::kString) && is_container(type->text())) {
    if (!(type->text() == "object" ? is_plain_object(said) : is_plain_array(said))) return nullptr;
    Rule rule = fresh_rule();
    todo_.push_back({nullptr, rule, at});
    return build.call(rule);
  }
  if (said.keywords == bit(Keyword::kType) && type->is(Kind::kString)) {
    return scalars(*kinds_of_type(type->text()));
  }
  if (!is_plain_scalar(said)) return nullptr;
  constexpr std::int32_t kNoNumber = 0;
  return scalars(*of.own_kinds({kNoNumber, at.raw, at.pointer, at.resource, said.keywords}));
}

/// Any value, as the body of a rule.
Lowering::Pointer Lowering::anything() {
  const Value nothing = Value::of_members({});
  const Target nowhere{&nothing, nullptr, nullptr};
  const Said said(nothing);
  Pointer scalar = scalars(kEverything), array = plain_array(nowhere, said);
  return build.alternatives({scalar, array, plain_object(nowhere, said)});
}

Lowering::Pointer Lowering::plain_body(const Target& at) {
  Said said(*at.raw);
  return said[Keyword::kType]->text() == "object" ? plain_object(at, said) : plain_array(at, said);
}

Lowering::Pointer Lowering::plain_array(const Target& at, const Said& said) {
  const Value *least = said[Keyword::kMinItems], *most = said[Keyword::kMaxItems];
  Count low = least == nullptr ? 0 : least->integer;
  std::optional<Count> high;
  if (most != nullptr) high = most->integer;
  Pointer empty = low == 0 ? structural("[]") : build.never;
  if (high && *high == 0) return empty;
  const Value* items = said[Keyword::kItems];
  Pointer item =
      items == nullptr ? value(kTrue) : value(of.reader.below(at, Keyword::kItems, items));
  Pointer inner = repeated(item, 0, low, high);
  Pointer full = build.seq({structural("["), inner, structural("]")});
  return Expressions::is_never(empty) ? full : build.alternatives({empty, full});
}

Lowering::Pointer Lowering::plain_object(const Target& at, const Said& said) {
  Span<Member> declared;
  if (const Value* properties = said[Keyword::kProperties]) declared = properties->members();
  Span<const Value*> required;
  if (const Value* needed = said[Keyword::kRequired]) required = needed->items();
  enum Mark : std::uint8_t { kDeclared = 1, kRequired = 2 };

  // All names: the declared ones, then those that are only required.
  std::vector<Name> names;
  names.reserve(declared.size() + required.size());
  auto add = [&](std::string_view text, Mark mark) {
    Name name = of.pool.name(text);
    if (name >= name_marks_.size()) name_marks_.resize(2 * name + 16, 0);
    if (name_marks_[name] == 0) names.push_back(name);
    name_marks_[name] |= mark;
  };
  for (const Member& member : declared) add(member.name, kDeclared);
  for (const Value* name : required) add(name->text(), kRequired);
  Members members;
  members.declared.reserve(names.size());
  for (Name name : names) {
    members.declared.push_back({nullptr, (name_marks_[name] & kRequired) != 0});
    name_marks_[name] = 0;
  }

  Pointer empty = required.empty() ? structural("{}") : build.never;
  Target inside = at, others = at;
  if (!declared.empty()) inside = of.reader.below(at, Keyword::kProperties, nullptr);
  const Value* additional = said[Keyword::kAdditionalProperties];
  if (additional != nullptr) {
    others = of.reader.below(at, Keyword::kAdditionalProperties, additional);
  }
  auto other = [&] { return additional == nullptr ? value(kTrue) : value(others); };
  for (std::size_t i = 0; i < names.size(); ++i) {
    DeclaredMember& member = members.declared[i];
    Pointer value;
    if (i < declared.size()) {
      value = this->value(of.reader.below(inside, declared[i].name, declared[i].value));
    } else {
      value = other();
    }
    if (Expressions::is_never(value) && member.required) return build.never;
    member.expression = build.seq({key(names[i]), value});
  }
  if (!is_false(additional)) {
    Pointer name = free_key(std::nullopt, names);
    members.free = build.seq({name, other()});
  }
  return object_of(std::move(members), empty);
}

}  // namespace slm::schema

#include "schema/alike.h"

#include <algorithm>
#include <bit>
#include <string_view>

namespace slm::schema {
namespace {

using Kind = Value::Kind;

constexpr std::string_view kSilent[] = {"title",    "description", "default",
                                        "examples", "example",     "$comment",
                                        "readOnly", "writeOnly",   "deprecated"};
/// A schema with one of these is itself: others may refer to it, or it to others, by a name.
constexpr std::string_view kNaming[] = {"$schema",         "$id", "id", "$anchor", "$dynamicAnchor",
                                        "$recursiveAnchor"};

bool is_in(std::span<const std::string_view> names, std::string_view name) {
  return std::ranges::find(names, name) != names.end();
}

}  // namespace

Alike::Role Alike::role_of(const Member& member) {
  KeywordSet keyword = bit(member.keyword);
  if ((keyword & kSomeInside) && member.value->is(Kind::kArray)) return Role::kSome;
  if (keyword & kOneInside) return Role::kSchema;
  return keyword & kNamedInside ? Role::kNamed : Role::kPlain;
}

std::uint32_t Alike::number(const Value& value, Role role) {
  auto& known = known_[static_cast<std::size_t>(role)];
  if (auto found = known.find(&value); found != known.end()) return found->second;
  std::vector<std::uint64_t> words = content(value, role);
  return known[&value] = contents_.intern_words(std::span<const std::uint64_t>(words));
}

std::vector<std::uint64_t> Alike::content(const Value& value, Role role) {
  std::vector<std::uint64_t> words{static_cast<std::uint64_t>(value.kind)};
  switch (value.kind) {
    case Kind::kNull:
      break;
    case Kind::kBool:
      words.push_back(value.truth);
      break;
    case Kind::kInt:
      words.push_back(static_cast<std::uint64_t>(value.integer));
      break;
    case Kind::kFloat:
      words.push_back(std::bit_cast<std::uint64_t>(value.real));
      break;
    case Kind::kBigInt:
    case Kind::kString:
      words.push_back(names_.intern(value.text(), true));
      break;
    case Kind::kArray:
      for (const Value* item : value.items()) {
        words.push_back(number(*item, role == Role::kSome ? Role::kSchema : Role::kPlain));
      }
      break;
    case Kind::kObject:
      for (const Member& member : value.members()) {
        Role inner = Role::kPlain;
        if (role == Role::kNamed) inner = Role::kSchema;
        if (role == Role::kSchema) {
          if (is_in(kNaming, member.name)) {  // like no other: its address says which it is
            return {~std::uint64_t{0}, reinterpret_cast<std::uintptr_t>(&value)};
          }
          if (is_in(kSilent, member.name)) continue;
          inner = role_of(member);
        }
        words.push_back(names_.intern(member.name, true));
        words.push_back(number(*member.value, inner));
      }
      break;
  }
  return words;
}

}  // namespace slm::schema

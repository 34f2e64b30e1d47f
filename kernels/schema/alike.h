// Schemas that say the same in the same words, as one number. Mirrors alike.py.
#pragma once

#include <cstdint>
#include <unordered_map>
#include <vector>

#include "schema/intern.h"
#include "schema/json.h"

namespace slm::schema {

/// Numbers schemas so that those which are written alike, annotations aside, have the same.
///
/// Cost: linear in what was not seen before; as deep a recursion as the schema is nested.
class Alike {
 public:
  explicit Alike(Arena& arena) : names_(arena), contents_(arena) {}

  std::uint32_t number(const Value& schema) { return number(schema, Role::kSchema); }

 private:
  /// What a value is read as: a schema, names with schemas, a list of schemas, or just JSON.
  enum class Role : std::uint8_t { kSchema, kNamed, kSome, kPlain };

  static Role role_of(const Member& member);
  std::uint32_t number(const Value& value, Role role);
  std::vector<std::uint64_t> content(const Value& value, Role role);

  Interner names_, contents_;
  std::unordered_map<const Value*, std::uint32_t> known_[4];  // by role
};

}  // namespace slm::schema

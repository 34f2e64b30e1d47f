// A JSON value as the compiler sees it: read once from Python, never changed.
#pragma once

#include <cstdint>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>

#include "core/utf8.h"
#include "schema/arena.h"
#include "schema/keywords.h"

namespace slm::schema {

/// The compiler does not answer: Python compiles the schema, or raises the precise error.
class Deferred : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// Python refuses it here, too, as `UnsupportedKeyword`: what `compile.cc` tries then, it tries.
class Refused : public Deferred {
 public:
  using Deferred::Deferred;
};

/// A reference leads nowhere, or back to a schema that is being worked out. Deferred, too, unless
/// it comes up while emptiness is tested, where it means "not known to be empty".
class Unresolvable : public Deferred {
 public:
  using Deferred::Deferred;
};

struct Member;

/// Invariant: objects are told apart by their address, as Python dicts are by their `id`; a dict
///   that stands in two places is one `Value`.
struct Value {
  enum class Kind : std::uint8_t { kNull, kBool, kInt, kBigInt, kFloat, kString, kArray, kObject };

  Kind kind = Kind::kNull;
  bool truth = false;
  bool shared = false;       // an array or object that stands in several places
  std::uint32_t number = 0;  // of an object, from 1 in its document; 0: the compiler made it
  union {
    std::int64_t integer = 0;  // of kInt
    double real;               // of kFloat
  };

  /// Of a string, or the digits of an integer beyond 64 bits.
  std::string_view text() const {
    if (kind != Kind::kString && kind != Kind::kBigInt) return {};
    return {static_cast<const char*>(data_), size_};
  }
  /// Of an array.
  std::span<const Value* const> items() const {
    if (kind != Kind::kArray) return {};
    return {static_cast<const Value* const*>(data_), size_};
  }
  /// Of an object, in order; names are distinct.
  inline std::span<const Member> members() const;

  /// What it holds, which has to stay where it is.
  static Value of_text(std::string_view text, Kind kind = Kind::kString) {
    return {kind, text.data(), text.size()};
  }
  static Value of_items(std::span<const Value* const> items) {
    return {Kind::kArray, items.data(), items.size()};
  }
  static inline Value of_members(std::span<const Member> members, std::uint32_t number = 0);
  static Value of_integer(std::int64_t integer) {
    Value made(Kind::kInt);
    made.integer = integer;
    return made;
  }
  static Value of_real(double real) {
    Value made(Kind::kFloat);
    made.real = real;
    return made;
  }
  static constexpr Value of_truth(bool truth) {
    Value made(Kind::kBool);
    made.truth = truth;
    return made;
  }

  bool is(Kind wanted) const { return kind == wanted; }
  bool is_true() const { return kind == Kind::kBool && truth; }
  bool is_number() const {
    return kind == Kind::kInt || kind == Kind::kBigInt || kind == Kind::kFloat;
  }

  constexpr Value() = default;  // null

 private:
  explicit constexpr Value(Kind kind) : kind(kind) {}
  Value(Kind kind, const void* data, std::size_t size) : kind(kind), data_(data), size_(size) {}

  const void* data_ = nullptr;  // what `kind` says: characters, values or members
  std::size_t size_ = 0;
};

struct Member {
  std::string_view name;
  Keyword keyword;  // what the name means if the object is a schema
  const Value* value;
};

inline std::span<const Member> Value::members() const {
  if (kind != Kind::kObject) return {};
  return {static_cast<const Member*>(data_), size_};
}

inline Value Value::of_members(std::span<const Member> members, std::uint32_t number) {
  Value made(Kind::kObject, members.data(), members.size());
  made.number = number;
  return made;
}

/// A schema and the memory it lives in.
struct Document {
  Arena arena;
  const Value* root = nullptr;
};

/// The member of a keyword, or null. Cost: O(members).
const Value* find(const Value& object, Keyword keyword);
/// The member of a name, or null. Cost: O(members).
const Value* find(const Value& object, std::string_view name);

/// As `json.dumps(text, ensure_ascii=False)`, appended.
void write_json(std::string& out, std::string_view text);

/// The number of code points. The text is valid UTF-8, as all text here is.
std::size_t length(std::string_view text);

}  // namespace slm::schema

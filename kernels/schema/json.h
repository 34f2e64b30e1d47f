// A JSON value as the compiler sees it: read once from Python, never changed.
#pragma once

#include <cstdint>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>

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
  std::int64_t integer = 0;
  double real = 0;
  std::string_view text;  // of a string, or the digits of an integer beyond 64 bits
  std::span<const Value* const> items;
  std::span<const Member> members;  // in order; names are distinct

  bool is(Kind wanted) const { return kind == wanted; }
  bool is_true() const { return kind == Kind::kBool && truth; }
  bool is_number() const {
    return kind == Kind::kInt || kind == Kind::kBigInt || kind == Kind::kFloat;
  }
};

struct Member {
  std::string_view name;
  Keyword keyword;  // what the name means if the object is a schema
  const Value* value;
};

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

/// Calls `visit(point)` for each code point.
template <class Visit>
void each_point(std::string_view text, Visit visit) {
  for (std::size_t at = 0; at < text.size();) {
    unsigned char first = static_cast<unsigned char>(text[at]);
    std::size_t more = first < 0x80 ? 0 : first < 0xE0 ? 1 : first < 0xF0 ? 2 : 3;
    std::uint32_t point = more == 0 ? first : first & (0x3Fu >> more);
    for (std::size_t i = 1; i <= more; ++i) {
      point = point << 6 | (static_cast<unsigned char>(text[at + i]) & 0x3Fu);
    }
    visit(point);
    at += more + 1;
  }
}

}  // namespace slm::schema

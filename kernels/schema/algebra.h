// The typed algebra that every schema is normalised to. Mirrors algebra.py, shape for shape.
#pragma once

#include <cstdint>
#include <optional>
#include <span>

#include "schema/decimal.h"

namespace slm::schema {

using Name = std::uint32_t;  // an interned string
using Goal = std::uint32_t;  // an interned set of signed schema numbers; see goals.h
using Part = std::uint32_t;  // a regular language of decoded strings; see languages.h

constexpr Goal kTrue = 0, kFalse = 1;
constexpr std::int32_t kFalseId = 1;

/// As often as anything is repeated that has an upper bound; more is none.
inline constexpr std::int64_t kMaxCount = 0x7FFFFFFE;

template <class T>
using Span = std::span<const T>;

struct NumberShape {
  std::optional<bool> integer;
  std::optional<Decimal> low;
  bool low_open = false;
  std::optional<Decimal> high;
  bool high_open = false;
  Span<Decimal> multiples, non_multiples;
  bool finite = false;  // whether `values` are all there is
  Span<Decimal> values;
  Span<Decimal> excluded;  // sorted by `before`, distinct

  bool admits(const Decimal& value) const;
  /// Whether there is nothing to say of it but whether it is an integer.
  bool is_unbounded() const {
    return !low && !high && !finite && multiples.empty() && non_multiples.empty() &&
           values.empty() && excluded.empty();
  }
};

struct StringShape {
  std::int64_t low = 0;
  std::optional<std::int64_t> high;
  Span<Part> parts;
  bool finite = false;
  Span<Name> values;
};

struct Contains {
  Goal goal;
  std::int64_t low;
  std::optional<std::int64_t> high;
  std::int32_t number;
  std::int64_t start;

  bool operator==(const Contains&) const = default;
};

struct ArrayShape {
  Span<Goal> prefix;
  Goal items = kTrue;
  std::int64_t low = 0;
  std::optional<std::int64_t> high;
  Span<Contains> contains;
  std::int32_t unique = 0;
  Span<const ArrayShape*> none{};  // and the array has none of these shapes, see frames.h

  Goal item(std::size_t at) const { return at < prefix.size() ? prefix[at] : items; }
};

struct NameRule {
  Goal goal;
  std::optional<Part> included;
  Span<Name> names;  // sorted
  Span<Part> excluded;
};

struct NamedGoal {
  Name name;
  Goal goal;
};

struct ObjectShape {
  Span<NamedGoal> members;  // in the order the schema declares
  Span<Name> required;      // in order
  Span<NameRule> rules;
  std::int64_t low = 0;
  std::optional<std::int64_t> high;
  std::int32_t number = 0;
  Span<NameRule> some;
  Span<const ObjectShape*> none{};  // and the object has none of these shapes
};

/// Shapes are told apart by address first: "everything" of a type is one object, as in Python.
extern const NumberShape kAnyNumber;
extern const StringShape kAnyString;
extern const ArrayShape kAnyArray;
extern const ObjectShape kAnyObject;

struct Kinds {
  bool null = false;
  std::uint8_t booleans = 0;  // bit 0: false, bit 1: true
  Span<const NumberShape*> numbers;
  Span<const StringShape*> strings;
  Span<const ArrayShape*> arrays;
  Span<const ObjectShape*> objects;

  std::size_t width() const;
  bool is_container() const { return !arrays.empty() || !objects.empty(); }
};

extern const Kinds kEverything, kNoValue;

template <class T>
std::optional<T> least(const std::optional<T>& left, const std::optional<T>& right) {
  if (!left || !right) return left ? left : right;
  return *left < *right ? left : right;
}

/// The first and last integer between two bounds.
std::optional<Decimal> first_integer(const std::optional<Decimal>& low, bool open);
std::optional<Decimal> last_integer(const std::optional<Decimal>& high, bool open);

}  // namespace slm::schema

// Exact decimal numbers, as far as schemas write them: Python's `Decimal` where it is used there.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

namespace slm::schema {

struct Value;

/// ±digits × 10^exponent.
///
/// Invariant: `digits` has no trailing zeros; zero is {0, 0, false}. So equal numbers are equal
///   member by member.
struct Decimal {
  std::uint64_t digits = 0;
  std::int32_t exponent = 0;
  bool negative = false;

  bool operator==(const Decimal&) const = default;
  bool is_integer() const { return exponent >= 0; }
  bool is_zero() const { return digits == 0; }
  Decimal negated() const { return {digits, exponent, digits != 0 && !negative}; }
};

/// The number of a JSON value as it was written; defers where it has too many digits.
Decimal exact(const Value& number);

/// As Python's `Decimal(repr(value))`, of a finite value; and the nearest double of a number.
Decimal from_double(double value);
double to_double(const Decimal& value);

/// As Python writes a finite double.
std::string repr(double value);

/// -1, 0 or 1.
int compare(const Decimal& left, const Decimal& right);

/// The nearest integer that is not less, or not more; defers where it has too many digits.
Decimal ceiling(const Decimal& value);
Decimal floor(const Decimal& value);
/// The value plus 1 or minus 1, of an integer.
Decimal next(const Decimal& integer, int step);

/// Whether value / step is an integer.
bool is_multiple(const Decimal& value, const Decimal& step);

/// As Python's `Decimal` reads it: digits and an exponent, appended.
void write(std::string& out, const Decimal& value);

/// The integer, where it fits.
std::optional<std::int64_t> to_int(const Decimal& value);

}  // namespace slm::schema

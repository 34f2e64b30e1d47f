#include "schema/decimal.h"

#include <charconv>
#include <limits>

#include "schema/json.h"

namespace slm::schema {
namespace {

__extension__ typedef unsigned __int128 Wide;

Decimal normalised(std::uint64_t digits, std::int32_t exponent, bool negative) {
  if (digits == 0) return {};
  while (digits % 10 == 0) {
    digits /= 10;
    ++exponent;
  }
  return {digits, exponent, negative};
}

int digit_count(std::uint64_t digits) {
  int count = 1;
  while (digits >= 10) {
    digits /= 10;
    ++count;
  }
  return count;
}

std::uint64_t power_of_ten(int exponent) {
  std::uint64_t power = 1;
  for (; exponent > 0; --exponent) power *= 10;
  return power;
}

Decimal from_text(std::string_view text) {
  bool negative = text.starts_with('-');
  std::uint64_t digits = 0;
  std::int32_t exponent = 0;
  for (std::size_t at = negative; at < text.size(); ++at) {
    unsigned digit = static_cast<unsigned>(text[at] - '0');
    if (digits > (std::numeric_limits<std::uint64_t>::max() - digit) / 10) {
      throw Deferred("a number has too many digits");
    }
    digits = digits * 10 + digit;
  }
  return normalised(digits, exponent, negative);
}

/// Floor of |value|, and whether it is exact. The value is not an integer.
std::pair<std::uint64_t, bool> truncated(const Decimal& value) {
  int places = -value.exponent;
  if (places > 19) return {0, false};
  std::uint64_t power = power_of_ten(places);
  return {value.digits / power, value.digits % power == 0};
}

std::uint64_t power_modulo(std::int64_t exponent, std::uint64_t modulus) {
  Wide power = 1 % modulus, base = 10 % modulus;
  for (; exponent > 0; exponent >>= 1) {
    if (exponent & 1) power = power * base % modulus;
    base = base * base % modulus;
  }
  return static_cast<std::uint64_t>(power);
}

}  // namespace

Decimal from_double(double value) {
  char buffer[32];  // the shortest digits that read back the same: what `repr` writes, too
  auto [end, error] =
      std::to_chars(buffer, buffer + sizeof buffer, value, std::chars_format::scientific);
  bool negative = false, after_point = false;
  std::uint64_t digits = 0;
  std::int32_t exponent = 0;
  for (const char* at = buffer; at != end; ++at) {
    if (*at == '-') {
      negative = true;
    } else if (*at == '.') {
      after_point = true;
    } else if (*at == 'e') {
      std::int32_t written = 0;
      const char* start = at + 1 + (at[1] == '+');
      std::from_chars(start, end, written);
      exponent += written;
      break;
    } else {
      digits = digits * 10 + static_cast<unsigned>(*at - '0');
      exponent -= after_point;
    }
  }
  return normalised(digits, exponent, negative);
}

double to_double(const Decimal& value) {
  std::string written;
  write(written, value);
  double real = 0;
  auto read = std::from_chars(written.data(), written.data() + written.size(), real);
  if (read.ec == std::errc{} || value.exponent < 0) return real;
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  return value.negative ? -kInfinity : kInfinity;
}

std::string repr(double value) {
  char buffer[40];
  auto [end, error] =
      std::to_chars(buffer, buffer + sizeof buffer, value, std::chars_format::scientific);
  std::string_view shortest(buffer, static_cast<std::size_t>(end - buffer));
  std::size_t e = shortest.find('e');
  int exponent = 0;
  std::from_chars(buffer + e + 1 + (buffer[e + 1] == '+'), end, exponent);
  if (exponent < -4 || exponent >= 16) return std::string(shortest);  // two digits at least, too
  auto [last, trouble] =
      std::to_chars(buffer, buffer + sizeof buffer, value, std::chars_format::fixed);
  std::string plain(buffer, last);
  return plain.find('.') == plain.npos ? plain + ".0" : plain;
}

Decimal exact(const Value& number) {
  if (number.is(Value::Kind::kFloat)) return from_double(number.real);
  if (number.is(Value::Kind::kBigInt)) return from_text(number.text());
  bool negative = number.integer < 0;
  std::uint64_t digits = static_cast<std::uint64_t>(number.integer);
  return normalised(negative ? 0 - digits : digits, 0, negative);
}

int compare(const Decimal& left, const Decimal& right) {
  if (left == right) return 0;
  if (left.negative != right.negative) return left.negative ? -1 : 1;
  int sign = left.negative ? -1 : 1;
  if (left.is_zero() || right.is_zero()) return left.is_zero() ? -1 : 1;
  int left_count = digit_count(left.digits), right_count = digit_count(right.digits);
  int left_top = left_count + left.exponent, right_top = right_count + right.exponent;
  if (left_top != right_top) return left_top < right_top ? -sign : sign;
  Wide one = left.digits, two = right.digits;
  if (left_count < right_count) one *= power_of_ten(right_count - left_count);
  if (right_count < left_count) two *= power_of_ten(left_count - right_count);
  return one < two ? -sign : sign;
}

Decimal floor(const Decimal& value) {
  if (value.is_integer()) return value;
  std::uint64_t whole = truncated(value).first;
  return normalised(whole + value.negative, 0, value.negative);
}

Decimal ceiling(const Decimal& value) {
  if (value.is_integer()) return value;
  std::uint64_t whole = truncated(value).first;
  return normalised(whole + !value.negative, 0, value.negative);
}

Decimal next(const Decimal& integer, int step) {
  if (integer.exponent > 17) throw Deferred("a bound has too many digits");
  if (digit_count(integer.digits) + integer.exponent > 18) {
    throw Deferred("a bound has too many digits");
  }
  auto digits = static_cast<std::int64_t>(integer.digits * power_of_ten(integer.exponent));
  std::int64_t value = (integer.negative ? -digits : digits) + step;
  return normalised(static_cast<std::uint64_t>(value < 0 ? -value : value), 0, value < 0);
}

bool is_multiple(const Decimal& value, const Decimal& step) {
  if (value.is_zero()) return true;
  // The digits of the value do not end in 0, so no smaller exponent can be made up for.
  if (value.exponent < step.exponent) return false;
  std::uint64_t power = power_modulo(value.exponent - step.exponent, step.digits);
  return static_cast<Wide>(value.digits % step.digits) * power % step.digits == 0;
}

void write(std::string& out, const Decimal& value) {
  if (value.negative) out.push_back('-');
  out += std::to_string(value.digits);
  if (value.exponent != 0) {
    out.push_back('E');
    out += std::to_string(value.exponent);
  }
}

std::optional<std::int64_t> to_int(const Decimal& value) {
  if (!value.is_integer() || value.exponent > 17) return std::nullopt;
  if (digit_count(value.digits) + value.exponent > 18) return std::nullopt;
  auto digits = static_cast<std::int64_t>(value.digits * power_of_ten(value.exponent));
  return value.negative ? -digits : digits;
}

}  // namespace slm::schema

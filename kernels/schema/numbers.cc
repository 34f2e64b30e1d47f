#include "schema/numbers.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace slm::schema {
namespace {

constexpr int kMaxDigits = 308;  // digits before the point: within the range of a double
constexpr int kMaxExponent = 299;
constexpr Decimal kMostExact{9007199254740991, 0, false};  // up to here every integer is a double
constexpr Decimal kZero{}, kOne{1, 0, false}, kTen{1, 1, false};

Decimal magnitude(Decimal value) {
  value.negative = false;
  return value;
}

Digits split(const Decimal& value) {
  Digits made{std::to_string(value.digits), {}};
  if (value.exponent >= 0) {
    if (!value.is_zero()) made.whole.append(static_cast<std::size_t>(value.exponent), '0');
    return made;
  }
  auto places = static_cast<std::size_t>(-value.exponent);
  if (made.whole.size() <= places) made.whole.insert(0, places + 1 - made.whole.size(), '0');
  made.fraction = made.whole.substr(made.whole.size() - places);
  made.whole.resize(made.whole.size() - places);
  return made;
}

/// The exponent of the first digit.
int adjusted(const Decimal& value) {
  return static_cast<int>(std::to_string(value.digits).size()) - 1 + value.exponent;
}

/// The value with one digit before the point.
Decimal mantissa(const Decimal& value) {
  return {value.digits, 1 - static_cast<std::int32_t>(std::to_string(value.digits).size()), false};
}

std::string increased(std::string digits) {
  for (std::size_t at = digits.size(); at-- > 0; digits[at] = '0') {
    if (digits[at] == '9') continue;
    ++digits[at];
    return digits;
  }
  return "1" + digits;
}

/// Less one; nothing for zero.
std::optional<std::string> decreased(std::string digits) {
  if (digits == "0") return std::nullopt;
  std::size_t at = digits.size() - 1;
  for (; digits[at] == '0'; --at) digits[at] = '9';
  --digits[at];
  if (digits[0] == '0' && digits.size() > 1) digits.erase(0, 1);
  return digits;
}

bool is_more(const std::string& left, const std::string& right) {
  return left.size() != right.size() ? left.size() > right.size() : left > right;
}

/// The next double, in its shortest spelling; nothing next to zero and where doubles are sparse.
std::optional<Decimal> neighbour(const Decimal& value, double towards) {
  Decimal size = magnitude(value);
  if (size.is_zero() || compare(size, kMostExact) > 0) return std::nullopt;
  return from_double(std::nextafter(to_double(value), towards));
}

/// Open bounds as closed ones at the next double, which no double can be closer to.
NumberShape closed(NumberShape shape) {
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  if (shape.low && shape.low_open) {
    if (std::optional<Decimal> low = neighbour(*shape.low, kInfinity)) {
      shape.low = low;
      shape.low_open = false;
    }
  }
  if (shape.high && shape.high_open) {
    if (std::optional<Decimal> high = neighbour(*shape.high, -kInfinity)) {
      shape.high = high;
      shape.high_open = false;
    }
  }
  return shape;
}

}  // namespace

NumberTexts::NumberTexts(Terms& terms) : terms_(terms) {
  digit_ = terms.chars({'0', '9'});
  digits_ = terms.repeat(digit_);
  some_digits_ = terms.repeat(digit_, 1);
  nonzero_ = terms.chars({'1', '9'});
  zero_ = terms.literal("0");
  minus_ = terms.literal("-");
  point_ = terms.literal(".");
  fraction_ = terms.optional(terms.concat({point_, some_digits_}));
  natural_ =
      terms.unite({zero_, terms.concat({nonzero_, terms.repeat(digit_, 0, kMaxDigits - 1)})});
  e_ = terms.any_of_chars("eE");
}

Term NumberTexts::any_number() {
  Term sign = terms_.optional(terms_.any_of_chars("+-"));
  Term hundreds = terms_.concat({terms_.any_of_chars("12"), digit_, digit_});
  Term exponent = terms_.concat({e_, sign, terms_.unite({terms_.repeat(digit_, 1, 2), hundreds})});
  Term brief = terms_.unite({zero_, terms_.concat({nonzero_, terms_.repeat(digit_, 0, 8)})});
  return terms_.concat(
      {terms_.optional(minus_), terms_.unite({terms_.concat({natural_, fraction_}),
                                              terms_.concat({brief, fraction_, exponent})})});
}

Term NumberTexts::digit(int low, int high) {
  return low <= high ? terms_.chars({'0' + low, '0' + high}) : terms_.nothing;
}

/// Digit strings between two of the same length.
Term NumberTexts::same_length(std::string low, std::string high) {
  if (low > high) return terms_.nothing;
  std::size_t shared = 0;
  while (shared < low.size() && low[shared] == high[shared]) ++shared;
  Term head = terms_.literal(low.substr(0, shared));
  low.erase(0, shared);
  high.erase(0, shared);
  if (low.empty()) return head;
  auto rest = static_cast<std::int32_t>(low.size() - 1);
  int first = low[0] - '0', last = high[0] - '0';
  std::vector<Term> options;
  if (low.find_first_not_of('0', 1) != low.npos) {
    options.push_back(terms_.concat({digit(first, first), from(low.substr(1))}));
    ++first;
  }
  if (high.find_first_not_of('9', 1) != high.npos) {
    options.push_back(terms_.concat({digit(last, last), up_to(high.substr(1))}));
    --last;
  }
  if (first <= last) {
    options.push_back(terms_.concat({digit(first, last), terms_.repeat(digit_, rest, rest)}));
  }
  return terms_.concat({head, terms_.unite(options)});
}

/// Digit strings of the length of `low`, not less.
Term NumberTexts::from(std::string_view low) {
  std::vector<Term> options{terms_.literal(low)};
  for (std::size_t at = 0; at < low.size(); ++at) {
    if (low[at] == '9') continue;
    auto rest = static_cast<std::int32_t>(low.size() - at - 1);
    options.push_back(terms_.concat({terms_.literal(low.substr(0, at)), digit(low[at] - '0' + 1, 9),
                                     terms_.repeat(digit_, rest, rest)}));
  }
  return terms_.unite(options);
}

/// Digit strings of the length of `high`, not more.
Term NumberTexts::up_to(std::string_view high) {
  std::vector<Term> options{terms_.literal(high)};
  for (std::size_t at = 0; at < high.size(); ++at) {
    if (high[at] == '0') continue;
    auto rest = static_cast<std::int32_t>(high.size() - at - 1);
    options.push_back(
        terms_.concat({terms_.literal(high.substr(0, at)), digit(0, high[at] - '0' - 1),
                       terms_.repeat(digit_, rest, rest)}));
  }
  return terms_.unite(options);
}

/// Canonical spellings of the natural numbers from low to high.
Term NumberTexts::natural_range(const std::string& low, const std::optional<std::string>& high) {
  if (high && is_more(low, *high)) return terms_.nothing;
  if (low == "0" && !high) return natural_;
  auto size = static_cast<std::int32_t>(low.size());
  std::string nines(low.size(), '9');
  if (!high) {
    Term same = same_length(low, nines);
    std::int32_t most = std::max(kMaxDigits, size + 1) - 1;
    return terms_.unite({same, terms_.concat({nonzero_, terms_.repeat(digit_, size, most)})});
  }
  if (low.size() == high->size()) return same_length(low, *high);
  std::vector<Term> options{same_length(low, nines)};
  auto top = static_cast<std::int32_t>(high->size());
  if (top - size > 1) {
    options.push_back(terms_.concat({nonzero_, terms_.repeat(digit_, size, top - 2)}));
  }
  options.push_back(same_length("1" + std::string(high->size() - 1, '0'), *high));
  return terms_.unite(options);
}

/// Both signs of a set that is known for non-negative bounds.
Term NumberTexts::both_signs(const NumberShape& shape, Make magnitudes) {
  int low = shape.low ? compare(*shape.low, kZero) : 0;  // beside zero
  int high = shape.high ? compare(*shape.high, kZero) : 0;
  std::vector<Term> options;
  if (!shape.high || high > 0 || (high == 0 && !shape.high_open)) {
    bool above_zero = shape.low && (low > 0 || (low == 0 && shape.low_open));
    Magnitudes bounds{above_zero ? *shape.low : kZero, above_zero && shape.low_open, shape.high,
                      shape.high_open};
    options.push_back((this->*magnitudes)(bounds));
  }
  if (!shape.low || low < 0 || (low == 0 && !shape.low_open)) {
    bool below_zero = shape.high && (high < 0 || (high == 0 && shape.high_open));
    Magnitudes bounds{below_zero ? magnitude(*shape.high) : kZero, below_zero && shape.high_open,
                      std::nullopt, shape.low_open};
    if (shape.low) bounds.high = magnitude(*shape.low);
    options.push_back(terms_.concat({minus_, (this->*magnitudes)(bounds)}));
  }
  return terms_.unite(options);
}

Term NumberTexts::integers(const Magnitudes& bounds) {
  Digits low = split(bounds.low);
  std::string first = low.whole;
  if (bounds.low_open || !low.fraction.empty()) first = increased(first);
  if (!bounds.high) return natural_range(first, std::nullopt);
  Digits high = split(*bounds.high);
  std::optional<std::string> last = high.whole;
  if (bounds.high_open && high.fraction.empty()) last = decreased(high.whole);
  return last ? natural_range(first, last) : terms_.nothing;
}

Term NumberTexts::plain(const Magnitudes& bounds) {
  Digits low = split(bounds.low);
  Term whole = terms_.literal(low.whole);
  std::string after = increased(low.whole);
  if (!bounds.high) {
    Term at_low = terms_.concat({whole, fraction_from(low.fraction, bounds.low_open)});
    Term more = natural_range(after, std::nullopt);
    return terms_.unite({at_low, terms_.concat({more, fraction_})});
  }
  Digits high = split(*bounds.high);
  if (is_more(low.whole, high.whole)) return terms_.nothing;
  Term from_low = fraction_from(low.fraction, bounds.low_open);
  Term to_high = fraction_to(high.fraction, bounds.high_open);
  if (low.whole == high.whole) {
    return terms_.concat({whole, terms_.intersect({from_low, to_high})});
  }
  Term between = natural_range(after, decreased(high.whole));
  Term top = terms_.literal(high.whole);
  return terms_.unite({terms_.concat({whole, from_low}), terms_.concat({between, fraction_}),
                       terms_.concat({top, to_high})});
}

/// Normalised: one non-zero digit before the point, exponents from -299 to 299.
Term NumberTexts::scientific(const Magnitudes& bounds) {
  if (bounds.high && compare(*bounds.high, bounds.low) <= 0) return terms_.nothing;
  int least = -kMaxExponent, most = kMaxExponent;
  Decimal least_mantissa = kOne;
  std::optional<Decimal> most_mantissa;
  if (!bounds.low.is_zero()) {
    least = adjusted(bounds.low);
    least_mantissa = mantissa(bounds.low);
  }
  if (bounds.high) {
    most = adjusted(*bounds.high);
    most_mantissa = mantissa(*bounds.high);
  }
  bool low_open = bounds.low_open && !bounds.low.is_zero();
  if (least == most) {
    bool end_open = !most_mantissa || bounds.high_open;
    Term mantissas = plain({least_mantissa, low_open, most_mantissa.value_or(kTen), end_open});
    return terms_.concat({mantissas, exponents(least, least)});
  }
  Term first = plain({least_mantissa, low_open, kTen, true});
  std::vector<Term> options{
      terms_.concat({first, exponents(least, least)}),
      terms_.concat({nonzero_, fraction_, exponents(least + 1, most - 1)}),
  };
  if (!most_mantissa) {
    options.push_back(terms_.concat({nonzero_, fraction_, exponents(most, most)}));
  } else {
    Term mantissas = plain({kOne, false, most_mantissa, bounds.high_open});
    options.push_back(terms_.concat({mantissas, exponents(most, most)}));
  }
  return terms_.unite(options);
}

/// `.ddd`, or nothing, of at least `0.low`; of more than that where `open`.
Term NumberTexts::fraction_from(std::string_view low, bool open) {
  std::vector<Term> options;
  for (std::size_t at = 0; at < low.size(); ++at) {
    Term larger = digit(low[at] - '0' + 1, 9);
    options.push_back(terms_.concat({terms_.literal(low.substr(0, at)), larger, digits_}));
  }
  Term same = terms_.literal(low);
  if (open) {
    options.push_back(terms_.concat({same, terms_.repeat(zero_), nonzero_, digits_}));
  } else {
    options.push_back(terms_.concat({same, low.empty() ? some_digits_ : digits_}));
  }
  Term body = terms_.concat({point_, terms_.unite(options)});
  return low.empty() && !open ? terms_.optional(body) : body;
}

/// `.ddd`, or nothing, of at most `0.high`; of less than that where `open`.
Term NumberTexts::fraction_to(std::string_view high, bool open) {
  if (high.empty()) {
    if (open) return terms_.nothing;
    return terms_.optional(terms_.concat({point_, terms_.repeat(zero_, 1)}));
  }
  std::vector<Term> options;
  for (std::size_t at = 0; at < high.size(); ++at) {
    Term head = terms_.literal(high.substr(0, at));
    options.push_back(terms_.concat({head, digit(0, high[at] - '0' - 1), digits_}));
    if (at > 0) options.push_back(head);  // ends early: the rest counts as zeros
  }
  if (!open) options.push_back(terms_.concat({terms_.literal(high), terms_.repeat(zero_)}));
  return terms_.optional(terms_.concat({point_, terms_.unite(options)}));
}

Term NumberTexts::exponents(int low, int high) {
  low = std::max(low, -kMaxExponent);
  high = std::min(high, kMaxExponent);
  if (low > high) return terms_.nothing;
  std::vector<Term> options;
  if (high >= 0) {
    Term plus = terms_.optional(terms_.literal("+"));
    options.push_back(terms_.concat({plus, padded(std::max(low, 0), high)}));
  }
  if (low < 0) options.push_back(terms_.concat({minus_, padded(std::max(1, -high), -low)}));
  return terms_.concat({e_, terms_.unite(options)});
}

/// The range, where one digit may be written as two.
Term NumberTexts::padded(int low, int high) {
  auto range = [&](int last) { return natural_range(std::to_string(low), std::to_string(last)); };
  Term brief = low > 9 ? terms_.nothing : terms_.concat({zero_, range(std::min(high, 9))});
  return terms_.unite({range(high), brief});
}

/// The integers of a shape, also as `1.0` where that is exact.
Term NumberTexts::with_point(const NumberShape& shape, Term text) {
  Decimal least = kMostExact.negated();
  Decimal low = shape.low && compare(*shape.low, least) > 0 ? *shape.low : least;
  Decimal high = shape.high && compare(*shape.high, kMostExact) < 0 ? *shape.high : kMostExact;
  Term zero_after = terms_.literal(".0");
  if (shape.low == low && shape.high == high && text != terms_.nothing) {
    return terms_.concat({text, terms_.optional(zero_after)});
  }
  if (compare(low, high) > 0) return text;
  NumberShape safe = shape;
  safe.low_open = shape.low_open && shape.low == low;
  safe.high_open = shape.high_open && shape.high == high;
  safe.low = low;
  safe.high = high;
  Term pointed = both_signs(safe, &NumberTexts::integers);
  if (pointed == terms_.nothing) return text;
  return terms_.unite({text, terms_.concat({pointed, zero_after})});
}

/// The spellings of one number: canonical, and `.0` after an integer where it may be.
std::optional<Term> NumberTexts::spelled(const Decimal& value, bool integer_point) {
  double real = to_double(value);
  if (!std::isfinite(real)) return std::nullopt;
  std::string canonical = repr(real);
  if (!value.is_integer()) return terms_.literal(canonical);
  std::string whole = (value.negative ? "-" : "") + split(magnitude(value)).whole;
  if (!integer_point) return terms_.literal(whole);
  Term zero_after = terms_.optional(terms_.literal(".0"));
  Term text = terms_.concat({terms_.literal(whole), zero_after});
  if (canonical.find('e') == canonical.npos) return text;
  return terms_.unite({text, terms_.literal(canonical)});
}

std::optional<Term> NumberTexts::of(const NumberShape& shape, bool integer_point) {
  if (shape.finite) {
    bool point = integer_point || !shape.integer.value_or(false);
    std::vector<Term> texts;
    for (const Decimal& value : shape.values) {
      std::optional<Term> text = spelled(value, point);
      if (!text) return std::nullopt;
      texts.push_back(*text);
    }
    return terms_.unite(texts);
  }
  if (!shape.multiples.empty() || !shape.non_multiples.empty() || !shape.excluded.empty()) {
    return std::nullopt;
  }
  if (!shape.integer && !shape.low && !shape.high) return any_number();
  if (shape.integer && !*shape.integer) return std::nullopt;
  if (shape.integer) {
    Term text = both_signs(shape, &NumberTexts::integers);
    return integer_point ? with_point(shape, text) : text;
  }
  NumberShape bounded = closed(shape);
  Term text = both_signs(bounded, &NumberTexts::plain);
  return terms_.unite({text, both_signs(bounded, &NumberTexts::scientific)});
}

}  // namespace slm::schema

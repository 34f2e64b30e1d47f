// From sets of numbers to languages of number texts. Mirrors slm/schema/numbers.py.
#pragma once

#include <optional>
#include <string>

#include "schema/terms.h"

namespace slm::schema {

/// A number that is not negative, in plain digits without an exponent.
struct Digits {
  std::string whole, fraction;  // no zeros that could be left out, but a lone "0" before the point
};

/// Languages of number texts.
///
/// Every one is what numbers.py makes of the same set. Nothing where that takes what is not here:
/// automata of multiples, and numbers beyond the whole ones or the doubles.
class NumberTexts {
 public:
  explicit NumberTexts(Terms& terms);

  /// The texts of a set of numbers; `integer_point`: an integer may be written `1.0`.
  std::optional<Term> of(const NumberShape& shape, bool integer_point);

 private:
  /// Bounds of magnitudes: not negative.
  struct Magnitudes {
    Decimal low;
    bool low_open;
    std::optional<Decimal> high;
    bool high_open;
  };
  using Make = Term (NumberTexts::*)(const Magnitudes&);

  Term digit(int low, int high);
  Term same_length(std::string low, std::string high);
  Term from(std::string_view low);
  Term up_to(std::string_view high);
  Term natural_range(const std::string& low, const std::optional<std::string>& high);

  Term both_signs(const NumberShape& shape, Make magnitudes);
  Term integers(const Magnitudes& bounds);
  Term plain(const Magnitudes& bounds);
  Term scientific(const Magnitudes& bounds);
  Term fraction_from(std::string_view low, bool open);
  Term fraction_to(std::string_view high, bool open);
  Term exponents(int low, int high);
  Term padded(int low, int high);
  Term with_point(const NumberShape& shape, Term text);
  std::optional<Term> spelled(const Decimal& value, bool integer_point);
  Term any_number();

  Terms& terms_;
  Term digit_, digits_, some_digits_, nonzero_, zero_, minus_, point_, fraction_, natural_, e_;
};

}  // namespace slm::schema

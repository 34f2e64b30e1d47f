// From languages of decoded strings to languages of JSON text. Mirrors slm/schema/strings.py.
#pragma once

#include <optional>
#include <unordered_map>

#include "schema/terms.h"

namespace slm::schema {

/// The spellings of languages; each is worked out once.
class Spelling {
 public:
  explicit Spelling(Terms& terms);

  /// Every JSON spelling, without the quotes; nothing where there is an automaton in it.
  std::optional<Term> spell(Term language);
  /// With the quotes.
  Term quoted(Term inner);

  Term any_string();
  Term any_spelled_char() { return charset(terms_.any_char); }

 private:
  Term charset(Term chars);
  Term hex_class(int low, int high);
  Term code_units(std::uint32_t low, std::uint32_t high, int width = 4);
  Term surrogate_pairs(std::uint32_t low, std::uint32_t high);

  Terms& terms_;
  Term quote_, backslash_, u_, raw_;
  std::unordered_map<Term, std::optional<Term>> known_;
};

}  // namespace slm::schema

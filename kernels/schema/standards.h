// The languages of JSON's own words and signs, which every schema has: made once in a process.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "core/known_language.h"

namespace slm::schema {

/// Invariant: with white space where JSON may have it, at most 40 characters at a place; beside a
/// bracket inside of it, beside a comma or colon on both sides.
struct Standards {
  Standards();

  /// Words and the language that they are.
  class Kept {
   public:
    explicit Kept(std::vector<std::int32_t> words);
    operator const KnownLanguage&() const { return language_; }

   private:
    std::vector<std::int32_t> words_;
    KnownLanguage language_;
  };

  Kept open_object, close_object, empty_object, open_array, close_array, empty_array, comma;
  Kept colon;  // behind a key
  Kept null, yes, no, boolean;

  /// One of the seven signs that stand first, by its text.
  const KnownLanguage& sign(std::string_view text) const;
};

/// Safe between threads. Cost: the first time some microseconds.
const Standards& standards();

}  // namespace slm::schema

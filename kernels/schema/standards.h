// The languages of JSON's own words and signs, which every schema has: made once in a process.
#pragma once

#include <array>
#include <cstddef>
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
    Kept(const Kept&) = delete;
    Kept& operator=(const Kept&) = delete;
    operator const KnownLanguage&() const { return language_; }

   private:
    std::vector<std::int32_t> words_;
    KnownLanguage language_;
  };

  static constexpr std::size_t kSigns = 7;
  std::array<Kept, kSigns> signs;  // by number
  Kept colon;                      // behind a key
  Kept null, yes, no, boolean;

  /// The number of a sign: { } {} [ ] [] or a comma.
  static std::size_t number_of(std::string_view sign);
};

/// Safe between threads. Cost: the first time some microseconds.
const Standards& standards();

}  // namespace slm::schema

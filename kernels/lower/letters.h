// Sets of letters: the classes of characters that a grammar's terminals tell apart.
#pragma once

#include <bit>
#include <cstdint>
#include <span>
#include <vector>

#include "lower/lists.h"

namespace slm::lower {

using Set = Number;

/// Sets of letters, hash-consed, as bits. The twin is `slm.grammar.charset.CharSet` over the
/// letters of `slm.syntax.alphabet`.
///
/// Cost: each operation is linear in the alphabet.
class LetterSets {
 public:
  static constexpr Set kEmpty = 0;

  explicit LetterSets(Number letters);
  LetterSets(const LetterSets&) = delete;
  LetterSets& operator=(const LetterSets&) = delete;

  Number letters() const noexcept { return letters_; }
  std::size_t size() const noexcept { return kept_.size(); }
  Set all() const noexcept { return all_; }

  Set unite(Set left, Set right);
  Set intersect(Set left, Set right);
  Set subtract(Set left, Set right);
  bool meets(Set left, Set right) const noexcept;
  bool has(Set set, Number letter) const noexcept {
    return (kept_[set][letter / 32] >> (letter % 32) & 1) != 0;
  }
  Number count(Set set) const noexcept;
  /// The least letter of a set that is not empty.
  Number first(Set set) const noexcept;

  /// Calls `take(low, high)` for each row of letters without a gap, ascending.
  template <class Take>
  void rows(Set set, Take take) const {
    Number at = 0;
    while ((at = next(set, at, true)) < letters_) {
      Number end = next(set, at, false);
      take(at, end - 1);
      at = end;
    }
  }

  /// A set under construction.
  class Bits {
   public:
    explicit Bits(const LetterSets& sets) : words_((sets.letters() + 31) / 32, 0) {}
    void clear() noexcept { std::ranges::fill(words_, 0); }
    void add(Number low, Number high) noexcept {
      for (Number at = low; at <= high; ++at) words_[at / 32] |= Number{1} << (at % 32);
    }
    std::span<const Number> words() const noexcept { return words_; }

   private:
    std::vector<Number> words_;
  };
  Set add(const Bits& bits) { return kept_.add(bits.words()); }

 private:
  /// The least letter from `at` on that is in the set, or is not.
  Number next(Set set, Number at, bool inside) const noexcept;

  Number letters_, words_;
  Lists kept_;
  std::vector<Number> scratch_;
  Set all_;
};

}  // namespace slm::lower

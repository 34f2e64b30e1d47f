#include "lower/letters.h"

namespace slm::lower {

LetterSets::LetterSets(Number letters)
    : letters_(letters), words_((letters + 31) / 32), scratch_(words_) {
  Bits bits(*this);
  kept_.add(bits.words());
  bits.add(0, letters - 1);
  all_ = add(bits);
}

Set LetterSets::unite(Set left, Set right) {
  if (left == right) return left;
  for (Number at = 0; at < words_; ++at) scratch_[at] = kept_[left][at] | kept_[right][at];
  return kept_.add(scratch_);
}

Set LetterSets::intersect(Set left, Set right) {
  for (Number at = 0; at < words_; ++at) scratch_[at] = kept_[left][at] & kept_[right][at];
  return kept_.add(scratch_);
}

Set LetterSets::subtract(Set left, Set right) {
  for (Number at = 0; at < words_; ++at) scratch_[at] = kept_[left][at] & ~kept_[right][at];
  return kept_.add(scratch_);
}

bool LetterSets::meets(Set left, Set right) const noexcept {
  for (Number at = 0; at < words_; ++at) {
    if ((kept_[left][at] & kept_[right][at]) != 0) return true;
  }
  return false;
}

Number LetterSets::count(Set set) const noexcept {
  Number found = 0;
  for (Number word : kept_[set]) found += static_cast<Number>(std::popcount(word));
  return found;
}

Number LetterSets::first(Set set) const noexcept { return next(set, 0, true); }

Number LetterSets::next(Set set, Number at, bool inside) const noexcept {
  while (at < letters_) {
    Number word = inside ? kept_[set][at / 32] : ~kept_[set][at / 32];
    word >>= at % 32;
    if (word != 0) {
      at += static_cast<Number>(std::countr_zero(word));
      return std::min(at, letters_);
    }
    at = (at / 32 + 1) * 32;
  }
  return letters_;
}

}  // namespace slm::lower

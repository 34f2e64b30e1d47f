// Labels of international host names: how long is their encoding, and what may follow a beginning.
//
// The domain name system writes a label of other than ASCII characters as "xn--" and the letters
// and digits of RFC 3492, and at most 63 of them. How many that are is no sum over the characters:
// each is inserted among all that are less than it. So what may follow depends on all that was
// read, but is told from it without a search.
#pragma once

#include <cstdint>
#include <span>
#include <utility>
#include <vector>

namespace slm {

inline constexpr std::size_t kLongestLabel = 63;  // octets

/// The octets of a label's encoding; or some number above kLongestLabel, where they are more.
///
/// Cost: O(characters * different ones).
std::size_t encoded_length(std::span<const std::uint32_t> label) noexcept;

/// The beginning of a label, and of a UTF-8 character behind it.
struct LabelPlace {
  std::vector<std::uint32_t> letters;
  std::uint32_t value = 0;    // the bits of that character so far
  std::uint32_t to_come = 0;  // bytes that it lacks; 0: there is none
};

/// What labels may be made of. A text over it is a label if no beginning of it is too long.
class LabelAlphabet {
 public:
  using Set = std::vector<std::pair<std::uint32_t, std::uint32_t>>;  // disjoint ranges, ascending

  static constexpr std::size_t kMaxLetters = 1024;  // they may be tried one by one

  explicit LabelAlphabet(Set set);

  const Set& set() const noexcept { return set_; }
  bool has(std::uint32_t letter) const noexcept;

  /// Any so many letters are a label.
  std::size_t sure() const noexcept { return sure_; }

  /// Reads one byte more; false, and the place is as it was, where no label goes on so.
  bool read(LabelPlace& place, std::uint8_t byte) const;

  /// The letters that may stand where one is begun, or where none is; one is enough: the least.
  Set next(const LabelPlace& place, bool one) const;

 private:
  bool fits(const std::vector<std::uint32_t>& letters) const noexcept {
    return letters.size() <= sure_ || encoded_length(letters) <= kLongestLabel;
  }

  Set set_;
  std::size_t sure_;
};

}  // namespace slm

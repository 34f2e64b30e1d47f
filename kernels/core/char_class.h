// Sets of bytes, and classes of characters as far as tables of tokens tell them apart.
#pragma once

#include <array>
#include <bitset>
#include <cstdint>

namespace slm {

using ByteSet = std::bitset<256>;

/// Some ASCII characters, and either all others or none of them.
struct CharClass {
  std::array<std::uint64_t, 2> ascii{};
  bool beyond_ascii = false;

  bool has(std::uint8_t byte) const noexcept {
    return byte < 128 ? (ascii[byte >> 6] >> (byte & 63) & 1) != 0 : beyond_ascii;
  }
  void add(std::uint8_t byte) noexcept { ascii[byte >> 6] |= std::uint64_t{1} << (byte & 63); }
  void remove(std::uint8_t byte) noexcept {
    ascii[byte >> 6] &= ~(std::uint64_t{1} << (byte & 63));
  }
  /// Removes the characters that start with one of these bytes.
  void take_out(const ByteSet& bytes) noexcept {
    for (std::size_t b = 0; b < 128; ++b) {
      if (bytes[b]) remove(static_cast<std::uint8_t>(b));
    }
    if ((bytes >> 128).any()) beyond_ascii = false;
  }
  std::size_t ascii_size() const noexcept {
    return static_cast<std::size_t>(__builtin_popcountll(ascii[0]) +
                                    __builtin_popcountll(ascii[1]));
  }
  bool covers(const CharClass& other) const noexcept {
    return (other.ascii[0] & ~ascii[0]) == 0 && (other.ascii[1] & ~ascii[1]) == 0 &&
           (beyond_ascii || !other.beyond_ascii);
  }
  auto operator<=>(const CharClass&) const = default;
};

}  // namespace slm

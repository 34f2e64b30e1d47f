// Sets of bytes, and classes of characters as far as tables of tokens tell them apart.
#pragma once

#include <array>
#include <bit>
#include <bitset>
#include <cstdint>

namespace slm {

using ByteSet = std::bitset<256>;

/// The least byte of a set, or 256.
inline std::size_t first_byte(const ByteSet& bytes) noexcept {
  const ByteSet low(~std::uint64_t{0});
  for (std::size_t at = 0; at < 256; at += 64) {
    std::uint64_t word = (bytes >> at & low).to_ullong();
    if (word != 0) return at + static_cast<std::size_t>(std::countr_zero(word));
  }
  return 256;
}

/// A set of characters by the bytes they start with: ASCII characters one by one, others only all
/// those of a lead byte together.
struct CharClass {
  std::array<std::uint64_t, 3> starts{};  // bytes 0 to 127, then 0xC0 to 0xFF

  bool has(std::uint8_t byte) const noexcept {
    if (byte >= 0x80 && byte < 0xC0) return false;  // never starts a character
    return (starts[word(byte)] >> (byte & 63) & 1) != 0;
  }
  /// A byte that starts a character.
  void add(std::uint8_t byte) noexcept { starts[word(byte)] |= std::uint64_t{1} << (byte & 63); }
  /// Removes the characters that start with one of these bytes.
  void take_out(const ByteSet& bytes) noexcept {
    for (std::size_t b = 0; b < 256; ++b) {
      std::uint8_t byte = static_cast<std::uint8_t>(b);
      if (bytes[b] && has(byte)) starts[word(byte)] &= ~(std::uint64_t{1} << (byte & 63));
    }
  }
  void unite(const CharClass& other) noexcept {
    for (std::size_t w = 0; w < starts.size(); ++w) starts[w] |= other.starts[w];
  }
  void intersect(const CharClass& other) noexcept {
    for (std::size_t w = 0; w < starts.size(); ++w) starts[w] &= other.starts[w];
  }
  std::size_t size() const noexcept {
    std::size_t count = 0;
    for (std::uint64_t bits : starts) {
      count += static_cast<std::size_t>(__builtin_popcountll(bits));
    }
    return count;
  }
  bool empty() const noexcept { return (starts[0] | starts[1] | starts[2]) == 0; }
  bool covers(const CharClass& other) const noexcept {
    return ((other.starts[0] & ~starts[0]) | (other.starts[1] & ~starts[1]) |
            (other.starts[2] & ~starts[2])) == 0;
  }
  auto operator<=>(const CharClass&) const = default;

 private:
  static std::size_t word(std::uint8_t byte) noexcept { return byte < 0x80 ? byte >> 6 : 2; }
};

}  // namespace slm

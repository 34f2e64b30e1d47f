// Code points as bytes, and back.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace slm {

inline void append_utf8(std::string& text, std::uint32_t point) {
  auto put = [&](std::uint32_t byte) { text.push_back(static_cast<char>(byte)); };
  if (point < 0x80) {
    put(point);
  } else if (point < 0x800) {
    put(0xC0 | point >> 6), put(0x80 | (point & 0x3F));
  } else if (point < 0x10000) {
    put(0xE0 | point >> 12), put(0x80 | (point >> 6 & 0x3F)), put(0x80 | (point & 0x3F));
  } else {
    put(0xF0 | point >> 18), put(0x80 | (point >> 12 & 0x3F));
    put(0x80 | (point >> 6 & 0x3F)), put(0x80 | (point & 0x3F));
  }
}

/// How many bytes a character has behind its first.
inline std::size_t bytes_behind(unsigned char first) noexcept {
  return first < 0x80 ? 0 : first < 0xE0 ? 1 : first < 0xF0 ? 2 : 3;
}

/// Calls `visit(point)` for each code point of a text, which is whole and valid.
template <class Visit>
void each_point(std::string_view text, Visit visit) {
  for (std::size_t at = 0; at < text.size();) {
    unsigned char first = static_cast<unsigned char>(text[at]);
    std::size_t more = bytes_behind(first);
    std::uint32_t point = more == 0 ? first : first & (0x3Fu >> more);
    for (std::size_t i = 1; i <= more; ++i) {
      point = point << 6 | (static_cast<unsigned char>(text[at + i]) & 0x3Fu);
    }
    visit(point);
    at += more + 1;
  }
}

}  // namespace slm

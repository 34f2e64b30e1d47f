// Marks: bytes that no UTF-8 text holds, by which rules speak to a memory (memory/memory.h).
//
// In expressions they are code points behind the last of Unicode.
#pragma once

#include <cstdint>

namespace slm {

inline constexpr std::uint8_t kFirstMark = 0xF8;
inline constexpr std::uint32_t kFirstMarkPoint = 0x110000;
inline constexpr std::uint32_t kPoints = kFirstMarkPoint + 8;  // code points and marks

constexpr bool is_mark_byte(std::uint8_t byte) noexcept { return byte >= kFirstMark; }
constexpr bool is_mark_point(std::uint32_t point) noexcept { return point >= kFirstMarkPoint; }
constexpr std::uint8_t mark_byte(std::uint32_t point) noexcept {
  return static_cast<std::uint8_t>(kFirstMark + (point - kFirstMarkPoint));
}
constexpr std::uint32_t mark_point(std::uint8_t byte) noexcept {
  return kFirstMarkPoint + (byte - kFirstMark);
}

}  // namespace slm

#include "core/json_spellings.h"

#include <string_view>

namespace slm {

NodeId JsonSpellings::of(std::span<const std::uint32_t> points) {
  NodeId tail = kEpsilon;
  for (std::size_t at = points.size(); at-- > 0;) {
    tail = pool_.concat(of_character(points[at]), tail);
  }
  return tail;
}

NodeId JsonSpellings::of_character(std::uint32_t point) {
  NodeId& known = point < 128 ? ascii_[point] : others_.try_emplace(point, kUnmade).first->second;
  if (known != kUnmade) return known;
  static constexpr std::string_view kEscaped = "\"\\/\b\f\n\r\t", kShort = "\"\\/bfnrt";
  std::size_t at = point < 128 ? kEscaped.find(static_cast<char>(point)) : kEscaped.npos;
  NodeId escaped = escape(point, at == kEscaped.npos ? '\0' : kShort[at]);
  bool raw = point >= 0x20 && point != '"' && point != '\\';
  if (!raw) return known = escaped;
  return known = pool_.alternate({escaped, pool_.literal({&point, 1})});
}

/// `\u…`, as a pair beyond 16 bits, and the short escape if there is one.
NodeId JsonSpellings::escape(std::uint32_t point, char shorthand) {
  NodeId after;
  if (point < 0x10000) {
    after = unit(point, kEpsilon);
  } else {
    after = unit(0xDC00 + (point & 0x3FF), kEpsilon);
    after = unit(0xD800 + ((point - 0x10000) >> 10), text("\\", after));
  }
  if (shorthand != '\0') {
    const char brief[] = {shorthand, '\0'};
    after = pool_.alternate({after, text(brief, kEpsilon)});
  }
  return text("\\", after);
}

NodeId JsonSpellings::text(const char* characters, NodeId tail) {
  const std::uint32_t point = static_cast<unsigned char>(*characters);
  return *characters == '\0' ? tail : pool_.literal({&point, 1}, text(characters + 1, tail));
}

/// `uXXXX`; letters may have either case.
NodeId JsonSpellings::unit(std::uint32_t unit, NodeId tail) {
  static constexpr char kDigits[] = "0123456789abcdef";
  for (int shift = 0; shift < 16; shift += 4) {
    const std::uint32_t digit = static_cast<unsigned char>(kDigits[unit >> shift & 15]);
    if (digit < 'a') {
      tail = pool_.literal({&digit, 1}, tail);
    } else {
      const std::uint32_t upper = digit - 'a' + 'A';
      tail = pool_.concat(pool_.chars({{upper, upper}, {digit, digit}}), tail);
    }
  }
  return text("u", tail);
}

}  // namespace slm

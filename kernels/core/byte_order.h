// Sorting of texts by their bytes.
#pragma once

#include <algorithm>
#include <bit>
#include <cstdint>
#include <cstring>
#include <string_view>
#include <utility>
#include <vector>

namespace slm {

/// Eight bytes of a text from a place on, as a number that is ordered as they are; zeros behind its
/// end.
inline std::uint64_t eight_bytes(std::string_view text, std::size_t from) noexcept {
  std::uint64_t number = 0;
  if (from + 8 <= text.size()) {
    std::memcpy(&number, text.data() + from, 8);
    return std::endian::native == std::endian::little ? __builtin_bswap64(number) : number;
  }
  for (std::size_t at = from; at < from + 8; ++at) {
    number = number << 8 | (at < text.size() ? static_cast<std::uint8_t>(text[at]) : 0u);
  }
  return number;
}

/// Sorts things by their texts, and those with the same text by themselves.
///
/// By the eight bytes after what all texts begin with, and by the rest only where those are equal.
template <class Thing, class TextOf>
void sort_by_bytes(std::vector<Thing>& things, TextOf text_of) {
  if (things.size() < 2) return;
  const std::string_view first = text_of(things[0]);
  std::size_t common = first.size();
  for (const Thing& thing : things) {
    const std::string_view text = text_of(thing);
    common = std::min(common, text.size());
    if (common == 0) break;
    if (std::memcmp(text.data(), first.data(), common) == 0) continue;
    auto differ = std::mismatch(text.begin(), text.end(), first.begin(), first.end());
    common = static_cast<std::size_t>(differ.first - text.begin());
  }
  std::vector<std::pair<std::uint64_t, Thing>> keyed;
  keyed.reserve(things.size());
  for (const Thing& thing : things) keyed.emplace_back(eight_bytes(text_of(thing), common), thing);
  std::sort(keyed.begin(), keyed.end(), [&](const auto& x, const auto& y) {
    if (x.first != y.first) return x.first < y.first;
    const int compared = text_of(x.second).compare(text_of(y.second));
    return compared != 0 ? compared < 0 : x.second < y.second;
  });
  for (std::size_t i = 0; i < things.size(); ++i) things[i] = keyed[i].second;
}

}  // namespace slm

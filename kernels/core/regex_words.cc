// Unions of many texts as one node: see word_lists.h.
#include <algorithm>

#include "core/marks.h"
#include "core/regex.h"
#include "core/utf8.h"

namespace slm {
namespace {

constexpr std::uint32_t kFew = 8;  // words that are left are written out, as they are elsewhere

/// The code points of a text that begins and ends between characters.
std::vector<std::uint32_t> points_of(std::string_view text) {
  std::vector<std::uint32_t> points;
  each_point(text, [&](std::uint32_t point) { points.push_back(point); });
  return points;
}

bool is_character(std::uint32_t point) noexcept {
  return point < kFirstMarkPoint && (point < 0xD800 || point > 0xDFFF);
}

}  // namespace

NodeId RegexPool::words(std::span<const std::span<const std::uint32_t>> texts) {
  const bool plain =
      std::ranges::all_of(texts, [](auto text) { return std::ranges::all_of(text, is_character); });
  if (!plain || texts.size() < kManyWords) {
    std::vector<NodeId> options;
    for (std::span<const std::uint32_t> text : texts) options.push_back(literal(text));
    return alternate(std::move(options));
  }
  std::vector<std::string> spelt(texts.size());
  for (std::size_t i = 0; i < texts.size(); ++i) {
    for (std::uint32_t point : texts[i]) append_utf8(spelt[i], point);
  }
  return words_of(word_lists_.add(std::move(spelt)));
}

/// What all words begin with is written before them, and few words are a union of texts: then equal
/// languages meet in the same nodes. In the middle of a character nothing can be written.
NodeId RegexPool::words_of(const WordRange& range) {
  if (range.empty()) return kNothing;
  NodeId made = kUndecided;
  WordRange behind = range;
  if (word_lists_.between_characters(range)) {
    if (range.size() <= kFew) {
      std::vector<NodeId> options;
      for (std::uint32_t word = range.low; word < range.high; ++word) {
        options.push_back(literal(points_of(word_lists_.rest(range, word))));
      }
      return alternate(std::move(options));
    }
    behind = word_lists_.after_common(range);
  }
  made = make(Kind::kWords, word_lists_.ends(behind), false, behind.list, behind.low,
              static_cast<std::int32_t>(behind.high), static_cast<std::int32_t>(behind.depth));
  std::string_view common = word_lists_.rest(range, range.low);
  return literal(points_of(common.substr(0, behind.depth - range.depth)), made);
}

WordRange RegexPool::range_of(const Node& words) noexcept {
  return {words.a, words.b, static_cast<std::uint32_t>(words.low),
          static_cast<std::uint32_t>(words.high)};
}

/// The nearest end of a word, and the first of the nearest.
RegexPool::Least RegexPool::least_of_words(const Node& node) const {
  const WordRange range = range_of(node);
  const std::uint32_t word = word_lists_.shortest(range);
  if (word == range.high) return {};
  const std::string_view left = word_lists_.rest(range, word);
  return {left.size(), static_cast<std::uint8_t>(left[0])};
}

bool RegexPool::words_leave(const Node& node, const CharClass& chars) const {
  const WordRange range = range_of(node);
  for (std::uint32_t word = range.low; word < range.high; ++word) {
    const std::string_view left = word_lists_.rest(range, word);
    auto leaves = [&](char byte) {
      auto own = static_cast<std::uint8_t>(byte);
      return (own & 0xC0) != 0x80 && !chars.has(own);
    };
    if (std::ranges::none_of(left, leaves)) return false;
  }
  return true;
}

}  // namespace slm

// Unions of many texts as one node: see word_lists.h.
#include <algorithm>

#include "core/json_spellings.h"
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

/// Whether a character can stand for itself inside of a JSON string.
bool is_plain_in_json(std::uint32_t point) noexcept {
  return is_character(point) && point >= 0x20 && point != '"' && point != '\\';
}

}  // namespace

RegexPool::~RegexPool() = default;

JsonSpellings& RegexPool::spellings() {
  if (!spellings_) spellings_ = std::make_unique<JsonSpellings>(*this);
  return *spellings_;
}

/// A text, or all spellings of it, and then `tail`.
NodeId RegexPool::word(std::span<const std::uint32_t> text, bool spelled, NodeId tail) {
  return spelled ? concat(spellings().of(text), tail) : literal(text, tail);
}

NodeId RegexPool::words(std::span<const std::span<const std::uint32_t>> texts, bool spelled) {
  const auto suits = spelled ? is_plain_in_json : is_character;
  const bool plain =
      std::ranges::all_of(texts, [&](auto text) { return std::ranges::all_of(text, suits); });
  if (!plain || texts.size() < kManyWords) {
    std::vector<NodeId> options;
    for (std::span<const std::uint32_t> text : texts) options.push_back(word(text, spelled));
    return alternate(std::move(options));
  }
  std::string written;
  std::vector<std::size_t> ends;
  ends.reserve(texts.size());
  for (std::span<const std::uint32_t> text : texts) {
    for (std::uint32_t point : text) append_utf8(written, point);
    ends.push_back(written.size());
  }
  std::vector<std::string_view> words;
  words.reserve(texts.size());
  std::size_t begin = 0;
  for (std::size_t end : ends) {
    words.push_back(std::string_view(written).substr(begin, end - begin));
    begin = end;
  }
  return words_of(word_lists_.add(std::move(words), spelled));
}

/// What all words begin with is written before them, and few words are a union of texts: then equal
/// languages meet in the same nodes. In the middle of a character nothing can be written.
NodeId RegexPool::words_of(const WordRange& range) {
  if (range.empty()) return kNothing;
  const bool spelled = word_lists_.is_spelled(range);
  NodeId made = kUndecided;
  WordRange behind = range;
  if (word_lists_.between_characters(range)) {
    if (range.size() <= kFew) {
      std::vector<NodeId> options;
      for (std::uint32_t word = range.low; word < range.high; ++word) {
        options.push_back(this->word(points_of(word_lists_.rest(range, word)), spelled));
      }
      return alternate(std::move(options));
    }
    behind = word_lists_.after_common(range);
  }
  made = make(Kind::kWords, word_lists_.ends(behind), false, behind.list, behind.low,
              static_cast<std::int32_t>(behind.high), static_cast<std::int32_t>(behind.depth));
  std::string_view common = word_lists_.rest(range, range.low);
  return word(points_of(common.substr(0, behind.depth - range.depth)), spelled, made);
}

/// Behind the sign with which an escape begins: that of each character that may be next.
NodeId RegexPool::words_behind_escape(const WordRange& range) {
  if (!word_lists_.is_spelled(range) || !word_lists_.between_characters(range)) return kNothing;
  std::vector<NodeId> options;
  for (std::uint32_t at = range.low + (word_lists_.ends(range) ? 1 : 0); at < range.high;) {
    const std::string_view left = word_lists_.rest(range, at);
    const std::string_view character =
        left.substr(0, 1 + bytes_behind(static_cast<unsigned char>(left[0])));
    WordRange behind{range.list, at, range.high, range.depth};
    for (char byte : character) {
      behind = word_lists_.after(behind, static_cast<std::uint8_t>(byte));
    }
    const NodeId escape = step(spellings().of(points_of(character)), '\\');
    options.push_back(concat(escape, words_of(behind)));
    at = behind.high;
  }
  return alternate(std::move(options));
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

/// Any character may be written as an escape.
bool RegexPool::words_leave(const Node& node, const CharClass& chars) const {
  const WordRange range = range_of(node);
  if (word_lists_.is_spelled(range) && chars.has('\\')) return false;
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

#include "core/word_lists.h"

#include <algorithm>

#include "core/byte_order.h"

namespace slm {
namespace {

constexpr std::string_view kEscapes = "0123456789abcdefABCDEFu/\\";  // bytes of escapes

void add_escapes(ByteSet& bytes) noexcept {
  for (char byte : kEscapes) bytes.set(static_cast<std::uint8_t>(byte));
}

bool continues(char byte) noexcept { return (static_cast<std::uint8_t>(byte) & 0xC0) == 0x80; }

}  // namespace

WordRange WordLists::add(std::vector<std::string_view> words, bool spelled) {
  sort_by_bytes(words, [](std::string_view word) { return word; });
  words.erase(std::unique(words.begin(), words.end()), words.end());
  List list;
  list.spelled = spelled;
  list.starts.reserve(words.size() + 1);
  list.starts.push_back(0);
  for (std::string_view word : words) {
    list.text += word;
    list.starts.push_back(static_cast<std::uint32_t>(list.text.size()));
  }
  const std::size_t hash = std::hash<std::string>()(list.text);
  WordRange all{static_cast<std::uint32_t>(lists_.size()), 0,
                static_cast<std::uint32_t>(words.size()), 0};
  auto [same, end] = by_text_.equal_range(hash);
  same = std::find_if(same, end, [&](const auto& at) { return lists_[at.second] == list; });
  if (same != end) {
    all.list = same->second;
    return all;
  }
  memory_ += list.text.capacity() + list.starts.capacity() * sizeof(std::uint32_t);
  by_text_.emplace(hash, all.list);
  lists_.push_back(std::move(list));
  return all;
}

bool WordLists::between_characters(const WordRange& range) const noexcept {
  const std::string_view last = rest(range, range.high - 1);  // the first may have ended
  return last.empty() || !continues(last[0]);
}

WordRange WordLists::after(const WordRange& range, std::uint8_t byte) const noexcept {
  const std::uint32_t begin = range.low + (ends(range) ? 1 : 0);
  auto bound = [&](std::uint32_t low, auto precedes) {
    std::uint32_t high = range.high;
    while (low < high) {
      const std::uint32_t middle = low + (high - low) / 2;
      if (precedes(static_cast<std::uint8_t>(rest(range, middle)[0]))) {
        low = middle + 1;
      } else {
        high = middle;
      }
    }
    return low;
  };
  const std::uint32_t low = bound(begin, [&](std::uint8_t own) { return own < byte; });
  const std::uint32_t high = bound(low, [&](std::uint8_t own) { return own <= byte; });
  return {range.list, low, high, range.depth + 1};
}

WordRange WordLists::after_common(const WordRange& range) const noexcept {
  const std::string_view first = rest(range, range.low), last = rest(range, range.high - 1);
  auto differs = std::mismatch(first.begin(), first.end(), last.begin(), last.end());
  auto common = static_cast<std::size_t>(differs.first - first.begin());
  while (common > 0 && common < last.size() && continues(last[common])) --common;
  return {range.list, range.low, range.high, range.depth + static_cast<std::uint32_t>(common)};
}

ByteSet WordLists::first_bytes(const WordRange& range) const noexcept {
  ByteSet found;
  for (std::uint32_t at = range.low + (ends(range) ? 1 : 0); at < range.high;) {
    const auto byte = static_cast<std::uint8_t>(rest(range, at)[0]);
    found.set(byte);
    at = after(range, byte).high;
  }
  if (found.any() && is_spelled(range) && between_characters(range)) found.set('\\');
  return found;
}

ByteSet WordLists::bytes(const WordRange& range) const noexcept {
  ByteSet found;
  for (std::uint32_t at = range.low; at < range.high; ++at) {
    for (char byte : rest(range, at)) found.set(static_cast<std::uint8_t>(byte));
  }
  if (is_spelled(range)) add_escapes(found);
  return found;
}

ByteSet WordLists::last_bytes(const WordRange& range) const noexcept {
  ByteSet found;
  for (std::uint32_t at = range.low; at < range.high; ++at) {
    const std::string_view left = rest(range, at);
    if (!left.empty()) found.set(static_cast<std::uint8_t>(left.back()));
  }
  if (is_spelled(range)) add_escapes(found);
  return found;
}

std::uint32_t WordLists::shortest(const WordRange& range) const noexcept {
  std::uint32_t best = range.high;
  for (std::uint32_t at = range.low + (ends(range) ? 1 : 0); at < range.high; ++at) {
    if (best == range.high || rest(range, at).size() < rest(range, best).size()) best = at;
  }
  return best;
}

std::uint32_t WordLists::longest(const WordRange& range) const noexcept {
  std::uint32_t best = range.low;
  for (std::uint32_t at = range.low; at < range.high; ++at) {
    if (rest(range, at).size() > rest(range, best).size()) best = at;
  }
  return best;
}

bool WordLists::is_prefix_code(const WordRange& range) const noexcept {
  for (std::uint32_t at = range.low + 1; at < range.high; ++at) {
    if (rest(range, at).starts_with(rest(range, at - 1))) return false;
  }
  return true;
}

}  // namespace slm

#include "core/labels.h"

#include <algorithm>

namespace slm {
namespace {

// RFC 3492, section 5.
constexpr std::uint64_t kBase = 36, kLeast = 1, kMost = 26, kSkew = 38, kDamp = 700;
constexpr std::uint64_t kFirstBias = 72, kFirstPoint = 0x80;
constexpr std::size_t kPrefix = 4;  // "xn--"

std::size_t digits(std::uint64_t delta, std::uint64_t bias) noexcept {
  for (std::size_t count = 1;; ++count) {
    std::uint64_t k = kBase * count;
    std::uint64_t least = k <= bias ? kLeast : std::clamp(k - bias, kLeast, kMost);
    if (delta < least) return count;
    delta = (delta - least) / (kBase - least);
  }
}

std::uint64_t adapt(std::uint64_t delta, std::uint64_t points, bool first) noexcept {
  delta /= first ? kDamp : 2;
  delta += delta / points;
  std::uint64_t k = 0;
  for (; delta > (kBase - kLeast) * kMost / 2; k += kBase) delta /= kBase - kLeast;
  return k + (kBase - kLeast + 1) * delta / (delta + kSkew);
}

/// A bound on the digits of a number, whatever number of at most as much is written before it:
/// more are never fewer digits, nor make the bias less.
std::size_t most_digits(std::uint64_t delta) noexcept {
  std::size_t most = digits(delta, kFirstBias);
  for (std::uint64_t bias = 0; bias <= adapt(delta, 1, false); ++bias) {
    most = std::max(most, digits(delta, bias));
  }
  return most;
}

/// Between two insertions the text is passed once for each code point between theirs, and in part
/// before and behind those: no more than (points + 2) * letters places.
std::size_t sure_letters(const LabelAlphabet::Set& set) noexcept {
  if (set.empty() || set.back().second < kFirstPoint) return set.empty() ? 0 : kLongestLabel;
  const std::uint64_t reach = set.back().second - kFirstPoint;
  std::uint64_t span = reach;  // from one insertion to the next
  bool ascii = set.front().first < kFirstPoint;
  if (!ascii) span = set.back().second - set.front().first;
  std::size_t sure = 1;
  for (std::size_t letters = 2; letters <= kLongestLabel; ++letters) {
    std::size_t first = most_digits((reach + 2) * letters);
    std::size_t other = most_digits((span + 2) * letters);
    // The bias of a later one may come of the first.
    for (std::uint64_t bias = 0; bias <= adapt((reach + 2) * letters, 1, true); ++bias) {
      other = std::max(other, digits((span + 2) * letters, bias));
    }
    if (kPrefix + (ascii ? 1 : 0) + first + (letters - 1) * other > kLongestLabel) break;
    sure = letters;
  }
  return sure;
}

}  // namespace

std::size_t encoded_length(std::span<const std::uint32_t> label) noexcept {
  std::uint64_t done = 0;
  for (std::uint32_t letter : label) done += letter < kFirstPoint;
  if (done == label.size()) return label.size();
  std::size_t length = kPrefix + done + (done > 0 ? 1 : 0);
  const std::uint64_t basic = done;
  constexpr std::uint32_t kNone = ~std::uint32_t{0};
  std::uint64_t delta = 0, bias = kFirstBias, before = kFirstPoint;
  std::uint32_t point = kNone;
  for (std::uint32_t letter : label) {
    if (letter >= kFirstPoint) point = std::min(point, letter);
  }
  while (point != kNone && length <= kLongestLabel) {
    delta += (point - before) * (done + 1);
    std::uint32_t next = kNone;
    for (std::uint32_t letter : label) {
      if (letter < point) {
        ++delta;
      } else if (letter > point) {
        next = std::min(next, letter);
      } else {
        length += digits(delta, bias);
        bias = adapt(delta, done + 1, done == basic);
        delta = 0;
        ++done;
      }
    }
    ++delta;
    before = std::uint64_t{point} + 1;
    point = next;
  }
  return length;
}

LabelAlphabet::LabelAlphabet(Set set) : set_(std::move(set)), sure_(sure_letters(set_)) {}

bool LabelAlphabet::has(std::uint32_t letter) const noexcept {
  return std::ranges::any_of(
      set_, [&](auto range) { return range.first <= letter && letter <= range.second; });
}

bool LabelAlphabet::read(LabelPlace& place, std::uint8_t byte) const {
  std::uint32_t value = byte, to_come = 0;
  if (place.to_come > 0) {
    // An overlong spelling is no UTF-8: only what begins with no bits at all can become one.
    std::uint8_t least = place.value > 0 || place.to_come == 1 ? 0x80
                         : place.to_come == 2                  ? 0xA0
                                                               : 0x90;
    if (byte < least || byte > 0xBF) return false;
    value = place.value << 6 | (byte & 0x3Fu);
    to_come = place.to_come - 1;
  } else if (byte >= 0x80) {
    if (byte < 0xC2 || byte > 0xF4) return false;
    to_come = byte < 0xE0 ? 1 : byte < 0xF0 ? 2 : 3;
    value = byte & (0x3Fu >> to_come);
  }
  if (to_come == 0) {
    if (!has(value)) return false;
    place.letters.push_back(value);
    if (!fits(place.letters)) {
      place.letters.pop_back();
      return false;
    }
    place.value = place.to_come = 0;
    return true;
  }
  std::swap(place.value, value);
  std::swap(place.to_come, to_come);
  if (!next(place, true).empty()) return true;
  place.value = value;
  place.to_come = to_come;
  return false;
}

LabelAlphabet::Set LabelAlphabet::next(const LabelPlace& place, bool one) const {
  std::uint32_t first = 0, last = 0x10FFFF;
  if (place.to_come > 0) {
    first = place.value << (6 * place.to_come);
    last = first + (1u << (6 * place.to_come)) - 1;
    if (place.value == 0) first = place.to_come == 2 ? 0x800 : 0x10000;  // not overlong
  }
  const bool all_fit = place.letters.size() < sure_;
  std::vector<std::uint32_t> letters = place.letters;
  letters.push_back(0);
  Set found;
  for (auto [from, to] : set_) {
    from = std::max(from, first), to = std::min(to, last);
    if (from > to) continue;
    if (all_fit && !one) {
      found.emplace_back(from, to);
      continue;
    }
    for (std::uint32_t letter = from; letter <= to; ++letter) {
      letters.back() = letter;
      if (!fits(letters)) continue;
      if (!found.empty() && found.back().second + 1 == letter) {
        found.back().second = letter;
      } else {
        found.emplace_back(letter, letter);
      }
      if (one) return found;
    }
  }
  return found;
}

}  // namespace slm

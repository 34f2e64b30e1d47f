#include "core/loops.h"

#include <algorithm>

namespace slm {
namespace {

constexpr std::size_t kDenseLengths = 32;

/// The length of the whole UTF-8 character at the start of `bytes`, or 0 when there is none.
std::size_t character(std::string_view bytes) {
  if (bytes.empty()) return 0;
  auto at = [&](std::size_t i) { return static_cast<std::uint8_t>(bytes[i]); };
  std::uint8_t lead = at(0);
  if (lead < 0x80) return 1;
  std::size_t length = lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : 2;
  if (lead < 0xC2 || lead > 0xF4 || bytes.size() < length) return 0;
  for (std::size_t i = 1; i < length; ++i) {
    if ((at(i) & 0xC0) != 0x80) return 0;
  }
  bool overlong = (lead == 0xE0 && at(1) < 0xA0) || (lead == 0xF0 && at(1) < 0x90);
  bool surrogate = lead == 0xED && at(1) >= 0xA0;
  bool too_large = lead == 0xF4 && at(1) >= 0x90;
  return overlong || surrogate || too_large ? 0 : length;
}

}  // namespace

LoopIndex::LoopIndex(const TokenTrie& trie) : trie_(trie) {
  std::size_t words = (trie.vocabulary() + 31) / 32;
  std::vector<ByteTrie::Entry> pieces;
  for (TokenId token = 0; token < trie.vocabulary(); ++token) {
    std::string_view bytes = trie.bytes_of(token);
    if (bytes.empty()) continue;
    if (character(bytes) == 0) pieces.emplace_back(bytes, token);
    std::uint32_t count = 0;
    Summary summary{{}, token, static_cast<std::uint8_t>(bytes[0]), true};
    for (std::string_view left = bytes; !left.empty(); ++count) {
      std::uint8_t byte = static_cast<std::uint8_t>(left[0]);
      if (byte < 128) {
        summary.chars.add(byte);
      } else {
        summary.chars.beyond_ascii = true;
      }
      std::size_t length = character(left);
      summary.whole = summary.whole && length > 0;
      left.remove_prefix(std::max<std::size_t>(1, length));
    }
    by_length_.emplace_back(count, token);
    summaries_.push_back(summary);
  }
  std::sort(by_length_.rbegin(), by_length_.rend());
  pieces_ = ByteTrie::build(std::move(pieces));
  short_.assign(kDenseLengths + 1, std::vector<std::uint32_t>(words, 0));
  for (auto [count, token] : by_length_) {
    for (std::size_t k = count; k <= kDenseLengths; ++k) {
      short_[k][token >> 5] |= 1u << (token & 31);
    }
  }
}

void LoopIndex::keep_short(std::span<std::uint32_t> mask, std::size_t count) const {
  if (count <= kDenseLengths) {
    for (std::size_t w = 0; w < mask.size(); ++w) mask[w] &= short_[count][w];
    return;
  }
  for (auto [length, token] : by_length_) {
    if (length <= count) break;
    mask[token >> 5] &= ~(1u << (token & 31));
  }
}

const LoopTable* LoopIndex::table(const CharClass& chars, bool counted) {
  std::lock_guard lock(mutex_);
  auto found = tables_.find({chars, counted});
  if (found == tables_.end()) {
    if (tables_.size() >= kMaxTables) return nullptr;
    found = tables_.emplace(std::pair(chars, counted), build(chars, counted)).first;
  }
  return found->second.get();
}

std::unique_ptr<LoopTable> LoopIndex::build(const CharClass& chars, bool counted) const {
  auto table = std::make_unique<LoopTable>();
  table->stay.assign((trie_.vocabulary() + 31) / 32, 0);
  std::vector<ByteTrie::Entry> crossing;
  std::map<std::uint32_t, std::vector<ByteTrie::Entry>> after;
  for (const Summary& summary : summaries_) {
    if (!chars.has(summary.first)) continue;
    bool ascii_fits = (summary.chars.ascii[0] & ~chars.ascii[0]) == 0 &&
                      (summary.chars.ascii[1] & ~chars.ascii[1]) == 0;
    if (ascii_fits && summary.whole && (chars.beyond_ascii || !summary.chars.beyond_ascii)) {
      table->stay[summary.token >> 5] |= 1u << (summary.token & 31);
      continue;
    }
    std::string_view left = trie_.bytes_of(summary.token);
    std::uint32_t passed = 0;
    while (!left.empty() && chars.has(static_cast<std::uint8_t>(left[0]))) {
      std::size_t length = character(left);
      if (length == 0) break;
      left.remove_prefix(length);
      ++passed;
    }
    if (passed == 0) continue;
    (counted ? after[passed] : crossing).emplace_back(left, summary.token);
  }
  table->crossing = ByteTrie::build(std::move(crossing));
  for (auto& [passed, entries] : after) {
    table->crossing_after.emplace_back(passed, ByteTrie::build(std::move(entries)));
  }
  return table;
}

}  // namespace slm

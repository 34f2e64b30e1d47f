#include "core/token_index.h"

#include <algorithm>
#include <array>

namespace slm {
namespace {

/// Characters that classes mostly take or leave together; one mask for each saves many.
constexpr std::array<std::pair<std::uint8_t, std::uint8_t>, 9> kGroups{{{0x00, 0x1F},
                                                                        {' ', '/'},
                                                                        {'0', '9'},
                                                                        {':', '@'},
                                                                        {'A', 'Z'},
                                                                        {'[', '`'},
                                                                        {'a', 'z'},
                                                                        {'{', 0x7F},
                                                                        {0xC2, 0xF4}}};

}  // namespace

std::size_t character_length(std::string_view bytes) noexcept {
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

TokenIndex::TokenIndex(const TokenTrie& trie) : trie_(trie) {
  index_characters();
  index_lengths();
  split_by_length();
}

void TokenIndex::index_characters() {
  std::size_t words = (trie_.vocabulary() + 31) / 32;
  whole_.assign(words, 0);
  with_.assign(256 * words, 0);
  with_any_.assign(kGroups.size() * words, 0);
  characters_.assign(trie_.vocabulary(), 0);
  std::vector<CharClass> held(trie_.vocabulary());
  auto each = [](const CharClass& chars, auto visit) {
    for (std::size_t w = 0; w < chars.starts.size(); ++w) {
      std::size_t first = w < 2 ? 64 * w : 0xC0;
      for (std::uint64_t bits = chars.starts[w]; bits != 0; bits &= bits - 1) {
        visit(first + static_cast<std::size_t>(__builtin_ctzll(bits)));
      }
    }
  };
  for (TokenId token = 0; token < trie_.vocabulary(); ++token) {
    std::string_view left = trie_.bytes_of(token);
    if (left.empty()) continue;
    std::uint32_t count = 0;
    bool whole = true;
    for (; !left.empty(); ++count) {
      std::uint8_t byte = static_cast<std::uint8_t>(left[0]);
      if (byte < 0x80 || byte >= 0xC0) held[token].add(byte);
      std::size_t length = character_length(left);
      whole = whole && length > 0;
      left.remove_prefix(std::max<std::size_t>(1, length));
    }
    characters_[token] = static_cast<std::uint16_t>(std::min<std::uint32_t>(count, 0xFFFF));
    if (!whole) ragged_.push_back(token);
    std::uint32_t bit = 1u << (token & 31);
    if (whole) whole_[token >> 5] |= bit;
    each(held[token], [&](std::size_t b) {
      with_[b * words + (token >> 5)] |= bit;
      ++starts_[b + 1];
    });
  }
  for (std::size_t b = 0; b < 256; ++b) starts_[b + 1] += starts_[b];
  postings_.resize(starts_[256]);
  std::array<std::uint32_t, 257> next = starts_;
  for (TokenId token = 0; token < trie_.vocabulary(); ++token) {
    each(held[token], [&](std::size_t b) { postings_[next[b]++] = token; });
  }
  for (std::size_t g = 0; g < kGroups.size(); ++g) {
    for (std::size_t b = kGroups[g].first; b <= kGroups[g].second; ++b) {
      for (std::size_t w = 0; w < words; ++w) with_any_[g * words + w] |= with_[b * words + w];
    }
  }
}

void TokenIndex::index_lengths() {
  std::size_t words = whole_.size();
  short_.assign((kDenseLengths + 1) * words, 0);
  for (TokenId token = 0; token < trie_.vocabulary(); ++token) {
    if (characters_[token] > kDenseLengths) {
      long_.push_back(token);
    } else if (characters_[token] > 0) {
      short_[characters_[token] * words + (token >> 5)] |= 1u << (token & 31);
    }
  }
  std::stable_sort(long_.begin(), long_.end(),
                   [&](TokenId x, TokenId y) { return characters_[x] > characters_[y]; });
  for (std::size_t at = words; at < short_.size(); ++at) short_[at] |= short_[at - words];
}

/// One in sixty-four is long, if not fewer.
void TokenIndex::split_by_length() {
  std::vector<std::size_t> of_length(trie_.longest() + 1, 0);
  for (TokenId token = 0; token < trie_.vocabulary(); ++token) {
    ++of_length[trie_.bytes_of(token).size()];
  }
  std::size_t longer = 0;
  for (brief_ = trie_.longest(); brief_ > 1; --brief_) {
    longer += of_length[brief_];
    if (longer * 64 > trie_.vocabulary()) break;
  }
  std::vector<ByteTrie::Entry> entries;
  is_long_.assign(whole_.size(), 0);
  for (TokenId token = 0; token < trie_.vocabulary(); ++token) {
    if (trie_.bytes_of(token).size() <= brief_) continue;
    is_long_[token >> 5] |= 1u << (token & 31);
    entries.emplace_back(trie_.bytes_of(token), token);
  }
  long_tokens_ = ByteTrie::build(std::move(entries));
}

void TokenIndex::keep_short(std::span<std::uint32_t> mask, std::size_t count) const {
  if (count <= kDenseLengths) {
    const std::uint32_t* kept = short_.data() + count * mask.size();
    for (std::size_t w = 0; w < mask.size(); ++w) mask[w] &= kept[w];
    return;
  }
  for (TokenId token : long_) {
    if (characters_[token] <= count) break;
    mask[token >> 5] &= ~(1u << (token & 31));
  }
}

std::vector<std::uint32_t> TokenIndex::made_of(const CharClass& chars) const {
  std::size_t words = whole_.size();
  std::vector<std::uint32_t> made = whole_;
  auto leave_out = [&](const std::uint32_t* holders) {
    for (std::size_t w = 0; w < words; ++w) made[w] &= ~holders[w];
  };
  for (std::size_t g = 0; g < kGroups.size(); ++g) {
    auto [first, last] = kGroups[g];
    bool any = false;
    for (std::size_t b = first; b <= last; ++b)
      any = any || chars.has(static_cast<std::uint8_t>(b));
    if (!any) {
      leave_out(with_any_.data() + g * words);
      continue;
    }
    for (std::size_t b = first; b <= last; ++b) {
      if (!chars.has(static_cast<std::uint8_t>(b))) leave_out(with_.data() + b * words);
    }
  }
  return made;
}

}  // namespace slm

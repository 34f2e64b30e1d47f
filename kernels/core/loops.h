// Tables of a vocabulary for states that loop over a class of characters.
//
// Inside a JSON string nearly every token is allowed, and a walk over the trie would visit all of
// it to find that out. Such a state stays what it is under most characters, so tokens fall into
// three kinds: those made of looping characters only ("stay": one precomputed mask), those that
// leave the loop after p >= 1 characters (the remainder decides, and few remainders are distinct),
// and those that leave at once (an ordinary walk). All of it depends on the class of characters
// alone, so the tables are shared by every grammar of a vocabulary.
#pragma once

#include <array>
#include <bitset>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <span>
#include <string_view>
#include <vector>

#include "core/trie.h"

namespace slm {

using ByteSet = std::bitset<256>;

/// Some ASCII characters, and either all others or none of them.
struct CharClass {
  std::array<std::uint64_t, 2> ascii{};
  bool beyond_ascii = false;

  bool has(std::uint8_t byte) const noexcept {
    return byte < 128 ? (ascii[byte >> 6] >> (byte & 63) & 1) != 0 : beyond_ascii;
  }
  void add(std::uint8_t byte) noexcept { ascii[byte >> 6] |= std::uint64_t{1} << (byte & 63); }
  void remove(std::uint8_t byte) noexcept {
    ascii[byte >> 6] &= ~(std::uint64_t{1} << (byte & 63));
  }
  /// Removes the characters that start with one of these bytes.
  void take_out(const ByteSet& bytes) noexcept {
    for (std::size_t b = 0; b < 128; ++b) {
      if (bytes[b]) remove(static_cast<std::uint8_t>(b));
    }
    if ((bytes >> 128).any()) beyond_ascii = false;
  }
  std::size_t ascii_size() const noexcept {
    return static_cast<std::size_t>(__builtin_popcountll(ascii[0]) +
                                    __builtin_popcountll(ascii[1]));
  }
  auto operator<=>(const CharClass&) const = default;
};

/// What one class of characters makes of a vocabulary. Immutable.
struct LoopTable {
  std::vector<std::uint32_t> stay;  // mask: tokens of whole characters of the class
  ByteTrie crossing;                // remainders after one or more characters of the class
  std::vector<std::pair<std::uint32_t, ByteTrie>> crossing_after;  // the same by how many
};

/// The tables of one vocabulary, made when first needed. Safe between threads.
class LoopIndex {
 public:
  explicit LoopIndex(const TokenTrie& trie);

  /// The table of a class, or nullptr when there are too many already. `counted`: with the
  /// remainders by the number of characters before them, instead of all together.
  const LoopTable* table(const CharClass& chars, bool counted);

  /// Tokens that do not begin with a whole character: they are pieces of one.
  const ByteTrie& pieces() const noexcept { return pieces_; }

  /// Keeps of `mask` only tokens of at most `count` characters; meant for stay masks.
  void keep_short(std::span<std::uint32_t> mask, std::size_t count) const;

  static constexpr std::size_t kMaxTables = 256;

 private:
  /// What a token is made of, so that a class sorts most tokens out without reading them.
  struct Summary {
    CharClass chars;  // beyond_ascii: any character beyond it, whole or in pieces
    TokenId token;
    std::uint8_t first;
    bool whole;  // no pieces of characters
  };

  std::unique_ptr<LoopTable> build(const CharClass& chars, bool counted) const;

  const TokenTrie& trie_;
  ByteTrie pieces_;
  std::vector<std::vector<std::uint32_t>> short_;             // [k]: mask, at most k characters
  std::vector<std::pair<std::uint32_t, TokenId>> by_length_;  // (characters, token), longest first
  std::mutex mutex_;
  std::vector<Summary> summaries_;
  std::map<std::pair<CharClass, bool>, std::unique_ptr<LoopTable>> tables_;
};

}  // namespace slm

// Which tokens are made of which characters: what turns a class of characters into a set of tokens
// without reading the tokens one by one.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "core/char_class.h"
#include "core/trie.h"

namespace slm {

/// The length of the whole UTF-8 character at the start of `bytes`, or 0 when there is none.
std::size_t character_length(std::string_view bytes) noexcept;

/// An inverted index of a vocabulary by the bytes that characters start with. Immutable.
///
/// Size: a mask for each of those bytes, and a posting for every distinct one of every token: about
/// 6 MB for 128,000 tokens.
class TokenIndex {
 public:
  explicit TokenIndex(const TokenTrie& trie);

  /// The mask of the tokens that consist of whole characters of a class.
  ///
  /// Cost: a pass over a mask for every start byte that is not in the class, at most.
  std::vector<std::uint32_t> made_of(const CharClass& chars) const;

  /// The tokens that hold a character that starts with a byte, whole or in pieces; ascending.
  std::span<const TokenId> holding(std::uint8_t byte) const noexcept {
    return {postings_.data() + starts_[byte], postings_.data() + starts_[byte + 1u]};
  }
  /// The tokens that hold a piece of a character.
  std::span<const TokenId> ragged() const noexcept { return ragged_; }

  /// How many characters a token has, and pieces of characters; at most 65,535.
  std::uint32_t characters(TokenId token) const noexcept { return characters_[token]; }

  /// Keeps of `mask` only tokens of at most `count` characters.
  void keep_short(std::span<std::uint32_t> mask, std::size_t count) const;

  /// Few tokens are longer than so many bytes.
  std::size_t brief() const noexcept { return brief_; }
  bool is_long(TokenId token) const noexcept {
    return (is_long_[token >> 5] >> (token & 31) & 1) != 0;
  }
  /// The tokens that are.
  const ByteTrie& long_tokens() const noexcept { return long_tokens_; }

  const TokenTrie& trie() const noexcept { return trie_; }
  std::size_t words() const noexcept { return whole_.size(); }

 private:
  void index_characters();
  void index_lengths();
  void split_by_length();

  const TokenTrie& trie_;
  std::vector<std::uint32_t> whole_;  // tokens of whole characters
  std::vector<std::uint32_t, LargePages<std::uint32_t>>
      with_;                             // by byte: the tokens that hold a character it starts
  std::vector<std::uint32_t> with_any_;  // by group of bytes: the tokens that hold any of it
  std::vector<TokenId> postings_;
  std::array<std::uint32_t, 257> starts_{};
  std::vector<TokenId> ragged_;
  std::vector<std::uint16_t> characters_;
  static constexpr std::size_t kDenseLengths = 32;
  std::vector<std::uint32_t> short_;  // by k up to kDenseLengths: tokens of at most k characters
  std::vector<TokenId> long_;         // tokens of more characters than that, longest first
  std::size_t brief_ = 0;
  std::vector<std::uint32_t> is_long_;  // a mask
  ByteTrie long_tokens_;
};

}  // namespace slm

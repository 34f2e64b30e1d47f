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

/// An inverted index of a vocabulary by ASCII characters. Immutable.
///
/// Size: 129 masks and a posting for every distinct character of every token: about 5 MB for 128,000
/// tokens.
class TokenIndex {
 public:
  explicit TokenIndex(const TokenTrie& trie);

  /// The mask of the tokens that consist of whole characters of a class.
  ///
  /// Cost: a pass over a mask for every ASCII character that is not in the class, at most.
  std::vector<std::uint32_t> made_of(const CharClass& chars) const;

  /// The tokens that hold an ASCII character, ascending.
  std::span<const TokenId> holding(std::uint8_t ascii) const noexcept {
    return {postings_.data() + starts_[ascii], postings_.data() + starts_[ascii + 1u]};
  }
  /// The tokens that hold any other character, or a piece of one.
  std::span<const TokenId> beyond_ascii() const noexcept { return wide_; }
  /// The tokens that hold a piece of a character.
  std::span<const TokenId> ragged() const noexcept { return ragged_; }

  /// How many characters a token has, and pieces of characters; at most 65,535.
  std::uint32_t characters(TokenId token) const noexcept { return characters_[token]; }

  /// Keeps of `mask` only tokens of at most `count` characters.
  void keep_short(std::span<std::uint32_t> mask, std::size_t count) const;

  const TokenTrie& trie() const noexcept { return trie_; }
  std::size_t words() const noexcept { return all_.size(); }

 private:
  const TokenTrie& trie_;
  std::vector<std::uint32_t> all_;    // tokens of whole characters
  std::vector<std::uint32_t> ascii_;  // those without any beyond ASCII
  std::vector<std::uint32_t> with_;   // by ASCII character: the tokens that hold it
  std::vector<std::uint32_t> without_groups_;  // by group of characters: tokens that hold any of it
  std::vector<TokenId> postings_;
  std::array<std::uint32_t, 129> starts_{};
  std::vector<TokenId> wide_, ragged_;
  std::vector<std::uint16_t> characters_;
  static constexpr std::size_t kDenseLengths = 32;
  std::vector<std::uint32_t> short_;  // by k up to kDenseLengths: tokens of at most k characters
  std::vector<TokenId> long_;         // tokens of more characters than that, longest first
};

}  // namespace slm

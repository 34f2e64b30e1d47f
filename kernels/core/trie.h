// Byte strings of tokens as a trie whose children lie side by side.
#pragma once

#include <array>
#include <cstdint>
#include <mutex>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/char_class.h"
#include "core/slot_table.h"

namespace slm {

using TokenId = std::uint32_t;

/// A trie of byte strings, each with the tokens it stands for.
///
/// Invariants: node 0 is the root; the children of a node are consecutive and sorted by byte; the
/// tokens of a node, and those of its whole subtree, are ranges of `tokens`.
/// Cost: a state that allows few bytes looks at a line of `bytes`, not at every child's node.
struct ByteTrie {
  struct Node {
    std::uint32_t first_child, last_child;
    std::uint32_t first_token, last_token;  // tokens that end here
    std::uint32_t subtree_last_token;       // tokens that end here or below: from first_token on
  };
  /// The bytes below a node that can start characters.
  struct Below {
    CharClass starts;
    bool whole = false;         // all that ends below is whole characters from this node on
    std::uint32_t longest = 0;  // bytes from here to the farthest token's end
  };
  std::vector<Node, LargePages<Node>> nodes;
  std::vector<std::uint8_t, LargePages<std::uint8_t>>
      bytes;  // by node: the byte that leads to it; the root's is unused
  std::vector<TokenId> tokens;
  std::vector<Below, LargePages<Below>> below;  // by node
  std::size_t longest = 0;

  using Entry = std::pair<std::string_view, TokenId>;
  static ByteTrie build(std::vector<Entry> entries);

  /// What is below some nodes, as one trie: of their children by one of the bytes `first`.
  ///
  /// Cost: linear in the nodes below those.
  ByteTrie below_nodes(std::span<const std::uint32_t> nodes, const ByteSet& first) const;

  /// Whether all below a node is characters of a class.
  bool consists_of(std::uint32_t node, const CharClass& chars) const noexcept {
    return below[node].whole && chars.covers(below[node].starts);
  }

  std::size_t bytes_held() const noexcept {
    return nodes.size() * (sizeof(Node) + sizeof(Below) + 1) + tokens.size() * 4;
  }

 private:
  void summarise();
  bool character_below(std::uint32_t node, const std::vector<std::array<bool, 4>>& after) const;
};

/// The tokens of a vocabulary that write much of a number at once.
struct NumberTokens {
  static constexpr std::size_t kLong = 10;  // digits: with fewer, a number has a million doubles
  std::size_t longest = 0;                  // digits and a point that a token begins with
  std::vector<TokenId> tokens;              // with a long number that has a point in them

  static NumberTokens find(const std::vector<std::string>& tokens);
};

/// The tokens of a vocabulary. Immutable; shared by all its grammars.
class TokenTrie {
 public:
  /// `tokens[id]` are the bytes of a token. Empty ones (special tokens) are in no path.
  explicit TokenTrie(std::vector<std::string> tokens);

  const ByteTrie& trie() const noexcept { return trie_; }
  const std::string& bytes_of(TokenId token) const noexcept { return tokens_[token]; }
  std::size_t vocabulary() const noexcept { return tokens_.size(); }
  std::size_t words() const noexcept { return (tokens_.size() + 31) / 32; }  // of a mask
  std::size_t longest() const noexcept { return trie_.longest; }
  /// Both are found when first asked for: few grammars do.
  const NumberTokens& numbers() const;
  const ByteTrie& with_comma() const;  // the tokens that hold one

 private:
  std::vector<std::string> tokens_;
  ByteTrie trie_;
  mutable std::once_flag numbers_asked_, commas_asked_;
  mutable NumberTokens numbers_;
  mutable ByteTrie with_comma_;
};

}  // namespace slm

// The tokens of a vocabulary as a byte trie in preorder.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace slm {

using TokenId = std::uint32_t;
inline constexpr TokenId kNoToken = 0xFFFFFFFFu;

struct TrieNode {
  std::uint32_t subtree_end;  // index of the first node after this one's subtree
  TokenId token;              // the token that ends here, or kNoToken
  std::uint16_t depth;        // of the root's children: 1
  std::uint8_t byte;
};

/// Immutable; shared by all grammars of a vocabulary.
class TokenTrie {
 public:
  /// `tokens[id]` are the bytes of a token. Empty ones (special tokens) are in no path.
  explicit TokenTrie(std::vector<std::string> tokens);

  const std::vector<TrieNode>& nodes() const noexcept { return nodes_; }
  const std::string& bytes_of(TokenId token) const noexcept { return tokens_[token]; }
  std::size_t vocabulary() const noexcept { return tokens_.size(); }
  std::size_t longest() const noexcept { return longest_; }

  /// The next token with the same bytes, or kNoToken.
  TokenId twin(TokenId token) const noexcept { return twins_[token]; }

 private:
  std::vector<std::string> tokens_;
  std::vector<TrieNode> nodes_;
  std::vector<TokenId> twins_;
  std::size_t longest_ = 0;
};

}  // namespace slm

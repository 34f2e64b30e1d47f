#include "core/trie.h"

#include <algorithm>
#include <numeric>

#include "core/error.h"

namespace slm {

TokenTrie::TokenTrie(std::vector<std::string> tokens) : tokens_(std::move(tokens)) {
  std::vector<TokenId> order;
  order.reserve(tokens_.size());
  for (TokenId id = 0; id < tokens_.size(); ++id) {
    if (tokens_[id].size() > 0xFFFF) throw TooComplex("a token is longer than 65,535 bytes");
    if (!tokens_[id].empty()) order.push_back(id);
    longest_ = std::max(longest_, tokens_[id].size());
  }
  std::sort(order.begin(), order.end(), [&](TokenId x, TokenId y) {
    int compared = tokens_[x].compare(tokens_[y]);
    return compared != 0 ? compared < 0 : x < y;
  });
  twins_.assign(tokens_.size(), kNoToken);
  std::vector<std::uint32_t> path;  // nodes from the root to the last token
  TokenId last = kNoToken;
  auto close = [&](std::size_t depth) {
    for (; path.size() > depth; path.pop_back()) {
      nodes_[path.back()].subtree_end = static_cast<std::uint32_t>(nodes_.size());
    }
  };
  for (TokenId id : order) {
    const std::string& bytes = tokens_[id];
    if (last != kNoToken && tokens_[last] == bytes) {
      twins_[last] = id;
      last = id;
      continue;
    }
    std::size_t shared = 0;
    if (last != kNoToken) {
      const std::string& before = tokens_[last];
      while (shared < before.size() && shared < bytes.size() && before[shared] == bytes[shared]) {
        ++shared;
      }
    }
    close(shared);
    for (std::size_t depth = shared; depth < bytes.size(); ++depth) {
      path.push_back(static_cast<std::uint32_t>(nodes_.size()));
      nodes_.push_back({0, kNoToken, static_cast<std::uint16_t>(depth + 1),
                        static_cast<std::uint8_t>(bytes[depth])});
    }
    nodes_[path.back()].token = id;
    last = id;
  }
  close(0);
}

}  // namespace slm

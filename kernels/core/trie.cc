#include "core/trie.h"

#include <algorithm>

namespace slm {

/// A node's children are placed together, and the groups in the order of a walk, so that a walk
/// goes through memory nearly in order.
ByteTrie ByteTrie::build(std::vector<Entry> entries) {
  ByteTrie trie;
  std::sort(entries.begin(), entries.end());
  for (const Entry& entry : entries) {
    trie.tokens.push_back(entry.second);
    trie.longest = std::max(trie.longest, entry.first.size());
  }
  struct Pending {
    std::uint32_t node, first, last, depth;  // the entries below a node
  };
  std::vector<Pending> stack{{0, 0, static_cast<std::uint32_t>(entries.size()), 0}};
  trie.nodes.emplace_back();
  trie.bytes.push_back(0);
  while (!stack.empty()) {
    auto [node, first, last, depth] = stack.back();
    stack.pop_back();
    std::uint32_t at = first;
    while (at < last && entries[at].first.size() == depth) ++at;
    std::uint32_t child = static_cast<std::uint32_t>(trie.nodes.size());
    trie.nodes[node] = {child, child, first, at, last};
    std::size_t below = stack.size();
    while (at < last) {
      char byte = entries[at].first[depth];
      std::uint32_t begin = at;
      while (at < last && entries[at].first[depth] == byte) ++at;
      stack.push_back({static_cast<std::uint32_t>(trie.nodes.size()), begin, at, depth + 1});
      trie.nodes.emplace_back();
      trie.bytes.push_back(static_cast<std::uint8_t>(byte));
    }
    trie.nodes[node].last_child = static_cast<std::uint32_t>(trie.nodes.size());
    std::reverse(stack.begin() + static_cast<std::ptrdiff_t>(below), stack.end());
  }
  trie.below.resize(trie.nodes.size());
  for (std::size_t node = trie.nodes.size(); node-- > 0;) {  // children stand after their parents
    Below& here = trie.below[node];
    for (std::uint32_t child = trie.nodes[node].first_child; child < trie.nodes[node].last_child;
         ++child) {
      std::uint8_t byte = trie.bytes[child];
      here.ascii[0] |= trie.below[child].ascii[0];
      here.ascii[1] |= trie.below[child].ascii[1];
      here.others = here.others || trie.below[child].others || byte >= 128;
      if (byte < 128) here.ascii[byte >> 6] |= std::uint64_t{1} << (byte & 63);
    }
  }
  return trie;
}

TokenTrie::TokenTrie(std::vector<std::string> tokens) : tokens_(std::move(tokens)) {
  std::vector<ByteTrie::Entry> entries;
  entries.reserve(tokens_.size());
  for (TokenId id = 0; id < tokens_.size(); ++id) {
    if (!tokens_[id].empty()) entries.emplace_back(tokens_[id], id);
  }
  trie_ = ByteTrie::build(std::move(entries));
}

}  // namespace slm

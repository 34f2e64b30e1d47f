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
  trie.summarise();
  return trie;
}

ByteTrie ByteTrie::below_nodes(std::span<const std::uint32_t> roots, const ByteSet& first) const {
  ByteTrie made;
  struct Pending {
    std::uint32_t node;
    std::vector<std::uint32_t> from;  // the nodes here that it stands for
    std::size_t depth;
  };
  std::vector<Pending> stack;
  std::vector<std::pair<std::uint8_t, std::uint32_t>> children;
  auto open = [&](std::uint32_t node, std::span<const std::uint32_t> from, std::size_t depth) {
    children.clear();
    for (std::uint32_t each : from) {
      for (std::uint32_t at = nodes[each].first_child; at < nodes[each].last_child; ++at) {
        if (depth > 0 || first[bytes[at]]) children.emplace_back(bytes[at], at);
      }
    }
    std::sort(children.begin(), children.end());
    made.nodes[node].first_child = static_cast<std::uint32_t>(made.nodes.size());
    const std::size_t below = stack.size();
    for (std::size_t i = 0; i < children.size();) {
      const std::uint8_t byte = children[i].first;
      stack.push_back({static_cast<std::uint32_t>(made.nodes.size()), {}, depth + 1});
      for (; i < children.size() && children[i].first == byte; ++i) {
        stack.back().from.push_back(children[i].second);
      }
      made.nodes.emplace_back();
      made.bytes.push_back(byte);
    }
    made.nodes[node].last_child = static_cast<std::uint32_t>(made.nodes.size());
    std::reverse(stack.begin() + static_cast<std::ptrdiff_t>(below), stack.end());
  };
  made.nodes.emplace_back();
  made.bytes.push_back(0);
  open(0, roots, 0);
  while (!stack.empty()) {
    const Pending next = std::move(stack.back());
    stack.pop_back();
    Node& node = made.nodes[next.node];
    node.first_token = static_cast<std::uint32_t>(made.tokens.size());
    for (std::uint32_t each : next.from) {
      made.tokens.insert(made.tokens.end(), tokens.begin() + nodes[each].first_token,
                         tokens.begin() + nodes[each].last_token);
    }
    node.last_token = static_cast<std::uint32_t>(made.tokens.size());
    made.longest = std::max(made.longest, next.depth);
    open(next.node, next.from, next.depth);
  }
  for (std::size_t at = made.nodes.size(); at-- > 0;) {
    Node& node = made.nodes[at];
    bool leaf = node.first_child == node.last_child;
    node.subtree_last_token =
        leaf ? node.last_token : made.nodes[node.last_child - 1].subtree_last_token;
  }
  made.summarise();
  return made;
}

/// From the last node to the first, since children stand after their parents. For each node and k,
/// whether all below is k continuation bytes and then whole characters.
void ByteTrie::summarise() {
  below.resize(nodes.size());
  std::vector<std::array<bool, 4>> after(nodes.size());
  for (std::uint32_t node = static_cast<std::uint32_t>(nodes.size()); node-- > 0;) {
    Below& here = below[node];
    std::array<bool, 4>& holds = after[node];
    bool ends = nodes[node].first_token != nodes[node].last_token;
    holds = {true, !ends, !ends, !ends};
    for (std::uint32_t child = nodes[node].first_child; child < nodes[node].last_child; ++child) {
      std::uint8_t byte = bytes[child];
      const Below& below_child = below[child];
      here.starts.unite(below_child.starts);
      here.longest = std::max(here.longest, below_child.longest + 1);
      if (byte < 0x80 || byte >= 0xC0) here.starts.add(byte);
      bool tail = (byte & 0xC0) == 0x80;
      for (std::size_t k = 1; k < 4; ++k) holds[k] = holds[k] && tail && after[child][k - 1];
      holds[0] = holds[0] && character_below(child, after);
    }
    here.whole = holds[0];
  }
}

/// Whether all that goes through a node is one character that begins with its byte, then whole
/// ones.
bool ByteTrie::character_below(std::uint32_t node,
                               const std::vector<std::array<bool, 4>>& after) const {
  std::uint8_t lead = bytes[node];
  if (lead < 0x80) return after[node][0];
  if (lead < 0xC2 || lead > 0xF4) return false;
  std::uint8_t low = lead == 0xE0 ? 0xA0 : lead == 0xF0 ? 0x90 : 0x80;
  std::uint8_t high = lead == 0xED ? 0x9F : lead == 0xF4 ? 0x8F : 0xBF;
  for (std::uint32_t child = nodes[node].first_child; child < nodes[node].last_child; ++child) {
    if (bytes[child] < low || bytes[child] > high) return false;
  }
  return after[node][lead < 0xE0 ? 1 : lead < 0xF0 ? 2 : 3];
}

TokenTrie::TokenTrie(std::vector<std::string> tokens) : tokens_(std::move(tokens)) {
  std::vector<ByteTrie::Entry> entries;
  entries.reserve(tokens_.size());
  for (TokenId id = 0; id < tokens_.size(); ++id) {
    if (!tokens_[id].empty()) entries.emplace_back(tokens_[id], id);
  }
  trie_ = ByteTrie::build(std::move(entries));
}

const NumberTokens& TokenTrie::numbers() const {
  std::call_once(numbers_asked_, [&] { numbers_ = NumberTokens::find(tokens_); });
  return numbers_;
}

const ByteTrie& TokenTrie::with_comma() const {
  std::call_once(commas_asked_, [&] {
    std::vector<ByteTrie::Entry> entries;
    for (TokenId id = 0; id < tokens_.size(); ++id) {
      if (tokens_[id].find(',') != std::string::npos) entries.emplace_back(tokens_[id], id);
    }
    with_comma_ = ByteTrie::build(std::move(entries));
  });
  return with_comma_;
}

NumberTokens NumberTokens::find(const std::vector<std::string>& tokens) {
  auto of_number = [](char c) { return (c >= '0' && c <= '9') || c == '.'; };
  NumberTokens found;
  for (TokenId token = 0; token < tokens.size(); ++token) {
    const std::string& bytes = tokens[token];
    // A number has one point: vocabularies have long rows of them.
    std::size_t points = 0, leading = 0;
    for (; leading < bytes.size() && of_number(bytes[leading]); ++leading) {
      if (bytes[leading] == '.' && ++points > 1) break;
    }
    found.longest = std::max(found.longest, leading);
    for (std::size_t at = 0; at < bytes.size();) {
      std::size_t end = at;
      while (end < bytes.size() && of_number(bytes[end])) ++end;
      if (end >= at + kLong && bytes.find('.', at) < end) {
        found.tokens.push_back(token);
        break;
      }
      at = end + 1;
    }
  }
  return found;
}

}  // namespace slm

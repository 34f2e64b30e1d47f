// A walk over the tokens of a trie that knows the bytes it came by.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "core/char_class.h"
#include "core/trie.h"

namespace slm {

/// A node of the walk. `stays`: characters that change nothing, if they come in at most so many
/// bytes; what is below them is not visited.
struct TriePlace {
  std::uint32_t next = 0, last = 0;
  CharClass stays{};
  std::uint32_t most = ~std::uint32_t{0};
};

/// Depth first from `root`, the place of the trie's first node. `enter(place, node, path)` is asked
/// for each child of a place, and gives the child's own place if its children are to be visited.
/// `never`: bytes that are not followed. `Place` is a TriePlace with more.
///
/// Cost: O(nodes visited), and what `enter` takes.
template <class Place, class Enter>
void walk_paths(const ByteTrie& trie, const ByteSet& never, Place root, Enter enter) {
  auto over = [&](Place place, std::uint32_t node) {
    place.next = trie.nodes[node].first_child;
    place.last = trie.nodes[node].last_child;
    return place;
  };
  std::vector<Place> stack{over(std::move(root), 0)};
  std::string path;
  while (!stack.empty()) {
    Place& place = stack.back();
    if (place.next == place.last) {
      stack.pop_back();
      if (!path.empty()) path.pop_back();
      continue;
    }
    std::uint32_t node = place.next++;
    std::uint8_t byte = trie.bytes[node];
    if (never[byte]) continue;
    const ByteTrie::Below& after = trie.below[node];
    if (place.stays.has(byte) && after.longest < place.most && place.stays.covers(after.starts)) {
      continue;
    }
    path.push_back(static_cast<char>(byte));
    std::optional<Place> below = enter(place, node, path);
    if (below && trie.nodes[node].first_child != trie.nodes[node].last_child) {
      stack.push_back(over(std::move(*below), node));
    } else {
      path.pop_back();
    }
  }
}

}  // namespace slm

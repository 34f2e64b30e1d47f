#include "core/forced.h"

#include <algorithm>

namespace slm {
namespace {

constexpr std::uint32_t kNoNode = 0xFFFFFFFFu;

/// The only byte that keeps a state alive: -1 for none, -2 for several.
int only_byte(Recogniser& recogniser, StateId state, StateId& after) {
  const ByteSet follows = recogniser.first_bytes(state);
  int only = -1;
  for (int byte = 0; byte < 256; ++byte) {
    if (!follows[static_cast<std::size_t>(byte)]) continue;
    StateId next = recogniser.step(state, static_cast<std::uint8_t>(byte));
    if (next == kDead) continue;
    if (only >= 0) return -2;
    only = byte;
    after = next;
  }
  return only;
}

std::uint32_t child_of(const ByteTrie& trie, std::uint32_t node, std::uint8_t byte) {
  const ByteTrie::Node& parent = trie.nodes[node];
  auto first = trie.bytes.begin() + parent.first_child;
  auto last = trie.bytes.begin() + parent.last_child;
  auto found = std::lower_bound(first, last, byte);
  if (found == last || *found != byte) return kNoNode;
  return static_cast<std::uint32_t>(found - trie.bytes.begin());
}

struct Found {
  std::uint32_t node;
  StateId after;
  std::size_t depth;  // bytes from where the search began
};

/// Nodes with tokens strictly below `node` that are viable from `state`, `most` at the most.
///
/// Cost: what is below a dead byte is not visited, and above every token found only its path.
std::vector<Found> viable_below(Recogniser& recogniser, const ByteTrie& trie, std::uint32_t node,
                                StateId state, std::size_t most) {
  struct Frame {
    std::uint32_t next, last;
    StateId state;
  };
  std::vector<Found> found;
  std::vector<Frame> stack{{trie.nodes[node].first_child, trie.nodes[node].last_child, state}};
  while (!stack.empty() && found.size() < most) {
    Frame& frame = stack.back();
    const ByteSet& follows = recogniser.first_bytes(frame.state);
    while (frame.next < frame.last && !follows[trie.bytes[frame.next]]) ++frame.next;
    if (frame.next == frame.last) {
      stack.pop_back();
      continue;
    }
    std::uint32_t at = frame.next++;
    StateId after = recogniser.step(frame.state, trie.bytes[at]);
    if (after == kDead) continue;
    const ByteTrie::Node& child = trie.nodes[at];
    if (child.first_token != child.last_token) found.push_back({at, after, stack.size()});
    if (child.first_child != child.last_child) {
      stack.push_back({child.first_child, child.last_child, after});
    }
  }
  return found;
}

}  // namespace

LookAhead look_ahead(Recogniser& recogniser, const ByteTrie& trie, StateId state, std::size_t limit,
                     std::size_t kinds) {
  LookAhead ahead;
  for (;;) {
    StateId after = kDead;
    int only = only_byte(recogniser, state, after);
    if (recogniser.can_end(state)) {
      ahead.ends = only == -1;
      break;
    }
    if (only < 0 || ahead.bytes.size() >= limit) break;
    ahead.bytes.push_back(static_cast<char>(only));
    state = after;
  }
  if (ahead.ends) return ahead;
  std::size_t size = ahead.bytes.size();
  std::size_t first = size - std::min(size, trie.longest);
  for (std::size_t at = first; at < size; ++at) {
    std::uint32_t node = 0;
    for (std::size_t i = at; i < size && node != kNoNode; ++i) {
      node = child_of(trie, node, static_cast<std::uint8_t>(ahead.bytes[i]));
    }
    if (node == kNoNode) continue;
    std::vector<Found> found = viable_below(recogniser, trie, node, state, kinds + 1);
    if (found.empty()) continue;
    Straddle straddle{static_cast<std::uint32_t>(at), {}, found.size() > kinds};
    found.resize(std::min(found.size(), kinds));
    for (const Found& one : found) {
      straddle.tokens.push_back(trie.tokens[trie.nodes[one.node].first_token]);
    }
    ahead.straddles.push_back(std::move(straddle));
  }
  return ahead;
}

OnlyTokens only_tokens(Recogniser& recogniser, const ByteTrie& trie, StateId state,
                       std::size_t limit) {
  OnlyTokens only;
  for (std::size_t bytes = 0;;) {
    if (recogniser.can_end(state)) {
      StateId after = kDead;
      only.ends = only_byte(recogniser, state, after) == -1;
      return only;
    }
    std::vector<Found> found = viable_below(recogniser, trie, 0, state, 2);
    if (found.size() != 1) return only;
    bytes += found[0].depth;
    if (bytes > limit) return only;
    const ByteTrie::Node& node = trie.nodes[found[0].node];
    if (node.last_token - node.first_token != 1) return only;  // two ids with the same bytes
    only.tokens.push_back(trie.tokens[node.first_token]);
    state = found[0].after;
  }
}

}  // namespace slm

#include "core/masks.h"

#include <algorithm>

namespace slm {

void walk_trie(const TokenTrie& trie, Recogniser& recogniser, StateId state,
               std::span<std::uint32_t> mask) {
  const std::vector<TrieNode>& nodes = trie.nodes();
  // The state before each depth's byte, and its memoised transitions.
  std::vector<StateId> states(trie.longest() + 1, kDead);
  std::vector<const StateId*> rows(trie.longest() + 1, nullptr);
  states[0] = state;
  rows[0] = recogniser.row(state);
  for (std::size_t i = 0; i < nodes.size();) {
    const TrieNode& node = nodes[i];
    std::size_t before = node.depth - 1u;
    StateId next = rows[before][node.byte];
    if (next == Recogniser::kUnknownState) next = recogniser.step(states[before], node.byte);
    if (next == kDead) {
      i = node.subtree_end;
      continue;
    }
    for (TokenId token = node.token; token != kNoToken; token = trie.twin(token)) {
      mask[token >> 5] |= 1u << (token & 31);
    }
    if (++i < node.subtree_end) {
      states[node.depth] = next;
      rows[node.depth] = recogniser.row(next);
    }
  }
}

MaskMemo::MaskMemo(const TokenTrie& trie, Recogniser& recogniser, std::size_t max_bytes)
    : trie_(trie),
      recogniser_(recogniser),
      words_((trie.vocabulary() + 31) / 32),
      max_masks_(std::max<std::size_t>(1, max_bytes / (words_ * 4 + 1))) {}

std::span<const std::uint32_t> MaskMemo::mask(StateId state) {
  auto found = by_state_.find(state);
  if (found == by_state_.end()) {
    StateId same = recogniser_.canonical(state, static_cast<std::int32_t>(trie_.longest()));
    auto shared = by_state_.find(same);
    if (shared == by_state_.end()) {
      ++misses_;
      if (masks_.size() / words_ >= max_masks_) {  // start over: simple, and rare
        masks_.clear();
        by_state_.clear();
      }
      std::uint32_t slot = static_cast<std::uint32_t>(masks_.size() / words_);
      masks_.resize(masks_.size() + words_, 0);
      walk_trie(trie_, recogniser_, same, {masks_.data() + slot * words_, words_});
      shared = by_state_.emplace(same, slot).first;
    } else {
      ++hits_;
    }
    found = by_state_.emplace(state, shared->second).first;
  } else {
    ++hits_;
  }
  return {masks_.data() + std::size_t{found->second} * words_, words_};
}

}  // namespace slm

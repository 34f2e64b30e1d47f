#include "core/masks.h"

#include <algorithm>

namespace slm {
namespace {

/// A path of states along a preorder walk, one for each depth.
class Path {
 public:
  Path(Recogniser& recogniser, StateId state, std::size_t longest)
      : recogniser_(recogniser), states_(longest + 1, kDead) {
    states_[0] = state;
  }
  StateId after(std::size_t depth, std::uint8_t byte) {
    return recogniser_.step(states_[depth], byte);
  }
  void put(std::size_t depth, StateId state) { states_[depth] = state; }

 private:
  Recogniser& recogniser_;
  std::vector<StateId> states_;
};

/// Walks nodes [first, last), whose depths start at 1, from the path's depth 0.
void walk_nodes(const TokenTrie& trie, Path& path, std::size_t first, std::size_t last, Mask mask) {
  const std::vector<TrieNode>& nodes = trie.nodes();
  for (std::size_t i = first; i < last;) {
    const TrieNode& node = nodes[i];
    StateId next = path.after(node.depth - 1u, node.byte);
    if (next == kDead) {
      i = node.subtree_end;
      continue;
    }
    for (TokenId token = node.token; token != kNoToken; token = trie.twin(token)) {
      set_bit(mask, token);
    }
    if (++i < node.subtree_end) path.put(node.depth, next);
  }
}

}  // namespace

void walk_trie(const TokenTrie& trie, Recogniser& recogniser, StateId state, Mask mask) {
  Path path(recogniser, state, trie.longest());
  walk_nodes(trie, path, 0, trie.nodes().size(), mask);
}

MaskMemo::MaskMemo(VocabularyTables& tables, Recogniser& recogniser, std::size_t max_bytes)
    : tables_(tables),
      recogniser_(recogniser),
      words_((tables.trie.vocabulary() + 31) / 32),
      max_masks_(std::max<std::size_t>(1, max_bytes / (words_ * 4 + 1))) {}

std::span<const std::uint32_t> MaskMemo::mask(StateId state) {
  auto found = by_state_.find(state);
  if (found == by_state_.end()) {
    StateId same = recogniser_.canonical(state, static_cast<std::int32_t>(tables_.trie.longest()));
    auto shared = by_state_.find(same);
    if (shared == by_state_.end()) {
      ++misses_;
      std::vector<std::uint32_t> made(words_, 0);
      make(same, made);
      if (masks_.size() / words_ >= max_masks_) {  // start over: simple, and rare
        masks_.clear();
        by_state_.clear();
      }
      std::uint32_t slot = static_cast<std::uint32_t>(masks_.size() / words_);
      masks_.insert(masks_.end(), made.begin(), made.end());
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

void MaskMemo::add(StateId state, Mask mask) {
  std::span<const std::uint32_t> more = this->mask(state);
  for (std::size_t w = 0; w < words_; ++w) mask[w] |= more[w];
}

void MaskMemo::make(StateId state, Mask mask) {
  std::vector<Part> parts = recogniser_.parts(state);
  for (const Part& part : parts) {
    if (part.state != state && by_state_.contains(part.state)) {
      add(part.state, mask);
    } else if (part.kind == Part::Kind::kLoop) {
      make_loop(part, mask);
    } else if (part.kind == Part::Kind::kDifference) {
      make_difference(part, mask);
    } else {
      walk_trie(tables_.trie, recogniser_, part.state, mask);
    }
  }
}

void MaskMemo::make_loop(const Part& part, Mask mask) {
  const LoopTable* table = tables_.loops.table(part.loop);
  if (table == nullptr) {
    walk_trie(tables_.trie, recogniser_, part.state, mask);
    return;
  }
  // Tokens that stay in the loop.
  std::size_t longest = tables_.trie.longest();
  bool bounded = part.most >= 0 && static_cast<std::size_t>(part.most) < longest;
  if (!bounded) {
    for (std::size_t w = 0; w < words_; ++w) mask[w] |= table->stay[w];
  } else {
    std::vector<std::uint32_t> stay = table->stay;
    tables_.loops.keep_short(stay, static_cast<std::size_t>(part.most));
    for (std::size_t w = 0; w < words_; ++w) mask[w] |= stay[w];
  }
  // Tokens that begin with another character, or with a piece of one.
  walk_subtrees(part.loop, part.state, mask);
  // Tokens that leave after one character or more. All characters of the class act alike.
  std::uint8_t any = 0;
  while (!part.loop.has(any)) ++any;
  StateId once = recogniser_.step(part.state, any);
  if (recogniser_.step(once, any) == once) {
    walk_remainders(table->crossing, once, mask);
    return;
  }
  StateId after = part.state;
  std::uint32_t passed = 0;
  for (const auto& [count, remainders] : table->crossing_after) {
    while (passed < count && after != kDead) after = recogniser_.step(after, any), ++passed;
    if (after == kDead) break;
    walk_remainders(remainders, after, mask);
  }
}

void MaskMemo::walk_subtrees(const CharClass& without, StateId state, Mask mask) {
  const std::vector<TrieNode>& nodes = tables_.trie.nodes();
  Path path(recogniser_, state, tables_.trie.longest());
  for (std::size_t i = 0; i < nodes.size(); i = nodes[i].subtree_end) {
    if (!without.has(nodes[i].byte)) {
      walk_nodes(tables_.trie, path, i, nodes[i].subtree_end, mask);
    }
  }
  if (without.beyond_ascii) walk_remainders(tables_.loops.pieces(), state, mask);
}

void MaskMemo::walk_remainders(const RemainderTrie& remainders, StateId state, Mask mask) {
  Path path(recogniser_, state, remainders.longest);
  for (std::size_t i = 0; i < remainders.nodes.size();) {
    const RemainderTrie::Node& node = remainders.nodes[i];
    StateId next = path.after(node.depth - 1u, node.byte);
    if (next == kDead) {
      i = node.subtree_end;
      continue;
    }
    for (std::uint32_t t = node.first_token; t < node.last_token; ++t) {
      set_bit(mask, remainders.tokens[t]);
    }
    if (++i < node.subtree_end) path.put(node.depth, next);
  }
}

/// The base's mask, corrected on the paths where the state has not yet become the base's state.
void MaskMemo::make_difference(const Part& part, Mask mask) {
  std::vector<std::uint32_t> made(words_, 0);
  add(part.base, made);
  const TokenTrie& trie = tables_.trie;
  const std::vector<TrieNode>& nodes = trie.nodes();
  Path exact(recogniser_, part.state, trie.longest());
  Path base(recogniser_, part.base, trie.longest());
  for (std::size_t i = 0; i < nodes.size();) {
    const TrieNode& node = nodes[i];
    StateId here = exact.after(node.depth - 1u, node.byte);
    StateId there = base.after(node.depth - 1u, node.byte);
    if (here == there) {
      i = node.subtree_end;
      continue;
    }
    std::size_t end = here == kDead ? node.subtree_end : i + 1;
    for (; i < end; ++i) {
      for (TokenId token = nodes[i].token; token != kNoToken; token = trie.twin(token)) {
        if (here == kDead) {
          clear_bit(made, token);
        } else {
          set_bit(made, token);
        }
      }
    }
    if (here != kDead && i < node.subtree_end) {
      exact.put(node.depth, here);
      base.put(node.depth, there);
    }
  }
  for (std::size_t w = 0; w < words_; ++w) mask[w] |= made[w];
}

}  // namespace slm

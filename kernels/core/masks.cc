#include "core/masks.h"

#include <algorithm>

namespace slm {
namespace {

/// Nodes that are still to be visited, and the state before their bytes.
struct Frame {
  std::uint32_t next, last;
  StateId state;
};

/// Walks the nodes [first, last) and all below them.
void walk_nodes(const ByteTrie& trie, Recogniser& recogniser, Frame from, Mask mask) {
  std::vector<Frame> stack{from};
  while (!stack.empty()) {
    Frame& frame = stack.back();
    const ByteSet& follows = recogniser.first_bytes(frame.state);
    while (frame.next < frame.last && !follows[trie.bytes[frame.next]]) ++frame.next;
    if (frame.next == frame.last) {
      stack.pop_back();
      continue;
    }
    std::uint32_t at = frame.next++;
    StateId state = recogniser.step(frame.state, trie.bytes[at]);
    if (state == kDead) continue;
    const ByteTrie::Node& node = trie.nodes[at];
    for (std::uint32_t t = node.first_token; t < node.last_token; ++t) {
      set_bit(mask, trie.tokens[t]);
    }
    if (node.first_child != node.last_child) {
      stack.push_back({node.first_child, node.last_child, state});
    }
  }
}

}  // namespace

void walk_trie(const ByteTrie& trie, Recogniser& recogniser, StateId state, Mask mask) {
  walk_nodes(trie, recogniser, {trie.nodes[0].first_child, trie.nodes[0].last_child, state}, mask);
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
      walk_trie(tables_.trie.trie(), recogniser_, part.state, mask);
    }
  }
}

void MaskMemo::make_loop(const Part& part, Mask mask) {
  // All characters of the class act alike, so any one of them stands for them.
  std::uint8_t any = 0;
  while (!part.loop.has(any)) ++any;
  StateId once = recogniser_.step(part.state, any);
  bool counted = recogniser_.step(once, any) != once;
  const LoopTable* table = tables_.loops.table(part.loop, counted);
  if (table == nullptr) {
    walk_trie(tables_.trie.trie(), recogniser_, part.state, mask);
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
  walk_without(part.loop, part.state, mask);
  // Tokens that leave after one character or more.
  if (!counted) {
    walk_trie(table->crossing, recogniser_, once, mask);
    return;
  }
  StateId after = part.state;
  std::uint32_t passed = 0;
  for (const auto& [count, remainders] : table->crossing_after) {
    while (passed < count && after != kDead) after = recogniser_.step(after, any), ++passed;
    if (after == kDead) break;
    walk_trie(remainders, recogniser_, after, mask);
  }
}

/// Tokens that do not begin with a character of the class.
void MaskMemo::walk_without(const CharClass& chars, StateId state, Mask mask) {
  const ByteTrie& trie = tables_.trie.trie();
  const ByteTrie::Node& root = trie.nodes[0];
  for (std::uint32_t child = root.first_child; child < root.last_child; ++child) {
    if (!chars.has(trie.bytes[child]))
      walk_nodes(trie, recogniser_, {child, child + 1, state}, mask);
  }
  if (chars.beyond_ascii) walk_trie(tables_.loops.pieces(), recogniser_, state, mask);
}

/// The base's mask, corrected on the paths where the state has not yet become the base's state.
void MaskMemo::make_difference(const Part& part, Mask mask) {
  std::vector<std::uint32_t> made(words_, 0);
  add(part.base, made);
  const ByteTrie& trie = tables_.trie.trie();
  struct Pair {
    std::uint32_t next, last;
    StateId exact, base;
    ByteSet differ;
  };
  auto pair_of = [&](const ByteTrie::Node& node, StateId exact, StateId base) {
    return Pair{node.first_child, node.last_child, exact, base,
                recogniser_.may_differ(exact, base)};
  };
  std::vector<Pair> stack{pair_of(trie.nodes[0], part.state, part.base)};
  while (!stack.empty()) {
    Pair& pair = stack.back();
    while (pair.next < pair.last && !pair.differ[trie.bytes[pair.next]]) ++pair.next;
    if (pair.next == pair.last) {
      stack.pop_back();
      continue;
    }
    std::uint32_t at = pair.next++;
    StateId exact = recogniser_.step(pair.exact, trie.bytes[at]);
    StateId base = recogniser_.step(pair.base, trie.bytes[at]);
    if (exact == base) continue;
    const ByteTrie::Node& node = trie.nodes[at];
    if (exact == kDead) {
      for (std::uint32_t t = node.first_token; t < node.subtree_last_token; ++t) {
        clear_bit(made, trie.tokens[t]);
      }
      continue;
    }
    for (std::uint32_t t = node.first_token; t < node.last_token; ++t) {
      set_bit(made, trie.tokens[t]);
    }
    if (node.first_child != node.last_child) {
      stack.push_back(pair_of(node, exact, base));
    }
  }
  for (std::size_t w = 0; w < words_; ++w) mask[w] |= made[w];
}

}  // namespace slm

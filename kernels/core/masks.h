// From a state of a recogniser to the set of tokens it allows.
#pragma once

#include <cstdint>
#include <span>
#include <unordered_map>
#include <vector>

#include "core/loops.h"
#include "core/phases.h"
#include "core/recogniser.h"
#include "core/trie.h"

namespace slm {

using Mask = std::span<std::uint32_t>;

inline void set_bit(Mask mask, TokenId token) noexcept { mask[token >> 5] |= 1u << (token & 31); }
inline void clear_bit(Mask mask, TokenId token) noexcept {
  mask[token >> 5] &= ~(1u << (token & 31));
}

/// Sets the bit of every token whose bytes keep `recogniser` alive from `state`; leaves other bits
/// alone. Token t is bit t % 32 of word t / 32. This defines what a mask is; all else is faster.
///
/// Cost: O(nodes visited); what is below a rejected byte is not visited.
void walk_trie(const ByteTrie& trie, Recogniser& recogniser, StateId state, Mask mask);

/// What a vocabulary brings to every grammar. Shared, safe between threads.
struct VocabularyTables {
  explicit VocabularyTables(std::vector<std::string> tokens)
      : trie(std::move(tokens)), loops(trie), phases(trie) {}
  TokenTrie trie;
  LoopIndex loops;
  TokenPhases phases;
};

/// Makes masks and remembers them, within a memory bound.
///
/// Invariant: `mask(s)` has exactly the bits `walk_trie` sets from s. States that no token can tell
/// apart (`Recogniser::canonical`) share one, and so do equal parts of different states.
class MaskMemo {
 public:
  MaskMemo(VocabularyTables& tables, Recogniser& recogniser, std::size_t max_bytes);

  /// Valid until the next call.
  std::span<const std::uint32_t> mask(StateId state);

  /// Whether `mask(state)` is a look-up.
  bool knows(StateId state) const { return by_state_.contains(state); }

  std::uint64_t hits() const noexcept { return hits_; }
  std::uint64_t misses() const noexcept { return misses_; }
  std::size_t bytes() const noexcept { return masks_.size() * 4 + by_state_.size() * 40; }

 private:
  using Part = Recogniser::Part;

  void make(StateId state, Mask mask);
  void make_loop(const Part& part, Mask mask);
  void make_difference(const Part& part, Mask mask);
  void walk_without(const CharClass& chars, StateId state, Mask mask);
  void add(StateId state, Mask mask);

  VocabularyTables& tables_;
  Recogniser& recogniser_;
  std::size_t words_;
  std::size_t max_masks_;
  std::vector<std::uint32_t> masks_;
  std::unordered_map<StateId, std::uint32_t> by_state_;
  std::uint64_t hits_ = 0, misses_ = 0;
};

}  // namespace slm

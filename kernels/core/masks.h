// From a state of a recogniser to the set of tokens it allows.
#pragma once

#include <cstdint>
#include <span>
#include <unordered_map>
#include <vector>

#include "core/recogniser.h"
#include "core/trie.h"

namespace slm {

/// Sets the bit of every token whose bytes keep `recogniser` alive from `state`; leaves other bits
/// alone. Token t is bit t % 32 of word t / 32.
///
/// Cost: O(nodes visited); a byte that is rejected skips its subtree.
void walk_trie(const TokenTrie& trie, Recogniser& recogniser, StateId state,
               std::span<std::uint32_t> mask);

/// Remembers the mask of each state it was asked for, within a memory bound.
///
/// Invariant: `mask(s)` has exactly the bits `walk_trie` sets from s. States that no token can tell
/// apart (`Recogniser::canonical`) share one.
class MaskMemo {
 public:
  MaskMemo(const TokenTrie& trie, Recogniser& recogniser, std::size_t max_bytes);

  /// Valid until the next call.
  std::span<const std::uint32_t> mask(StateId state);

  /// Whether `mask(state)` is a look-up.
  bool knows(StateId state) const { return by_state_.contains(state); }

  std::uint64_t hits() const noexcept { return hits_; }
  std::uint64_t misses() const noexcept { return misses_; }
  std::size_t bytes() const noexcept { return masks_.size() * 4 + by_state_.size() * 40; }
  std::size_t words() const noexcept { return words_; }

 private:
  const TokenTrie& trie_;
  Recogniser& recogniser_;
  std::size_t words_;
  std::size_t max_masks_;
  std::vector<std::uint32_t> masks_;
  std::unordered_map<StateId, std::uint32_t> by_state_;
  std::uint64_t hits_ = 0, misses_ = 0;
};

}  // namespace slm

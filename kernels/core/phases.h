// How far into a token a text is: a node of the vocabulary's trie.
#pragma once

#include <array>
#include <bitset>
#include <cstdint>
#include <mutex>
#include <span>
#include <string>
#include <vector>

#include "core/trie.h"

namespace slm {

using Phase = std::uint32_t;  // a node of the trie; kBetween: no token has begun
inline constexpr Phase kBetween = 0;

/// The trie, with what it costs to not have begun a token where another had.
///
/// `detour(q)`: whatever completes a token from q, its bytes can be written afresh with at most so
/// many tokens. So the fewest tokens to the end from a place of the text, counting the token under
/// way, are from q at least those from between two tokens, less `detour(q)`, plus one.
class TokenPhases {
 public:
  explicit TokenPhases(const TokenTrie& tokens);

  /// Makes the detours and representatives, once; safe between threads. Ask for none before.
  /// Cost: linear in the bytes of the vocabulary, times the tokens that begin at one of them.
  void measure();

  const ByteTrie& trie() const noexcept { return trie_; }

  /// The phase after a byte, or kBetween when no token goes on so.
  Phase step(Phase phase, std::uint8_t byte) const noexcept {
    if (phase == kBetween) return first_[byte];
    const ByteTrie::Node& node = trie_.nodes[phase];
    for (Phase child = node.first_child; child < node.last_child; ++child) {
      if (trie_.bytes[child] == byte) return child;
    }
    return kBetween;
  }
  bool ends_token(Phase phase) const noexcept {
    return trie_.nodes[phase].first_token != trie_.nodes[phase].last_token;
  }
  /// Whether a token goes on after the phase; one that does not is never under way.
  bool goes_on(Phase phase) const noexcept {
    return trie_.nodes[phase].first_child != trie_.nodes[phase].last_child;
  }
  std::uint32_t detour(Phase phase) const noexcept { return detours_[phase]; }
  /// Of the phases after which tokens go on in the same ways, one: to be in it is worth the same.
  Phase representative(Phase phase) const noexcept { return alike_[phase]; }
  /// The most it can be for a phase that one of these bytes led to.
  std::uint32_t worst_detour(const std::bitset<256>& last) const noexcept;

  /// A phase that takes a detour of more than one token, as a representative, and the bytes that
  /// lead to it.
  struct Rare {
    Phase phase;
    std::string bytes;
  };
  /// Those that a byte led to, worst first.
  std::span<const Rare> rare(std::uint8_t last) const noexcept { return rare_[last]; }

 private:
  void measure_detours();
  void find_alike();

  const TokenTrie& tokens_;
  const ByteTrie& trie_;
  std::once_flag measured_;
  std::array<Phase, 256> first_{};
  std::vector<std::uint8_t> detours_;  // saturated
  std::vector<Phase> alike_;
  std::array<std::vector<Rare>, 256> rare_;
};

}  // namespace slm

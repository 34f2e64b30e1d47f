// From a state of a recogniser to the set of tokens it allows.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "core/recogniser.h"
#include "core/terminal_tables.h"
#include "core/token_index.h"
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

/// Makes masks and remembers them, within a memory bound.
///
/// A remembered mask is a table's mask that many share, and a few tokens beside it: nothing of the
/// size of the vocabulary is written but the caller's row.
///
/// Invariant: `fill(s)` sets exactly the bits `walk_trie` sets from s.
class MaskMemo {
 public:
  MaskMemo(const TokenTrie& trie, TerminalTables& shared, Recogniser& recogniser,
           std::size_t max_bytes);

  /// Writes the first words of the row: as many as the vocabulary has.
  void fill(StateId state, Mask row);

  /// Whether `fill` needs no more than a copy.
  bool knows(StateId state) const noexcept {
    return state < of_state_.size() && of_state_[state] != 0;
  }

  std::uint64_t hits() const noexcept { return hits_; }
  std::uint64_t misses() const noexcept { return misses_; }
  std::size_t bytes() const noexcept { return bytes_ + of_state_.size() * 4; }

 private:
  using Part = Recogniser::Part;
  struct Remembered {
    const std::uint32_t* base = nullptr;  // a table's mask, or this one's own; none: all zero
    std::unique_ptr<std::uint32_t[]> own{};
    std::vector<TokenId> without, with;  // taken out of the base, then added
    std::uint32_t hits = 0;
  };

  Remembered make(StateId state);
  void add_terminal(const Part& part, Remembered& made);
  void add_label(const Part& part, Remembered& made);
  void walk(StateId state, Remembered& made);
  void add(TokenId token, Remembered& made) {
    made.own ? set_bit({made.own.get(), words_}, token) : made.with.push_back(token);
  }
  const std::vector<TokenId>& crossing(const ByteTrie& remainders, StateId after);
  void exclude(const std::vector<TokenId>& excluded, Remembered& part);
  void join(Remembered& into, Remembered&& part);
  bool join_bases(Remembered& into, const Remembered& part);
  void own_base(Remembered& made);
  void compose(Remembered& mask);

  // A mask that is asked for again, with so many tokens beside its base, gets a base without any.
  static constexpr std::size_t kMany = 64;
  static constexpr std::uint32_t kAgain = 2;

  const TokenTrie& trie_;
  TerminalTables& shared_;
  Recogniser& recogniser_;
  std::size_t words_;
  std::size_t max_bytes_;
  std::size_t bytes_ = 0;
  std::vector<Remembered> masks_{1};
  std::vector<std::uint32_t> of_state_;  // by state: a place in masks_, or 0
  std::uint64_t hits_ = 0, misses_ = 0;
  // What of a table's remainders a state goes on with: states that count differ in little else.
  struct Crossing {
    const ByteTrie* remainders;
    StateId after;
    bool operator==(const Crossing&) const = default;
  };
  struct HashCrossing {
    std::size_t operator()(const Crossing& key) const noexcept {
      return mix(key.after, reinterpret_cast<std::uintptr_t>(key.remainders));
    }
  };
  std::unordered_map<Crossing, std::vector<TokenId>, HashCrossing> crossings_;
  static constexpr std::size_t kMaxKept = 8192;  // longer lists are found again
  std::vector<TokenId> walked_;                  // scratch of walk and crossing
  std::vector<std::uint32_t> scratch_;           // all zero between calls
};

}  // namespace slm

// Masks under a budget of tokens: only what leaves enough of it to finish.
//
// A token is allowed when the fewest tokens from the state after it to the end of the text are less
// than the budget. Far from the end that forbids nothing, and the state's ordinary mask is used.
#pragma once

#include <cstdint>
#include <unordered_map>
#include <vector>

#include "core/masks.h"
#include "core/phases.h"
#include "core/recogniser.h"

namespace slm {

/// How many tokens are missing.
///
/// `exact`: no fewer will do. Otherwise so many will do for sure, and fewer might.
struct TokensLeft {
  Cost tokens = kInfiniteCost;
  bool exact = false;
};

/// Invariant: with `fewest(s).tokens <= n` and n > 0, either the text may end in s, or some token
/// is allowed and leads to an s' with `fewest(s').tokens <= n - 1`. So who starts within the budget
/// and follows the masks ends within it.
class BudgetMasks {
 public:
  BudgetMasks(TokenPhases& phases, Recogniser& recogniser, MaskMemo& masks);

  TokensLeft fewest(StateId state);

  /// Tells that another question begins: work on each is bounded.
  void begin() noexcept { searched_ = 0; }

  /// Whether so many tokens are enough: `fewest(state).tokens <= budget`, often with less work.
  bool fits(StateId state, Cost budget);

  /// Sets the bits of the tokens that fit into `budget` tokens, all of them counted; clears the
  /// others. End tokens are not its business. Without bits: nothing fits.
  ///
  /// Cost: that of a remembered mask when the state is known to be far from the budget; one walk
  /// over the trie the first time.
  void fill(StateId state, Cost budget, Mask row);

  std::size_t bytes() const noexcept;

  static constexpr std::size_t kMaxRemembered = 8u << 20;  // tokens, in groups
  static constexpr std::size_t kMaxSlow = 1'500;      // states beside a memory, for one question
  static constexpr std::size_t kMaxSearch = 100'000;  // states, where greed fails

 private:
  /// The tokens that lead to one state.
  struct Group {
    StateId state;
    std::uint32_t first, last;  // in `Groups::tokens`
  };
  struct Groups {
    std::vector<Group> groups;
    std::vector<TokenId> tokens;
    Cost enough = 0;  // with so many tokens left after it, any token fits
  };

  /// A loop that a state is in.
  struct Loop {
    CharClass chars;
    Cost enough;  // so many tokens are, after a token of those characters
    bool still;   // the state after them is the same
  };

  void follow(StateId state, Cost budget, Mask row);
  const Groups& groups(StateId state, Phase begun);
  Cost enough_after_any(StateId state);
  const Loop& loop(StateId state);
  template <class Visit, class Skip>
  void walk_states(const ByteTrie& trie, Phase begun, StateId from, Visit visit, Skip skip);
  void set_fitting(StateId state, Phase begun, Cost budget, Mask row);
  void set_fitting(StateId state, Cost budget, Mask row);
  Cost within_reach(StateId state);
  Recogniser::Completion completion(StateId state);
  Recogniser::Completion search(StateId state);
  TokensLeft decide(StateId state);

  Recogniser& recogniser_;
  MaskMemo& masks_;
  TokenPhases& phases_;
  bool longest_;
  std::unordered_map<StateId, Recogniser::Completion> completions_;
  std::unordered_map<StateId, Cost> segmented_;       // see within_reach
  std::unordered_map<StateId, Cost> exact_, lowest_;  // of tokens_to_end; kUnknown: too much work
  std::unordered_map<StateId, Cost> enough_;          // see enough_after_any
  std::unordered_map<std::uint64_t, Groups> groups_;  // by state and phase
  std::unordered_map<StateId, Loop> loops_;
  std::size_t remembered_ = 0;
  std::size_t searched_ = 0;  // states, for the question at hand
  static constexpr Cost kUnknown = ~Cost{0};
};

}  // namespace slm

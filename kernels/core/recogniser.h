// The one interface between languages and everything that is built on them.
//
// A recogniser is a set of immutable states, numbered as they are met. Masks, rollback, forced
// bytes, explanations know nothing else about a language.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "core/char_class.h"
#include "core/cost.h"
#include "core/error.h"
#include "core/flat_map.h"
#include "core/phases.h"
#include "core/regex.h"
#include "core/trie.h"

namespace slm {

class Program;
using StateId = std::uint32_t;
inline constexpr StateId kDead = 0;

/// What may come next: a terminal of the grammar, the rule that asks for it, and the node of the
/// program that stands for the terminal there.
struct Expectation {
  std::uint32_t terminal;
  std::uint32_t rule;
  std::uint32_t node;
};

/// Invariants every recogniser keeps: state 0 is dead and stays dead; any other state can still
/// reach an accepted end; states are values, so keeping an old number is rollback.
class Recogniser {
 public:
  virtual ~Recogniser() = default;

  StateId start() const noexcept { return start_; }

  /// The state after one more byte. Memoised; a busy state gets a row of its own.
  StateId step(StateId state, std::uint8_t byte) {
    const Memo& memo = memos_[state];
    if (!memo.first[byte]) return kDead;
    StateId known = memo.row ? memo.row[byte] : sparse_.find(key(state, byte));
    return known != kUnknownState ? known : compute(state, byte);
  }

  /// A superset of the bytes that do not kill a state. Valid until the next step.
  const ByteSet& first_bytes(StateId state) const noexcept { return memos_[state].first; }

  virtual bool can_end(StateId state) const = 0;

  virtual std::vector<Expectation> expected(StateId state) = 0;

  /// The grammar as it arrived.
  virtual const Program& program() const = 0;

  /// A piece of a state: the futures of its parts together are its future.
  struct Part {
    NodeId node = kNothing;   // an expression that is being read; kNothing: something else
    NodeId wider = kNothing;  // the same without its exclusions, if it has any
    StateId after = kDead;    // with `node`: the state when it ends
    StateId state = kDead;    // without: the part as a state of its own
    std::uint32_t row = 0, terminal = 0;  // with `node`: the recogniser's own
    std::uint32_t memory = 0;             // with `node`: that of a recogniser around it
  };
  /// Cuts a state into parts whose masks are cheap to make. Valid until the next call.
  virtual std::span<const Part> parts(StateId state) {
    whole_ = {.state = state};
    return {&whole_, 1};
  }

  /// A part with an expression as a state.
  virtual StateId state_of(const Part& part) { return part.state; }

  /// Whether the recogniser makes its masks by itself, and how: all bits of the row.
  virtual bool makes_masks() const { return false; }
  virtual void make_mask(StateId /*state*/, std::span<std::uint32_t> /*row*/) {}

  /// Whether the rules would let the byte follow, and what is remembered beside them does not.
  virtual bool forbids(StateId /*state*/, std::uint8_t /*byte*/) { return false; }

  /// Appends the tokens of the trie's nodes [first, last), and below, that keep `state` alive.
  ///
  /// Cost: O(nodes visited); what is below a rejected byte is not visited.
  virtual void walk(const ByteTrie& trie, std::uint32_t first, std::uint32_t last, StateId state,
                    std::vector<TokenId>& tokens);

  /// A loop that a state is in, as far as its ends are concerned.
  ///
  /// Invariant: a text of k characters of `chars`, at most as long as was asked for, is followed by
  /// all that can follow in `after[min(k, size) - 1]`, or by nothing. `still`: its state is the
  /// same.
  struct Rounds {
    CharClass chars;             // none: there is no such loop
    std::vector<StateId> after;  // has one, where there are characters
    bool still = false;
  };
  virtual Rounds rounds(StateId /*state*/, std::uint32_t /*longest*/) { return {}; }

  /// The fewest bytes to an accepted end, and the first of them (if any are missing). Where
  /// terminals have to be the longest possible (`has_longest`), that may forbid the way: then it is
  /// too low.
  struct Completion {
    Cost bytes = kInfiniteCost;
    std::uint8_t byte = 0;
  };
  virtual Completion completion(StateId state) = 0;
  virtual bool has_longest() const = 0;

  /// The fewest tokens to an accepted end, with the same reservation; infinite when they are more
  /// than `limit`, nothing when that is too much work. `widened`: of a state with a wider future
  /// instead, which many states share: a lower bound.
  virtual std::optional<Cost> tokens_to_end(StateId state, TokenPhases& phases, Cost limit,
                                            bool widened) = 0;
  /// Where the expression of a part is a loop: sets the bits of the tokens that stay inside of the
  /// terminal, if so many more are enough after them. Other tokens of the part go on in
  /// `part.after` after one of the phases `open`. False, and nothing is done: not such a loop, or
  /// too much work.
  virtual bool fill_loop(const Part& /*part*/, TokenPhases& /*phases*/, Cost /*limit*/,
                         std::span<std::uint32_t> /*row*/, std::vector<Phase>& /*open*/) {
    return false;
  }
  /// Where that loop is far from over: so many tokens are enough after any that the part allows, if
  /// `after` of them are in `part.after`; infinite where that is not easily told.
  virtual Cost enough_in_loop(const Part& /*part*/, TokenPhases& /*phases*/, Cost /*after*/) {
    return kInfiniteCost;
  }
  /// Of a part that reads a label: one with the loop of its letters in its place, which allows the
  /// same tokens and others; and the state in which the label is over.
  struct Loosened {
    Part part;
    StateId over;
  };
  virtual std::optional<Loosened> loosened(const Part& /*part*/) { return std::nullopt; }
  /// For a recogniser that makes its masks: so many tokens are enough after any that is allowed,
  /// but for those at a few nodes of the trie, of which nothing is known.
  struct Enough {
    Cost tokens = 0;
    std::vector<std::pair<std::uint32_t, std::string>> unsure;  // the node, and its bytes
  };
  virtual const Enough* enough_after_any(StateId /*state*/) { return nullptr; }

  /// Lifts the bounds on the work of `tokens_to_end`.
  virtual void unlimit_costs() = 0;

  virtual std::size_t bytes() const = 0;

  std::size_t states() const noexcept { return memos_.size(); }
  std::size_t memo_bytes() const noexcept {
    return memos_.size() * sizeof(Memo) + rows_ * 256 * sizeof(StateId) + sparse_.bytes();
  }

  /// `walk` as it is defined: by `step`, node by node.
  void walk_by_steps(const ByteTrie& trie, std::uint32_t first, std::uint32_t last, StateId state,
                     std::vector<TokenId>& tokens);

  static constexpr StateId kUnknownState = FlatMap::kAbsent;
  static constexpr std::size_t kMaxStates = 20'000'000;

 protected:
  virtual StateId compute_step(StateId state, std::uint8_t byte) = 0;

  /// Registers the next state number; a recogniser calls it once for every state it makes.
  /// `first` is a superset of the bytes that do not kill it: most transitions need no work then.
  void add_state(const ByteSet& first) {
    if (memos_.size() >= kMaxStates) throw TooComplex("the grammar needs too many states");
    memos_.push_back({.first = first});
  }
  void set_start(StateId start) noexcept { start_ = start; }

 private:
  struct Memo {
    ByteSet first;
    std::unique_ptr<StateId[]> row{};
    std::uint32_t misses = 0;
  };
  // A row costs a kilobyte: states on the path of one text are asked once and need none.
  static constexpr std::uint32_t kBusy = 12;

  static std::uint64_t key(StateId state, std::uint8_t byte) noexcept {
    return (std::uint64_t{state} << 8) | byte;
  }

  [[gnu::noinline]] StateId compute(StateId state, std::uint8_t byte) {
    StateId next = compute_step(state, byte);
    Memo& memo = memos_[state];  // looked up now: compute_step makes states
    if (!memo.row && ++memo.misses > kBusy) {
      memo.row = std::make_unique<StateId[]>(256);
      ++rows_;
      for (std::size_t b = 0; b < 256; ++b) {
        memo.row[b] = sparse_.find(key(state, static_cast<std::uint8_t>(b)));
      }
    }
    if (memo.row) {
      memo.row[byte] = next;
    } else {
      sparse_.insert(key(state, byte), next);
    }
    return next;
  }

  std::vector<Memo> memos_;
  FlatMap sparse_;
  std::size_t rows_ = 0;
  StateId start_ = kDead;
  Part whole_;
};

inline void Recogniser::walk_by_steps(const ByteTrie& trie, std::uint32_t first, std::uint32_t last,
                                      StateId from, std::vector<TokenId>& tokens) {
  struct Frame {
    std::uint32_t next, last;
    StateId state;
  };
  std::vector<Frame> stack{{first, last, from}};
  while (!stack.empty()) {
    Frame& frame = stack.back();
    const ByteSet& follows = first_bytes(frame.state);
    while (frame.next < frame.last && !follows[trie.bytes[frame.next]]) ++frame.next;
    if (frame.next == frame.last) {
      stack.pop_back();
      continue;
    }
    std::uint32_t at = frame.next++;
    StateId state = step(frame.state, trie.bytes[at]);
    if (state == kDead) continue;
    const ByteTrie::Node& node = trie.nodes[at];
    tokens.insert(tokens.end(), trie.tokens.begin() + node.first_token,
                  trie.tokens.begin() + node.last_token);
    if (node.first_child != node.last_child) {
      stack.push_back({node.first_child, node.last_child, state});
    }
  }
}

inline void Recogniser::walk(const ByteTrie& trie, std::uint32_t first, std::uint32_t last,
                             StateId state, std::vector<TokenId>& tokens) {
  walk_by_steps(trie, first, last, state, tokens);
}

}  // namespace slm

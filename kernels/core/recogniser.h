// The one interface between languages and everything that is built on them.
//
// A recogniser is a set of immutable states, numbered as they are met. Masks, rollback, forced
// bytes, explanations know nothing else about a language.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "core/cost.h"
#include "core/error.h"
#include "core/flat_map.h"
#include "core/loops.h"
#include "core/phases.h"

namespace slm {

using StateId = std::uint32_t;
inline constexpr StateId kDead = 0;

/// What may come next: a terminal of the grammar, and the rule that asks for it.
struct Expectation {
  std::uint32_t terminal;
  std::uint32_t rule;
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

  virtual std::vector<Expectation> expected(StateId state) const = 0;

  /// A state with the same future for every continuation of at most `length` bytes, so that masks
  /// can be shared between states that differ only where no token reaches.
  virtual StateId canonical(StateId state, std::int32_t length) = 0;

  /// One of several states whose futures together are the future of the state they come from.
  struct Part {
    enum class Kind : std::uint8_t { kPlain, kLoop, kDifference };
    Kind kind;
    StateId state;
    CharClass loop{};        // kLoop: under each of these characters `state` goes the same way,
    std::int32_t most = -1;  //   and survives `most` of them (-1: any number)
    StateId base = kDead;    // kDifference: a state whose future is the same off a few paths
  };
  /// Cuts a state into parts whose masks are cheap to make or shared with other states.
  virtual std::vector<Part> parts(StateId state) {
    return {{.kind = Part::Kind::kPlain, .state = state}};
  }

  /// A superset of the bytes after which two states with equal futures otherwise may differ.
  virtual ByteSet may_differ(StateId /*state*/, StateId /*base*/) { return ByteSet{}.set(); }

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
  /// Lifts the bounds on the work of `tokens_to_end`.
  virtual void unlimit_costs() = 0;

  virtual std::size_t bytes() const = 0;

  std::size_t states() const noexcept { return memos_.size(); }
  std::size_t memo_bytes() const noexcept {
    return memos_.size() * sizeof(Memo) + rows_ * 256 * sizeof(StateId) + sparse_.bytes();
  }

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
};

}  // namespace slm

// JSON arrays whose items are all different: a memory beside the rules.
//
// The rules put marks around such arrays and their items (slm/grammar/memory.py). A state here is a
// state of the rules without marks, and *threads*: the ways in which the rules with marks read the
// text, each with the values that were seen in every array it is in, and the text of the outermost
// item so far. Where an item ends whose value has been seen, the thread does; a thread that could
// only come to such an end has ended, too. And *readings*: where the threads would be if none
// had ended, which tells whether the rules without marks go on with more than the threads do.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "core/earley.h"
#include "core/hash.h"
#include "core/masks.h"
#include "core/memory/distinct_values.h"
#include "core/recogniser.h"

namespace slm {

class DistinctRecogniser final : public Recogniser {
 public:
  /// See `make_recogniser`.
  DistinctRecogniser(Program program, const std::shared_ptr<TerminalTables>& shared,
                     const TokenTrie& trie, std::size_t mask_memory);

  bool can_end(StateId state) const override { return states_.words(state)[0] != 0; }
  std::vector<Expectation> expected(StateId state) override;
  const Program& program() const override { return rules_.program(); }
  bool makes_masks() const override { return true; }
  void make_mask(StateId state, std::span<std::uint32_t> row) override;
  bool forbids(StateId state, std::uint8_t byte) override;

  /// Of the rules without the memory: too low where the way repeats an item.
  Completion completion(StateId state) override { return plain_.completion(plain_of(state)); }
  bool has_longest() const override { return true; }
  std::optional<Cost> tokens_to_end(StateId, TokenPhases&, Cost, bool) override {
    return std::nullopt;
  }
  void unlimit_costs() override {}
  const Enough* enough_after_any(StateId state) override;
  std::size_t bytes() const override;

  static constexpr std::size_t kMaxThreads = 256;
  static constexpr std::size_t kMaxSearched = 50'000;  // threads, for an item that is new

 private:
  enum Mark : std::uint8_t { kBegin = 0x1C, kItem, kEnd, kLeave };
  static constexpr std::uint32_t kOutside = 0xFFFFFFFFu;
  static constexpr std::size_t kNoGoal = ~std::size_t{0};
  static constexpr std::uint32_t kEndless = 24;  // letters that make more values than are seen
  static constexpr std::uint32_t kAmple = 4;     // the same, where there are many to choose from

  /// Numbers of things in the pools below; texts: 0 is no text, 1 the empty one.
  struct Thread {
    StateId base;
    std::uint32_t stack, text;
    auto operator<=>(const Thread&) const = default;
  };
  struct Frame {
    std::uint32_t seen;   // a set of values; 0: none yet
    std::uint32_t start;  // where its item begins in the text; kOutside: between items
  };
  using Threads = std::vector<Thread>;
  struct Equal {
    std::uint32_t exact, read;  // numbers of the texts in a JsonValue
  };

  StateId compute_step(StateId state, std::uint8_t byte) override;
  StateId intern_state(StateId plain, std::uint32_t readings, Threads& threads);
  StateId plain_of(StateId state) const { return states_.words(state)[1]; }
  std::uint32_t readings_of(StateId state) const { return states_.words(state)[2]; }
  std::uint32_t readings_after(std::uint32_t readings, std::uint8_t byte);
  bool lost_none(StateId state) const;
  void threads_of(StateId state, Threads& threads) const;
  static std::vector<StateId> bases_of(const Threads& threads);

  void read(const Thread& thread, std::uint8_t byte, Threads& to);
  bool close(Threads& todo, Threads& to, std::size_t goal);
  bool take(Thread& thread, Mark mark);
  void settle(Threads& threads);

  std::uint32_t push(std::uint32_t stack, Frame frame);
  std::uint32_t below(std::uint32_t stack) const { return stacks_.words(stack)[0]; }
  Frame top(std::uint32_t stack) const {
    return {stacks_.words(stack)[1], stacks_.words(stack)[2]};
  }
  std::vector<Frame> frames(std::uint32_t stack) const;
  std::uint32_t append(std::uint32_t text, std::uint8_t byte);
  std::string text_of(std::uint32_t text, std::uint32_t start) const;
  std::uint32_t add_value(std::uint32_t seen, std::string_view text);
  bool may_repeat(const Thread& thread, const Frame& frame, bool names_too = false) const;
  bool viable(const Thread& thread);
  bool search(const Thread& thread, std::size_t level);
  std::string place_of(const Thread& thread) const;
  bool makes_new(StateId base, std::uint32_t text) {
    return is_rich(base) && (!is_tight(text) || is_rich(base, true));
  }
  bool is_rich(StateId base, bool beyond_number = false);
  bool is_rich_ahead(StateId base);
  bool is_rich_soon(StateId base);
  bool knows_rich(StateId base) const noexcept {
    return base < rich_[0].size() && rich_[0][base] == 2;
  }
  void know_rich(StateId base) {
    if (base >= rich_[0].size()) rich_[0].resize(rules_.states(), 0);
    rich_[0][base] = 2;
  }
  bool is_tight(std::uint32_t text, std::size_t more = 0) const;
  bool has_endless_loop(StateId base);
  bool find_endless_loop(StateId base);
  /// So many letters of a class make 2^24 values that differ, for whitespace and zeros may tell
  /// nothing; 0: no number of them does.
  struct Telling {
    std::uint32_t needed = 0;
    std::uint8_t letter = 0;
  };
  static Telling letters_that_tell(const CharClass& chars);
  /// Characters of which so many bytes lead to no exit: the state of the rules is the same after
  /// them, or a terminal goes on that still has more values than can be seen.
  struct Stay {
    CharClass chars;
    bool rich = true;  // also where it matters what was seen
    std::uint32_t most = ~std::uint32_t{0};
  };
  const Stay& stay(StateId base);
  bool has_marks(StateId base) const;
  Cost missing(StateId base);
  Cost surely_missing(StateId base);
  std::vector<StateId> past_marks(const std::vector<StateId>& bases, std::uint8_t byte);

  /// Where a token first comes to a mark, or to a place where it has to be seen whether an item can
  /// still be a new one.
  struct Exit {
    std::uint32_t node;
    std::string path;
  };
  enum class Passed : std::uint8_t { kNothing, kEnd, kComma };  // an item's end, and a comma then
  using Passages = std::vector<std::pair<StateId, Passed>>;
  bool ends_again(const ByteTrie& trie, std::uint32_t node, Passages bases);
  bool is_new(const Thread& thread) const;
  bool goes_on(const Threads& threads, std::uint8_t byte);
  const std::vector<Exit>& exits(StateId plain, const Threads& threads, bool fresh, Mask row);
  const ByteTrie& trie_for(bool fresh) const { return fresh ? trie_.with_comma() : trie_.trie(); }
  void check_below(const ByteTrie& trie, std::uint32_t node, const Threads& threads,
                   std::span<std::uint32_t> row);
  void check_numbers(const Threads& threads, std::span<std::uint32_t> row);
  void check_digits(std::uint32_t node, const Threads& threads, std::span<std::uint32_t> row);

  EarleyRecogniser rules_, plain_;  // with marks, and without
  const TokenTrie& trie_;
  MaskMemo plain_masks_;
  ByteSet marks_;

  SequencePool states_;               // may end, plain state, readings, then the threads
  SequencePool readings_;             // states of the rules, whatever was seen
  FlatMap readings_after_;            // by readings and byte
  SequencePool stacks_;               // (below, seen, start); 0: no array
  SequencePool sets_;                 // (set, value)
  SequencePool texts_;                // (text, byte)
  std::vector<std::uint32_t> sizes_;  // of texts
  std::vector<JsonValue> values_;
  std::size_t value_bytes_ = 0;
  std::vector<Equal> equals_;                               // by value
  std::unordered_map<std::string, std::uint32_t> numbers_;  // of what is in a JsonValue
  SequencePool known_;                                      // values, as in `equals_`
  SequencePool judged_;                                     // threads
  std::vector<std::uint8_t> verdicts_;
  std::vector<std::uint8_t> rich_[2];  // by state of the rules: 0 unasked, 1 no, 2 yes
  std::vector<std::uint8_t> endless_;  // the same
  std::unordered_map<StateId, Stay> stays_;
  std::vector<Cost> missing_;           // as `rich_`; 0: unasked
  static constexpr Cost kLetters = 12;  // two to so many values are made by so many letters
  std::vector<Cost> surely_;            // by state of the rules, and one; 0: unasked
  SequencePool enough_keys_;            // states of the rules
  std::vector<std::unique_ptr<Enough>> enough_;
  SequencePool walked_;  // plain state, then (state of the rules, how far it matters what is seen)
  std::vector<std::vector<Exit>> exits_;
  std::size_t exit_bytes_ = 0;
};

}  // namespace slm

// Columns beside the rules: lines that are indented, kept as a stack of levels.
//
// slm/mask/indentation.py says what it is about, and is its twin. A state is a set of threads;
// there is one, as a rule, but behind a line break there is one for each answer that the rules can
// take to what the line does to the levels.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "core/earley.h"
#include "core/hash.h"
#include "core/recogniser.h"

namespace slm {

class IndentationRecogniser final : public Recogniser {
 public:
  /// `rules`: of a program whose memory is an indentation.
  explicit IndentationRecogniser(std::unique_ptr<EarleyRecogniser> rules);

  bool can_end(StateId state) const override { return (states_.words(state)[0] & 1) != 0; }
  std::vector<Expectation> expected(StateId state) override;
  bool forbids(StateId state, std::uint8_t byte) override;
  const Program& program() const override { return rules_->program(); }
  std::span<const Part> parts(StateId state) override;
  StateId state_of(const Part& part) override;
  Rounds rounds(StateId state, std::uint32_t longest) override;
  void walk(const ByteTrie& trie, std::uint32_t first, std::uint32_t last, StateId state,
            std::vector<TokenId>& tokens) override;
  Completion completion(StateId state) override;
  bool has_longest() const override { return rules_->has_longest(); }
  /// Not known: the way that `completion` takes is enough, and may not be the shortest.
  std::optional<Cost> tokens_to_end(StateId, TokenPhases&, Cost, bool) override {
    return std::nullopt;
  }
  void unlimit_costs() override {}
  std::size_t bytes() const override;

 private:
  using StackId = std::uint32_t;  // a level and those around it
  static constexpr std::uint32_t kNone = ~0u;

  struct Level {
    StackId around;        // kNone: it is the outermost
    std::uint32_t column;  // that its lines begin in
  };
  /// What is read: the rules' state and the levels; and while a line's blanks are read, their
  /// column so far, and the column that they have to make.
  struct Thread {
    StateId rules;
    StackId levels;
    std::uint32_t column = kNone;  // kNone: no blanks are being read
    std::uint32_t wanted = kNone;  // kNone: any beyond the last level
    auto operator<=>(const Thread&) const = default;
  };
  enum class Step : std::uint8_t { kByte, kEnded, kNoWay };

  StateId compute_step(StateId state, std::uint8_t byte) override;

  /// The state of these threads, and of those that go past marks from them.
  StateId close(std::vector<Thread>& threads);
  StateId intern(const std::vector<Thread>& threads, std::uint32_t walked = 0);
  void pass_marks(std::vector<Thread>& threads);
  /// A part that is one thread: `walk` leaves out what other parts have, what marks lead to.
  StateId alone(const Thread& thread);
  /// The state of one thread that reads no blanks.
  StateId at(StateId rules, StackId levels);
  void answer(const Thread& thread, std::vector<Thread>& threads);
  void end_blanks(const Thread& thread, std::vector<Thread>& threads);
  bool ends(const Thread& thread);
  StateId take(StateId rules, std::uint8_t mark) {
    return rules_->first_bytes(rules)[mark] ? rules_->step(rules, mark) : kDead;
  }
  bool takes_marks(StateId rules) const noexcept {
    return (rules_->first_bytes(rules) & marks_).any();
  }
  /// Whether blanks can end, and text follow them, in `rules` or later.
  bool leaves_blanks(StateId rules);
  StackId deeper(StackId levels, std::uint32_t column);
  const LineBreaks& breaks_of(const ByteTrie& trie);
  bool advance(Thread& thread, std::uint8_t byte);
  void threads_of(StateId state, std::vector<Thread>& threads) const;
  Completion way_of(const Thread& thread);
  Step go_on(Thread& thread, std::uint8_t& byte);
  bool pad(Thread& thread, std::uint8_t& byte);

  std::unique_ptr<EarleyRecogniser> rules_;
  std::uint32_t tab_;
  bool goes_on_;  // what blanks can be, another thread reads, too
  ByteSet marks_;
  ByteSet answers_;  // those that follow a line break
  std::unordered_map<const ByteTrie*, LineBreaks> breaks_;
  std::vector<bool> mark_terminals_;  // by number
  std::vector<Level> levels_;
  FlatMap level_numbers_;
  SequencePool states_;  // may end, and twice how many threads to walk (0: all); four words each
  FlatMap single_;       // by rules' state and levels
  FlatMap leaving_;      // by rules' state: see leaves_blanks
  std::vector<Thread> threads_;
  std::vector<std::uint32_t> words_;
  SequencePool threads_known_;
  std::vector<Completion> ways_;  // by number in threads_known_: see way_of
  std::vector<Part> parts_;
};

}  // namespace slm

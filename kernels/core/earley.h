// The recogniser of context-free grammars: Earley's algorithm on hash-consed rows.
//
// A row is what Earley calls a set: the items alive at one place of the text. Here a row has no
// position in it. Its items point to the rows they started in, and equal rows are one row, so a
// row is a parser configuration, and the rows it points to are its stack. After the third element
// of a list the row is the same as after the second. Between rows, a lexer state reads a terminal
// byte by byte. A state of the recogniser is a set of (row, lexer state).
//
// Sources: Earley (1970); Aycock and Horspool (2002) for empty rules; Leo (1991) for right
// recursion in linear time.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <unordered_map>
#include <utility>
#include <vector>

#include "core/grammar.h"
#include "core/hash.h"
#include "core/lexer.h"
#include "core/predictions.h"
#include "core/recogniser.h"
#include "core/regex.h"
#include "core/terminal_tables.h"
#include "core/token_costs.h"

namespace slm {

using RowId = std::uint32_t;

class EarleyRecogniser final : public Recogniser, private RowView {
 public:
  /// Throws NoText when the grammar matches nothing, TooComplex past a bound.
  EarleyRecogniser(Program program, std::shared_ptr<TerminalTables> shared);

  bool can_end(StateId state) const override { return configs_.words(state)[0] != 0; }
  std::vector<Expectation> expected(StateId state) override;
  std::span<const Part> parts(StateId state) override;
  StateId state_of(const Part& part) override;
  void walk(const ByteTrie& trie, std::uint32_t first, std::uint32_t last, StateId state,
            std::vector<TokenId>& tokens) override;
  Rounds rounds(StateId state, std::uint32_t longest) override;
  /// Characters of which up to `length` keep to one of the terminals that are being read and end
  /// none of them; none where that is not seen at once.
  CharClass inside(StateId state, std::uint32_t length);
  Completion completion(StateId state) override;
  bool has_longest() const override;
  std::optional<Cost> tokens_to_end(StateId state, TokenPhases& phases, Cost limit,
                                    bool widened) override;
  bool fill_loop(const Part& part, TokenPhases& phases, Cost limit, std::span<std::uint32_t> row,
                 std::vector<Phase>& open) override;
  const Enough* enough_after_any(StateId state) override;
  Cost enough_in_loop(const Part& part, TokenPhases& phases, Cost after) override;
  std::optional<Loosened> loosened(const Part& part) override;
  void unlimit_costs() override;
  std::size_t bytes() const override;
  const Program& program() const override { return grammar_.program(); }

  static constexpr std::size_t kMaxRowItems = 200'000;
  static constexpr std::size_t kFewWaits = 8;  // so many are brought along without a look

 private:
  struct Item {
    PositionId position;
    std::uint32_t count;
    RowId origin;
    auto operator<=>(const Item&) const = default;
  };
  /// A set of items that is emptied in O(1).
  class ItemSet {
   public:
    void clear() noexcept { ++round_, size_ = 0; }
    bool insert(const Item& item) {
      if (2 * (size_ + 1) > slots_.size()) grow();
      std::size_t mask = slots_.size() - 1;
      std::uint64_t words = (std::uint64_t{item.position} << 32) | item.count;
      for (std::size_t at = mix(words, item.origin) & mask;; at = (at + 1) & mask) {
        if (slots_[at].round != round_) {
          slots_[at] = {item, round_};
          ++size_;
          return true;
        }
        if (slots_[at].item == item) return false;
      }
    }
    std::size_t size() const noexcept { return size_; }

   private:
    struct Slot {
      Item item{};
      std::uint64_t round = 0;
    };
    void grow() {
      std::vector<Slot> old = std::move(slots_);
      slots_.assign(old.empty() ? 16 : old.size() * 2, Slot{});
      std::uint64_t round = round_++;
      size_ = 0;
      for (const Slot& slot : old) {
        if (slot.round == round) insert(slot.item);
      }
    }
    std::vector<Slot> slots_;
    std::uint64_t round_ = 1;
    std::size_t size_ = 0;
  };
  /// An item that waits for a symbol, already moved past it.
  struct Wait {
    std::uint32_t symbol;
    Item after;
    auto operator<=>(const Wait&) const = default;
  };
  struct Row {
    std::vector<Wait> terminals;     // sorted by symbol; of items that began in earlier rows
    std::vector<Wait> rules;         // the same
    Predictions::SetId predicted{};  // what begins here
    LexId lexer = 0;                 // reads the terminals waited for
    bool accepting = false;          // the text may end here
  };
  struct Config {
    RowId row;
    LexId lexer;
    ObligationId obligation;
    auto operator<=>(const Config&) const = default;
  };

  void after_terminal(std::uint32_t row, TerminalId terminal,
                      std::vector<StackItem>& items) const override;
  void after_rule(std::uint32_t row, RuleId rule, std::vector<StackItem>& items) const override;

  const RowView& rows() const noexcept { return *this; }

  RegexPool::Least least_more(NodeId node);
  TokenCosts& token_costs(TokenPhases& phases);

  StateId compute_step(StateId state, std::uint8_t byte) override;
  bool can_read(LexId lexer, ObligationId obligation, int more);
  StateId intern_state(bool complete, std::vector<Config>& configs);

  /// The row after the given (row, terminals ended) pairs, all at one place of the text.
  RowId advance(std::span<const std::pair<RowId, AcceptId>> ended);
  RowId make_row();  // from the items in todo_
  RowId advance_one(RowId row, AcceptId set);
  void step_configs(std::span<const Config> from, std::uint8_t byte, std::vector<Config>& to,
                    bool& complete);
  void configs_of(StateId state, std::vector<Config>& configs) const;
  /// What a lexer state has for `parts`, whatever the row.
  struct LexerParts {
    struct One {
      TerminalId terminal;
      NodeId node, wider;
    };
    std::vector<One> wide;
    LexId narrow = 0;  // all else together
  };
  const LexerParts& lexer_parts(LexId lexer);
  void add_part(RowId row, const LexerParts::One& part);
  void complete(RuleId rule, RowId origin, std::vector<Item>& todo);
  bool waits_include(RowId more, RowId less, RuleId rule);
  std::pair<RuleId, RowId> topmost(RuleId rule, RowId origin);

  static std::span<const Wait> waiting(const std::vector<Wait>& waits, std::uint32_t symbol);
  /// Calls `tell` with the items of a row that wait for a terminal, moved past it.
  template <class Tell>
  void each_terminal(RowId row, TerminalId terminal, Tell tell) const {
    for (const Wait& wait : waiting(rows_[row].terminals, terminal)) tell(wait.after);
    predictions_.each_terminal(rows_[row].predicted, terminal, [&](const auto& wait) {
      tell(Item{wait.position, wait.count, row});
    });
  }
  /// The same for a rule.
  template <class Tell>
  void each_rule(RowId row, RuleId rule, Tell tell) const {
    for (const Wait& wait : waiting(rows_[row].rules, rule)) tell(wait.after);
    predictions_.each_rule(rows_[row].predicted, rule,
                           [&](const auto& wait) { tell(Item{wait.position, wait.count, row}); });
  }

  std::shared_ptr<TerminalTables> shared_;
  GrammarTables grammar_;
  Lexer lexer_;
  Predictions predictions_;
  std::vector<Row> rows_;
  SequencePool kernels_;  // what identifies a row: items that started in earlier rows
  FlatMap advances_one_;  // by row and terminals ended
  SequencePool advances_;
  std::vector<RowId> advanced_;  // by number in advances_
  SequencePool configs_;         // states: complete, then (row, lexer, obligation)…
  std::unordered_map<std::uint64_t, std::pair<RuleId, RowId>> topmost_;
  SequencePool inclusions_;     // (row, row, rule): whether the first waits with all of the second
  std::vector<bool> included_;  // by number in inclusions_
  std::vector<std::uint32_t> parts_of_;  // by lexer state: a place in lexer_parts_, or 0
  std::vector<LexerParts> lexer_parts_{1};
  std::size_t row_bytes_ = 0;
  std::unique_ptr<ByteCosts> byte_costs_;    // both are made when first asked for
  std::unique_ptr<TokenCosts> token_costs_;  // of the phases that were asked for last
  TokenPhases* phases_ = nullptr;
  std::unordered_map<StateId, std::optional<Enough>> enough_;

  // Scratch space, kept between calls to save allocations; holds nothing of meaning.
  struct Ended {  // a terminal ends here, leaving this obligation
    ObligationId obligation;
    RowId row;
    AcceptId set;
    auto operator<=>(const Ended&) const = default;
  };
  std::vector<std::uint32_t> words_, key_;
  std::vector<Config> from_, next_, narrow_, walk_from_;
  std::vector<Part> parts_;
  struct WalkFrame {
    std::uint32_t next, last;  // nodes still to be visited
    std::uint32_t begin, end;  // configurations before their bytes, in walked_
    ByteSet follows;           // the bytes these can take
    bool few;                  // of those: they are looked for, not the nodes gone through
  };
  std::vector<WalkFrame> frames_;
  std::vector<Config> walked_;
  std::vector<Ended> ended_;
  std::vector<std::pair<RowId, AcceptId>> together_;
  std::vector<Item> todo_;
  ItemSet seen_;
  struct Brought {  // by the row whose making is this round
    std::uint64_t round = 0;
    RowId row = 0;
  };
  std::uint64_t round_ = 0;
  std::vector<Brought> brought_;  // by rule: a row whose waits for it are there already
};

}  // namespace slm

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

#include "core/composer.h"
#include "core/grammar.h"
#include "core/hash.h"
#include "core/items.h"
#include "core/lexer.h"
#include "core/line_breaks.h"
#include "core/predictions.h"
#include "core/recogniser.h"
#include "core/regex.h"
#include "core/shape_walks.h"
#include "core/shapes.h"
#include "core/terminal_tables.h"
#include "core/token_costs.h"

namespace slm {

using RowId = std::uint32_t;

class EarleyRecogniser final : public Recogniser, private RowView {
 public:
  /// Throws NoText when the grammar matches nothing, TooComplex past a bound.
  EarleyRecogniser(Program program, std::shared_ptr<TerminalTables> shared);

  static void* operator new(std::size_t size);
  static void operator delete(void* memory) noexcept;

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
  /// Whether the grammar has been measured for that, which is as much work as there are rules.
  bool is_measured() const noexcept { return byte_costs_ != nullptr; }
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

  static constexpr std::size_t kFewWaits = 8;  // so many are brought along without a look

  /// Bytes that stand for something else than text, and are in no token that a walk may find.
  void never_walk(const ByteSet& bytes) noexcept { never_ = bytes; }

  /// A node, and the state there.
  struct Line {
    std::uint32_t node;
    StateId state;
  };
  /// Where a walk comes to a line break that a token goes on behind, and one of `marks` may follow.
  ///
  /// Cost: a walk by shape to the line breaks, and the ways to those that are found; or, where no
  /// shapes are used, O(nodes visited), none without a line break at or below it.
  void lines(const ByteTrie& trie, std::uint32_t first, std::uint32_t last, StateId state,
             const LineBreaks& breaks, const ByteSet& marks, std::vector<Line>& found);

  /// For tests, which have few tokens: so many are worth a table by shape, and below a node a walk
  /// of its own.
  void share_walks_from(std::size_t tokens) noexcept {
    few_tokens_ = many_tokens_ = short_steps_ = tokens;
  }

  /// For tests: tables of walks are thrown away when they take more.
  void keep_walks_within(std::size_t bytes) noexcept { walk_bytes_ = bytes; }

  /// From now on all rows are made item by item: what tests compare the other way with.
  void make_rows_by_items() noexcept { rows_by_items_ = true; }

  /// The same of rules that begin in as much of a row as waits for them.
  void begin_in_whole_rows() noexcept { whole_rows_ = true; }

 private:
  struct Interned;
  struct Local;
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
  RowId intern_row(std::vector<Item>& items, bool accepting);
  RowId after_complete(RuleId rule, RowId origin);
  RowId advance_all(std::span<const std::pair<RowId, AcceptId>> ended);
  std::pair<RuleId, RowId> skip(RuleId rule, RowId origin);
  RowId advance_one(RowId row, AcceptId set);
  template <class Settled>
  void step_configs(std::span<const Config> from, std::uint8_t byte, std::vector<Config>& to,
                    bool& complete, Settled enough);
  static constexpr auto all_matters = [] { return false; };
  template <class Settled, class Advance>
  void step_readings(std::span<const Config> from, std::uint8_t byte, std::vector<Config>& to,
                     Settled enough, Advance advance);
  template <class Step, class Take>
  bool walk_nodes(const ByteTrie& trie, std::uint32_t first, std::uint32_t last, Step step,
                  Take take);
  bool walk_from(const ByteTrie& trie, std::uint32_t first, std::uint32_t last,
                 std::vector<TokenId>& tokens);
  template <class Within, class Tell>
  void lines_within(const ByteTrie& trie, std::uint32_t first, std::uint32_t last, StateId state,
                    const ByteSet& marks, Within within, Tell tell);
  bool walk_by_shapes(const ByteTrie& trie, std::uint32_t first, std::uint32_t last, StateId state,
                      std::vector<TokenId>& tokens);
  /// Of a walk by shape: what to read from a configuration below a place.
  struct Job {
    ShapeWalks::PlaceId place;
    Config config;
    std::uint32_t part;  // of the row's items: those with this origin, by number; or:
    static constexpr std::uint32_t kAll = ~std::uint32_t{0};
    static constexpr std::uint32_t kTerminal = kAll - 1;  // all, and one terminal is being read
    bool operator==(const Job&) const = default;
  };
  void add_job(const Job& job) {
    if (jobs_known_.insert(job)) jobs_.push_back(job);
  }
  static constexpr std::uint32_t kMostParts = 256;
  bool has_parts(RowId row) const noexcept {
    const std::uint32_t origins = shape_of(row).origins;
    return origins > 1 && origins <= kMostParts;
  }
  void add_jobs(ShapeWalks::PlaceId place, RowId row, ObligationId obligation);
  bool cut_by_origins(const Job& job);
  bool cut_by_terminals(const Job& job);
  bool walk_plainly(const Job& job, std::size_t steps, std::vector<TokenId>& tokens);
  void take_table(const Job& job, std::uint32_t table, std::vector<TokenId>& tokens);
  ShapeWalks::Table make_walk(const ShapeWalks::From& from);
  ShapeWalks::Table read_walk(const ShapeWalks::From& from);
  void configs_of(StateId state, std::vector<Config>& configs) const;
  /// What a lexer state has for `parts`, whatever the row.
  struct LexerParts {
    struct One {
      TerminalId terminal;
      NodeId node, wider;
      LexId lexer;  // reads nothing else
    };
    std::vector<One> wide;
    LexId narrow = 0;  // all else together
  };
  const LexerParts& lexer_parts(LexId lexer);
  void add_part(RowId row, const LexerParts::One& part);
  void complete(RuleId rule, RowId origin, std::vector<Item>& todo);
  RowId begun(RowId row, RuleId rule);
  void begin(std::vector<Item>& items, std::size_t from, RowId row);
  bool waits_include(RowId more, RowId less, RuleId rule);
  std::pair<RuleId, RowId> topmost(RuleId rule, RowId origin);

  ShapeId shape_number(RowId row) const noexcept { return rows_.words(row)[0]; }
  const Shape& shape_of(RowId row) const noexcept { return shapes_[shape_number(row)]; }
  LexId lexer_of(RowId row) { return shapes_.lexer(shape_number(row)); }
  /// Calls `tell` with the items of a row that wait for a terminal, moved past it.
  template <class Tell>
  void each_terminal(RowId row, TerminalId terminal, Tell tell) const {
    std::span<const std::uint32_t> words = rows_.words(row);
    const Shape& shape = shapes_[words[0]];
    for (const Shape::Wait& wait : Shape::waiting(shape.terminals, terminal)) {
      tell(Item{wait.after.position, wait.after.count, words[wait.after.origin + 1]});
    }
    predictions_.each_terminal(shape.predicted, terminal, [&](const auto& wait) {
      tell(Item{wait.position, wait.count, row});
    });
  }
  /// The same for a rule; those that began in the row itself, and the others.
  template <class Tell>
  void each_rule_here(RowId row, RuleId rule, Tell tell) const {
    predictions_.each_rule(shape_of(row).predicted, rule,
                           [&](const auto& wait) { tell(Item{wait.position, wait.count, row}); });
  }
  template <class Tell>
  void each_rule_before(RowId row, RuleId rule, Tell tell) const {
    std::span<const std::uint32_t> words = rows_.words(row);
    for (const Shape::Wait& wait : Shape::waiting(shapes_[words[0]].rules, rule)) {
      tell(Item{wait.after.position, wait.after.count, words[wait.after.origin + 1]});
    }
  }

  std::shared_ptr<TerminalTables> shared_;
  GrammarTables grammar_;
  Lexer lexer_;
  Predictions predictions_;
  Shapes shapes_;
  bool rows_by_items_ = false, whole_rows_ = false;
  static constexpr std::size_t kAnySteps = ~std::size_t{0};
  std::size_t few_tokens_ = 64, many_tokens_ = 256, short_steps_ = 128;
  std::size_t walk_bytes_ = std::size_t{48} << 20;
  std::size_t steps_left_ = kAnySteps;  // of a walk
  SequencePool rows_;                   // a row's shape, and the rows that its origins stand for
  Composer composer_{shapes_};
  ShapeWalks walks_;
  ByteSet never_;           // bytes that no token has
  FlatMap after_complete_;  // by rule and row
  FlatMap advances_one_;    // by row and terminals ended
  SequencePool advances_;
  std::vector<RowId> advanced_;  // by number in advances_
  SequencePool configs_;         // states: complete, then (row, lexer, obligation)…
  std::unordered_map<std::uint64_t, std::pair<RuleId, RowId>> topmost_, skipped_;
  SequencePool inclusions_;     // (row, row, rule): whether the first waits with all of the second
  std::vector<bool> included_;  // by number in inclusions_
  std::vector<std::uint32_t> parts_of_;  // by lexer state: a place in lexer_parts_, or 0
  std::vector<LexerParts> lexer_parts_{1};
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
  std::vector<std::uint32_t> words_, key_, origins_;
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
  std::vector<TokenId> marked_;
  std::vector<Ended> ended_;
  std::vector<Job> jobs_;
  RoundSet<Job> jobs_known_;
  std::vector<std::pair<RowId, AcceptId>> together_;
  std::vector<Item> todo_, kernel_;
  ItemSet seen_;
  struct Brought {  // by the row whose making is this round
    std::uint64_t round = 0;
    RowId row = 0;
  };
  std::uint64_t round_ = 0;
  std::vector<Brought> brought_;  // by rule: a row whose waits for it are there already
};

}  // namespace slm

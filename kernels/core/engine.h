// A compiled grammar for one vocabulary, and a position in one text.
#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/budget.h"
#include "core/forced.h"
#include "core/masks.h"
#include "core/program.h"
#include "core/recogniser.h"
#include "core/trie.h"

namespace slm {

/// What a vocabulary brings to every grammar. Shared, safe between threads.
class VocabularyTables {
 public:
  explicit VocabularyTables(std::vector<std::string> tokens)
      : trie(std::move(tokens)), index(trie), phases(trie) {}

  /// The expressions and tables that new grammars share. Those of grammars that are gone are let go
  /// of, all at once, when they have become many.
  std::shared_ptr<TerminalTables> terminals();

  const TokenTrie trie;
  const TokenIndex index;
  TokenPhases phases;

  static constexpr std::size_t kSharedBytes = 256u << 20;

 private:
  std::mutex mutex_;
  std::shared_ptr<TerminalTables> current_;
};

/// Counters for an operator.
struct EngineStats {
  std::size_t states, bytes, mask_bytes;
  std::uint64_t mask_hits, mask_misses;
};

/// A grammar compiled for a vocabulary. Shared by threads: tables grow behind one lock.
class Engine {
 public:
  Engine(Program program, std::shared_ptr<VocabularyTables> vocabulary,
         std::vector<TokenId> end_tokens);

  StateId start() const noexcept { return recogniser_->start(); }
  StateId step(StateId state, std::string_view bytes);
  bool can_end(StateId state);

  /// Writes every word of `row`: the tokens that keep the text viable, and the end tokens when it
  /// may end here.
  void fill_mask(StateId state, std::span<std::uint32_t> row);

  /// The same bits without tables or memory of masks: what `fill_mask` is tested against.
  void walk_mask(StateId state, std::span<std::uint32_t> row);

  /// `fill_mask`, if that needs no work and the tables are free; else does nothing.
  bool try_fill_mask(StateId state, std::span<std::uint32_t> row);

  /// `fill_mask`, without the text tokens after which the text cannot be finished with fewer than
  /// `budget` more. See BudgetMasks.
  void fill_mask_within(StateId state, Cost budget, std::span<std::uint32_t> row);

  /// How many tokens are missing, the end token not counted.
  TokensLeft tokens_left(StateId state);
  bool fits(StateId state, Cost budget);

  /// How many leading bytes survive.
  std::size_t viable_length(StateId state, std::string_view bytes);

  /// The bytes every continuation starts with, up to `limit` of them.
  std::string forced_bytes(StateId state, std::size_t limit);

  /// See forced.h.
  LookAhead look_ahead(StateId state, std::size_t limit, std::size_t kinds);
  OnlyTokens only_tokens(StateId state, std::size_t limit);

  std::vector<Expectation> expected(StateId state, std::string_view after);
  EngineStats stats();

  bool is_end_token(TokenId token) const noexcept;
  const TokenTrie& trie() const noexcept { return vocabulary_->trie; }
  std::span<const TokenId> end_tokens() const noexcept { return end_tokens_; }

  static constexpr std::size_t kMaskMemory = 64u << 20;

 private:
  template <class Work>
  auto locked(Work work) -> decltype(work());
  void copy_mask(StateId state, std::span<std::uint32_t> row);
  void add_ends(StateId state, std::span<std::uint32_t> row) const;
  StateId walk(StateId state, std::string_view bytes);
  BudgetMasks& budgets();

  std::shared_ptr<VocabularyTables> vocabulary_;
  std::shared_ptr<TerminalTables> terminals_;
  std::unique_ptr<Recogniser> recogniser_;
  std::vector<TokenId> end_tokens_;
  MaskMemo masks_;
  std::unique_ptr<BudgetMasks> budgets_;  // made when first asked for
  std::mutex mutex_;
  std::string broken_;  // why the tables cannot grow any more, if so
};

/// A position in one text: the only mutable thing. Not shared between threads.
class Session {
 public:
  explicit Session(std::shared_ptr<Engine> engine)
      : engine_(std::move(engine)), states_{engine_->start()} {}

  void fill_mask(std::span<std::uint32_t> row);
  bool try_fill_mask(std::span<std::uint32_t> row);
  void fill_mask_within(std::span<std::uint32_t> row, Cost budget);
  TokensLeft tokens_left();
  bool fits(Cost budget) { return finished_ || engine_->fits(states_.back(), budget); }

  /// Moves past a token, or returns false and changes nothing. After an end token, a further one
  /// changes nothing either.
  bool accept(TokenId token);

  /// Whether `accept` would take the token; changes nothing.
  bool check(TokenId token) const;

  /// Takes back the last `count` accepted tokens; false when there are not that many.
  bool rollback(std::size_t count);

  bool is_complete() { return finished_ || engine_->can_end(states_.back()); }
  bool is_finished() const noexcept { return finished_; }
  StateId state() const noexcept { return states_.back(); }
  std::span<const TokenId> tokens() const noexcept { return tokens_; }
  std::shared_ptr<Engine> shared_engine() const noexcept { return engine_; }

  /// A session at the same place without its past: it costs nothing to copy.
  Session here() const {
    Session copy(engine_);
    copy.states_.back() = states_.back();
    copy.finished_ = finished_;
    return copy;
  }
  Engine& engine() const noexcept { return *engine_; }

 private:
  void fill_end(std::span<std::uint32_t> row) const;

  std::shared_ptr<Engine> engine_;
  std::vector<StateId> states_;  // before each accepted text token, and now
  std::vector<TokenId> tokens_;  // accepted
  bool finished_ = false;        // the last of them is an end token
};

}  // namespace slm

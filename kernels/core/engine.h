// A compiled grammar for one vocabulary.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <exception>
#include <filesystem>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/budget.h"
#include "core/forced.h"
#include "core/masks.h"
#include "core/program.h"
#include "core/recogniser.h"
#include "core/table_store.h"
#include "core/trie.h"

namespace slm {

/// What a vocabulary brings to every grammar. Shared, safe between threads.
class VocabularyTables {
 public:
  /// `folder`: where tables are kept for other processes; none: nowhere. `least`: see TableStore.
  explicit VocabularyTables(std::vector<std::string> tokens,
                            std::optional<std::filesystem::path> folder = std::nullopt,
                            std::chrono::nanoseconds least = TableStore::kLeast);

  /// The expressions and tables that new grammars share. Those of grammars that are gone are let go
  /// of, all at once, when they have become many.
  std::shared_ptr<TerminalTables> terminals();

  /// Of the tables that new grammars get now, and how often they began anew.
  struct Stats {
    std::size_t expressions = 0, bytes = 0, generations = 0;
  };
  Stats stats();

  /// Tables on disk; none: there is no folder.
  TableStore* store() const noexcept { return store_.get(); }

  const TokenTrie trie;
  const TokenIndex index;
  TokenPhases phases;

  static constexpr std::size_t kSharedBytes = 256u << 20;

 private:
  std::unique_ptr<TableStore> store_;
  std::mutex mutex_;
  std::shared_ptr<TerminalTables> current_;
  std::size_t generations_ = 0;
};

/// Counters for an operator; bytes are those of the grammar's own tables.
struct EngineStats {
  std::size_t states = 0, bytes = 0, mask_bytes = 0;
  std::uint64_t mask_hits = 0, mask_misses = 0;
};

/// An engine was asked that has given its tables back; see EngineSource. Its states mean nothing
/// any more: ask its successor, with that one's.
class Retired : public std::exception {
 public:
  const char* what() const noexcept override { return "the engine has retired"; }
};

/// A grammar compiled for a vocabulary. Shared by threads: tables grow behind one lock.
///
/// All that takes a state throws Retired after `retire`, and TooComplex once a bound was hit.
class Engine {
 public:
  /// `memory`: the bytes that its tables may take before `full` says so. Masks get a quarter.
  Engine(Program program, std::shared_ptr<VocabularyTables> vocabulary,
         std::vector<TokenId> end_tokens, std::size_t memory = kMemory);
  ~Engine();

  StateId start() const noexcept { return start_; }
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

  /// Whether the last of some bytes is refused for what is remembered, and not by the rules.
  bool forbids(StateId state, std::string_view bytes);

  /// The bytes every continuation starts with, up to `limit` of them.
  std::string forced_bytes(StateId state, std::size_t limit);

  /// See forced.h.
  LookAhead look_ahead(StateId state, std::size_t limit, std::size_t kinds);
  OnlyTokens only_tokens(StateId state, std::size_t limit);

  std::vector<Expectation> expected(StateId state, std::string_view after);
  EngineStats stats() const;

  bool is_end_token(TokenId token) const noexcept;
  const TokenTrie& trie() const noexcept { return vocabulary_->trie; }
  std::span<const TokenId> end_tokens() const noexcept { return end_tokens_; }

  /// No other engine of this process has it, or had it.
  std::uint64_t serial() const noexcept { return serial_; }

  /// Whether the tables have outgrown their memory. Checked now and then, as they grow.
  bool full() const noexcept { return full_.load(std::memory_order_relaxed); }

  /// The states after each of some text tokens, from the start; kDead from where they leave it.
  ///
  /// What grows here is needed by a text that is being written: `full` is only said when the tables
  /// have more than doubled beyond that. So a memory that is too small for the texts of a moment is
  /// exceeded, and not gained and lost all the time.
  std::vector<StateId> replay(std::span<const TokenId> tokens);

  /// The grammar as it arrived.
  Program program() const;
  /// Lets go of the tables; returns what was counted until then.
  EngineStats retire();

  static constexpr std::size_t kMemory = 256u << 20;

 private:
  struct Tables;
  template <class Work>
  auto locked(Work work) -> decltype(work());
  void watch();
  std::size_t own_bytes() const;
  std::size_t shared_bytes() const;
  EngineStats counted() const;
  void copy_mask(StateId state, std::span<std::uint32_t> row);
  void add_ends(StateId state, std::span<std::uint32_t> row) const;
  StateId walk(StateId state, std::string_view bytes);
  BudgetMasks& budgets();

  const std::uint64_t serial_;
  std::shared_ptr<VocabularyTables> vocabulary_;
  std::vector<TokenId> end_tokens_;
  std::size_t memory_;
  std::unique_ptr<Tables> tables_;  // none: retired
  StateId start_;
  mutable std::mutex mutex_;
  std::string broken_;             // why the tables cannot grow any more, if so
  std::size_t needed_ = 0;         // bytes: when new, and what `replay` added
  std::size_t shared_needed_ = 0;  // bytes of the shared tables: when new, or last replayed into
  std::size_t watched_states_ = 0;
  std::uint32_t unwatched_ = 0;  // questions since the tables were last looked at
  std::atomic<bool> full_{false};
};

}  // namespace slm

// The engine of a grammar through time: one after the other, each within its memory.
#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <vector>

#include "core/engine.h"

namespace slm {

/// Counters of all engines of a grammar so far; sizes of the one at work.
struct SourceStats {
  EngineStats engine;
  std::uint64_t renewals = 0;  // how often a new engine took over
};

/// Makes an engine anew, from the grammar, when the one at work has outgrown its memory.
///
/// The old one gives its tables back at once, whoever still holds it: sessions come here for the
/// new one and walk their tokens through it (`Session::settle`). Nothing is carried over, so what
/// an engine answers does not depend on how many there were before it. Safe between threads.
class EngineSource {
 public:
  EngineSource(Program program, std::shared_ptr<VocabularyTables> vocabulary,
               std::vector<TokenId> end_tokens, std::size_t memory = Engine::kMemory);

  std::shared_ptr<Engine> current();

  /// The engine to go on with in place of one that is full.
  std::shared_ptr<Engine> after(const std::shared_ptr<Engine>& full);

  SourceStats stats();
  VocabularyTables& vocabulary() const noexcept { return *vocabulary_; }
  std::size_t memory() const noexcept { return memory_; }

 private:
  std::shared_ptr<VocabularyTables> vocabulary_;
  std::vector<TokenId> end_tokens_;
  std::size_t memory_;
  std::mutex mutex_;
  std::shared_ptr<Engine> current_;
  std::uint64_t renewals_ = 0, past_hits_ = 0, past_misses_ = 0;
};

}  // namespace slm

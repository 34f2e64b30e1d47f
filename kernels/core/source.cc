#include "core/source.h"

#include <utility>

namespace slm {

EngineSource::EngineSource(Program program, std::shared_ptr<VocabularyTables> vocabulary,
                           std::vector<TokenId> end_tokens, std::size_t memory)
    : vocabulary_(std::move(vocabulary)),
      end_tokens_(std::move(end_tokens)),
      memory_(memory),
      current_(std::make_shared<Engine>(std::move(program), vocabulary_, end_tokens_, memory_)) {}

std::shared_ptr<Engine> EngineSource::current() {
  std::lock_guard lock(mutex_);
  return current_;
}

std::shared_ptr<Engine> EngineSource::after(const std::shared_ptr<Engine>& full) {
  std::lock_guard lock(mutex_);
  if (current_ == full) {
    auto fresh = std::make_shared<Engine>(full->program(), vocabulary_, end_tokens_, memory_);
    EngineStats past = full->retire();
    past_hits_ += past.mask_hits;
    past_misses_ += past.mask_misses;
    ++renewals_;
    current_ = std::move(fresh);
  }
  return current_;
}

SourceStats EngineSource::stats() {
  std::lock_guard lock(mutex_);
  SourceStats stats{current_->stats(), renewals_};
  stats.engine.mask_hits += past_hits_;
  stats.engine.mask_misses += past_misses_;
  return stats;
}

}  // namespace slm

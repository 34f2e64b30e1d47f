// A position in one text.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/engine.h"
#include "core/history.h"
#include "core/source.h"

namespace slm {

/// The only mutable thing. Not shared between threads.
///
/// Made from an engine it stays with that; made from a source it moves on to the next engine when
/// its own is full: every question begins with `settle`, and is asked again if the engine retired
/// while it was on its way.
class Session {
 public:
  explicit Session(std::shared_ptr<Engine> engine)
      : engine_(std::move(engine)), history_(engine_->start()) {}
  explicit Session(std::shared_ptr<EngineSource> source)
      : source_(std::move(source)), engine_(source_->current()), history_(engine_->start()) {}

  void fill_mask(std::span<std::uint32_t> row);
  /// `fill_mask`, if that needs no work; else does nothing.
  bool try_fill_mask(std::span<std::uint32_t> row);
  void fill_mask_within(std::span<std::uint32_t> row, Cost budget);
  void walk_mask(std::span<std::uint32_t> row);
  TokensLeft tokens_left();
  bool fits(Cost budget);

  /// Sessions of one engine whose place is the same have the same mask. No end: an engine that is
  /// full is left first, so places stay few.
  struct Place {
    std::uint64_t engine;  // its serial number
    StateId state;
    bool finished;
  };
  Place place() {
    settle();
    return {engine_->serial(), history_.state(), finished_};
  }

  /// Moves past a token, or returns false and changes nothing. After an end token, a further one
  /// changes nothing either.
  bool accept(TokenId token);

  /// Whether `accept` would take the token; changes nothing.
  bool check(TokenId token);

  /// Takes back the last `count` accepted tokens; false when there are not that many.
  bool rollback(std::size_t count);

  /// An independent session with the same past. Cost: O(1).
  Session fork() {
    History past = history_.fork();
    Session other(*this, std::move(past));
    return other;
  }

  bool is_complete();
  bool is_finished() const noexcept { return finished_; }
  std::size_t viable_length(std::string_view bytes);
  bool forbids(std::string_view bytes);
  std::string forced_bytes(std::size_t limit);
  LookAhead look_ahead(std::size_t limit, std::size_t kinds);
  OnlyTokens only_tokens(std::size_t limit);
  std::vector<Expectation> expected(std::string_view after);

  std::size_t size() const noexcept { return history_.size(); }  // tokens
  std::vector<TokenId> tokens() const { return history_.tokens(); }

  /// Goes on with an engine that is not full. Cost: O(1), or a walk through the text so far.
  void settle() {
    if (source_ && engine_->full()) move_on();
  }
  /// Calls `work(engine, state)`, once more for every engine that retired meanwhile.
  template <class Work>
  auto ask(Work work) {
    for (;;) {
      try {
        settle();
        return work(*engine_, history_.state());
      } catch (const Retired&) {  // then it was full
      }
    }
  }

  StateId state() const noexcept { return history_.state(); }
  Engine& engine() const noexcept { return *engine_; }
  std::shared_ptr<Engine> shared_engine() const noexcept { return engine_; }

 private:
  Session(const Session& other, History past)
      : source_(other.source_),
        engine_(other.engine_),
        history_(std::move(past)),
        finished_(other.finished_) {}
  void fill_end(std::span<std::uint32_t> row) const;
  void move_on();

  std::shared_ptr<EngineSource> source_;  // none: stays with the engine
  std::shared_ptr<Engine> engine_;
  History history_;        // an end token leaves the state as it is
  bool finished_ = false;  // the last token is an end token
};

}  // namespace slm

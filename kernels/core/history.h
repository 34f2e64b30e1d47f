// What was accepted so far, so that forks share it.
#pragma once

#include <atomic>
#include <cstddef>
#include <utility>
#include <vector>

#include "core/recogniser.h"
#include "core/trie.h"

namespace slm {

/// The tokens of a text, each with the state after it.
///
/// A fork moves what its history has of its own into a piece that both share from then on. Pieces
/// never change, and each knows how much of the one before it counts: a rollback into a shared
/// piece only counts less of it.
///
/// Invariants: the pieces of a chain, each up to the next one's `before_size`, and then `own_` are
/// the steps in order; `state()` is the last one's, or the start. Not shared between threads; the
/// pieces may be.
/// Cost: `push` as for a vector, `fork` O(1), `rollback` O(steps taken back).
class History {
 public:
  explicit History(StateId start) noexcept : start_(start), state_(start) {}

  StateId state() const noexcept { return state_; }
  std::size_t size() const noexcept { return shared_size_ + own_.size(); }

  void push(TokenId token, StateId state) {
    own_.push_back({token, state});
    state_ = state;
  }

  /// Takes back the last steps. Precondition: there are as many.
  void rollback(std::size_t count) noexcept {
    if (count <= own_.size()) {
      own_.resize(own_.size() - count);
    } else {
      shared_size_ -= count - own_.size();
      own_.clear();
      while (shared_.get() != nullptr && shared_size_ <= shared_.get()->before_size) {
        shared_ = Shared(shared_.get()->before);
      }
    }
    if (!own_.empty()) {
      state_ = own_.back().state;
    } else if (const Piece* piece = shared_.get()) {
      state_ = piece->steps[shared_size_ - piece->before_size - 1].state;
    } else {
      state_ = start_;
    }
  }

  /// An independent history with the same past.
  History fork() {
    if (!own_.empty()) {
      std::size_t size = this->size();
      shared_ = Shared(new Piece{std::move(shared_), shared_size_, std::move(own_)});
      own_.clear();  // moved from
      shared_size_ = size;
    }
    return *this;
  }

  std::vector<TokenId> tokens() const {
    std::vector<TokenId> tokens(size());
    std::size_t end = size();
    for (std::size_t i = own_.size(); i-- > 0;) tokens[--end] = own_[i].token;
    for (const Piece* piece = shared_.get(); piece != nullptr; piece = piece->before.get()) {
      while (end > piece->before_size) {
        --end;
        tokens[end] = piece->steps[end - piece->before_size].token;
      }
    }
    return tokens;
  }

 private:
  struct Step {
    TokenId token;
    StateId state;
  };
  struct Piece;
  /// A counted pointer. Unlike std::shared_ptr's, its end is no recursion: chains may be long.
  class Shared {
   public:
    Shared() = default;
    explicit Shared(Piece* piece) noexcept : piece_(piece) {}  // made with one owner: this one
    Shared(const Shared& other) noexcept : piece_(other.piece_) {
      if (piece_ != nullptr) piece_->owners.fetch_add(1, std::memory_order_relaxed);
    }
    Shared(Shared&& other) noexcept : piece_(std::exchange(other.piece_, nullptr)) {}
    Shared& operator=(Shared other) noexcept {
      std::swap(piece_, other.piece_);
      return *this;
    }
    ~Shared() {
      Piece* piece = piece_;
      while (piece != nullptr && piece->owners.fetch_sub(1, std::memory_order_acq_rel) == 1) {
        Piece* before = std::exchange(piece->before.piece_, nullptr);
        delete piece;
        piece = before;
      }
    }
    const Piece* get() const noexcept { return piece_; }

   private:
    Piece* piece_ = nullptr;
  };
  struct Piece {
    Shared before;
    std::size_t before_size;  // steps in the pieces before this one
    std::vector<Step> steps;
    std::atomic<std::size_t> owners{1};
  };

  StateId start_, state_;
  std::size_t shared_size_ = 0;  // steps in `shared_` and before
  Shared shared_;
  std::vector<Step> own_;
};

}  // namespace slm

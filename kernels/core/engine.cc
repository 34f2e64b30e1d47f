#include "core/engine.h"

#include <algorithm>
#include <stdexcept>

#include "core/earley.h"

namespace slm {

std::shared_ptr<TerminalTables> VocabularyTables::terminals() {
  std::lock_guard lock(mutex_);
  bool full = false;
  if (current_) {
    std::lock_guard inner(current_->mutex);
    full = current_->bytes() > kSharedBytes;
  }
  if (!current_ || full) current_ = std::make_shared<TerminalTables>(index);
  return current_;
}

Engine::Engine(Program program, std::shared_ptr<VocabularyTables> vocabulary,
               std::vector<TokenId> end_tokens)
    : vocabulary_(std::move(vocabulary)),
      terminals_(program.has_automata() ? std::make_shared<TerminalTables>(vocabulary_->index)
                                        : vocabulary_->terminals()),
      recogniser_(std::make_unique<EarleyRecogniser>(std::move(program), terminals_)),
      end_tokens_(std::move(end_tokens)),
      masks_(vocabulary_->trie, *terminals_, *recogniser_, kMaskMemory) {
  for (TokenId token : end_tokens_) {
    if (token >= vocabulary_->trie.vocabulary()) throw std::invalid_argument("no such end token");
  }
}

StateId Engine::walk(StateId state, std::string_view bytes) {
  for (char c : bytes) {
    state = recogniser_->step(state, static_cast<std::uint8_t>(c));
    if (state == kDead) break;
  }
  return state;
}

/// Runs `work` under the lock. A grammar that hit a bound, or the end of memory, has half-made
/// tables: it says the same again from then on, to everyone.
template <class Work>
auto Engine::locked(Work work) -> decltype(work()) {
  std::lock_guard lock(mutex_);
  if (!broken_.empty()) throw TooComplex(broken_);
  try {
    return work();
  } catch (const std::exception& error) {
    broken_ = error.what();
    throw;
  }
}

StateId Engine::step(StateId state, std::string_view bytes) {
  return locked([&] { return walk(state, bytes); });
}

bool Engine::can_end(StateId state) {
  return locked([&] { return recogniser_->can_end(state); });
}

void Engine::copy_mask(StateId state, std::span<std::uint32_t> row) {
  masks_.fill(state, row);
  std::size_t words = (vocabulary_->trie.vocabulary() + 31) / 32;
  std::fill(row.begin() + static_cast<std::ptrdiff_t>(words), row.end(), 0u);
  add_ends(state, row);
}

void Engine::add_ends(StateId state, std::span<std::uint32_t> row) const {
  if (recogniser_->can_end(state)) {
    for (TokenId token : end_tokens_) row[token >> 5] |= 1u << (token & 31);
  }
}

void Engine::fill_mask(StateId state, std::span<std::uint32_t> row) {
  locked([&] { copy_mask(state, row); });
}

bool Engine::try_fill_mask(StateId state, std::span<std::uint32_t> row) {
  std::unique_lock lock(mutex_, std::try_to_lock);
  if (!lock.owns_lock() || !masks_.knows(state)) return false;
  copy_mask(state, row);
  return true;
}

void Engine::walk_mask(StateId state, std::span<std::uint32_t> row) {
  locked([&] {
    std::fill(row.begin(), row.end(), 0u);
    walk_trie(vocabulary_->trie.trie(), *recogniser_, state, row);
    add_ends(state, row);
  });
}

BudgetMasks& Engine::budgets() {
  if (!budgets_)
    budgets_ = std::make_unique<BudgetMasks>(vocabulary_->phases, *recogniser_, masks_);
  return *budgets_;
}

void Engine::fill_mask_within(StateId state, Cost budget, std::span<std::uint32_t> row) {
  locked([&] {
    budgets().fill(state, budget, row);
    add_ends(state, row);
  });
}

TokensLeft Engine::tokens_left(StateId state) {
  return locked([&] { return budgets().fewest(state); });
}

bool Engine::fits(StateId state, Cost budget) {
  return locked([&] { return budgets().fits(state, budget); });
}

std::size_t Engine::viable_length(StateId state, std::string_view bytes) {
  return locked([&] {
    for (std::size_t i = 0; i < bytes.size(); ++i) {
      state = recogniser_->step(state, static_cast<std::uint8_t>(bytes[i]));
      if (state == kDead) return i;
    }
    return bytes.size();
  });
}

std::string Engine::forced_bytes(StateId state, std::size_t limit) {
  return locked([&] {
    std::string forced;
    while (forced.size() < limit && !recogniser_->can_end(state)) {
      int only = -1;
      StateId next = kDead;
      for (int byte = 0; byte < 256; ++byte) {
        StateId after = recogniser_->step(state, static_cast<std::uint8_t>(byte));
        if (after == kDead) continue;
        if (only >= 0) return forced;
        only = byte;
        next = after;
      }
      if (only < 0) break;
      forced.push_back(static_cast<char>(only));
      state = next;
    }
    return forced;
  });
}

LookAhead Engine::look_ahead(StateId state, std::size_t limit, std::size_t kinds) {
  const ByteTrie& trie = vocabulary_->trie.trie();
  return locked([&] { return slm::look_ahead(*recogniser_, trie, state, limit, kinds); });
}

OnlyTokens Engine::only_tokens(StateId state, std::size_t limit) {
  const ByteTrie& trie = vocabulary_->trie.trie();
  return locked([&] { return slm::only_tokens(*recogniser_, trie, state, limit); });
}

std::vector<Expectation> Engine::expected(StateId state, std::string_view after) {
  return locked([&] { return recogniser_->expected(walk(state, after)); });
}

EngineStats Engine::stats() {
  std::lock_guard lock(mutex_);
  std::size_t budget_bytes = budgets_ ? budgets_->bytes() : 0;
  return {recogniser_->states(), recogniser_->bytes() + budget_bytes, masks_.bytes(), masks_.hits(),
          masks_.misses()};
}

bool Engine::is_end_token(TokenId token) const noexcept {
  return std::find(end_tokens_.begin(), end_tokens_.end(), token) != end_tokens_.end();
}

void Session::fill_end(std::span<std::uint32_t> row) const {
  std::fill(row.begin(), row.end(), 0u);
  for (TokenId token : engine_->end_tokens()) row[token >> 5] |= 1u << (token & 31);
}

void Session::fill_mask(std::span<std::uint32_t> row) {
  if (finished_) {
    fill_end(row);
  } else {
    engine_->fill_mask(states_.back(), row);
  }
}

bool Session::try_fill_mask(std::span<std::uint32_t> row) {
  if (!finished_) return engine_->try_fill_mask(states_.back(), row);
  fill_end(row);
  return true;
}

void Session::fill_mask_within(std::span<std::uint32_t> row, Cost budget) {
  if (finished_) {
    fill_end(row);
  } else {
    engine_->fill_mask_within(states_.back(), budget, row);
  }
}

TokensLeft Session::tokens_left() {
  return finished_ ? TokensLeft{0, true} : engine_->tokens_left(states_.back());
}

bool Session::accept(TokenId token) {
  if (token >= engine_->trie().vocabulary()) return false;
  if (engine_->is_end_token(token)) {
    if (finished_) return true;
    if (!is_complete()) return false;
    finished_ = true;
    tokens_.push_back(token);
    return true;
  }
  if (finished_) return false;
  const std::string& bytes = engine_->trie().bytes_of(token);
  if (bytes.empty()) return false;  // special tokens match no text
  StateId next = engine_->step(states_.back(), bytes);
  if (next == kDead) return false;
  states_.push_back(next);
  tokens_.push_back(token);
  return true;
}

bool Session::check(TokenId token) const {
  if (token >= engine_->trie().vocabulary()) return false;
  if (engine_->is_end_token(token)) return finished_ || engine_->can_end(states_.back());
  const std::string& bytes = engine_->trie().bytes_of(token);
  return !finished_ && !bytes.empty() && engine_->step(states_.back(), bytes) != kDead;
}

bool Session::rollback(std::size_t count) {
  if (count > tokens_.size()) return false;
  if (count == 0) return true;
  tokens_.resize(tokens_.size() - count);
  states_.resize(tokens_.size() + 1);  // an end token left no state
  finished_ = false;
  return true;
}

}  // namespace slm

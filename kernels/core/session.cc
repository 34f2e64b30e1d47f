#include "core/session.h"

#include <algorithm>
#include <stdexcept>

namespace slm {

void Session::move_on() {
  std::shared_ptr<Engine> next = source_->after(engine_);
  std::vector<TokenId> tokens = history_.tokens();
  std::size_t texts = tokens.size() - (finished_ ? 1 : 0);
  std::vector<StateId> states = next->replay({tokens.data(), texts});
  if (!states.empty() && states.back() == kDead) {
    throw std::logic_error("an engine refuses what the one before it accepted");
  }
  History history(next->start());
  for (std::size_t i = 0; i < texts; ++i) history.push(tokens[i], states[i]);
  if (finished_) history.push(tokens.back(), history.state());
  history_ = std::move(history);
  engine_ = std::move(next);
}

void Session::fill_end(std::span<std::uint32_t> row) const {
  std::fill(row.begin(), row.end(), 0u);
  for (TokenId token : engine_->end_tokens()) row[token >> 5] |= 1u << (token & 31);
}

void Session::fill_mask(std::span<std::uint32_t> row) {
  if (finished_) return fill_end(row);
  ask([&](Engine& engine, StateId state) { engine.fill_mask(state, row); });
}

bool Session::try_fill_mask(std::span<std::uint32_t> row) {
  if (!finished_) {
    bool moves = source_ && engine_->full();
    return !moves && engine_->try_fill_mask(history_.state(), row);
  }
  fill_end(row);
  return true;
}

void Session::fill_mask_within(std::span<std::uint32_t> row, Cost budget) {
  if (finished_) return fill_end(row);
  ask([&](Engine& engine, StateId state) { engine.fill_mask_within(state, budget, row); });
}

void Session::walk_mask(std::span<std::uint32_t> row) {
  if (finished_) return fill_end(row);
  ask([&](Engine& engine, StateId state) { engine.walk_mask(state, row); });
}

TokensLeft Session::tokens_left() {
  if (finished_) return {0, true};
  return ask([](Engine& engine, StateId state) { return engine.tokens_left(state); });
}

bool Session::fits(Cost budget) {
  return finished_ ||
         ask([&](Engine& engine, StateId state) { return engine.fits(state, budget); });
}

bool Session::is_complete() {
  return finished_ || ask([](Engine& engine, StateId state) { return engine.can_end(state); });
}

bool Session::accept(TokenId token) {
  if (token >= engine_->trie().vocabulary()) return false;
  if (engine_->is_end_token(token)) {
    if (finished_) return true;
    if (!is_complete()) return false;
    finished_ = true;
    history_.push(token, history_.state());
    return true;
  }
  if (finished_) return false;
  const std::string& bytes = engine_->trie().bytes_of(token);
  if (bytes.empty()) return false;  // special tokens match no text
  StateId next = ask([&](Engine& engine, StateId state) { return engine.step(state, bytes); });
  if (next == kDead) return false;
  history_.push(token, next);
  return true;
}

bool Session::check(TokenId token) {
  if (token >= engine_->trie().vocabulary()) return false;
  if (engine_->is_end_token(token)) return is_complete();
  const std::string& bytes = engine_->trie().bytes_of(token);
  if (finished_ || bytes.empty()) return false;
  return ask([&](Engine& engine, StateId state) { return engine.step(state, bytes) != kDead; });
}

bool Session::rollback(std::size_t count) {
  if (count > history_.size()) return false;
  if (count == 0) return true;
  history_.rollback(count);
  finished_ = false;
  return true;
}

std::size_t Session::viable_length(std::string_view bytes) {
  if (finished_) return 0;
  return ask([&](Engine& engine, StateId state) { return engine.viable_length(state, bytes); });
}

bool Session::forbids(std::string_view bytes) {
  return !finished_ &&
         ask([&](Engine& engine, StateId state) { return engine.forbids(state, bytes); });
}

std::string Session::forced_bytes(std::size_t limit) {
  if (finished_) return {};
  return ask([&](Engine& engine, StateId state) { return engine.forced_bytes(state, limit); });
}

LookAhead Session::look_ahead(std::size_t limit, std::size_t kinds) {
  if (finished_) return {};
  return ask([&](Engine& engine, StateId state) { return engine.look_ahead(state, limit, kinds); });
}

OnlyTokens Session::only_tokens(std::size_t limit) {
  if (finished_) return {};
  return ask([&](Engine& engine, StateId state) { return engine.only_tokens(state, limit); });
}

std::vector<Expectation> Session::expected(std::string_view after) {
  return ask([&](Engine& engine, StateId state) { return engine.expected(state, after); });
}

}  // namespace slm

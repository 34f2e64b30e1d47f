// What the costs of a state are made of: its readings, and the rows that wait for them.
#include <algorithm>

#include "core/earley.h"

namespace slm {

void EarleyRecogniser::after_terminal(std::uint32_t row, TerminalId terminal,
                                      std::vector<StackItem>& items) const {
  for (const Wait& wait : waiting(rows_[row].terminals, terminal)) {
    items.push_back({wait.after.position, wait.after.count, wait.after.origin});
  }
}

void EarleyRecogniser::after_rule(std::uint32_t row, RuleId rule,
                                  std::vector<StackItem>& items) const {
  for (const Wait& wait : waiting(rows_[row].rules, rule)) {
    items.push_back({wait.after.position, wait.after.count, wait.after.origin});
  }
}

bool EarleyRecogniser::has_longest() const {
  return std::ranges::any_of(tables_.terminals, [](const TerminalInfo& t) { return t.longest; });
}

/// A terminal that can end where it is has done so already, as another reading of the state: what
/// counts here is how it goes on.
Recogniser::Completion EarleyRecogniser::completion(StateId state) {
  if (can_end(state)) return {0, 0};
  if (!byte_costs_) byte_costs_ = std::make_unique<ByteCosts>(tables_, regexes_, rows());
  std::span<const std::uint32_t> shared = configs_.words(state);
  std::vector<std::uint32_t> words(shared.begin() + 1, shared.end());
  Completion best;
  for (std::size_t i = 0; i < words.size(); i += 3) {
    std::span<const std::uint32_t> span = lexer_.pairs(words[i + 1]);
    std::vector<std::uint32_t> pairs(span.begin(), span.end());
    for (std::size_t k = 0; k < pairs.size(); k += 2) {
      RegexPool::Least least = regexes_.least_more(pairs[k + 1]);
      Cost whole = add_costs(least.length, byte_costs_->after_terminal(words[i], pairs[k]));
      if (whole < best.bytes) best = {whole, least.byte};
    }
  }
  return best;
}

std::optional<Cost> EarleyRecogniser::tokens_to_end(StateId state, TokenPhases& phases, Cost limit,
                                                    bool widened) {
  if (can_end(state)) return 0;
  if (!token_costs_ || phases_ != &phases) {
    phases.measure();
    phases_ = &phases;
    token_costs_ = std::make_unique<TokenCosts>(tables_, regexes_, rows(), phases);
  }
  std::span<const std::uint32_t> shared = configs_.words(state);
  std::vector<std::uint32_t> words(shared.begin() + 1, shared.end());
  std::vector<Reading> readings;
  for (std::size_t i = 0; i < words.size(); i += 3) {
    std::span<const std::uint32_t> pairs = lexer_.pairs(words[i + 1]);
    for (std::size_t k = 0; k < pairs.size(); k += 2) {
      readings.push_back({words[i], pairs[k], pairs[k + 1]});
    }
  }
  if (widened) {
    for (Reading& reading : readings) reading.node = regexes_.widened(reading.node);
  }
  auto key = [](const Reading& r) { return std::tuple(r.row, r.terminal, r.node); };
  std::ranges::sort(readings, {}, key);
  auto again = std::ranges::unique(readings, {}, key);
  readings.erase(again.begin(), again.end());
  return token_costs_->cost(readings, limit);
}

void EarleyRecogniser::unlimit_costs() {
  token_costs_ = std::make_unique<TokenCosts>(tables_, regexes_, rows(), *phases_);
  token_costs_->unlimit();
}

}  // namespace slm

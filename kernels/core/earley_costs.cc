// What the costs of a state are made of: its readings, and the rows that wait for them.
#include <algorithm>

#include "core/earley.h"

namespace slm {

void EarleyRecogniser::after_terminal(std::uint32_t row, TerminalId terminal,
                                      std::vector<StackItem>& items) const {
  each_terminal(row, terminal, [&](const Item& after) {
    items.push_back({after.position, after.count, after.origin});
  });
}

void EarleyRecogniser::after_rule(std::uint32_t row, RuleId rule,
                                  std::vector<StackItem>& items) const {
  auto tell = [&](const Item& after) {
    items.push_back({after.position, after.count, after.origin});
  };
  each_rule_before(row, rule, tell);
  each_rule_here(row, rule, tell);
}

bool EarleyRecogniser::has_longest() const {
  for (TerminalId terminal = 0; terminal < grammar_.terminals(); ++terminal) {
    if (grammar_.is_longest(terminal)) return true;
  }
  return false;
}

RegexPool::Least EarleyRecogniser::least_more(NodeId node) {
  std::lock_guard lock(shared_->mutex);
  return shared_->pool.least_more(node);
}

/// What stays in a loop of a terminal can do all that the loop can after so many rounds, or the
/// terminal's end after its last. That is told without the loop, where it is through.
Recogniser::Rounds EarleyRecogniser::rounds(StateId state, std::uint32_t longest) {
  Rounds found;
  CharClass best;
  RegexPool::Loop best_loop{};
  Config in{};
  TerminalId terminal = 0;
  configs_of(state, from_);
  const bool complete = can_end(state);  // the text; it is not after another round
  RegexPool& pool = shared_->pool;
  std::vector<NodeId> rests;  // what is left after 1, 2, … rounds; the last also after more
  {
    std::lock_guard lock(shared_->mutex);
    for (const Config& config : from_) {
      if (config.obligation != 0) continue;
      std::span<const std::uint32_t> pairs = lexer_.pairs(config.lexer);
      for (std::size_t k = 0; k < pairs.size(); k += 2) {
        bool fixed = Lexer::is_stretch(pairs[k]) || Lexer::is_fixed(pairs[k + 1]);
        if (fixed || lexer_.is_longest(pairs[k])) continue;
        for (NodeId option : pool.options(pairs[k + 1])) {
          RegexPool::Loop loop;
          if (!pool.is_loop(option, loop)) continue;
          bool apart = !pool.nullable(loop.tail) &&
                       (pool.first_bytes(loop.body) & pool.first_bytes(loop.tail)).none();
          bool alone = apart && from_.size() == 1 && pairs.size() == 2 && option == pairs[1];
          bool open = loop.high == kNoBound || loop.high >= static_cast<std::int32_t>(longest);
          if (!open && !alone) continue;  // other ways may lead on beyond its bound
          CharClass chars = pool.single_characters(loop.body);
          if (chars.size() <= best.size()) continue;
          best = chars;
          best_loop = loop;
          in = config;
          terminal = pairs[k];
          found.still = alone && !complete && loop.low == 0 && loop.high == kNoBound;
        }
      }
    }
    if (best.size() == 0) return found;
    std::int32_t left = best_loop.low;
    for (std::uint32_t k = 0; k < longest; ++k) {
      left = std::max(left - 1, 0);
      if (left == 0) {
        rests.push_back(best_loop.tail);
        break;
      }
      rests.push_back(pool.concat(pool.repeat(best_loop.body, left, left), best_loop.tail));
    }
  }
  found.chars = best;
  if (found.still) {
    found.after.push_back(state);
    return found;
  }
  for (NodeId rest : rests) {
    bool through;
    {
      std::lock_guard lock(shared_->mutex);
      through = pool.nullable(rest);
    }
    next_.clear();
    RowId row = in.row;
    LexId lexer = 0;
    if (through) {
      row = advance_one(in.row, lexer_.accept_only(terminal));
      lexer = lexer_of(row);
    } else {
      lexer = lexer_.state_of({terminal, rest});
    }
    if (lexer != 0) next_.push_back({row, lexer, 0});
    found.after.push_back(intern_state(through && shape_of(row).accepting, next_));
  }
  return found;
}

CharClass EarleyRecogniser::inside(StateId state, std::uint32_t length) {
  constexpr std::size_t kMany = 64;  // terminals at once
  if (can_end(state)) return {};
  RegexPool& pool = shared_->pool;
  CharClass widest;
  std::vector<NodeId> read;
  configs_of(state, from_);
  std::lock_guard lock(shared_->mutex);
  for (const Config& config : from_) {
    std::span<const std::uint32_t> pairs = lexer_.pairs(config.lexer);
    if (config.obligation != 0 || read.size() + pairs.size() / 2 > kMany) return {};
    for (std::size_t k = 0; k < pairs.size(); k += 2) {
      bool fixed = Lexer::is_stretch(pairs[k]) || Lexer::is_fixed(pairs[k + 1]);
      if (fixed || lexer_.is_longest(pairs[k])) return {};
      CharClass chars = pool.living(pairs[k + 1], static_cast<std::int32_t>(length));
      if (chars.size() > widest.size()) widest = chars;
      read.push_back(pairs[k + 1]);
    }
  }
  bool ends = std::ranges::any_of(
      read, [&](NodeId node) { return widest.size() == 0 || !pool.leaves(node, widest); });
  return ends ? CharClass{} : widest;
}

/// A terminal that can end where it is has done so already, as another reading of the state: what
/// counts here is how it goes on.
Recogniser::Completion EarleyRecogniser::completion(StateId state) {
  if (can_end(state)) return {0, 0};
  if (!byte_costs_) byte_costs_ = std::make_unique<ByteCosts>(grammar_, *shared_, rows());
  std::span<const std::uint32_t> shared = configs_.words(state);
  std::vector<std::uint32_t> words(shared.begin() + 1, shared.end());
  Completion best;
  for (std::size_t i = 0; i < words.size(); i += 3) {
    std::vector<std::uint32_t> pairs = lexer_.all_pairs(words[i + 1]);
    for (std::size_t k = 0; k < pairs.size(); k += 2) {
      RegexPool::Least least = least_more(pairs[k + 1]);
      Cost whole = add_costs(least.length, byte_costs_->after_terminal(words[i], pairs[k]));
      if (whole < best.bytes) best = {whole, least.byte};
    }
  }
  return best;
}

TokenCosts& EarleyRecogniser::token_costs(TokenPhases& phases) {
  if (!token_costs_ || phases_ != &phases) {
    phases.measure();
    phases_ = &phases;
    token_costs_ = std::make_unique<TokenCosts>(grammar_, *shared_, rows(), phases);
  }
  return *token_costs_;
}

bool EarleyRecogniser::fill_loop(const Part& part, TokenPhases& phases, Cost limit,
                                 std::span<std::uint32_t> row, std::vector<Phase>& open) {
  if (part.node == kNothing) return false;
  return token_costs(phases).fill_loop({part.row, part.terminal, part.node}, limit, row, open);
}

Cost EarleyRecogniser::enough_in_loop(const Part& part, TokenPhases& phases, Cost after) {
  RegexPool::Loop loop;
  {
    std::lock_guard lock(shared_->mutex);
    bool far = part.node != kNothing && shared_->pool.is_loop(part.node, loop);
    if (!far || loop.low < TokenCosts::kFar)
      return kInfiniteCost;  // do not make what is not needed
  }
  return token_costs(phases).enough_in_loop({part.row, part.terminal, part.node}, after);
}

std::optional<Recogniser::Loosened> EarleyRecogniser::loosened(const Part& part) {
  RegexPool& pool = shared_->pool;
  Part wide = part, over = part;
  {
    std::lock_guard lock(shared_->mutex);
    if (part.node == kNothing || !pool.is_label(part.node)) return std::nullopt;
    NodeId head = part.node, tail = kEpsilon;
    pool.is_concat(part.node, head, tail);
    wide.node = pool.concat(pool.without_labels(head, true), tail);
    over.node = tail;
  }
  return Loosened{wide, over.node == kEpsilon ? part.after : state_of(over)};
}

std::optional<Cost> EarleyRecogniser::tokens_to_end(StateId state, TokenPhases& phases, Cost limit,
                                                    bool widened) {
  if (can_end(state)) return 0;
  std::span<const std::uint32_t> shared = configs_.words(state);
  std::vector<std::uint32_t> words(shared.begin() + 1, shared.end());
  std::vector<Reading> readings;
  for (std::size_t i = 0; i < words.size(); i += 3) {
    std::vector<std::uint32_t> pairs = lexer_.all_pairs(words[i + 1]);
    for (std::size_t k = 0; k < pairs.size(); k += 2) {
      readings.push_back({words[i], pairs[k], pairs[k + 1]});
    }
  }
  if (widened) {
    std::lock_guard lock(shared_->mutex);
    for (Reading& reading : readings) reading.node = shared_->pool.widened(reading.node);
  }
  auto key = [](const Reading& r) { return std::tuple(r.row, r.terminal, r.node); };
  std::ranges::sort(readings, {}, key);
  // No view of the standard library: Clang 15 cannot read those of its neighbour.
  auto same = [&](const Reading& x, const Reading& y) { return key(x) == key(y); };
  readings.erase(std::unique(readings.begin(), readings.end(), same), readings.end());
  return token_costs(phases).cost(readings, limit);
}

void EarleyRecogniser::unlimit_costs() {
  token_costs_ = std::make_unique<TokenCosts>(grammar_, *shared_, rows(), *phases_);
  token_costs_->unlimit();
}

}  // namespace slm

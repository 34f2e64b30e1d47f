#include "core/earley.h"

#include <algorithm>

namespace slm {

EarleyRecogniser::EarleyRecogniser(const Program& program)
    : tables_(build_tables(program, regexes_)), lexer_(regexes_, tables_.terminals) {
  std::vector<Config> none;
  intern_state(false, none);  // the dead state
  todo_.push_back({tables_.rules[tables_.start].first, 0, 0});
  RowId first = make_row();
  std::vector<Config> configs;
  if (rows_[first].lexer != 0) configs.push_back({first, rows_[first].lexer, 0});
  set_start(intern_state(rows_[first].accepting, configs));
}

std::span<const EarleyRecogniser::Wait> EarleyRecogniser::waiting(const std::vector<Wait>& waits,
                                                                  std::uint32_t symbol) {
  auto [first, last] =
      std::equal_range(waits.begin(), waits.end(), Wait{symbol, {}},
                       [](const Wait& x, const Wait& y) { return x.symbol < y.symbol; });
  return {first, last};
}

/// Where a chain of completions that can only go one way ends (Leo's transitive items).
///
/// In `list: item "," list | item` every element would complete every list around it; since each
/// of those is waited for by one item that then only ends, all but the outermost can be skipped.
/// Origins fall strictly along the chain, so it ends.
std::pair<RuleId, RowId> EarleyRecogniser::topmost(RuleId rule, RowId origin) {
  std::vector<std::uint64_t> passed;
  std::pair<RuleId, RowId> at{rule, origin};
  for (;;) {
    std::uint64_t key = (std::uint64_t{at.first} << 32) | at.second;
    if (auto known = topmost_.find(key); known != topmost_.end()) {
      at = known->second;
      break;
    }
    std::span<const Wait> waits = waiting(rows_[at.second].rules, at.first);
    if (waits.size() != 1) break;
    const Item& after = waits[0].after;
    const Position& position = tables_.positions[after.position];
    bool outer = after.origin < at.second && position.rule != tables_.start;
    if (!position.only_ends || position.counted || !outer) break;
    passed.push_back(key);
    at = {position.rule, after.origin};
  }
  for (std::uint64_t key : passed) topmost_.emplace(key, at);
  return at;
}

void EarleyRecogniser::complete(RuleId rule, RowId origin, std::vector<Item>& todo) {
  auto [top, row] = topmost(rule, origin);
  for (const Wait& wait : waiting(rows_[row].rules, top)) todo.push_back(wait.after);
}

/// Closes a set of items under silent edges, prediction and completion, and interns the result.
///
/// A rule that is empty here completes in the row it started in; instead of iterating, an item
/// that waits for a nullable rule also moves past it at once (Aycock and Horspool).
RowId EarleyRecogniser::make_row() {
  std::vector<Item>& todo = todo_;
  const RowId self = static_cast<RowId>(rows_.size());
  const bool first_row = rows_.empty();
  Row row;
  std::vector<Item> kernel;
  seen_.clear();
  while (!todo.empty()) {
    Item item = todo.back();
    todo.pop_back();
    if (!seen_.insert(item)) continue;
    if (seen_.size() > kMaxRowItems) {
      throw TooComplex("too many readings of the text are open at once");
    }
    const Position& position = tables_.positions[item.position];
    bool own = item.origin == self;
    bool may_loop = true, may_end = position.final;
    if (position.counted) {
      std::int32_t count = static_cast<std::int32_t>(item.count);
      may_loop = position.high == kNoBound || count < position.high;
      may_end = count >= position.low;
    }
    for (PositionId next : position.silent) todo.push_back({next, item.count, item.origin});
    if (may_end) {
      if (position.rule == tables_.start) {
        row.accepting = true;
      } else if (!own) {
        complete(position.rule, item.origin, todo);
      }
    }
    if (position.symbol_kind == Position::Symbol::kNone || !may_loop) continue;
    Item after{position.target, 0, item.origin};
    if (position.counted) {
      // Past its lower bound a count without an upper one does not matter any more.
      bool settled =
          position.high == kNoBound && static_cast<std::int32_t>(item.count) >= position.low;
      after.count = settled ? item.count : item.count + 1;
    }
    if (!own || first_row) kernel.push_back(item);
    if (position.symbol_kind == Position::Symbol::kTerminal) {
      row.terminals.push_back({position.symbol, after});
      continue;
    }
    row.rules.push_back({position.symbol, after});
    const RuleInfo& called = tables_.rules[position.symbol];
    if (called.nullable && !position.counted) todo.push_back(after);
    todo.push_back({called.first, 0, self});
  }
  std::sort(kernel.begin(), kernel.end());
  key_.assign({row.accepting ? 1u : 0u});
  for (const Item& item : kernel) {
    key_.insert(key_.end(), {item.position, item.count, item.origin});
  }
  RowId id = kernels_.intern(key_);
  if (id != self) return id;
  std::sort(row.terminals.begin(), row.terminals.end());
  std::sort(row.rules.begin(), row.rules.end());
  std::vector<TerminalId> expected;
  for (const Wait& wait : row.terminals) {
    if (expected.empty() || expected.back() != wait.symbol) expected.push_back(wait.symbol);
  }
  row.lexer = lexer_.start(expected);
  row_bytes_ += (row.terminals.size() + row.rules.size()) * sizeof(Wait) + sizeof(Row);
  rows_.push_back(std::move(row));
  return id;
}

RowId EarleyRecogniser::advance(std::span<const std::pair<RowId, AcceptId>> ended) {
  key_.clear();
  todo_.clear();
  for (auto [row, set] : ended) key_.insert(key_.end(), {row, set});
  std::uint32_t number = advances_.intern(key_);
  if (number < advanced_.size()) return advanced_[number];
  for (auto [row, set] : ended) {
    for (TerminalId terminal : lexer_.terminals_of(set)) {
      for (const Wait& wait : waiting(rows_[row].terminals, terminal)) todo_.push_back(wait.after);
    }
  }
  advanced_.push_back(make_row());
  return advanced_.back();
}

StateId EarleyRecogniser::intern_state(bool complete, std::vector<Config>& configs) {
  std::sort(configs.begin(), configs.end());
  configs.erase(std::unique(configs.begin(), configs.end()), configs.end());
  key_.assign({complete ? 1u : 0u});
  for (const Config& config : configs) {
    key_.insert(key_.end(), {config.row, config.lexer, config.obligation});
  }
  StateId id = configs_.intern(key_);
  if (id == states()) {
    ByteSet first;
    for (const Config& config : configs) first |= lexer_.first_bytes(config.lexer);
    add_state(first);
  }
  return id;
}

StateId EarleyRecogniser::compute_step(StateId state, std::uint8_t byte) {
  std::span<const std::uint32_t> shared = configs_.words(state);
  words_.assign(shared.begin() + 1, shared.end());
  next_.clear();
  ended_.clear();
  for (std::size_t i = 0; i < words_.size(); i += 3) {
    RowId row = words_[i];
    LexId lexer = lexer_.step(words_[i + 1], byte);
    ObligationId obligation = lexer_.step_obligation(words_[i + 2], byte);
    if (lexer == 0 || obligation == kBroken) continue;
    if (LexId going_on = lexer_.going_on(lexer); going_on != 0) {
      next_.push_back({row, going_on, obligation});
    }
    AcceptId accepted = lexer_.accepts(lexer);
    if (accepted == 0) continue;
    std::span<const TerminalId> span = lexer_.terminals_of(accepted);
    if (std::ranges::none_of(span, [&](TerminalId t) { return lexer_.is_longest(t); })) {
      ended_.push_back({obligation, row, accepted});
    } else {
      for (TerminalId terminal : std::vector<TerminalId>(span.begin(), span.end())) {
        ObligationId left = lexer_.oblige(obligation, lexer, terminal);
        ended_.push_back({left, row, lexer_.accept_only(terminal)});
      }
    }
  }
  std::sort(ended_.begin(), ended_.end());
  bool complete = false;
  for (std::size_t i = 0; i < ended_.size();) {
    together_.clear();
    ObligationId obligation = ended_[i].obligation;
    for (; i < ended_.size() && ended_[i].obligation == obligation; ++i) {
      together_.emplace_back(ended_[i].row, ended_[i].set);
    }
    RowId row = advance(together_);
    complete = complete || rows_[row].accepting;
    if (rows_[row].lexer != 0) next_.push_back({row, rows_[row].lexer, obligation});
  }
  return intern_state(complete, next_);
}

StateId EarleyRecogniser::canonical(StateId state, std::int32_t length) {
  std::span<const std::uint32_t> shared = configs_.words(state);
  std::vector<std::uint32_t> words(shared.begin(), shared.end());
  std::vector<Config> configs;
  for (std::size_t i = 1; i < words.size(); i += 3) {
    configs.push_back({words[i], lexer_.clamp(words[i + 1], length), words[i + 2]});
  }
  return intern_state(words[0] != 0, configs);
}

/// Whether `node`, read for `terminal` in `row`, loops over a class of characters worth a table:
/// one without characters that could begin what follows where the terminal can end in the loop.
bool EarleyRecogniser::loop_of(RowId row, TerminalId terminal, NodeId node, RegexPool::Loop& loop) {
  if (lexer_.is_longest(terminal) || !regexes_.find_loop(node, loop)) return false;
  if (loop.may_end) {
    std::pair<RowId, AcceptId> ended{row, lexer_.accept_only(terminal)};
    RowId after = advance({&ended, 1});
    loop.chars.take_out(lexer_.first_bytes(rows_[after].lexer));
  }
  constexpr std::size_t kWorthwhile = 24;
  return loop.chars.ascii_size() > kWorthwhile;
}

/// Every reading of the text is a part of its own, as far as it pays: loops get their tables, an
/// exclusion (`string but not these names`) is compared with what it excludes from, and all narrow
/// readings stay together.
std::vector<Recogniser::Part> EarleyRecogniser::parts(StateId state) {
  std::span<const std::uint32_t> shared = configs_.words(state);
  std::vector<std::uint32_t> words(shared.begin() + 1, shared.end());
  std::vector<Part> found;
  std::vector<Config> narrow;
  auto alone = [&](RowId row, TerminalId terminal, NodeId node) {
    std::vector<Config> one{{row, lexer_.state_of({terminal, node}), 0}};
    return intern_state(false, one);
  };
  for (std::size_t i = 0; i < words.size(); i += 3) {
    RowId row = words[i];
    std::span<const std::uint32_t> span = lexer_.pairs(words[i + 1]);
    std::vector<std::uint32_t> pairs(span.begin(), span.end()), rest;
    if (words[i + 2] != 0) rest = std::move(pairs), pairs.clear();
    for (std::size_t k = 0; k < pairs.size(); k += 2) {
      TerminalId terminal = pairs[k];
      std::vector<NodeId> kept;
      for (NodeId option : regexes_.options(pairs[k + 1])) {
        if (!regexes_.alive(option)) continue;  // only the terminal as a whole is sure to be
        RegexPool::Loop loop;
        NodeId wider = regexes_.without_exclusions(option);
        if (loop_of(row, terminal, option, loop)) {
          found.push_back({.kind = Part::Kind::kLoop,
                           .state = alone(row, terminal, option),
                           .loop = loop.chars,
                           .most = loop.high});
        } else if (wider != option && loop_of(row, terminal, wider, loop)) {
          found.push_back({.kind = Part::Kind::kDifference,
                           .state = alone(row, terminal, option),
                           .base = alone(row, terminal, wider)});
        } else {
          kept.push_back(option);
        }
      }
      if (kept.empty()) continue;
      rest.push_back(terminal);
      rest.push_back(regexes_.alternate(std::move(kept)));
    }
    if (!rest.empty()) narrow.push_back({row, lexer_.state_of(std::move(rest)), words[i + 2]});
  }
  if (found.empty()) return {{.kind = Part::Kind::kPlain, .state = state}};
  if (!narrow.empty()) {
    found.push_back({.kind = Part::Kind::kPlain, .state = intern_state(false, narrow)});
  }
  return found;
}

/// Known only for one reading of one terminal, in the same row, with and without an exclusion.
ByteSet EarleyRecogniser::may_differ(StateId state, StateId base) {
  std::span<const std::uint32_t> words = configs_.words(state), others = configs_.words(base);
  bool alike = words.size() == 4 && others.size() == 4 && words[1] == others[1] && words[3] == 0 &&
               others[3] == 0;
  if (!alike) return ByteSet{}.set();
  std::span<const std::uint32_t> pairs = lexer_.pairs(words[2]);
  std::span<const std::uint32_t> plain = lexer_.pairs(others[2]);
  bool single = pairs.size() == 2 && plain.size() == 2 && pairs[0] == plain[0];
  if (!single) return ByteSet{}.set();
  NodeId node = pairs[1], other = plain[1];
  return regexes_.without_exclusions(node) == other ? regexes_.exclusion_bytes(node)
                                                    : ByteSet{}.set();
}

std::vector<Expectation> EarleyRecogniser::expected(StateId state) const {
  std::span<const std::uint32_t> words = configs_.words(state);
  std::vector<Expectation> found;
  for (std::size_t i = 1; i < words.size(); i += 3) {
    std::span<const std::uint32_t> pairs = lexer_.pairs(words[i + 1]);
    for (std::size_t k = 0; k < pairs.size(); k += 2) {
      TerminalId terminal = pairs[k];
      for (const Wait& wait : waiting(rows_[words[i]].terminals, terminal)) {
        RuleId rule = tables_.positions[wait.after.position].rule;
        found.push_back({terminal, tables_.rules[rule].source});
      }
    }
  }
  return found;
}

std::size_t EarleyRecogniser::bytes() const {
  return regexes_.bytes() + lexer_.bytes() + row_bytes_ + kernels_.bytes() + advances_.bytes() +
         configs_.bytes() + memo_bytes() + (token_costs_ ? token_costs_->bytes() : 0);
}

}  // namespace slm

#include "core/earley.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <functional>

namespace slm {

EarleyRecogniser::EarleyRecogniser(Program program, std::shared_ptr<TerminalTables> shared)
    : shared_(std::move(shared)),
      grammar_(std::move(program), *shared_),
      lexer_(*shared_, grammar_),
      predictions_(grammar_) {
  std::vector<Config> none;
  intern_state(false, none);  // the dead state
  todo_.push_back({grammar_.rule(grammar_.start()).first, 0, 0});
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
    if (waiting(rows_[at.second].rules, at.first).size() > 1) break;
    std::size_t waits = 0;
    Item after{};
    each_rule(at.second, at.first, [&](const Item& item) { after = item, ++waits; });
    if (waits != 1) break;
    bool only_ends = grammar_.only_ends(after.position);
    const Position& position = grammar_.position(after.position);
    bool outer = after.origin < at.second && position.rule != grammar_.start();
    if (!only_ends || position.counted || !outer) break;
    passed.push_back(key);
    at = {position.rule, after.origin};
  }
  for (std::uint64_t key : passed) topmost_.emplace(key, at);
  return at;
}

/// Moves what waits for the rule in its row past it.
///
/// In an ambiguous grammar (`e: e e | "a"`) a rule ends here from every row before, and the later
/// row waits with all that the earlier one does. What another row has brought already is not
/// brought again, or a text of n bytes would cost the cube of n and not its square.
void EarleyRecogniser::complete(RuleId rule, RowId origin, std::vector<Item>& todo) {
  auto [top, row] = topmost(rule, origin);
  std::span<const Wait> waits = waiting(rows_[row].rules, top);
  if (waits.size() > kFewWaits) {
    if (top >= brought_.size()) brought_.resize(grammar_.rules());
    Brought& before = brought_[top];
    if (before.round == round_ && waits_include(before.row, row, top)) waits = {};
    before = {round_, row};  // of a row and the one before it the answer is known from then on
  }
  for (const Wait& wait : waits) todo.push_back(wait.after);
  predictions_.each_rule(rows_[row].predicted, top, [&, row = row](const auto& wait) {
    todo.push_back({wait.position, wait.count, row});
  });
}

/// Whether all that waits for the rule in the row `less`, and began before it, does so in `more`.
bool EarleyRecogniser::waits_include(RowId more, RowId less, RuleId rule) {
  const std::array<std::uint32_t, 3> key{more, less, rule};
  std::uint32_t id = inclusions_.intern(key);
  if (id == included_.size()) {
    auto wide = waiting(rows_[more].rules, rule), narrow = waiting(rows_[less].rules, rule);
    included_.push_back(std::ranges::includes(wide, narrow));
  }
  return included_[id];
}

/// Closes a set of items under silent edges and completion, and interns the result. What begins
/// here is left to the predictions.
///
/// A rule that is empty here completes in the row it started in; instead of iterating, an item
/// that waits for a nullable rule also moves past it at once (Aycock and Horspool).
RowId EarleyRecogniser::make_row() {
  std::vector<Item>& todo = todo_;
  const RowId self = static_cast<RowId>(rows_.size());
  Row row;
  std::vector<Item> kernel;
  std::vector<std::pair<RowId, RuleId>> ended;
  seen_.clear();
  ++round_;
  while (!todo.empty() || !ended.empty()) {
    if (todo.empty()) {  // from the latest row back, as the later ones wait with more
      std::ranges::sort(ended, std::greater<>());
      for (auto [origin, rule] : ended) complete(rule, origin, todo);
      ended.clear();
      continue;
    }
    Item item = todo.back();
    todo.pop_back();
    if (!seen_.insert(item)) continue;
    if (seen_.size() > kMaxRowItems) {
      throw TooComplex("too many readings of the text are open at once");
    }
    const Position& position = grammar_.position(item.position);
    bool may_loop = true, may_end = position.final;
    if (position.counted) {
      std::int32_t count = static_cast<std::int32_t>(item.count);
      may_loop = position.high == kNoBound || count < position.high;
      may_end = count >= position.low;
    }
    for (std::uint32_t e = position.silent; e != 0; e = grammar_.silent(e).next) {
      todo.push_back({grammar_.silent(e).to, item.count, item.origin});
    }
    if (may_end) {
      if (position.rule == grammar_.start()) {
        row.accepting = true;
      } else {
        ended.emplace_back(item.origin, position.rule);
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
    kernel.push_back(item);
    if (position.symbol_kind == Position::Symbol::kTerminal) {
      row.terminals.push_back({position.symbol, after});
      continue;
    }
    row.rules.push_back({position.symbol, after});
    if (grammar_.rule(position.symbol).nullable && !position.counted) todo.push_back(after);
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
  std::vector<std::uint32_t> symbols;
  auto symbols_of = [&](const std::vector<Wait>& waits) {
    symbols.clear();
    for (const Wait& wait : waits) {
      if (symbols.empty() || symbols.back() != wait.symbol) symbols.push_back(wait.symbol);
    }
  };
  symbols_of(row.rules);
  row.predicted = predictions_.predict(symbols);
  symbols_of(row.terminals);
  std::size_t own = symbols.size();
  predictions_.terminals(row.predicted, symbols);
  std::inplace_merge(symbols.begin(), symbols.begin() + static_cast<std::ptrdiff_t>(own),
                     symbols.end());
  symbols.erase(std::unique(symbols.begin(), symbols.end()), symbols.end());
  row.lexer = lexer_.start(symbols);
  row_bytes_ += (row.terminals.size() + row.rules.size()) * sizeof(Wait) + sizeof(Row);
  rows_.push_back(std::move(row));
  return id;
}

RowId EarleyRecogniser::advance_one(RowId row, AcceptId set) {
  std::uint64_t key = (std::uint64_t{row} << 32) | set;
  RowId known = advances_one_.find(key);
  if (known != FlatMap::kAbsent) return known;
  todo_.clear();
  for (TerminalId terminal : lexer_.terminals_of(set)) {
    each_terminal(row, terminal, [&](const Item& after) { todo_.push_back(after); });
  }
  RowId made = make_row();
  advances_one_.insert(key, made);
  return made;
}

RowId EarleyRecogniser::advance(std::span<const std::pair<RowId, AcceptId>> ended) {
  if (ended.size() == 1) return advance_one(ended[0].first, ended[0].second);
  key_.clear();
  todo_.clear();
  for (auto [row, set] : ended) key_.insert(key_.end(), {row, set});
  std::uint32_t number = advances_.intern(key_);
  if (number < advanced_.size()) return advanced_[number];
  for (auto [row, set] : ended) {
    for (TerminalId terminal : lexer_.terminals_of(set)) {
      each_terminal(row, terminal, [&](const Item& after) { todo_.push_back(after); });
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

/// The configurations after one more byte, appended to `to`; `complete` when the text may end.
void EarleyRecogniser::step_configs(std::span<const Config> from, std::uint8_t byte,
                                    std::vector<Config>& to, bool& complete) {
  ended_.clear();
  for (const Config& config : from) {
    LexId lexer = lexer_.step(config.lexer, byte);
    if (lexer == 0) continue;
    ObligationId obligation = lexer_.step_obligation(config.obligation, byte);
    if (obligation == kBroken) continue;
    if (LexId going_on = lexer_.going_on(lexer); going_on != 0) {
      to.push_back({config.row, going_on, obligation});
    }
    AcceptId accepted = lexer_.accepts(lexer);
    if (accepted == 0) continue;
    std::span<const TerminalId> span = lexer_.terminals_of(accepted);
    if (std::ranges::none_of(span, [&](TerminalId t) { return lexer_.is_longest(t); })) {
      ended_.push_back({obligation, config.row, accepted});
    } else {
      for (TerminalId terminal : std::vector<TerminalId>(span.begin(), span.end())) {
        ObligationId left = lexer_.oblige(obligation, lexer, terminal);
        ended_.push_back({left, config.row, lexer_.accept_only(terminal)});
      }
    }
  }
  if (ended_.empty()) return;
  if (ended_.size() > 1) std::sort(ended_.begin(), ended_.end());
  for (std::size_t i = 0; i < ended_.size();) {
    together_.clear();
    ObligationId obligation = ended_[i].obligation;
    for (; i < ended_.size() && ended_[i].obligation == obligation; ++i) {
      together_.emplace_back(ended_[i].row, ended_[i].set);
    }
    RowId row = advance(together_);
    complete = complete || rows_[row].accepting;
    if (rows_[row].lexer != 0) to.push_back({row, rows_[row].lexer, obligation});
  }
}

StateId EarleyRecogniser::compute_step(StateId state, std::uint8_t byte) {
  configs_of(state, from_);
  next_.clear();
  bool complete = false;
  step_configs(from_, byte, next_, complete);
  return intern_state(complete, next_);
}

void EarleyRecogniser::configs_of(StateId state, std::vector<Config>& configs) const {
  std::span<const std::uint32_t> words = configs_.words(state);
  configs.clear();
  for (std::size_t i = 1; i < words.size(); i += 3) {
    configs.push_back({words[i], words[i + 1], words[i + 2]});
  }
}

/// As `walk_by_steps`, but without making states: configurations are kept on a stack. What lies
/// wholly in a loop of a terminal is taken without a visit.
void EarleyRecogniser::walk(const ByteTrie& trie, std::uint32_t first, std::uint32_t last,
                            StateId state, std::vector<TokenId>& tokens) {
  configs_of(state, walked_);
  frames_.clear();
  auto open = [&](std::uint32_t from, std::uint32_t to, std::uint32_t begin) {
    constexpr std::size_t kFew = 4, kMany = 16;
    WalkFrame frame{from, to, begin, static_cast<std::uint32_t>(walked_.size()), {}, false};
    for (std::uint32_t i = begin; i < frame.end; ++i) {
      frame.follows |= lexer_.first_bytes(walked_[i].lexer);
    }
    frame.few = to - from >= kMany && frame.follows.count() <= kFew;
    frames_.push_back(frame);
  };
  // The next node whose byte can follow, or the last; a byte that was looked for is done with.
  auto next_node = [&](WalkFrame& frame) {
    if (!frame.few) {
      while (frame.next < frame.last && !frame.follows[trie.bytes[frame.next]]) ++frame.next;
      return;
    }
    for (std::size_t byte = first_byte(frame.follows); byte < 256;
         byte = first_byte(frame.follows)) {
      frame.follows.reset(byte);
      const std::uint8_t* from = trie.bytes.data() + frame.next;
      const void* found = std::memchr(from, static_cast<int>(byte), frame.last - frame.next);
      if (found == nullptr) continue;
      frame.next += static_cast<std::uint32_t>(static_cast<const std::uint8_t*>(found) - from);
      return;
    }
    frame.next = frame.last;
  };
  open(first, last, 0);
  while (!frames_.empty()) {
    WalkFrame& frame = frames_.back();
    next_node(frame);
    if (frame.next == frame.last) {
      frames_.pop_back();
      continue;
    }
    std::uint32_t at = frame.next++;
    __builtin_prefetch(&trie.nodes[at]);  // it comes while the parser works
    walked_.resize(frame.end);
    std::uint32_t begin = frame.end;
    bool complete = false;
    walk_from_.assign(walked_.begin() + frame.begin, walked_.begin() + frame.end);
    step_configs(walk_from_, trie.bytes[at], walked_, complete);
    if (walked_.size() == begin && !complete) continue;
    if (walked_.size() - begin > 1) {
      std::sort(walked_.begin() + begin, walked_.end());
      walked_.erase(std::unique(walked_.begin() + begin, walked_.end()), walked_.end());
    }
    const ByteTrie::Node& node = trie.nodes[at];
    bool all = false;
    if (node.first_child != node.last_child) {
      for (std::size_t i = begin; i < walked_.size() && !all; ++i) {
        const CharClass& loop = lexer_.loop_characters(walked_[i].lexer);
        all = walked_[i].obligation == 0 && loop.size() > 0 && trie.consists_of(at, loop);
      }
    }
    std::uint32_t to = all ? node.subtree_last_token : node.last_token;
    tokens.insert(tokens.end(), trie.tokens.begin() + node.first_token, trie.tokens.begin() + to);
    if (!all && node.first_child != node.last_child && walked_.size() > begin) {
      open(node.first_child, node.last_child, begin);
    }
  }
}

void EarleyRecogniser::add_part(RowId row, const LexerParts::One& part) {
  RowId after = advance_one(row, lexer_.accept_only(part.terminal));
  next_.clear();
  if (rows_[after].lexer != 0) next_.push_back({after, rows_[after].lexer, 0});
  parts_.push_back({.node = part.node,
                    .wider = part.wider,
                    .after = intern_state(rows_[after].accepting, next_),
                    .row = row,
                    .terminal = part.terminal});
}

StateId EarleyRecogniser::state_of(const Part& part) {
  next_.assign({{part.row, lexer_.state_of({part.terminal, part.node}), 0}});
  return intern_state(false, next_);
}

/// A terminal that many bytes can go on with is a part of its own, and so is each of its options
/// that is a loop or a label or has exclusions. All that is narrow stays together.
const EarleyRecogniser::LexerParts& EarleyRecogniser::lexer_parts(LexId lexer) {
  if (lexer >= parts_of_.size()) parts_of_.resize(lexer_.size(), 0);
  if (std::uint32_t known = parts_of_[lexer]; known != 0) return lexer_parts_[known];
  LexerParts made;
  std::vector<std::uint32_t> rest;
  RegexPool& pool = shared_->pool;
  std::span<const std::uint32_t> pairs = lexer_.pairs(lexer);
  {
    std::lock_guard lock(shared_->mutex);
    auto wide = [&](TerminalId terminal, NodeId node) {
      NodeId wider = pool.without_exclusions(node);
      made.wide.push_back({terminal, node, wider == node ? kNothing : wider});
    };
    for (std::size_t k = 0; k < pairs.size(); k += 2) {
      TerminalId terminal = pairs[k];
      NodeId node = pairs[k + 1];
      if (Lexer::is_stretch(terminal)) {  // has no expression: its node is 0
        rest.insert(rest.end(), {terminal, node});
        continue;
      }
      bool plain = !Lexer::is_fixed(node) && !lexer_.is_longest(terminal);
      if (plain && pool.opens_wide(node)) {
        std::vector<NodeId> options = pool.options_and_labels(node), together;
        for (NodeId option : options) {
          if (options.size() > 1 && !pool.alive(option)) continue;
          RegexPool::Loop loop;
          bool special =
              pool.opens_wide(option) &&
              (pool.is_loop(option, loop) ||
               (pool.without_exclusions(option) != option && pool.excludes_words(option)));
          if (options.size() > 1 && (special || pool.is_label(option))) {
            wide(terminal, option);
          } else {
            together.push_back(option);
          }
        }
        node = together.empty() ? kNothing : pool.alternate(std::move(together));
        if (node != kNothing && pool.opens_wide(node)) {
          wide(terminal, node);
          node = kNothing;
        }
      }
      if (node != kNothing) rest.insert(rest.end(), {terminal, node});
    }
  }
  if (made.wide.empty()) {
    made.narrow = lexer;
  } else if (!rest.empty()) {
    made.narrow = lexer_.state_of(rest);
  }
  parts_of_[lexer] = static_cast<std::uint32_t>(lexer_parts_.size());
  lexer_parts_.push_back(std::move(made));
  return lexer_parts_.back();
}

std::span<const Recogniser::Part> EarleyRecogniser::parts(StateId state) {
  parts_.clear();
  narrow_.clear();
  configs_of(state, from_);
  for (const Config& config : from_) {
    if (config.obligation != 0) {
      narrow_.push_back(config);
      continue;
    }
    if (lexer_.is_fixed_only(config.lexer)) {
      narrow_.push_back(config);
      continue;
    }
    const LexerParts& found = lexer_parts(config.lexer);
    for (const LexerParts::One& part : found.wide) add_part(config.row, part);
    if (found.narrow != 0) narrow_.push_back({config.row, found.narrow, 0});
  }
  if (parts_.empty()) {
    parts_.push_back({.state = state});
  } else if (!narrow_.empty()) {
    parts_.push_back({.state = intern_state(false, narrow_)});
  }
  return parts_;
}

/// Whether a terminal can read a character more without making anything longer that was promised
/// to be as long as it gets. `more`: continuation bytes that are missing, or nothing.
bool EarleyRecogniser::can_read(LexId lexer, ObligationId obligation, int more) {
  if (obligation == 0) return true;
  for (int byte = 0; byte < 256; ++byte) {
    LexId next = lexer_.step(lexer, static_cast<std::uint8_t>(byte));
    if (next == 0) continue;
    ObligationId left = lexer_.step_obligation(obligation, static_cast<std::uint8_t>(byte));
    if (left == kBroken) continue;
    int begun = byte < 0xC0 ? 0 : byte < 0xE0 ? 1 : byte < 0xF0 ? 2 : 3;
    int missing = more > 0 ? more - 1 : begun;
    if (missing == 0 || can_read(next, left, missing)) return true;
  }
  return false;
}

std::vector<Expectation> EarleyRecogniser::expected(StateId state) {
  // An item knows where it is after its terminal; where it waits for it follows from the tables.
  std::unordered_multimap<std::uint64_t, std::uint32_t> nodes;
  auto key = [](TerminalId terminal, PositionId target) {
    return (std::uint64_t{terminal} << 32) | target;
  };
  for (PositionId id = 0; id < grammar_.positions(); ++id) {
    const Position& position = grammar_.position(id);
    if (position.symbol_kind != Position::Symbol::kTerminal) continue;
    nodes.emplace(key(position.symbol, position.target), position.source);
  }
  std::vector<Expectation> found;
  configs_of(state, from_);
  for (const Config& config : from_) {
    std::vector<std::uint32_t> pairs = lexer_.all_pairs(config.lexer);
    for (std::size_t k = 0; k < pairs.size(); k += 2) {
      TerminalId terminal = pairs[k];
      if (!can_read(lexer_.state_of({terminal, pairs[k + 1]}), config.obligation, 0)) continue;
      each_terminal(config.row, terminal, [&](const Item& after) {
        RuleId rule = grammar_.position(after.position).rule;
        auto [first, last] = nodes.equal_range(key(terminal, after.position));
        for (auto at = first; at != last; ++at) {
          found.push_back({terminal, grammar_.rule(rule).source, at->second});
        }
      });
    }
  }
  return found;
}

std::size_t EarleyRecogniser::bytes() const {
  return grammar_.bytes() + lexer_.bytes() + row_bytes_ + kernels_.bytes() + advances_.bytes() +
         advances_one_.bytes() + configs_.bytes() + predictions_.bytes() + inclusions_.bytes() +
         memo_bytes() + (token_costs_ ? token_costs_->bytes() : 0);
}

}  // namespace slm

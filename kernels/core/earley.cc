#include "core/earley.h"

#include <algorithm>

#include "core/earley_steps.h"
#include "core/spares.h"

namespace slm {
namespace {

using Spare = Spares<sizeof(EarleyRecogniser)>;

}  // namespace

void* EarleyRecogniser::operator new(std::size_t) { return Spare::take().release(); }

void EarleyRecogniser::operator delete(void* memory) noexcept {
  Spare::give(Spare::Block(static_cast<std::byte*>(memory)));
}

EarleyRecogniser::EarleyRecogniser(Program program, std::shared_ptr<TerminalTables> shared)
    : shared_(std::move(shared)),
      grammar_(std::move(program), *shared_),
      lexer_(*shared_, grammar_),
      predictions_(grammar_),
      shapes_(grammar_, lexer_, predictions_) {
  std::vector<Config> none;
  intern_state(false, none);  // the dead state
  todo_.push_back({grammar_.rule(grammar_.start()).first, 0, 0});
  RowId first = make_row();
  std::vector<Config> configs;
  if (const LexId lexer = lexer_of(first); lexer != 0) configs.push_back({first, lexer, 0});
  set_start(intern_state(shape_of(first).accepting, configs));
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
  configs_of(state, from_);
  next_.clear();
  bool complete = false;
  step_configs(from_, byte, next_, complete, all_matters);
  return intern_state(complete, next_);
}

void EarleyRecogniser::configs_of(StateId state, std::vector<Config>& configs) const {
  std::span<const std::uint32_t> words = configs_.words(state);
  configs.clear();
  for (std::size_t i = 1; i < words.size(); i += 3) {
    configs.push_back({words[i], words[i + 1], words[i + 2]});
  }
}

void EarleyRecogniser::add_part(RowId row, const LexerParts::One& part) {
  RowId after = advance_one(row, lexer_.accept_only(part.terminal));
  next_.clear();
  if (const LexId lexer = lexer_of(after); lexer != 0) next_.push_back({after, lexer, 0});
  parts_.push_back({.node = part.node,
                    .wider = part.wider,
                    .after = intern_state(shape_of(after).accepting, next_),
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
      made.wide.push_back({terminal, node, wider == node ? kNothing : wider, 0});
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
  for (LexerParts::One& part : made.wide) {
    part.lexer = lexer_.state_of({part.terminal, part.node});
  }
  if (made.wide.empty()) {
    made.narrow = lexer;
  } else if (!rest.empty()) {
    made.narrow = lexer_.state_of(rest);
  }
  if (made.narrow != 0 && made.narrow != lexer) {  // it has no wide parts any more
    parts_of_.resize(std::max<std::size_t>(parts_of_.size(), made.narrow + 1), 0);
    if (parts_of_[made.narrow] == 0) {
      parts_of_[made.narrow] = static_cast<std::uint32_t>(lexer_parts_.size());
      lexer_parts_.push_back({{}, made.narrow});
    }
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
  return grammar_.bytes() + lexer_.bytes() + shapes_.bytes() + walks_.bytes() + rows_.bytes() +
         advances_.bytes() + advances_one_.bytes() + configs_.bytes() + predictions_.bytes() +
         inclusions_.bytes() + memo_bytes() + (token_costs_ ? token_costs_->bytes() : 0);
}

}  // namespace slm

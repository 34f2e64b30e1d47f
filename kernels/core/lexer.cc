#include "core/lexer.h"

#include <algorithm>

namespace slm {
namespace {

// A state is given its own row of 256 once it has been asked this often: states on the path of a
// text are passed once, states under a mask are asked for every byte.
constexpr std::uint32_t kBusy = 12;

}  // namespace

Lexer::Lexer(TerminalTables& shared, GrammarTables& grammar)
    : shared_(shared),
      regexes_(shared.pool),
      grammar_(grammar),
      literals_(shared.pool, grammar),
      loops_(1) {
  accept_sets_.intern({});
  obligations_.intern({});
  state_of({});
}

LexId Lexer::intern(const std::vector<std::uint32_t>& pairs) {
  LexId id = pairs_.intern(pairs);
  if (id == states_.size()) {
    State state;
    ended_.clear();
    bool goes_on = true;  // all of it, as is plain to see
    for (std::size_t i = 0; i < pairs.size(); i += 2) {
      if (is_stretch(pairs[i])) {
        state.first |= literals_.first_bytes(pairs[i] & ~kStretch);
        continue;
      }
      if (is_fixed(pairs[i + 1])) {
        state.first.set(literals_.next_byte(pairs[i], pairs[i + 1]));
        continue;
      }
      state.fixed_only = false;
      state.first |= regexes_.first_bytes(pairs[i + 1]);
      goes_on = goes_on && pairs[i + 1] > kEpsilon && regexes_.is_plain(pairs[i + 1]);
      if (!regexes_.nullable(pairs[i + 1])) continue;
      if (ended_.empty() || ended_.back() != pairs[i]) ended_.push_back(pairs[i]);
    }
    state.accepts = ended_.empty() ? 0 : accept_sets_.intern(ended_);
    if (goes_on) state.going_on = id;
    states_.push_back(std::move(state));
  }
  return id;
}

LexId Lexer::start(std::span<const TerminalId> terminals) {
  std::lock_guard lock(shared_.mutex);
  loose_.clear();
  to_.clear();
  LiteralSets::Start stretch = literals_.start(terminals, loose_);
  add_stretch(stretch, to_);
  return intern(to_);
}

/// Brings the loose pairs among the others, and then the stretch, if there is one.
void Lexer::add_stretch(LiteralSets::Start stretch, std::vector<std::uint32_t>& pairs) {
  if (!loose_.empty()) {
    for (std::size_t i = 0; i < pairs.size(); i += 2) loose_.emplace_back(pairs[i], pairs[i + 1]);
    std::ranges::sort(loose_);
    pairs.clear();
    for (auto [terminal, node] : loose_) pairs.insert(pairs.end(), {terminal, node});
  }
  if (stretch.some) pairs.insert(pairs.end(), {kStretch | stretch.stretch, 0});
}

std::vector<std::uint32_t> Lexer::all_pairs(LexId state) {
  std::span<const std::uint32_t> shared = pairs_.words(state);
  std::vector<std::uint32_t> pairs(shared.begin(), shared.end());
  std::lock_guard lock(shared_.mutex);
  loose_.clear();
  while (!pairs.empty() && is_stretch(pairs[pairs.size() - 2])) {
    literals_.expand(pairs[pairs.size() - 2] & ~kStretch, loose_);
    pairs.resize(pairs.size() - 2);
  }
  for (std::size_t i = 0; i < pairs.size(); i += 2) {
    if (is_fixed(pairs[i + 1])) pairs[i + 1] = literals_.expression(pairs[i], pairs[i + 1]);
  }
  add_stretch({}, pairs);
  return pairs;
}

LexId Lexer::compute_step(LexId state, std::uint8_t byte) {
  std::lock_guard lock(shared_.mutex);
  std::span<const std::uint32_t> shared = pairs_.words(state);
  from_.assign(shared.begin(), shared.end());
  to_.clear();
  loose_.clear();
  LiteralSets::Start stretch;
  for (std::size_t i = 0; i < from_.size(); i += 2) {
    if (is_stretch(from_[i])) {
      stretch = literals_.step(from_[i] & ~kStretch, byte, loose_);
      continue;
    }
    if (is_fixed(from_[i + 1])) {
      if (literals_.next_byte(from_[i], from_[i + 1]) == byte) {
        to_.insert(to_.end(), {from_[i], literals_.after_next(from_[i], from_[i + 1])});
      }
      continue;
    }
    NodeId next = regexes_.step(from_[i + 1], byte);
    if (next != kNothing && regexes_.alive(next)) {
      to_.push_back(from_[i]);
      to_.push_back(next);
    }
  }
  add_stretch(stretch, to_);
  LexId next = intern(to_);
  State& here = states_[state];
  if (!here.row && ++here.misses > kBusy) {
    here.row = std::make_unique<std::uint32_t[]>(256);
    for (std::size_t b = 0; b < 256; ++b) {
      here.row[b] = sparse_.find(key(state, static_cast<std::uint8_t>(b)));
    }
    ++rows_;
  }
  if (here.row) {
    here.row[byte] = next;
  } else {
    sparse_.insert(key(state, byte), next);
  }
  return next;
}

LexId Lexer::compute_going_on(LexId state) {
  std::lock_guard lock(shared_.mutex);
  const std::span<const std::uint32_t> pairs = pairs_.words(state);
  to_.clear();
  for (std::size_t i = 0; i < pairs.size(); i += 2) {
    if (is_stretch(pairs[i]) || is_fixed(pairs[i + 1]) || regexes_.can_continue(pairs[i + 1])) {
      to_.insert(to_.end(), {pairs[i], pairs[i + 1]});
    }
  }
  const LexId going_on = to_.size() == pairs.size() ? state : intern(to_);
  states_[state].going_on = going_on;
  return going_on;
}

const CharClass& Lexer::compute_loop(LexId state) {
  std::lock_guard lock(shared_.mutex);
  CharClass widest;
  std::span<const std::uint32_t> pairs = pairs_.words(state);
  for (std::size_t i = 0; i < pairs.size(); i += 2) {
    if (is_stretch(pairs[i]) || is_fixed(pairs[i + 1])) continue;
    CharClass one = shared_.loop_characters(pairs[i + 1]);
    if (one.size() > widest.size()) widest = one;
  }
  std::uint32_t at = 0;
  if (widest.size() > 0) {
    at = static_cast<std::uint32_t>(loops_.size());
    loops_.push_back(widest);
  }
  states_[state].loop = at;
  return loops_[at];
}

ObligationId Lexer::oblige(ObligationId before, LexId state, TerminalId ended) {
  if (!grammar_.is_longest(ended)) return before;
  std::lock_guard lock(shared_.mutex);
  std::span<const std::uint32_t> old = obligations_.words(before);
  std::vector<std::uint32_t> nodes(old.begin(), old.end());
  std::span<const std::uint32_t> shared = pairs_.words(state);
  std::vector<std::uint32_t> pairs(shared.begin(), shared.end());
  for (std::size_t i = 0; i < pairs.size(); i += 2) {
    if (pairs[i] == ended && !is_fixed(pairs[i + 1]) && regexes_.can_continue(pairs[i + 1]))
      nodes.push_back(pairs[i + 1]);
  }
  std::sort(nodes.begin(), nodes.end());
  nodes.erase(std::unique(nodes.begin(), nodes.end()), nodes.end());
  return obligations_.intern(nodes);
}

ObligationId Lexer::step_obligation(ObligationId set, std::uint8_t byte) {
  if (set == 0) return 0;
  std::uint64_t key = (std::uint64_t{set} << 8) | byte;
  if (ObligationId known = obligation_steps_.find(key); known != FlatMap::kAbsent) return known;
  std::lock_guard lock(shared_.mutex);
  std::span<const std::uint32_t> shared = obligations_.words(set);
  std::vector<std::uint32_t> from(shared.begin(), shared.end()), to;
  bool broken = false;
  for (NodeId node : from) {
    NodeId next = regexes_.step(node, byte);
    broken = broken || regexes_.nullable(next);
    if (next != kNothing && regexes_.alive(next)) to.push_back(next);
  }
  std::sort(to.begin(), to.end());
  to.erase(std::unique(to.begin(), to.end()), to.end());
  ObligationId next = broken ? kBroken : obligations_.intern(to);
  obligation_steps_.insert(key, next);
  return next;
}

std::size_t Lexer::bytes() const noexcept {
  return states_.size() * sizeof(State) + rows_ * 1024 + pairs_.bytes() + sparse_.bytes() +
         literals_.bytes();
}

}  // namespace slm

#include "lower/tables.h"

#include <algorithm>

#include "lower/expressions.h"

namespace slm::lower {
namespace {

std::uint64_t pair_of(Number left, Number right) {
  return static_cast<std::uint64_t>(left) << 32 | right;
}

}  // namespace

Places::Places(Words& in, const Symbols& symbols, Lexing& lexing, const Indents& indents)
    : symbols_(symbols), lexing_(lexing), indents_(indents) {
  Number rows = 0;
  for (Number rule = 0; rule < symbols.rules(); ++rule) {
    first_row_.push_back(rows);
    rows += number(symbols.rows(rule).size());
  }
  std::size_t all = symbols.tokens() + symbols.rules();
  one_place_ = in.index(2) == 0;
  if (one_place_) {
    scanners_.push_back(in.index(lexing.scanners()));
    start_ = place({0, false, 0});
  } else {
    for (std::size_t left = in.count(); left > 0; --left) {
      Number rule = in.index(symbols.rules());
      Number row = in.index(symbols.rows(rule).size());
      reductions_.emplace_back(rule, symbols.rows(rule)[row].same);
    }
    std::size_t states = in.count();
    Number start = in.index(states);
    for (std::size_t state = 0; state < states; ++state) {
      scanners_.push_back(in.index(lexing.scanners()));
    }
    for (std::size_t state = 0; state < states; ++state) {
      auto& actions = actions_.emplace_back();
      for (std::size_t left = in.count(); left > 0; --left) {
        Action action{in.index(all), in.word()};
        bool right = action.to >= 0 ? static_cast<std::size_t>(action.to) < states
                                    : static_cast<std::size_t>(-1 - action.to) < reductions_.size();
        if (!right) throw std::invalid_argument("the rules refer to what is not there");
        actions.push_back(action);
      }
      std::ranges::sort(actions, {}, &Action::symbol);
    }
    start_ = place({start, false, 0});
  }
  if (!indents.used) ahead_of(start_, kNone);  // in the order in which the twin asks
  if (!one_place_ || indents.used) find_alike();
}

Place Places::place(Inside at) {
  std::uint64_t key = pair_of(at.state, static_cast<Number>(at.opened) << 1 | at.inside);
  Place known = numbers_.find(key);
  if (known != FlatMap::kAbsent) return known;
  numbers_.insert(key, number(places_.size()));
  places_.push_back(at);
  return number(places_.size() - 1);
}

Place Places::enter(Place at) {
  Inside there = places_[at];
  return place({there.state, there.inside || there.opened > 0, 0});
}

Number Places::state_after(Number state, Symbol symbol) const {
  if (one_place_) return 0;
  const auto& actions = actions_[state];
  auto found = std::ranges::lower_bound(actions, symbol, {}, &Action::symbol);
  if (found == actions.end() || found->symbol != symbol || found->to < 0) {
    throw std::invalid_argument("the rules have no such way in the table");
  }
  return static_cast<Number>(found->to);
}

Place Places::to(Place at, Symbol symbol) {
  Inside there = places_[at];
  std::int32_t opened = there.opened + (indents_.used ? indents_.change[symbol] : 0);
  return place({state_after(there.state, symbol), there.inside, opened});
}

// --- what comes next -----------------------------------------------------------------------------

Number Places::ahead_of_table(Number state, Token token) {
  Number last = state;
  if (token != kNone) last = state_after(state, token);
  std::uint64_t key = pair_of(last, token);
  if (Number known = ahead_.find(key); known != FlatMap::kAbsent) return known;
  const Tokens& after = token == kNone ? symbols_.begins() : symbols_.follow(token);
  Scanner scanner = scanners_[last];
  Ahead made{scanner, {}};
  if (one_place_) {
    made.tokens = after;
  } else {
    const auto& actions = actions_[last];
    for (Token each : after) {
      auto found = std::ranges::lower_bound(actions, each, {}, &Action::symbol);
      if (found == actions.end() || found->symbol != each) continue;
      if (each == symbols_.end() || lexing_.has_source(scanner, each)) made.tokens.push_back(each);
    }
    Number law = lexing_.law(scanner, made.tokens);
    if (Number same = same_ahead_.find(law); same != FlatMap::kAbsent) {
      ahead_.insert(key, same);
      return same;
    }
    same_ahead_.insert(law, number(aheads_.size()));
  }
  ahead_.insert(key, number(aheads_.size()));
  aheads_.push_back(std::move(made));
  return number(aheads_.size() - 1);
}

Number Places::ahead_of(Place at, Token token) {
  Inside there = places_[at];
  Number ahead = ahead_of_table(there.state, token);
  if (!indents_.used) return ahead;
  std::int32_t opened = there.opened + (token == kNone ? 0 : indents_.change[token]);
  if (!there.inside && opened <= 0) return ahead;
  if (Number known = inside_.find(ahead); known != FlatMap::kAbsent) return known;
  // Inside brackets newlines are dropped.
  Ahead made{lexing_.dropping(aheads_[ahead].scanner, indents_.newline), aheads_[ahead].tokens};
  std::erase(made.tokens, indents_.newline);
  inside_.insert(ahead, number(aheads_.size()));
  aheads_.push_back(std::move(made));
  return number(aheads_.size() - 1);
}

Number Places::number_of_cut(Place at, Number rule, const Symbols::Row& row) {
  Number state = places_[at].state, own = first_row_[rule] + row.same;
  std::uint64_t key = pair_of(state, own);
  if (Number known = cuts_.find(key); known != FlatMap::kAbsent) return known;
  Tokens kept;
  for (Token each : symbols_.follow(symbols_.tokens() + rule)) {
    bool reduces = true;
    if (!one_place_) {
      const auto& actions = actions_[state];
      auto found = std::ranges::lower_bound(actions, each, {}, &Action::symbol);
      if (found != actions.end() && found->symbol == each) {
        reduces = found->to < 0 && reductions_[static_cast<std::size_t>(-1 - found->to)] ==
                                       std::pair(rule, row.same);
      }
    }
    if (reduces) kept.push_back(each);
  }
  Number list = token_lists_.add(kept);
  if (list == reduced_.size()) reduced_.push_back(std::move(kept));
  cuts_.insert(key, list);
  return list;
}

const Tokens& Places::reduced(Place at, Number rule, const Symbols::Row& row) {
  return reduced_[number_of_cut(at, rule, row)];
}

// --- what cannot be told apart -------------------------------------------------------------------

Place Places::like(Place at, Number rule) {
  if (one_place_ && !indents_.used) return at;
  Place found = alike_.find(pair_of(indents_.used ? enter(at) : at, rule));
  if (found == FlatMap::kAbsent) throw std::invalid_argument("the rules have no such place");
  return found;
}

/// One place for all those of a rule that cannot be told apart, by refining guesses; the twin is
/// `slm.syntax.tables.alike`.
void Places::find_alike() {
  std::vector<std::pair<Place, Number>> pairs{{start_, symbols_.start()}};
  FlatMap numbers;
  numbers.insert(pair_of(start_, symbols_.start()), 0);
  Lists kinds_known, rests;
  std::vector<Number> kinds, kind;
  Calls calls;
  // What the rest of a row meets from a place on: places of one rule often meet in the table.
  struct Rest {
    Number number, called, next;  // the rule called first and the rest behind it, or kNone
  };
  std::vector<Rest> chains;
  FlatMap known;  // by row and position, and place: in `chains`
  std::vector<Number> first_position;
  Number positions = 0;
  for (Number rule = 0; rule < symbols_.rules(); ++rule) {
    for (const Symbols::Row& row : symbols_.rows(rule)) {
      first_position.push_back(positions);
      positions += number(row.symbols.size());
    }
  }
  struct Step {
    std::uint64_t key;
    Number met, called;
  };
  std::vector<Step> before;
  for (std::size_t next = 0; next < pairs.size(); ++next) {  // grows while it is walked
    auto [place, rule] = pairs[next];
    kind.assign(1, rule);
    const auto& rows = symbols_.rows(rule);
    for (Number which = 0; which < rows.size(); ++which) {
      Place at = place;
      before.clear();
      Number rest = kNone;
      for (Number position = 0; position < rows[which].symbols.size(); ++position) {
        std::uint64_t key = pair_of(first_position[first_row_[rule] + which] + position, at);
        rest = known.find(key);
        if (rest != FlatMap::kAbsent) break;
        Symbol symbol = rows[which].symbols[position];
        if (symbols_.is_token(symbol)) {
          before.push_back({key, ahead_of(at, symbol), kNone});
        } else {
          Number called = symbols_.rule(symbol);
          Place entered = indents_.used ? enter(at) : at;
          Number pair = numbers.find(pair_of(entered, called));
          if (pair == FlatMap::kAbsent) {
            pair = number(pairs.size());
            numbers.insert(pair_of(entered, called), pair);
            pairs.emplace_back(entered, called);
          }
          before.push_back({key, kNone, pair});
        }
        at = to(at, symbol);
      }
      if (rest == kNone) {
        rest = number(chains.size());
        chains.push_back({rests.add({0, number_of_cut(at, rule, rows[which])}), kNone, kNone});
      }
      for (std::size_t step = before.size(); step > 0; --step) {
        const Step& here = before[step - 1];
        chains.push_back({rests.add({1, here.met, chains[rest].number}), here.called, rest});
        rest = number(chains.size() - 1);
        known.insert(here.key, rest);
      }
      kind.push_back(chains[rest].number);
      for (; rest != kNone; rest = chains[rest].next) {
        if (chains[rest].called != kNone) calls.add(chains[rest].called);
      }
    }
    calls.end();
    kinds.push_back(kinds_known.add(kind));
  }
  std::vector<Number> blocks = refined(kinds, calls);
  std::vector<Place> chosen(pairs.size(), kNone);  // by block
  for (std::size_t at = 0; at < pairs.size(); ++at) {
    Place& one = chosen[blocks[at]];
    if (one == kNone) one = pairs[at].first;
    alike_.insert(pair_of(pairs[at].first, pairs[at].second), one);
  }
}

}  // namespace slm::lower

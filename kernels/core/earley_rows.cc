// How Earley rows are made: put together from outcomes of shapes, or item by item.
//
// The second is what the first means, and is taken where rows have many origins: there shapes are
// as new as rows.
#include <algorithm>
#include <array>
#include <functional>

#include "core/earley.h"

namespace slm {

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
    if (Shape::waiting(shape_of(at.second).rules, at.first).size() > 1) break;
    std::size_t waits = 0;
    Item after{};
    auto tell = [&](const Item& item) { after = item, ++waits; };
    each_rule_before(at.second, at.first, tell);
    each_rule_here(at.second, at.first, tell);
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
  bool there = false;
  if (Shape::waiting(shape_of(row).rules, top).size() > kFewWaits) {
    if (top >= brought_.size()) brought_.resize(grammar_.rules());
    Brought& before = brought_[top];
    there = before.round == round_ && waits_include(before.row, row, top);
    before = {round_, row};  // of a row and the one before it the answer is known from then on
  }
  auto tell = [&](const Item& item) { todo.push_back(item); };
  if (!there) each_rule_before(row, top, tell);
  const std::size_t before = todo.size();
  each_rule_here(row, top, tell);
  begin(todo, before, row);
}

/// What a rule that begins in `row` has as its origin: as much of the row as waits for it, where
/// many readings are open.
///
/// When the rule ends it goes on with what waits for it, and with nothing else that is in the row.
/// Where a word may begin at every place of a text (`(T{8,20}){3}`, T nearly anything), an item for
/// each place would be in each row, and rows would never come again. But what waits is the same at
/// most places, so that their items are one.
RowId EarleyRecogniser::begun(RowId row, RuleId rule) {
  const ShapeId shape = shape_number(row);
  if (shapes_[shape].origins <= Composer::kManyOrigins || whole_rows_) return row;
  const Shapes::Waiting& waiting = shapes_.waiting_for(shape, rule);
  if (waiting.shape == shape) return row;
  words_.assign({waiting.shape});
  for (std::uint32_t origin : waiting.origins) words_.push_back(rows_.words(row)[origin + 1]);
  return rows_.intern(words_);
}

/// The same for items, from a place on.
void EarleyRecogniser::begin(std::vector<Item>& items, std::size_t from, RowId row) {
  for (std::size_t i = from; i < items.size(); ++i) {
    if (items[i].origin == row) {
      items[i].origin = begun(row, grammar_.position(items[i].position).rule);
    }
  }
}

/// Whether all that waits for the rule in the row `less`, and began before it, does so in `more`.
bool EarleyRecogniser::waits_include(RowId more, RowId less, RuleId rule) {
  const std::array<std::uint32_t, 3> key{more, less, rule};
  std::uint32_t id = inclusions_.intern(key);
  if (id == included_.size()) {
    auto waits = [&](RowId row) {
      std::vector<Item> items;
      each_rule_before(row, rule, [&](const Item& item) { items.push_back(item); });
      std::ranges::sort(items);
      return items;
    };
    included_.push_back(std::ranges::includes(waits(more), waits(less)));
  }
  return included_[id];
}

/// Closes a set of items under silent edges and completion, and interns the result. What begins
/// here is left to the predictions.
///
/// A rule that is empty here completes in the row it started in; instead of iterating, an item
/// that waits for a nullable rule also moves past it at once (Aycock and Horspool).
RowId EarleyRecogniser::make_row() {
  std::vector<Item>&todo = todo_, &kernel = kernel_;
  kernel.clear();
  bool accepting = false;
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
    const ItemSteps steps(position, item.count);
    for (std::uint32_t e = position.silent; e != 0; e = grammar_.silent(e).next) {
      todo.push_back({grammar_.silent(e).to, item.count, item.origin});
    }
    if (steps.may_end) {
      if (position.rule == grammar_.start()) {
        accepting = true;
      } else {
        ended.emplace_back(item.origin, position.rule);
      }
    }
    if (position.symbol_kind == Position::Symbol::kNone || !steps.may_loop) continue;
    kernel.push_back(item);
    if (position.symbol_kind == Position::Symbol::kTerminal) continue;
    bool passes = grammar_.rule(position.symbol).nullable && !position.counted;
    if (passes) todo.push_back({position.target, steps.count, item.origin});
  }
  return intern_row(kernel, accepting);
}

RowId EarleyRecogniser::intern_row(std::vector<Item>& items, bool accepting) {
  canonical(items, origins_);
  key_.assign({shapes_.intern(items, accepting)});
  key_.insert(key_.end(), origins_.begin(), origins_.end());
  return rows_.intern(key_);
}

/// As `topmost`, by what shapes know: a completion that does nothing but complete one rule more.
std::pair<RuleId, RowId> EarleyRecogniser::skip(RuleId rule, RowId origin) {
  constexpr std::size_t kShort = 4;  // what is as short is found again as fast as it is looked up
  std::pair<RuleId, RowId> at{rule, origin};
  std::vector<std::uint64_t> passed;
  for (std::size_t steps = 0;; ++steps) {
    std::uint64_t key = (std::uint64_t{at.first} << 32) | at.second;
    if (steps >= kShort || (steps > 0 && !skipped_.empty())) {
      if (auto known = skipped_.find(key); known != skipped_.end()) {
        at = known->second;
        break;
      }
    }
    const ShapeId shape = shape_number(at.second);
    if (shapes_[shape].origins > Composer::kManyOrigins) break;
    const Outcome& outcome = shapes_.outcome(shapes_.on_rule(shape, at.first));
    if (!outcome.passes()) break;
    passed.push_back(key);
    const Outcome::Ended& ended = outcome.ended[0];
    at = {ended.rule, rows_.words(at.second)[ended.origin + 1]};
  }
  if (passed.size() >= kShort) {
    for (std::uint64_t key : passed) skipped_.emplace(key, at);
  }
  return at;
}

/// Rows as the composer sees them.
struct EarleyRecogniser::Interned {
  EarleyRecogniser& of;
  ShapeId shape(RowId row) const { return of.shape_number(row); }
  RowId origin(RowId row, std::uint32_t k) const { return of.rows_.words(row)[k + 1]; }
  std::optional<std::pair<RuleId, RowId>> complete(RuleId rule, RowId row) const {
    return of.skip(rule, row);
  }
};

RowId EarleyRecogniser::advance_one(RowId row, AcceptId set) {
  std::uint64_t key = (std::uint64_t{row} << 32) | set;
  RowId known = advances_one_.find(key);
  if (known != FlatMap::kAbsent) return known;
  const std::pair<RowId, AcceptId> ended{row, set};
  RowId made = advance_all({&ended, 1});
  advances_one_.insert(key, made);
  return made;
}

RowId EarleyRecogniser::advance(std::span<const std::pair<RowId, AcceptId>> ended) {
  if (ended.size() == 1) return advance_one(ended[0].first, ended[0].second);
  key_.clear();
  for (auto [row, set] : ended) key_.insert(key_.end(), {row, set});
  std::uint32_t number = advances_.intern(key_);
  if (number < advanced_.size()) return advanced_[number];
  RowId made = advance_all(ended);
  advanced_.push_back(made);
  return made;
}

RowId EarleyRecogniser::advance_all(std::span<const std::pair<RowId, AcceptId>> ended) {
  Interned rows{*this};
  composer_.clear();
  bool few = !rows_by_items_ &&
             (ended.size() > 1 || shapes_.met(shape_number(ended[0].first), ended[0].second));
  for (std::size_t i = 0; few && i < ended.size(); ++i) {
    few = composer_.add(rows, ended[i].first, ended[i].second);
  }
  if (few && composer_.compose(rows)) return rows_.intern(composer_.made);
  todo_.clear();
  for (auto [row, set] : ended) {
    const std::size_t before = todo_.size();
    for (TerminalId terminal : lexer_.terminals_of(set)) {
      each_terminal(row, terminal, [&](const Item& after) { todo_.push_back(after); });
    }
    begin(todo_, before, row);
  }
  return make_row();
}

/// The row behind a rule that began in `origin` and is complete.
RowId EarleyRecogniser::after_complete(RuleId rule, RowId origin) {
  std::uint64_t key = (std::uint64_t{rule} << 32) | origin;
  RowId known = after_complete_.find(key);
  if (known != FlatMap::kAbsent) return known;
  Interned rows{*this};
  composer_.clear();
  auto at = skip(rule, origin);
  RowId made;
  if (!rows_by_items_ && composer_.add_rule(rows, at.first, at.second) && composer_.compose(rows)) {
    made = rows_.intern(composer_.made);
  } else {
    todo_.clear();
    ++round_;
    complete(rule, origin, todo_);
    made = make_row();
  }
  after_complete_.insert(key, made);
  return made;
}

}  // namespace slm

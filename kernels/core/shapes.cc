#include "core/shapes.h"

#include <algorithm>

#include "core/error.h"

namespace slm {

std::span<const Shape::Wait> Shape::waiting(const std::vector<Wait>& waits, std::uint32_t symbol) {
  auto [first, last] =
      std::equal_range(waits.begin(), waits.end(), Wait{symbol, {}},
                       [](const Wait& x, const Wait& y) { return x.symbol < y.symbol; });
  return {first, last};
}

void canonical(std::vector<Item>& items, std::vector<std::uint32_t>& origins) {
  std::sort(items.begin(), items.end());
  items.erase(std::unique(items.begin(), items.end()), items.end());
  origins.clear();
  if (items.size() < 64) {
    for (Item& item : items) {
      auto known = std::find(origins.begin(), origins.end(), item.origin);
      std::uint32_t number = static_cast<std::uint32_t>(known - origins.begin());
      if (known == origins.end()) origins.push_back(item.origin);
      item.origin = number;
    }
    return;
  }
  FlatMap numbers;
  for (Item& item : items) {
    std::uint32_t number = numbers.find(item.origin);
    if (number == FlatMap::kAbsent) {
      number = static_cast<std::uint32_t>(origins.size());
      numbers.insert(item.origin, number);
      origins.push_back(item.origin);
    }
    item.origin = number;
  }
}

/// Puts items down as words, in key_.
void Shapes::spell(std::span<const Item> items, bool accepting) {
  key_.clear();
  key_.reserve(1 + 3 * items.size());
  key_.push_back(accepting ? 1 : 0);
  for (const Item& item : items) {
    key_.insert(key_.end(), {item.position, item.count, item.origin});
  }
}

ShapeId Shapes::intern(std::span<const Item> items, bool accepting) {
  spell(items, accepting);
  ShapeId id = keys_.intern(key_);
  if (id < shapes_.size()) return id;
  Shape shape;
  shape.accepting = accepting;
  for (const Item& item : items) {
    const Position& position = grammar_.position(item.position);
    Item after{position.target, ItemSteps(position, item.count).count, item.origin};
    bool terminal = position.symbol_kind == Position::Symbol::kTerminal;
    (terminal ? shape.terminals : shape.rules).push_back({position.symbol, after});
    shape.origins = std::max(shape.origins, item.origin + 1);
  }
  std::sort(shape.terminals.begin(), shape.terminals.end());
  std::sort(shape.rules.begin(), shape.rules.end());
  key_.clear();
  for (const Shape::Wait& wait : shape.rules) {
    if (key_.empty() || key_.back() != wait.symbol) key_.push_back(wait.symbol);
  }
  shape.predicted = predictions_.predict(key_);
  bytes_ += (shape.terminals.size() + shape.rules.size()) * sizeof(Shape::Wait) + sizeof(Shape);
  shapes_.push_back(std::move(shape));
  return id;
}

LexId Shapes::lexer(ShapeId id) {
  Shape& shape = shapes_[id];
  if (shape.lexer != kUnknown) return shape.lexer;
  key_.clear();
  for (const Shape::Wait& wait : shape.terminals) {
    if (key_.empty() || key_.back() != wait.symbol) key_.push_back(wait.symbol);
  }
  const std::ptrdiff_t own = static_cast<std::ptrdiff_t>(key_.size());
  predictions_.terminals(shape.predicted, key_);
  std::inplace_merge(key_.begin(), key_.begin() + own, key_.end());
  key_.erase(std::unique(key_.begin(), key_.end()), key_.end());
  return shape.lexer = lexer_.start(key_);
}

std::span<const ShapeId> Shapes::parts(ShapeId shape) {
  if (shapes_[shape].parts.empty()) {
    std::vector<std::vector<Item>> items(shapes_[shape].origins);
    const std::span<const std::uint32_t> words = keys_.words(shape);
    for (std::size_t k = 1; k < words.size(); k += 3) {
      items[words[k + 2]].push_back({words[k], words[k + 1], 0});
    }
    std::vector<ShapeId> made;
    for (const std::vector<Item>& part : items) made.push_back(intern(part, false));
    bytes_ += made.size() * sizeof(ShapeId);
    shapes_[shape].parts = std::move(made);
  }
  return shapes_[shape].parts;
}

/// The rule, and those that began in a row of the shape and may begin with it; sorted.
std::vector<RuleId> Shapes::callers(ShapeId shape, RuleId rule) const {
  std::vector<RuleId> found{rule};
  for (std::size_t i = 0; i < found.size(); ++i) {
    predictions_.each_rule(shapes_[shape].predicted, found[i], [&](const auto& wait) {
      const RuleId caller = grammar_.position(wait.position).rule;
      if (std::ranges::find(found, caller) == found.end()) found.push_back(caller);
    });
  }
  std::ranges::sort(found);
  return found;
}

const Shapes::Waiting& Shapes::waiting_for(ShapeId shape, RuleId rule) {
  const std::uint64_t key = (std::uint64_t{shape} << 32) | rule;
  const std::uint32_t known = waiting_for_.find(key);
  if (known != FlatMap::kAbsent) return waitings_[known];
  const std::vector<RuleId> awaited = callers(shape, rule);
  std::vector<Item> items;
  const std::span<const std::uint32_t> words = keys_.words(shape);
  for (std::size_t k = 1; k < words.size(); k += 3) {
    const Position& position = grammar_.position(words[k]);
    if (position.symbol_kind == Position::Symbol::kRule &&
        std::ranges::binary_search(awaited, position.symbol)) {
      items.push_back({words[k], words[k + 1], words[k + 2]});
    }
  }
  Waiting made{shape};
  if (items.size() <= words.size() / 3 / 2) {
    canonical(items, made.origins);
    made.shape = intern(items, false);
  }
  bytes_ += sizeof(Waiting) + made.origins.size() * 4;
  waiting_for_.insert(key, static_cast<std::uint32_t>(waitings_.size()));
  waitings_.push_back(std::move(made));
  return waitings_.back();
}

bool Shapes::met(ShapeId shape, AcceptId set) {
  const std::uint64_t key = (std::uint64_t{shape} << 32) | set;
  if (after_terminals_.find(key) != FlatMap::kAbsent) return true;
  if (met_.find(key) != FlatMap::kAbsent) return true;
  met_.insert(key, 0);
  return false;
}

OutcomeId Shapes::on_terminals(ShapeId shape, AcceptId set) {
  std::uint64_t key = (std::uint64_t{shape} << 32) | set;
  OutcomeId known = after_terminals_.find(key);
  if (known != FlatMap::kAbsent) return known;
  todo_.clear();
  for (TerminalId terminal : lexer_.terminals_of(set)) {
    for (const Shape::Wait& wait : Shape::waiting(shapes_[shape].terminals, terminal)) {
      todo_.push_back({wait.after.position, wait.after.count, wait.after.origin + 1});
    }
    predictions_.each_terminal(shapes_[shape].predicted, terminal, [&](const auto& wait) {
      todo_.push_back({wait.position, wait.count, 0});
    });
  }
  OutcomeId made = close(shape);
  after_terminals_.insert(key, made);
  return made;
}

/// Puts what waits for a rule in a row of the shape, moved past it, into todo_.
void Shapes::wait_for_rule(ShapeId shape, RuleId rule) {
  for (const Shape::Wait& wait : Shape::waiting(shapes_[shape].rules, rule)) {
    todo_.push_back({wait.after.position, wait.after.count, wait.after.origin + 1});
  }
  predictions_.each_rule(shapes_[shape].predicted, rule, [&](const auto& wait) {
    todo_.push_back({wait.position, wait.count, 0});
  });
}

OutcomeId Shapes::on_rule(ShapeId shape, RuleId rule) {
  std::uint64_t key = (std::uint64_t{shape} << 32) | rule;
  OutcomeId known = after_rule_.find(key);
  if (known != FlatMap::kAbsent) return known;
  todo_.clear();
  wait_for_rule(shape, rule);
  OutcomeId made = close(shape);
  after_rule_.insert(key, made);
  return made;
}

/// Closes the items in todo_ under silent edges, and under the completion of rules that began in
/// the row itself. As `EarleyRecogniser::make_row`, which says more.
OutcomeId Shapes::close(ShapeId shape) {
  Outcome made;
  complete_.clear();
  seen_.clear();
  while (!todo_.empty()) {
    Item item = todo_.back();
    todo_.pop_back();
    if (!seen_.insert(item)) continue;
    if (seen_.size() > kMaxRowItems) {
      throw TooComplex("too many readings of the text are open at once");
    }
    const Position& position = grammar_.position(item.position);
    const ItemSteps steps(position, item.count);
    for (std::uint32_t e = position.silent; e != 0; e = grammar_.silent(e).next) {
      todo_.push_back({grammar_.silent(e).to, item.count, item.origin});
    }
    const RuleId rule = position.rule;
    if (position.symbol_kind != Position::Symbol::kNone && steps.may_loop) {
      made.items.push_back(item);
      bool passes = position.symbol_kind == Position::Symbol::kRule && !position.counted &&
                    grammar_.rule(position.symbol).nullable;
      if (passes) todo_.push_back({position.target, steps.count, item.origin});
    }
    if (!steps.may_end) continue;
    if (rule == grammar_.start()) {
      made.accepting = true;
    } else if (item.origin > 0) {
      made.ended.push_back({rule, item.origin - 1});
    } else if (complete_.insert(rule)) {
      wait_for_rule(shape, rule);
    }
  }
  std::ranges::sort(made.ended);
  made.ended.erase(std::unique(made.ended.begin(), made.ended.end()), made.ended.end());
  canonical(made.items, made.from);
  spell(made.items, made.accepting);
  made.added = added_.intern(key_);
  bytes_ += sizeof(Outcome) + made.items.size() * sizeof(Item) + made.from.size() * 4 +
            made.ended.size() * sizeof(Outcome::Ended);
  outcomes_.push_back(std::move(made));
  return static_cast<OutcomeId>(outcomes_.size() - 1);
}

std::span<const std::uint32_t> Shapes::join(std::span<const OutcomeId> outcomes,
                                            std::span<const std::uint32_t> ranks) {
  key_.clear();
  for (OutcomeId id : outcomes) key_.push_back(outcomes_[id].added);
  key_.insert(key_.end(), ranks.begin(), ranks.end());
  std::uint32_t number = joins_.intern(key_);
  if (number == joined_of_.size()) {
    std::vector<Item> items;
    bool accepting = false;
    std::size_t base = 0;
    for (OutcomeId id : outcomes) {
      const Outcome& outcome = outcomes_[id];
      accepting = accepting || outcome.accepting;
      for (const Item& item : outcome.items) {
        items.push_back({item.position, item.count, ranks[base + item.origin]});
      }
      base += outcome.from.size();
    }
    std::vector<std::uint32_t> origins;
    canonical(items, origins);
    std::vector<std::uint32_t> made{intern(items, accepting)};
    for (std::uint32_t rank : origins) {
      made.push_back(static_cast<std::uint32_t>(std::ranges::find(ranks, rank) - ranks.begin()));
    }
    joined_of_.push_back(joined_.intern(made));
  }
  return joined_.words(joined_of_[number]);
}

}  // namespace slm

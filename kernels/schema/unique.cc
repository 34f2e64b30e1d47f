// `uniqueItems`: a rule for every set of few values, a list of more of them as one terminal, or
// marks for the engine's memory. Mirrors unique.py and distinct.py. Finitely many numbers, arrays
// and objects are left to Python.
#include <algorithm>
#include <bit>
#include <map>

#include "schema/arrays.h"
#include "schema/counts.h"

namespace slm::schema {
namespace {

using Count = Items::Count;
using Values = std::vector<const Value*>;

constexpr Count kMaxValues = 64;
constexpr Count kMaxRange = 10 * kMaxValues;
constexpr Count kMaxSets = 1'100;
constexpr Count kMaxPlaces = 64;
constexpr int kMaxDepth = 16;

bool same(const Value* one, const Value* two) {
  return one->kind == two->kind && one->truth == two->truth && one->text() == two->text();
}

Count size_of(const Values& values) { return static_cast<Count>(values.size()); }

void add(Values& values, const Value* value) {
  if (std::ranges::none_of(values, [&](auto* other) { return same(other, value); })) {
    values.push_back(value);
  }
}

/// The JSON values that reach a goal, where they are few; nothing where they are not.
class Finite {
 public:
  explicit Finite(Normaliser& of) : of_(of) {}

  std::optional<Values> values(Goal goal, int depth = 0) {
    if (depth > kMaxDepth) throw Deferred("values in values");
    const Kinds& kinds = *of_.kinds(goal);
    Values found;
    if (kinds.null) found.push_back(value(Value()));
    for (bool truth : {false, true}) {
      if (!(kinds.booleans >> truth & 1)) continue;
      found.push_back(value(Value::of_truth(truth)));
    }
    for (const NumberShape* shape : kinds.numbers) {
      if (endless(*shape)) return std::nullopt;
    }
    for (const StringShape* shape : kinds.strings) {
      if (!shape->finite) return std::nullopt;
      for (Name name : shape->values) {
        add(found, value(Value::of_text(of_.pool.text(name))));
      }
      if (size_of(found) > kMaxValues) return std::nullopt;
    }
    for (const ArrayShape* shape : kinds.arrays) {
      if (endless(*shape, depth)) return std::nullopt;
    }
    for (const ObjectShape* shape : kinds.objects) {
      if (endless(*shape, depth)) return std::nullopt;
    }
    return found;
  }

 private:
  const Value* value(const Value& made) { return of_.arena.make<Value>(made); }

  bool endless(const NumberShape& shape) {
    if (!shape.finite) {
      if (!shape.integer.value_or(false) || !shape.low || !shape.high) return true;
      std::optional<Count> first = to_int(*first_integer(shape.low, shape.low_open));
      std::optional<Count> last = to_int(*last_integer(shape.high, shape.high_open));
      constexpr Count kFar = Count{1} << 62;
      bool far = !first || !last || std::abs(*first) > kFar || std::abs(*last) > kFar;
      if (far) return true;
      bool all = shape.multiples.empty() && shape.non_multiples.empty();
      Count size = *last - *first + 1 - static_cast<Count>(shape.excluded.size());
      if (*last - *first > kMaxRange || (all && size > kMaxValues)) return true;
    }
    throw Deferred("uniqueItems of finitely many numbers");
  }

  bool endless(const ArrayShape& shape, int depth) {
    if (!shape.contains.empty() || shape.unique) return true;
    std::optional<Count> high = shape.high;
    if (shape.items == kFalse) high = least(high, {static_cast<Count>(shape.prefix.size())});
    if (!high || *high > kMaxValues) return true;
    Count rows = 1;
    for (Count at = 0; at < *high; ++at) {
      auto each = values(shape.item(static_cast<std::size_t>(at)), depth + 1);
      if (!each || rows * size_of(*each) > kMaxValues) return true;
      rows *= size_of(*each);
    }
    throw Deferred("uniqueItems of finitely many arrays");
  }

  bool endless(const ObjectShape& shape, int depth) {
    auto closes = [](const NameRule& rule) {
      return rule.goal == kFalse && !rule.included && rule.excluded.empty();
    };
    bool empty = shape.high && *shape.high == 0;
    if (!shape.some.empty()) return true;
    if (!empty && std::ranges::none_of(shape.rules, closes)) return true;
    std::vector<Name> names;
    for (const NamedGoal& member : shape.members) names.push_back(member.name);
    for (Name name : shape.required) {
      if (std::ranges::find(names, name) == names.end()) names.push_back(name);
    }
    if (empty) names.clear();
    Count size = 1;
    for (Name name : names) {
      Goal goal = of_.algebra.goal_of(shape, name);
      std::optional<Values> each = Values();
      if (goal != kFalse) each = values(goal, depth + 1);
      if (!each) return true;
      bool required = std::ranges::find(shape.required, name) != shape.required.end();
      size *= size_of(*each) + !required;
      if (size > kMaxValues) return true;
    }
    throw Deferred("uniqueItems of finitely many objects");
  }

  Normaliser& of_;
};

/// A rule for each set of values.
class Sets {
 public:
  Sets(Items& items, const Values& values, Count high, std::int32_t number)
      : items_(items), high_(high) {
    for (const Value* value : values) {
      goals_.push_back(items.to.of.only(number, Keyword::kUniqueItems, value));
    }
  }

  Items::Pointer from(std::uint64_t used) {
    auto found = made_.find(used);
    if (found != made_.end()) return found->second;
    Items::Pointer made = body(used);
    bool plain = Expressions::is_empty(made) || Expressions::is_never(made);
    if (used && !plain) made = items_.to.add_rule(made);
    return made_[used] = made;
  }

 private:
  Items::Pointer body(std::uint64_t used) {
    Expressions& build = items_.to.build;
    Count at = std::popcount(used);
    std::vector<Items::Pointer> options;
    if (at && at >= items_.low) options.push_back(build.empty);
    if (at == high_) return build.alternatives(options);
    for (std::size_t bit = 0; bit < goals_.size(); ++bit) {
      if (used >> bit & 1) continue;
      Items::Pointer value = items_.value(items_.to.of.goals.conjoin(items_.own(at), goals_[bit]));
      if (Expressions::is_never(value)) continue;
      Items::Pointer rest = from(used | std::uint64_t{1} << bit);
      if (Expressions::is_never(rest)) continue;
      options.push_back(at ? build.seq({items_.comma(), value, rest}) : build.seq({value, rest}));
    }
    return build.alternatives(options);
  }

  Items& items_;
  Count high_;
  std::vector<Goal> goals_;
  std::map<std::uint64_t, Items::Pointer> made_;
};

std::string written(const Value& value) {
  if (value.is(Value::Kind::kNull)) return "null";
  if (value.is(Value::Kind::kBool)) return value.truth ? "true" : "false";
  std::string text;
  write_json(text, value.text());
  return text;
}

/// How many sets there are of so many values at most, as far as it matters.
Count sets(Count values, Count high) {
  Count all = 0, some = 1;
  for (Count size = 0; size <= high && all <= kMaxSets; ++size) {
    all += some;
    some = some * (values - size) / (size + 1);
  }
  return all;
}

/// How many of the items before may be equal to one under the goal.
Count rivals(Normaliser& of, Span<Goal> before, Goal goal) {
  return std::ranges::count_if(before, [&](Goal other) {
    Goal both = of.goals.conjoin(other, goal);
    return both != kFalse && !of.is_void(both);
  });
}

/// Sees to it that whoever chooses items one by one never lacks one that has to be there.
void check_enough(Items& items, const ArrayShape& shape) {
  Normaliser& of = items.to.of;
  if (!shape.contains.empty()) {
    const Contains& part = shape.contains[0];
    bool simple = shape.contains.size() == 1 && part.low == 1 && !part.high;
    if (!simple || items.places(part) > kMaxPlaces) throw Refused("uniqueItems, counted besides");
  }
  Counts counts(of);
  Span<Goal> prefix = items.prefix;
  auto needed = static_cast<std::size_t>(std::min(items.low, items.size()));
  for (std::size_t at = 0; at < needed; ++at) {
    if (!counts.at_least(prefix[at], 1 + rivals(of, prefix.first(at), prefix[at]))) {
      throw Refused("an item may have too few values");
    }
  }
  bool rest = items.prefix.empty() || items.low > items.size();
  if (rest && items.low > 1) {
    Count wanted = rivals(of, prefix, items.rest) + items.low - items.size();
    if (wanted > Counts::kMaxCounted || !counts.at_least(items.rest, wanted)) {
      throw Refused("there may be too few different items");
    }
  }
  if (!shape.contains.empty() && !counts.at_least(items.rest, Counts::kMaxCounted)) {
    throw Refused("beside contains it needs items of infinitely many values");
  }
}

/// The items with marks: they are too many for rules.
Items::Pointer marked_items(Items& items, const ArrayShape& shape) {
  check_enough(items, shape);
  items.marked = true;
  Items::Pointer inner = shape.contains.empty() ? items.run(0) : items.with_one(shape.contains[0]);
  if (Expressions::is_never(inner)) return inner;
  items.to.remembers = true;
  return items.to.build.seq({items.to.mark(Mark::kBegin), inner});
}

}  // namespace

Lowering::Pointer unique_items(Items& items, const ArrayShape& shape) {
  std::vector<Goal> goals = items.prefix;
  goals.push_back(items.rest);
  if (items.high && *items.high < static_cast<Count>(goals.size())) {
    goals.resize(static_cast<std::size_t>(*items.high));
  }
  Finite finite(items.to.of);
  bool endless = false;
  Values values;
  for (Goal goal : goals) {
    std::optional<Values> each = finite.values(goal);
    endless = endless || !each;
    if (!each) continue;
    for (const Value* value : *each) add(values, value);
  }
  if (endless || !shape.contains.empty()) return marked_items(items, shape);
  Count size = size_of(values);
  Count high = std::min(items.high.value_or(size), size);
  if (items.low > high) return items.to.build.never;
  if (sets(size, high) <= kMaxSets) {
    if (size >= kMaxValues) throw Deferred("uniqueItems of many values");
    return Sets(items, values, high, shape.unique).from(0);
  }
  if (!items.prefix.empty()) return marked_items(items, shape);
  std::vector<std::string> texts;
  for (const Value* value : values) texts.push_back(written(*value));
  return items.to.list(texts, items.low, high);
}

}  // namespace slm::schema

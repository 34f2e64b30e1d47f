#include "schema/counts.h"

#include <algorithm>

namespace slm::schema {
namespace {

using Count = Counts::Count;

Count numbers(const NumberShape& shape, Count wanted) {
  if (shape.finite) {
    return std::ranges::count_if(shape.values, [&](auto& value) { return shape.admits(value); });
  }
  // Multiples reach to infinity; non-multiples may rule all of them out.
  if (!shape.low || !shape.high) return shape.non_multiples.empty() ? wanted : 0;
  if (!shape.multiples.empty() || !shape.non_multiples.empty()) return 0;
  if (!shape.integer.value_or(false)) return compare(*shape.low, *shape.high) < 0 ? wanted : 1;
  std::optional<Count> first = to_int(*first_integer(shape.low, shape.low_open));
  std::optional<Count> last = to_int(*last_integer(shape.high, shape.high_open));
  constexpr Count kFar = Count{1} << 62;
  if (!first || !last || std::abs(*first) > kFar || std::abs(*last) > kFar) {
    throw Deferred("a range of integers is too large");
  }
  return std::max<Count>(0, *last - *first + 1 - static_cast<Count>(shape.excluded.size()));
}

/// The most that one shape has.
template <class Shape, class Each>
Count most(Span<const Shape*> shapes, Each each) {
  Count found = 0;
  for (const Shape* shape : shapes) found = std::max<Count>(found, each(*shape));
  return found;
}

}  // namespace

bool Counts::at_least(Goal goal, Count wanted, int depth) {
  if (wanted <= 0) return true;
  goal = of_.unaliased(goal);
  auto known = known_.find({goal, wanted});
  if (known != known_.end()) return known->second;
  if (depth == 0 || std::ranges::find(open_, goal) != open_.end()) return false;
  open_.push_back(goal);
  bool found = count(goal, wanted, depth) >= wanted;
  open_.pop_back();
  return known_[{goal, wanted}] = found;
}

Count Counts::count(Goal goal, Count wanted, int depth) {
  const Kinds& kinds = *of_.kinds(goal);
  Count total = kinds.null;
  total += (kinds.booleans & 1) + (kinds.booleans >> 1 & 1);
  total += most(kinds.numbers, [&](auto& shape) { return numbers(shape, wanted); });
  total += most(kinds.strings, [&](auto& shape) { return strings(shape, wanted); });
  if (total < wanted) {
    total += most(kinds.objects, [&](auto& shape) { return objects(shape, wanted, depth - 1); });
  }
  if (total < wanted) {
    total += most(kinds.arrays, [&](auto& shape) { return arrays(shape, wanted, depth - 1); });
  }
  return total;
}

Count Counts::strings(const StringShape& shape, Count wanted) {
  if (shape.finite) return static_cast<Count>(shape.values.size());
  if (!shape.parts.empty()) return of_.pool.count(shape, wanted);
  Count room = shape.high.value_or(8);
  return room >= 3 ? wanted : 1000 * room + (shape.low == 0);
}

Count Counts::objects(const ObjectShape& shape, Count wanted, int depth) {
  if (!shape.none.empty() || !shape.some.empty()) return 0;  // what is left is not counted
  auto size = static_cast<Count>(shape.required.size());
  bool bounded = shape.high && *shape.high <= size;
  auto open = [](const NameRule& rule) { return rule.goal != kFalse || rule.included; };
  bool free = !bounded && std::ranges::all_of(shape.rules, open);
  if (shape.low > size + free) return 0;
  for (Name name : shape.required) {
    if (!at_least(of_.algebra.goal_of(shape, name), 1, depth)) return 0;
  }
  if (free && shape.rules.empty()) return wanted;
  auto is_required = [&](Name name) {
    return std::ranges::find(shape.required, name) != shape.required.end();
  };
  std::vector<Name> names;
  for (const NamedGoal& member : shape.members) names.push_back(member.name);
  for (Name name : shape.required) {
    if (std::ranges::find(names, name) == names.end()) names.push_back(name);
  }
  for (Name name : names) {
    if (shape.high && !is_required(name)) continue;
    if (at_least(of_.algebra.goal_of(shape, name), wanted, depth)) return wanted;
  }
  return shape.low <= size;
}

Count Counts::arrays(const ArrayShape& shape, Count wanted, int depth) {
  if (!shape.none.empty()) return 0;
  if (!shape.contains.empty()) return shape.low == 0;
  if (shape.unique && shape.low > 1) {  // all but the last item fixed, the last is any other
    if (!shape.prefix.empty() || !at_least(shape.items, shape.low, depth)) return 0;
    return at_least(shape.items, shape.low - 1 + wanted, depth) ? wanted : 1;
  }
  for (Count at = 0; at < std::min<Count>(shape.low, 64); ++at) {
    if (!at_least(shape.item(static_cast<std::size_t>(at)), 1, depth)) return 0;
  }
  bool endless = !shape.high && !shape.unique && shape.items != kFalse;
  auto some = [&](Goal goal) { return at_least(goal, 1, depth); };
  if (endless && std::ranges::all_of(shape.prefix, some)) return some(shape.items) ? wanted : 1;
  bool first = (!shape.high || *shape.high > 0) && shape.low <= 1;
  return first && at_least(shape.item(0), wanted, depth) ? wanted : 1;
}

}  // namespace slm::schema

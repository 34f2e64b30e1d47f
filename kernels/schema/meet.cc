#include "schema/meet.h"

#include <algorithm>
#include <unordered_map>

#include "schema/json.h"

namespace slm::schema {
namespace {

const NumberShape* const kWholeNumbers[] = {&kAnyNumber};
const StringShape* const kWholeStrings[] = {&kAnyString};
const ArrayShape* const kWholeArrays[] = {&kAnyArray};
const ObjectShape* const kWholeObjects[] = {&kAnyObject};

bool same_members(Span<NamedGoal> left, Span<NamedGoal> right) {
  if (left.size() != right.size()) return false;
  for (const NamedGoal& one : left) {
    auto same = [&](const NamedGoal& two) { return one.name == two.name && one.goal == two.goal; };
    if (std::ranges::none_of(right, same)) return false;
  }
  return true;
}

bool same_names(Span<Name> left, Span<Name> right) {
  if (left.size() != right.size()) return false;
  return std::ranges::all_of(
      left, [&](Name name) { return std::ranges::find(right, name) != right.end(); });
}

// What equal shapes have in common.

std::size_t hash_of(const NumberShape& shape) { return shape.values.size(); }

std::size_t hash_of(const StringShape& shape) {
  std::size_t hash = static_cast<std::size_t>(shape.low) * 31 + shape.values.size();
  return shape.values.empty() ? hash : hash * 31 + shape.values.front();
}

std::size_t hash_of(const ArrayShape& shape) {
  return shape.items * std::size_t{31} + static_cast<std::size_t>(shape.low) + shape.prefix.size();
}

std::size_t hash_of(const ObjectShape& shape) {
  std::size_t sum = static_cast<std::size_t>(shape.low) + shape.none.size();  // in any order
  for (const NamedGoal& member : shape.members) {
    sum += (member.name * std::size_t{0x9e3779b1} + member.goal) * std::size_t{0xff51afd7ed558ccd};
  }
  for (Name name : shape.required) sum += (name + std::size_t{1}) * 0xc2b2ae3d27d4eb4full;
  return sum;
}

}  // namespace

const NumberShape kAnyNumber{};
const StringShape kAnyString{};
const ArrayShape kAnyArray{};
const ObjectShape kAnyObject{};
const Kinds kEverything{true, 3, kWholeNumbers, kWholeStrings, kWholeArrays, kWholeObjects};
const Kinds kNoValue{};

std::size_t Kinds::width() const {
  return std::max({numbers.size(), strings.size(), arrays.size(), objects.size()});
}

std::optional<Decimal> first_integer(const std::optional<Decimal>& low, bool open) {
  if (!low) return std::nullopt;
  return open && low->is_integer() ? next(*low, 1) : ceiling(*low);
}

std::optional<Decimal> last_integer(const std::optional<Decimal>& high, bool open) {
  if (!high) return std::nullopt;
  return open && high->is_integer() ? next(*high, -1) : floor(*high);
}

bool NumberShape::admits(const Decimal& value) const {
  if (integer && *integer != value.is_integer()) return false;
  if (low) {
    int side = compare(value, *low);
    if (side < 0 || (low_open && side == 0)) return false;
  }
  if (high) {
    int side = compare(value, *high);
    if (side > 0 || (high_open && side == 0)) return false;
  }
  auto is_value = [&](const Decimal& other) { return other == value; };
  if (finite && std::ranges::none_of(values, is_value)) return false;
  auto divides = [&](const Decimal& step) { return is_multiple(value, step); };
  return std::ranges::none_of(excluded, is_value) && std::ranges::all_of(multiples, divides) &&
         std::ranges::none_of(non_multiples, divides);
}

template <class T, class Equal>
Span<T> Algebra::merged(Span<T> left, Span<T> right, Equal equal) {
  if (right.empty()) return left;
  std::vector<T> both(left.begin(), left.end());
  for (const T& part : right) {
    auto same = [&](const T& other) { return equal(part, other); };
    if (std::ranges::none_of(left, same)) both.push_back(part);
  }
  return arena_.keep(both);
}

template <class Shape>
Span<const Shape*> Algebra::merged(Span<const Shape*> left, Span<const Shape*> right) {
  if (right.empty()) return left;
  std::vector<const Shape*> both(left.begin(), left.end());
  for (const Shape* shape : right) {
    if (!contains(left, *shape)) both.push_back(shape);
  }
  return arena_.keep(both);
}

const NumberShape* Algebra::meet(const NumberShape* left, const NumberShape* right) {
  if (right == &kAnyNumber) return left;
  if (left == &kAnyNumber) return right;
  if (left->finite || right->finite) {
    const NumberShape *finite = left->finite ? left : right, *rest = left->finite ? right : left;
    std::vector<Decimal> kept;
    for (const Decimal& value : finite->values) {
      if (rest->admits(value)) kept.push_back(value);
    }
    if (kept.empty()) return nullptr;
    NumberShape made;
    // Draft 4 does not call 1.0 an integer, so that it was asked for is kept.
    if (left->integer.value_or(false) || right->integer.value_or(false)) made.integer = true;
    made.finite = true;
    made.values = arena_.keep(kept);
    return arena_.make<NumberShape>(made);
  }
  NumberShape made;
  made.integer = right->integer ? right->integer : left->integer;
  if (left->integer && made.integer != left->integer) return nullptr;
  made.low = left->low;
  made.low_open = left->low_open;
  if (right->low) {
    int side = made.low ? compare(*right->low, *made.low) : 1;
    if (side > 0 || (side == 0 && right->low_open > made.low_open)) {
      made.low = right->low;
      made.low_open = right->low_open;
    }
  }
  made.high = left->high;
  made.high_open = left->high_open;
  if (right->high) {
    int side = made.high ? compare(*right->high, *made.high) : -1;
    if (side < 0 || (side == 0 && right->high_open > made.high_open)) {
      made.high = right->high;
      made.high_open = right->high_open;
    }
  }
  if (made.low && made.high) {
    int side = compare(*made.low, *made.high);
    if (side > 0 || (side == 0 && (made.low_open || made.high_open))) return nullptr;
    if (made.integer && *made.integer) {
      Decimal first = *first_integer(made.low, made.low_open);
      if (compare(first, *last_integer(made.high, made.high_open)) > 0) return nullptr;
    }
  }
  auto same = [](const Decimal& one, const Decimal& two) { return one == two; };
  made.multiples = merged(left->multiples, right->multiples, same);
  made.non_multiples = merged(left->non_multiples, right->non_multiples, same);
  std::vector<Decimal> excluded(left->excluded.begin(), left->excluded.end());
  excluded.insert(excluded.end(), right->excluded.begin(), right->excluded.end());
  std::ranges::sort(excluded, [](auto& one, auto& two) { return compare(one, two) < 0; });
  excluded.erase(std::unique(excluded.begin(), excluded.end()), excluded.end());
  made.excluded = arena_.keep(excluded);
  return arena_.make<NumberShape>(made);
}

bool Algebra::admits(const StringShape& shape, Name name) {
  if (shape.low > 0 || shape.high) {
    auto size = static_cast<std::int64_t>(length(pool_.text(name)));
    if (size < shape.low || (shape.high && size > *shape.high)) return false;
  }
  if (shape.finite && std::ranges::find(shape.values, name) == shape.values.end()) return false;
  return std::ranges::all_of(shape.parts, [&](Part part) { return pool_.matches(part, name); });
}

const StringShape* Algebra::meet(const StringShape* left, const StringShape* right) {
  if (right == &kAnyString) return left;
  if (left == &kAnyString) return right;
  if (left->finite || right->finite) {
    const StringShape *finite = left->finite ? left : right, *rest = left->finite ? right : left;
    std::vector<Name> kept, known;
    if (rest->finite) {  // large sets of constants meet in more than linear time otherwise
      known.assign(rest->values.begin(), rest->values.end());
      std::ranges::sort(known);
    }
    for (Name value : finite->values) {
      bool in = rest->finite ? std::ranges::binary_search(known, value) : admits(*rest, value);
      if (in) {
        kept.push_back(value);
      } else if (!rest->finite && pool_.doubts(*rest, value)) {
        pool_.leaned = true;
      }
    }
    if (kept.empty()) return nullptr;
    return arena_.make<StringShape>(0, std::nullopt, Span<Part>{}, true, arena_.keep(kept));
  }
  auto low = std::max(left->low, right->low);
  auto high = least(left->high, right->high);
  if (high && low > *high) return nullptr;
  auto same = [&](Part one, Part two) { return pool_.equal(one, two); };
  Span<Part> parts = merged(left->parts, right->parts, same);
  return arena_.make<StringShape>(low, high, parts, false, Span<Name>{});
}

const ArrayShape* Algebra::meet(const ArrayShape* left, const ArrayShape* right) {
  if (right == &kAnyArray) return left;
  if (left == &kAnyArray) return right;
  std::size_t size = std::max(left->prefix.size(), right->prefix.size());
  std::span<Goal> prefix = arena_.room<Goal>(size);
  for (std::size_t at = 0; at < size; ++at) {
    prefix[at] = goals_.conjoin(left->item(at), right->item(at));
  }
  ArrayShape made;
  made.prefix = prefix;
  made.items = goals_.conjoin(left->items, right->items);
  made.low = std::max(left->low, right->low);
  made.high = least(left->high, right->high);
  auto limit = [&](std::size_t at) {
    made.high = least(made.high, std::optional(static_cast<std::int64_t>(at)));
  };
  if (made.items == kFalse) limit(size);
  auto never = std::ranges::find(prefix, kFalse);
  if (never != prefix.end()) limit(static_cast<std::size_t>(never - prefix.begin()));
  if (made.high && made.low > *made.high) return nullptr;
  made.contains = merged(left->contains, right->contains, std::equal_to<Contains>());
  made.unique = left->unique ? left->unique : right->unique;
  made.none = merged(left->none, right->none);
  return arena_.make<ArrayShape>(made);
}

bool Algebra::applies(const NameRule& rule, Name name) {
  if (std::ranges::binary_search(rule.names, name)) return false;
  if (rule.included && !pool_.matches(*rule.included, name)) return false;
  return std::ranges::none_of(rule.excluded, [&](Part part) { return pool_.matches(part, name); });
}

Goal Algebra::declared(const ObjectShape& shape, Name name) {
  if (shape.members.size() <= 8) {
    for (const NamedGoal& member : shape.members) {
      if (member.name == name) return member.goal;
    }
    return kTrue;
  }
  if (indexed_ != shape.members.data()) {
    indexed_ = shape.members.data();
    ++turn_;
    for (const NamedGoal& member : shape.members) {
      if (member.name >= index_.size()) index_.resize(2 * member.name + 16);
      index_[member.name] = {turn_, member.goal};
    }
  }
  return name < index_.size() && index_[name].first == turn_ ? index_[name].second : kTrue;
}

Goal Algebra::goal_of(const ObjectShape& shape, Name name) {
  Goal goal = declared(shape, name);
  for (const NameRule& rule : shape.rules) {
    if (!goals_.contains(goal, rule.goal) && applies(rule, name)) {
      goal = goals_.conjoin(goal, rule.goal);
    }
  }
  return goal;
}

const ObjectShape* Algebra::meet(const ObjectShape* left, const ObjectShape* right) {
  if (right == &kAnyObject) return left;
  if (left == &kAnyObject) return right;
  ObjectShape made;
  // By name: where it stands in `members`; names seen in neither are absent.
  std::vector<NamedGoal> members(left->members.begin(), left->members.end());
  std::vector<std::pair<Name, std::size_t>> places;
  for (std::size_t at = 0; at < members.size(); ++at) places.emplace_back(members[at].name, at);
  std::ranges::sort(places);
  for (const NamedGoal& member : right->members) {
    auto known = std::ranges::lower_bound(places, std::pair<Name, std::size_t>(member.name, 0));
    if (known != places.end() && known->first == member.name) {
      Goal& goal = members[known->second].goal;
      goal = goals_.conjoin(goal, member.goal);
    } else {
      members.push_back({member.name, member.goal});
    }
  }
  made.members = arena_.keep(members);
  std::vector<Name> known(left->required.begin(), left->required.end());
  std::ranges::sort(known);
  std::vector<Name> required(left->required.begin(), left->required.end());
  for (Name name : right->required) {
    if (!std::ranges::binary_search(known, name)) required.push_back(name);
  }
  made.required = arena_.keep(required);
  made.low = std::max(left->low, right->low);
  made.high = least(left->high, right->high);
  auto count = static_cast<std::int64_t>(required.size());
  if (made.high && std::max(made.low, count) > *made.high) return nullptr;
  auto same = [&](const NameRule& one, const NameRule& two) { return equal(one, two); };
  made.rules = merged(left->rules, right->rules, same);
  made.number = left->low >= right->low && right->some.empty() ? left->number : right->number;
  made.some = merged(left->some, right->some, same);
  made.none = merged(left->none, right->none);
  for (Name name : required) {
    if (goal_of(made, name) == kFalse) return nullptr;
  }
  return arena_.make<ObjectShape>(made);
}

template <class Shape>
Span<const Shape*> Algebra::meet_all(Span<const Shape*> left, Span<const Shape*> right) {
  if (left.empty() || right.empty()) return {};
  if (left.size() == 1 && right.size() == 1) {
    const Shape* both = meet(left[0], right[0]);
    return both == nullptr ? Span<const Shape*>{} : one(both);
  }
  std::vector<const Shape*> found;
  std::unordered_multimap<std::size_t, const Shape*> alike;  // by hash: there may be thousands
  for (const Shape* one : left) {
    for (const Shape* two : right) {
      const Shape* both = meet(one, two);
      if (both == nullptr) continue;
      std::size_t hash = hash_of(*both);
      auto [from, to] = alike.equal_range(hash);
      auto same = [&](auto& other) { return other.second == both || equal(*other.second, *both); };
      if (std::any_of(from, to, same)) continue;
      found.push_back(both);
      alike.emplace(hash, both);
    }
  }
  return arena_.keep(found);
}

const Kinds* Algebra::meet(const Kinds* left, const Kinds* right) {
  if (right == &kEverything) return left;
  if (left == &kEverything) return right;
  return arena_.make<Kinds>(
      left->null && right->null, static_cast<std::uint8_t>(left->booleans & right->booleans),
      meet_all(left->numbers, right->numbers), meet_all(left->strings, right->strings),
      meet_all(left->arrays, right->arrays), meet_all(left->objects, right->objects));
}

template <class Shape>
Span<const Shape*> Algebra::joined(Span<const Shape*> left, Span<const Shape*> right,
                                   const Shape* whole) {
  if (right.empty() || (!left.empty() && left.front() == whole)) return left;
  if (left.empty() || right.front() == whole) return right;
  std::vector<const Shape*> found(left.begin(), left.end());
  for (const Shape* shape : right) {
    auto same = [&](const Shape* other) { return other == shape || equal(*other, *shape); };
    if (std::ranges::none_of(left, same)) found.push_back(shape);
  }
  return arena_.keep(found);
}

const Kinds* Algebra::join(const Kinds* left, const Kinds* right) {
  return arena_.make<Kinds>(left->null || right->null,
                            static_cast<std::uint8_t>(left->booleans | right->booleans),
                            joined(left->numbers, right->numbers, &kAnyNumber),
                            joined(left->strings, right->strings, &kAnyString),
                            joined(left->arrays, right->arrays, &kAnyArray),
                            joined(left->objects, right->objects, &kAnyObject));
}

bool Algebra::equal(const NumberShape& left, const NumberShape& right) const {
  return left.integer == right.integer && left.low == right.low &&
         left.low_open == right.low_open && left.high == right.high &&
         left.high_open == right.high_open && std::ranges::equal(left.multiples, right.multiples) &&
         std::ranges::equal(left.non_multiples, right.non_multiples) &&
         left.finite == right.finite && std::ranges::equal(left.values, right.values) &&
         std::ranges::equal(left.excluded, right.excluded);
}

bool Algebra::equal(const StringShape& left, const StringShape& right) {
  auto same = [&](Part one, Part two) { return pool_.equal(one, two); };
  return left.low == right.low && left.high == right.high && left.finite == right.finite &&
         std::ranges::equal(left.values, right.values) &&
         std::ranges::equal(left.parts, right.parts, same);
}

bool Algebra::equal(const ArrayShape& left, const ArrayShape& right) {
  return left.items == right.items && left.low == right.low && left.high == right.high &&
         left.unique == right.unique && std::ranges::equal(left.prefix, right.prefix) &&
         std::ranges::equal(left.contains, right.contains) && equal(left.none, right.none);
}

bool Algebra::equal(const NameRule& left, const NameRule& right) {
  auto same = [&](Part one, Part two) { return pool_.equal(one, two); };
  if (left.goal != right.goal || left.included.has_value() != right.included.has_value()) {
    return false;
  }
  if (left.included && !pool_.equal(*left.included, *right.included)) return false;
  return std::ranges::equal(left.names, right.names) &&
         std::ranges::equal(left.excluded, right.excluded, same);
}

bool Algebra::equal(const ObjectShape& left, const ObjectShape& right) {
  auto same = [&](const NameRule& one, const NameRule& two) { return equal(one, two); };
  return left.low == right.low && left.high == right.high && left.number == right.number &&
         same_members(left.members, right.members) && same_names(left.required, right.required) &&
         std::ranges::equal(left.rules, right.rules, same) &&
         std::ranges::equal(left.some, right.some, same) && equal(left.none, right.none);
}

}  // namespace slm::schema

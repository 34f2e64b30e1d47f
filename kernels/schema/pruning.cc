// Fewer alternatives: those without a value, and those that others include, are left out; and many
// alternatives as one that excludes. Mirrors pruning.py, and what of frames.py makes shapes.
#include <algorithm>

#include "schema/normalise.h"

namespace slm::schema {
namespace {

constexpr std::size_t kMaxCompared = 400;  // comparing is quadratic
constexpr std::size_t kMaxPruned = 1'600;  // alternatives that are looked at; more are too many
constexpr std::size_t kMaxWork = 3'000;    // of all that a compilation looks at
constexpr std::size_t kMaxUnfolded = 4;    // alternatives on two sides that are multiplied
using Count = std::int64_t;

/// Whether shapes are seen to be inside of others.
class Inclusion {
 public:
  Inclusion(Algebra& algebra, Goals& goals) : algebra_(algebra), goals_(goals) {}

  bool operator()(const ObjectShape& one, const ObjectShape& wide) {
    auto required = [&](Name name) {
      return std::ranges::find(one.required, name) != one.required.end();
    };
    auto narrower_member = [&](const NamedGoal& member) {
      return narrower(algebra_.declared(one, member.name), member.goal);
    };
    return std::ranges::all_of(wide.required, required) && bounds(one, wide) &&
           has_all(one.rules, wide.rules) && has_all(one.some, wide.some) &&
           excludes_all(one, wide) && std::ranges::all_of(wide.members, narrower_member);
  }

  bool operator()(const ArrayShape& one, const ArrayShape& wide) {
    if (!bounds(one, wide) || (wide.unique && !one.unique)) return false;
    auto has = [&](const Contains& part) {
      return std::ranges::find(one.contains, part) != one.contains.end();
    };
    if (!std::ranges::all_of(wide.contains, has) || !excludes_all(one, wide)) return false;
    std::size_t size = std::max(one.prefix.size(), wide.prefix.size());
    for (std::size_t at = 0; at <= size; ++at) {
      if (!narrower(one.item(at), wide.item(at))) return false;
    }
    return true;
  }

 private:
  bool narrower(Goal goal, Goal wide) const {
    return goal == kFalse || goals_.contains(goal, wide);
  }

  template <class Shape>
  static bool bounds(const Shape& one, const Shape& wide) {
    return one.low >= wide.low && (!wide.high || (one.high && *one.high <= *wide.high));
  }

  template <class Shape>
  bool excludes_all(const Shape& one, const Shape& wide) {
    return std::ranges::all_of(
        wide.none, [&](const Shape* shape) { return algebra_.contains(one.none, *shape); });
  }

  bool has_all(Span<NameRule> some, Span<NameRule> wanted) {
    return std::ranges::all_of(wanted, [&](const NameRule& rule) {
      return std::ranges::any_of(some, [&](auto& other) { return algebra_.equal(rule, other); });
    });
  }

  Algebra& algebra_;
  Goals& goals_;
};

/// Without repeats, and without those that are inside another one.
template <class Shape>
std::vector<const Shape*> maximal(const std::vector<const Shape*>& shapes, Inclusion& inside) {
  if (shapes.size() > kMaxCompared) return shapes;
  std::vector<const Shape*> kept;
  for (const Shape* shape : shapes) {
    auto within = [&](const Shape* other) { return inside(*shape, *other); };
    if (std::ranges::any_of(kept, within)) continue;
    std::erase_if(kept, [&](const Shape* other) { return inside(*other, *shape); });
    kept.push_back(shape);
  }
  return kept;
}

}  // namespace

/// The same values in no more alternatives.
const Kinds* Normaliser::pruned(const Kinds* kinds) {
  pruned_ += kinds->width();
  if (kinds->width() > kMaxPruned || pruned_ > kMaxWork) return kinds;
  std::vector<const ObjectShape*> objects;
  for (const ObjectShape* shape : kinds->objects) {
    if (const ObjectShape* alive = without_void(shape)) objects.push_back(alive);
  }
  std::vector<const ArrayShape*> arrays;
  for (const ArrayShape* shape : kinds->arrays) {
    if (!is_void(Kinds{.arrays = algebra.one(shape)})) arrays.push_back(shape);
  }
  Inclusion inside(algebra, goals);
  Kinds made = *kinds;
  made.arrays = arena.keep(maximal(arrays, inside));
  made.objects = arena.keep(maximal(objects, inside));
  return arena.make<Kinds>(made);
}

/// The shape, with members that no value reaches forbidden; null where one is required.
const ObjectShape* Normaliser::without_void(const ObjectShape* shape) {
  auto required = [&](Name name) {
    return std::ranges::find(shape->required, name) != shape->required.end();
  };
  std::vector<NamedGoal> members;
  bool same = true;
  for (const NamedGoal& member : shape->members) {
    bool dead = is_void(algebra.goal_of(*shape, member.name));
    if (dead && required(member.name)) return nullptr;
    members.push_back({member.name, dead ? kFalse : member.goal});
    same = same && members.back().goal == member.goal;
  }
  std::vector<Name> declared;
  for (const NamedGoal& member : members) declared.push_back(member.name);
  std::ranges::sort(declared);
  for (Name name : shape->required) {
    if (std::ranges::binary_search(declared, name)) continue;
    if (is_void(algebra.goal_of(*shape, name))) return nullptr;
  }
  if (same) return shape;
  ObjectShape made = *shape;
  made.members = arena.keep(members);
  return arena.make<ObjectShape>(made);
}

/// What has none of the shapes, as shapes again, as one if asked; `whole` is that of all.
template <class Shape>
Span<const Shape*> Normaliser::without(Span<const Shape*> shapes, const Shape& whole, bool fold) {
  if (!fold && shapes.size() == 1) {
    Shape bare = *shapes[0];
    bare.none = {};
    if (algebra.equal(bare, whole)) return shapes[0]->none;
  }
  Shape made = whole;
  made.none = shapes;
  return algebra.one<Shape>(arena.make<Shape>(made));
}

template Span<const ArrayShape*> Normaliser::without(Span<const ArrayShape*>, const ArrayShape&,
                                                     bool);
template Span<const ObjectShape*> Normaliser::without(Span<const ObjectShape*>, const ObjectShape&,
                                                      bool);

/// The right side, many alternatives as one where those on the left would multiply them.
const Kinds* Normaliser::folded(const Kinds* left, const Kinds* right) {
  auto multiply = [](std::size_t one, std::size_t two) {
    return std::min(one, two) > 1 && one * two > kMaxUnfolded;
  };
  bool arrays = multiply(left->arrays.size(), right->arrays.size());
  bool objects = multiply(left->objects.size(), right->objects.size());
  if (!arrays && !objects) return right;
  Kinds made = *right;
  if (arrays) made.arrays = without(without(right->arrays, kAnyArray), kAnyArray, true);
  if (objects) made.objects = without(without(right->objects, kAnyObject), kAnyObject, true);
  return arena.make<Kinds>(made);
}

}  // namespace slm::schema

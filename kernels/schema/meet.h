// "And" and "or" of shapes and kinds: the methods of algebra.py.
#pragma once

#include <algorithm>

#include "schema/algebra.h"
#include "schema/arena.h"
#include "schema/goals.h"
#include "schema/languages.h"

namespace slm::schema {

/// Makes new shapes out of others; null stands for Python's None, "seen to be empty".
class Algebra {
 public:
  Algebra(Arena& arena, Goals& goals, Languages& pool)
      : arena_(arena), goals_(goals), pool_(pool) {}

  const NumberShape* meet(const NumberShape* left, const NumberShape* right);
  const StringShape* meet(const StringShape* left, const StringShape* right);
  const ArrayShape* meet(const ArrayShape* left, const ArrayShape* right);
  const ObjectShape* meet(const ObjectShape* left, const ObjectShape* right);
  const Kinds* meet(const Kinds* left, const Kinds* right);
  const Kinds* join(const Kinds* left, const Kinds* right);

  bool admits(const StringShape& shape, Name name);
  /// What the value of the member of this name must satisfy.
  Goal goal_of(const ObjectShape& shape, Name name);
  /// What the shape declares for the name; true where nothing is.
  Goal declared(const ObjectShape& shape, Name name);
  bool applies(const NameRule& rule, Name name);

  bool equal(const NumberShape& left, const NumberShape& right) const;
  bool equal(const StringShape& left, const StringShape& right);
  bool equal(const ArrayShape& left, const ArrayShape& right);
  bool equal(const ObjectShape& left, const ObjectShape& right);
  bool equal(const NameRule& left, const NameRule& right);

  /// Whether two lists have equal shapes, in order.
  template <class Shape>
  bool equal(Span<const Shape*> left, Span<const Shape*> right);
  /// Whether an equal shape is in the list.
  template <class Shape>
  bool contains(Span<const Shape*> shapes, const Shape& shape);

  /// A list of one shape.
  template <class Shape>
  Span<const Shape*> one(const Shape* shape) {
    return arena_.keep(Span<const Shape*>(&shape, 1));
  }

 private:
  template <class Shape>
  Span<const Shape*> meet_all(Span<const Shape*> left, Span<const Shape*> right);
  template <class Shape>
  Span<const Shape*> joined(Span<const Shape*> left, Span<const Shape*> right, const Shape* whole);
  template <class T, class Equal>
  Span<T> merged(Span<T> left, Span<T> right, Equal equal);
  template <class Shape>
  Span<const Shape*> merged(Span<const Shape*> left, Span<const Shape*> right);

  Arena& arena_;
  Goals& goals_;
  Languages& pool_;
  // The declared goals of the shape that was asked about last, by name.
  const NamedGoal* indexed_ = nullptr;
  std::uint32_t turn_ = 0;
  std::vector<std::pair<std::uint32_t, Goal>> index_;
};

template <class Shape>
bool Algebra::equal(Span<const Shape*> left, Span<const Shape*> right) {
  auto same = [&](const Shape* one, const Shape* two) { return one == two || equal(*one, *two); };
  return std::ranges::equal(left, right, same);
}

template <class Shape>
bool Algebra::contains(Span<const Shape*> shapes, const Shape& shape) {
  auto same = [&](const Shape* other) { return other == &shape || equal(*other, shape); };
  return std::ranges::any_of(shapes, same);
}

}  // namespace slm::schema

// The items of an array, without the brackets. Mirrors arrays.py.
#pragma once

#include <optional>
#include <vector>

#include "schema/lower.h"

namespace slm::schema {

/// The items of an array that has some.
struct Items {
  using Pointer = Lowering::Pointer;
  using Count = std::int64_t;

  Lowering& to;
  Goal rest;
  std::vector<Goal> prefix;
  Count low;
  std::optional<Count> high;
  bool marked = false;  // for the memory of items that differ

  Count size() const { return static_cast<Count>(prefix.size()); }
  Goal own(Count index) const {
    return index < size() ? prefix[static_cast<std::size_t>(index)] : rest;
  }
  /// An item under the goal.
  Pointer value(Goal goal) {
    Pointer item = to.value(goal);
    if (!marked || Expressions::is_never(item)) return item;
    return to.build.seq({to.mark(Mark::kItem), item, to.mark(Mark::kEnd)});
  }
  Pointer at(Count index) { return value(prefix[static_cast<std::size_t>(index)]); }
  Pointer comma() { return to.structural(","); }

  /// The items from an index on, each with its comma; those before it are there.
  Pointer run(Count start);
  /// How many places for one item there are to choose from, where the last stands for more.
  Count places(const Contains& part) const {
    return high ? *high : std::max({size(), low, part.start});
  }
  /// The items, one of which satisfies the part: a choice of its place.
  Pointer with_one(const Contains& part);
  /// The first items, `least` to `most` of them.
  Pointer before(Count least, std::optional<Count> most);
};

/// The items, at least one and all different; those that are too many for rules have marks.
Lowering::Pointer unique_items(Items& items, const ArrayShape& shape);

/// The items so that each part of `contains` has its number of them. Mirrors counted.py.
Lowering::Pointer counted_items(Items& items, Span<Contains> parts);

}  // namespace slm::schema

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

  Count size() const { return static_cast<Count>(prefix.size()); }
  Goal own(Count index) const {
    return index < size() ? prefix[static_cast<std::size_t>(index)] : rest;
  }
  Pointer at(Count index) { return to.value(prefix[static_cast<std::size_t>(index)]); }
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

/// The items so that each part of `contains` has its number of them. Mirrors counted.py.
Lowering::Pointer counted_items(Items& items, Span<Contains> parts);

}  // namespace slm::schema

// Earley items.
#pragma once

#include <compare>
#include <cstdint>

#include "core/grammar.h"
#include "core/round_set.h"

namespace slm {

/// A position of a rule, the count if it counts, and where the rule began: a row, or in a shape
/// (shapes.h) a number in place of one.
struct Item {
  PositionId position;
  std::uint32_t count;
  std::uint32_t origin;
  auto operator<=>(const Item&) const = default;
};

/// What an item can do at its position.
struct ItemSteps {
  bool may_loop = true;     // take the position's symbol
  bool may_end = false;     // end its rule
  std::uint32_t count = 0;  // behind the symbol

  ItemSteps(const Position& position, std::uint32_t so_far) noexcept : may_end(position.final) {
    if (!position.counted) return;
    const std::int32_t counted = static_cast<std::int32_t>(so_far);
    may_loop = position.high == kNoBound || counted < position.high;
    may_end = counted >= position.low;
    // Past its lower bound a count without an upper one does not matter any more.
    const bool settled = position.high == kNoBound && counted >= position.low;
    count = settled ? so_far : so_far + 1;
  }
};

using ItemSet = RoundSet<Item>;

}  // namespace slm

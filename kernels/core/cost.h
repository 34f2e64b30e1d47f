// Numbers that may be infinite: how many bytes or tokens are missing.
#pragma once

#include <cstdint>

namespace slm {

using Cost = std::uint64_t;
inline constexpr Cost kInfiniteCost = std::uint64_t{1} << 60;  // no way, or beyond any text

inline Cost add_costs(Cost x, Cost y) noexcept {
  return x + y < kInfiniteCost ? x + y : kInfiniteCost;
}
inline Cost times(Cost count, Cost each) noexcept {
  if (count == 0 || each == 0) return 0;
  return each < kInfiniteCost / count ? count * each : kInfiniteCost;
}

/// A place that a search has yet to go on from; of several, the nearest to an end comes first, and
/// of those the one that is farthest already (for a `std::priority_queue`).
struct OpenPlace {
  Cost total, passed;  // to an end, by a bound; so far
  std::uint32_t place;
  bool operator<(const OpenPlace& other) const noexcept {
    return total != other.total ? total > other.total : passed < other.passed;
  }
};

}  // namespace slm

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

}  // namespace slm

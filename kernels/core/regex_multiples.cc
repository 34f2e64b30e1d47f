// Digits that make a multiple: states are remainders, made when they are reached and not before.
#include <algorithm>

#include "core/error.h"
#include "core/regex.h"

namespace slm {

/// What has no text is kNothing, and what has only the empty one kEpsilon: nobody has to search.
NodeId RegexPool::multiple(std::uint64_t modulus, std::uint64_t rest, std::int32_t most) {
  if (modulus == 0 || modulus > kMaxModulus || rest >= modulus || most < 0) {
    throw TooComplex("a multiple of more than 18 digits");
  }
  auto found = std::ranges::find(moduli_, modulus);
  if (found == moduli_.end()) found = moduli_.insert(found, modulus);
  return multiple_after(static_cast<std::uint32_t>(found - moduli_.begin()), rest, most);
}

NodeId RegexPool::multiple_after(std::uint32_t modulus, std::uint64_t rest, std::int32_t most) {
  if (nearest_multiple(moduli_[modulus], rest, most).length == kInfiniteCost) {
    return rest == 0 ? kEpsilon : kNothing;
  }
  return make(Kind::kMultiple, rest == 0, false, modulus, static_cast<std::uint32_t>(rest),
              static_cast<std::int32_t>(rest >> 32), most);
}

std::uint64_t RegexPool::rest_of(const Node& node) const noexcept {
  return std::uint64_t{static_cast<std::uint32_t>(node.low)} << 32 | node.b;
}

/// The fewest digits, one at least, and the first of them. With j of them every number below 10^j
/// can be added to rest * 10^j, so the search ends as soon as 10^j is the modulus or more.
RegexPool::Least RegexPool::nearest_multiple(std::uint64_t modulus, std::uint64_t rest,
                                             std::int32_t most) noexcept {
  std::uint64_t unit = 1;  // 10^(digits - 1)
  for (std::int32_t digits = 1; digits <= most; ++digits, unit *= 10) {
    rest = rest * 10 % modulus;
    std::uint64_t missing = (modulus - rest) % modulus;
    if (missing / 10 < unit) {
      return {static_cast<Cost>(digits), static_cast<std::uint8_t>('0' + missing / unit)};
    }
  }
  return {};
}

RegexPool::Least RegexPool::nearest_multiple(const Node& node) const noexcept {
  return nearest_multiple(moduli_[node.a], rest_of(node), node.high);
}

NodeId RegexPool::derive_multiple(const Node& node, std::uint8_t byte) {
  if (byte < '0' || byte > '9' || node.high == 0) return kNothing;
  std::uint64_t rest = (rest_of(node) * 10 + (byte - '0')) % moduli_[node.a];
  return multiple_after(node.a, rest, node.high - 1);
}

}  // namespace slm

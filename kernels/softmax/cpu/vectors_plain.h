// Eight floats in standard C++, for every other processor; also what the vector types mean.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <limits>

namespace slm::softmax::plain {

constexpr std::size_t kWidth = 8;
struct Vec {
  float at[kWidth];
};

/// `f(i)` in every lane.
template <class F>
inline Vec each(F f) {
  Vec out;
  for (std::size_t i = 0; i < kWidth; ++i) out.at[i] = f(i);
  return out;
}

inline Vec load(const float* p) {
  return each([&](std::size_t i) { return p[i]; });
}
inline void store(float* p, Vec a) {
  for (std::size_t i = 0; i < kWidth; ++i) p[i] = a.at[i];
}
inline Vec same(float a) {
  return each([&](std::size_t) { return a; });
}
inline Vec add(Vec a, Vec b) {
  return each([&](std::size_t i) { return a.at[i] + b.at[i]; });
}
inline Vec mul(Vec a, Vec b) {
  return each([&](std::size_t i) { return a.at[i] * b.at[i]; });
}
/// a * b + c: rounded once where the processor can, twice here.
inline Vec fma(Vec a, Vec b, Vec c) { return add(mul(a, b), c); }
/// The larger; b where one of them is NaN.
inline Vec max(Vec a, Vec b) {
  return each([&](std::size_t i) { return a.at[i] > b.at[i] ? a.at[i] : b.at[i]; });
}

/// The smaller; neither is NaN.
inline Vec min(Vec a, Vec b) {
  return each([&](std::size_t i) { return a.at[i] < b.at[i] ? a.at[i] : b.at[i]; });
}

/// a where the lane's bit is set, else -inf; bits from kWidth on are ignored.
inline Vec keep(Vec a, std::uint32_t bits) {
  const float none = -std::numeric_limits<float>::infinity();
  return each([&](std::size_t i) { return (bits >> i & 1) != 0 ? a.at[i] : none; });
}
/// A bit for each lane that is NaN.
inline std::uint32_t unordered(Vec a) {
  std::uint32_t bits = 0;
  for (std::size_t i = 0; i < kWidth; ++i) bits |= std::uint32_t{a.at[i] != a.at[i]} << i;
  return bits;
}
/// A bit for each lane where a >= b.
inline std::uint32_t at_least(Vec a, Vec b) {
  std::uint32_t bits = 0;
  for (std::size_t i = 0; i < kWidth; ++i) bits |= std::uint32_t{a.at[i] >= b.at[i]} << i;
  return bits;
}

struct Split {
  double factor;
  float offset, floor;
  std::int32_t bias;
  explicit Split(const Scale& s)
      : factor(s.factor), offset(s.offset), floor(s.floor), bias(s.base - 127) {}
};

/// With y = (max(x - offset, floor)) * log2(e) / T: 2^(y rounded - base) into `power` (0 from the
/// floor down), and what rounding left of y, between -1/2 and 1/2, as the result. Its error is that
/// of one rounding of the result: fused multiplication gives it elsewhere, doubles here.
inline Vec split(Vec x, const Split& s, Vec& power) {
  const double magic = 6755399441055744.0;  // 1.5 * 2^52: adding it rounds to a whole number
  x = max(each([&](std::size_t i) { return x.at[i] - s.offset; }), same(s.floor));
  return each([&](std::size_t i) {
    double y = x.at[i] * s.factor;
    double rounded = y + magic;
    auto whole = static_cast<std::int32_t>(std::bit_cast<std::uint64_t>(rounded));
    power.at[i] = std::bit_cast<float>(static_cast<std::uint32_t>(whole - s.bias) << 23);
    return static_cast<float>(y - (rounded - magic));
  });
}

inline Vec from_bf16(const std::uint16_t* p) {
  return each([&](std::size_t i) { return std::bit_cast<float>(std::uint32_t{p[i]} << 16); });
}
inline Vec from_f16(const std::uint16_t* p) {
  return each([&](std::size_t i) {
    std::uint32_t sign = std::uint32_t{p[i] & 0x8000u} << 16, rest = p[i] & 0x7FFFu;
    // 2^112 moves the exponent to its place, subnormal numbers included.
    float value = std::bit_cast<float>(rest << 13) * 0x1p112f;
    if (rest >= 0x7C00) value = std::bit_cast<float>(0x7F800000u | rest << 13);
    return std::bit_cast<float>(sign | std::bit_cast<std::uint32_t>(value));
  });
}
/// To the nearest, ties to even.
inline void to_f16(Vec a, std::uint16_t* p) {
  for (std::size_t i = 0; i < kWidth; ++i) {
    std::uint32_t bits = std::bit_cast<std::uint32_t>(a.at[i]);
    std::uint32_t sign = bits >> 16 & 0x8000u, rest = bits & 0x7FFFFFFFu;
    std::uint32_t half;
    if (rest > 0x7F800000u) {
      half = 0x7E00;
    } else if (rest >= 0x477FF000u) {
      half = 0x7C00;  // 65520 and above
    } else if (rest < 0x38800000u) {
      // Subnormal: adding 1/2 leaves the bits that a half has, rounded, at the end.
      float shifted = std::bit_cast<float>(rest) + 0.5f;
      half = std::bit_cast<std::uint32_t>(shifted) - 0x3F000000u;
    } else {
      half = (rest - 0x38000000u + 0xFFFu + (rest >> 13 & 1)) >> 13;
    }
    p[i] = static_cast<std::uint16_t>(sign | half);
  }
}

}  // namespace slm::softmax::plain

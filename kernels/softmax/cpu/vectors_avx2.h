// Eight floats with AVX2, FMA and F16C. What each function means: vectors_plain.h.
#pragma once

#include <immintrin.h>

#include <cstddef>
#include <cstdint>

namespace slm::softmax::avx2 {

using Vec = __m256;
constexpr std::size_t kWidth = 8;

inline Vec load(const float* p) { return _mm256_loadu_ps(p); }
inline void store(float* p, Vec a) { _mm256_storeu_ps(p, a); }
inline Vec same(float a) { return _mm256_set1_ps(a); }
inline Vec add(Vec a, Vec b) { return _mm256_add_ps(a, b); }
inline Vec mul(Vec a, Vec b) { return _mm256_mul_ps(a, b); }
inline Vec fma(Vec a, Vec b, Vec c) { return _mm256_fmadd_ps(a, b, c); }
inline Vec max(Vec a, Vec b) { return _mm256_max_ps(a, b); }
inline Vec min(Vec a, Vec b) { return _mm256_min_ps(a, b); }

inline Vec keep(Vec a, std::uint32_t bits) {
  const __m256i places = _mm256_setr_epi32(1, 2, 4, 8, 16, 32, 64, 128);
  __m256i set = _mm256_and_si256(_mm256_set1_epi32(static_cast<int>(bits)), places);
  __m256 kept = _mm256_castsi256_ps(_mm256_cmpeq_epi32(set, places));
  return _mm256_blendv_ps(same(-__builtin_inff()), a, kept);
}
inline std::uint32_t unordered(Vec a) {
  return static_cast<std::uint32_t>(_mm256_movemask_ps(_mm256_cmp_ps(a, a, _CMP_UNORD_Q)));
}
inline std::uint32_t at_least(Vec a, Vec b) {
  return static_cast<std::uint32_t>(_mm256_movemask_ps(_mm256_cmp_ps(a, b, _CMP_GE_OQ)));
}

struct Split {
  Vec high, low, offset, floor;
  __m256i bias;
  explicit Split(const Scale& s)
      : high(same(s.high)),
        low(same(s.low)),
        offset(same(s.offset)),
        floor(same(s.floor)),
        bias(_mm256_set1_epi32(kMagicBits + s.base - 127)) {}
};

inline Vec split(Vec x, const Split& s, Vec& power) {
  x = max(_mm256_sub_ps(x, s.offset), s.floor);
  Vec rounded = fma(x, s.high, same(kMagic));
  Vec whole = _mm256_sub_ps(rounded, same(kMagic));
  __m256i exponent = _mm256_sub_epi32(_mm256_castps_si256(rounded), s.bias);
  power = _mm256_castsi256_ps(_mm256_slli_epi32(exponent, 23));
  return fma(x, s.low, _mm256_fmsub_ps(x, s.high, whole));
}

inline Vec from_bf16(const std::uint16_t* p) {
  __m128i half = _mm_loadu_si128(reinterpret_cast<const __m128i*>(p));
  return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(half), 16));
}
inline Vec from_f16(const std::uint16_t* p) {
  return _mm256_cvtph_ps(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p)));
}
inline void to_f16(Vec a, std::uint16_t* p) {
  _mm_storeu_si128(reinterpret_cast<__m128i*>(p), _mm256_cvtps_ph(a, _MM_FROUND_TO_NEAREST_INT));
}

}  // namespace slm::softmax::avx2

// Sixteen floats with AVX-512 F and BW. What each function means: vectors_plain.h.
#pragma once

#include <immintrin.h>

#include <cstddef>
#include <cstdint>

namespace slm::softmax::avx512 {

using Vec = __m512;
constexpr std::size_t kWidth = 16;

inline Vec load(const float* p) { return _mm512_loadu_ps(p); }
inline void store(float* p, Vec a) { _mm512_storeu_ps(p, a); }
inline Vec same(float a) { return _mm512_set1_ps(a); }
inline Vec add(Vec a, Vec b) { return _mm512_add_ps(a, b); }
inline Vec mul(Vec a, Vec b) { return _mm512_mul_ps(a, b); }
inline Vec fma(Vec a, Vec b, Vec c) { return _mm512_fmadd_ps(a, b, c); }
inline Vec max(Vec a, Vec b) { return _mm512_max_ps(a, b); }
inline Vec min(Vec a, Vec b) { return _mm512_min_ps(a, b); }

inline Vec keep(Vec a, std::uint32_t bits) {
  return _mm512_mask_mov_ps(same(-__builtin_inff()), static_cast<__mmask16>(bits), a);
}
inline std::uint32_t unordered(Vec a) { return _mm512_cmp_ps_mask(a, a, _CMP_UNORD_Q); }
inline std::uint32_t at_least(Vec a, Vec b) { return _mm512_cmp_ps_mask(a, b, _CMP_GE_OQ); }

struct Split {
  Vec high, low, offset, floor;
  __m512i bias;
  explicit Split(const Scale& s)
      : high(same(s.high)),
        low(same(s.low)),
        offset(same(s.offset)),
        floor(same(s.floor)),
        bias(_mm512_set1_epi32(kMagicBits + s.base - 127)) {}
};

inline Vec split(Vec x, const Split& s, Vec& power) {
  x = max(_mm512_sub_ps(x, s.offset), s.floor);
  Vec rounded = fma(x, s.high, same(kMagic));
  Vec whole = _mm512_sub_ps(rounded, same(kMagic));
  __m512i exponent = _mm512_sub_epi32(_mm512_castps_si512(rounded), s.bias);
  power = _mm512_castsi512_ps(_mm512_slli_epi32(exponent, 23));
  return fma(x, s.low, _mm512_fmsub_ps(x, s.high, whole));
}

inline Vec from_bf16(const std::uint16_t* p) {
  __m256i half = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p));
  return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(half), 16));
}
inline Vec from_f16(const std::uint16_t* p) {
  return _mm512_cvtph_ps(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)));
}
inline void to_f16(Vec a, std::uint16_t* p) {
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), _mm512_cvtps_ph(a, _MM_FROUND_TO_NEAREST_INT));
}

}  // namespace slm::softmax::avx512

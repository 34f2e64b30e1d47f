// Four floats with AArch64's NEON. What each function means: vectors_plain.h.
#pragma once

#include <arm_neon.h>

#include <cstddef>
#include <cstdint>

namespace slm::softmax::neon {

using Vec = float32x4_t;
constexpr std::size_t kWidth = 4;

inline Vec load(const float* p) { return vld1q_f32(p); }
inline void store(float* p, Vec a) { vst1q_f32(p, a); }
inline Vec same(float a) { return vdupq_n_f32(a); }
inline Vec add(Vec a, Vec b) { return vaddq_f32(a, b); }
inline Vec mul(Vec a, Vec b) { return vmulq_f32(a, b); }
inline Vec fma(Vec a, Vec b, Vec c) { return vfmaq_f32(c, a, b); }
inline Vec max(Vec a, Vec b) { return vbslq_f32(vcgtq_f32(a, b), a, b); }
inline Vec min(Vec a, Vec b) { return vminq_f32(a, b); }

inline std::uint32_t bits_of(uint32x4_t lanes) {
  const std::uint32_t places[4] = {1, 2, 4, 8};
  return vaddvq_u32(vandq_u32(lanes, vld1q_u32(places)));
}
inline Vec keep(Vec a, std::uint32_t bits) {
  const std::uint32_t places[4] = {1, 2, 4, 8};
  uint32x4_t kept = vtstq_u32(vdupq_n_u32(bits), vld1q_u32(places));
  return vbslq_f32(kept, a, same(-__builtin_inff()));
}
inline std::uint32_t unordered(Vec a) { return bits_of(vmvnq_u32(vceqq_f32(a, a))); }
inline std::uint32_t at_least(Vec a, Vec b) { return bits_of(vcgeq_f32(a, b)); }

struct Split {
  Vec high, low, offset, floor;
  int32x4_t bias;
  explicit Split(const Scale& s)
      : high(same(s.high)),
        low(same(s.low)),
        offset(same(s.offset)),
        floor(same(s.floor)),
        bias(vdupq_n_s32(kMagicBits + s.base - 127)) {}
};

inline Vec split(Vec x, const Split& s, Vec& power) {
  x = max(vsubq_f32(x, s.offset), s.floor);
  Vec rounded = fma(x, s.high, same(kMagic));
  Vec whole = vsubq_f32(rounded, same(kMagic));
  int32x4_t exponent = vsubq_s32(vreinterpretq_s32_f32(rounded), s.bias);
  power = vreinterpretq_f32_s32(vshlq_n_s32(exponent, 23));
  return fma(x, s.low, fma(x, s.high, vnegq_f32(whole)));
}

inline Vec from_bf16(const std::uint16_t* p) {
  return vreinterpretq_f32_u32(vshll_n_u16(vld1_u16(p), 16));
}
inline Vec from_f16(const std::uint16_t* p) {
  return vcvt_f32_f16(vreinterpret_f16_u16(vld1_u16(p)));
}
inline void to_f16(Vec a, std::uint16_t* p) { vst1_u16(p, vreinterpret_u16_f16(vcvt_f16_f32(a))); }

}  // namespace slm::softmax::neon

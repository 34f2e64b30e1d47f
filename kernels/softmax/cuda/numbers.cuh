// How logits are stored: 16 bytes hold 8 bfloat16 or float16 logits, or 4 float32 ones.
#pragma once
#include "platform.cuh"

namespace slm {

struct Float32 {
  static constexpr int kPer = 4;  // logits in 16 bytes
  static constexpr int kBytes = 4;
  static constexpr int kKeyBits = 32;  // bits that tell its values apart, as float32's order
  static constexpr u32 kMinusInfinity = 0xff800000u;
  SLM_DEVICE float one(const void* at) { return bits_float(load_u32(at)); }  // global memory
  SLM_DEVICE float from(const void* at) { return *static_cast<const float*>(at); }
  SLM_DEVICE float get(const Pack& p, int i) { return bits_float(p.word[i]); }
  SLM_DEVICE void set(Pack& p, int i, float x) { p.word[i] = float_bits(x); }
  /// Puts -inf where the lowest kPer bits of `bits` have a 0.
  SLM_DEVICE void mask(Pack& p, u32 bits) {
#pragma unroll
    for (int i = 0; i < 4; ++i) p.word[i] = (bits >> i) & 1u ? p.word[i] : kMinusInfinity;
  }
  /// The larger of each pair of logits, NaN apart; `top` gives the largest of one such pack.
  SLM_DEVICE u32 top(const Pack& p, u32 best) {
    const float a = fmaxf(bits_float(p.word[0]), bits_float(p.word[1]));
    const float b = fmaxf(bits_float(p.word[2]), bits_float(p.word[3]));
    return float_bits(fmaxf(bits_float(best), fmaxf(a, b)));
  }
  SLM_DEVICE float top_value(u32 best) { return bits_float(best); }
};

template <class Half>
struct Packed16 {
  static constexpr int kPer = 8;
  static constexpr int kBytes = 2;
  SLM_DEVICE float one(const void* at) { return Half::widen(load_u16(at)); }
  SLM_DEVICE float from(const void* at) { return Half::widen(*static_cast<const u16*>(at)); }
  SLM_DEVICE float get(const Pack& p, int i) {
    return i & 1 ? Half::high(p.word[i >> 1]) : Half::low(p.word[i >> 1]);
  }
  SLM_DEVICE void set(Pack& p, int i, float x) {
    const u32 half = Half::narrow(x);
    p.word[i >> 1] =
        i & 1 ? (p.word[i >> 1] & 0xffffu) | half << 16 : (p.word[i >> 1] & 0xffff0000u) | half;
  }
  SLM_DEVICE void mask(Pack& p, u32 bits) {
#pragma unroll
    for (int q = 0; q < 2; ++q) {
      // Four bits, each moved to the top of a byte of its own, then spread over 16 bits.
      const u32 tops = ((bits >> (4 * q)) & 15u) * 0x10204080u;
      const u32 low = spread_low(tops), high = spread_high(tops);
      p.word[2 * q] = (p.word[2 * q] & low) | (Half::kMinusInfinity & ~low);
      p.word[2 * q + 1] = (p.word[2 * q + 1] & high) | (Half::kMinusInfinity & ~high);
    }
  }
  SLM_DEVICE u32 top(const Pack& p, u32 best) {
    const u32 a = Half::larger(p.word[0], p.word[1]), b = Half::larger(p.word[2], p.word[3]);
    return Half::larger(best, Half::larger(a, b));
  }
  SLM_DEVICE float top_value(u32 best) { return fmaxf(Half::low(best), Half::high(best)); }
};

struct BFloat16 : Packed16<BFloat16> {
  static constexpr int kKeyBits = 16;
  static constexpr u32 kMinusInfinity = 0xff80ff80u;
  SLM_DEVICE float widen(u16 x) { return bits_float(static_cast<u32>(x) << 16); }
  SLM_DEVICE u16 narrow(float x) { return float_bfloat(x); }
  SLM_DEVICE float low(u32 x) { return bits_float(x << 16); }
  SLM_DEVICE float high(u32 x) { return bits_float(x & 0xffff0000u); }
  SLM_DEVICE u32 larger(u32 a, u32 b) { return max_bf16x2(a, b); }
};

struct Float16 : Packed16<Float16> {
  static constexpr int kKeyBits = 20;  // subnormal halves are normal floats: 8 + 10 bits and a sign
  static constexpr u32 kMinusInfinity = 0xfc00fc00u;
  SLM_DEVICE float widen(u16 x) { return half_float(x); }
  SLM_DEVICE u16 narrow(float x) { return float_half(x); }
  SLM_DEVICE float low(u32 x) { return half_float(static_cast<u16>(x & 0xffffu)); }
  SLM_DEVICE float high(u32 x) { return half_float(static_cast<u16>(x >> 16)); }
  SLM_DEVICE u32 larger(u32 a, u32 b) { return max_f16x2(a, b); }
};

}  // namespace slm

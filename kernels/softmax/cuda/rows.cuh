// One row of logits with its mask: where it lies, which tokens exist, what its temperature is.
#pragma once
#include "numbers.cuh"

namespace slm {

constexpr int kChunk = 1024;  // tokens: 32 mask words, one a lane

constexpr u8 kEmpty = 1, kNan = 2, kInfinite = 4, kIllegal = 8;  // bits of a row's status

/// What every kernel is told about its rows. Strides count elements; pointers may be null.
struct Rows {
  const void* logits;
  const i32* bitmask;     // (masks, words); null: nothing is masked
  const i32* mask_index;  // (batch,): a row of `bitmask`, -1 = unconstrained; null: the row's own
  const float* temperatures;
  i64 logits_stride;
  i64 mask_stride;
  i32 masks;
  i32 padded;  // logits in a row
  i32 limit;   // ids from here on are never allowed; at most `padded`
  i32 chunks;  // of kChunk tokens, to cover `limit`
  float temperature;
  i32 split_bits;  // 2^split_bits blocks share a row
  i32 gather;      // how they share: one of Gather
  i32 unused;
};

enum Gather {
  kGatherBlock = 0,    // one block a row: through its shared memory
  kGatherCluster = 1,  // a cluster a row: through the first block's shared memory (sm_90)
  kGatherTicket = 2,   // through global memory; the block that draws the last ticket goes on
};

struct Row {
  const unsigned char* logits;
  const i32* mask;  // null: unconstrained
  int padded;
  int limit;       // ids from here on are not allowed
  int vector_end;  // up to here 16-byte loads may be made: `padded`, or 0 if they are not aligned
};

template <class T>
SLM_DEVICE Row make_row(const Rows& p, i64 row) {
  Row r;
  r.logits = static_cast<const unsigned char*>(p.logits) + row * p.logits_stride * T::kBytes;
  r.padded = p.padded;
  r.limit = p.limit;
  r.vector_end = (reinterpret_cast<u64>(r.logits) & 15u) == 0 ? p.padded : 0;
  r.mask = nullptr;
  if (p.bitmask) {
    const i64 index = p.mask_index ? p.mask_index[row] : row;
    if (index >= 0 && index < p.masks) {
      r.mask = p.bitmask + index * p.mask_stride;
    } else if (index != -1) {
      r.limit = 0;  // an index out of range must not open the row: nothing is allowed
    }
  }
  return r;
}

/// Mask word `w`, not yet clipped: `clip_word` uses it, so that the load may still be on its way.
SLM_DEVICE u32 load_word(const Row& r, int w) {
  if (w * 32 >= r.limit) return 0;
  return r.mask ? load_mask(r.mask + w) : ~0u;
}
SLM_DEVICE u32 clip_word(const Row& r, int w, u32 bits) {
  const int left = r.limit - w * 32;
  return left < 32 && left > 0 ? bits & ((1u << left) - 1u) : bits;
}

template <class T>
SLM_DEVICE float load_one(const Row& r, int token) {
  return T::one(r.logits + static_cast<i64>(token) * T::kBytes);
}

/// The T::kPer logits from `token` on, -inf beyond the row. Never reads outside of the row.
template <class T>
SLM_DEVICE Pack load_some(const Row& r, int token) {
  if (token + T::kPer <= r.vector_end)
    return load_pack16(r.logits + static_cast<i64>(token) * T::kBytes);
  Pack p{};
#pragma unroll
  for (int i = 0; i < T::kPer; ++i)
    T::set(p, i, token + i < r.padded ? load_one<T>(r, token + i) : -infinity());
  return p;
}

/// Temperature as a factor of base-2 exponents. Greedy rows are computed as at temperature 1.
struct Heat {
  float scale;  // log2(e) / temperature, finite and above 0
  float inverse;
  float temperature;
  bool greedy;
};
SLM_DEVICE Heat heat_of(const Rows& p, i64 row) {
  const float t = p.temperatures ? p.temperatures[row] : p.temperature;
  Heat h;
  h.greedy = !(t > 0.0f);
  // Beyond these bounds every weight is 0 or 1 already, and the products stay finite.
  h.temperature = h.greedy ? 1.0f : fminf(fmaxf(t, 1e-37f), 1e37f);
  const float inverse = reciprocal_fast(h.temperature);
  // One Newton step: exact but for an ulp.
  h.inverse = fmaf(inverse, fmaf(-h.temperature, inverse, 1.0f), inverse);
  h.scale = h.inverse * kLog2e;
  return h;
}

/// exp(v - max v) for the logit x, where `top` is the largest: 1 for +inf where that is the top.
SLM_DEVICE float weight(float x, float top, float scale) {
  if (is_nan(x)) return 0.0f;
  if (top == infinity()) return x == top ? 1.0f : 0.0f;
  return exp2_fast((x - top) * scale);
}

}  // namespace slm

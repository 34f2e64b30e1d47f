// Writing a row of results: 16 bytes a lane where the row allows it.
#pragma once
#include "chunk.cuh"

namespace slm {

struct Output {
  unsigned char* at;
  int padded;
  int vector_end;
};

template <class Out>
SLM_DEVICE Output make_output(void* base, i64 row, i64 stride, int padded) {
  Output o;
  o.at = static_cast<unsigned char*>(base) + row * stride * Out::kBytes;
  o.padded = padded;
  o.vector_end = (reinterpret_cast<u64>(o.at) & 15u) == 0 ? padded : 0;
  return o;
}

template <class Out>
SLM_DEVICE void store_one(const Output& o, int token, float x) {
  unsigned char* const at = o.at + static_cast<i64>(token) * Out::kBytes;
  if constexpr (Out::kBytes == 4) {
    *reinterpret_cast<float*>(at) = x;
  } else {
    *reinterpret_cast<u16*>(at) = Out::narrow(x);
  }
}

/// Writes x(i) for the `count` tokens from `token` on, those of one lane's 16 bytes of logits.
template <class Out, int kCount, class X>
SLM_DEVICE void store_some(const Output& o, int token, X x) {
  if (token + kCount <= o.vector_end) {
#pragma unroll
    for (int k = 0; k < kCount; k += Out::kPer) {
      Pack p{};
#pragma unroll
      for (int i = 0; i < Out::kPer; ++i) Out::set(p, i, x(k + i));
      store_pack16(o.at + static_cast<i64>(token + k) * Out::kBytes, p);
    }
  } else {
#pragma unroll
    for (int i = 0; i < kCount; ++i)
      if (token + i < o.padded) store_one<Out>(o, token + i, x(i));
  }
}

}  // namespace slm

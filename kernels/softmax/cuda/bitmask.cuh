// -inf in place of every logit that the mask or the limit forbids. Only the mask is read.
#pragma once
#include "gather.cuh"
#include "output.cuh"

namespace slm {

template <class T>
SLM_DEVICE void bitmask_rows(const Rows& p) {
  const Share s = make_share(p);
  const Row row = make_row<T>(p, s.row);
  const Output o = make_output<T>(const_cast<void*>(p.logits), s.row, p.logits_stride, p.padded);
  for (int chunk = s.first; chunk * kChunk < p.padded; chunk += s.step) {
    const int w = chunk * 32 + lane_id();
    const u32 word = clip_word(row, w, load_word(row, w));
    if (!ballot(word != ~0u)) continue;
#pragma unroll
    for (int g = 0; g < Dense<T>::kGroups; ++g) {
      const u32 bits = Dense<T>::bits(word, g);
      const int token = Dense<T>::token(chunk, g);
      if (!bits) {
        store_some<T, T::kPer>(o, token, [](int) { return -infinity(); });
      } else {
#pragma unroll
        for (int i = 0; i < T::kPer; ++i)
          if (!(bits >> i & 1u) && token + i < p.padded) store_one<T>(o, token + i, -infinity());
      }
    }
  }
}

}  // namespace slm

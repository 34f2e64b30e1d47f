// How a warp goes through its chunks of a row: mask words first, logits only where the mask asks.
#pragma once
#include "chunk.cuh"
#include "gather.cuh"

namespace slm {

/// Calls use(chunk, values) for a chunk that has an allowed token, where `values` is a Few or a
/// Dense<T> that is already masked, and none(chunk) for another.
template <class T, class Use, class None>
SLM_DEVICE void one_chunk(const Row& r, int chunk, u32 word, Use use, None none) {
  if (!ballot(word != 0)) {
    none(chunk);
  } else if (!ballot(count_bits(word) > 4)) {
    Few few;
    load_few<T>(few, r, chunk, word);
    use(chunk, few);
  } else {
    Dense<T> dense;
    load_dense<T>(dense, r, chunk, word);
    if (ballot(word != ~0u)) mask_dense<T>(dense, word);
    use(chunk, dense);
  }
}

/// one_chunk for each chunk of this warp. kAhead: mask words on their way, since a sparse row waits
/// for little else. early(): what can be done while the first ones are awaited.
template <class T, int kAhead, class Early, class Use, class None>
SLM_DEVICE void each_chunk(const Rows& p, const Row& r, const Share& s, Early early, Use use,
                           None none) {
  u32 words[kAhead];
#pragma unroll
  for (int i = 0; i < kAhead; ++i) words[i] = load_word(r, (s.first + i * s.step) * 32 + lane_id());
  early();
  await_slots(p);
  for (int chunk = s.first; chunk < p.chunks; chunk += s.step) {
    const u32 word = clip_word(r, chunk * 32 + lane_id(), words[0]);
#pragma unroll
    for (int i = 0; i + 1 < kAhead; ++i) words[i] = words[i + 1];
    words[kAhead - 1] = load_word(r, (chunk + kAhead * s.step) * 32 + lane_id());
    one_chunk<T>(r, chunk, word, use, none);
  }
}

}  // namespace slm

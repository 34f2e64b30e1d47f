// How a warp goes through its chunks of a row: mask words first, logits only where the mask asks.
#pragma once
#include "chunk.cuh"
#include "gather.cuh"

namespace slm {

/// Calls use(chunk, values) for a chunk that has an allowed token, where `values` is a Few or a
/// Dense<T> that is already masked, and none(chunk) for another. `eager`: holds the chunk already.
template <class T, class Use, class None>
SLM_DEVICE void one_chunk(const Row& r, int chunk, u32 word, Dense<T>* eager, Use use, None none) {
  if (!ballot(word != 0)) {
    none(chunk);
  } else if (!ballot(count_bits(word) > 4)) {
    Few few;
    load_few<T>(few, r, chunk, word);
    use(chunk, few);
  } else {
    Dense<T> dense;
    if (eager) dense = *eager;
    else load_dense<T>(dense, r, chunk, word);
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
    one_chunk<T>(r, chunk, word, nullptr, use, none);
  }
}

/// The same for rows that may be sparse: four chunks at a time while none of them has more than a few
/// tokens. use4(chunks..., values) is asked for those.
template <class T, class Early, class Use, class None, class Four>
SLM_DEVICE void each_four(const Rows& p, const Row& r, const Share& s, Early early, Use use,
                          None none, Four four) {
  u32 words[8];
#pragma unroll
  for (int i = 0; i < 8; ++i) words[i] = load_word(r, (s.first + i * s.step) * 32 + lane_id());
  early();
  await_slots(p);
  int chunk = s.first;
  while (chunk < p.chunks) {
    u32 now[4];
    bool some = false, many = false;
#pragma unroll
    for (int i = 0; i < 4; ++i) {
      now[i] = clip_word(r, (chunk + i * s.step) * 32 + lane_id(), words[i]);
      some |= now[i] != 0;
      many |= count_bits(now[i]) > 4;
    }
    const bool all = !ballot(many);
#pragma unroll
    for (int i = 0; i < 4; ++i) words[i] = all ? words[i + 4] : words[i + 1];
    if (all) {
#pragma unroll
      for (int i = 4; i < 8; ++i)
        words[i] = load_word(r, (chunk + (4 + i) * s.step) * 32 + lane_id());
      if (!ballot(some)) {
        for (int i = 0; i < 4 && chunk < p.chunks; ++i, chunk += s.step) none(chunk);
        continue;
      }
      Few few[4];
#pragma unroll
      for (int i = 0; i < 4; ++i) load_few<T>(few[i], r, chunk + i * s.step, now[i]);
      four(chunk, now, few);
      chunk += 4 * s.step;
    } else {
#pragma unroll
      for (int i = 4; i < 7; ++i) words[i] = words[i + 1];
      words[7] = load_word(r, (chunk + 8 * s.step) * 32 + lane_id());
      one_chunk<T>(r, chunk, now[0], nullptr, use, none);
      chunk += s.step;
    }
  }
}

/// The same with the loads of the next chunk under way while one is computed.
template <class T, int kAhead, class Early, class Use, class None>
SLM_DEVICE void each_chunk_doubly(const Rows& p, const Row& r, const Share& s, Early early, Use use,
                                  None none) {
  u32 words[kAhead];
#pragma unroll
  for (int i = 0; i < kAhead; ++i) words[i] = load_word(r, (s.first + i * s.step) * 32 + lane_id());
  early();
  u32 word = s.first < p.chunks ? clip_word(r, s.first * 32 + lane_id(), words[0]) : 0;
  Dense<T> next;
  if (ballot(count_bits(word) > 4)) load_dense<T>(next, r, s.first, word);
  await_slots(p);
  for (int chunk = s.first; chunk < p.chunks; chunk += s.step) {
    const u32 now = word;
    Dense<T> dense = next;
    word = 0;
    if (chunk + s.step < p.chunks) {
      word = clip_word(r, (chunk + s.step) * 32 + lane_id(), words[1]);
      if (ballot(count_bits(word) > 4)) load_dense<T>(next, r, chunk + s.step, word);
    }
#pragma unroll
    for (int i = 0; i + 1 < kAhead; ++i) words[i] = words[i + 1];
    words[kAhead - 1] = load_word(r, (chunk + kAhead * s.step) * 32 + lane_id());
    one_chunk<T>(r, chunk, now, &dense, use, none);
  }
}

/// The same where no warp has more than one chunk: its logits are asked for before the mask is
/// known, which saves a wait of a launch that does little but wait.
template <class T, class Early, class Use, class None>
SLM_DEVICE void eager_chunk(const Rows& p, const Row& r, const Share& s, Early early, Use use,
                            None none) {
  const int w = s.first * 32 + lane_id();
  const u32 word = load_word(r, w);
  Dense<T> dense;
  if (s.first < p.chunks)
    load_dense<T>(dense, r, s.first, w * 32 < r.limit ? clip_word(r, w, ~0u) : 0u);
  early();
  await_slots(p);
  if (s.first < p.chunks) one_chunk<T>(r, s.first, clip_word(r, w, word), &dense, use, none);
}

}  // namespace slm

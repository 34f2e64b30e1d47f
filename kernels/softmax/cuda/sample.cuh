// Masked sampling in one launch: mask, temperature, softmax statistics, pick, log-probability.
//
// Each warp makes the records of its chunks; one warp of the row adds them up, draws one uniform,
// and reads the chunk it falls into once more.
#pragma once
#include "gather.cuh"
#include "philox.cuh"
#include "pick.cuh"

namespace slm {

struct SampleParams {
  Rows rows;
  const i64* seeds;
  const i64* positions;
  i64* token;
  float* logprob;
  float* lse;
  float* legal_mass;
  u8* status;
  void* scratch;  // records, for kGatherTicket
  u32* tickets;   // (batch,), zero
  i64 seed, position;
};

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

/// one_chunk for each chunk of this warp.
template <class T, class Use, class None>
SLM_DEVICE void each_chunk(const Rows& p, const Row& r, const Share& s, Use use, None none) {
  constexpr int kAhead = 4;  // mask words on their way: sparse rows wait for little else
  u32 words[kAhead];
#pragma unroll
  for (int i = 0; i < kAhead; ++i) words[i] = load_word(r, (s.first + i * s.step) * 32 + lane_id());
  await_slots(p);
  for (int chunk = s.first; chunk < p.chunks; chunk += s.step) {
    const u32 word = clip_word(r, chunk * 32 + lane_id(), words[0]);
#pragma unroll
    for (int i = 0; i + 1 < kAhead; ++i) words[i] = words[i + 1];
    words[kAhead - 1] = load_word(r, (chunk + kAhead * s.step) * 32 + lane_id());
    one_chunk<T>(r, chunk, word, nullptr, use, none);
  }
}

/// The same where no warp has more than one chunk: its logits are asked for before the mask is
/// known, which saves a wait of a launch that does little but wait.
template <class T, class Use, class None>
SLM_DEVICE void eager_chunk(const Rows& p, const Row& r, const Share& s, Use use, None none) {
  const int w = s.first * 32 + lane_id();
  const u32 word = load_word(r, w);
  Dense<T> dense;
  if (s.first < p.chunks)
    load_dense<T>(dense, r, s.first, w * 32 < r.limit ? clip_word(r, w, ~0u) : 0u);
  await_slots(p);
  if (s.first < p.chunks) one_chunk<T>(r, s.first, clip_word(r, w, word), &dense, use, none);
}

SLM_DEVICE void put_sample(const SampleParams& p, i64 row, const Pick& pick, float logprob,
                           float lse, u32 status) {
  if (lane_id() != 0) return;
  p.token[row] = pick.token;
  p.logprob[row] = logprob;
  p.lse[row] = lse;
  p.status[row] = static_cast<u8>(status);
}

template <class T, bool kEager>
SLM_DEVICE void make_stats(const SampleParams& p) {
  const Share share = make_share(p.rows);
  open_slots<Stat>(p.rows, share);
  const Row row = make_row<T>(p.rows, share.row);
  const float scale = heat_of(p.rows, share.row).scale;
  const Slots<Stat> slots = record_slots<Stat>(p.rows, share, p.scratch);
  const auto use = [&](int chunk, auto& values) {
    put_record(p.rows, slots, chunk, chunk_stat(values, scale));
  };
  const auto none = [&](int chunk) {
    put_record(p.rows, slots, chunk, Stat{-infinity(), 0.0f});
  };
  if constexpr (kEager) {
    eager_chunk<T>(p.rows, row, share, use, none);
  } else {
    each_chunk<T>(p.rows, row, share, use, none);
  }
}

template <class T, bool kEager>
SLM_DEVICE void sample_rows(const SampleParams& p) {
  make_stats<T, kEager>(p);
  if (!gather(p.rows, p.tickets)) return;
  const Share share = make_share(p.rows);
  const Row row = make_row<T>(p.rows, share.row);
  const Heat heat = heat_of(p.rows, share.row);
  const Stat* const slots = record_slots<Stat>(p.rows, share, p.scratch).at;
  const Total total = add_up(slots, p.rows.chunks, heat.scale);
  const u32 flags = total.nan ? kNan : 0u;
  if (total.top == -infinity()) {
    put_sample(p, share.row, {-1, 0.0f}, -infinity(), -infinity(), kEmpty | flags);
    return;
  }
  Pick pick;
  if (heat.greedy) {
    int chunk = total.end;
    for (int c = total.end - 1; c >= total.first; --c)
      if (slots[c].top == total.top) chunk = c;
    chunk = shfl(chunk, first_bit(ballot(chunk < total.end)));
    pick = find_in_chunk<T>(row, chunk, total.top);
  } else {
    const u64 seed = static_cast<u64>(p.seeds ? p.seeds[share.row] : p.seed);
    const u64 position = static_cast<u64>(p.positions ? p.positions[share.row] : p.position);
    const Spot spot = find_chunk(slots, total, heat.scale, inverse_uniform(seed, position));
    pick = pick_in_chunk<T>(row, spot.chunk, spot.top, heat.scale, spot.rest);
  }
  // The sum has a 1 in it, so log1p keeps what float would lose of a sum just above 1.
  const float log_sum = log1pf(static_cast<float>(total.sum - 1.0));
  if (total.top == infinity()) {
    put_sample(p, share.row, pick, -log_sum, infinity(), kInfinite | flags);
  } else {
    const float lse = static_cast<float>(static_cast<double>(total.top) * heat.inverse) + log_sum;
    put_sample(p, share.row, pick, (pick.logit - total.top) * heat.inverse - log_sum, lse, flags);
  }
}

}  // namespace slm

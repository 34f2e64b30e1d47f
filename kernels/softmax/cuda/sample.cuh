// Masked sampling in one launch: mask, temperature, softmax statistics, pick, log-probability.
//
// Each warp makes the records of its chunks; one warp of the row adds them up, draws one uniform,
// and reads the chunk it falls into once more.
#pragma once
#include "philox.cuh"
#include "pick.cuh"
#include "walk.cuh"

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

SLM_DEVICE void put_sample(const SampleParams& p, i64 row, const Pick& pick, float logprob,
                           float lse, u32 status) {
  if (lane_id() != 0) return;
  p.token[row] = pick.token;
  p.logprob[row] = logprob;
  p.lse[row] = lse;
  p.status[row] = static_cast<u8>(status);
}

template <class T, int kWay>
SLM_DEVICE void make_stats(const SampleParams& p) {
  const Share share = make_share(p.rows);
  open_slots<Stat, kFirst>(p.rows, share, p.rows.chunks);
  const Row row = make_row<T>(p.rows, share.row);
  const Heat heat = heat_of(p.rows, share.row);
  Stat* const slots = record_slots<Stat>(p.rows, share, p.scratch, p.rows.chunks);
  const auto early = [&] {
    if (warp_id() != 0) return;
    const u64 seed = static_cast<u64>(p.seeds ? p.seeds[share.row] : p.seed);
    const u64 position = static_cast<u64>(p.positions ? p.positions[share.row] : p.position);
    const double u = inverse_uniform(seed, position);
    if (lane_id() != 0) return;
    front()->u = u;
    front()->row = row;
    front()->heat = heat;
  };
  const auto use = [&](int chunk, auto& values) {
    put_record<kFirst>(p.rows, slots, chunk, chunk_stat(values, heat.scale));
  };
  const auto none = [&](int chunk) {
    put_record<kFirst>(p.rows, slots, chunk, Stat{-infinity(), 0.0f});
  };
  const auto four = [&](int chunk, const u32 (&words)[4], Few(&few)[4]) {
    Stat stats[4];
    few_stats(few, heat.scale, stats);
#pragma unroll
    for (int i = 0; i < 4; ++i) {
      const int at = chunk + i * share.step;
      // An empty chunk has no NaN to look for: its record is that of `none`.
      const Stat stat = ballot(words[i] != 0) ? stats[i] : Stat{-infinity(), 0.0f};
      if (at < p.rows.chunks) put_record<kFirst>(p.rows, slots, at, stat);
    }
  };
  if constexpr (kWay == 1) {
    eager_chunk<T>(p.rows, row, share, early, use, none);
  } else if constexpr (kWay == 2) {
    each_chunk_doubly<T, 3>(p.rows, row, share, early, use, none);
  } else if constexpr (kWay == 3) {
    each_four<T>(p.rows, row, share, early, use, none, four);
  } else {
    each_chunk<T, 4>(p.rows, row, share, early, use, none);
  }
}

template <class T, int kWay>
SLM_DEVICE void sample_rows(const SampleParams& p) {
  make_stats<T, kWay>(p);
  if (!gather(p.rows, p.tickets)) return;
  sync_warp();
  const Share share = make_share(p.rows);
  const Row row = front()->row;
  const Heat heat = front()->heat;
  const Stat* const slots = record_slots<Stat>(p.rows, share, p.scratch, p.rows.chunks);
  const Total total = add_up(slots, p.rows.chunks, heat.scale);
  const u32 flags = total.nan ? kNan : 0u;
  if (total.top == -infinity()) {
    put_sample(p, share.row, {-1, 0.0f}, -infinity(), -infinity(), kEmpty | flags);
    return;
  }
  const Pick pick = heat.greedy
                        ? find_in_chunk<T>(row, first_chunk(slots, total), total.top)
                        : pick_in_chunk<T>(row, find_chunk(slots, total, front()->u), heat.scale,
                                           front()->held);
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

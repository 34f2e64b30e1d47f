// Masked sampling in one launch: mask, temperature, softmax statistics, pick, log-probability.
//
// Each warp makes the records of its chunks; one warp of the row adds them up, draws one uniform,
// and reads the chunk it falls into once more.
#pragma once
#include "philox.cuh"
#include "pick.cuh"
#include "walk.cuh"

namespace slm {

struct Cut;

struct SampleParams {
  Rows rows;
  const i64* seeds;
  const i64* positions;
  i64* token;
  float* logprob;
  float* lse;
  float* legal_mass;
  u8* status;
  void* scratch;    // records, for kGatherTicket
  u32* tickets;     // (batch,), zero
  const Cut* cuts;  // (batch,), what the filters leave; null: no filter
  i64 seed, position;
  i32 gumbel;
};

SLM_DEVICE void put_sample(const SampleParams& p, i64 row, const Pick& pick, float logprob,
                           float lse, u32 status) {
  if (lane_id() != 0) return;
  p.token[row] = pick.token;
  p.logprob[row] = logprob;
  p.lse[row] = lse;
  p.status[row] = static_cast<u8>(status);
}

/// Log-probability and log-sum-exp of a pick.
SLM_DEVICE void finish_sample(const SampleParams& p, i64 row, const Pick& pick, const Total& total,
                              const Heat& heat, u32 flags) {
  // The sum has a 1 in it, so log1p keeps what float would lose of a sum just above 1.
  const float log_sum = log1pf(static_cast<float>(total.sum - 1.0));
  if (total.top == infinity()) {
    put_sample(p, row, pick, -log_sum, infinity(), kInfinite | flags);
  } else {
    const float lse = static_cast<float>(static_cast<double>(total.top) * heat.inverse) + log_sum;
    put_sample(p, row, pick, (pick.logit - total.top) * heat.inverse - log_sum, lse, flags);
  }
}

template <class T>
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
  each_chunk<T, 4>(p.rows, row, share, early, use, none);
}

template <class T>
SLM_DEVICE void sample_rows(const SampleParams& p) {
  make_stats<T>(p);
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
  const Pick pick = heat.greedy ? find_in_chunk<T>(row, first_chunk(slots, total), total.top)
                                : pick_in_chunk<T>(row, find_chunk(slots, total, front()->u),
                                                   heat.scale, front()->held, [](auto&, bool) {});
  finish_sample(p, share.row, pick, total, heat, flags);
}

}  // namespace slm

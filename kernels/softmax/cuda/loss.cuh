// Masked cross-entropy: loss, log P(legal) and the gradient of the loss in one launch.
//
//   loss = weight * (lse_legal - x_target + legality * (lse_all - lse_legal))
//   d loss / d x = weight * ((1 - legality) * p_legal + legality * p_all - [x is the target's])
//
// The gradient may take the place of the logits: what is needed of the target is read before the
// blocks of a row meet, and writing begins after.
#pragma once
#include "output.cuh"
#include "softmax.cuh"
#include "totals.cuh"
#include "walk.cuh"

namespace slm {

struct LossParams {
  Rows rows;
  const i64* target;
  const float* weight;  // null: 1
  void* grad;           // null: none is wanted
  float* loss;
  float* legal_mass;
  u8* status;
  void* scratch;
  i64 grad_stride;
  i64 ignore_index;
  float legality;
  i32 phase;
};

struct Both {  // of a chunk; the slot after the last one has the target's logit as legal.top
  Stat legal, all;

  SLM_MEMBER Stat stat() const { return legal; }
};
struct WholeRecord {
  const Both* both;
  SLM_MEMBER Stat stat() const { return both->all; }
};
struct WholeRecords {
  const Both* at;
  SLM_MEMBER WholeRecord operator[](int i) const { return {at + i}; }
};

template <class T>
SLM_DEVICE void loss_stats(const LossParams& p) {
  const Share share = make_share(p.rows);
  open_slots<Both, kEveryone>(p.rows, share, p.rows.chunks + 1);
  const Row row = make_row<T>(p.rows, share.row);
  Both* const slots = record_slots<Both>(p.rows, share, p.scratch, p.rows.chunks + 1);
  await_slots(p.rows);
  for (int chunk = share.first; chunk < p.rows.chunks; chunk += share.step) {
    const int w = chunk * 32 + lane_id();
    const u32 word = clip_word(row, w, load_word(row, w));
    const u32 every = w * 32 < p.rows.limit ? clip_word(row, w, ~0u) : 0u;
    Dense<T> dense;
    load_dense<T>(dense, row, chunk, every);
    if (ballot(every != ~0u)) mask_dense<T>(dense, every);
    Both both;
    if (!ballot(word != every)) {
      both.all = both.legal = chunk_stat(dense, kLog2e);
    } else {
      Dense<T> part = dense;
      mask_dense<T>(part, word);
      both.legal = chunk_stat(part, kLog2e);
      both.all = chunk_stat(dense, kLog2e);
    }
    put_record<kEveryone>(p.rows, slots, chunk, both);
  }
  if (share.first != 0) return;
  // Of the target: its logit where it is legal and above -inf, else -inf.
  const i64 target = p.target[share.row];
  float x = -infinity();
  if (target >= 0 && target < row.limit) {
    const int t = static_cast<int>(target);
    if (load_word(row, t >> 5) >> (t & 31) & 1u) x = load_one<T>(row, t);
    if (is_nan(x)) x = -infinity();
  }
  put_record<kEveryone>(p.rows, slots, p.rows.chunks, Both{{x, 0.0f}, {x, 0.0f}});
}

template <class T>
SLM_DEVICE void write_grad(const LossParams& p, const Row& row, const Output& o, const Share& s,
                           const Scale& legal, const Scale& all, float weight, int target) {
  const float part = 1.0f - p.legality;
  const bool whole = p.legality != 0.0f;
  for (int chunk = s.first; chunk * kChunk < o.padded; chunk += s.step) {
    const int w = chunk * 32 + lane_id();
    const u32 word = clip_word(row, w, load_word(row, w));
    const u32 every = whole && w * 32 < p.rows.limit ? clip_word(row, w, ~0u) : word;
    if (!ballot(every != 0)) {
#pragma unroll
      for (int g = 0; g < Dense<T>::kGroups; ++g)
        store_some<T, T::kPer>(o, Dense<T>::token(chunk, g), [](int) { return 0.0f; });
      continue;
    }
    Dense<T> dense;
    load_dense<T>(dense, row, chunk, every);
    mask_dense<T>(dense, every);
#pragma unroll
    for (int g = 0; g < Dense<T>::kGroups; ++g) {
      const u32 bits = Dense<T>::bits(word, g);
      const int token = Dense<T>::token(chunk, g);
      store_some<T, T::kPer>(o, token, [&](int i) {
        const float x = T::get(dense.pack[g], i);
        float change = bits >> i & 1u ? part * probability<true>(legal, x) : 0.0f;
        if (whole) change += p.legality * probability<true>(all, x);
        if (token + i == target) change -= 1.0f;
        return weight * change;
      });
    }
  }
}

template <class T>
SLM_DEVICE void loss_rows(const LossParams& p) {
  if (p.phase != kResults) {
    loss_stats<T>(p);
    if (p.phase == kStatistics) return;
    gather_everyone(p.rows);
  }
  const Share share = make_share(p.rows);
  const Row row = make_row<T>(p.rows, share.row);
  const Both* const slots = record_slots<Both>(p.rows, share, p.scratch, p.rows.chunks + 1);
  const float x = slots[p.rows.chunks].legal.top;
  const Total legal = add_up(slots, p.rows.chunks, kLog2e);
  const Total all = add_up(WholeRecords{slots}, p.rows.chunks, kLog2e);
  const i64 target = p.target[share.row];
  const float weight = p.weight ? p.weight[share.row] : 1.0f;
  const bool ignored = target == p.ignore_index;
  // Of a row with +inf only such tokens have a probability.
  const bool possible = x > -infinity() && (legal.top < infinity() || x == infinity());
  const bool illegal = !ignored && !possible;
  const bool idle = ignored || weight == 0.0f;
  const float mass = log_mass(legal, all);
  const float shift = log1pf(static_cast<float>(legal.sum - 1.0));
  float loss = shift + (legal.top == infinity() ? 0.0f : legal.top - x);
  if (p.legality != 0.0f) loss -= p.legality * mass;
  if (illegal) loss = infinity();
  loss = idle ? 0.0f : weight * loss;
  if (share.rank == 0 && warp_id() == 0 && lane_id() == 0) {
    p.loss[share.row] = loss;
    p.legal_mass[share.row] = mass;
    u32 status = (legal.nan ? kNan : 0u) | (illegal ? kIllegal : 0u);
    if (legal.top == -infinity()) status |= kEmpty;
    if (legal.top == infinity()) status |= kInfinite;
    p.status[share.row] = static_cast<u8>(status);
  }
  if (!p.grad) return;
  const Output o = make_output<T>(p.grad, share.row, p.grad_stride, p.rows.padded);
  if (idle || illegal || loss == infinity()) {  // there is nothing to follow
    fill_row<T>(o, share, [](int) { return 0.0f; });
    return;
  }
  const Heat one{kLog2e, 1.0f, 1.0f, false};
  write_grad<T>(p, row, o, share, make_scale(legal, one), make_scale(all, one), weight,
                static_cast<int>(target));
}

}  // namespace slm

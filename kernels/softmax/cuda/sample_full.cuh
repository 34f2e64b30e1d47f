// Sampling with all options: Gumbel noise, filters, and the legal mass, in the same launch.
//
// The log-probability and the log-sum-exp are those before filters. Legal mass is taken at
// temperature 1 and makes the kernel read the whole row.
#pragma once
#include "cut.cuh"
#include "sample.cuh"

namespace slm {

struct Full {
  Stat legal;
  float kept;  // sum of weights, relative to legal.top, of what the filters leave
  float one;   // sum of weights of the legal tokens at temperature 1
  Stat all;    // of every token below the limit at temperature 1
  float best;  // the largest perturbed value, and its token
  i32 token;

  SLM_MEMBER Stat stat() const { return legal; }
};

struct KeptRecord {
  const Full* full;
  SLM_MEMBER Stat stat() const {
    return {full->legal.top, stat_nan(full->legal) ? -full->kept : full->kept};
  }
};
struct KeptRecords {
  const Full* at;
  SLM_MEMBER KeptRecord operator[](int i) const { return {at + i}; }
};
struct OneRecord {
  const Full* full;
  SLM_MEMBER Stat stat() const { return {full->legal.top, full->one}; }
};
struct OneRecords {
  const Full* at;
  SLM_MEMBER OneRecord operator[](int i) const { return {at + i}; }
};
struct AllRecord {
  const Full* full;
  SLM_MEMBER Stat stat() const { return full->all; }
};
struct AllRecords {
  const Full* at;
  SLM_MEMBER AllRecord operator[](int i) const { return {at + i}; }
};

struct Best {
  float value;
  i32 token;
};
SLM_DEVICE Best better(const Best& a, const Best& b) {
  return b.value > a.value || (b.value == a.value && b.token < a.token) ? b : a;
}
SLM_DEVICE Best warp_best(Best best) {
#pragma unroll
  for (int d = 16; d > 0; d >>= 1)
    best = better(best, Best{shfl_xor(best.value, d), shfl_xor(best.token, d)});
  return best;
}

struct Draw {
  u64 seed, position;
  bool gumbel;
};

/// The record of one chunk. `d` holds what `word` and, with mass, the limit ask for.
template <class T>
SLM_DEVICE Full full_stat(Dense<T>& d, int chunk, u32 word, const Heat& heat, const Cut* cut,
                          const Draw& draw, bool mass) {
  Full f{};
  f.all = {-infinity(), 0.0f};
  if (mass) {
    Dense<T> every = d;
    f.all = chunk_stat(every, kLog2e);
    mask_dense<T>(d, word);
  }
  f.legal = chunk_stat(d, heat.scale);
  f.best = -infinity();
  f.token = 0x7fffffff;
  if (f.legal.top == -infinity()) return f;
  const bool infinite = f.legal.top == infinity();  // then what was +inf is 0 now
  const float top = infinite ? 0.0f : f.legal.top;
  if (mass) f.one = warp_sum(lane_sum(d, top, kLog2e));
  f.kept = stat_sum(f.legal);
  if (!cut && !draw.gumbel) return f;
  float kept = 0.0f;
  Best best{-infinity(), 0x7fffffff};
#pragma unroll
  for (int g = 0; g < Dense<T>::kGroups; ++g) {
    Words noise{};
#pragma unroll
    for (int i = 0; i < T::kPer; ++i) {
      const float x = T::get(d.pack[g], i);
      const int token = Dense<T>::token(chunk, g) + i;
      if (draw.gumbel && (i & 3) == 0)
        noise = philox(draw.seed, draw.position, static_cast<u32>(token) >> 2, kGumbelStream);
      const float real = infinite && x > -infinity() ? infinity() : x;
      const float w = exp2_fast((x - top) * heat.scale);
      if (!(w > 0.0f) || (cut && !survives(*cut, real, token, heat.scale))) continue;
      kept += w;
      if (draw.gumbel) best = better(best, Best{x * heat.inverse + gumbel(noise.w[i & 3]), token});
    }
  }
  f.kept = warp_sum(kept);
  if (draw.gumbel) {
    best = warp_best(best);
    f.best = best.value;
    f.token = best.token;
  }
  return f;
}

template <class T>
SLM_DEVICE void full_stats(const SampleParams& p) {
  const Share share = make_share(p.rows);
  open_slots<Full, kFirst>(p.rows, share, p.rows.chunks);
  const Row row = make_row<T>(p.rows, share.row);
  const Heat heat = heat_of(p.rows, share.row);
  Full* const slots = record_slots<Full>(p.rows, share, p.scratch, p.rows.chunks);
  Draw draw;
  draw.seed = static_cast<u64>(p.seeds ? p.seeds[share.row] : p.seed);
  draw.position = static_cast<u64>(p.positions ? p.positions[share.row] : p.position);
  draw.gumbel = p.gumbel && !heat.greedy;
  const Cut* const cut = p.cuts && !heat.greedy ? p.cuts + share.row : nullptr;
  const bool mass = p.legal_mass != nullptr;
  await_slots(p.rows);
  for (int chunk = share.first; chunk < p.rows.chunks; chunk += share.step) {
    const int w = chunk * 32 + lane_id();
    const u32 word = clip_word(row, w, load_word(row, w));
    // An index that names no mask has limit 0; its mass is -inf whatever the row holds.
    const u32 wanted = mass ? (w * 32 < row.limit ? clip_word(row, w, ~0u) : 0u) : word;
    Dense<T> dense;
    load_dense<T>(dense, row, chunk, wanted);
    mask_dense<T>(dense, wanted);
    put_record<kFirst>(p.rows, slots, chunk,
                       full_stat<T>(dense, chunk, word, heat, cut, draw, mass));
  }
}

template <class T>
SLM_DEVICE void sample_full_rows(const SampleParams& p) {
  full_stats<T>(p);
  if (!gather(p.rows, p.tickets)) return;
  const Share share = make_share(p.rows);
  const Row row = make_row<T>(p.rows, share.row);
  const Heat heat = heat_of(p.rows, share.row);
  const Full* const slots = record_slots<Full>(p.rows, share, p.scratch, p.rows.chunks);
  const Total total = add_up(slots, p.rows.chunks, heat.scale);
  const u32 flags = total.nan ? kNan : 0u;
  if (p.legal_mass) {
    const Total one = add_up(OneRecords{slots}, p.rows.chunks, kLog2e);
    const Total all = add_up(AllRecords{slots}, p.rows.chunks, kLog2e);
    const float mass = log_mass(one, all);
    if (lane_id() == 0) p.legal_mass[share.row] = mass;
  }
  if (total.top == -infinity()) {
    put_sample(p, share.row, {-1, 0.0f}, -infinity(), -infinity(), kEmpty | flags);
    return;
  }
  Pick pick;
  if (heat.greedy) {
    pick = find_in_chunk<T>(row, first_chunk(slots, total), total.top);
  } else if (p.gumbel) {
    Best best{-infinity(), 0x7fffffff};
    // In a row with +inf only such tokens take part.
    for (int c = lane_id(); c < p.rows.chunks; c += 32)
      if (total.top < infinity() || slots[c].legal.top == infinity())
        best = better(best, Best{slots[c].best, slots[c].token});
    pick.token = warp_best(best).token;
    pick.logit = load_one<T>(row, pick.token);
  } else {
    const u64 seed = static_cast<u64>(p.seeds ? p.seeds[share.row] : p.seed);
    const u64 position = static_cast<u64>(p.positions ? p.positions[share.row] : p.position);
    const KeptRecords records{slots};
    const Total kept = add_up(records, p.rows.chunks, heat.scale);
    const Spot spot = find_chunk(records, kept, inverse_uniform(seed, position));
    pick = pick_in_chunk<T>(row, spot, heat.scale, front()->held, [&](auto& words, bool infinite) {
      if (!p.cuts) return;
      const Cut cut = p.cuts[share.row];
#pragma unroll
      for (int i = 0; i < 32; ++i) {
        const float x = value(words, i);
        const float real = infinite && x > -infinity() ? infinity() : x;
        if (!survives(cut, real, (spot.chunk * 32 + lane_id()) * 32 + i, heat.scale))
          set_value(words, i, -infinity());
      }
    });
  }
  finish_sample(p, share.row, pick, total, heat, flags);
}

}  // namespace slm

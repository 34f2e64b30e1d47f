// CUDA's threads as fibers: the kernels' own source runs on a CPU, for tests. Slow, and exact about
// who meets whom: a warp exchange that not all 32 lanes reach, or a barrier that some thread never
// comes to, is an error here, not a hang.
//
// Included by platform.cuh in place of the device's primitives; the names are the same.
#pragma once

#include <setjmp.h>
#include <ucontext.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <memory>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#define SLM_DEVICE static inline
#define SLM_MEMBER inline
#define SLM_KERNEL(threads, blocks) extern "C"
#define SLM_PARAMS const

namespace slm {

struct alignas(16) Pack {
  u32 word[4];
};

namespace emulator {

struct Warp {
  u64 slot[2][32];
  const char* call[2] = {nullptr, nullptr};
  int arrived = 0;
  u64 round = 0;
};

struct Block {
  u32 id = 0;
  std::vector<u64> shared;  // 8-byte aligned twice over: see shared_memory
  std::vector<Warp> warps;
  int arrived = 0;
  u64 round = 0;
  u64 expected = 0, received = 0;
};

struct Fiber {
  ucontext_t context;  // to enter it the first time
  jmp_buf at;          // to enter it again: unlike swapcontext, no call of the system
  bool entered = false;
  std::unique_ptr<char[]> stack;
  Block* block = nullptr;
  int thread = 0;
  u64 cluster_round = 0;
  bool done = false;
};

struct Machine {
  ucontext_t scheduler;
  jmp_buf home;
  std::vector<Block> blocks;  // those that run at the same time: a cluster
  std::vector<Fiber> fibers;
  Fiber* now = nullptr;
  bool progress = false;
  int cluster_arrived = 0;
  u64 cluster_round = 0;
  std::string error;
  void (*entry)(const void*) = nullptr;
  const void* params = nullptr;
};
inline Machine machine;

inline void yield() {
  if (!_setjmp(machine.now->at)) _longjmp(machine.home, 1);
  // Another thread failed: leave this one as well.
  if (!machine.error.empty()) throw std::runtime_error(machine.error);
}
template <class Ready>
void wait_until(Ready ready) {
  while (!ready()) yield();
  machine.progress = true;
}

/// All lanes of a warp leave a value and see those of the others.
inline const u64* exchange(u64 value, const char* call) {
  Warp& warp = machine.now->block->warps[machine.now->thread / 32];
  const u64 round = warp.round;
  const int side = round & 1;
  if (warp.arrived == 0) warp.call[side] = call;
  if (std::strcmp(warp.call[side], call) != 0)
    throw std::runtime_error(std::string("lanes of a warp diverge: ") + warp.call[side] + " and " + call);
  warp.slot[side][machine.now->thread % 32] = value;
  machine.progress = true;
  if (++warp.arrived == 32) {
    warp.arrived = 0;
    ++warp.round;
  }
  wait_until([&] { return warp.round != round; });
  return warp.slot[side];
}
template <class V>
u64 pack(V value) {
  static_assert(sizeof(V) <= 8);
  u64 bits = 0;
  std::memcpy(&bits, &value, sizeof(V));
  return bits;
}
template <class V>
V unpack(u64 bits) {
  V value;
  std::memcpy(&value, &bits, sizeof(V));
  return value;
}

inline void start() {
  Fiber& self = *machine.now;
  try {
    machine.entry(machine.params);
  } catch (const std::exception& error) {
    if (machine.error.empty()) machine.error = error.what();
  }
  self.done = true;
  machine.progress = true;
  _longjmp(machine.home, 1);
}

/// Lets a fiber go on until it yields or ends.
inline void resume(Fiber& f) {
  machine.now = &f;
  if (_setjmp(machine.home)) return;
  if (f.entered) _longjmp(f.at, 1);
  f.entered = true;
  swapcontext(&machine.scheduler, &f.context);
}

/// Runs the blocks first .. first + count - 1 together, to their end.
inline void run_together(u32 first, u32 count, u32 threads, u32 shared) {
  Machine& m = machine;
  m.blocks.assign(count, Block{});
  m.fibers.clear();
  m.fibers.resize(static_cast<std::size_t>(count) * threads);
  m.cluster_arrived = 0;
  m.cluster_round = 0;
  for (u32 b = 0; b < count; ++b) {
    m.blocks[b].id = first + b;
    m.blocks[b].shared.assign(shared / 8 + 3, 0xdeadbeefdeadbeefull);  // nobody may count on zeros
    m.blocks[b].warps.resize(threads / 32);
    for (u32 t = 0; t < threads; ++t) {
      Fiber& f = m.fibers[static_cast<std::size_t>(b) * threads + t];
      f.block = &m.blocks[b];
      f.thread = static_cast<int>(t);
      constexpr std::size_t kStack = 64 * 1024;
      f.stack.reset(new char[kStack]);
      getcontext(&f.context);
      f.context.uc_stack.ss_sp = f.stack.get();
      f.context.uc_stack.ss_size = kStack;
      f.context.uc_link = nullptr;
      makecontext(&f.context, start, 0);
    }
  }
  for (;;) {
    bool alive = false;
    m.progress = false;
    for (Fiber& f : m.fibers) {
      if (f.done) continue;
      alive = true;
      resume(f);
    }
    if (!alive) return;
    if (!m.progress && m.error.empty()) m.error = "every thread waits for one that never comes";
  }
}

/// One launch. `order` shuffles the order of the blocks (or clusters), as a device may.
inline std::string launch(void (*entry)(const void*), const void* params, u32 blocks, u32 threads,
                          u32 shared, u32 cluster, u64 order) {
  machine.entry = entry;
  machine.params = params;
  machine.error.clear();
  std::vector<u32> groups(blocks / cluster);
  for (u32 i = 0; i < groups.size(); ++i) groups[i] = i;
  for (std::size_t i = groups.size(); i > 1; --i) {
    order = order * 6364136223846793005ull + 1442695040888963407ull;
    std::swap(groups[i - 1], groups[(order >> 33) % i]);
  }
  for (const u32 group : groups) {
    run_together(group * cluster, cluster, threads, shared);
    if (!machine.error.empty()) break;
  }
  return machine.error;
}

}  // namespace emulator

SLM_DEVICE u32 thread_id() { return static_cast<u32>(emulator::machine.now->thread); }
SLM_DEVICE int lane_id() { return emulator::machine.now->thread & 31; }
SLM_DEVICE int warp_id() { return emulator::machine.now->thread >> 5; }
SLM_DEVICE int warp_count() { return static_cast<int>(emulator::machine.now->block->warps.size()); }
SLM_DEVICE u32 block_id() { return emulator::machine.now->block->id; }

template <class V>
V shfl(V value, int lane) {
  return emulator::unpack<V>(emulator::exchange(emulator::pack(value), "shfl")[lane & 31]);
}
template <class V>
V shfl_xor(V value, int bits) {
  return emulator::unpack<V>(emulator::exchange(emulator::pack(value), "xor")[lane_id() ^ bits]);
}
template <class V>
V shfl_up(V value, int distance) {
  const u64* all = emulator::exchange(emulator::pack(value), "up");
  return emulator::unpack<V>(all[lane_id() >= distance ? lane_id() - distance : lane_id()]);
}
SLM_DEVICE u32 ballot(bool bit) {
  const u64* all = emulator::exchange(bit, "ballot");
  u32 bits = 0;
  for (int l = 0; l < 32; ++l) bits |= static_cast<u32>(all[l] & 1) << l;
  return bits;
}
SLM_DEVICE void sync_warp() { emulator::exchange(0, "syncwarp"); }
SLM_DEVICE void sync_block() {
  emulator::Block& block = *emulator::machine.now->block;
  const u64 round = block.round;
  emulator::machine.progress = true;
  if (++block.arrived == static_cast<int>(block.warps.size()) * 32) {
    block.arrived = 0;
    ++block.round;
  }
  emulator::wait_until([&] { return block.round != round; });
}
SLM_DEVICE void fence_device() {}
SLM_DEVICE u32 ticket(u32* counter, u32 last) {
  const u32 old = *counter;
  *counter = old >= last ? 0 : old + 1;
  return old;
}
SLM_DEVICE u32 add_shared(u32* at, u32 x) { return std::exchange(*at, *at + x); }
SLM_DEVICE void add_shared(u64* at, u64 x) { *at += x; }
SLM_DEVICE int count_bits(u32 x) { return __builtin_popcount(x); }
SLM_DEVICE int first_bit(u32 x) { return __builtin_ffs(static_cast<int>(x)) - 1; }
SLM_DEVICE int last_bit(u32 x) { return x ? 31 - __builtin_clz(x) : -1; }
SLM_DEVICE u32 high_product(u32 a, u32 b) {
  return static_cast<u32>(static_cast<u64>(a) * b >> 32);
}
SLM_DEVICE float bits_float(u32 x) { return emulator::unpack<float>(x); }
SLM_DEVICE u32 float_bits(float x) { return static_cast<u32>(emulator::pack(x)); }
SLM_DEVICE unsigned char* shared_memory() {
  u64 at = reinterpret_cast<u64>(emulator::machine.now->block->shared.data());
  return reinterpret_cast<unsigned char*>((at + 15) / 16 * 16);
}
SLM_DEVICE float exp2_fast(float x) {
  const float y = std::exp2(x);
  return y < 0x1p-126f ? 0.0f : y;  // the device flushes subnormal numbers; NaN stays
}
SLM_DEVICE float reciprocal_fast(float x) { return 1.0f / x; }
SLM_DEVICE Pack load_pack16(const void* at) {
  if (reinterpret_cast<u64>(at) % 16 != 0) throw std::runtime_error("a 16-byte load is not aligned");
  Pack p;
  std::memcpy(&p, at, 16);
  return p;
}
SLM_DEVICE void load_pack16_if(Pack& p, const void* at, u32 wanted) {
  if (wanted) p = load_pack16(at);
}
SLM_DEVICE void store_pack16(void* at, const Pack& p) {
  if (reinterpret_cast<u64>(at) % 16 != 0) throw std::runtime_error("a 16-byte store is not aligned");
  std::memcpy(at, &p, 16);
}
SLM_DEVICE u32 load_u32(const void* at) {
  u32 x;
  std::memcpy(&x, at, 4);
  return x;
}
SLM_DEVICE u32 load_mask(const void* at) { return load_u32(at); }
SLM_DEVICE u16 load_u16(const void* at) {
  u16 x;
  std::memcpy(&x, at, 2);
  return x;
}
SLM_DEVICE u32 spread(u32 x, int from) {
  const u32 a = x >> (8 * from + 7) & 1u, b = x >> (8 * from + 15) & 1u;
  return (a ? 0xffffu : 0u) | (b ? 0xffff0000u : 0u);
}
SLM_DEVICE u32 spread_low(u32 x) { return spread(x, 0); }
SLM_DEVICE u32 spread_high(u32 x) { return spread(x, 2); }
SLM_DEVICE float half_float(u16 x) {
  const u32 sign = static_cast<u32>(x & 0x8000u) << 16, exponent = x >> 10 & 31u, rest = x & 1023u;
  if (exponent == 31) return bits_float(sign | 0x7f800000u | rest << 13);
  const float size = exponent ? std::ldexp(static_cast<float>(1024u + rest), static_cast<int>(exponent) - 25)
                              : std::ldexp(static_cast<float>(rest), -24);
  return sign ? -size : size;
}
SLM_DEVICE u16 float_half(float x) {
  const u16 sign = static_cast<u16>(float_bits(x) >> 16 & 0x8000u);
  const float size = std::fabs(x);
  if (std::isnan(x)) return 0x7fff;
  if (size >= 65520.0f) return sign | 0x7c00;
  if (size < 0x1p-14f) return static_cast<u16>(sign | static_cast<u16>(std::nearbyint(size * 0x1p24f)));
  const u32 bits = float_bits(size);
  const u32 rounded = ((bits + 0xfffu + (bits >> 13 & 1u)) >> 13) - (112u << 10);
  return static_cast<u16>(sign | rounded);
}
SLM_DEVICE u16 float_bfloat(float x) {
  if (std::isnan(x)) return 0x7fff;
  const u32 bits = float_bits(x);
  return static_cast<u16>((bits + 0x7fffu + (bits >> 16 & 1u)) >> 16);
}
SLM_DEVICE u32 max_bf16x2(u32 a, u32 b) {
  const float low = std::fmax(bits_float(a << 16), bits_float(b << 16));
  const float high = std::fmax(bits_float(a & 0xffff0000u), bits_float(b & 0xffff0000u));
  return float_bits(low) >> 16 | (float_bits(high) & 0xffff0000u);
}
SLM_DEVICE u32 max_f16x2(u32 a, u32 b) {
  const float low = std::fmax(half_float(static_cast<u16>(a)), half_float(static_cast<u16>(b)));
  const float high = std::fmax(half_float(static_cast<u16>(a >> 16)), half_float(static_cast<u16>(b >> 16)));
  return float_half(low) | static_cast<u32>(float_half(high)) << 16;
}

SLM_DEVICE void open_inbox(u64*, u32 bytes) { emulator::machine.now->block->expected = bytes; }
SLM_DEVICE void cluster_arrive() {
  emulator::Machine& m = emulator::machine;
  m.now->cluster_round = m.cluster_round;
  m.progress = true;
  if (++m.cluster_arrived == static_cast<int>(m.fibers.size())) {
    m.cluster_arrived = 0;
    ++m.cluster_round;
  }
}
SLM_DEVICE void cluster_wait() {
  const u64 round = emulator::machine.now->cluster_round;
  emulator::wait_until([=] { return emulator::machine.cluster_round != round; });
}
SLM_DEVICE void send(u64*, void* at, u64 record, u32 rank) {
  emulator::Block& to = emulator::machine.blocks[rank];
  const auto offset = static_cast<unsigned char*>(at) - shared_memory();
  const u64 base = (reinterpret_cast<u64>(to.shared.data()) + 15) / 16 * 16;
  std::memcpy(reinterpret_cast<unsigned char*>(base) + offset, &record, 8);
  to.received += 8;
}
SLM_DEVICE void wait_inbox(u64*) {
  emulator::Block* block = emulator::machine.now->block;
  emulator::wait_until([=] { return block->received == block->expected; });
}

}  // namespace slm

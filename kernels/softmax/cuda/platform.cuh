// The few things a kernel needs from the machine: ids, warp exchange, barriers, 16-byte loads,
// exp2.
//
// No header is included, neither torch's nor CUDA's, so that nvcc and NVRTC compile the same text
// without include paths. With SLM_HOST_EMULATION the same names come from host/emulator.h, where
// every CUDA thread is a fiber: the kernels run unchanged on a CPU, slowly, in the tests.
#pragma once

namespace slm {

using u8 = unsigned char;
using u16 = unsigned short;
using u32 = unsigned int;
using u64 = unsigned long long;
using i32 = int;
using i64 = long long;

}  // namespace slm

#ifdef SLM_HOST_EMULATION
#include "host/emulator.h"
#else

#define SLM_DEVICE static __device__ __forceinline__
#define SLM_MEMBER __device__ __forceinline__
// Blocks of up to `threads` threads, `blocks` of them at once on a multiprocessor.
#define SLM_KERNEL(threads, blocks) extern "C" __global__ __launch_bounds__(threads, blocks)
#define SLM_PARAMS const __grid_constant__

namespace slm {

struct __align__(16) Pack {  // 16 bytes of logits
  u32 word[4];
};

SLM_DEVICE u32 thread_id() { return threadIdx.x; }
SLM_DEVICE int lane_id() { return static_cast<int>(threadIdx.x & 31u); }
SLM_DEVICE int warp_id() { return static_cast<int>(threadIdx.x >> 5); }
SLM_DEVICE int warp_count() { return static_cast<int>(blockDim.x >> 5); }
/// Read anew each time: a value that is needed again late must not occupy a register meanwhile.
SLM_DEVICE u32 block_id() {
  u32 x;
  asm volatile("mov.u32 %0, %%ctaid.x;" : "=r"(x));
  return x;
}

template <class V>
SLM_DEVICE V shfl(V value, int lane) {
  return __shfl_sync(~0u, value, lane);
}
template <class V>
SLM_DEVICE V shfl_xor(V value, int bits) {
  return __shfl_xor_sync(~0u, value, bits);
}
template <class V>
SLM_DEVICE V shfl_up(V value, int distance) {
  return __shfl_up_sync(~0u, value, static_cast<u32>(distance));
}
SLM_DEVICE u32 ballot(bool bit) { return __ballot_sync(~0u, bit); }
SLM_DEVICE void sync_warp() { __syncwarp(); }
SLM_DEVICE void sync_block() { __syncthreads(); }
SLM_DEVICE void fence_device() { __threadfence(); }
SLM_DEVICE u32 ticket(u32* counter, u32 last) { return atomicInc(counter, last); }
SLM_DEVICE int count_bits(u32 x) { return __popc(x); }
SLM_DEVICE int first_bit(u32 x) { return __ffs(static_cast<int>(x)) - 1; }  // -1: none
SLM_DEVICE int last_bit(u32 x) { return 31 - __clz(static_cast<int>(x)); }  // -1: none
SLM_DEVICE u32 high_product(u32 a, u32 b) { return __umulhi(a, b); }
SLM_DEVICE float bits_float(u32 x) { return __uint_as_float(x); }
SLM_DEVICE u32 float_bits(float x) { return __float_as_uint(x); }

SLM_DEVICE unsigned char* shared_memory() {
  extern __shared__ __align__(16) unsigned char bytes[];
  return bytes;
}

/// 2^x. Absolute error of the exponent's rounding apart: relative error below 2^-22; 0 below
/// 2^-126.
SLM_DEVICE float exp2_fast(float x) {
  float y;
  asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(y) : "f"(x));
  return y;
}

SLM_DEVICE float reciprocal_fast(float x) {
  float y;
  asm("rcp.approx.ftz.f32 %0, %1;" : "=f"(y) : "f"(x));
  return y;
}

/// Logits: not kept in L1. Not "read-only data" for the machine, since a gradient may take their
/// place.
SLM_DEVICE Pack load_pack16(const void* at) {
  Pack p;
  asm volatile("ld.global.L1::no_allocate.v4.u32 {%0, %1, %2, %3}, [%4];"
               : "=r"(p.word[0]), "=r"(p.word[1]), "=r"(p.word[2]), "=r"(p.word[3])
               : "l"(at));
  return p;
}
/// The same where `wanted` is not 0, else `p` stays: a predicated load, no branch.
SLM_DEVICE void load_pack16_if(Pack& p, const void* at, u32 wanted) {
  asm volatile(
      "{\n .reg .pred q;\n setp.ne.u32 q, %5, 0;\n"
      " @q ld.global.L1::no_allocate.v4.u32 {%0, %1, %2, %3}, [%4];\n}"
      : "+r"(p.word[0]), "+r"(p.word[1]), "+r"(p.word[2]), "+r"(p.word[3])
      : "l"(at), "r"(wanted));
}
SLM_DEVICE u32 load_u32(const void* at) {
  u32 x;
  asm volatile("ld.global.u32 %0, [%1];" : "=r"(x) : "l"(at));
  return x;
}
SLM_DEVICE u32 load_mask(const void* at) {  // read-only for the whole launch
  u32 x;
  asm("ld.global.nc.u32 %0, [%1];" : "=r"(x) : "l"(at));
  return x;
}
SLM_DEVICE void store_pack16(void* at, const Pack& p) {
  asm volatile("st.global.v4.u32 [%0], {%1, %2, %3, %4};" ::"l"(at), "r"(p.word[0]), "r"(p.word[1]),
               "r"(p.word[2]), "r"(p.word[3])
               : "memory");
}
SLM_DEVICE u16 load_u16(const void* at) {
  u16 x;
  asm volatile("ld.global.u16 %0, [%1];" : "=h"(x) : "l"(at));
  return x;
}

/// Each byte of the result is all ones or all zeros, as the top bit of one byte of `x` says:
/// bytes 0, 0, 1, 1 of `x` for `low`, 2, 2, 3, 3 for the other half.
SLM_DEVICE u32 spread_low(u32 x) {
  u32 y;
  asm("prmt.b32 %0, %1, 0, 0x9988;" : "=r"(y) : "r"(x));
  return y;
}
SLM_DEVICE u32 spread_high(u32 x) {
  u32 y;
  asm("prmt.b32 %0, %1, 0, 0xbbaa;" : "=r"(y) : "r"(x));
  return y;
}
SLM_DEVICE u32 max_bf16x2(u32 a, u32 b) {  // of a NaN and a number, the number
  u32 y;
  asm("max.bf16x2 %0, %1, %2;" : "=r"(y) : "r"(a), "r"(b));
  return y;
}
SLM_DEVICE u32 max_f16x2(u32 a, u32 b) {
  u32 y;
  asm("max.f16x2 %0, %1, %2;" : "=r"(y) : "r"(a), "r"(b));
  return y;
}
SLM_DEVICE float half_float(u16 x) {
  float y;
  asm("cvt.f32.f16 %0, %1;" : "=f"(y) : "h"(x));
  return y;
}
SLM_DEVICE u16 float_half(float x) {
  u16 y;
  asm("cvt.rn.f16.f32 %0, %1;" : "=h"(y) : "f"(x));
  return y;
}
SLM_DEVICE u16 float_bfloat(float x) {
  u16 y;
  asm("cvt.rn.bf16.f32 %0, %1;" : "=h"(y) : "f"(x));
  return y;
}

// An inbox: 8-byte records that the blocks of a cluster send to each other's shared memory, where
// one barrier counts the bytes that came. Nobody fences or waits but the reader.
#if __CUDA_ARCH__ >= 900
SLM_DEVICE u32 shared_address(const void* at) {
  return static_cast<u32>(__cvta_generic_to_shared(at));
}
/// One thread of a block opens its inbox; then every thread of the cluster arrives and waits.
SLM_DEVICE void open_inbox(u64* barrier, u32 bytes) {
  asm volatile("mbarrier.init.shared::cta.b64 [%0], 1;" ::"r"(shared_address(barrier)) : "memory");
  asm volatile("fence.mbarrier_init.release.cluster;" ::: "memory");
  asm volatile(
      "mbarrier.arrive.expect_tx.shared::cta.b64 _, [%0], %1;" ::"r"(shared_address(barrier)),
      "r"(bytes)
      : "memory");
}
SLM_DEVICE void cluster_arrive() {
  asm volatile("barrier.cluster.arrive.relaxed.aligned;" ::: "memory");
}
SLM_DEVICE void cluster_wait() { asm volatile("barrier.cluster.wait.aligned;" ::: "memory"); }
/// To the place in block `rank` that `at` is in this block; its barrier counts 8 bytes.
SLM_DEVICE void send(u64* barrier, void* at, u64 record, u32 rank) {
  u32 there, counter;
  asm("mapa.shared::cluster.u32 %0, %1, %2;" : "=r"(there) : "r"(shared_address(at)), "r"(rank));
  asm("mapa.shared::cluster.u32 %0, %1, %2;"
      : "=r"(counter)
      : "r"(shared_address(barrier)), "r"(rank));
  asm volatile(
      "st.async.shared::cluster.mbarrier::complete_tx::bytes.b64 [%0], %1, [%2];" ::"r"(there),
      "l"(record), "r"(counter)
      : "memory");
}
SLM_DEVICE void wait_inbox(u64* barrier) {
  u32 done = 0;
  while (!done) {
    asm volatile(
        "{\n .reg .pred p;\n"
        " mbarrier.try_wait.parity.acquire.cluster.shared::cta.b64 p, [%1], 0;\n"
        " selp.u32 %0, 1, 0, p;\n}"
        : "=r"(done)
        : "r"(shared_address(barrier))
        : "memory");
  }
}
#else
SLM_DEVICE void open_inbox(u64*, u32) {}
SLM_DEVICE void cluster_arrive() {}
SLM_DEVICE void cluster_wait() {}
SLM_DEVICE void send(u64*, void*, u64, u32) {}
SLM_DEVICE void wait_inbox(u64*) {}
#endif

}  // namespace slm

#endif  // SLM_HOST_EMULATION

namespace slm {

constexpr float kLog2e = 1.4426950408889634f;
constexpr float kLn2 = 0.6931471805599453f;
SLM_DEVICE float infinity() { return bits_float(0x7f800000u); }
SLM_DEVICE bool is_nan(float x) { return x != x; }

SLM_DEVICE float warp_max(float x) {
#pragma unroll
  for (int d = 16; d > 0; d >>= 1) x = fmaxf(x, shfl_xor(x, d));
  return x;
}
template <class V>
SLM_DEVICE V warp_sum(V x) {  // a butterfly: the same bits in every lane
#pragma unroll
  for (int d = 16; d > 0; d >>= 1) x += shfl_xor(x, d);
  return x;
}
template <class V>
SLM_DEVICE V warp_prefix(V x) {  // inclusive
#pragma unroll
  for (int d = 1; d < 32; d <<= 1) {
    const V below = shfl_up(x, d);
    if (lane_id() >= d) x += below;
  }
  return x;
}

}  // namespace slm

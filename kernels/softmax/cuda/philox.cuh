// Philox4x32-10 (Salmon et al. 2011): random words from a key and a counter, the same everywhere.
#pragma once
#include "platform.cuh"

namespace slm {

constexpr u32 kInverseStream = 0x5A17u, kGumbelStream = 0x6B31u;

struct Words {
  u32 w[4];
};

SLM_DEVICE Words philox(u64 seed, u64 position, u32 block, u32 stream) {
  u32 k0 = static_cast<u32>(seed), k1 = static_cast<u32>(seed >> 32);
  u32 c0 = block, c1 = static_cast<u32>(position), c2 = static_cast<u32>(position >> 32);
  u32 c3 = stream;
#pragma unroll
  for (int round = 0; round < 10; ++round) {
    const u32 high0 = high_product(0xD2511F53u, c0), low0 = 0xD2511F53u * c0;
    const u32 high1 = high_product(0xCD9E8D57u, c2), low1 = 0xCD9E8D57u * c2;
    c0 = high1 ^ c1 ^ k0;
    c1 = low1;
    c2 = high0 ^ c3 ^ k1;
    c3 = low0;
    k0 += 0x9E3779B9u;
    k1 += 0xBB67AE85u;
  }
  return {{c0, c1, c2, c3}};
}

/// Uniform in (0, 1), 64 bits deep: tokens of any probability a float can hold stay reachable.
SLM_DEVICE double inverse_uniform(u64 seed, u64 position) {
  const Words r = philox(seed, position, 0, kInverseStream);
  const u64 bits = static_cast<u64>(r.w[0]) << 32 | r.w[1];
  const double u = (static_cast<double>(bits) + 0.5) * 0x1p-64;
  return u < 1.0 ? u : 0x1.fffffffffffffp-1;
}

/// Standard Gumbel noise from 32 bits; the winning tail (u near 0) has full float resolution.
SLM_DEVICE float gumbel(u32 word) {
  const float u = (static_cast<float>(word) + 0.5f) * 0x1p-32f;
  return -logf(-log1pf(-u));
}

}  // namespace slm

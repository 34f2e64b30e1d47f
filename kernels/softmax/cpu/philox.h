// Philox4x32-10 (Salmon et al. 2011): random words that depend on a key and a counter alone.
#pragma once

#include <cstdint>

namespace slm::softmax {

inline constexpr std::uint32_t kInverseStream = 0x5A17, kGumbelStream = 0x6B31;
inline constexpr std::uint64_t kLeft = 0xD2511F53, kRight = 0xCD9E8D57;
inline constexpr std::uint32_t kWeyl0 = 0x9E3779B9, kWeyl1 = 0xBB67AE85;
inline constexpr int kRounds = 10;

/// Four words for a block of a stream at a position of a seed, into `out`. The same on every
/// device.
static inline void philox(std::uint64_t seed, std::uint64_t position, std::uint32_t block,
                          std::uint32_t stream, std::uint32_t* out) noexcept {
  std::uint32_t k0 = static_cast<std::uint32_t>(seed), k1 = static_cast<std::uint32_t>(seed >> 32);
  std::uint32_t c0 = block, c1 = static_cast<std::uint32_t>(position);
  std::uint32_t c2 = static_cast<std::uint32_t>(position >> 32), c3 = stream;
  for (int round = 0; round < kRounds; ++round) {
    std::uint64_t left = kLeft * c0, right = kRight * c2;
    c0 = static_cast<std::uint32_t>(right >> 32) ^ c1 ^ k0;
    c2 = static_cast<std::uint32_t>(left >> 32) ^ c3 ^ k1;
    c1 = static_cast<std::uint32_t>(right);
    c3 = static_cast<std::uint32_t>(left);
    k0 += kWeyl0;
    k1 += kWeyl1;
  }
  out[0] = c0;
  out[1] = c1;
  out[2] = c2;
  out[3] = c3;
}

}  // namespace slm::softmax

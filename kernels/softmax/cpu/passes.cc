// The table of loops for one instruction set: compiled once for each, with its flags and SLM_ISA.
//
// Everything here is in a namespace of its instruction set, and nothing of the standard library
// with code of its own is used: the linker keeps one copy of an inline function that several
// sources share, and it must not be one with instructions that a processor lacks.
#include "softmax/cpu/passes.h"

#include "softmax/cpu/philox.h"

namespace slm::softmax::SLM_ISA {

/// Adding it rounds a float below 2^22 to a whole number, which its lowest bits then are.
[[maybe_unused]] constexpr float kMagic = 12582912.0f;
[[maybe_unused]] constexpr std::int32_t kMagicBits = 0x4B400000;

}  // namespace slm::softmax::SLM_ISA

#if defined(SLM_AVX512)
#include "softmax/cpu/vectors_avx512.h"
#elif defined(SLM_AVX2)
#include "softmax/cpu/vectors_avx2.h"
#elif defined(SLM_NEON)
#include "softmax/cpu/vectors_neon.h"
#else
#include "softmax/cpu/vectors_plain.h"
#endif

namespace slm::softmax::SLM_ISA {
namespace {

constexpr std::size_t kVecs = kLanes / kWidth;  // of a mask word
constexpr std::size_t kGroup = 8;  // words that add up in floats before they join a longer sum

/// 2^((x - offset) factor - base), with a relative error of at most 2e-7.
///
/// 2^r for r between -1/2 and 1/2 is a polynomial (minimax in the relative error, 9.3e-8, with the
/// constant 1), evaluated as it stands: these lines must not be compiled with -ffast-math, which
/// would cancel the rounding in `split`.
inline Vec weight(Vec x, const Split& scale) {
  Vec power;
  Vec rest = split(x, scale, power);
  Vec sum = same(0x1.5bd97cp-10f);
  sum = fma(sum, rest, same(0x1.3ce8b2p-7f));
  sum = fma(sum, rest, same(0x1.c6b6dap-5f));
  sum = fma(sum, rest, same(0x1.ebf9c2p-3f));
  sum = fma(sum, rest, same(0x1.62e42ap-1f));
  sum = fma(sum, rest, same(1.0f));
  return mul(sum, power);
}

/// Lanes in the order of a tree, whatever the width of a vector: the same sum everywhere.
double add_up(const float* lanes) {
  double sums[kLanes];
  for (std::size_t i = 0; i < kLanes; ++i) sums[i] = lanes[i];
  for (std::size_t half = kLanes / 2; half > 0; half /= 2) {
    for (std::size_t i = 0; i < half; ++i) sums[i] += sums[i + half];
  }
  return sums[0];
}

template <bool kStore>
double weigh(const float* x, std::size_t n, const Scale& by, float* out) {
  const Split scale(by);
  Vec total[kVecs];
  for (Vec& lane : total) lane = same(0.0f);
  for (std::size_t i = 0; i < n;) {
    Vec part[kVecs];
    for (Vec& lane : part) lane = same(0.0f);
    std::size_t end = i + kGroup * kLanes < n ? i + kGroup * kLanes : n;
    for (; i < end; i += kLanes) {
      for (std::size_t v = 0; v < kVecs; ++v) {
        Vec w = weight(load(x + i + v * kWidth), scale);
        if constexpr (kStore) store(out + i + v * kWidth, w);
        part[v] = add(part[v], w);
      }
    }
    for (std::size_t v = 0; v < kVecs; ++v) total[v] = add(total[v], part[v]);
  }
  float lanes[kLanes];
  for (std::size_t v = 0; v < kVecs; ++v) store(lanes + v * kWidth, total[v]);
  return add_up(lanes);
}

double sum(const float* x, std::size_t n, const Scale& scale) {
  return weigh<false>(x, n, scale, nullptr);
}
double weights(const float* x, std::size_t n, const Scale& scale, float* out) {
  return weigh<true>(x, n, scale, out);
}

void keep_bits(const float* x, const std::uint32_t* words, std::size_t n, float* out) {
  for (std::size_t i = 0; i < n; i += kLanes) {
    std::uint32_t word = words[i / kLanes];
    for (std::size_t v = 0; v < kVecs; ++v) {
      std::size_t at = i + v * kWidth;
      store(out + at, keep(load(x + at), word >> (v * kWidth)));
    }
  }
}

float maximum(const float* x, std::size_t n, float* lanes, bool& nan) {
  Vec best[kVecs];
  std::uint32_t found[kVecs] = {};
  for (Vec& lane : best) lane = same(-__builtin_inff());
  for (std::size_t i = 0; i < n; i += kLanes) {
    for (std::size_t v = 0; v < kVecs; ++v) {
      Vec here = load(x + i + v * kWidth);
      found[v] |= unordered(here);
      best[v] = max(here, best[v]);
    }
  }
  float top = -__builtin_inff();
  for (std::size_t v = 0; v < kVecs; ++v) {
    store(lanes + v * kWidth, best[v]);
    if (found[v] != 0) nan = true;
  }
  for (std::size_t i = 0; i < kLanes; ++i) top = lanes[i] > top ? lanes[i] : top;
  return top;
}

void multiply(const float* w, std::size_t n, float by, float most, float* out) {
  const Vec factor = same(by), bound = same(most);
  for (std::size_t i = 0; i < n; i += kWidth) store(out + i, min(mul(load(w + i), factor), bound));
}

/// In doubles: a log-probability near 0 is a small difference of large numbers.
void logs(const float* x, std::size_t n, double by, double minus, float* out) {
  const Vec none = same(-__builtin_inff());
  for (std::size_t i = 0; i < n; i += kLanes) {
    float known[kLanes];
    for (std::size_t v = 0; v < kLanes; v += kWidth) store(known + v, max(load(x + i + v), none));
    for (std::size_t v = 0; v < kLanes; ++v) out[i + v] = static_cast<float>(known[v] * by - minus);
  }
}

std::size_t above(const float* x, std::size_t n, float least, std::uint32_t* places) {
  const Vec bound = same(least);
  std::size_t count = 0;
  for (std::size_t i = 0; i < n; i += kWidth) {
    for (std::uint32_t bits = at_least(load(x + i), bound); bits != 0; bits &= bits - 1) {
      places[count++] = static_cast<std::uint32_t>(i) + __builtin_ctz(bits);
    }
  }
  return count;
}

/// `philox` for eight blocks side by side, which compilers turn into vectors.
void noise(std::uint64_t seed, std::uint64_t position, std::uint32_t first, std::size_t n,
           std::uint32_t* out) {
  constexpr std::size_t kBlocks = kLanes / 4;
  for (std::size_t i = 0; i < n; i += kLanes) {
    std::uint32_t a[kBlocks], b[kBlocks], c[kBlocks], d[kBlocks];
    for (std::uint32_t l = 0; l < kBlocks; ++l) {
      a[l] = static_cast<std::uint32_t>((first + i) / 4) + l;
      b[l] = static_cast<std::uint32_t>(position);
      c[l] = static_cast<std::uint32_t>(position >> 32);
      d[l] = kGumbelStream;
    }
    auto k0 = static_cast<std::uint32_t>(seed), k1 = static_cast<std::uint32_t>(seed >> 32);
    for (int round = 0; round < kRounds; ++round) {
      for (std::size_t l = 0; l < kBlocks; ++l) {
        std::uint64_t left = kLeft * a[l], right = kRight * c[l];
        a[l] = static_cast<std::uint32_t>(right >> 32) ^ b[l] ^ k0;
        c[l] = static_cast<std::uint32_t>(left >> 32) ^ d[l] ^ k1;
        b[l] = static_cast<std::uint32_t>(right);
        d[l] = static_cast<std::uint32_t>(left);
      }
      k0 += kWeyl0;
      k1 += kWeyl1;
    }
    for (std::size_t l = 0; l < kBlocks; ++l) {
      out[i + 4 * l] = a[l];
      out[i + 4 * l + 1] = b[l];
      out[i + 4 * l + 2] = c[l];
      out[i + 4 * l + 3] = d[l];
    }
  }
}

std::size_t count(const std::uint32_t* words, std::size_t n) {
  std::size_t bits = 0, i = 0;
  for (; i + 2 <= n; i += 2) {
    unsigned long long pair;
    __builtin_memcpy(&pair, words + i, sizeof pair);
    bits += static_cast<std::size_t>(__builtin_popcountll(pair));
  }
  if (i < n) bits += static_cast<std::size_t>(__builtin_popcount(words[i]));
  return bits;
}

void all_from_bf16(const std::uint16_t* in, std::size_t n, float* out) {
  for (std::size_t i = 0; i < n; i += kWidth) store(out + i, from_bf16(in + i));
}
void all_from_f16(const std::uint16_t* in, std::size_t n, float* out) {
  for (std::size_t i = 0; i < n; i += kWidth) store(out + i, from_f16(in + i));
}
void all_to_f16(const float* in, std::size_t n, std::uint16_t* out) {
  for (std::size_t i = 0; i < n; i += kWidth) to_f16(load(in + i), out + i);
}

void all_to_bf16(const float* in, std::size_t n, std::uint16_t* out) {
  for (std::size_t i = 0; i < n; ++i) {
    std::uint32_t bits;
    __builtin_memcpy(&bits, in + i, sizeof bits);
    std::uint32_t rounded = (bits + 0x7FFFu + (bits >> 16 & 1)) >> 16;
    out[i] = static_cast<std::uint16_t>((bits & 0x7FFFFFFFu) > 0x7F800000u ? 0x7FC0u : rounded);
  }
}

}  // namespace

#define SLM_STRING(name) #name
#define SLM_NAME(name) SLM_STRING(name)

extern const Passes kPasses;
const Passes kPasses = {
    .name = SLM_NAME(SLM_ISA),
    .from_bf16 = all_from_bf16,
    .from_f16 = all_from_f16,
    .to_bf16 = all_to_bf16,
    .to_f16 = all_to_f16,
    .keep = keep_bits,
    .max = maximum,
    .sum = sum,
    .weights = weights,
    .multiply = multiply,
    .logs = logs,
    .above = above,
    .noise = noise,
    .count = count,
};

}  // namespace slm::softmax::SLM_ISA

#include "softmax/head/gather.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <vector>

#include "core/pool.h"

#if (defined(__x86_64__) || defined(__i386__)) && (defined(__GNUC__) || defined(__clang__))
#define SLM_X86 1
#else
#define SLM_X86 0
#endif

namespace slm::head {
namespace {

constexpr std::size_t kLanes = 64;                           // partial sums, added in a fixed order
constexpr std::size_t kBytesAThread = std::size_t{1} << 20;  // below, starting a thread costs more

float to_float(float x) noexcept { return x; }
float to_float(std::uint16_t x) noexcept {
  return std::bit_cast<float>(static_cast<std::uint32_t>(x) << 16);
}

/// To the nearest bfloat16, of two as near the even one.
float rounded(float x) noexcept {
  auto bits = std::bit_cast<std::uint32_t>(x);
  if ((bits & 0x7fffffffu) > 0x7f800000u) return x;  // NaN
  bits += 0x7fffu + ((bits >> 16) & 1u);
  return std::bit_cast<float>(bits & 0xffff0000u);
}

struct MultiplyAdd {
  static float of(float a, float b, float c) noexcept { return a * b + c; }
};
struct Fused {  // one instruction where there is one; elsewhere a slow call
  static float of(float a, float b, float c) noexcept { return std::fma(a, b, c); }
};

/// One dot product. It reads `next`, the row that comes after, into the cache meanwhile: rows lie
/// apart, and the processor cannot guess where it goes on.
template <class Element, class Fma>
[[gnu::always_inline]] inline float dot(const Element* row, const Element* next, const float* x,
                                        std::size_t width) noexcept {
  float sums[kLanes] = {};
  std::size_t at = 0;
  for (; at + kLanes <= width; at += kLanes) {
#if defined(__GNUC__) || defined(__clang__)
    for (std::size_t line = 0; line < kLanes * sizeof(Element); line += 64)
      __builtin_prefetch(reinterpret_cast<const char*>(next + at) + line);
#else
    (void)next;
#endif
    for (std::size_t lane = 0; lane < kLanes; ++lane)
      sums[lane] = Fma::of(to_float(row[at + lane]), x[at + lane], sums[lane]);
  }
  for (std::size_t lane = 0; at < width; ++at, ++lane)
    sums[lane] = Fma::of(to_float(row[at]), x[at], sums[lane]);
  for (std::size_t half = kLanes / 2; half != 0; half /= 2)
    for (std::size_t lane = 0; lane < half; ++lane) sums[lane] += sums[lane + half];
  return sums[0];
}

template <class Element, class Fma>
[[gnu::always_inline]] inline void rows_of(const Layer& layer, const float* x,
                                           std::span<const std::int64_t> ids, float* out) noexcept {
  const auto* weight = static_cast<const Element*>(layer.weight);
  const auto* bias = static_cast<const Element*>(layer.bias);
  constexpr bool kRounds = sizeof(Element) == 2;
  for (std::size_t i = 0; i < ids.size(); ++i) {
    auto id = static_cast<std::size_t>(ids[i]);
    auto after = static_cast<std::size_t>(ids[std::min(i + 1, ids.size() - 1)]);
    float sum = dot<Element, Fma>(weight + id * layer.stride, weight + after * layer.stride, x,
                                  layer.width);
    if (kRounds) sum = rounded(sum);
    if (bias != nullptr) {
      sum += to_float(bias[id]);
      if (kRounds) sum = rounded(sum);
    }
    out[i] = sum;
  }
}

using Rows = void (*)(const Layer&, const float*, std::span<const std::int64_t>, float*);

template <class Element>
void portable(const Layer& layer, const float* x, std::span<const std::int64_t> ids, float* out) {
  rows_of<Element, MultiplyAdd>(layer, x, ids, out);
}

#if SLM_X86
template <class Element>
[[gnu::target("avx2,fma")]] void avx2(const Layer& layer, const float* x,
                                      std::span<const std::int64_t> ids, float* out) {
  rows_of<Element, Fused>(layer, x, ids, out);
}
template <class Element>
[[gnu::target("avx512f,avx512bw,avx512vl,avx512dq,avx2,fma,prefer-vector-width=512")]] void avx512(
    const Layer& layer, const float* x, std::span<const std::int64_t> ids, float* out) {
  rows_of<Element, Fused>(layer, x, ids, out);
}
#endif

template <class Element>
Rows rows_with([[maybe_unused]] Instructions use) noexcept {
#if SLM_X86
  if (use == Instructions::kAvx512) return avx512<Element>;
  if (use == Instructions::kAvx2) return avx2<Element>;
#endif
  return portable<Element>;
}

}  // namespace

Instructions best_instructions() noexcept {
#if SLM_X86
  static const Instructions best = [] {
    __builtin_cpu_init();
    if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
        __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq"))
      return Instructions::kAvx512;
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) return Instructions::kAvx2;
    return Instructions::kPortable;
  }();
  return best;
#else
  return Instructions::kPortable;
#endif
}

void gather_dot(const Layer& layer, const void* hidden, std::span<const std::int64_t> ids,
                std::size_t threads, float* out, Instructions use) {
  if (ids.empty()) return;
  std::vector<float> widened;
  const float* x = static_cast<const float*>(hidden);
  std::size_t element = sizeof(float);
  if (layer.type == Type::kBFloat16) {
    element = sizeof(std::uint16_t);
    widened.resize(layer.width);
    const auto* narrow = static_cast<const std::uint16_t*>(hidden);
    std::transform(narrow, narrow + layer.width, widened.begin(),
                   [](std::uint16_t one) { return to_float(one); });
    x = widened.data();
  }
  Rows rows = layer.type == Type::kFloat32 ? rows_with<float>(use) : rows_with<std::uint16_t>(use);
  std::size_t bytes = ids.size() * layer.width * element;
  std::size_t parts =
      std::clamp<std::size_t>(bytes / kBytesAThread, 1, std::max<std::size_t>(1, threads));
  if (parts == 1) return rows(layer, x, ids, out);
  run_parallel(parts, parts, [&](std::size_t part) {
    std::size_t begin = ids.size() * part / parts, end = ids.size() * (part + 1) / parts;
    rows(layer, x, ids.subspan(begin, end - begin), out + begin);
  });
}

std::size_t count_allowed(std::span<const std::uint32_t> mask) noexcept {
  std::size_t count = 0;
  for (std::uint32_t word : mask) count += static_cast<std::size_t>(std::popcount(word));
  return count;
}

void allowed_ids(std::span<const std::uint32_t> mask, std::int64_t* out) noexcept {
  for (std::size_t at = 0; at < mask.size(); ++at)
    for (std::uint32_t word = mask[at]; word != 0; word &= word - 1)
      *out++ = static_cast<std::int64_t>(at * 32) + std::countr_zero(word);
}

}  // namespace slm::head

// The loops over floats that the softmax kernels are made of, one table of them an instruction set.
#pragma once

#include <cstddef>
#include <cstdint>

namespace slm::softmax {

/// Rows are worked on in chunks of this many tokens, so that what one pass makes is in the first
/// cache for the next; the tokens of a chunk add up in `kLanes` sums, one a bit of a mask word.
/// Both are the same for every instruction set, and so are sums, up to fused multiplication.
inline constexpr std::size_t kChunk = 1024, kLanes = 32;

/// Which weight 2^((x - offset) log2(e) / T - base) a logit x gets: at most about 1 for the best x.
///
/// `base` is a whole number, so weights to different bases differ by an exact factor, and no
/// difference of logits is ever rounded. `offset` is 0 but for huge logits (`make_scale`).
struct Scale {
  double factor;      ///< log2(e) / T
  float high, low;    ///< its two halves
  float offset;       ///< subtracted from the logits first
  float floor;        ///< logits from here down, less the offset, have weight 0
  std::int32_t base;  ///< of 2
};

/// Sizes n are multiples of kLanes and at most kChunk, except where a comment says otherwise.
/// Inputs need no alignment beyond their type's. NaN in `x` counts as -inf everywhere.
struct Passes {
  const char* name;

  void (*from_bf16)(const std::uint16_t* in, std::size_t n, float* out);
  void (*from_f16)(const std::uint16_t* in, std::size_t n, float* out);
  /// To the nearest, ties to even.
  void (*to_bf16)(const float* in, std::size_t n, std::uint16_t* out);
  void (*to_f16)(const float* in, std::size_t n, std::uint16_t* out);

  /// out = x where the bit is set, else -inf; `out` may be `x`.
  void (*keep)(const float* x, const std::uint32_t* words, std::size_t n, float* out);
  /// The maximum of each lane into `lanes`, of all as the result; sets `nan` if one was seen.
  float (*max)(const float* x, std::size_t n, float* lanes, bool& nan);
  /// The sum of the weights. No x is +inf, nor much above the one that the scale was made for.
  double (*sum)(const float* x, std::size_t n, const Scale& scale);
  /// The same, and each weight.
  double (*weights)(const float* x, std::size_t n, const Scale& scale, float* out);
  /// out = w * by, but at most `most`; `out` may be `w`.
  void (*multiply)(const float* w, std::size_t n, float by, float most, float* out);
  /// out = x * by - minus, -inf for NaN.
  void (*logs)(const float* x, std::size_t n, double by, double minus, float* out);
  /// The places whose x is at least `least`, in order; how many.
  std::size_t (*above)(const float* x, std::size_t n, float least, std::uint32_t* places);
  /// The random words of the n tokens from `first`, a multiple of 4, on (`philox.h`).
  void (*noise)(std::uint64_t seed, std::uint64_t position, std::uint32_t first, std::size_t n,
                std::uint32_t* out);
  /// How many bits are set in n words; any n.
  std::size_t (*count)(const std::uint32_t* words, std::size_t n);
};

/// The table for this processor: the widest of `passes_by_name`.
const Passes& best_passes() noexcept;

/// "avx512", "avx2", "neon" or "plain"; null where this build or this processor has none.
const Passes* passes_by_name(const char* name) noexcept;

}  // namespace slm::softmax

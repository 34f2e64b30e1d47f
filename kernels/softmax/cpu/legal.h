// One row of logits, and the tokens of it that a mask leaves.
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <vector>

#include "softmax/cpu/passes.h"

namespace slm::softmax {

inline constexpr float kNone = -std::numeric_limits<float>::infinity();

/// Up to whole lanes.
inline constexpr std::size_t padded(std::size_t n) { return (n + kLanes - 1) / kLanes * kLanes; }

enum class Dtype : std::uint8_t { f32, bf16, f16 };

inline constexpr std::size_t bytes_of(Dtype dtype) { return dtype == Dtype::f32 ? 4 : 2; }

/// Logits of the ids from 0 to `limit` - 1; what comes after them is no token. `mask` has a bit for
/// each of those ids, or is null: all are legal.
struct Row {
  const void* logits;
  Dtype dtype;
  const std::uint32_t* mask;
  std::size_t limit;
};

/// The legal tokens of a row (or, as a complement, the others), as chunks of floats in the order of
/// ids.
///
/// Few tokens are gathered into a list, whose chunks are full; many are read where they are, chunk
/// by chunk of ids, -inf off the mask. Which of the two depends on the mask alone.
///
/// Invariant: the row outlives it, and stays as it is until the last `load`; a list copies it.
/// Cost: of `gather`, the scan of the mask, up to the first kList tokens.
class Legal {
 public:
  /// Tokens that are cheaper gathered than found among the others: about as many as a vocabulary
  /// has mask words.
  static constexpr std::size_t kList = 8192;

  void gather(const Passes& passes, const Row& row, bool complement);

  bool listed() const noexcept { return listed_; }
  std::size_t chunks() const noexcept { return (size_ + kChunk - 1) / kChunk; }
  /// How many ids a chunk stands for, -inf or not.
  std::size_t size(std::size_t chunk) const noexcept {
    return size_ - chunk * kChunk < kChunk ? size_ - chunk * kChunk : kChunk;
  }

  struct Chunk {
    const float* x;  ///< valid until the next `load`
    std::size_t n;   ///< a multiple of kLanes, with -inf at the end; 0: no legal token in it
  };
  Chunk load(std::size_t chunk);

  std::int64_t token(std::size_t chunk, std::size_t place) const noexcept {
    std::size_t at = chunk * kChunk + place;
    return listed_ ? static_cast<std::int64_t>(ids_[at]) : static_cast<std::int64_t>(at);
  }
  /// The listed ids, in order.
  std::span<const std::uint32_t> ids() const noexcept { return ids_; }

  /// From now on +inf counts as 0 and all else but NaN as -inf: the distribution where +inf occurs.
  void only_infinite() noexcept { infinite_ = true; }
  bool infinite() const noexcept { return infinite_; }

  /// The mask word, the complement's if that is what this is, without bits past the limit.
  std::uint32_t word(std::size_t at) const noexcept;

 private:
  const Passes* passes_ = nullptr;
  Row row_{};
  bool complement_ = false, listed_ = false, infinite_ = false;
  std::size_t size_ = 0;  ///< tokens in all chunks
  std::vector<std::uint32_t> ids_;
  std::vector<float> listed_x_;
  alignas(64) float buffer_[kChunk];
};

/// Logits as floats; any n.
void read_floats(const Passes& passes, const Row& row, std::size_t first, std::size_t n,
                 float* out);

/// Floats as logits of a dtype; any n.
void write_floats(const Passes& passes, const float* in, std::size_t n, Dtype dtype, void* out);

float read_float(const Row& row, std::size_t token) noexcept;

}  // namespace slm::softmax

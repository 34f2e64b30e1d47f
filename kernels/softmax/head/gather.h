// Some rows of an output layer: the logits of the tokens a mask allows, and of no others.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace slm::head {

enum class Type : std::uint8_t { kFloat32, kBFloat16 };

/// An output layer's weights in memory, of one type with the hidden state and the bias.
struct Layer {
  const void* weight;  // rows x width, each row contiguous
  std::size_t rows, width;
  std::size_t stride;  // elements from a row to the next
  const void* bias;    // rows, or null
  Type type;
};

enum class Instructions : std::uint8_t { kPortable, kAvx2, kAvx512 };

/// The best that this machine has.
Instructions best_instructions() noexcept;

/// out[i] = dot(weight[ids[i]], hidden) + bias[ids[i]], accumulated in float32. For bfloat16 the
/// dot product is rounded to bfloat16, and so is the sum with the bias: what torch's layer gives
/// but for the order of the additions.
///
/// Invariant: every id is below `layer.rows`; `hidden` has `layer.width` elements. An output does
///   not depend on the other ids nor on the number of threads. `use` is one this machine has.
/// Cost: one pass over the chosen rows; bound by memory, so it costs their share of the whole
///   layer. Uses up to `threads` threads where there is enough to read.
void gather_dot(const Layer& layer, const void* hidden, std::span<const std::int64_t> ids,
                std::size_t threads, float* out, Instructions use = best_instructions());

/// How many bits of a token mask are set.
std::size_t count_allowed(std::span<const std::uint32_t> mask) noexcept;

/// The ids whose bit is set in a token mask (token t is bit t % 32 of word t // 32), rising, into
/// room for `count_allowed(mask)` of them.
/// Cost: one pass over the words, and one step an id.
void allowed_ids(std::span<const std::uint32_t> mask, std::int64_t* out) noexcept;

}  // namespace slm::head

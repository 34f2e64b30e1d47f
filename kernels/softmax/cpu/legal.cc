#include "softmax/cpu/legal.h"

#include <algorithm>
#include <bit>
#include <cstring>

namespace slm::softmax {
namespace {

/// Whole vectors of 16-bit numbers, then the rest through a buffer.
template <class F>
void in_lanes(std::size_t n, F convert) {
  std::size_t whole = n - n % kLanes;
  if (whole > 0) convert(std::size_t{0}, whole);
  if (whole < n) convert(whole, n - whole);
}

}  // namespace

void read_floats(const Passes& passes, const Row& row, std::size_t first, std::size_t n,
                 float* out) {
  if (row.dtype == Dtype::f32) {
    std::memcpy(out, static_cast<const float*>(row.logits) + first, n * sizeof(float));
    return;
  }
  auto* in = static_cast<const std::uint16_t*>(row.logits) + first;
  auto* pass = row.dtype == Dtype::bf16 ? passes.from_bf16 : passes.from_f16;
  in_lanes(n, [&](std::size_t at, std::size_t count) {
    if (count % kLanes == 0) return pass(in + at, count, out + at);
    std::uint16_t halves[kLanes] = {};
    float floats[kLanes];
    std::memcpy(halves, in + at, count * sizeof *halves);
    pass(halves, kLanes, floats);
    std::memcpy(out + at, floats, count * sizeof *floats);
  });
}

void write_floats(const Passes& passes, const float* in, std::size_t n, Dtype dtype, void* out) {
  if (dtype == Dtype::f32) {
    if (out != in) std::memcpy(out, in, n * sizeof(float));
    return;
  }
  auto* to = static_cast<std::uint16_t*>(out);
  auto* pass = dtype == Dtype::bf16 ? passes.to_bf16 : passes.to_f16;
  in_lanes(n, [&](std::size_t at, std::size_t count) {
    if (count % kLanes == 0) return pass(in + at, count, to + at);
    float floats[kLanes] = {};
    std::uint16_t halves[kLanes];
    std::memcpy(floats, in + at, count * sizeof *floats);
    pass(floats, kLanes, halves);
    std::memcpy(to + at, halves, count * sizeof *halves);
  });
}

float read_float(const Row& row, std::size_t token) noexcept {
  if (row.dtype == Dtype::f32) return static_cast<const float*>(row.logits)[token];
  std::uint16_t half[kLanes] = {static_cast<const std::uint16_t*>(row.logits)[token]};
  if (row.dtype == Dtype::bf16) return std::bit_cast<float>(std::uint32_t{half[0]} << 16);
  float out[kLanes];
  best_passes().from_f16(half, kLanes, out);
  return out[0];
}

std::uint32_t Legal::word(std::size_t at) const noexcept {
  std::uint32_t bits = row_.mask == nullptr ? ~0u : row_.mask[at];
  if (complement_) bits = ~bits;
  std::size_t left = row_.limit - at * 32;
  return left >= 32 ? bits : bits & ((1u << left) - 1);
}

void Legal::gather(const Passes& passes, const Row& row, bool complement) {
  passes_ = &passes;
  row_ = row;
  complement_ = complement;
  infinite_ = false;
  const std::size_t words = (row.limit + 31) / 32;
  // Mostly the mask is either nearly empty or nearly full, and then its first words say which.
  std::size_t count = row.mask == nullptr ? row.limit : 0;
  if (row.mask == nullptr && complement) count = 0;
  for (std::size_t w = 0; row.mask != nullptr && w < words && count <= kList; w += 256) {
    const std::size_t n = std::min<std::size_t>(256, words - w);
    std::size_t set = passes.count(row.mask + w, n);
    if (w + n == words) {
      std::uint32_t last = row.mask[words - 1];
      set +=
          static_cast<std::size_t>(std::popcount(complement ? ~word(words - 1) : word(words - 1))) -
          static_cast<std::size_t>(std::popcount(last));
    }
    count += complement ? n * 32 - set : set;
  }
  listed_ = count <= kList;
  size_ = listed_ ? count : row.limit;
  ids_.clear();
  if (!listed_) return;
  ids_.resize(count);
  std::uint32_t* id = ids_.data();
  const std::uint32_t* const end = id + count;
  const std::uint64_t skipped = complement ? ~std::uint64_t{0} : 0;
  // Whoever rewrites the mask meanwhile gets a draw from something between, and no more than
  // counted.
  for (std::size_t w = 0; id != end && w < words; ++w) {
    for (; row.mask != nullptr && w + 8 < words; w += 8) {  // mostly nothing is set
      std::uint64_t pairs[4];
      std::memcpy(pairs, row.mask + w, sizeof pairs);
      if (((pairs[0] ^ skipped) | (pairs[1] ^ skipped) | (pairs[2] ^ skipped) |
           (pairs[3] ^ skipped)) != 0) {
        break;
      }
    }
    for (std::uint32_t bits = word(w); bits != 0 && id != end; bits &= bits - 1) {
      *id++ =
          static_cast<std::uint32_t>(w * 32) + static_cast<std::uint32_t>(std::countr_zero(bits));
    }
  }
  ids_.resize(static_cast<std::size_t>(id - ids_.data()));
  size_ = ids_.size();
  listed_x_.resize(padded(size_));
  std::fill(listed_x_.begin() + static_cast<std::ptrdiff_t>(size_), listed_x_.end(), kNone);
  if (row.dtype == Dtype::f32) {
    auto* logits = static_cast<const float*>(row.logits);
    for (std::size_t i = 0; i < size_; ++i) listed_x_[i] = logits[ids_[i]];
  } else {
    auto* logits = static_cast<const std::uint16_t*>(row.logits);
    std::vector<std::uint16_t> halves(size_);
    for (std::size_t i = 0; i < size_; ++i) halves[i] = logits[ids_[i]];
    read_floats(passes, {halves.data(), row.dtype, nullptr, size_}, 0, size_, listed_x_.data());
  }
}

Legal::Chunk Legal::load(std::size_t chunk) {
  const std::size_t first = chunk * kChunk, count = size(chunk), n = padded(count);
  const float* x;
  if (listed_) {
    x = listed_x_.data() + first;
  } else {
    std::uint32_t words[kChunk / 32], any = 0, all = ~0u;
    const std::uint32_t* mask = row_.mask == nullptr ? nullptr : row_.mask + first / 32;
    const std::uint32_t flip = complement_ ? ~0u : 0;
    for (std::size_t w = 0; w < n / 32; ++w) words[w] = (mask == nullptr ? ~0u : mask[w]) ^ flip;
    words[n / 32 - 1] = word(first / 32 + n / 32 - 1);  // the one that may end in the middle
    for (std::size_t w = 0; w < n / 32; ++w) {
      any |= words[w];
      all &= words[w];
    }
    if (any == 0) return {nullptr, 0};
    if (row_.dtype == Dtype::f32 && count == n) {
      x = static_cast<const float*>(row_.logits) + first;
    } else {
      read_floats(*passes_, row_, first, count, buffer_);
      std::fill(buffer_ + count, buffer_ + n, kNone);
      x = buffer_;
    }
    if (all != ~0u) {
      passes_->keep(x, words, n, buffer_);
      x = buffer_;
    }
  }
  if (infinite_) {
    for (std::size_t i = 0; i < n; ++i) {  // NaN stays: it is counted, and has no weight
      const bool best = x[i] == std::numeric_limits<float>::infinity();
      buffer_[i] = best ? 0.0f : x[i] == x[i] ? kNone : x[i];
    }
    x = buffer_;
  }
  return {x, n};
}

}  // namespace slm::softmax

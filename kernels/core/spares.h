// Memory that a thread keeps for the next object of the same size.
#pragma once

#include <array>
#include <cstddef>
#include <memory>
#include <utility>

namespace slm {

/// What is larger than a kilobyte costs glibc microseconds when caches are cold: it puts in order
/// all that was given back to it before. Grammars come and go, and each has a few such blocks.
///
/// Cost: O(1); at most `kKept` blocks a thread.
template <std::size_t kSize, std::size_t kKept = 8>
class Spares {
 public:
  using Block = std::unique_ptr<std::byte[]>;

  static Block take() {
    Spares& own = of_thread();
    if (own.count_ == 0) return std::make_unique_for_overwrite<std::byte[]>(kSize);
    return std::move(own.blocks_[--own.count_]);
  }
  static void give(Block block) {
    Spares& own = of_thread();
    if (own.count_ < kKept) own.blocks_[own.count_++] = std::move(block);
  }

 private:
  static Spares& of_thread() {
    static thread_local Spares own;
    return own;
  }

  std::array<Block, kKept> blocks_;
  std::size_t count_ = 0;
};

}  // namespace slm

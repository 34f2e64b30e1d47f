// Memory for one compilation: everything made in it is immutable and goes away at once.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <memory>
#include <new>
#include <span>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "core/spares.h"

namespace slm::schema {

/// A bump allocator. Nothing in it is ever destroyed, so only plain types may live there.
///
/// Cost: O(1) an object; blocks double up to 1 MiB.
class Arena {
 public:
  Arena() = default;
  ~Arena() {
    if (blocks_.empty()) return;
    if (passing_) {
      PassingBlocks::give(std::move(blocks_.front()));
    } else if (!first_is_large_) {
      FirstBlocks::give(std::move(blocks_.front()));
    }
  }
  /// One that goes away before the function that makes it returns. Its first block is that of the
  /// thread's last such arena, which is in the processor's caches, if anything is.
  static Arena passing() { return Arena(Passing()); }
  Arena(const Arena&) = delete;
  Arena& operator=(const Arena&) = delete;

  template <class T, class... Arguments>
  T* make(Arguments&&... arguments) {
    static_assert(std::is_trivially_destructible_v<T>);
    return new (take(sizeof(T), alignof(T))) T{std::forward<Arguments>(arguments)...};
  }

  /// A copy of a sequence that stays where it is.
  template <class T>
  std::span<const T> keep(std::span<const T> items) {
    std::span<T> made = room<T>(items.size());
    std::copy(items.begin(), items.end(), made.begin());
    return made;
  }
  template <class T>
  std::span<const T> keep(const std::vector<T>& items) {
    return keep(std::span<const T>(items));
  }

  /// Space for a sequence that is filled right after.
  template <class T>
  std::span<T> room(std::size_t size) {
    static_assert(std::is_trivially_destructible_v<T>);
    if (size == 0) return {};
    T* made = static_cast<T*>(take(size * sizeof(T), alignof(T)));
    std::uninitialized_value_construct_n(made, size);
    return {made, size};
  }

  /// Space for values that come later, one by one. Not even touched: what is never filled costs no
  /// line of a cache.
  template <class T>
  T* raw(std::size_t size) {
    static_assert(std::is_trivially_copyable_v<T> && std::is_trivially_destructible_v<T>);
    return static_cast<T*>(take(size * sizeof(T), alignof(T)));
  }

  std::string_view keep(std::string_view text) {
    if (text.empty()) return {};
    char* made = static_cast<char*>(take(text.size(), 1));
    std::memcpy(made, text.data(), text.size());
    return {made, text.size()};
  }

 private:
  using Block = std::unique_ptr<std::byte[]>;
  struct Passing {};
  static constexpr std::size_t kPassing = 1u << 16, kFirst = 1u << 13;
  using PassingBlocks = Spares<kPassing, 1>;
  using FirstBlocks = Spares<kFirst>;
  explicit Arena(Passing) : size_(kPassing), passing_(true) {
    blocks_.push_back(PassingBlocks::take());
  }

  void* take(std::size_t size, std::size_t alignment) {
    std::size_t start = (used_ + alignment - 1) & ~(alignment - 1);
    if (start + size > size_) {
      std::size_t want = std::max(next_, size);
      bool first = blocks_.empty();
      if (first) first_is_large_ = want > kFirst;  // such a one is not kept
      blocks_.push_back(first && want == kFirst
                            ? FirstBlocks::take()
                            : std::make_unique_for_overwrite<std::byte[]>(want));
      size_ = want;
      next_ = std::min<std::size_t>(2 * next_, 1u << 20);
      start = 0;
    }
    used_ = start + size;
    return blocks_.back().get() + start;
  }

  std::vector<Block> blocks_;
  std::size_t used_ = 0, size_ = 0, next_ = kFirst;
  bool passing_ = false, first_is_large_ = false;
};

}  // namespace slm::schema

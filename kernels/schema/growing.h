// A list in the memory of a compilation.
#pragma once

#include <algorithm>
#include <cstddef>
#include <initializer_list>
#include <memory>
#include <span>
#include <type_traits>

#include "schema/arena.h"

namespace slm::schema {

/// What std::vector is, for plain types, without a call of the system's allocator: a schema has
/// dozens of such lists, and most stay short. What is outgrown is left in the arena.
///
/// Cost: O(1) a value, amortised; at most three times the memory of the values.
template <class T>
class Growing {
  static_assert(std::is_trivially_copyable_v<T> && std::is_trivially_destructible_v<T>);

 public:
  explicit Growing(Arena& arena) : arena_(&arena) {}

  std::size_t size() const noexcept { return size_; }
  bool empty() const noexcept { return size_ == 0; }
  T& operator[](std::size_t at) noexcept { return data_[at]; }
  const T& operator[](std::size_t at) const noexcept { return data_[at]; }
  T* begin() noexcept { return data_; }
  T* end() noexcept { return data_ + size_; }
  const T* begin() const noexcept { return data_; }
  const T* end() const noexcept { return data_ + size_; }
  T& back() noexcept { return data_[size_ - 1]; }
  void pop_back() noexcept { --size_; }

  void push_back(const T& value) {
    T copy = value;  // it may lie in the list
    if (size_ == capacity_) reserve(size_ + 1);
    std::construct_at(data_ + size_++, copy);
  }
  /// Values that lie elsewhere.
  void append(std::span<const T> values) {
    if (size_ + values.size() > capacity_) reserve(size_ + values.size());
    std::uninitialized_copy(values.begin(), values.end(), data_ + size_);
    size_ += values.size();
  }
  void append(std::initializer_list<T> values) {
    append(std::span<const T>(values.begin(), values.size()));
  }
  /// So many more values, to be filled in right after.
  T* extend(std::size_t count) {
    if (size_ + count > capacity_) reserve(size_ + count);
    size_ += count;
    return data_ + size_ - count;
  }
  void shrink(std::size_t size) noexcept { size_ = size; }
  void resize(std::size_t size, const T& value) {
    T copy = value;
    if (size > capacity_) reserve(size);
    for (std::size_t at = size_; at < size; ++at) std::construct_at(data_ + at, copy);
    size_ = size;
  }

 private:
  void reserve(std::size_t least) {
    std::size_t larger = std::max<std::size_t>({least, 2 * capacity_, 16});
    T* made = arena_->template raw<T>(larger);
    std::uninitialized_copy(data_, data_ + size_, made);
    data_ = made;
    capacity_ = larger;
  }

  Arena* arena_;
  T* data_ = nullptr;
  std::size_t size_ = 0, capacity_ = 0;
};

}  // namespace slm::schema

// Rows of a caller's bitmask, straight from the buffer of a numpy array.
#pragma once

#include <nanobind/nanobind.h>

#include <cstdint>
#include <span>

namespace slm {

/// A bitmask that is plainly one: numpy's own array type, int32, (batch, words), each row
/// contiguous, all of it writable. Anything else is not `plain()`: Python looks at it then,
/// converts it or says what is wrong.
///
/// Holds the buffer while it lives, so the array keeps its memory even without the GIL.
/// Cost: 40 ns.
class Bitmask {
 public:
  Bitmask(nanobind::handle array, std::size_t words);
  ~Bitmask();
  Bitmask(const Bitmask&) = delete;
  Bitmask& operator=(const Bitmask&) = delete;

  bool plain() const noexcept { return plain_; }
  std::size_t rows() const noexcept { return static_cast<std::size_t>(buffer_.shape[0]); }
  std::span<std::uint32_t> row(std::size_t i) const noexcept {
    auto at = static_cast<std::ptrdiff_t>(i) * buffer_.strides[0];
    auto* data = reinterpret_cast<std::uint32_t*>(static_cast<char*>(buffer_.buf) + at);
    return {data, static_cast<std::size_t>(buffer_.shape[1])};
  }

 private:
  Py_buffer buffer_{};
  bool held_ = false, plain_ = false;
};

/// A number that is plainly a Python int from 0 to `below` - 1; else -1. Never raises.
inline std::int64_t plain_index(nanobind::handle number, std::size_t below) noexcept {
  if (!PyLong_CheckExact(number.ptr())) return -1;
  int overflow = 0;
  long long value = PyLong_AsLongLongAndOverflow(number.ptr(), &overflow);
  bool inside = overflow == 0 && value >= 0 && static_cast<unsigned long long>(value) < below;
  return inside ? static_cast<std::int64_t>(value) : -1;
}

}  // namespace slm

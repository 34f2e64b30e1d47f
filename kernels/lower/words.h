// Integers from Python, one after the other, with a check at each.
#pragma once

#include <cstdint>
#include <span>
#include <stdexcept>
#include <string>

namespace slm::lower {

/// Throws std::invalid_argument where what is asked for is not there.
class Words {
 public:
  explicit Words(std::span<const std::int32_t> words) : words_(words) {}

  std::int32_t word() {
    if (at_ == words_.size()) throw std::invalid_argument("the rules end too early");
    return words_[at_++];
  }
  /// A number below `limit`.
  std::uint32_t index(std::size_t limit) {
    std::int32_t value = word();
    if (value < 0 || static_cast<std::size_t>(value) >= limit) {
      throw std::invalid_argument("the rules refer to what is not there, in word " +
                                  std::to_string(at_ - 1));
    }
    return static_cast<std::uint32_t>(value);
  }
  /// How many things follow; each takes a word at least.
  std::size_t count() { return index(words_.size() + 1 - at_ + 1); }
  bool done() const noexcept { return at_ == words_.size(); }

 private:
  std::span<const std::int32_t> words_;
  std::size_t at_ = 0;
};

}  // namespace slm::lower

// A set for one round of work after the other.
#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

#include "core/hash.h"

namespace slm {

/// A set of things that are made of 32-bit words, which is emptied in O(1).
template <class Thing>
class RoundSet {
 public:
  void clear() noexcept { ++round_, size_ = 0; }
  /// Whether it was not there before.
  bool insert(const Thing& thing) {
    if (2 * (size_ + 1) > slots_.size()) grow();
    const std::size_t mask = slots_.size() - 1;
    for (std::size_t at = hash(thing) & mask;; at = (at + 1) & mask) {
      if (slots_[at].round != round_) {
        slots_[at] = {thing, round_};
        ++size_;
        return true;
      }
      if (slots_[at].thing == thing) return false;
    }
  }
  std::size_t size() const noexcept { return size_; }

 private:
  using Words = std::array<std::uint32_t, sizeof(Thing) / 4>;
  struct Slot {
    Thing thing{};
    std::uint64_t round = 0;
  };
  static std::uint64_t hash(const Thing& thing) noexcept {
    const Words words = std::bit_cast<Words>(thing);
    std::uint64_t hash = words.size();
    for (std::size_t i = 0; i < words.size(); i += 2) {  // two words at once
      const std::uint64_t high = i + 1 < words.size() ? words[i + 1] : 0;
      hash = mix(hash, (high << 32) | words[i]);
    }
    return hash;
  }
  void grow() {
    std::vector<Slot> old = std::move(slots_);
    slots_.assign(old.empty() ? 16 : old.size() * 2, Slot{});
    const std::uint64_t round = round_++;
    size_ = 0;
    for (const Slot& slot : old) {
      if (slot.round == round) insert(slot.thing);
    }
  }
  std::vector<Slot> slots_;
  std::uint64_t round_ = 1;
  std::size_t size_ = 0;
};

}  // namespace slm

// Numbers for lists of numbers.
#pragma once

#include <algorithm>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

namespace slm::lower {

using Number = std::uint32_t;
constexpr Number kNone = 0xFFFFFFFFu;

inline Number number(std::size_t value) noexcept { return static_cast<Number>(value); }

/// Gives equal lists the same number, counting from 0 in the order of first sight.
///
/// Cost: O(length) a call, amortised. What `operator[]` gives stays where it is.
class Lists {
 public:
  using List = std::span<const Number>;

  Lists() = default;
  Lists(Lists&&) noexcept = default;
  Lists& operator=(Lists&&) noexcept = default;

  Number add(List list) {
    if (2 * (kept_.size() + 1) > slots_.size()) grow();
    std::uint32_t hash = hash_of(list);
    std::size_t at = hash & (slots_.size() - 1);
    for (; slots_[at].number != kNone; at = (at + 1) & (slots_.size() - 1)) {
      if (slots_[at].hash == hash && std::ranges::equal(kept_[slots_[at].number], list)) {
        return slots_[at].number;
      }
    }
    Number made = number(kept_.size());
    slots_[at] = {hash, made};
    kept_.push_back(keep(list));
    return made;
  }
  Number add(std::initializer_list<Number> list) { return add(List(list.begin(), list.size())); }

  List operator[](Number which) const noexcept { return kept_[which]; }
  std::size_t size() const noexcept { return kept_.size(); }

 private:
  struct Slot {
    std::uint32_t hash = 0;
    Number number = kNone;
  };
  static constexpr std::size_t kBlock = 4096;

  static std::uint32_t hash_of(List list) noexcept {
    std::uint64_t hash = list.size() * 0x9E3779B97F4A7C15ull;
    for (Number each : list) {
      hash = (hash ^ each) * 0xFF51AFD7ED558CCDull;
      hash ^= hash >> 32;
    }
    return static_cast<std::uint32_t>(hash);
  }

  void grow() {
    std::vector<Slot> old(std::max<std::size_t>(64, 2 * slots_.size()));
    old.swap(slots_);
    for (const Slot& slot : old) {
      if (slot.number == kNone) continue;
      std::size_t at = slot.hash & (slots_.size() - 1);
      while (slots_[at].number != kNone) at = (at + 1) & (slots_.size() - 1);
      slots_[at] = slot;
    }
  }

  List keep(List list) {
    if (list.size() > left_) {
      std::size_t size = std::max(kBlock, list.size());
      blocks_.push_back(std::make_unique<Number[]>(size));
      free_ = blocks_.back().get();
      left_ = size;
    }
    Number* made = free_;
    std::ranges::copy(list, made);
    free_ += list.size();
    left_ -= list.size();
    return {made, list.size()};
  }

  std::vector<Slot> slots_;
  std::vector<List> kept_;
  std::vector<std::unique_ptr<Number[]>> blocks_;
  Number* free_ = nullptr;
  std::size_t left_ = 0;
};

}  // namespace slm::lower

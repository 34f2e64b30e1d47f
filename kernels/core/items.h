// Earley items.
#pragma once

#include <compare>
#include <cstdint>
#include <utility>
#include <vector>

#include "core/grammar.h"
#include "core/hash.h"

namespace slm {

/// A position of a rule, the count if it counts, and where the rule began: a row, or in a shape
/// (shapes.h) a number in place of one.
struct Item {
  PositionId position;
  std::uint32_t count;
  std::uint32_t origin;
  auto operator<=>(const Item&) const = default;
};

/// What an item can do at its position.
struct ItemSteps {
  bool may_loop = true;     // take the position's symbol
  bool may_end = false;     // end its rule
  std::uint32_t count = 0;  // behind the symbol

  ItemSteps(const Position& position, std::uint32_t so_far) noexcept : may_end(position.final) {
    if (!position.counted) return;
    const std::int32_t counted = static_cast<std::int32_t>(so_far);
    may_loop = position.high == kNoBound || counted < position.high;
    may_end = counted >= position.low;
    // Past its lower bound a count without an upper one does not matter any more.
    const bool settled = position.high == kNoBound && counted >= position.low;
    count = settled ? so_far : so_far + 1;
  }
};

/// A set of items that is emptied in O(1).
class ItemSet {
 public:
  void clear() noexcept { ++round_, size_ = 0; }
  bool insert(const Item& item) {
    if (2 * (size_ + 1) > slots_.size()) grow();
    std::size_t mask = slots_.size() - 1;
    std::uint64_t words = (std::uint64_t{item.position} << 32) | item.count;
    for (std::size_t at = mix(words, item.origin) & mask;; at = (at + 1) & mask) {
      if (slots_[at].round != round_) {
        slots_[at] = {item, round_};
        ++size_;
        return true;
      }
      if (slots_[at].item == item) return false;
    }
  }
  std::size_t size() const noexcept { return size_; }

 private:
  struct Slot {
    Item item{};
    std::uint64_t round = 0;
  };
  void grow() {
    std::vector<Slot> old = std::move(slots_);
    slots_.assign(old.empty() ? 16 : old.size() * 2, Slot{});
    std::uint64_t round = round_++;
    size_ = 0;
    for (const Slot& slot : old) {
      if (slot.round == round) insert(slot.item);
    }
  }
  std::vector<Slot> slots_;
  std::uint64_t round_ = 1;
  std::size_t size_ = 0;
};

}  // namespace slm

// An open-addressing hash map from 64-bit keys to 32-bit values, for the memo tables.
#pragma once

#include <cstddef>
#include <cstdint>

#include "core/hash.h"
#include "core/slot_table.h"

namespace slm {

/// Insert-only. The key ~0 is reserved.
///
/// Cost: one cache line a look-up in most cases; std::unordered_map takes a node and a division.
class FlatMap {
 public:
  static constexpr std::uint32_t kAbsent = 0xFFFFFFFFu;

  std::uint32_t find(std::uint64_t key) const noexcept {
    const Slot* found =
        slots_.find(mix(0, key), [&](const Slot& slot) { return slot.tag == key + 1; });
    return found == nullptr ? kAbsent : found->value;
  }

  /// The key must not be there yet.
  void insert(std::uint64_t key, std::uint32_t value) { slots_.insert({key + 1, value}); }

  void clear() noexcept { slots_.clear(); }
  std::size_t size() const noexcept { return slots_.size(); }
  std::size_t bytes() const noexcept { return slots_.bytes(); }

 private:
  struct Slot {
    std::uint64_t tag;  // the key and one
    std::uint32_t value;
    bool is_free() const noexcept { return tag == 0; }
    std::uint64_t place() const noexcept { return mix(0, tag - 1); }
  };
  SlotTable<Slot> slots_;
};

}  // namespace slm

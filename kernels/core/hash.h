// Hashing and interning shared by the core's tables.
#pragma once

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <span>

#include "core/slot_table.h"

namespace slm {

/// Mixes one word into a running hash (the finaliser of splitmix64).
inline std::uint64_t mix(std::uint64_t seed, std::uint64_t value) noexcept {
  std::uint64_t x = seed ^ (value + 0x9e3779b97f4a7c15ull + (seed << 6) + (seed >> 2));
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ull;
  x = (x ^ (x >> 27)) * 0x94d049bb133111ebull;
  return x ^ (x >> 31);
}

/// Gives equal sequences of words the same number, counting from 0 in order of first sight.
///
/// Invariant: `words(intern(s))` equals `s`; ids never change.
/// Cost: O(length) a call, amortised.
class SequencePool {
 public:
  std::uint32_t intern(std::span<const std::uint32_t> words) {
    const std::uint64_t hash = hash_of(words);
    const Slot* known = slots_.find(hash, [&](const Slot& slot) {
      return slot.hash == hash && std::ranges::equal(this->words(slot.next - 1), words);
    });
    if (known != nullptr) return known->next - 1;
    std::uint32_t id = static_cast<std::uint32_t>(ends_.size());
    slots_.insert({hash, id + 1});
    store_.append(words.data(), words.size());
    ends_.push_back(store_.size());
    return id;
  }

  /// Valid until the next `intern`.
  std::span<const std::uint32_t> words(std::uint32_t id) const noexcept {
    std::size_t begin = id == 0 ? 0 : ends_[id - 1];
    return {store_.data() + begin, ends_[id] - begin};
  }

  std::size_t size() const noexcept { return ends_.size(); }
  std::size_t bytes() const noexcept {
    return store_.capacity() * 4 + ends_.capacity() * 8 + slots_.bytes();
  }

 private:
  struct Slot {
    std::uint64_t hash;
    std::uint32_t next;  // the number and one
    bool is_free() const noexcept { return next == 0; }
    std::uint64_t place() const noexcept { return hash; }
  };

  /// Two words at once, with one multiplication, and mixed well at the end: keys are long.
  static std::uint64_t hash_of(std::span<const std::uint32_t> words) noexcept {
    std::uint64_t hash = words.size();
    auto add = [&](std::uint64_t word) {
      hash = (std::rotl(hash, 29) ^ word) * 0x9e3779b97f4a7c15ull;
    };
    std::size_t i = 0;
    for (; i + 1 < words.size(); i += 2) add((std::uint64_t{words[i + 1]} << 32) | words[i]);
    if (i < words.size()) add(words[i]);
    return mix(hash, hash >> 32);
  }

  PagedArray<std::uint32_t> store_;
  PagedArray<std::size_t> ends_;
  SlotTable<Slot> slots_;
};

}  // namespace slm

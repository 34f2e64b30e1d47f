// Hashing and interning shared by the core's tables.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

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
    if (2 * (ends_.size() + 1) > slots_.size()) grow();
    std::uint64_t hash = words.size();
    for (std::uint32_t word : words) hash = mix(hash, word);
    std::size_t at = hash & (slots_.size() - 1);
    for (; slots_[at].id != kFree; at = (at + 1) & (slots_.size() - 1)) {
      if (slots_[at].hash != hash) continue;
      std::span<const std::uint32_t> known = this->words(slots_[at].id);
      if (std::ranges::equal(known, words)) return slots_[at].id;
    }
    std::uint32_t id = static_cast<std::uint32_t>(ends_.size());
    slots_[at] = {hash, id};
    store_.insert(store_.end(), words.begin(), words.end());
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
    return store_.capacity() * 4 + ends_.capacity() * 8 + slots_.size() * sizeof(Slot);
  }

 private:
  static constexpr std::uint32_t kFree = 0xFFFFFFFFu;
  struct Slot {
    std::uint64_t hash = 0;
    std::uint32_t id = kFree;
  };

  void grow() {
    std::vector<Slot> old = std::move(slots_);
    slots_.assign(old.empty() ? 64 : old.size() * 2, Slot{});
    for (const Slot& slot : old) {
      if (slot.id == kFree) continue;
      std::size_t at = slot.hash & (slots_.size() - 1);
      while (slots_[at].id != kFree) at = (at + 1) & (slots_.size() - 1);
      slots_[at] = slot;
    }
  }

  std::vector<std::uint32_t> store_;
  std::vector<std::size_t> ends_;
  std::vector<Slot> slots_;
};

}  // namespace slm

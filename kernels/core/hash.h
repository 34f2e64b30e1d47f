// Hashing and interning shared by the core's tables.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <unordered_map>
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
    std::uint64_t hash = words.size();
    for (std::uint32_t word : words) hash = mix(hash, word);
    auto [first, last] = by_hash_.equal_range(hash);
    for (; first != last; ++first) {
      std::span<const std::uint32_t> known = this->words(first->second);
      if (known.size() == words.size() && std::equal(known.begin(), known.end(), words.begin())) {
        return first->second;
      }
    }
    std::uint32_t id = static_cast<std::uint32_t>(ends_.size());
    store_.insert(store_.end(), words.begin(), words.end());
    ends_.push_back(store_.size());
    by_hash_.emplace(hash, id);
    return id;
  }

  /// Valid until the next `intern`.
  std::span<const std::uint32_t> words(std::uint32_t id) const noexcept {
    std::size_t begin = id == 0 ? 0 : ends_[id - 1];
    return {store_.data() + begin, ends_[id] - begin};
  }

  std::size_t size() const noexcept { return ends_.size(); }
  std::size_t bytes() const noexcept { return store_.size() * 4 + ends_.size() * 40; }

 private:
  std::vector<std::uint32_t> store_;
  std::vector<std::size_t> ends_;
  std::unordered_multimap<std::uint64_t, std::uint32_t> by_hash_;
};

}  // namespace slm

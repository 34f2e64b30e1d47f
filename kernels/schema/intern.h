// Numbers for byte strings, in order of first sight.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "schema/arena.h"
#include "schema/growing.h"

namespace slm::schema {

/// Gives equal byte strings the same number, counting from 0.
///
/// Cost: O(length) a call, amortised; keys are copied into the arena only where asked.
class Interner {
 public:
  explicit Interner(Arena& arena) : arena_(arena), keys_(arena) {}

  /// `lasting`: the bytes outlive this table, so they need no copy.
  std::uint32_t intern(std::string_view bytes, bool lasting = false) {
    if (2 * (keys_.size() + 1) > slots_.size()) grow();
    std::uint32_t hash = hash_of(bytes);
    std::size_t at = hash & (slots_.size() - 1);
    for (; slots_[at].number != kFree; at = (at + 1) & (slots_.size() - 1)) {
      if (slots_[at].hash == hash && keys_[slots_[at].number] == bytes) return slots_[at].number;
    }
    auto number = static_cast<std::uint32_t>(keys_.size());
    slots_[at] = {hash, number};
    keys_.push_back(lasting ? bytes : arena_.keep(bytes));
    return number;
  }
  template <class T>
  std::uint32_t intern_words(std::span<const T> words) {
    return intern({reinterpret_cast<const char*>(words.data()), words.size_bytes()});
  }

  std::string_view operator[](std::uint32_t number) const { return keys_[number]; }
  std::size_t size() const { return keys_.size(); }

 private:
  static constexpr std::uint32_t kFree = 0xFFFFFFFFu;
  struct Slot {
    std::uint32_t hash = 0, number = kFree;
  };

  static std::uint32_t hash_of(std::string_view bytes) {
    std::uint64_t hash = bytes.size() * 0x9e3779b97f4a7c15ull;
    std::size_t at = 0;
    for (; at + 8 <= bytes.size(); at += 8) {
      std::uint64_t word;
      std::memcpy(&word, bytes.data() + at, 8);
      hash = (hash ^ word) * 0xff51afd7ed558ccdull;
      hash ^= hash >> 32;
    }
    std::uint64_t word = 0;
    if (at < bytes.size()) std::memcpy(&word, bytes.data() + at, bytes.size() - at);
    hash = (hash ^ word) * 0xff51afd7ed558ccdull;
    return static_cast<std::uint32_t>(hash ^ (hash >> 32));
  }

  void grow() {
    std::span<Slot> old = slots_;
    slots_ = arena_.room<Slot>(old.empty() ? 64 : old.size() * 2);
    for (const Slot& slot : old) {
      if (slot.number == kFree) continue;
      std::size_t at = slot.hash & (slots_.size() - 1);
      while (slots_[at].number != kFree) at = (at + 1) & (slots_.size() - 1);
      slots_[at] = slot;
    }
  }

  Arena& arena_;
  Growing<std::string_view> keys_;
  std::span<Slot> slots_;
};

}  // namespace slm::schema

// Hashes that can be relied on: of expressions and of bytes on disk.
#pragma once

#include <array>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

namespace slm {

struct Hash128 {
  std::uint64_t low = 0, high = 0;
  auto operator<=>(const Hash128&) const = default;
};

/// A running SipHash-2-4 with 128 bits of output.
///
/// Who does not know the key cannot make two inputs with the same hash, so equal hashes are taken
/// for equal inputs. Source: Aumasson and Bernstein (2012).
class KeyedHash {
 public:
  explicit KeyedHash(const Hash128& key) noexcept
      : v_{key.low ^ 0x736f6d6570736575ull, key.high ^ 0x646f72616e646f6dull ^ 0xee,
           key.low ^ 0x6c7967656e657261ull, key.high ^ 0x7465646279746573ull} {}

  void add(std::uint64_t word) noexcept {
    v_[3] ^= word;
    round();
    round();
    v_[0] ^= word;
    ++words_;
  }
  void add(const Hash128& hash) noexcept {
    add(hash.low);
    add(hash.high);
  }
  /// The bytes, and how many they are.
  void add(std::string_view bytes) noexcept;

  Hash128 done() noexcept {
    add(words_ << 59);  // the length in bytes, modulo 256, on top
    v_[2] ^= 0xee;
    for (int i = 0; i < 4; ++i) round();
    Hash128 hash;
    hash.low = v_[0] ^ v_[1] ^ v_[2] ^ v_[3];
    v_[1] ^= 0xdd;
    for (int i = 0; i < 4; ++i) round();
    hash.high = v_[0] ^ v_[1] ^ v_[2] ^ v_[3];
    return hash;
  }

 private:
  static std::uint64_t turned(std::uint64_t x, int by) noexcept { return x << by | x >> (64 - by); }
  void round() noexcept {
    v_[0] += v_[1];
    v_[1] = turned(v_[1], 13) ^ v_[0];
    v_[0] = turned(v_[0], 32);
    v_[2] += v_[3];
    v_[3] = turned(v_[3], 16) ^ v_[2];
    v_[0] += v_[3];
    v_[3] = turned(v_[3], 21) ^ v_[0];
    v_[2] += v_[1];
    v_[1] = turned(v_[1], 17) ^ v_[2];
    v_[2] = turned(v_[2], 32);
  }

  std::array<std::uint64_t, 4> v_;
  std::uint64_t words_ = 0;
};

inline void KeyedHash::add(std::string_view bytes) noexcept {
  add(std::uint64_t{bytes.size()});
  for (; bytes.size() >= 8; bytes.remove_prefix(8)) {
    std::uint64_t word;
    std::memcpy(&word, bytes.data(), 8);
    add(word);
  }
  std::uint64_t last = 0;
  if (!bytes.empty()) std::memcpy(&last, bytes.data(), bytes.size());
  add(last);
}

}  // namespace slm

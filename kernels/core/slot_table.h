// Storage that grows without a stop: hash slots that move a few at a time, arrays that are
// remapped.
//
// The tables of a vocabulary come to hundreds of megabytes. Moving all of one when it is full takes
// tens of milliseconds, and some mask would have to wait for it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <new>
#include <type_traits>
#include <utility>

#ifdef __linux__
#include <sys/mman.h>
#endif

namespace slm {

/// Asks the system for pages of 2 MB where memory was just allocated for a large table. Most
/// look-ups in one go to another page, and each of 4 KB is a miss of its own. Only a wish.
inline void wish_large_pages(void* at, std::size_t bytes) noexcept {
#if defined(__linux__) && defined(MADV_HUGEPAGE)
  constexpr std::uintptr_t kLarge = std::uintptr_t{2} << 20;
  std::uintptr_t first = reinterpret_cast<std::uintptr_t>(at), last = first + bytes;
  first = (first + kLarge - 1) & ~(kLarge - 1);
  last &= ~(kLarge - 1);
  if (first < last) (void)::madvise(reinterpret_cast<void*>(first), last - first, MADV_HUGEPAGE);
#else
  (void)at, (void)bytes;
#endif
}

/// std::allocator for tables that are made once and read in all places.
template <class T>
struct LargePages {
  using value_type = T;
  LargePages() = default;
  template <class Other>
  LargePages(const LargePages<Other>&) noexcept {}  // NOLINT: as the standard has it
  T* allocate(std::size_t count) {
    T* made = std::allocator<T>().allocate(count);
    wish_large_pages(made, count * sizeof(T));
    return made;
  }
  void deallocate(T* at, std::size_t count) noexcept { std::allocator<T>().deallocate(at, count); }
  bool operator==(const LargePages&) const = default;
};

struct FreeMemory {
  void operator()(void* memory) const noexcept { std::free(memory); }
};

/// Open addressing, linear probing, at most half full, or five eighths while slots are moving. A
/// slot of zero bytes is free; `slot.place()` is the hash it was inserted by.
///
/// A large table comes from the system as zeros, a page when it is first touched. A page may have
/// 2 MB, of which each takes up to a millisecond, and the next few insertions would touch them all.
/// So slots move in order, and what is inserted meanwhile waits for its turn in the table before:
/// one page comes at a time.
///
/// Cost: a look-up is a cache line in most cases, and two while slots are moving. An insertion
/// moves at most `kMoved` slots of the table before.
template <class Slot>
class SlotTable {
  static_assert(std::is_trivially_copyable_v<Slot>);

 public:
  /// The slot of this hash for which `matches` holds, or nullptr.
  template <class Matches>
  const Slot* find(std::uint64_t hash, Matches matches) const {
    if (const Slot* found = probe(now_, hash, matches)) return found;
    return before_.size == 0 ? nullptr : probe(before_, hash, matches);
  }

  /// The slot must not be there yet.
  void insert(const Slot& slot) {
    if (before_.size == 0 && 2 * (used_ + 1) > now_.size) grow();
    if (!waits(slot)) place(slot);
    ++used_;
    if (before_.size != 0) move(kMoved);
  }

  void clear() noexcept {
    now_ = {};
    before_ = {};
    used_ = moved_ = 0;
  }
  std::size_t size() const noexcept { return used_; }
  std::size_t bytes() const noexcept { return (now_.size + before_.size) * sizeof(Slot); }

 private:
  static constexpr std::size_t kFirst = 16, kMoved = 8, kSmall = 8192;
  struct Slots {
    std::unique_ptr<Slot[], FreeMemory> at;
    std::size_t size = 0;  // a power of two
    Slots() = default;
    explicit Slots(std::size_t count)
        : at(static_cast<Slot*>(std::calloc(count, sizeof(Slot)))), size(count) {
      if (!at) throw std::bad_alloc();
      wish_large_pages(at.get(), count * sizeof(Slot));
    }
    Slots(Slots&& other) noexcept : at(std::move(other.at)), size(std::exchange(other.size, 0)) {}
    Slots& operator=(Slots&& other) noexcept {
      at = std::move(other.at);
      size = std::exchange(other.size, 0);
      return *this;
    }
  };

  template <class Matches>
  static const Slot* probe(const Slots& slots, std::uint64_t hash, Matches matches) {
    if (slots.size == 0) return nullptr;
    for (std::size_t at = hash & (slots.size - 1);; at = (at + 1) & (slots.size - 1)) {
      const Slot& slot = slots.at[at];
      if (slot.is_free()) return nullptr;
      if (matches(slot)) return &slot;
    }
  }
  /// Puts the slot into the table before, if it is moved from there later on.
  bool waits(const Slot& slot) noexcept {
    std::size_t at = before_.size == 0 ? 0 : slot.place() & (before_.size - 1);
    if (at < moved_) return false;
    while (at < before_.size && !before_.at[at].is_free()) ++at;
    if (at >= before_.size) return false;
    before_.at[at] = slot;
    return true;
  }
  void place(const Slot& slot) noexcept {
    std::size_t at = slot.place() & (now_.size - 1);
    while (!now_.at[at].is_free()) at = (at + 1) & (now_.size - 1);
    now_.at[at] = slot;
  }
  void grow() {
    move(before_.size);  // done long since, as a rule
    Slots larger(now_.size == 0 ? kFirst : now_.size * 2);
    before_ = std::move(now_);
    now_ = std::move(larger);
    moved_ = 0;
    if (before_.size <= kSmall) move(before_.size);
  }
  /// Copies the next slots of the table before; they stay where they are, so that chains hold.
  void move(std::size_t count) noexcept {
    for (; count > 0 && moved_ < before_.size; --count, ++moved_) {
      if (!before_.at[moved_].is_free()) place(before_.at[moved_]);
    }
    if (moved_ == before_.size) before_ = {};
  }

  Slots now_, before_;
  std::size_t used_ = 0, moved_ = 0;
};

/// An array that grows by `realloc`: for large ones the system moves pages, not their contents.
template <class T>
class PagedArray {
  static_assert(std::is_trivially_copyable_v<T>);

 public:
  std::size_t size() const noexcept { return size_; }
  bool empty() const noexcept { return size_ == 0; }
  std::size_t capacity() const noexcept { return capacity_; }
  T* data() noexcept { return at_.get(); }
  const T* data() const noexcept { return at_.get(); }
  T& operator[](std::size_t i) noexcept { return at_[i]; }
  const T& operator[](std::size_t i) const noexcept { return at_[i]; }

  void push_back(const T& value) {
    T copy = value;  // it may lie in the array
    reserve(size_ + 1);
    at_[size_++] = copy;
  }
  /// Appends `count` values that lie elsewhere.
  void append(const T* values, std::size_t count) {
    reserve(size_ + count);
    if (count > 0) std::memcpy(at_.get() + size_, values, count * sizeof(T));
    size_ += count;
  }
  void resize(std::size_t count, const T& value) {
    reserve(count);
    for (std::size_t i = size_; i < count; ++i) at_[i] = value;
    size_ = count;
  }

 private:
  void reserve(std::size_t count) {
    if (count <= capacity_) return;
    std::size_t larger = capacity_ < 16 ? 16 : capacity_ * 2;
    if (larger < count) larger = count;
    void* moved = std::realloc(at_.get(), larger * sizeof(T));
    if (moved == nullptr) throw std::bad_alloc();
    (void)at_.release();
    at_.reset(static_cast<T*>(moved));
    wish_large_pages(moved, larger * sizeof(T));
    capacity_ = larger;
  }

  std::unique_ptr<T[], FreeMemory> at_;
  std::size_t size_ = 0, capacity_ = 0;
};

}  // namespace slm

#include "lower/expressions.h"

#include <algorithm>
#include <bit>
#include <numeric>
#include <unordered_map>
#include <utility>

namespace slm::lower {

std::uint32_t Expressions::make(Op op, std::span<const std::uint32_t> values) {
  scratch_.assign(1, static_cast<std::uint32_t>(op));
  scratch_.insert(scratch_.end(), values.begin(), values.end());
  return nodes_.add(scratch_);
}

std::uint32_t Expressions::flat(Op op, std::span<const std::uint32_t> parts) {
  if (parts.size() == 1) return parts[0];
  scratch_.assign(1, static_cast<std::uint32_t>(op));
  for (std::uint32_t part : parts) {
    if (this->op(part) == op) {
      auto inner = values(part);
      scratch_.insert(scratch_.end(), inner.begin(), inner.end());
    } else {
      scratch_.push_back(part);
    }
  }
  return scratch_.size() == 2 ? scratch_[1] : nodes_.add(scratch_);
}

namespace {

using Things = std::vector<std::uint32_t>;

/// Things by block: those of a block stand together.
class Blocks {
 public:
  explicit Blocks(const Things& kinds) : block_(kinds.size()), things_(kinds.size()) {
    std::unordered_map<std::uint32_t, std::uint32_t> numbers;
    for (std::uint32_t thing = 0; thing < kinds.size(); ++thing) {
      auto count = static_cast<std::uint32_t>(numbers.size());
      auto [at, fresh] = numbers.emplace(kinds[thing], count);
      if (fresh) ranges_.push_back({0, 0});
      block_[thing] = at->second;
      ++ranges_[at->second].size;
    }
    std::uint32_t begin = 0;
    for (Range& range : ranges_) {
      range.begin = begin;
      begin += std::exchange(range.size, 0);
    }
    for (std::uint32_t thing = 0; thing < kinds.size(); ++thing) {
      Range& range = ranges_[block_[thing]];
      things_[range.begin + range.size++] = thing;
    }
  }

  std::uint32_t count() const noexcept { return static_cast<std::uint32_t>(ranges_.size()); }
  std::uint32_t of(std::uint32_t thing) const noexcept { return block_[thing]; }
  std::span<const std::uint32_t> members(std::uint32_t block) const noexcept {
    return std::span(things_).subspan(ranges_[block].begin, ranges_[block].size);
  }

  /// Cuts a block into as many parts, `part` of each of its things; the largest keeps the number.
  void cut(std::uint32_t block, const Things& part, std::uint32_t parts) {
    Range whole = ranges_[block];
    sizes_.assign(parts, 0);
    for (std::uint32_t each : part) ++sizes_[each];
    auto largest = static_cast<std::uint32_t>(std::ranges::max_element(sizes_) - sizes_.begin());
    numbers_.clear();
    std::uint32_t begin = whole.begin;
    for (std::uint32_t each = 0; each < parts; ++each) {
      numbers_.push_back(each == largest ? block : count());
      if (each != largest) ranges_.emplace_back();
      ranges_[numbers_[each]] = {begin, 0};
      begin += sizes_[each];
    }
    moved_.assign(things_.begin() + whole.begin, things_.begin() + whole.begin + whole.size);
    for (std::size_t at = 0; at < moved_.size(); ++at) {
      Range& range = ranges_[numbers_[part[at]]];
      things_[range.begin + range.size++] = moved_[at];
      block_[moved_[at]] = numbers_[part[at]];
    }
  }

  Things numbers() && { return std::move(block_); }

 private:
  struct Range {
    std::uint32_t begin = 0, size = 0;
  };
  Things block_, things_, sizes_, numbers_, moved_;
  std::vector<Range> ranges_;
};

/// Gives things whose calls go to the same blocks the same number.
class Parts {
 public:
  Parts(const Calls& calls, const Blocks& blocks) : calls_(calls), blocks_(blocks) {}

  /// Forgets all things; as many may come.
  void start(std::size_t things) {
    slots_.assign(std::bit_ceil(2 * things), kNone);
    first_.clear();
  }
  std::uint32_t add(std::uint32_t thing) {
    std::uint64_t hash = 0;
    for (std::uint32_t called : calls_[thing]) {
      hash = (hash ^ blocks_.of(called)) * 0x9E3779B97F4A7C15ull;
      hash ^= hash >> 32;
    }
    std::size_t at = hash & (slots_.size() - 1);
    for (; slots_[at] != kNone; at = (at + 1) & (slots_.size() - 1)) {
      if (alike(first_[slots_[at]], thing)) return slots_[at];
    }
    slots_[at] = count();
    first_.push_back(thing);
    return slots_[at];
  }
  std::uint32_t count() const noexcept { return static_cast<std::uint32_t>(first_.size()); }

 private:
  bool alike(std::uint32_t one, std::uint32_t other) const {
    auto block = [&](std::uint32_t called) { return blocks_.of(called); };
    return std::ranges::equal(calls_[one], calls_[other], {}, block, block);
  }

  const Calls& calls_;
  const Blocks& blocks_;
  Things slots_, first_;  // by number: the first thing
};

/// What is called, with its callers in place of those that it calls.
Calls turned(const Calls& calls) {
  Things first(calls.size() + 1, 0);
  for (std::size_t thing = 0; thing < calls.size(); ++thing) {
    for (std::uint32_t called : calls[thing]) ++first[called + 1];
  }
  std::partial_sum(first.begin(), first.end(), first.begin());
  Things callers(first.back()), filled(first.begin(), first.end() - 1);
  for (std::uint32_t thing = 0; thing < calls.size(); ++thing) {
    for (std::uint32_t called : calls[thing]) callers[filled[called]++] = thing;
  }
  return {std::move(callers), std::move(first)};
}

}  // namespace

std::vector<std::uint32_t> refined(const std::vector<std::uint32_t>& kinds, const Calls& calls) {
  Calls callers = turned(calls);
  Blocks blocks(kinds);
  Parts parts(calls, blocks);
  Things waiting, part;
  std::vector<bool> waits;
  auto wait = [&](std::uint32_t block) {
    if (block >= waits.size()) waits.resize(2 * blocks.count(), false);
    if (waits[block] || blocks.members(block).size() < 2) return;
    waits[block] = true;
    waiting.push_back(block);
  };
  for (std::uint32_t block = 0; block < blocks.count(); ++block) wait(block);
  while (!waiting.empty()) {
    std::uint32_t block = waiting.back();
    waiting.pop_back();
    waits[block] = false;
    std::span<const std::uint32_t> members = blocks.members(block);
    parts.start(members.size());
    part.clear();
    for (std::uint32_t thing : members) part.push_back(parts.add(thing));
    if (parts.count() < 2) continue;
    std::uint32_t before = blocks.count();
    blocks.cut(block, part, parts.count());
    for (std::uint32_t made = before; made < blocks.count(); ++made) {
      for (std::uint32_t thing : blocks.members(made)) {
        for (std::uint32_t caller : callers[thing]) wait(blocks.of(caller));
      }
    }
  }
  return std::move(blocks).numbers();
}

}  // namespace slm::lower

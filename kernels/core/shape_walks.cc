#include "core/shape_walks.h"

#include <algorithm>
#include <array>

namespace slm {

ShapeWalks::PlaceId ShapeWalks::place(const ByteTrie& trie, std::span<const std::uint32_t> nodes) {
  const std::uint64_t at = reinterpret_cast<std::uintptr_t>(&trie);
  std::uint32_t number = trie_numbers_.find(at);
  if (number == FlatMap::kAbsent) {
    number = static_cast<std::uint32_t>(tries_.size());
    tries_.push_back(&trie);
    trie_numbers_.insert(at, number);
  }
  key_.assign({number});
  key_.insert(key_.end(), nodes.begin(), nodes.end());
  return places_.intern(key_);
}

std::pair<std::uint32_t, bool> ShapeWalks::find(const From& from) {
  const std::array<std::uint32_t, 4> key{from.place, from.shape, from.lexer, from.obligation};
  std::uint32_t number = keys_.intern(key);
  const bool fresh = number == tables_.size();
  if (fresh) tables_.emplace_back();
  return {number, fresh};
}

std::uint32_t ShapeWalks::add_runs(std::vector<std::pair<std::uint32_t, std::uint32_t>>& runs) {
  std::ranges::sort(runs);
  key_.clear();
  for (auto [first, last] : runs) {
    if (key_.empty() || key_.back() < first) {
      key_.insert(key_.end(), {first, last});
    } else {
      key_.back() = std::max(key_.back(), last);
    }
  }
  return runs_.intern(key_);
}

void ShapeWalks::put(std::uint32_t number, Table table) {
  bytes_ += sizeof(Table) + table.exits.size() * sizeof(Exit);
  tables_[number] = std::move(table);
}

}  // namespace slm

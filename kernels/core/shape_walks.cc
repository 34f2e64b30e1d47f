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
  const PlaceId id = places_.intern(key_);
  if (id == tokens_.size()) {
    std::size_t below = 0;
    for (std::uint32_t node : nodes) {
      below += trie.nodes[node].subtree_last_token - trie.nodes[node].last_token;
    }
    tokens_.push_back(below);
  }
  return id;
}

ShapeWalks::PlaceId ShapeWalks::gathered(PlaceId place, LexId lexer, const ByteSet& first) {
  const std::uint64_t key = (std::uint64_t{place} << 32) | lexer;
  PlaceId known = goes_on_.find(key);
  if (known == FlatMap::kAbsent) {
    known = gather(place, first);
    goes_on_.insert(key, known);
  }
  return known;
}

ShapeWalks::PlaceId ShapeWalks::gather(PlaceId place, const ByteSet& first) {
  constexpr std::size_t kFew = 8;
  const ByteTrie& trie = this->trie(place);
  const std::span<const std::uint32_t> nodes = this->nodes(place);
  const bool goes_on = std::ranges::any_of(nodes, [&](std::uint32_t node) {
    const ByteTrie::Node& here = trie.nodes[node];
    return std::any_of(trie.bytes.begin() + here.first_child, trie.bytes.begin() + here.last_child,
                       [&](std::uint8_t byte) { return first[byte]; });
  });
  if (!goes_on) return kNowhere;
  if (nodes.size() <= kFew || nodes.size() * 16 < tokens(place)) return place;
  key_.assign({place});
  for (std::size_t w = 0; w < 8; ++w) {
    std::uint32_t word = 0;
    for (std::size_t b = 0; b < 32; ++b) word |= std::uint32_t{first[32 * w + b]} << b;
    key_.push_back(word);
  }
  std::uint32_t number = gathers_.intern(key_);
  if (number == gathered_.size()) {
    own_.push_back(std::make_unique<ByteTrie>(trie.below_nodes(nodes, first)));
    bytes_ += own_.back()->bytes_held();
    const std::uint32_t root = 0;
    gathered_.push_back(this->place(*own_.back(), {&root, 1}));
  }
  return gathered_[number];
}

std::pair<std::uint32_t, bool> ShapeWalks::find(const From& from) {
  const std::array<std::uint32_t, 4> key{from.place, from.shape, from.lexer, from.obligation};
  std::uint32_t number = keys_.intern(key);
  const bool fresh = number == tables_.size();
  if (fresh) tables_.emplace_back();
  return {number, fresh};
}

std::uint32_t ShapeWalks::add_runs(std::vector<std::pair<std::uint32_t, std::uint32_t>>& runs) {
  if (!std::ranges::is_sorted(runs)) std::ranges::sort(runs);  // mostly they come in order
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
  tables_[number].made = true;
}

}  // namespace slm

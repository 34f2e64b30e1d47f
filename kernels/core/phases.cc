#include "core/phases.h"

#include <algorithm>
#include <functional>
#include <string>
#include <unordered_map>
#include <utility>

#include "core/hash.h"

namespace slm {

TokenPhases::TokenPhases(const TokenTrie& tokens) : tokens_(tokens), trie_(tokens.trie()) {
  const ByteTrie::Node& root = trie_.nodes[0];
  for (Phase child = root.first_child; child < root.last_child; ++child) {
    first_[trie_.bytes[child]] = child;
  }
}

void TokenPhases::measure() {
  std::call_once(measured_, [this] {
    find_alike();
    measure_detours();
  });
}

/// From the last node to the first, since children stand after their parents: nodes are alike when
/// their children have the same bytes, end tokens or do not, and are alike.
void TokenPhases::find_alike() {
  const std::size_t count = trie_.nodes.size();
  alike_.resize(count);
  std::unordered_multimap<std::uint64_t, Phase> made;
  Phase leaf = kBetween;
  for (Phase phase = static_cast<Phase>(count); phase-- > 1;) {
    alike_[phase] = phase;
    const ByteTrie::Node& node = trie_.nodes[phase];
    if (!goes_on(phase)) {
      if (leaf == kBetween) leaf = phase;
      alike_[phase] = leaf;
      continue;
    }
    std::uint64_t hash = node.last_child - node.first_child;
    for (Phase child = node.first_child; child < node.last_child; ++child) {
      std::uint64_t way = std::uint64_t{trie_.bytes[child]} << 1 | (ends_token(child) ? 1 : 0);
      hash = mix(hash, std::uint64_t{alike_[child]} << 9 | way);
    }
    auto same = [&](Phase other) {
      const ByteTrie::Node& its = trie_.nodes[other];
      if (its.last_child - its.first_child != node.last_child - node.first_child) return false;
      for (std::uint32_t k = 0; k < node.last_child - node.first_child; ++k) {
        Phase x = node.first_child + k, y = its.first_child + k;
        if (trie_.bytes[x] != trie_.bytes[y] || ends_token(x) != ends_token(y) ||
            alike_[x] != alike_[y]) {
          return false;
        }
      }
      return true;
    };
    auto [first, last] = made.equal_range(hash);
    auto found = std::find_if(first, last, [&](const auto& entry) { return same(entry.second); });
    if (found != last) {
      alike_[phase] = found->second;
    } else {
      made.emplace(hash, phase);
    }
  }
}

void TokenPhases::measure_detours() {
  constexpr std::uint32_t kNever = 255;
  detours_.assign(trie_.nodes.size(), 1);
  std::vector<std::uint32_t> fewest;
  for (TokenId id = 0; id < tokens_.vocabulary(); ++id) {
    const std::string& bytes = tokens_.bytes_of(id);
    std::size_t length = bytes.size();
    fewest.assign(length + 1, kNever);  // by where the rest begins
    fewest[length] = 0;
    for (std::size_t at = length; at-- > 1;) {
      Phase phase = kBetween;
      for (std::size_t end = at; end < length; ++end) {
        phase = step(phase, static_cast<std::uint8_t>(bytes[end]));
        if (phase == kBetween) break;
        if (ends_token(phase)) fewest[at] = std::min(fewest[at], fewest[end + 1] + 1);
      }
    }
    Phase phase = kBetween;
    for (std::size_t at = 1; at < length; ++at) {
      phase = step(phase, static_cast<std::uint8_t>(bytes[at - 1]));
      // A rest with a byte that has no token of its own is in no text over this vocabulary.
      if (fewest[at] >= kNever) continue;
      if (fewest[at] <= detours_[phase]) continue;
      if (detours_[phase] == 1) {
        rare_[trie_.bytes[phase]].push_back({alike_[phase], bytes.substr(0, at)});
      }
      detours_[phase] = static_cast<std::uint8_t>(fewest[at]);
    }
  }
  for (std::vector<Rare>& phases : rare_) {
    std::ranges::sort(phases, std::ranges::greater{},
                      [&](const Rare& rare) { return std::pair(detour(rare.phase), rare.phase); });
  }
}

std::uint32_t TokenPhases::worst_detour(const std::bitset<256>& last) const noexcept {
  std::uint32_t worst = 1;
  for (std::size_t b = 0; b < 256; ++b) {
    if (last[b] && !rare_[b].empty()) worst = std::max(worst, detour(rare_[b].front().phase));
  }
  return worst;
}

}  // namespace slm

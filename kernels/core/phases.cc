#include "core/phases.h"

#include <algorithm>
#include <functional>
#include <string>
#include <utility>

namespace slm {

TokenPhases::TokenPhases(const TokenTrie& tokens) : tokens_(tokens), trie_(tokens.trie()) {
  const ByteTrie::Node& root = trie_.nodes[0];
  for (Phase child = root.first_child; child < root.last_child; ++child) {
    first_[trie_.bytes[child]] = child;
  }
}

void TokenPhases::measure() {
  std::call_once(measured_, [this] { measure_detours(); });
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
        rare_[trie_.bytes[phase]].push_back({phase, bytes.substr(0, at)});
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

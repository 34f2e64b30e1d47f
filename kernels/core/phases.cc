#include "core/phases.h"

#include <algorithm>
#include <string>

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
      detours_[phase] = static_cast<std::uint8_t>(std::max<std::uint32_t>(detours_[phase], fewest[at]));
      worst_ = std::max(worst_, fewest[at]);
    }
  }
}

}  // namespace slm

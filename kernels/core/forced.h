// Looking ahead: what every continuation has, and which tokens could be used across its end.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/recogniser.h"
#include "core/trie.h"

namespace slm {

/// Tokens that begin inside the forced bytes, at `at`, and go on after their end.
struct Straddle {
  std::uint32_t at;
  std::vector<TokenId> tokens;  // the first few that keep the text viable; one a byte string
  bool more;                    // there are others
};

/// What every continuation of a state begins with.
struct LookAhead {
  std::string bytes;
  bool ends = false;                // the text is complete after them and nothing can follow
  std::vector<Straddle> straddles;  // by ascending `at`; empty when `ends`
};

/// Tokens that come one after the other because each is the only one allowed.
struct OnlyTokens {
  std::vector<TokenId> tokens;
  bool ends = false;  // the text is complete after them and nothing can follow
};

/// At most `limit` bytes, and of each straddle at most `kinds` tokens.
///
/// Ends without a check for cycles: a cycle of forced bytes would be a state from which no text
/// can end, and recognisers have none.
/// Cost: O(bytes * 256) steps, then for each of the last `longest` bytes a path down the trie and a
/// walk below it that stops after `kinds` viable tokens.
LookAhead look_ahead(Recogniser& recogniser, const ByteTrie& trie, StateId state, std::size_t limit,
                     std::size_t kinds);

/// At most `limit` bytes of them.
///
/// Cost: a walk over the trie a token, each of which stops at the second token it finds.
OnlyTokens only_tokens(Recogniser& recogniser, const ByteTrie& trie, StateId state,
                       std::size_t limit);

}  // namespace slm

// How many tokens are surely enough where items have to differ.
#include <algorithm>
#include <queue>

#include "core/memory/distinct.h"
#include "core/memory/trie_paths.h"

namespace slm {
namespace {

constexpr std::size_t kMaxPlaces = 4'000;
constexpr std::size_t kMaxUnsure = 512;     // tokens that are looked at one by one
constexpr std::size_t kSmallTrie = 20'000;  // nodes: small enough to look at all of them
constexpr Cost kPieces = 3;                 // bytes that finish a character

}  // namespace

/// Bytes, and so tokens, that finish the text from a state of the rules, whatever was seen: by a
/// way on which every item that ends goes through a loop that makes new values, with as many
/// letters more as could be needed. Infinite where a short search finds none.
Cost DistinctRecogniser::surely_missing(StateId base) {
  if (base >= surely_.size()) surely_.resize(rules_.states(), 0);
  if (surely_[base] != 0) return surely_[base] - 1;
  struct Reached {
    StateId base;
    bool looped;  // the item at hand has been in a loop
    Cost passed;
  };
  std::vector<Reached> reached{{base, false, 0}};
  std::unordered_map<std::uint64_t, Cost> least;
  std::priority_queue<OpenPlace> open;
  open.push({0, 0, 0});
  Cost found = kInfiniteCost;
  for (std::size_t count = 0; !open.empty() && count < kMaxPlaces; ++count) {
    Reached now = reached[open.top().place];
    open.pop();
    if (rules_.can_end(now.base)) {
      found = now.passed;
      break;
    }
    now.looped = now.looped || has_endless_loop(now.base);
    ByteSet first = rules_.first_bytes(now.base);
    for (std::size_t byte = 0; byte < 256; ++byte) {
      if (!first[byte] || (byte == kEnd && !now.looped)) continue;
      StateId next = rules_.step(now.base, static_cast<std::uint8_t>(byte));
      if (next == kDead) continue;
      Cost passed = now.passed + (byte == kEnd ? kLetters : marks_[byte] ? 0 : 1);
      bool looped = byte != kItem && now.looped;
      auto [known, fresh] = least.try_emplace(std::uint64_t{next} << 1 | (looped ? 1 : 0), passed);
      if (!fresh && known->second <= passed) continue;
      known->second = passed;
      open.push({passed + missing(next), passed, static_cast<std::uint32_t>(reached.size())});
      reached.push_back({next, looped, passed});
    }
  }
  if (base >= surely_.size()) surely_.resize(rules_.states(), 0);
  surely_[base] = found + 1;
  return found;
}

/// By the states of the rules alone, with marks passed freely: so it is asked for once for each.
const Recogniser::Enough* DistinctRecogniser::enough_after_any(StateId state) {
  Threads threads;
  threads_of(state, threads);
  if (values_.size() >= std::size_t{1} << (kLetters - 1)) return nullptr;
  std::vector<std::uint32_t> first;
  for (const Thread& thread : threads) {
    if (is_tight(thread.text, trie_.numbers().longest)) return nullptr;  // digits may not be enough
    first.push_back(thread.base);
  }
  std::sort(first.begin(), first.end());
  first.erase(std::unique(first.begin(), first.end()), first.end());
  std::uint32_t id = enough_keys_.intern(first);
  if (id < enough_.size()) return enough_[id].get();
  enough_.push_back(std::make_unique<Enough>());
  Enough& made = *enough_.back();
  const ByteTrie& trie = trie_.trie();
  struct Place : TriePlace {
    std::vector<StateId> bases;
  };
  auto place_of = [&](std::vector<StateId> bases) {
    Place place{{}, std::move(bases)};
    if (place.bases.size() == 1 && !has_marks(place.bases[0])) {
      Cost enough = surely_missing(place.bases[0]);
      Rounds rounds = rules_.rounds(place.bases[0], 1);
      if (rounds.still && enough < kInfiniteCost) {
        place.stays = rounds.chars;
        made.tokens = std::max(made.tokens, enough + kPieces);
      }
    }
    return place;
  };
  auto enter = [&](const Place& place, std::uint32_t node,
                   const std::string& path) -> std::optional<Place> {
    std::vector<StateId> after = past_marks(place.bases, trie.bytes[node]);
    if (after.empty()) return std::nullopt;
    const ByteTrie::Node& here = trie.nodes[node];
    if (here.first_token != here.last_token) {
      Cost most = 0;
      for (StateId base : after) most = std::max(most, surely_missing(base));
      if (most < kInfiniteCost) {
        made.tokens = std::max(made.tokens, most);
      } else {
        made.unsure.emplace_back(node, path);
      }
    }
    if (here.first_child == here.last_child) return std::nullopt;
    return place_of(std::move(after));
  };
  walk_paths(trie, marks_, place_of(std::move(first)), enter);
  if (made.unsure.size() > kMaxUnsure) {
    // Items that have to come can be few values: of all tokens, or only of the shortest way.
    if (trie.nodes.size() <= kSmallTrie) {
      enough_.back() = nullptr;
    } else {
      made = {kInfiniteCost, {}};
    }
  }
  return enough_.back().get();
}

/// The states of the rules after a byte, and after marks, from which something else can follow.
std::vector<StateId> DistinctRecogniser::past_marks(const std::vector<StateId>& bases,
                                                    std::uint8_t byte) {
  std::vector<StateId> after;
  for (StateId base : bases) {
    StateId next = rules_.step(base, byte);
    if (next != kDead) after.push_back(next);
  }
  for (std::size_t at = 0; at < after.size(); ++at) {  // grows
    const ByteSet follows = rules_.first_bytes(after[at]);
    for (std::size_t mark = kBegin; mark <= kLeave; ++mark) {
      if (!follows[mark]) continue;
      StateId next = rules_.step(after[at], static_cast<std::uint8_t>(mark));
      if (next != kDead && std::ranges::find(after, next) == after.end()) after.push_back(next);
    }
  }
  std::erase_if(after, [&](StateId base) {
    return (rules_.first_bytes(base) & ~marks_).none() && !rules_.can_end(base);
  });
  return after;
}

}  // namespace slm

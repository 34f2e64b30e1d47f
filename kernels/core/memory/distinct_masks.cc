// Masks beside a memory: that of the rules, without the tokens that lead to an item seen before.
#include <algorithm>

#include "core/memory/distinct.h"
#include "core/memory/trie_paths.h"

namespace slm {
namespace {

constexpr std::uint32_t kFewBytes = 4;  // fewer are not worth a question

bool is_of_number(char c) noexcept { return (c >= '0' && c <= '9') || c == '.'; }

/// Whether a mask has a token of a node or below.
bool has_some(const ByteTrie& trie, std::uint32_t node, Mask row) {
  const ByteTrie::Node& here = trie.nodes[node];
  auto first = trie.tokens.begin() + here.first_token;
  auto last = trie.tokens.begin() + here.subtree_last_token;
  return std::any_of(first, last,
                     [&](TokenId token) { return (row[token >> 5] >> (token & 31) & 1) != 0; });
}

void take_out(const ByteTrie& trie, std::uint32_t node, Mask row) {
  const ByteTrie::Node& here = trie.nodes[node];
  for (std::uint32_t t = here.first_token; t < here.subtree_last_token; ++t) {
    clear_bit(row, trie.tokens[t]);
  }
}

}  // namespace

/// The rules' mask comes from their tables. What has to be taken out is looked for only where a
/// token comes to a mark, or leaves what can be a new item whatever was seen. Where the items at
/// hand are new already, or nothing was seen, only what comes behind one more item matters; between
/// two items stands a comma, and few tokens hold one.
void DistinctRecogniser::make_mask(StateId state, std::span<std::uint32_t> row) {
  plain_masks_.fill(plain_of(state), row);
  Threads threads, after, todo;
  threads_of(state, threads);
  bool fresh = lost_none(state) &&
               std::ranges::all_of(threads, [&](const Thread& thread) { return is_new(thread); });
  for (const Exit& exit : exits(plain_of(state), threads, fresh, row)) {
    after.clear();
    for (const Thread& thread : threads) {
      Thread now = thread;
      for (char c : exit.path) {
        std::uint8_t byte = static_cast<std::uint8_t>(c);
        now.base = rules_.step(now.base, byte);
        if (now.base == kDead) break;
        now.text = append(now.text, byte);
      }
      if (now.base == kDead) continue;
      todo.assign({now});
      close(todo, after, kNoGoal);
    }
    settle(after);
    check_below(trie_for(fresh), exit.node, after, row);
  }
  check_numbers(threads, row);
}

/// Takes out tokens after which a number can only become doubles that were seen: what digits stay
/// in is a loop of the rules all the same.
void DistinctRecogniser::check_numbers(const Threads& all, std::span<std::uint32_t> row) {
  Threads threads, after;
  bool seen = std::ranges::any_of(all, [&](const Thread& thread) {
    return std::ranges::any_of(frames(thread.stack),
                               [](const Frame& frame) { return frame.seen != 0; });
  });
  if (!seen) return;
  auto tight = [&](const Thread& thread) { return is_tight(thread.text, trie_.numbers().longest); };
  if (std::ranges::any_of(all, tight)) check_digits(0, all, row);
  for (TokenId token : trie_.numbers().tokens) {
    if ((row[token >> 5] >> (token & 31) & 1) == 0) continue;
    threads = all;
    for (char c : trie_.bytes_of(token)) {
      after.clear();
      for (const Thread& thread : threads) read(thread, static_cast<std::uint8_t>(c), after);
      settle(after);
      threads.swap(after);
    }
    if (threads.empty()) clear_bit(row, token);
  }
}

void DistinctRecogniser::check_digits(std::uint32_t node, const Threads& threads,
                                      std::span<std::uint32_t> row) {
  const ByteTrie& trie = trie_.trie();
  const ByteTrie::Node& here = trie.nodes[node];
  for (std::uint32_t child = here.first_child; child < here.last_child; ++child) {
    if (!is_of_number(static_cast<char>(trie.bytes[child]))) continue;
    Threads after;
    for (const Thread& thread : threads) read(thread, trie.bytes[child], after);
    settle(after);
    if (after.empty()) {
      take_out(trie, child, row);
    } else {
      check_digits(child, after, row);
    }
  }
}

/// Whether the items that a thread is in are new, whatever they go on with. Of an object that is
/// not certain: a name may come once more.
bool DistinctRecogniser::is_new(const Thread& thread) const {
  return std::ranges::all_of(frames(thread.stack), [&](const Frame& frame) {
    return frame.seen == 0 || (frame.start != kOutside && !may_repeat(thread, frame, true));
  });
}

/// Whether some token at a node or below ends an item, begins another one behind a comma, and ends
/// that too, or leaves it where it matters what was seen. From these states of the rules.
bool DistinctRecogniser::ends_again(const ByteTrie& trie, std::uint32_t node, Passages bases) {
  for (std::size_t at = 0; at < bases.size(); ++at) {  // grows
    auto [base, passed] = bases[at];
    const ByteSet first = rules_.first_bytes(base);
    for (std::size_t mark = kBegin; mark <= kLeave; ++mark) {
      if (!first[mark]) continue;
      StateId next = rules_.step(base, static_cast<std::uint8_t>(mark));
      if (next == kDead) continue;
      if (mark == kEnd && passed == Passed::kComma) return true;
      bases.emplace_back(next, mark == kEnd ? Passed::kEnd : passed);
    }
    if (passed == Passed::kComma && (first & ~marks_).any() && !is_rich(base)) return true;
  }
  const ByteTrie::Node& here = trie.nodes[node];
  for (std::uint32_t child = here.first_child; child < here.last_child; ++child) {
    const std::uint8_t byte = trie.bytes[child];
    if (marks_[byte]) continue;
    Passages after;
    for (auto [base, passed] : bases) {
      StateId next = rules_.step(base, byte);
      if (next == kDead) continue;
      after.emplace_back(next, byte == ',' && passed == Passed::kEnd ? Passed::kComma : passed);
    }
    std::erase_if(after, [&](const auto& one) {  // it would take another comma
      return one.second != Passed::kComma && !trie.below[child].starts.has(',');
    });
    if (!after.empty() && ends_again(trie, child, std::move(after))) return true;
  }
  return false;
}

/// Whether a thread goes on after a byte in its item, to where that can be a new one: no need to
/// see whether it could also end.
bool DistinctRecogniser::goes_on(const Threads& threads, std::uint8_t byte) {
  if (marks_[byte]) return false;
  return std::ranges::any_of(threads, [&](const Thread& thread) {
    StateId base = rules_.step(thread.base, byte);
    return base != kDead && (rules_.first_bytes(base) & ~marks_).any() &&
           makes_new(base, append(thread.text, byte));
  });
}

/// Takes out the tokens of a node and below that have no thread; `threads`: those at the node.
void DistinctRecogniser::check_below(const ByteTrie& trie, std::uint32_t node,
                                     const Threads& threads, std::span<std::uint32_t> row) {
  if (threads.empty()) return take_out(trie, node, row);
  const ByteTrie::Node& here = trie.nodes[node];
  Threads after;
  for (std::uint32_t child = here.first_child; child < here.last_child; ++child) {
    const ByteTrie::Node& there = trie.nodes[child];
    if (there.first_child == there.last_child && goes_on(threads, trie.bytes[child])) continue;
    after.clear();
    for (const Thread& thread : threads) read(thread, trie.bytes[child], after);
    settle(after);
    std::sort(after.begin(), after.end());
    after.erase(std::unique(after.begin(), after.end()), after.end());
    check_below(trie, child, after, row);
  }
}

const DistinctRecogniser::Stay& DistinctRecogniser::stay(StateId base) {
  auto [slot, fresh] = stays_.try_emplace(base);
  if (!fresh) return slot->second;
  Stay made;
  const std::uint32_t longest = static_cast<std::uint32_t>(trie_.trie().longest);
  auto inside = [&](std::uint32_t bytes) -> bool {
    CharClass chars = rules_.inside(base, bytes + kAmple);
    bool rich = letters_that_tell(chars).needed == kAmple;
    if (!rich && chars.size() > 0) {  // it may be another class that has room for so many
      chars = rules_.inside(base, bytes + kEndless);
      rich = letters_that_tell(chars).needed != 0;
    }
    if (chars.size() == 0) return false;
    made = {chars, rich, bytes == longest ? ~std::uint32_t{0} : bytes};
    return true;
  };
  if (inside(std::min(kFewBytes, longest))) {
    for (std::uint32_t bytes = longest; bytes > kFewBytes; bytes = bytes > 64 ? 64 : bytes / 2) {
      if (inside(bytes)) break;
    }
  }
  if (made.chars.size() == 0 && !has_marks(base)) {
    Rounds rounds = rules_.rounds(base, longest + kEndless);
    if (rounds.still) made.chars = rounds.chars;
  }
  return slot->second = made;
}

/// Remembered by the states of the rules alone: texts and values come and go, those stay few.
/// `row`: the mask of the rules. Where the items at hand are fresh, no way has been lost, so that
/// what it has is what the rules with marks allow.
const std::vector<DistinctRecogniser::Exit>& DistinctRecogniser::exits(StateId plain,
                                                                       const Threads& threads,
                                                                       bool fresh, Mask row) {
  constexpr std::uint32_t kUnseen = 0, kSeen = 1, kFresh = 2;
  std::vector<std::uint32_t> key{plain};
  for (const Thread& thread : threads) {
    bool seen = std::ranges::any_of(frames(thread.stack),
                                    [](const Frame& frame) { return frame.seen != 0; });
    key.insert(key.end(), {thread.base, fresh ? kFresh : seen ? kSeen : kUnseen});
  }
  std::uint32_t id = walked_.intern(key);
  if (id < exits_.size()) return exits_[id];
  const ByteTrie& trie = trie_for(fresh);
  std::vector<Exit> found;
  using Bases = std::vector<std::pair<StateId, bool>>;  // and whether it matters what they lead to
  struct Place : TriePlace {
    StateId plain;
    Bases bases;
  };
  auto place_of = [&](StateId now, Bases bases) {
    Place place{{}, now, std::move(bases)};
    for (std::size_t at = 0; at < place.bases.size(); ++at) {  // what each of them stays with
      auto [base, seen] = place.bases[at];
      const Stay& known = stay(base);
      const CharClass chars = known.rich || !seen ? known.chars : CharClass{};
      if (at == 0) place.stays = chars;
      place.stays.intersect(chars);
      place.most = std::min(place.most, known.most);
      if (place.stays.size() == 0) break;
    }
    return place;
  };
  auto enter = [&](const Place& place, std::uint32_t node,
                   const std::string& path) -> std::optional<Place> {
    std::uint8_t byte = trie.bytes[node];
    StateId now = kDead;
    if (fresh) {
      if (!trie.below[node].starts.has(',') || !has_some(trie, node, row)) return std::nullopt;
    } else {
      now = plain_.step(place.plain, byte);
      if (now == kDead) return std::nullopt;
    }
    Bases after;
    bool exit = false;
    for (auto [base, seen] : place.bases) {
      StateId next = rules_.step(base, byte);
      if (next == kDead) continue;
      exit = exit || has_marks(next) || (seen && !is_rich(next));
      after.emplace_back(next, seen);
    }
    exit = exit || after.empty();  // the rules go on as if an item that was seen had ended
    if (!exit) return place_of(now, std::move(after));
    Passages bases;
    for (auto [base, seen] : after) bases.emplace_back(base, Passed::kNothing);
    if (!fresh || ends_again(trie, node, std::move(bases))) found.push_back({node, path});
    return std::nullopt;
  };
  Bases first;
  for (std::size_t i = 1; i < key.size(); i += 2) first.emplace_back(key[i], key[i + 1] == kSeen);
  walk_paths(trie, marks_, place_of(plain, std::move(first)), enter);
  exit_bytes_ += found.size() * sizeof(Exit);
  exits_.push_back(std::move(found));
  return exits_.back();
}

}  // namespace slm

// Masks beside a memory: that of the rules, without the tokens that lead to an item seen before.
#include <algorithm>

#include "core/memory/distinct.h"

namespace slm {

/// The rules' mask comes from their tables. What has to be taken out is looked for only where a
/// token comes to a mark, or leaves what can be a new item whatever was seen.
void DistinctRecogniser::make_mask(StateId state, std::span<std::uint32_t> row) {
  plain_masks_.fill(plain_of(state), row);
  Threads threads, after, todo;
  threads_of(state, threads);
  for (const Exit& exit : std::vector<Exit>(exits(plain_of(state), threads))) {
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
    check_below(exit.node, after, row);
  }
}

/// Takes out the tokens of a node and below that have no thread; `threads`: those at the node.
void DistinctRecogniser::check_below(std::uint32_t node, const Threads& threads,
                                     std::span<std::uint32_t> row) {
  if (threads.empty()) return take_out(node, row);
  const ByteTrie& trie = trie_.trie();
  const ByteTrie::Node& here = trie.nodes[node];
  Threads after;
  for (std::uint32_t child = here.first_child; child < here.last_child; ++child) {
    after.clear();
    for (const Thread& thread : threads) read(thread, trie.bytes[child], after);
    settle(after);
    std::sort(after.begin(), after.end());
    after.erase(std::unique(after.begin(), after.end()), after.end());
    check_below(child, after, row);
  }
}

void DistinctRecogniser::take_out(std::uint32_t node, std::span<std::uint32_t> row) const {
  const ByteTrie& trie = trie_.trie();
  const ByteTrie::Node& here = trie.nodes[node];
  for (std::uint32_t t = here.first_token; t < here.subtree_last_token; ++t) {
    clear_bit(row, trie.tokens[t]);
  }
}

/// Remembered by the states of the rules alone: texts and values come and go, those stay few.
const std::vector<DistinctRecogniser::Exit>& DistinctRecogniser::exits(StateId plain,
                                                                      const Threads& threads) {
  std::vector<std::uint32_t> key{plain};
  for (const Thread& thread : threads) {
    bool seen = std::ranges::any_of(frames(thread.stack),
                                    [](const Frame& frame) { return frame.seen != 0; });
    key.insert(key.end(), {thread.base, seen ? 1u : 0u});
  }
  std::uint32_t id = walked_.intern(key);
  if (id < exits_.size()) return exits_[id];
  const ByteTrie& trie = trie_.trie();
  std::vector<Exit> found;
  struct Place {
    std::uint32_t next, last;
    StateId plain;
    std::vector<std::pair<StateId, bool>> bases;  // and whether it matters what they lead to
    CharClass stays;
  };
  auto open = [&](std::uint32_t node, StateId now, std::vector<std::pair<StateId, bool>> bases) {
    const ByteTrie::Node& here = trie.nodes[node];
    Place place{here.first_child, here.last_child, now, std::move(bases), {}};
    if (place.bases.size() == 1) {
      Rounds rounds = rules_.rounds(place.bases[0].first, 1);
      if (rounds.still && !has_marks(place.bases[0].first)) place.stays = rounds.chars;
    }
    return place;
  };
  std::vector<std::pair<StateId, bool>> first;
  for (std::size_t i = 1; i < key.size(); i += 2) first.emplace_back(key[i], key[i + 1] != 0);
  std::vector<Place> stack{open(0, plain, std::move(first))};
  std::string path;
  while (!stack.empty()) {
    Place& place = stack.back();
    if (place.next == place.last) {
      stack.pop_back();
      if (!path.empty()) path.pop_back();
      continue;
    }
    std::uint32_t node = place.next++;
    std::uint8_t byte = trie.bytes[node];
    if (marks_[byte]) continue;  // no text
    bool stays = place.stays.has(byte) && place.stays.covers(trie.below[node].starts);
    if (stays) continue;
    StateId now = plain_.step(place.plain, byte);
    if (now == kDead) continue;
    std::vector<std::pair<StateId, bool>> after;
    bool exit = false;
    for (auto [base, seen] : place.bases) {
      StateId next = rules_.step(base, byte);
      if (next == kDead) continue;
      exit = exit || has_marks(next) || (seen && !is_rich(next));
      after.emplace_back(next, seen);
    }
    exit = exit || after.empty();  // the rules go on as if an item that was seen had ended
    path.push_back(static_cast<char>(byte));
    if (exit) {
      found.push_back({node, path});
      path.pop_back();
    } else {
      stack.push_back(open(node, now, std::move(after)));
    }
  }
  exit_bytes_ += found.size() * sizeof(Exit);
  exits_.push_back(std::move(found));
  return exits_.back();
}

}  // namespace slm

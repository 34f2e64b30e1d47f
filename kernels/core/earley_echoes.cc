// Budgets while a word is read that comes again: a state for each token would be too many.
#include <algorithm>

#include "core/earley.h"

namespace slm {

/// Whatever a token adds to the word, so many bytes of it are missing at most, and it comes so
/// often again. Tokens that leave the word, and long ones, are looked at one by one: they are few.
const Recogniser::Enough* EarleyRecogniser::enough_after_any(StateId state) {
  auto [slot, fresh] = enough_.try_emplace(state);
  if (!fresh) return slot->second ? &*slot->second : nullptr;
  configs_of(state, from_);
  if (from_.size() != 1 || from_[0].obligation != 0 || can_end(state)) return nullptr;
  const Config config = from_[0];
  std::span<const std::uint32_t> pairs = lexer_.pairs(config.lexer);
  const bool fixed = pairs.size() != 2 || Lexer::is_stretch(pairs[0]) || Lexer::is_fixed(pairs[1]);
  if (fixed || lexer_.is_longest(pairs[0])) return nullptr;
  const TerminalId terminal = pairs[0];
  const NodeId node = pairs[1];
  constexpr std::size_t kLong = 16;  // bytes
  const ByteTrie& trie = shared_->tokens().trie();
  RegexPool& pool = shared_->pool;
  std::unique_lock lock(shared_->mutex);
  NodeId word = pool.echo_word(node);
  if (word <= kEpsilon) return nullptr;
  const Cost within = pool.echo_bound(node, kLong);
  if (within == kInfiniteCost) return nullptr;
  struct Frame {
    std::uint32_t next, last;
    NodeId word;
  };
  std::vector<Frame> stack{{trie.nodes[0].first_child, trie.nodes[0].last_child, word}};
  std::vector<std::pair<std::uint32_t, std::string>>
      leaving;  // nodes behind which the word is over
  std::string path;
  while (!stack.empty()) {
    Frame& frame = stack.back();
    if (frame.next == frame.last) {
      stack.pop_back();
      if (!path.empty()) path.pop_back();
      continue;
    }
    const std::uint32_t at = frame.next++;
    const ByteTrie::Node& here = trie.nodes[at];
    const NodeId next = pool.step(frame.word, trie.bytes[at]);
    path.push_back(static_cast<char>(trie.bytes[at]));
    if (next != kNothing && pool.alive(next)) {
      const bool goes_on = here.first_child != here.last_child;
      if (goes_on && path.size() == kLong) {
        for (std::uint32_t child = here.first_child; child < here.last_child; ++child) {
          leaving.emplace_back(child, path + static_cast<char>(trie.bytes[child]));
        }
      } else if (goes_on) {
        stack.push_back({here.first_child, here.last_child, next});
        continue;
      }
    } else if (pool.nullable(frame.word)) {
      leaving.emplace_back(at, path);
    }
    path.pop_back();
  }
  lock.unlock();
  Enough made;
  if (!byte_costs_) byte_costs_ = std::make_unique<ByteCosts>(grammar_, *shared_, rows());
  made.tokens = add_costs(within, byte_costs_->after_terminal(config.row, terminal));
  struct Left {
    std::uint32_t at;
    StateId state;
    std::string bytes;
  };
  for (auto& [at, bytes] : leaving) {
    StateId after = state;
    for (char c : bytes) {
      after = step(after, static_cast<std::uint8_t>(c));
      if (after == kDead) break;
    }
    std::vector<Left> todo;
    if (after != kDead) todo.push_back({at, after, bytes});
    while (!todo.empty()) {
      Left left = std::move(todo.back());
      todo.pop_back();
      const ByteTrie::Node& here = trie.nodes[left.at];
      if (here.first_token < here.last_token) made.unsure.emplace_back(left.at, left.bytes);
      for (std::uint32_t child = here.first_child; child < here.last_child; ++child) {
        const StateId next = step(left.state, trie.bytes[child]);
        if (next == kDead) continue;
        todo.push_back({child, next, left.bytes + static_cast<char>(trie.bytes[child])});
      }
    }
  }
  slot = enough_.find(state);  // steps may have come here
  slot->second = std::move(made);
  return &*slot->second;
}

}  // namespace slm

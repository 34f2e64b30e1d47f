#include "core/masks.h"

#include <algorithm>
#include <cstring>

namespace slm {

void walk_trie(const ByteTrie& trie, Recogniser& recogniser, StateId state, Mask mask) {
  std::vector<TokenId> tokens;
  recogniser.walk_by_steps(trie, trie.nodes[0].first_child, trie.nodes[0].last_child, state,
                           tokens);
  for (TokenId token : tokens) set_bit(mask, token);
}

MaskMemo::MaskMemo(const TokenTrie& trie, TerminalTables& shared, Recogniser& recogniser,
                   std::size_t max_bytes)
    : trie_(trie),
      shared_(shared),
      recogniser_(recogniser),
      words_((trie.vocabulary() + 31) / 32),
      max_bytes_(max_bytes) {}

void MaskMemo::fill(StateId state, Mask row) {
  if (knows(state)) {
    ++hits_;
  } else {
    ++misses_;
    Remembered made = make(state);
    std::size_t size = sizeof(Remembered) + (made.own ? words_ * 4 : 0) +
                       (made.with.capacity() + made.without.capacity()) * sizeof(TokenId);
    if (bytes_ + size > max_bytes_) {  // start over: simple, and rare
      masks_.resize(1);
      of_state_.clear();
      crossings_.clear();
      bytes_ = 0;
    }
    bytes_ += size;
    if (state >= of_state_.size()) of_state_.resize(recogniser_.states(), 0);
    of_state_[state] = static_cast<std::uint32_t>(masks_.size());
    masks_.push_back(std::move(made));
  }
  Remembered& mask = masks_[of_state_[state]];
  if (++mask.hits > kAgain && mask.with.size() + mask.without.size() >= kMany) compose(mask);
  if (mask.base != nullptr) {
    std::memcpy(row.data(), mask.base, words_ * 4);
  } else {
    std::memset(row.data(), 0, words_ * 4);
  }
  for (TokenId token : mask.without) clear_bit(row, token);
  for (TokenId token : mask.with) set_bit(row, token);
}

MaskMemo::Remembered MaskMemo::make(StateId state) {
  Remembered made;
  if (recogniser_.makes_masks()) {
    made.own = std::make_unique<std::uint32_t[]>(words_);
    made.base = made.own.get();
    recogniser_.make_mask(state, {made.own.get(), words_});
    return made;
  }
  std::span<const Part> span = recogniser_.parts(state);
  if (span.size() == 1 && span[0].node == kNothing) {
    walk(state, made);
  } else {
    for (const Part& part : std::vector<Part>(span.begin(), span.end())) {
      Remembered one;
      if (part.node != kNothing) {
        add_terminal(part, one);
      } else {
        walk(part.state, one);
      }
      join(made, std::move(one));
    }
  }
  if (made.with.size() + made.without.size() > words_ / 4) own_base(made);
  made.with.shrink_to_fit();
  return made;
}

/// All that a walk finds. Many tokens are a mask at once: a list would only be made to be read
/// again.
void MaskMemo::walk(StateId state, Remembered& made) {
  const ByteTrie& trie = trie_.trie();
  walked_.clear();
  recogniser_.walk(trie, trie.nodes[0].first_child, trie.nodes[0].last_child, state, walked_);
  if (walked_.size() > words_ / 4) {
    own_base(made);
    for (TokenId token : walked_) set_bit({made.own.get(), words_}, token);
  } else {
    made.with.assign(walked_.begin(), walked_.end());
  }
}

/// Gives a mask a base of its own, with everything in it.
void MaskMemo::own_base(Remembered& made) {
  auto own = std::make_unique<std::uint32_t[]>(words_);
  Mask mask{own.get(), words_};
  if (made.base != nullptr) std::memcpy(own.get(), made.base, words_ * 4);
  for (TokenId token : made.without) clear_bit(mask, token);
  for (TokenId token : made.with) set_bit(mask, token);
  made.without.clear();
  made.with.clear();
  made.own = std::move(own);
  made.base = made.own.get();
}

/// States differ in where they go on, and much less in which tokens they allow: the mask with all
/// in it is one for many states and grammars. A hit must not wait: not now if the tables are in
/// use.
void MaskMemo::compose(Remembered& made) {
  if (made.base == nullptr || made.own) return;
  std::unique_lock lock(shared_.mutex, std::try_to_lock);
  if (!lock.owns_lock()) return;
  const std::uint32_t* shared = shared_.composed(made.base, made.without, made.with);
  if (shared == nullptr) return;
  made.base = shared;
  made.without.clear();
  made.with.clear();
}

void MaskMemo::join(Remembered& into, Remembered&& part) {
  if (into.base == nullptr && into.without.empty()) {
    std::swap(into.with, part.with);
    into.base = part.base;
    into.own = std::move(part.own);
    into.without = std::move(part.without);
  } else if (part.base != nullptr && !join_bases(into, part)) {
    own_base(into);
    own_base(part);
    for (std::size_t w = 0; w < words_; ++w) into.own[w] |= part.own[w];
  }
  into.with.insert(into.with.end(), part.with.begin(), part.with.end());
}

/// Takes the part's base in without a copy, where both are of tables. What one of the two leaves
/// out and the other has is not left out.
bool MaskMemo::join_bases(Remembered& into, const Remembered& part) {
  bool shared = into.base != nullptr && !into.own && !part.own;
  if (!shared || (!into.without.empty() && !part.without.empty())) return false;
  const std::uint32_t* both;
  {
    std::lock_guard lock(shared_.mutex);
    both = shared_.joined(into.base, part.base);
  }
  if (both == nullptr) return false;
  const std::uint32_t* other = into.without.empty() ? into.base : part.base;
  if (into.without.empty()) into.without = part.without;
  std::erase_if(into.without,
                [&](TokenId token) { return (other[token >> 5] >> (token & 31) & 1) != 0; });
  into.base = both;
  return true;
}

/// The tokens that stay in the part's terminal, from its table; and those that end it, by what they
/// have left there.
void MaskMemo::add_terminal(const Part& part, Remembered& made) {
  TerminalTables::Found found;
  const std::vector<TokenId>* excluded = nullptr;
  bool usable;
  {
    std::unique_lock lock(shared_.mutex);
    if (shared_.pool.is_label(part.node)) {
      lock.unlock();
      return add_label(part, made);
    }
    bool apart = part.wider != kNothing && shared_.pool.excludes_words(part.node);
    found = shared_.find(apart ? part.wider : part.node);
    usable = found.table != nullptr;
    if (usable && apart) {
      excluded = shared_.exclusions(part.node, part.wider);
      if (excluded == nullptr) {  // all in one then
        found = shared_.find(part.node);
        usable = found.table != nullptr;
      }
    }
    // Where the loop can end anywhere, what follows must not look like another round of it.
    if (usable && found.table->may_end) {
      const ByteSet& follows = recogniser_.first_bytes(part.after);
      usable = (follows & found.table->loop->first_bytes()).none();
    }
  }
  if (!usable) {
    walk(recogniser_.state_of(part), made);
    return;
  }
  const TerminalTable& table = *found.table;
  std::uint32_t low = static_cast<std::uint32_t>(found.low);
  std::uint32_t high = found.high == kNoBound ? ~0u : static_cast<std::uint32_t>(found.high);
  auto fits = [&](std::uint32_t rounds) { return low <= rounds && rounds <= high; };
  if (table.loop == nullptr) {
    if (!table.mask.empty()) made.base = table.mask.data();
    made.with = table.tokens;
  } else {
    std::lock_guard lock(shared_.mutex);
    made.base = high == ~0u ? table.loop->stay().data() : table.loop->stay_within(high).data();
  }
  for (const TerminalTable* each : {found.table, found.longer}) {
    if (each == nullptr) continue;
    if (each != found.table) {
      made.with.insert(made.with.end(), each->tokens.begin(), each->tokens.end());
    }
    const std::vector<TokenId>& crossed = crossing(each->remainders, part.after);
    if (crossed.size() > words_ / 4) own_base(made);
    if (!made.own) made.with.reserve(made.with.size() + each->left.size() + crossed.size());
    for (auto [token, rounds] : each->left) {
      if (fits(rounds)) add(token, made);
    }
    for (TokenId at : crossed) {
      auto [token, rounds] = each->crossing[at];
      if (fits(rounds)) add(token, made);
    }
  }
  if (table.may_end) {
    const ByteSet follows = recogniser_.first_bytes(part.after);
    for (std::size_t b = 0; b < 256; ++b) {
      if (!follows[b]) continue;
      const LoopTable::Exits* exits;
      {
        std::lock_guard lock(shared_.mutex);
        exits = &table.loop->exits(static_cast<std::uint8_t>(b));
      }
      for (TokenId at : crossing(exits->remainders, part.after)) {
        const LoopTable::Exit& exit = exits->tokens[at];
        if (fits(exit.rounds)) add(exit.token, made);
      }
    }
  }
  if (excluded != nullptr) exclude(*excluded, made);
}

/// The places in a table's list whose remainders keep the state after the terminal alive. Valid
/// until the next call.
const std::vector<TokenId>& MaskMemo::crossing(const ByteTrie& remainders, StateId after) {
  static const std::vector<TokenId> nothing;
  const ByteTrie::Node& root = remainders.nodes[0];
  if (root.first_child == root.last_child) return nothing;
  auto [found, fresh] = crossings_.try_emplace({&remainders, after});
  std::vector<TokenId>& kept = found->second;
  if (!fresh) return kept;
  walked_.clear();
  recogniser_.walk(remainders, root.first_child, root.last_child, after, walked_);
  if (walked_.size() > kMaxKept) {
    crossings_.erase(found);
    return walked_;
  }
  kept.assign(walked_.begin(), walked_.end());
  bytes_ += sizeof(*found) + kept.capacity() * sizeof(TokenId);
  return kept;
}

void MaskMemo::exclude(const std::vector<TokenId>& excluded, Remembered& part) {
  if (excluded.empty()) return;
  if (scratch_.empty()) scratch_.assign(words_, 0);
  Mask out{scratch_};
  for (TokenId token : excluded) set_bit(out, token);
  std::erase_if(part.with,
                [&](TokenId token) { return (out[token >> 5] >> (token & 31) & 1) != 0; });
  for (TokenId token : excluded) clear_bit(out, token);
  if (part.base != nullptr) part.without = excluded;
}

}  // namespace slm

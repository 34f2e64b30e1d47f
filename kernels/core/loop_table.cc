#include "core/loop_table.h"

#include <algorithm>
#include <bit>

namespace slm {

std::unique_ptr<LoopTable> LoopTable::make(RegexPool& pool, const TokenIndex& index, NodeId body) {
  if (pool.nullable(body) || !pool.is_prefix_code(body)) return nullptr;
  return std::unique_ptr<LoopTable>(new LoopTable(pool, index, body));
}

LoopTable::LoopTable(RegexPool& pool, const TokenIndex& index, NodeId body)
    : pool_(pool),
      index_(index),
      body_(body),
      chars_(pool.single_characters(body)),
      first_(pool.first_bytes(body)),
      stay_(index.made_of(chars_)) {
  // Tokens with anything but those characters stay if they run through other rounds. Where few
  // bytes begin those, few tokens hold one; else they are found from place to place in the trie,
  // which comes to no token that leaves the loop early.
  std::size_t holders = 0;
  ByteSet others;
  for (std::size_t b = 0; b < 256; ++b) {
    std::uint8_t byte = static_cast<std::uint8_t>(b);
    others[b] = first_[b] && !chars_.has(byte);
    if (others[b]) holders += index.holding(byte).size();
  }
  if (holders > index.trie().vocabulary() / 8) {
    find_by_trie();
  } else {
    find_by_holders(others);
  }
  for (std::uint32_t word : stay_) staying_ += static_cast<std::size_t>(std::popcount(word));
}

void LoopTable::find_by_holders(const ByteSet& bytes) {
  std::vector<TokenId> doubtful;
  auto add = [&](std::span<const TokenId> tokens) {
    doubtful.insert(doubtful.end(), tokens.begin(), tokens.end());
  };
  for (std::size_t b = 0; b < 256; ++b) {
    if (bytes[b]) add(index_.holding(static_cast<std::uint8_t>(b)));
  }
  if ((first_ >> 128).any()) add(index_.ragged());
  std::sort(doubtful.begin(), doubtful.end());
  doubtful.erase(std::unique(doubtful.begin(), doubtful.end()), doubtful.end());
  for (TokenId token : doubtful) {
    Run ran = run(index_.trie().bytes_of(token));
    if (ran.end == End::kInside) add_staying(token, ran);
  }
}

void LoopTable::find_by_trie() {
  const ByteTrie& trie = index_.trie().trie();
  struct Place {
    std::uint32_t node, depth;
    std::uint32_t characters;
    Run ran;
    NodeId left;  // of the round that is being read
  };
  std::vector<Place> places{{0, 0, 0, {0, 0, End::kInside, true}, kEpsilon}};
  while (!places.empty()) {
    Place place = places.back();
    places.pop_back();
    const ByteTrie::Node& here = trie.nodes[place.node];
    for (std::uint32_t child = here.first_child; child < here.last_child; ++child) {
      std::uint8_t byte = trie.bytes[child];
      const bool begins = (byte & 0xC0) != 0x80;
      Place next{child, place.depth + 1, place.characters + begins, place.ran, place.left};
      if (place.left == kEpsilon) {
        if (!first_[byte]) continue;
        ++next.ran.rounds;
        next.ran.offset = place.depth;
        next.left = body_;
      }
      bool alone = next.left == body_ && byte < 128 && chars_.has(byte);
      next.left = alone ? kEpsilon : pool_.step(next.left, byte);
      if (next.left == kNothing) continue;
      next.ran.whole = next.left == kEpsilon;
      const ByteTrie::Node& at = trie.nodes[child];
      for (std::uint32_t t = at.first_token; t < at.last_token; ++t) {
        add_staying(trie.tokens[t], next.ran);
      }
      if (at.first_child == at.last_child) continue;
      // What is made of the characters has as many rounds as characters.
      const bool even = next.ran.whole && next.ran.rounds == next.characters;
      if (even && trie.consists_of(child, chars_)) {
        for (std::uint32_t t = at.last_token; t < at.subtree_last_token; ++t) {
          stay_[trie.tokens[t] >> 5] |= 1u << (trie.tokens[t] & 31);
        }
        continue;
      }
      places.push_back(next);
    }
  }
  std::sort(odd_.begin(), odd_.end());
  std::sort(unfinished_.begin(), unfinished_.end(),
            [](const Exit& one, const Exit& other) { return one.token < other.token; });
}

void LoopTable::add_staying(TokenId token, const Run& ran) {
  stay_[token >> 5] |= 1u << (token & 31);
  if (ran.rounds != index_.characters(token)) odd_.emplace_back(token, ran.rounds);
  if (!ran.whole && ran.offset > 0) {
    unfinished_.push_back({token, static_cast<std::uint16_t>(ran.offset),
                           static_cast<std::uint16_t>(ran.rounds - 1)});
  }
}

LoopTable::Run LoopTable::run(std::string_view bytes) {
  Run ran{0, 0, End::kInside, true};
  for (std::size_t i = 0; i < bytes.size();) {
    ran.offset = i;  // where the round begins
    std::uint8_t byte = static_cast<std::uint8_t>(bytes[i]);
    if (byte < 128 && chars_.has(byte)) {
      ++ran.rounds;
      ++i;
      continue;
    }
    if (!first_[byte]) {
      ran.end = End::kLeft;
      return ran;
    }
    ++ran.rounds;
    NodeId left = body_;
    do {
      left = pool_.step(left, static_cast<std::uint8_t>(bytes[i]));
      if (left == kNothing) {  // no round after all
        ran.end = End::kLeft;
        --ran.rounds;
        return ran;
      }
      ++i;
    } while (left != kEpsilon && i < bytes.size());
    ran.whole = left == kEpsilon;
  }
  return ran;
}

std::span<const std::uint32_t> LoopTable::stay_within(std::size_t rounds) {
  if (rounds >= index_.trie().longest()) return stay_;
  auto [found, fresh] = within_.try_emplace(rounds);
  std::vector<std::uint32_t>& mask = found->second;
  if (fresh) {
    mask = stay_;
    index_.keep_short(mask, rounds);
    for (auto [token, count] : odd_) {
      std::uint32_t bit = 1u << (token & 31);
      mask[token >> 5] = count <= rounds ? mask[token >> 5] | bit : mask[token >> 5] & ~bit;
    }
  }
  return mask;
}

const LoopTable::Exits& LoopTable::exits(std::uint8_t byte) {
  auto [found, fresh] = exits_.try_emplace(byte);
  Exits& exits = found->second;
  if (!fresh) return exits;
  std::vector<ByteTrie::Entry> remainders;
  for (TokenId token : index_.holding(byte)) {
    std::string_view bytes = index_.trie().bytes_of(token);
    Run ran = run(bytes);
    if (ran.end != End::kLeft || ran.offset == 0) continue;
    if (static_cast<std::uint8_t>(bytes[ran.offset]) != byte) continue;
    remainders.emplace_back(bytes.substr(ran.offset),
                            static_cast<std::uint32_t>(exits.tokens.size()));
    exits.tokens.push_back(
        {token, static_cast<std::uint16_t>(ran.offset), static_cast<std::uint16_t>(ran.rounds)});
  }
  exits.remainders = ByteTrie::build(std::move(remainders));
  return exits;
}

std::size_t LoopTable::bytes() const noexcept {
  std::size_t total =
      stay_.size() * 4 * (1 + within_.size()) + odd_.size() * 8 + unfinished_.size() * sizeof(Exit);
  for (const auto& [byte, exits] : exits_) {
    total += exits.tokens.size() * sizeof(Exit) + exits.remainders.bytes_held();
  }
  return total;
}

}  // namespace slm

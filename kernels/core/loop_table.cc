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
  // Tokens with anything but those characters stay if they run through other rounds.
  std::vector<TokenId> doubtful;
  auto add = [&](std::span<const TokenId> tokens) {
    doubtful.insert(doubtful.end(), tokens.begin(), tokens.end());
  };
  for (std::size_t b = 0; b < 256; ++b) {
    std::uint8_t byte = static_cast<std::uint8_t>(b);
    if (first_[b] && !chars_.has(byte)) add(index.holding(byte));
  }
  if ((first_ >> 128).any()) add(index.ragged());
  std::sort(doubtful.begin(), doubtful.end());
  doubtful.erase(std::unique(doubtful.begin(), doubtful.end()), doubtful.end());
  for (TokenId token : doubtful) {
    Run ran = run(index.trie().bytes_of(token));
    if (ran.end != End::kInside) continue;
    stay_[token >> 5] |= 1u << (token & 31);
    if (ran.rounds != index.characters(token)) odd_.emplace_back(token, ran.rounds);
    if (!ran.whole && ran.offset > 0) {
      unfinished_.push_back({token, static_cast<std::uint16_t>(ran.offset),
                             static_cast<std::uint16_t>(ran.rounds - 1)});
    }
  }
  for (std::uint32_t word : stay_) staying_ += static_cast<std::size_t>(std::popcount(word));
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

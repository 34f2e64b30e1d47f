// What `X*` makes of a vocabulary, for an expression X whose rounds can be told apart.
//
// Inside a JSON string nearly every token is allowed, and a walk over the trie would visit all of
// it to find that out. X is a prefix code when no text of it is the beginning of another; then a
// text splits into rounds of X in one way only, and everything about a token is known from X alone:
// whether it stays in the loop, after how many rounds, or at which place it leaves and by which
// byte. What comes before the loop, after it, and its bounds do not matter, so a table serves all
// grammars of a vocabulary.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

#include "core/char_class.h"
#include "core/regex.h"
#include "core/token_index.h"
#include "core/trie.h"

namespace slm {

/// Tables are made when first asked for; the owner sees to locks.
class LoopTable {
 public:
  /// A token that leaves the loop: its first `offset` bytes are so many whole rounds, one at least,
  /// and those after them are no other.
  struct Exit {
    TokenId token;
    std::uint16_t offset, rounds;
  };

  /// The table of a body, or nullptr when it is no prefix code or begins in too many ways.
  static std::unique_ptr<LoopTable> make(RegexPool& pool, const TokenIndex& index, NodeId body);

  /// The mask of the tokens that stay: whole rounds, and at the end perhaps the beginning of one.
  std::span<const std::uint32_t> stay() const noexcept { return stay_; }

  /// How many those are.
  std::size_t staying() const noexcept { return staying_; }

  /// Those of them that begin at most so many rounds.
  std::span<const std::uint32_t> stay_within(std::size_t rounds);

  /// Tokens that stay, and end inside a round: their first `offset` bytes are so many whole rounds,
  /// one at least, and those after them might begin something else as well.
  std::span<const Exit> unfinished() const noexcept { return unfinished_; }

  /// The tokens that leave by this byte, and the trie of what they have from that byte on, in which
  /// an entry is a place in the list.
  struct Exits {
    std::vector<Exit> tokens;
    ByteTrie remainders;
  };
  const Exits& exits(std::uint8_t byte);

  /// The bytes that begin a round.
  const ByteSet& first_bytes() const noexcept { return first_; }

  std::size_t bytes() const noexcept;

 private:
  enum class End : std::uint8_t { kInside, kLeft };
  struct Run {
    std::uint32_t rounds;
    std::size_t offset;  // where the last round begins
    End end;
    bool whole;  // that round is
  };

  LoopTable(RegexPool& pool, const TokenIndex& index, NodeId body);
  Run run(std::string_view bytes);
  void find_by_holders(const ByteSet& bytes);
  void find_by_trie();
  void add_staying(TokenId token, const Run& ran);

  RegexPool& pool_;
  const TokenIndex& index_;
  NodeId body_;
  CharClass chars_;  // each of these is a round, and begins no other
  ByteSet first_;
  std::vector<std::uint32_t> stay_;
  std::size_t staying_ = 0;
  std::vector<std::pair<TokenId, std::uint32_t>> odd_;  // tokens that stay: rounds, not characters
  std::vector<Exit> unfinished_;
  std::map<std::size_t, std::vector<std::uint32_t>> within_;
  std::map<std::uint8_t, Exits> exits_;
};

}  // namespace slm

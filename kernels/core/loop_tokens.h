// What tokens do in a loop `X{low,high}` and then a tail, wherever its counter is.
//
// The counter makes a state of every place of a text, and the fewest tokens from each of them would
// be a search of its own. But when X is a prefix code and the tail begins with none of its bytes,
// a text falls into rounds in one way only, and a token does one of three things: it stays, after
// some number of rounds; it leaves for the tail; or the tail ends within it. None of that depends
// on the counter, so it is found by one walk over the trie, and the fewest tokens that pass some
// number of rounds are sums: one table of numbers by rounds, for all places, bounds and contexts.
#pragma once

#include <cstdint>
#include <span>
#include <unordered_map>
#include <utility>
#include <vector>

#include "core/cost.h"
#include "core/phases.h"
#include "core/regex.h"

namespace slm {

/// The tokens of a vocabulary beside one loop. The owner sees to locks.
class LoopTokens {
 public:
  using Place = std::uint32_t;  // kAround, or inside of a round
  static constexpr Place kAround = 0;
  static constexpr std::uint32_t kNever = 0xFFFFFFFFu;

  /// Tokens that stay, pass so many rounds (that of the place they end in is one of them, that of
  /// the place they begin in is not), and end in a place: `tokens[first, last)`.
  struct Stay {
    Place to;
    std::uint32_t rounds, first, last;
  };
  /// Tokens that pass so many rounds and end in the tail, with this left of it.
  struct Leave {
    std::uint32_t rounds;
    NodeId left;
    std::uint32_t first, last;
  };
  /// Phases in which the tail may be over, after so many rounds: `phases[first, last)`.
  struct Exit {
    std::uint32_t rounds, first, last;
    std::uint32_t detour;  // the longest of theirs
  };
  struct Moves {
    std::vector<Stay> stays;    // by place and rounds
    std::vector<Leave> leaves;  // by rounds
    std::vector<Exit> exits;    // by rounds
    std::vector<TokenId> tokens;
    std::vector<Phase> phases;
  };

  /// Whether the rounds of a loop can be told apart, and from its tail.
  static bool suits(RegexPool& pool, const RegexPool::Loop& loop);

  /// Invariant: `suits`, and the detours of the phases are measured.
  /// Cost: a walk over the trie as far as the loop and its tail go, and one for each place.
  LoopTokens(RegexPool& pool, const TokenPhases& phases, const RegexPool::Loop& loop);

  /// Whether all places are known: a round may be cut in too many ways.
  bool complete() const noexcept { return complete_; }

  NodeId body() const noexcept { return body_; }
  NodeId tail() const noexcept { return tail_; }
  bool may_end() const noexcept { return may_end_; }  // the tail can be empty

  /// The place with this left of a round; kNever: none that a token ends in.
  Place place_of(NodeId left) const;
  NodeId left_of(Place place) const noexcept { return places_[place]; }
  std::size_t places() const noexcept { return places_.size(); }

  /// What a token does from a place.
  const Moves& moves(Place place) const noexcept { return moves_[place]; }

  /// The fewest tokens from a place to another that pass at least `low` rounds, and at most `high`
  /// (kNoBound: any number); kNever when none do.
  ///
  /// Cost: a look-up, once tables reach so far. Throws TooComplex where they would be too large.
  std::uint32_t fewest(Place from, Place to, std::int64_t low, std::int64_t high);

  std::size_t bytes() const noexcept;

  static constexpr std::size_t kMaxPlaces = 256;
  static constexpr std::size_t kMaxBytes = 64u << 20;  // of numbers

 private:
  using Numbers = std::vector<std::uint32_t>;  // [rounds * places + place]
  /// From one place.
  struct Table {
    Numbers exactly, at_least, at_most;
    std::unordered_map<std::uint32_t, Numbers> within;  // by width: from so many rounds on
  };
  struct Edge {
    Place from, to;
    std::uint32_t rounds;
  };

  Place add_place(NodeId left);
  void find_moves(Place from);
  void grow(Numbers& numbers, Place from, std::size_t rounds, bool more_is_fine);
  const Numbers& windows(Table& table, std::size_t rounds, std::uint32_t width);

  RegexPool& pool_;
  const TokenPhases& phases_;
  NodeId body_, tail_;
  bool may_end_, complete_ = true;
  std::vector<NodeId> places_;
  std::unordered_map<NodeId, Place> place_of_;
  std::vector<Moves> moves_;
  std::vector<Edge> edges_;    // that pass rounds
  std::vector<Edge> longest_;  // of those between two places the one that passes most
  std::vector<Edge> inner_;    // that pass none
  std::vector<Table> tables_;
  std::size_t numbers_ = 0;
};

}  // namespace slm

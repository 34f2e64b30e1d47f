// What walks over tokens come to, by shape: the part of a mask that no two rows of one shape differ
// in.
//
// A walk from a row asks for what the row waits for, and that is its shape's. Only when a rule ends
// that began in an earlier row, that row matters, and of it again its shape. So a walk is cut
// there: what is found before depends on a shape alone and is remembered for it; and nodes of the
// trie at which the rule ended are a walk of their own, from the row behind the rule. In texts of
// one grammar nearly all shapes are known, and a mask is a few such pieces put together, whatever
// the rows are.
#pragma once

#include <compare>
#include <cstdint>
#include <memory>
#include <span>
#include <utility>
#include <vector>

#include "core/flat_map.h"
#include "core/hash.h"
#include "core/lexer.h"
#include "core/shapes.h"
#include "core/trie.h"

namespace slm {

/// Tables of walks. Those of one grammar; they refer to tries, which have to outlive them.
class ShapeWalks {
 public:
  using PlaceId = std::uint32_t;  // some nodes of a trie, whose children are walked

  /// A rule ended that began in an earlier row; the walk goes on from the row behind it.
  struct Exit {
    std::uint32_t ended;   // a rule; or with kSelf a set of terminals
    std::uint32_t origin;  // of the shape's; kSelf: the row that the walk began in
    ObligationId obligation;
    PlaceId place;
    auto operator<=>(const Exit&) const = default;
  };
  static constexpr std::uint32_t kSelf = ~std::uint32_t{0};
  static constexpr ShapeId kAnyShape = ~ShapeId{0};
  /// Invariant: from a row of the shape, the tokens below the place that live are those of `runs`,
  /// and those that the exits' walks find.
  struct Table {
    bool made = false;
    bool usable = false;     // else there was too much for one
    std::uint32_t runs = 0;  // a number in runs_
    std::vector<Exit> exits;
  };
  /// Where a table begins.
  struct From {
    PlaceId place;
    ShapeId shape;  // kAnyShape: only as far as what is being read does not end
    LexId lexer;
    ObligationId obligation;
  };

  const ByteTrie& trie(PlaceId place) const noexcept { return *tries_[places_.words(place)[0]]; }
  std::span<const std::uint32_t> nodes(PlaceId place) const noexcept {
    return places_.words(place).subspan(1);
  }
  PlaceId place(const ByteTrie& trie, std::span<const std::uint32_t> nodes);
  /// The tokens below it; those below two of its nodes count twice.
  std::size_t tokens(PlaceId place) const noexcept { return tokens_[place]; }

  /// The place as far as it goes on with one of some bytes. Where it is many nodes with few tokens,
  /// in a trie of its own: what many tokens end with is walked once.
  /// kNowhere when it does not. `lexer`: a state with those bytes.
  PlaceId gathered(PlaceId place, LexId lexer, const ByteSet& first);
  static constexpr PlaceId kNowhere = FlatMap::kAbsent - 1;

  /// The number of a table, and whether nobody has asked for it before.
  std::pair<std::uint32_t, bool> find(const From& from);
  /// Where it begins.
  From from(std::uint32_t number) const noexcept {
    const std::span<const std::uint32_t> key = keys_.words(number);
    return {key[0], key[1], key[2], key[3]};
  }
  const Table& table(std::uint32_t number) const noexcept { return tables_[number]; }
  void put(std::uint32_t number, Table table);

  /// Tokens as stretches of the trie's list of them: from, to, from, to, …
  std::uint32_t add_runs(std::vector<std::pair<std::uint32_t, std::uint32_t>>& runs);
  std::span<const std::uint32_t> runs(std::uint32_t number) const noexcept {
    return runs_.words(number);
  }

  std::size_t bytes() const noexcept {
    return bytes_ + places_.bytes() + goes_on_.bytes() + gathers_.bytes() + keys_.bytes() +
           runs_.bytes();
  }

 private:
  PlaceId gather(PlaceId place, const ByteSet& first);

  std::vector<const ByteTrie*> tries_;
  FlatMap trie_numbers_;  // by address
  std::vector<std::unique_ptr<ByteTrie>> own_;
  FlatMap goes_on_;       // by place and lexer state: a place
  SequencePool gathers_;  // a place, then bytes
  std::vector<PlaceId> gathered_;
  SequencePool places_;              // the trie's number, then nodes
  std::vector<std::size_t> tokens_;  // by place
  SequencePool keys_;                // From, numbered as tables_
  SequencePool runs_;
  std::vector<Table> tables_;
  std::vector<std::uint32_t> key_;
  std::size_t bytes_ = 0;
};

}  // namespace slm

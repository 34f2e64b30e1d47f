// Sets of terminals that begin with fixed texts, read all at once.
//
// An object of two thousand optional members waits for any of two thousand names. Read one by one,
// every byte costs two thousand derivatives, in each of the states that a member more or less
// makes. But the names are sorted once, and those that begin with what was read are a stretch of
// that order: a byte narrows the stretch. A set is a bitmap beside the order, for the sets of one
// object are subsets of each other.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "core/char_class.h"
#include "core/grammar.h"
#include "core/hash.h"
#include "core/regex.h"

namespace slm {

/// Stretches of sorted terminals, and single ones. Guarded by the lock of the shared expressions,
/// but for what is const.
class LiteralSets {
 public:
  using StretchId = std::uint32_t;
  using Pairs = std::vector<std::pair<TerminalId, NodeId>>;

  /// So many terminals are better read one by one from the start; and so many of a stretch, for
  /// then the states of different sets become equal.
  static constexpr std::size_t kFew = 16, kLast = 4;
  /// A terminal by itself whose head has so many bytes left is the number of those read, with
  /// `kFixed`, in place of an expression: what nobody reads as far as that is never made.
  static constexpr std::size_t kEnough = 4;
  static constexpr std::uint32_t kFixed = 0x80000000u;
  static bool is_fixed(NodeId node) noexcept { return (node & kFixed) != 0; }

  LiteralSets(RegexPool& regexes, GrammarTables& grammar) : regexes_(regexes), grammar_(grammar) {}

  /// A stretch of all the terminals that begin with a fixed text, if they are more than a few, and
  /// the other terminals, sorted, before their first byte.
  struct Start {
    bool some = false;
    StretchId stretch = 0;
  };
  Start start(std::span<const TerminalId> terminals, Pairs& others);

  /// What is left of a stretch after one more byte: another, if that is more than a few terminals;
  /// others, unsorted, go to `pairs`.
  Start step(StretchId stretch, std::uint8_t byte, Pairs& pairs);

  /// The byte that must follow, and what is left after it, of a terminal by itself.
  std::uint8_t next_byte(TerminalId terminal, NodeId fixed) const {
    return static_cast<std::uint8_t>(heads_[terminal][fixed & ~kFixed]);
  }
  NodeId after_next(TerminalId terminal, NodeId fixed) {
    return alone(terminal, (fixed & ~kFixed) + 1);
  }
  /// The expression that it stands for.
  NodeId expression(TerminalId terminal, NodeId fixed) { return left(terminal, fixed & ~kFixed); }

  /// Exactly the bytes that can follow.
  ByteSet first_bytes(StretchId stretch) const;

  /// All its terminals and what is left of them, unsorted.
  void expand(StretchId stretch, Pairs& pairs);

  std::size_t bytes() const noexcept;

 private:
  /// Terminals sorted by their heads.
  struct Order {
    std::vector<TerminalId> terminals;
  };
  struct Place {
    std::uint32_t order, at;
  };
  /// The members of a set at places [low, high) of its order, which all begin with the same
  /// `depth` bytes and have more.
  struct Stretch {
    std::uint32_t set, low, high, depth;
  };

  const std::string& head(TerminalId terminal);
  /// What must follow after so many bytes of the terminal's head, maybe as a fixed one.
  NodeId alone(TerminalId terminal, std::uint32_t depth) {
    bool fixed = heads_[terminal].size() - depth >= kEnough;
    return fixed ? kFixed | depth : left(terminal, depth);
  }
  /// The same as an expression.
  NodeId left(TerminalId terminal, std::uint32_t depth);
  bool is_member(std::uint32_t set, std::uint32_t at) const {
    std::span<const std::uint32_t> words = sets_.words(set);
    return (words[2 + (at >> 5) - words[1]] >> (at & 31) & 1) != 0;
  }
  /// The first member at or after `at` and below `high`, or `high`.
  std::uint32_t member_from(std::uint32_t set, std::uint32_t at, std::uint32_t high) const;
  /// The same from its first member to its last, with a set of just these: from where sets do not
  /// differ any more, their states are the same.
  Stretch cut(Stretch stretch);
  const Order& order_of(std::uint32_t set) const { return orders_[sets_.words(set)[0]]; }
  std::uint8_t byte_at(const Order& order, std::uint32_t at, std::uint32_t depth) const {
    return static_cast<std::uint8_t>(heads_[order.terminals[at]][depth]);
  }
  std::uint32_t set_of(std::span<const TerminalId> terminals);
  Start narrow(Stretch stretch, Pairs& pairs);
  Stretch stretch(StretchId id) const {
    std::span<const std::uint32_t> words = stretches_.words(id);
    return {words[0], words[1], words[2], words[3]};
  }

  RegexPool& regexes_;
  GrammarTables& grammar_;
  std::vector<std::string> heads_;  // by terminal
  std::vector<bool> knows_head_;    // by terminal
  std::vector<Place> places_;       // by terminal: in the latest order that has it
  std::vector<Order> orders_;
  // A place in orders_; then bits for the terminals there, and before them the number of the first
  // 32 of them that are kept.
  SequencePool sets_;
  SequencePool stretches_;            // set, low, high, depth
  std::vector<std::uint32_t> words_;  // scratch of cut
};

}  // namespace slm

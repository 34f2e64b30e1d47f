// Regular languages over UTF-8 bytes, as hash-consed expressions stepped by derivatives.
//
// An expression is a state: `step(node, byte)` is the Brzozowski derivative, again a node. Equal
// expressions are the same node, so the automaton determinises itself lazily; union, intersection
// and complement are free; and a bounded repetition is a node with two numbers, never copies.
//
// Code points become bytes in one place: the derivative of a set of code points by a lead byte is
// `Rest`, the set of what the remaining continuation bytes may spell.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <unordered_map>
#include <utility>
#include <vector>

#include "core/cost.h"
#include "core/error.h"
#include "core/flat_map.h"
#include "core/hash.h"
#include "core/loops.h"

namespace slm {

using NodeId = std::uint32_t;

inline constexpr NodeId kNothing = 0;  // no text
inline constexpr NodeId kEpsilon = 1;  // only the empty text
inline constexpr std::int32_t kNoBound = -1;

/// A sorted list of disjoint inclusive ranges.
using Ranges = std::vector<std::pair<std::uint32_t, std::uint32_t>>;

/// Owns all expressions of one grammar.
///
/// Invariants: children exist before their parents; a node is never changed; every constructor
/// simplifies, so a node without booleans in it is `kNothing` if and only if its language is empty.
/// Limits: throws TooComplex past `kMaxNodes` nodes or `kMaxDepth` nested derivative calls.
class RegexPool {
 public:
  static constexpr std::size_t kMaxNodes = 8'000'000;
  // A level takes up to half a kilobyte of stack, and threads with 512 KB of it are common.
  static constexpr int kMaxDepth = 1'000;

  RegexPool();

  NodeId chars(const Ranges& code_points);
  NodeId concat(NodeId first, NodeId second);
  NodeId concat(std::span<const NodeId> parts);
  NodeId alternate(std::vector<NodeId> options);
  NodeId repeat(NodeId body, std::int32_t low, std::int32_t high);
  NodeId intersect(std::vector<NodeId> parts);
  NodeId complement(NodeId body);

  /// An explicit automaton over code points. Call `new_dfa`, then `set_dfa_state` for each state;
  /// `dfa_state` names a state, whether it is already set or not.
  std::uint32_t new_dfa(std::uint32_t states);
  NodeId dfa_state(std::uint32_t dfa, std::uint32_t state);
  void set_dfa_state(std::uint32_t dfa, std::uint32_t state, bool accepting,
                     std::span<const std::pair<NodeId, std::uint32_t>> edges);

  bool nullable(NodeId node) const noexcept { return nodes_[node].nullable; }

  /// Without intersections, complements and automata.
  bool is_plain(NodeId node) const noexcept { return !nodes_[node].boolean; }

  /// The derivative: what must follow after `byte`.
  NodeId step(NodeId node, std::uint8_t byte);

  /// Whether any text is in the language. Exact; searches only below intersections and complements.
  bool alive(NodeId node);

  /// Whether any text but the empty one is in the language.
  bool can_continue(NodeId node);

  /// A superset of the bytes a text of the language can start with.
  ByteSet first_bytes(NodeId node);

  /// An expression that no text of at most `length` bytes can tell from `node`: counters that far
  /// from their bounds cannot be felt. Nodes with intersections or complements stay as they are.
  NodeId clamp(NodeId node, std::int32_t length);

  /// The options of a union; anything else is its own only option.
  std::vector<NodeId> options(NodeId node) const;

  /// The node without the complements of an intersection that it is or begins with: a superset.
  NodeId without_exclusions(NodeId node);

  /// A superset of the bytes after which `node` and `without_exclusions(node)` are not the same.
  ByteSet exclusion_bytes(NodeId node);

  /// What `node` does under a class of characters, when it is `X{low,high}` then a tail.
  struct Loop {
    CharClass chars;       // each of these is one X, and begins neither the tail nor a longer X
    std::int32_t high;     // so many of them can follow, or kNoBound
    bool may_end = false;  // the tail can be empty
  };
  /// Whether `node` is such a loop. After p <= high characters of the class, whichever they are, it
  /// is the same node.
  bool find_loop(NodeId node, Loop& loop);

  /// A shortest text: its bytes, and the first of them.
  struct Least {
    Cost length = kInfiniteCost;
    std::uint8_t byte = 0;
  };
  /// A shortest text of the language; infinite when there is none.
  Least least(NodeId node);
  /// A shortest one that is not empty.
  Least least_more(NodeId node);

  /// A superset without the exclusions, and without the bounds of the repetition, that the node is
  /// or begins with.
  NodeId widened(NodeId node);

  /// Whether `wide` is `narrow`, or the same with wider bounds of the repetition that it is or
  /// begins with, or without the exclusions there. A superset then.
  bool covers(NodeId wide, NodeId narrow);

  /// A superset of the bytes a text of the language can end with.
  ByteSet last_bytes(NodeId node);

  std::size_t size() const noexcept { return nodes_.size(); }
  std::size_t bytes() const noexcept;

 private:
  enum class Kind : std::uint8_t {
    kNothing,
    kEpsilon,
    kChars,
    kRest,
    kConcat,
    kUnion,
    kRepeat,
    kIntersection,
    kComplement,
    kDfa
  };
  struct Node {
    Kind kind;
    bool nullable;
    bool boolean;     // an intersection, complement or automaton state somewhere inside
    std::uint32_t a;  // chars, rest: set; concat: head; repeat, complement: body; lists: list; dfa
    std::uint32_t b;  // rest: bytes to come; concat: tail; dfa: state
    std::int32_t low, high;
  };
  /// Counts nested calls, so that a deep expression is an error and not a crash.
  struct DepthGuard {
    explicit DepthGuard(int& depth) : depth_(depth) {
      if (++depth_ > kMaxDepth) {
        --depth_;
        throw TooComplex("a terminal is nested too deeply");
      }
    }
    ~DepthGuard() { --depth_; }
    int& depth_;
  };
  struct DfaState {
    NodeId expansion = kNothing;  // the state written out as a union of (set, next state)
    bool accepting = false;
  };

  NodeId make(Kind kind, bool nullable, bool boolean, std::uint32_t a, std::uint32_t b,
              std::int32_t low = 0, std::int32_t high = 0);
  NodeId derive(NodeId node, std::uint8_t byte);
  NodeId derive_concat(NodeId node, std::uint8_t byte);
  NodeId derive_chars(std::uint32_t set, std::uint8_t byte);
  NodeId rest(std::uint32_t bytes_to_come, const Ranges& values);
  std::uint32_t intern_ranges(const Ranges& ranges);
  Ranges ranges_of(std::uint32_t set) const;
  bool contains(std::uint32_t set, std::uint32_t value) const;
  /// The part of `ranges` inside [low, high], moved down by `low`.
  static Ranges slice(const Ranges& ranges, std::uint32_t low, std::uint32_t high);
  bool search_alive(NodeId node);
  Cost least_at_least(NodeId node);
  Least search_least(NodeId node);
  bool wider_bounds(NodeId wide, NodeId narrow) const;
  CharClass single_characters(NodeId body);
  void merge_repeats(std::vector<NodeId>& options);
  NodeId dfa_expansion(const Node& node) const { return dfas_[node.a][node.b].expansion; }

  std::vector<Node> nodes_;
  SequencePool keys_;   // a node's fields, for hash-consing; numbered as the nodes
  SequencePool lists_;  // children of unions and intersections
  SequencePool sets_;   // ranges, flattened
  std::vector<std::vector<DfaState>> dfas_;
  FlatMap derivatives_;
  std::unordered_map<NodeId, bool> alive_;
  std::unordered_map<NodeId, ByteSet> first_;
  std::unordered_map<NodeId, Least> least_;  // of least_more
  std::unordered_map<NodeId, ByteSet> last_;
  FlatMap clamped_;
  int depth_ = 0;
};

}  // namespace slm

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
#include <memory>
#include <optional>
#include <span>
#include <unordered_map>
#include <utility>
#include <vector>

#include "core/char_class.h"
#include "core/cost.h"
#include "core/error.h"
#include "core/flat_map.h"
#include "core/hash.h"
#include "core/keyed_hash.h"
#include "core/labels.h"
#include "core/word_lists.h"

namespace slm {

using NodeId = std::uint32_t;

inline constexpr NodeId kNothing = 0;  // no text
inline constexpr NodeId kEpsilon = 1;  // only the empty text
inline constexpr std::int32_t kNoBound = -1;
inline constexpr NodeId kUndecided = 0xFFFFFFFFu;

/// A sorted list of disjoint inclusive ranges.
using Ranges = std::vector<std::pair<std::uint32_t, std::uint32_t>>;

class JsonSpellings;

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
  static constexpr std::size_t kMaxSearched = 90'000;  // a second's work

  RegexPool();
  ~RegexPool();

  NodeId chars(const Ranges& code_points);
  /// The text of these code points, then `tail`.
  NodeId literal(std::span<const std::uint32_t> code_points, NodeId tail = kEpsilon);
  /// Any of these texts. A node for all, and not one for each character, from `kManyWords` on.
  /// `spelled`: in all ways to write them inside of a JSON string.
  NodeId words(std::span<const std::span<const std::uint32_t>> texts, bool spelled = false);
  static constexpr std::size_t kManyWords = 64;
  JsonSpellings& spellings();
  NodeId concat(NodeId first, NodeId second);
  NodeId concat(std::span<const NodeId> parts);
  NodeId alternate(std::vector<NodeId> options);
  NodeId repeat(NodeId body, std::int32_t low, std::int32_t high);
  NodeId intersect(std::vector<NodeId> parts);
  NodeId complement(NodeId body);

  /// An explicit automaton over code points. Call `new_dfa`, then `set_dfa_state` for each state,
  /// then `dfa_state`. A state that only repeats characters is that repetition, which automata
  /// share.
  std::uint32_t new_dfa(std::uint32_t states);
  NodeId dfa_state(std::uint32_t dfa, std::uint32_t state);
  void set_dfa_state(std::uint32_t dfa, std::uint32_t state, bool accepting,
                     std::span<const std::pair<NodeId, std::uint32_t>> edges);

  /// At most `most` digits which, written behind the digits of `rest`, make a multiple of
  /// `modulus`. Throws TooComplex above kMaxModulus. Cost: O(digits of the modulus); states as they
  /// are reached.
  NodeId multiple(std::uint64_t modulus, std::uint64_t rest, std::int32_t most);
  static constexpr std::uint64_t kMaxModulus = 999'999'999'999'999'999;

  /// Labels of host names over these letters, of which each beginning is one too (`labels.h`).
  /// Throws TooComplex above LabelAlphabet::kMaxLetters. Cost: states as they are reached.
  NodeId label(const Ranges& letters);

  /// What is left of a label, and what comes after it.
  struct Label {
    LabelAlphabet alphabet;
    LabelPlace place;
    NodeId tail;
  };
  /// Whether `node` is that; and how.
  Label label_of(NodeId node) const;
  bool is_label(NodeId node) const noexcept {
    const Node& whole = nodes_[node];
    return (whole.kind == Kind::kConcat ? nodes_[whole.a] : whole).kind == Kind::kLabel;
  }
  bool has_label(NodeId node) const noexcept { return nodes_[node].labelled; }

  /// The options of a union, with each label that it, or one of them, begins with by itself.
  std::vector<NodeId> options_and_labels(NodeId node);

  /// The same with loops of letters in place of labels: a superset if `wide`; else a subset, with
  /// the letters that surely fit. Many places of many labels share one.
  NodeId without_labels(NodeId node, bool wide);

  static constexpr NodeId kWordAgain = 0xFFFFFFFFu;
  /// A text of `word`, then texts of the parts of `then`, then of those of `search` up to the first
  /// place where they can end; kWordAgain is what was read of `word`. It may be part of everything
  /// but of an intersection, a complement or another one: TooComplex. Cost: nodes for each word
  /// that is stepped through, of the length of the word where it comes again.
  NodeId echo(NodeId word, std::span<const NodeId> then, std::span<const NodeId> search);

  /// What is left of its word, where a word that comes again is being read; else kNothing.
  NodeId echo_word(NodeId node) const noexcept {
    return nodes_[node].kind == Kind::kEcho ? nodes_[node].a : kNothing;
  }
  /// So many bytes at most are missing, after at most `more` bytes of the word of such a node.
  Cost echo_bound(NodeId node, std::size_t more);

  /// Whether there is one in it.
  bool echoes(NodeId node) const noexcept { return nodes_[node].echoes; }

  bool nullable(NodeId node) const noexcept { return nodes_[node].nullable; }

  /// Without intersections, complements and automata.
  bool is_plain(NodeId node) const noexcept { return !nodes_[node].boolean; }

  /// The derivative: what must follow after `byte`. Memoised; a busy node gets a row of its own.
  NodeId step(NodeId node, std::uint8_t byte) {
    const Node& here = nodes_[node];
    if (here.only != kNoByte) return here.only == byte ? here.b : kNothing;
    NodeId known = known_step(node, byte);
    return known != kUnknownStep ? known : compute_step(node, byte);
  }

  /// ASCII bytes after which the same is left as after this one, itself included.
  ByteSet alike(NodeId node, std::uint8_t byte) const;

  /// Whether any text is in the language. Exact; searches only below intersections and complements.
  bool alive(NodeId node);

  /// The same, if a search through `most` expressions can tell.
  std::optional<bool> alive(NodeId node, std::size_t most);

  /// Whether nothing is in the language, if a short search can tell; false says nothing.
  bool surely_empty(NodeId node);

  /// Whether any text but the empty one is in the language.
  bool can_continue(NodeId node);

  /// A superset of the bytes a text of the language can start with.
  ByteSet first_bytes(NodeId node);

  /// An expression that no text of at most `length` bytes can tell from `node`: counters that far
  /// from their bounds cannot be felt.
  NodeId clamp(NodeId node, std::int32_t length);

  /// The options of a union; anything else is its own only option.
  std::vector<NodeId> options(NodeId node) const;

  /// The parts of a node `(text & ~body) tail`.
  struct Exclusion {
    NodeId text, body, tail;
  };
  /// Whether `node` is that, the text a loop without a bound, nothing else complemented, and the
  /// tail one that cannot be empty.
  bool is_exclusion(NodeId node, Exclusion& exclusion);

  /// Whether of such a loop something is left beside what is excluded, whatever was read of both.
  /// False says nothing: it is a search over what an excluded text may look like without bounds.
  bool always_escapes(const Exclusion& exclusion);

  /// Whether the language has finitely many texts, as its form shows.
  bool is_finite(NodeId node);

  /// The node without the complements of an intersection that it is or begins with: a superset.
  NodeId without_exclusions(NodeId node);

  /// A superset of the bytes after which `node` and `without_exclusions(node)` are not the same.
  ByteSet exclusion_bytes(NodeId node);

  /// Whether what a node excludes is a few texts, and not what a pattern matches.
  bool excludes_words(NodeId node);

  /// The parts of a node `X{low,high}` then a tail.
  struct Loop {
    NodeId body, tail;
    std::int32_t low, high;
  };
  /// Whether `node` is such a loop.
  bool is_loop(NodeId node, Loop& loop) const;

  /// Cuts the first part off a concatenation; anything else is none.
  bool is_concat(NodeId node, NodeId& head, NodeId& tail) const noexcept {
    if (nodes_[node].kind != Kind::kConcat) return false;
    const Node whole = nodes_[node];
    head = whole.a;
    tail = whole.b;
    return true;
  }

  /// The characters that are one whole `body` and begin no other text of it.
  CharClass single_characters(NodeId body);

  /// Characters under which a language that is not empty stays so, however many of them come in a
  /// text of at most `length` bytes; as far as its form shows it.
  CharClass living(NodeId node, std::int32_t length);
  /// Whether it is seen at once that every text of the expression has another character as well.
  bool leaves(NodeId node, const CharClass& chars);

  /// Whether no text of the language is the beginning of another, as far as its form shows.
  bool is_prefix_code(NodeId node);

  /// Whether many different bytes can follow, at once or after one character or two.
  bool opens_wide(NodeId node);

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

  /// The same for equal expressions in every process that uses the key, and for no others; nothing
  /// for those with automata. One key a pool. Cost: O(size) of what has no name yet.
  std::optional<Hash128> name(NodeId node, const Hash128& key);

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
    kDfa,
    kMultiple,
    kLabel,
    kEcho,
    kFirst,
    kWords
  };
  struct Node {
    Kind kind;
    bool nullable : 1;
    bool boolean : 1;   // an intersection, complement or automaton state somewhere inside
    bool counted : 1;   // a bound above one of a repetition somewhere inside
    bool labelled : 1;  // a label somewhere inside
    bool echoes : 1;    // a word that comes again somewhere inside
    std::uint8_t only;  // chars, concat: the one ASCII character it (its head) is; or kNoByte
    // chars, rest: set; concat: head; repeat, complement, first: body; lists: list; dfa
    std::uint32_t a;
    std::uint32_t b;  // rest: bytes to come; concat: tail; dfa: state; one character: kEpsilon
    std::int32_t low, high;   // multiple: `a` is its modulus, (low, b) the rest, `high` the digits;
                              // label: `a` is its alphabet, (b, low, high) a LabelPlace;
                              // echo: (a) word, (b) what was read of it, (low) piece;
                              // words: (a, b, low, high) a WordRange
    std::uint32_t steps = 0;  // the place in steps_ of its latest derivative, plus one, or kHasRow
  };
  static constexpr std::uint8_t kNoByte = 0xFF;
  /// A derivative. Those of one node are a chain: what is made at one time lies together, while a
  /// hash table of all of them would be a miss of every cache.
  struct Step {
    std::uint32_t before;  // as Node::steps
    NodeId next;
    std::uint8_t byte;
    std::uint8_t length;  // of the chain, this one included
  };
  struct NodeSlot {
    std::uint32_t hash;
    std::uint32_t next;  // the number of the node and one
    bool is_free() const noexcept { return next == 0; }
    std::uint64_t place() const noexcept { return hash; }
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
  enum Alive : std::uint8_t { kUnasked, kAlive, kEmpty };
  Alive known_alive(NodeId node) const noexcept {
    return node < alive_.size() ? static_cast<Alive>(alive_[node]) : kUnasked;
  }
  void know_alive(NodeId node, Alive answer) {
    if (node >= alive_.size()) alive_.resize(nodes_.size(), kUnasked);
    alive_[node] = answer;
  }
  const ByteSet* known_first(NodeId node) const noexcept {
    std::uint32_t at = node < first_of_.size() ? first_of_[node] : 0;
    return at == 0 ? nullptr : &first_[at - 1];
  }
  void know_first(NodeId node, const ByteSet& bytes) {
    if (node >= first_of_.size()) first_of_.resize(nodes_.size(), 0);
    first_.push_back(bytes);
    first_of_[node] = static_cast<std::uint32_t>(first_.size());
  }
  struct DfaState {
    bool accepting = false;
    std::vector<std::pair<NodeId, std::uint32_t>> edges;
    Least nearest;       // of a shortest way to an accepting state: characters, and the first byte
    CharClass living{};  // characters that lead to no state without an end, however many come
  };
  struct Automaton {
    std::vector<DfaState> states;
    bool measured = false;
    bool lives_known = false;  // `living` of all states
  };

  /// What comes behind a word: a part, the word, or all the rest, up to its first end.
  struct Piece {
    enum class Kind : std::uint8_t { kEnd, kPart, kWord, kSearch } kind;
    std::uint32_t part;   // an expression, or a list of them
    std::uint32_t next;   // what follows
    std::uint32_t times;  // how often the word comes from here on
    Cost bytes;           // of the shortest texts of the parts from here on
    bool nullable;        // all of these
  };
  /// What was read of a word: a byte behind other bytes.
  struct Read {
    std::uint32_t before, length;
    std::uint8_t byte;
  };
  bool alive_by_parts(NodeId node);
  NodeId echo_from(NodeId word, std::uint32_t read, std::uint32_t piece);
  NodeId first_of(NodeId body);
  NodeId sought(std::uint32_t read, std::uint32_t piece);
  NodeId spelt(std::uint32_t read, NodeId tail);
  NodeId behind_word(const Node& echo);
  NodeId derive_echo(const Node& echo, std::uint8_t byte);
  Least least_echo(const Node& echo);
  bool echo_leaves(const Node& echo, const CharClass& chars);

  /// The bytes of a union's or an intersection's children, together.
  ByteSet of_children(const Node& node, ByteSet (RegexPool::*bytes_of)(NodeId));
  NodeId make(Kind kind, bool nullable, bool boolean, std::uint32_t a, std::uint32_t b,
              std::int32_t low = 0, std::int32_t high = 0);
  bool has_echo(Kind kind, std::uint32_t a, std::uint32_t b) const;
  bool has_counter(Kind kind, std::uint32_t a, std::uint32_t b, std::int32_t low,
                   std::int32_t high) const;
  NodeId known_step(NodeId node, std::uint8_t byte) const noexcept {
    std::uint32_t at = nodes_[node].steps;
    if ((at & kHasRow) != 0) return rows_[at & ~kHasRow][byte];
    for (; at != 0; at = steps_[at - 1].before) {
      if (steps_[at - 1].byte == byte) return steps_[at - 1].next;
    }
    return kUnknownStep;
  }
  NodeId compute_step(NodeId node, std::uint8_t byte);
  bool keep_alike(NodeId node, std::uint8_t byte, ByteSet& same, int& left) const;
  void remember_step(NodeId node, std::uint8_t byte, NodeId next);
  NodeId derive(NodeId node, std::uint8_t byte);
  NodeId derive_concat(NodeId node, std::uint8_t byte);
  NodeId derive_chars(std::uint32_t set, std::uint8_t byte);
  NodeId rest(std::uint32_t bytes_to_come, const Ranges& values);
  std::uint32_t intern_ranges(const Ranges& ranges);
  Ranges ranges_of(std::uint32_t set) const;
  bool contains(std::uint32_t set, std::uint32_t value) const;
  /// Where the first range stands, in a set's words, that does not end before a value.
  static std::size_t range_at(std::span<const std::uint32_t> flat, std::uint32_t value);
  /// The part of a set inside [low, high], moved down. Cost: linear in what is found.
  Ranges slice(std::uint32_t set, std::uint32_t low, std::uint32_t high, std::uint32_t down) const;
  NodeId count_rounds(NodeId rounds, NodeId texts);
  bool count_rounds_among(std::vector<NodeId>& parts);
  void absorb_rounds(std::vector<NodeId>& options);
  bool excludes_all(std::span<const NodeId> parts);
  bool is_free_loop(NodeId node) const noexcept {
    return nodes_[node].kind == Kind::kRepeat && nodes_[node].low == 0 &&
           nodes_[node].high == kNoBound;
  }
  bool within(NodeId texts, NodeId wider);
  bool within_by_form(NodeId texts, NodeId wider);
  bool made_of_rounds(NodeId texts, NodeId round);
  void hints(NodeId node, std::vector<std::uint8_t>& bytes);
  Alive search_alive(NodeId root, std::size_t most);  // kUnasked: more than so many expressions
  Cost most_to_end(NodeId node);
  CharClass growing(NodeId node);
  CharClass shrinking(NodeId node);
  CharClass living_intersection(NodeId node, std::int32_t length);
  CharClass living_beside_exclusions(std::span<const NodeId> parts);
  CharClass looping(const Node& automaton_state);
  void find_living(const Node& automaton_state);
  const CharClass& alphabet(NodeId node);
  bool repeats(NodeId node);
  NodeId clamp_intersection(NodeId node, std::int32_t length);
  Cost least_at_least(NodeId node);
  Least search_least(NodeId node);
  NodeId without_bounds(NodeId node);
  bool wider_bounds(NodeId wide, NodeId narrow) const;
  void merge_repeats(std::vector<NodeId>& options);
  const DfaState& state_of(const Node& node) const { return dfas_[node.a].states[node.b]; }
  NodeId derive_state(const Node& automaton_state, std::uint8_t byte);
  const Least& nearest_end(const Node& automaton_state);
  NodeId multiple_after(std::uint32_t modulus, std::uint64_t rest, std::int32_t most);
  std::uint64_t rest_of(const Node& node) const noexcept;
  NodeId word(std::span<const std::uint32_t> text, bool spelled, NodeId tail = kEpsilon);
  NodeId words_of(const WordRange& range);
  NodeId words_behind_escape(const WordRange& range);
  static WordRange range_of(const Node& words) noexcept;
  Least least_of_words(const Node& words) const;
  bool words_leave(const Node& words, const CharClass& chars) const;
  void add_words(const WordRange& range, KeyedHash& hash) const;
  static Least nearest_multiple(std::uint64_t modulus, std::uint64_t rest,
                                std::int32_t most) noexcept;
  Least nearest_multiple(const Node& node) const noexcept;
  NodeId derive_multiple(const Node& node, std::uint8_t byte);
  NodeId label_at(std::uint32_t alphabet, const LabelPlace& place);
  LabelPlace place_of(const Node& label) const;
  NodeId derive_label(const Node& node, std::uint8_t byte);
  Least least_of_label(const Node& node);
  ByteSet first_bytes_of_label(const Node& node);
  NodeId letters_of_label(const Node& node, bool wide);
  bool has_label_inside(Kind kind, std::uint32_t a, std::uint32_t b) const;

  PagedArray<Node> nodes_;
  SlotTable<NodeSlot> slots_;  // by a node's fields, for hash-consing
  SequencePool lists_;         // children of unions and intersections; letters of labels
  SequencePool sets_;          // ranges, flattened
  std::vector<Automaton> dfas_;
  std::vector<std::uint64_t> moduli_;
  std::vector<LabelAlphabet> alphabets_of_labels_;
  WordLists word_lists_;
  std::unique_ptr<JsonSpellings> spellings_;  // made when first asked for
  std::vector<Piece> pieces_;
  std::vector<Read> read_{{0, 0, 0}};        // 0: nothing
  FlatMap read_of_;                          // by what is before, and the byte
  FlatMap sought_;                           // by what was read, and the piece
  static constexpr std::uint8_t kBusy = 12;  // derivatives before a node gets a row of them
  static constexpr std::uint32_t kHasRow = 0x80000000u;  // with a place in rows_
  static constexpr NodeId kUnknownStep = 0xFFFFFFFFu;
  PagedArray<Step> steps_;
  std::vector<std::unique_ptr<NodeId[]>> rows_;
  std::vector<NodeId> ascii_;           // by character: the set of just that one, once made
  PagedArray<std::uint8_t> alive_;      // by node: see Alive
  PagedArray<std::uint32_t> first_of_;  // by node: its place in first_, plus one
  PagedArray<ByteSet> first_;
  std::unordered_map<NodeId, Least> least_;  // of least_more
  std::unordered_map<NodeId, ByteSet> last_;
  std::unordered_map<NodeId, CharClass> singles_;  // of single_characters
  std::unordered_map<NodeId, CharClass> alphabets_;
  FlatMap repeats_;  // by node: 0 or 1
  FlatMap clamped_, unbounded_, without_labels_;
  FlatMap prefix_codes_, finite_;                     // by node: 0 or 1
  std::unordered_map<std::uint64_t, bool> escaping_;  // by text and body: see always_escapes
  FlatMap within_, made_of_rounds_;                   // by two nodes: 0 or 1
  FlatMap names_of_;                                  // by node: a place in names_
  std::vector<std::optional<Hash128>> names_;
  int depth_ = 0;
  int searches_ = 0;  // of `within`, that are going on
};

}  // namespace slm

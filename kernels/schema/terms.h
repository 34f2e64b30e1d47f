// Regular languages as values: what slm/grammar/regular.py makes, node for node.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <limits>
#include <string_view>
#include <vector>

#include "schema/algebra.h"
#include "schema/arena.h"

namespace slm::schema {

using Term = std::uint32_t;  // a language, by number: equal ones are one
using Points = std::vector<std::int32_t>;

/// The lengths of a language's texts, as far as its form shows them.
///
/// Invariant: no text is shorter than `least` or longer than `most`, and there is one of every
///   length from `from` to `to` (none is known if from > to).
struct Lengths {
  static constexpr std::int64_t kEndless = std::numeric_limits<std::int64_t>::max() / 4;
  std::int64_t least = 0, most = kEndless;
  std::int64_t from = 1, to = 0;
};

/// Makes languages with the same simplifications as the constructors of regular.py, so that two are
/// equal here exactly where they are equal there.
///
/// Cost: O(children) a node.
class Terms {
 public:
  enum class Kind : std::int32_t {  // numbered as in a program; literals are concatenations here
    kChars = 0,
    kConcat = 2,
    kUnion,
    kRepeat,
    kIntersection,
    kComplement,
    kDfa
  };
  struct Node {
    Kind kind;
    bool boolean;   // has an intersection, a complement or an automaton in it
    bool nullable;  // surely has the empty text
    bool has_text;  // surely has a text at all
    std::int32_t low, high;
    Span<std::int32_t> data;  // of chars the ranges, low, high …; else the children; a dfa's words
    std::uint64_t hash;       // of what it is, not of how it is numbered
    Lengths lengths;
  };

  explicit Terms(Arena& arena);

  const Node& operator[](Term term) const { return nodes_[term]; }
  bool is_chars(Term term) const { return nodes_[term].kind == Kind::kChars; }

  /// Ranges in any order, low, high …; surrogates are left out.
  Term chars(Points ranges);
  Term any_of_chars(std::string_view ascii);
  Term literal(std::string_view text);
  Term concat(Span<Term> parts);
  Term unite(Span<Term> options);
  Term intersect(Span<Term> parts);
  Term repeat(Term body, std::int32_t low = 0, std::int32_t high = -1);
  Term complement(Term body);

  Term concat(std::initializer_list<Term> parts) { return concat(span(parts)); }
  Term unite(std::initializer_list<Term> options) { return unite(span(options)); }
  Term intersect(std::initializer_list<Term> parts) { return intersect(span(parts)); }
  Term optional(Term body) { return repeat(body, 0, 1); }

  /// A language as `flatten_language` writes it: sets, nodes and the number of its node. Nothing
  /// is simplified.
  Term read(Span<std::int32_t> words);
  /// The same, with a 1 before it; a lone 0 for the empty language.
  std::vector<std::int32_t> words(Term term) const;

  Term nothing, epsilon, any_char, anything;

 private:
  class Flattener;

  static Span<Term> span(std::initializer_list<Term> parts) {
    return {parts.begin(), parts.size()};
  }
  Term list(Kind kind, const std::vector<Term>& parts);
  Term made(Kind kind, Span<std::int32_t> data, std::int32_t low = 0, std::int32_t high = 0);
  void describe(Node& node) const;
  void grow();

  Arena& arena_;
  std::vector<Node> nodes_;
  std::vector<Term> slots_;
};

/// Sorted and merged, without surrogates.
Points canonical_ranges(Points ranges);
Points meet_ranges(Span<std::int32_t> left, Span<std::int32_t> right);
Points other_points(Span<std::int32_t> ranges);

}  // namespace slm::schema

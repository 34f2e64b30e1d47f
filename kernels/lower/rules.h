// The rules of a Lark grammar in all of their contexts, written as expressions and merged.
#pragma once

#include <cstdint>
#include <span>
#include <unordered_set>
#include <utility>
#include <vector>

#include "lower/expressions.h"

namespace slm::lower {

/// What `slm.syntax.contexts` found, one rule in one context after the other.
///
/// A variant is a graph: nodes are places in the rule, with what may come next there; an edge reads
/// a token, or a variant up to one of its ends. It becomes one rule for each of its ends.
struct Variant {
  struct Edge {
    std::int32_t called;  // a variant, or -1: a token
    std::uint32_t label;  // the end of that variant, or the token's expression
    std::uint32_t target;
  };
  struct Node {
    std::uint32_t at, control, first_edge, edges_end;
  };
  struct End {
    std::uint32_t control;
    std::vector<std::uint32_t> nodes;
  };

  std::uint32_t rule = 0, root = 0;
  std::vector<Node> nodes;
  std::vector<Edge> edges;
  std::vector<End> ends;
  std::vector<std::uint32_t> first_source, sources;  // by node; once they are asked for
};

/// A rule as it is written: whose it is, the how manieth of that rule's, and its right-hand side.
struct Rule {
  std::int32_t rule;  // -1: the start that was made
  std::uint32_t ordinal;
  std::uint32_t body;
};

/// The rules that the start needs, equal ones made one.
///
/// The twin is `slm.syntax.contexts._Writer` with `slm.syntax.alike.merged`: the same rules in the
/// same order. Cost: for each variant and end its edges, and the partition refinement.
class Rules {
 public:
  /// Reads variants, tokens' expressions and the start as `slm.syntax.native` writes them.
  /// Throws std::invalid_argument on anything malformed.
  explicit Rules(std::span<const std::int32_t> words);

  /// The atoms in use, in the order in which their terminals are numbered.
  std::vector<std::uint32_t> atoms() const;
  const std::vector<Rule>& rules() const noexcept { return rules_; }

  /// The program's words from the expressions on: their count, they themselves, the rules' bodies.
  /// `terminals` are the numbers of `atoms()`; `first` is the number of the first expression.
  std::vector<std::int32_t> words(std::span<const std::int32_t> terminals,
                                  std::int32_t first) const;

  /// The start's number.
  std::uint32_t start() const noexcept { return start_; }

 private:
  static constexpr std::uint32_t kUnknown = 0xFFFFFFFFu;
  struct AtNode {  // what `write` knows of a variant's node
    bool useful = false, ending = false;
    std::uint32_t entries = 0, last = kUnknown, slot = kUnknown, body = kUnknown;
  };

  std::uint32_t call(std::uint32_t variant, std::uint32_t end);
  std::uint32_t new_name(std::int32_t rule);
  void find_sources(Variant& variant);
  void write(std::uint32_t variant, std::uint32_t end);
  void read_heads(const Variant& variant, const std::vector<std::uint32_t>& edges,
                  std::vector<std::uint32_t>& heads);
  std::uint32_t label(const Variant::Edge& edge);
  void merge();
  bool merge_once();
  std::uint32_t renamed(std::uint32_t node, const std::vector<std::uint32_t>& names,
                        std::vector<std::uint32_t>& known, bool& shrunk);

  Expressions expressions_;
  std::vector<Variant> variants_;
  std::vector<std::uint32_t> leaves_;              // by label: the expression's node
  std::vector<std::uint32_t> shapes_of_atoms_;     // atoms that count as equal share it
  std::vector<std::vector<std::uint32_t>> names_;  // by variant and end, one more; 0: none yet
  std::vector<std::pair<std::uint32_t, std::uint32_t>> queue_;
  std::vector<Rule> named_;           // by name: whose, ordinal, body once it is written
  std::vector<std::uint32_t> order_;  // names, in the order in which they were written
  std::vector<std::uint32_t> taken_;  // by rule
  std::vector<Rule> rules_;           // at last
  std::vector<AtNode> at_nodes_;      // of `write`, as the next four
  std::vector<std::uint32_t> useful_;
  std::vector<std::vector<std::uint32_t>> targets_;
  std::vector<std::uint64_t> seen_keys_;
  std::unordered_set<std::uint64_t> seen_;
  std::vector<std::uint32_t> renamed_;    // of `renamed`, as the next two
  std::vector<std::uint32_t> last_seen_;  // by expression: the last choice that it was a part of
  std::uint32_t choices_ = 0;
  std::uint32_t start_ = 0;  // a name, then a rule's number
};

}  // namespace slm::lower

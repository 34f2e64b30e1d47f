// Rules by what stands around them.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include "core/flat_map.h"
#include "lower/lexing.h"
#include "lower/tables.h"

namespace slm::lower {

/// One start rule's rules, in all contexts that can be reached. The twin is
/// `slm.syntax.contexts.Contexts`: the same contexts in the same order.
class Contexts {
 public:
  /// Throws TooComplex with the terminal that leaves open what it can in the most ways.
  Contexts(const Symbols& symbols, Places& places, Lexing& lexing);

  /// What `Rules` reads.
  std::vector<std::int32_t> words();

 private:
  using Control = Number;
  struct Tree {  // the alternatives of a rule with their beginnings shared; node 0 is the root
    std::vector<std::vector<std::pair<Symbol, Number>>> edges;
    std::vector<Number> ends;   // by node: a row of the rule, or kNone
    std::vector<Number> needs;  // by node: the tokens that its control is cut down to
  };
  struct Edge {
    Number called;  // a variant, or kNone: a token
    Number label;   // the control after that variant, or the token's label
    Number target;  // a node of the variant
    Number next;    // of the node's edges; kNone: it is the last
  };
  struct Node {
    Number at;
    Control control;
    Number first_edge = kNone, last_edge = kNone, edges = 0;
  };
  struct Waiting {
    Number variant, node, child;
  };
  struct Variant {
    Number rule;
    std::vector<Place> places;  // of the tree's nodes
    std::vector<Node> nodes;
    std::vector<std::pair<Control, std::vector<Number>>> ends;
    std::vector<Waiting> waiting;
  };

  const Tree& tree(Number rule);
  Control control(Number ahead, Open open_now);
  Control only(Control control, Number tokens);
  Number tokens(const std::vector<Token>& list) { return token_lists_.add(list); }
  Number variant(Number rule, Place place, Control control);
  Number reach(Number variant, Number at, Control control);
  void go(Number variant, Number node);
  void connect(Number variant, Number node, Number child, Number called, Number label,
               Control control);
  void ended(Number variant, Number node, Control control);
  Number label(Token token, Number entry, Number way);
  TooComplex complexity() const;

  const Symbols& symbols_;
  Places& places_;
  Lexing& lexing_;
  std::vector<std::optional<Tree>> trees_;
  Lists controls_;  // (token, entry or end), ascending
  Lists token_lists_;
  std::vector<Number> kept_;  // of `only`
  FlatMap made_, cut_down_;
  Lists node_keys_;            // variant, place and control
  std::vector<Number> nodes_;  // by number of those: the variant's node
  std::vector<Variant> variants_;
  Lists variant_keys_;
  std::vector<std::pair<Number, Number>> todo_;
  Lists label_keys_;  // token, entry, way
  std::vector<Edge> edges_;
  Number start_ = 0;
  std::vector<std::vector<Open>> opens_;  // by token: what it has left open
  std::vector<Token> opened_;             // tokens in the order in which they came
};

}  // namespace slm::lower

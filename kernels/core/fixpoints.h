// What holds for the expressions of a program because it holds for their parts: which can be
// written, which may be empty.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "core/program.h"

namespace slm {

/// What is asked of an expression.
inline constexpr std::uint8_t kWritten = 1;  // it can be written
inline constexpr std::uint8_t kEmpty = 2;    // with the empty text

/// Properties of nodes that flow from children to parents, and from rules to their calls: least
/// fixpoints. A repetition may have no round and so always holds when its lower bound is 0.
///
/// Cost: linear; every node is told once.
class Flow {
 public:
  explicit Flow(const Program& program) : program_(program) {
    std::size_t count = program.nodes();
    parents_.assign(count, 0);
    bodies_.assign(count, 0);
    calls_.assign(program.rules(), 0);
    links_.reserve(2 * count + 1);
    links_.push_back({});
    for (std::uint32_t r = 0; r < program.rules(); ++r) link(bodies_[program.body(r)], r);
    for (std::uint32_t i = 0; i < count; ++i) {
      Program::Op op = program.op(i);
      if (op == Program::Op::kSeq || op == Program::Op::kChoice || op == Program::Op::kMany) {
        for (std::uint32_t child : program.children(i)) link(parents_[child], i);
      } else if (op == Program::Op::kCall) {
        link(calls_[program.children(i)[0]], i);
      }
    }
  }

  /// `leaf` answers for terminals.
  template <class Leaf>
  std::vector<bool> run(Leaf leaf) const {
    std::size_t count = program_.nodes();
    std::vector<bool> holds(count, false);
    std::vector<std::uint32_t> missing(count, 1), todo;
    for (std::uint32_t i = 0; i < count; ++i) {
      Program::Op op = program_.op(i);
      if (op == Program::Op::kSeq)
        missing[i] = static_cast<std::uint32_t>(program_.children(i).size());
      bool always = (op == Program::Op::kSeq && missing[i] == 0) ||
                    (op == Program::Op::kMany && program_.low(i) == 0) ||
                    (op == Program::Op::kTerminal && leaf(program_.children(i)[0]));
      if (always) todo.push_back(i);
    }
    while (!todo.empty()) {
      std::uint32_t i = todo.back();
      todo.pop_back();
      if (holds[i]) continue;
      holds[i] = true;
      for (std::uint32_t at = parents_[i]; at != 0; at = links_[at].next) {
        std::uint32_t parent = links_[at].to;
        if (missing[parent] > 0 && --missing[parent] == 0) todo.push_back(parent);
      }
      for (std::uint32_t at = bodies_[i]; at != 0; at = links_[at].next) {
        for (std::uint32_t call = calls_[links_[at].to]; call != 0; call = links_[call].next) {
          todo.push_back(links_[call].to);
        }
      }
    }
    return holds;
  }

 private:
  struct Link {
    std::uint32_t to = 0, next = 0;
  };
  void link(std::uint32_t& head, std::uint32_t to) {
    links_.push_back({to, head});
    head = static_cast<std::uint32_t>(links_.size() - 1);
  }

  const Program& program_;
  std::vector<std::uint32_t> parents_, bodies_, calls_;  // heads of lists in links_; 0: empty
  std::vector<Link> links_;
};

/// Which expressions can be written, and which may be empty: what `Flow` finds, in passes over the
/// rules from the last to the first, as rules mostly stand before those that they call: no lists
/// have to be made. False where a few passes do not settle it, and nothing is known.
///
/// Cost: linear a pass, in the expressions; one where no rule calls itself or an earlier one.
template <class Leaf>
bool in_passes(const Program& program, Leaf has_text, std::vector<std::uint8_t>& found) {
  constexpr int kPasses = 4;
  constexpr std::uint8_t kBoth = kWritten | kEmpty;
  found.assign(program.nodes(), 0);
  bool ahead = false;             // a node was asked for before it was looked at
  std::uint32_t first = 0, last;  // the nodes that are being looked at; those behind them have been
  auto of = [&](std::uint32_t child) {  // which stands before its parent, perhaps in another rule
    ahead = ahead || child < first;
    return found[child];
  };
  auto look = [&](std::uint32_t node) -> std::uint8_t {
    std::uint8_t bits = 0;
    switch (program.op(node)) {
      case Program::Op::kTerminal:
        return has_text(program.children(node)[0]) ? kWritten : std::uint8_t{0};
      case Program::Op::kCall: {
        std::uint32_t body = program.body(program.children(node)[0]);
        ahead = ahead || body < first || (body >= node && body < last);
        return found[body];
      }
      case Program::Op::kSeq:
        bits = kBoth;
        for (std::uint32_t child : program.children(node)) bits &= of(child);
        return bits;
      case Program::Op::kChoice:
        for (std::uint32_t child : program.children(node)) bits |= of(child);
        return bits;
      case Program::Op::kMany:
        return program.low(node) == 0 ? kBoth : of(program.children(node)[0]);
      default:
        return 0;
    }
  };
  for (int pass = 0; pass < kPasses; ++pass) {
    bool changed = false;
    auto visit = [&] {  // children before parents
      for (std::uint32_t node = first; node < last; ++node) {
        if (found[node] == kBoth) continue;
        std::uint8_t bits = look(node);
        changed = changed || bits != found[node];
        found[node] = bits;
      }
      last = first;
    };
    std::uint32_t first_of_all = program.first_expression();
    last = static_cast<std::uint32_t>(program.nodes());
    for (std::uint32_t rule = static_cast<std::uint32_t>(program.rules()); rule-- > 0;) {
      // The nodes behind the body before it are its own, where bodies stand in order.
      first = std::max(rule == 0 ? 0 : program.body(rule - 1) + 1, first_of_all);
      if (first < last) visit();
    }
    first = first_of_all;
    if (first < last) visit();
    if (!changed || !ahead) return true;
  }
  return false;
}

}  // namespace slm

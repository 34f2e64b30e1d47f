// What holds for the expressions of a program because it holds for their parts: which can be
// written, which may be empty.
#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>
#include <vector>

#include "core/program.h"

namespace slm {

/// What is asked of an expression.
inline constexpr std::uint8_t kWritten = 1;  // it can be written
inline constexpr std::uint8_t kEmpty = 2;    // with the empty text
inline constexpr std::uint8_t kFinal = 4;    // and more will not be found

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

/// Which expressions can be written, and which may be empty: what `Flow` finds, in a few passes and
/// without lists. False where they do not settle it, and nothing is known.
///
/// First all expressions, parts before wholes: that is the end of it for what calls nothing. Then
/// rule by rule from the last to the first, as rules mostly stand before those that they call. Who
/// looks only at what is final is final itself; where all are, or nothing changes any more, it is
/// settled. `found` may hold kFinal, too.
///
/// Cost: linear a pass, in the expressions; two where no rule calls itself or an earlier one.
template <class Leaf>
bool in_passes(const Program& program, Leaf has_text, std::vector<std::uint8_t>& found) {
  constexpr int kPasses = 4;
  constexpr std::uint8_t kAll = kWritten | kEmpty | kFinal;
  found.assign(program.nodes(), 0);
  auto look = [&](std::uint32_t node) -> std::uint8_t {
    std::uint8_t bits = kAll, some = 0;
    switch (program.op(node)) {
      case Program::Op::kTerminal:
        return has_text(program.children(node)[0]) ? kWritten | kFinal : kFinal;
      case Program::Op::kCall:
        return found[program.body(program.children(node)[0])];
      case Program::Op::kSeq:
        for (std::uint32_t child : program.children(node)) bits &= found[child];
        return bits;
      case Program::Op::kChoice:
        for (std::uint32_t child : program.children(node)) {
          bits &= found[child];
          some |= found[child];
        }
        return (some & ~kFinal) | (bits & kFinal);
      case Program::Op::kMany:
        return program.low(node) == 0 ? kAll : found[program.children(node)[0]];
      default:
        return kFinal;
    }
  };
  bool changed = true, open = true;  // open: something is not final
  auto visit = [&](std::uint32_t node, std::uint32_t last) {
    for (; node < last; ++node) {
      if ((found[node] & kFinal) != 0) continue;
      std::uint8_t bits = look(node);
      changed = changed || bits != found[node];
      open = open || (bits & kFinal) == 0;
      found[node] = bits;
    }
  };
  const std::uint32_t begin = program.first_expression();
  const auto end = static_cast<std::uint32_t>(program.nodes());
  open = false;
  visit(begin, end);
  for (int pass = 0; open && changed && pass < kPasses; ++pass) {
    open = changed = false;
    std::uint32_t last = end;
    for (std::uint32_t rule = static_cast<std::uint32_t>(program.rules()); rule-- > 0;) {
      // The nodes behind the body before it are its own, where bodies stand in order.
      std::uint32_t first = std::max(rule == 0 ? 0 : program.body(rule - 1) + 1, begin);
      if (first >= last) continue;
      visit(first, last);
      last = first;
    }
    visit(begin, last);
  }
  return !open || !changed;
}

/// Whether an expression may be empty, told by what it begins with; nothing where that takes more
/// than some steps, as where it comes back to itself. Terminals have no empty text.
inline std::optional<bool> may_be_empty(const Program& program, std::uint32_t node, int& steps) {
  if (--steps < 0) return std::nullopt;
  Program::Words children = program.children(node);
  switch (program.op(node)) {
    case Program::Op::kCall:
      return may_be_empty(program, program.body(children[0]), steps);
    case Program::Op::kSeq:
    case Program::Op::kChoice: {
      bool enough = program.op(node) == Program::Op::kChoice;  // for one that is empty, or not
      for (std::uint32_t child : children) {
        std::optional<bool> empty = may_be_empty(program, child, steps);
        if (!empty || *empty == enough) return empty;
      }
      return !enough;
    }
    case Program::Op::kMany:
      if (program.low(node) == 0) return true;
      return may_be_empty(program, children[0], steps);
    default:
      return false;
  }
}

}  // namespace slm

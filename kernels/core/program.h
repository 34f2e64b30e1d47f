// A grammar as it arrives from Python: the IR, flattened into integers, children before parents.
#pragma once

#include <cstdint>
#include <span>
#include <utility>
#include <vector>

namespace slm {

/// Mirrors slm.grammar.ir and slm.grammar.regular, node for node. See slm/mask/native.py for the
/// encoding; `read_program` throws std::invalid_argument on anything malformed.
struct Program {
  // Regular languages, then expressions.
  // clang-format off
  enum class Op : std::int32_t {
    kChars, kLiteral, kConcat, kUnion, kRepeat, kIntersection, kComplement, kDfa,
    kTerminal, kCall, kSeq, kChoice, kMany,
  };
  // clang-format on
  struct DfaState {
    bool accepting;
    std::vector<std::pair<std::uint32_t, std::uint32_t>> edges;  // (set, target)
  };
  struct Node {
    Op op;
    std::vector<std::uint32_t> children;  // node numbers; chars: {set}; terminal, call: {index};
                                          // literal: the code points
    std::int32_t low = 0, high = 0;       // repeat, many; high -1: no bound
    std::vector<DfaState> states;         // dfa
  };
  struct Terminal {
    std::uint32_t language;  // a regular node
    bool longest;
  };

  std::vector<std::vector<std::pair<std::uint32_t, std::uint32_t>>> sets;
  std::vector<Node> nodes;
  std::vector<Terminal> terminals;
  std::vector<std::uint32_t> rules;  // an expression node each
  std::uint32_t start = 0;

  /// Whether any language is an explicit automaton: those are never equal to another grammar's.
  bool has_automata() const {
    for (const Node& node : nodes) {
      if (node.op == Op::kDfa) return true;
    }
    return false;
  }
};

Program read_program(std::span<const std::int32_t> words);

}  // namespace slm

// A grammar as it arrives: the IR, flattened into integers, children before parents.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <utility>
#include <vector>

#include "core/known_language.h"

namespace slm {

/// Mirrors slm.grammar.ir and slm.grammar.regular, node for node. See slm/mask/native.py for the
/// encoding. Checked once, when it is read; immutable after that.
class Program {
 public:
  // Regular languages, then expressions, then more regular languages; C++ alone writes kSpelled and
  // kKnown.
  // clang-format off
  enum class Op : std::int32_t {
    kChars, kLiteral, kConcat, kUnion, kRepeat, kIntersection, kComplement, kDfa,
    kTerminal, kCall, kSeq, kChoice, kMany,
    kSpelled,   // every way to write a text inside a JSON string
    kMultiple,  // digits that make a multiple: modulus and rest, two words of 30 bits each, and the most digits
    kLabel,     // labels of host names over a set
    kEcho,      // a word and parts behind it: how many, 1 for each of them that is the word, and how many are not sought
    kKnown,     // a language that is kept beside the words
  };
  // clang-format on
  using Words = std::span<const std::uint32_t>;
  struct Terminal {
    std::uint32_t language;  // a regular node
    bool longest;
    bool has_text;  // whoever made the program knows that there is one, beside the empty one
  };
  struct DfaState {
    bool accepting;
    std::vector<std::pair<std::uint32_t, std::uint32_t>> edges;  // (set, target)
  };

  /// Throws std::invalid_argument on anything malformed. Cost: one pass over the words.
  explicit Program(std::span<const std::int32_t> words);
  /// Does not copy the words, which live as long as their owner. `known`: the languages that they
  /// refer to. `whole`: who made them knows that they are right, and that each terminal has a text
  /// and each expression can be written; neither is looked at again then.
  Program(std::shared_ptr<const void> owner, std::span<const std::int32_t> words,
          std::shared_ptr<const KnownLanguages> known, bool whole = false);

  std::size_t sets() const noexcept { return set_at_.size(); }
  std::size_t nodes() const noexcept { return node_at_.size(); }
  /// Regular nodes stand before it.
  std::uint32_t first_expression() const noexcept { return first_expression_; }
  std::size_t rules() const noexcept { return rules_; }
  const std::vector<Terminal>& terminals() const noexcept { return terminals_; }

  /// A set's ranges: first and last code point, one after the other.
  Words set(std::uint32_t index) const noexcept { return list(set_at_[index], 2); }

  Op op(std::uint32_t node) const noexcept { return static_cast<Op>(words_[node_at_[node]]); }
  /// Node numbers; of chars the set, of a terminal or call its number, of a literal or spelled text
  /// the code points.
  Words children(std::uint32_t node) const noexcept {
    std::uint32_t at = node_at_[node] + 1;
    switch (op(node)) {
      case Op::kLiteral:
      case Op::kSpelled:
      case Op::kConcat:
      case Op::kUnion:
      case Op::kIntersection:
      case Op::kSeq:
      case Op::kChoice:
      case Op::kEcho:
        return list(at, 1);
      case Op::kDfa:
      case Op::kMultiple:
      case Op::kLabel:
      case Op::kKnown:
        return {};
      default:
        return {words_.data() + at, 1};
    }
  }
  /// The bounds of a repeat or many; -1: no upper bound.
  std::int32_t low(std::uint32_t node) const noexcept { return bound(node, 2); }
  std::int32_t high(std::uint32_t node) const noexcept { return bound(node, 3); }
  std::vector<DfaState> states(std::uint32_t node) const;
  /// Of an echo: whether a child is the word again; and how many of them, the word among them, are
  /// read one after the other, before what is sought.
  bool again(std::uint32_t node, std::size_t child) const noexcept {
    return words_[node_at_[node] + 1 + words_[node_at_[node] + 1] + child] != 0;
  }
  std::size_t read(std::uint32_t node) const noexcept {
    return words_[node_at_[node] + 1 + 2 * words_[node_at_[node] + 1]];
  }
  /// Of a multiple: what is divided by, and what is left of what was read, as RegexPool has it.
  std::uint64_t modulus(std::uint32_t node) const noexcept { return wide(node, 1); }
  std::uint64_t rest(std::uint32_t node) const noexcept { return wide(node, 3); }
  std::int32_t most(std::uint32_t node) const noexcept { return bound(node, 5); }
  const KnownLanguage& known(std::uint32_t node) const noexcept {
    return *(*known_)[words_[node_at_[node] + 1]];
  }
  /// Of a label: the set of its letters.
  std::uint32_t letters(std::uint32_t node) const noexcept { return words_[node_at_[node] + 1]; }

  /// A rule's right-hand side: an expression node.
  std::uint32_t body(std::uint32_t rule) const noexcept { return words_[bodies_at_ + rule]; }
  std::uint32_t start() const noexcept { return words_[bodies_at_ + rules_]; }

  /// Whether it is known that every expression can be written.
  bool is_whole() const noexcept { return is_whole_; }

  /// Whether any language is an explicit automaton: those are never equal to another grammar's.
  bool has_automata() const noexcept { return has_automata_; }

  /// The same program with nothing in place of some terminals.
  Program without(const std::vector<bool>& terminals) const;

  /// What is remembered beside the rules: its kind (see memory/memory.h), then a list of
  /// parameters. Empty where nothing is.
  Words memory() const noexcept { return {words_.data() + memory_at_, words_.size() - memory_at_}; }

  std::size_t bytes() const noexcept {
    return (words_.size() + set_at_.size() + node_at_.size() + 2 * terminals_.size()) * 4;
  }

 private:
  class Reader;

  explicit Program(std::shared_ptr<const std::vector<std::int32_t>> words,
                   std::shared_ptr<const KnownLanguages> known = nullptr)
      : Program(words, *words, std::move(known)) {}
  void read_node(Reader& in);
  void read_nodes(Reader& in, std::size_t count);
  Words list(std::uint32_t at, std::uint32_t width) const noexcept {
    return {words_.data() + at + 1, std::size_t{words_[at]} * width};
  }
  std::int32_t bound(std::uint32_t node, std::uint32_t at) const noexcept {
    return static_cast<std::int32_t>(words_[node_at_[node] + at]);
  }
  std::uint64_t wide(std::uint32_t node, std::uint32_t at) const noexcept {
    return words_[node_at_[node] + at] | std::uint64_t{words_[node_at_[node] + at + 1]} << 30;
  }

  std::shared_ptr<const void> owner_;  // of the words
  std::shared_ptr<const KnownLanguages> known_;
  std::span<const std::uint32_t> words_;
  std::vector<std::uint32_t> set_at_, node_at_;  // where each begins
  std::vector<Terminal> terminals_;
  std::uint32_t bodies_at_ = 0, rules_ = 0, memory_at_ = 0, first_expression_ = 0;
  bool has_automata_ = false, is_whole_ = false;
};

}  // namespace slm

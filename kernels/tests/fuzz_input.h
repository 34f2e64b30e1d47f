// Bytes of a fuzzer, read as a vocabulary, a grammar and random choices.
//
// A vocabulary is small and spelled by the bytes, or large and made from a seed by rule, so that
// the engine's tables for wide loops are worth their while. A grammar is a `Program` whose nodes
// are drawn one after the other, with idioms that matter (JSON strings, identifiers, a string but
// not some words) as frequent as single nodes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "core/program.h"
#include "core/trie.h"

namespace slm::fuzz {

/// A program while it is drawn: node by node, and to be looked at by hand. `encode` makes words.
struct Program {
  using Op = slm::Program::Op;
  using DfaState = slm::Program::DfaState;
  using Terminal = slm::Program::Terminal;
  struct Node {
    Op op;
    std::vector<std::uint32_t> children;  // node numbers; chars: {set}; terminal, call: {index};
                                          // literal: the code points; multiple: its five words;
                                          // label: {set}
    std::int32_t low = 0, high = 0;       // repeat, many; high -1: no bound
    std::vector<DfaState> states;         // dfa
  };
  std::vector<std::vector<std::pair<std::uint32_t, std::uint32_t>>> sets;
  std::vector<Node> nodes;
  std::vector<Terminal> terminals;
  std::vector<std::uint32_t> rules;  // an expression node each
  std::uint32_t start = 0;
};

/// The bytes, taken from the front; zeros once they are used up.
class Source {
 public:
  explicit Source(std::span<const std::uint8_t> data) : data_(data) {}
  std::uint32_t byte() { return at_ < data_.size() ? data_[at_++] : 0; }
  /// 0 to count - 1; one byte, so even for counts up to 256 only.
  std::uint32_t below(std::size_t count) { return byte() % static_cast<std::uint32_t>(count); }
  bool one_in(std::uint32_t count) { return byte() % count == count - 1; }
  std::uint32_t word() { return byte() << 8 | byte(); }
  bool done() const { return at_ >= data_.size(); }

 private:
  std::span<const std::uint8_t> data_;
  std::size_t at_ = 0;
};

/// Numbers from a seed, the same on every machine.
class Random {
 public:
  explicit Random(std::uint32_t seed) : state_(seed * 2654435761u + 88172645u) {}
  std::uint32_t below(std::size_t count) {
    state_ ^= state_ << 13, state_ ^= state_ >> 17, state_ ^= state_ << 5;
    return state_ % static_cast<std::uint32_t>(count);
  }

 private:
  std::uint32_t state_;
};

struct Tokens {
  std::vector<std::string> bytes;
  std::vector<TokenId> ends;
  bool spells_anything;  // each single byte is a token: then no text is a dead end
};

struct Input {
  Tokens tokens;
  Program program;                  // what the oracle reads
  std::vector<std::int32_t> words;  // what the engine reads: the program, maybe with a memory
  bool longest;  // a terminal has to be as long as it can: whoever says so answers for dead ends
  /// What the memory asks of a text of the program; none: nothing.
  std::function<bool(const std::string&)> remembers;
};

Tokens read_tokens(Source& in);
Program read_grammar(Source& in);
Input read_input(Source& in);
Input read_memory_input(Source& in);

/// Appends one UTF-8 encoded code point.
void append(std::string& text, std::uint32_t code_point);

/// The words that the engine reads, and back.
std::vector<std::int32_t> encode(const Program& program);
Program decode(const slm::Program& program);

/// A text the grammar could well derive: a random derivation in which intersections and
/// complements are guessed, so it has to be judged. Stops early when it gets long.
std::string sample(const Program& program, Random& random);

/// For messages: the rules in a notation like Lark's, and the words as a Python list.
std::string describe(const Program& program);
std::string describe(const std::string& bytes);

/// Says what does not hold, and ends the process: a finding.
[[noreturn]] void fail(const std::string& kind, const std::string& details);

/// What a server might ask in any order, drawn from what is left of the bytes.
void run_sessions(Source& in, Input input);

// The targets. Each throws nothing and returns, or fails.
void fuzz_masks(std::span<const std::uint8_t> data);
void fuzz_memory(std::span<const std::uint8_t> data);
void fuzz_program(std::span<const std::uint8_t> data);
void fuzz_regex(std::span<const std::uint8_t> data);

}  // namespace slm::fuzz

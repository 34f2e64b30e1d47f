// The meaning of a program, word for word, on one complete text: what the engine is judged by.
//
// It shares nothing with the engine: no derivative, no Earley item, no state.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "tests/fuzz_input.h"

namespace slm::fuzz {

/// For every node and start the set of ends, as bits; so a text has at most 63 characters.
///
/// Cost: some 64^2 operations a node, and as many rounds as the recursion needs.
class Oracle {
 public:
  static constexpr std::size_t kLongest = 63;

  explicit Oracle(const Program& program) : program_(program) {}

  /// Whether the whole text is in the language of the start rule. False for what is not UTF-8.
  bool derives(const std::string& text);

  /// Whether the whole text is in the language of a regular node.
  bool matches(std::uint32_t node, const std::string& text);

  /// The code points of UTF-8, or false; in `points` then.
  static bool decode(const std::string& text, std::vector<std::uint32_t>& points);

 private:
  using Ends = std::uint64_t;  // bit p: a match may end at p

  bool begin(const std::string& text);
  Ends from(std::uint32_t node, std::size_t start);
  Ends regular(const Program::Node& node, std::size_t start);
  Ends expression(const Program::Node& node, std::size_t start);
  Ends after(std::uint32_t node, Ends starts);
  Ends repeated(const Program::Node& node, std::size_t start);
  Ends automaton(const Program::Node& node, std::size_t start) const;
  bool contains(std::uint32_t set, std::uint32_t point) const;

  const Program& program_;
  std::vector<std::uint32_t> text_;
  std::vector<std::vector<std::pair<bool, Ends>>> known_;  // by node: (done, ends)
  std::vector<std::vector<Ends>> rules_;                   // found so far; they only grow
  std::vector<std::vector<bool>> asked_;                   // rules at starts
  bool changed_ = false;
};

}  // namespace slm::fuzz

#include "core/program.h"

#include <stdexcept>

namespace slm {
namespace {

class Reader {
 public:
  explicit Reader(std::span<const std::int32_t> words) : words_(words) {}

  std::int32_t word() {
    if (at_ == words_.size()) throw std::invalid_argument("the grammar program ends too early");
    return words_[at_++];
  }
  std::uint32_t index(std::size_t limit) {
    std::int32_t value = word();
    if (value < 0 || static_cast<std::size_t>(value) >= limit) {
      throw std::invalid_argument("the grammar program refers to what is not there");
    }
    return static_cast<std::uint32_t>(value);
  }
  std::size_t count() {
    std::int32_t value = word();
    if (value < 0 || static_cast<std::size_t>(value) > words_.size()) {
      throw std::invalid_argument("the grammar program has an impossible count");
    }
    return static_cast<std::size_t>(value);
  }
  bool done() const { return at_ == words_.size(); }

 private:
  std::span<const std::int32_t> words_;
  std::size_t at_ = 0;
};

Program::Node read_node(Reader& in, const Program& program, std::size_t rules) {
  using Op = Program::Op;
  Program::Node node;
  std::int32_t op = in.word();
  if (op < 0 || op > static_cast<std::int32_t>(Op::kMany)) {
    throw std::invalid_argument("the grammar program has an unknown node");
  }
  node.op = static_cast<Op>(op);
  std::size_t made = program.nodes.size();
  switch (node.op) {
    case Op::kChars:
      node.children = {in.index(program.sets.size())};
      break;
    case Op::kTerminal:
      node.children = {in.index(program.terminals.size())};
      break;
    case Op::kCall:
      node.children = {in.index(rules)};
      break;
    case Op::kComplement:
      node.children = {in.index(made)};
      break;
    case Op::kRepeat:
    case Op::kMany:
      node.children = {in.index(made)};
      node.low = in.word();
      node.high = in.word();
      if (node.low < 0 || node.high < -1) throw std::invalid_argument("a negative bound");
      break;
    case Op::kLiteral:
      for (std::size_t left = in.count(); left > 0; --left) {
        node.children.push_back(in.index(0x110000));
      }
      break;
    case Op::kConcat:
    case Op::kUnion:
    case Op::kIntersection:
    case Op::kSeq:
    case Op::kChoice:
      for (std::size_t left = in.count(); left > 0; --left) node.children.push_back(in.index(made));
      break;
    case Op::kDfa: {
      std::size_t states = in.count();
      for (std::size_t q = 0; q < states; ++q) {
        Program::DfaState state;
        state.accepting = in.word() != 0;
        for (std::size_t left = in.count(); left > 0; --left) {
          std::uint32_t set = in.index(program.sets.size());
          state.edges.emplace_back(set, in.index(states));
        }
        node.states.push_back(std::move(state));
      }
      break;
    }
  }
  return node;
}

}  // namespace

Program read_program(std::span<const std::int32_t> words) {
  Reader in(words);
  Program program;
  for (std::size_t left = in.count(); left > 0; --left) {
    auto& set = program.sets.emplace_back();
    for (std::size_t ranges = in.count(); ranges > 0; --ranges) {
      std::uint32_t low = in.index(0x110000);
      set.emplace_back(low, in.index(0x110000));
    }
  }
  std::size_t rules = in.count();
  // Regular nodes first, then the terminals that name them, then expressions.
  for (std::size_t left = in.count(); left > 0; --left) {
    program.nodes.push_back(read_node(in, program, rules));
  }
  for (std::size_t left = in.count(); left > 0; --left) {
    std::uint32_t language = in.index(program.nodes.size());
    program.terminals.push_back({language, in.word() != 0});
  }
  for (std::size_t left = in.count(); left > 0; --left) {
    program.nodes.push_back(read_node(in, program, rules));
  }
  for (std::size_t rule = 0; rule < rules; ++rule) {
    program.rules.push_back(in.index(program.nodes.size()));
  }
  program.start = in.index(rules);
  if (!in.done()) throw std::invalid_argument("the grammar program has words left over");
  return program;
}

}  // namespace slm

#include "schema/written_out.h"

namespace slm::schema {
namespace {

using Op = Program::Op;
using Words = std::vector<std::int32_t>;

std::int32_t word(std::size_t value) { return static_cast<std::int32_t>(value); }
std::int32_t word(Op op) { return static_cast<std::int32_t>(op); }

/// The regular nodes of programs, one behind the other.
class Nodes {
 public:
  /// By node of the program, its number here.
  Words add(const Program& program) {
    const std::int32_t first_set = set_count;
    for (std::uint32_t set = 0; set < program.sets(); ++set, ++set_count) {
      Program::Words ranges = program.set(set);
      sets.push_back(word(ranges.size() / 2));
      sets.insert(sets.end(), ranges.begin(), ranges.end());
    }
    Words numbers;
    for (std::uint32_t node = 0; node < program.first_expression(); ++node) {
      if (program.op(node) == Op::kKnown) {
        const Program alone = program.known(node).alone();
        const Words inner = add(alone);
        numbers.push_back(inner[alone.terminals()[0].language]);
        continue;
      }
      write(program, node, first_set, numbers);
      numbers.push_back(count++);
    }
    return numbers;
  }

  Words sets, words;
  std::int32_t set_count = 0, count = 0;

 private:
  void write(const Program& program, std::uint32_t node, std::int32_t first_set,
             const Words& numbers) {
    const Op op = program.op(node);
    const Program::Words children = program.children(node);
    auto add_numbers = [&] {
      for (std::uint32_t child : children) words.push_back(numbers[child]);
    };
    words.push_back(word(op));
    switch (op) {
      case Op::kChars:
        words.push_back(first_set + word(children[0]));
        break;
      case Op::kLabel:
        words.push_back(first_set + word(program.letters(node)));
        break;
      case Op::kLiteral:
      case Op::kSpelled:
        words.push_back(word(children.size()));
        words.insert(words.end(), children.begin(), children.end());
        break;
      case Op::kComplement:
        add_numbers();
        break;
      case Op::kRepeat:
        add_numbers();
        words.insert(words.end(), {program.low(node), program.high(node)});
        break;
      case Op::kMultiple:
        add_wide(program.modulus(node));
        add_wide(program.rest(node));
        words.push_back(program.most(node));
        break;
      case Op::kEcho:
        words.push_back(word(children.size()));
        add_numbers();
        for (std::size_t at = 1; at < children.size(); ++at) {
          words.push_back(program.again(node, at));
        }
        words.push_back(word(program.read(node)));
        break;
      case Op::kDfa: {
        const auto states = program.states(node);
        words.push_back(word(states.size()));
        for (const Program::DfaState& state : states) {
          words.insert(words.end(), {state.accepting, word(state.edges.size())});
          for (auto [set, target] : state.edges) {
            words.insert(words.end(), {first_set + word(set), word(target)});
          }
        }
        break;
      }
      default:
        words.push_back(word(children.size()));
        add_numbers();
    }
  }

  void add_wide(std::uint64_t value) {
    constexpr std::uint64_t kLow = (1u << 30) - 1;
    words.insert(words.end(), {word(value & kLow), word(value >> 30)});
  }
};

/// Expressions come behind the regular nodes, which are now more.
void add_expression(const Program& program, std::uint32_t node, std::int32_t shift, Words& words) {
  const Op op = program.op(node);
  const Program::Words children = program.children(node);
  words.push_back(word(op));
  if (op == Op::kSeq || op == Op::kChoice) words.push_back(word(children.size()));
  bool numbers_nodes = op != Op::kTerminal && op != Op::kCall;
  for (std::uint32_t child : children) words.push_back(word(child) + (numbers_nodes ? shift : 0));
  if (op == Op::kMany) words.insert(words.end(), {program.low(node), program.high(node)});
}

}  // namespace

std::vector<std::int32_t> written_out(const Program& program) {
  Nodes nodes;
  const Words numbers = nodes.add(program);
  const std::int32_t shift = nodes.count - word(program.first_expression());
  Words words{nodes.set_count};
  words.insert(words.end(), nodes.sets.begin(), nodes.sets.end());
  words.insert(words.end(), {word(program.rules()), nodes.count});
  words.insert(words.end(), nodes.words.begin(), nodes.words.end());
  words.push_back(word(program.terminals().size()));
  for (const Program::Terminal& terminal : program.terminals()) {
    words.push_back(numbers[terminal.language]);
    words.push_back(terminal.longest | terminal.has_text << 1);
  }
  words.push_back(word(program.nodes() - program.first_expression()));
  for (std::uint32_t node = program.first_expression(); node < program.nodes(); ++node) {
    add_expression(program, node, shift, words);
  }
  for (std::uint32_t rule = 0; rule < program.rules(); ++rule) {
    words.push_back(word(program.body(rule)) + shift);
  }
  words.push_back(word(program.start()));
  words.insert(words.end(), program.memory().begin(), program.memory().end());
  return words;
}

}  // namespace slm::schema

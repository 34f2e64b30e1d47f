// A program as words, as random texts, and as something to read.
#include <algorithm>
#include <cstdio>
#include <cstdlib>

#include "tests/fuzz_input.h"

namespace slm::fuzz {
namespace {

using Op = Program::Op;

constexpr std::size_t kLongSample = 36;

/// Derives at random; past some depth or length it takes the shortest way it knows of.
class Sampler {
 public:
  Sampler(const Program& program, Random& random) : program_(program), random_(random) {}

  std::string run() {
    node(program_.rules[program_.start], 0);
    return std::move(text_);
  }

 private:
  bool enough(int depth) const { return depth > 24 || text_.size() > kLongSample; }

  void one_of(std::uint32_t set) {
    const auto& ranges = program_.sets[set];
    if (ranges.empty()) return;
    auto [low, high] = ranges[random_.below(ranges.size())];
    std::uint32_t width = std::min(high - low + 1, 60u);
    append(text_, random_.below(4) == 0 ? high : low + random_.below(width));
  }

  void automaton(const Program::Node& node) {
    std::uint32_t state = 0;
    for (int steps = 0; steps < 12 && !node.states.empty(); ++steps) {
      const Program::DfaState& here = node.states[state];
      if (here.edges.empty() || (here.accepting && random_.below(3) == 0)) return;
      auto [set, target] = here.edges[random_.below(here.edges.size())];
      one_of(set);
      state = target;
    }
  }

  void node(std::uint32_t index, int depth) {
    const Program::Node& node = program_.nodes[index];
    switch (node.op) {
      case Op::kChars:
        one_of(node.children[0]);
        break;
      case Op::kLiteral:
        for (std::uint32_t point : node.children) append(text_, point);
        break;
      case Op::kConcat:
      case Op::kSeq:
        for (std::uint32_t child : node.children) this->node(child, depth + 1);
        break;
      case Op::kUnion:
      case Op::kChoice: {
        if (node.children.empty()) break;
        std::size_t count = enough(depth) ? 1 : node.children.size();
        this->node(node.children[random_.below(count)], depth + 1);
        break;
      }
      case Op::kRepeat:
      case Op::kMany: {
        std::int32_t more = enough(depth) ? 0 : static_cast<std::int32_t>(random_.below(4));
        std::int32_t times = node.low + more;
        if (node.high >= 0) times = std::min(times, node.high);
        for (; times > 0 && text_.size() < 2 * kLongSample; --times) {
          std::size_t before = text_.size();
          this->node(node.children[0], depth + 1);
          if (text_.size() == before) break;
        }
        break;
      }
      case Op::kIntersection:
        if (!node.children.empty()) this->node(node.children[0], depth + 1);
        break;
      case Op::kComplement:  // near what is excluded
        this->node(node.children[0], depth + 1);
        if (!text_.empty() && random_.below(3) == 0) text_.pop_back();
        if (random_.below(2) == 0) text_ += static_cast<char>('a' + random_.below(3));
        break;
      case Op::kDfa:
        automaton(node);
        break;
      case Op::kTerminal:
        this->node(program_.terminals[node.children[0]].language, depth + 1);
        break;
      case Op::kCall:
        if (depth < 48) this->node(program_.rules[node.children[0]], depth + 1);
        break;
      case Op::kSpelled:
      case Op::kMultiple:
      case Op::kLabel:
      case Op::kEcho:
        break;  // never drawn
    }
  }

  const Program& program_;
  Random& random_;
  std::string text_;
};

void put(std::vector<std::int32_t>& words, std::size_t word) {
  words.push_back(static_cast<std::int32_t>(word));
}

void put_node(std::vector<std::int32_t>& words, const Program::Node& node) {
  put(words, static_cast<std::size_t>(node.op));
  switch (node.op) {
    case Op::kLiteral:
    case Op::kConcat:
    case Op::kUnion:
    case Op::kIntersection:
    case Op::kSeq:
    case Op::kChoice:
    case Op::kSpelled:
      put(words, node.children.size());
      break;
    case Op::kDfa:
      put(words, node.states.size());
      for (const Program::DfaState& state : node.states) {
        put(words, state.accepting ? 1 : 0);
        put(words, state.edges.size());
        for (auto [set, target] : state.edges) put(words, set), put(words, target);
      }
      break;
    default:
      break;
  }
  for (std::uint32_t child : node.children) put(words, child);
  if (node.op == Op::kRepeat || node.op == Op::kMany) {
    words.push_back(node.low);
    words.push_back(node.high);
  }
}

bool is_regular(Op op) { return op <= Op::kDfa || op >= Op::kSpelled; }

std::string number(std::size_t value) { return std::to_string(value); }

std::string show_set(const Program& program, std::uint32_t set) {
  std::string shown = "[";
  for (auto [low, high] : program.sets[set]) {
    for (std::uint32_t point : {low, high}) {
      char buffer[16];
      bool plain = point > 0x20 && point < 0x7F && point != '\\' && point != ']' && point != '-';
      std::snprintf(buffer, sizeof buffer, plain ? "%c" : "\\u{%x}", point);
      shown += buffer;
      if (low == high) break;
      if (point == low) shown += "-";
    }
  }
  return shown + "]";
}

/// Every node as a line of its own would be long; a tree repeats what is shared. Bounded.
std::string show(const Program& program, std::uint32_t index, int depth) {
  if (depth > 12) return "…";
  const Program::Node& node = program.nodes[index];
  auto all = [&](const char* between) {
    std::string shown = "(";
    for (std::size_t k = 0; k < node.children.size(); ++k) {
      if (k > 0) shown += between;
      shown += show(program, node.children[k], depth + 1);
    }
    return shown + ")";
  };
  switch (node.op) {
    case Op::kChars:
      return show_set(program, node.children[0]);
    case Op::kLiteral: {
      std::string text;
      for (std::uint32_t point : node.children) append(text, point);
      return describe(text);
    }
    case Op::kConcat:
    case Op::kSeq:
      return all(" ");
    case Op::kUnion:
    case Op::kChoice:
      return all(" | ");
    case Op::kIntersection:
      return all(" & ");
    case Op::kComplement:
      return "~" + show(program, node.children[0], depth + 1);
    case Op::kRepeat:
    case Op::kMany:
      return show(program, node.children[0], depth + 1) + "{" + std::to_string(node.low) + "," +
             (node.high < 0 ? "" : std::to_string(node.high)) + "}";
    case Op::kDfa: {
      std::string shown = "dfa(";
      for (std::size_t q = 0; q < node.states.size(); ++q) {
        shown += number(q) + (node.states[q].accepting ? "!:" : ":");
        for (auto [set, target] : node.states[q].edges) {
          shown += " " + show_set(program, set) + number(target);
        }
        shown += "; ";
      }
      return shown + ")";
    }
    case Op::kTerminal:
      return "T" + number(node.children[0]);
    case Op::kCall:
      return "r" + number(node.children[0]);
    case Op::kSpelled:
    case Op::kMultiple:
    case Op::kLabel:
    case Op::kEcho:
      break;  // never drawn
  }
  return "?";
}

}  // namespace

/// Not the core's own, which is judged by this.
void append(std::string& text, std::uint32_t c) {
  auto put = [&](std::uint32_t byte) { text += static_cast<char>(byte); };
  if (c < 0x80) {
    put(c);
  } else if (c < 0x800) {
    put(0xC0 | c >> 6), put(0x80 | (c & 63));
  } else if (c < 0x10000) {
    put(0xE0 | c >> 12), put(0x80 | (c >> 6 & 63)), put(0x80 | (c & 63));
  } else {
    put(0xF0 | c >> 18), put(0x80 | (c >> 12 & 63)), put(0x80 | (c >> 6 & 63)),
        put(0x80 | (c & 63));
  }
}

Program decode(const slm::Program& program) {
  Program made;
  for (std::uint32_t i = 0; i < program.sets(); ++i) {
    auto& set = made.sets.emplace_back();
    slm::Program::Words words = program.set(i);
    for (std::size_t k = 0; k < words.size(); k += 2) set.emplace_back(words[k], words[k + 1]);
  }
  for (std::uint32_t i = 0; i < program.nodes(); ++i) {
    slm::Program::Words children = program.children(i);
    Program::Node node{program.op(i), {children.begin(), children.end()}, 0, 0, {}};
    if (node.op == Op::kRepeat || node.op == Op::kMany) {
      node.low = program.low(i);
      node.high = program.high(i);
    }
    if (node.op == Op::kDfa) node.states = program.states(i);
    if (node.op == Op::kEcho) {  // as it is written
      const std::size_t parts = node.children.size();
      for (std::size_t child = 1; child < parts; ++child) {
        node.children.push_back(program.again(i, child) ? 1 : 0);
      }
      node.children.push_back(static_cast<std::uint32_t>(program.read(i)));
      node.children.insert(node.children.begin(), static_cast<std::uint32_t>(parts));
    }
    if (node.op == Op::kMultiple) {
      for (std::uint64_t number : {program.modulus(i), program.rest(i)}) {
        node.children.push_back(static_cast<std::uint32_t>(number & 0x3FFFFFFF));
        node.children.push_back(static_cast<std::uint32_t>(number >> 30));
      }
      node.children.push_back(static_cast<std::uint32_t>(program.most(i)));
    }
    if (node.op == Op::kLabel) node.children.push_back(program.letters(i));
    made.nodes.push_back(std::move(node));
  }
  made.terminals = program.terminals();
  for (std::uint32_t r = 0; r < program.rules(); ++r) made.rules.push_back(program.body(r));
  made.start = program.start();
  return made;
}

std::vector<std::int32_t> encode(const Program& program) {
  std::vector<std::int32_t> words;
  put(words, program.sets.size());
  for (const auto& set : program.sets) {
    put(words, set.size());
    for (auto [low, high] : set) put(words, low), put(words, high);
  }
  put(words, program.rules.size());
  std::size_t regular = 0;
  while (regular < program.nodes.size() && is_regular(program.nodes[regular].op)) ++regular;
  put(words, regular);
  for (std::size_t i = 0; i < regular; ++i) put_node(words, program.nodes[i]);
  put(words, program.terminals.size());
  for (const Program::Terminal& terminal : program.terminals) {
    put(words, terminal.language);
    put(words, terminal.longest ? 1 : 0);
  }
  put(words, program.nodes.size() - regular);
  for (std::size_t i = regular; i < program.nodes.size(); ++i) put_node(words, program.nodes[i]);
  for (std::uint32_t rule : program.rules) put(words, rule);
  put(words, program.start);
  return words;
}

std::string sample(const Program& program, Random& random) {
  return Sampler(program, random).run();
}

std::string describe(const std::string& bytes) {
  std::string shown = "b'";
  for (char c : bytes) {
    unsigned char byte = static_cast<unsigned char>(c);
    char buffer[8];
    bool plain = byte >= 0x20 && byte < 0x7F && byte != '\\' && byte != '\'';
    std::snprintf(buffer, sizeof buffer, plain ? "%c" : "\\x%02x", byte);
    shown += buffer;
  }
  return shown + "'";
}

void fail(const std::string& kind, const std::string& details) {
  std::fprintf(stderr, "FUZZ FAILURE: %s\n%s\n", kind.c_str(), details.c_str());
  std::fflush(stderr);
  std::abort();
}

std::string describe(const Program& program) {
  std::string shown;
  for (std::size_t r = 0; r < program.rules.size(); ++r) {
    shown += "  r" + number(r) + ": " + show(program, program.rules[r], 0) + "\n";
  }
  for (std::size_t t = 0; t < program.terminals.size(); ++t) {
    const Program::Terminal& terminal = program.terminals[t];
    shown += "  T" + number(t) + (terminal.longest ? "!: " : ": ") +
             show(program, terminal.language, 0) + "\n";
  }
  shown += "  words = [";
  for (std::int32_t word : encode(program)) shown += std::to_string(word) + ",";
  return shown + "]\n";
}

}  // namespace slm::fuzz

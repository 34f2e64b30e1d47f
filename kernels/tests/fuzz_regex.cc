// Fuzz target: expressions and their derivatives, against a matcher that knows neither.
#include "core/error.h"
#include "core/regex.h"
#include "tests/fuzz_input.h"
#include "tests/fuzz_oracle.h"

namespace slm::fuzz {
namespace {

using Op = Program::Op;

/// The regular nodes of a program in a pool, straight from the definitions.
std::vector<NodeId> build(const Program& program, RegexPool& pool) {
  std::vector<NodeId> built;
  NodeId anything = pool.repeat(pool.chars({{0, 0xD7FF}, {0xE000, 0x10FFFF}}), 0, kNoBound);
  for (const Program::Node& node : program.nodes) {
    if (node.op > Op::kDfa) break;
    std::vector<NodeId> parts;
    if (node.op >= Op::kConcat && node.op <= Op::kComplement) {
      for (std::uint32_t child : node.children) parts.push_back(built[child]);
    }
    NodeId made = kNothing;
    switch (node.op) {
      case Op::kChars:
        made = pool.chars(program.sets[node.children[0]]);
        break;
      case Op::kLiteral:
        for (std::uint32_t point : node.children) parts.push_back(pool.chars({{point, point}}));
        made = pool.concat(parts);
        break;
      case Op::kConcat:
        made = pool.concat(parts);
        break;
      case Op::kUnion:
        made = pool.alternate(parts);
        break;
      case Op::kRepeat:
        made = pool.repeat(parts[0], node.low, node.high);
        break;
      case Op::kIntersection:
        parts.push_back(anything);
        made = pool.intersect(parts);
        break;
      case Op::kComplement:
        made = pool.intersect({anything, pool.complement(parts[0])});
        break;
      default: {
        std::uint32_t dfa = pool.new_dfa(static_cast<std::uint32_t>(node.states.size()));
        for (std::uint32_t q = 0; q < node.states.size(); ++q) {
          std::vector<std::pair<NodeId, std::uint32_t>> edges;
          for (auto [set, target] : node.states[q].edges) {
            edges.emplace_back(pool.chars(program.sets[set]), target);
          }
          pool.set_dfa_state(dfa, q, node.states[q].accepting, edges);
        }
        made = pool.dfa_state(dfa, 0);
        break;
      }
    }
    built.push_back(made);
  }
  return built;
}

NodeId after(RegexPool& pool, NodeId node, const std::string& text) {
  for (char c : text) node = pool.step(node, static_cast<std::uint8_t>(c));
  return node;
}

/// What the engine asks of expressions beside derivatives. A template, so that a pool without one
/// of the questions is still fuzzed for the others.
template <class Pool>
void ask(Pool& pool, NodeId node, const std::string& text, const std::string& said) {
  std::string rest;
  NodeId at = node;
  constexpr std::int32_t kShort = 5;
  NodeId clamped = node;
  if constexpr (requires { pool.clamp(node, kShort); }) clamped = pool.clamp(node, kShort);
  std::size_t steps = 0;
  for (char c : text) {
    auto byte = static_cast<std::uint8_t>(c);
    NodeId next = pool.step(at, byte);
    if (pool.nullable(at) && !pool.alive(at)) fail("the empty text is not there", said);
    if (pool.alive(next) && !pool.alive(at)) fail("what is dead comes alive", said);
    if (pool.alive(next) && !pool.can_continue(at)) fail("it continues, and cannot", said);
    if (pool.alive(next) && !pool.first_bytes(at)[byte]) fail("a first byte is left out", said);
    at = next;
    if (++steps <= static_cast<std::size_t>(kShort)) {
      clamped = pool.step(clamped, byte);
      bool same =
          pool.nullable(clamped) == pool.nullable(at) &&
          (steps == static_cast<std::size_t>(kShort) || pool.alive(clamped) == pool.alive(at));
      if (!same) fail("counters far from their bounds were felt", said);
    }
  }
  if constexpr (requires { pool.living(at, kShort); }) {
    if (CharClass living = pool.living(at, kShort); pool.alive(at) && living.size() > 0) {
      NodeId read = at;
      std::uint32_t turn = static_cast<std::uint32_t>(text.size());
      for (std::int32_t left = kShort; left > 0;) {
        std::uint8_t byte = static_cast<std::uint8_t>(turn = (turn * 37 + 11) % 128);
        if (!living.has(byte)) {
          if ((turn + left) % 16 == 0) --left;  // there may be no ASCII character
          continue;
        }
        read = pool.step(read, byte);
        --left;
        if (!pool.alive(read)) fail("a character kills that should not", said);
      }
    }
  }
  if constexpr (requires { pool.without_exclusions(node); }) {
    NodeId wider = pool.without_exclusions(node);
    if (pool.nullable(at) && !pool.nullable(after(pool, wider, text))) {
      fail("without exclusions there is less", said);
    }
  }
  RegexPool::Loop loop;
  if (pool.is_loop(node, loop)) {
    CharClass chars = pool.single_characters(loop.body);
    chars.take_out(pool.first_bytes(loop.tail));
    NodeId once = kNothing;
    for (int b = 0; b < 128; ++b) {
      if (!chars.has(static_cast<std::uint8_t>(b))) continue;
      NodeId next = pool.step(node, static_cast<std::uint8_t>(b));
      if (once != kNothing && next != once) fail("a loop goes two ways", said);
      once = next;
    }
  }
}

}  // namespace

void fuzz_regex(std::span<const std::uint8_t> data) {
  Source in(data);
  Program program = read_grammar(in);
  Random random(in.word() + 1);
  try {
    RegexPool pool;
    std::vector<NodeId> built = build(program, pool);
    Oracle oracle(program);
    for (std::size_t n = 0; n < built.size() && pool.size() < 60'000; ++n) {
      // The node as a grammar of its own, to sample from it.
      Program alone;
      alone.sets = program.sets;
      alone.nodes.assign(program.nodes.begin(),
                         program.nodes.begin() + static_cast<std::ptrdiff_t>(n) + 1);
      alone.rules = {static_cast<std::uint32_t>(n)};
      for (int left = 6; left > 0; --left) {
        std::string text = sample(alone, random);
        for (std::uint32_t bytes = in.below(3); bytes > 0; --bytes) {  // and a little beside it
          std::size_t at = in.below(text.size() + 1);
          std::uint32_t kind = in.below(3);
          if (kind == 0 || text.empty()) {
            text.insert(at, 1, "ab\"\\0 \xC3\xA9"[in.below(8)]);
          } else {
            text.erase(at % text.size(), kind);
          }
        }
        if (text.size() > 40) continue;
        bool matched = pool.nullable(after(pool, built[n], text));
        std::string said =
            describe(text) + " at node " + std::to_string(n) + "\n" + describe(program);
        if (matched != oracle.matches(static_cast<std::uint32_t>(n), text)) {
          fail(matched ? "a derivative matches too much" : "a derivative matches too little", said);
        }
        ask(pool, built[n], text, said);
      }
    }
  } catch (const TooComplex&) {
  }
}

}  // namespace slm::fuzz

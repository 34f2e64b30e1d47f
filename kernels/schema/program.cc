// The rules of a schema as the words of a program, and whether they derive anything.
#include "core/program.h"

#include <algorithm>

#include "schema/lower.h"

namespace slm::schema {
namespace {

using Kind = Expression::Kind;
using Op = Program::Op;
constexpr std::int32_t op(Op kind) { return static_cast<std::int32_t>(kind); }

constexpr int kMaxDepth = 400;
constexpr std::uint32_t kUnmade = 0xFFFFFFFF;

/// Writes expressions, children first, and numbers terminals in the order of their first use.
class Writer {
 public:
  Writer(Arena& arena, std::size_t terminals, std::size_t rules, std::uint32_t regular_count)
      : terminals(arena),
        terminal_numbers(arena),
        rule_numbers(arena),
        words(arena),
        next_node_(regular_count) {
    terminal_numbers.resize(terminals, kUnmade);
    rule_numbers.resize(rules, kUnmade);
  }

  /// Its words, behind those that are there; its number.
  std::int32_t write(const Expression& node, int depth = 0) {
    if (node.number != kUnmade) return static_cast<std::int32_t>(node.number);
    if (depth > kMaxDepth) throw Deferred("an expression is nested too deep");
    for (const Expression* part : node.parts) {
      if (part->number == kUnmade) write(*part, depth + 1);
    }
    auto number_of = [](const Expression* part) { return static_cast<std::int32_t>(part->number); };
    switch (node.kind) {
      case Kind::kTerminal: {
        std::int32_t* out = words.extend(2);
        out[0] = op(Op::kTerminal);
        out[1] = terminal(node.index);
        break;
      }
      case Kind::kCall: {
        std::int32_t* out = words.extend(2);
        out[0] = op(Op::kCall);
        out[1] = static_cast<std::int32_t>(rule_numbers[node.index]);
        break;
      }
      case Kind::kMany: {
        if (node.low > kMaxCount) throw Deferred("a count is too large");
        bool bounded = node.high && *node.high <= kMaxCount;
        std::int32_t* out = words.extend(4);
        out[0] = op(Op::kMany);
        out[1] = number_of(node.parts[0]);
        out[2] = static_cast<std::int32_t>(node.low);
        out[3] = bounded ? static_cast<std::int32_t>(*node.high) : -1;
        break;
      }
      default: {
        has_never = has_never || Expressions::is_never(&node);
        std::int32_t* out = words.extend(2 + node.parts.size());
        *out++ = op(node.kind == Kind::kSeq ? Op::kSeq : Op::kChoice);
        *out++ = static_cast<std::int32_t>(node.parts.size());
        for (const Expression* part : node.parts) *out++ = number_of(part);
      }
    }
    ++count;
    return static_cast<std::int32_t>(node.number = next_node_++);
  }

  Growing<std::uint32_t> terminals;  // by number
  Growing<std::uint32_t> terminal_numbers, rule_numbers;
  Growing<std::int32_t> words;
  std::int32_t count = 0;
  bool has_never = false;  // what cannot be written

 private:
  std::int32_t terminal(std::uint32_t index) {
    std::uint32_t& number = terminal_numbers[index];
    if (number == kUnmade) {
      number = static_cast<std::uint32_t>(terminals.size());
      terminals.push_back(index);
    }
    return static_cast<std::int32_t>(number);
  }

  std::uint32_t next_node_;
};

constexpr std::int32_t kDistinctItems = 2;  // slm/grammar/memory.py

void find_calls(const Expression& node, std::vector<Rule>& calls) {
  if (node.kind == Kind::kCall) calls.push_back(node.index);
  for (const Expression* part : node.parts) find_calls(*part, calls);
}

bool derives(const Expression& node, const Growing<bool>& productive) {
  switch (node.kind) {
    case Kind::kTerminal:
      return true;  // the empty ones were left out when they were made
    case Kind::kCall:
      return productive[node.index];
    case Kind::kSeq:
      for (const Expression* part : node.parts) {
        if (!derives(*part, productive)) return false;
      }
      return true;
    case Kind::kChoice:
      for (const Expression* part : node.parts) {
        if (derives(*part, productive)) return true;
      }
      return false;
    case Kind::kMany:
      return node.low == 0 || derives(*node.parts[0], productive);
  }
  return false;
}

}  // namespace

std::span<const std::int32_t> Lowering::words(Rule start, Arena& memory) {
  Writer writer(of.arena, terminals_.size(), bodies_.size(), regulars.count());
  for (std::size_t at = 0; at < order_.size(); ++at) {
    writer.rule_numbers[order_[at]] = static_cast<std::uint32_t>(at);
  }
  Growing<std::int32_t> roots(of.arena);
  for (Rule rule : order_) roots.push_back(writer.write(*bodies_[rule]));
  is_whole_ = all_productive_ && !writer.has_never;
  constexpr std::size_t kCounts = 6, kMemory = 2;
  std::size_t size = kCounts + regulars.sets().size() + regulars.nodes().size() +
                     2 * writer.terminals.size() + writer.words.size() + roots.size() +
                     (remembers ? kMemory : 0);
  std::int32_t* const flat = memory.raw<std::int32_t>(size);
  std::int32_t* out = flat;
  auto add_one = [&](std::size_t word) { *out++ = static_cast<std::int32_t>(word); };
  auto add = [&](const Growing<std::int32_t>& some) { out = std::ranges::copy(some, out).out; };
  add_one(regulars.set_count());
  add(regulars.sets());
  add_one(order_.size());
  add_one(regulars.count());
  add(regulars.nodes());
  add_one(writer.terminals.size());
  for (std::uint32_t terminal : writer.terminals) {
    constexpr std::size_t kHasText = 2;  // void ones were left out when they were made
    add_one(terminals_[terminal]);
    add_one(kHasText);
  }
  *out++ = writer.count;
  add(writer.words);
  add(roots);
  add_one(writer.rule_numbers[start]);
  if (remembers) {
    *out++ = kDistinctItems;
    add_one(0);
  }
  return {flat, size};
}

/// Rules mostly come before those that they call, so a pass from the last to the first tells nearly
/// all. What is left after a few passes is taken from a list, by its callers.
bool Lowering::is_satisfiable(Rule start) {
  constexpr int kPasses = 4;
  Growing<bool> productive(of.arena);
  productive.resize(bodies_.size(), false);
  bool changed = true;
  std::size_t missing = order_.size();
  for (int pass = 0; changed && pass < kPasses; ++pass) {
    changed = false;
    for (std::size_t at = order_.size(); at-- > 0;) {
      Rule rule = order_[at];
      if (productive[rule] || !derives(*bodies_[rule], productive)) continue;
      productive[rule] = changed = true;
      --missing;
    }
    if (missing == 0) break;
  }
  all_productive_ = missing == 0;
  if (productive[start]) return true;
  if (!changed) return false;
  std::vector<std::vector<Rule>> users(bodies_.size());
  std::vector<Rule> calls;
  for (Rule rule : order_) {
    calls.clear();
    find_calls(*bodies_[rule], calls);
    for (Rule called : calls) users[called].push_back(rule);
  }
  std::vector<Rule> todo(order_.begin(), order_.end());
  std::ranges::fill(productive, false);
  while (!todo.empty() && !productive[start]) {
    Rule rule = todo.back();
    todo.pop_back();
    if (productive[rule] || !derives(*bodies_[rule], productive)) continue;
    productive[rule] = true;
    todo.insert(todo.end(), users[rule].begin(), users[rule].end());
  }
  return productive[start];
}

}  // namespace slm::schema

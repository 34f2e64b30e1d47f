#include "core/grammar.h"

#include <algorithm>

#include "core/error.h"

namespace slm {
namespace {

using Op = Program::Op;

constexpr std::uint32_t kNever = 0xFFFFFFFFu;

/// An intersection. Beside a part that is UTF-8 already, a complement need not be cut down to it:
/// then `string but not these names` is a plain string again as soon as the names are ruled out.
NodeId intersect(const Program& program, RegexPool& pool, const Program::Node& node,
                 const std::vector<NodeId>& built) {
  auto is_complement = [&](std::uint32_t child) {
    return program.nodes[child].op == Op::kComplement;
  };
  bool bounded = !std::ranges::all_of(node.children, is_complement);
  std::vector<NodeId> parts;
  for (std::uint32_t child : node.children) {
    bool bare = bounded && is_complement(child);
    parts.push_back(bare ? pool.complement(built[program.nodes[child].children[0]]) : built[child]);
  }
  return pool.intersect(std::move(parts));
}

/// Turns the regular nodes of a program into expressions of the pool.
std::vector<NodeId> read_languages(const Program& program, RegexPool& pool) {
  std::vector<NodeId> built(program.nodes.size(), kNothing);
  NodeId anything = pool.repeat(pool.chars({{0, 0xD7FF}, {0xE000, 0x10FFFF}}), 0, kNoBound);
  for (std::size_t i = 0; i < program.nodes.size(); ++i) {
    const Program::Node& node = program.nodes[i];
    std::vector<NodeId> parts;
    bool composite = node.op == Op::kConcat || node.op == Op::kUnion ||
                     node.op == Op::kIntersection || node.op == Op::kComplement ||
                     node.op == Op::kRepeat;
    if (composite) {
      for (std::uint32_t child : node.children) parts.push_back(built[child]);
    }
    switch (node.op) {
      case Op::kChars:
        built[i] = pool.chars(program.sets[node.children[0]]);
        break;
      case Op::kLiteral:
        for (std::uint32_t point : node.children) parts.push_back(pool.chars({{point, point}}));
        built[i] = pool.concat(parts);
        break;
      case Op::kConcat:
        built[i] = pool.concat(parts);
        break;
      case Op::kUnion:
        built[i] = pool.alternate(std::move(parts));
        break;
      case Op::kRepeat:
        built[i] = pool.repeat(parts[0], node.low, node.high);
        break;
      case Op::kIntersection:
        built[i] = parts.empty() ? anything : intersect(program, pool, node, built);
        break;
      case Op::kComplement:
        // Of the texts, not of the byte strings: what is not UTF-8 is in no language.
        built[i] = pool.intersect({anything, pool.complement(parts[0])});
        break;
      case Op::kDfa: {
        std::uint32_t dfa = pool.new_dfa(static_cast<std::uint32_t>(node.states.size()));
        for (std::uint32_t q = 0; q < node.states.size(); ++q) {
          std::vector<std::pair<NodeId, std::uint32_t>> edges;
          for (auto [set, target] : node.states[q].edges) {
            edges.emplace_back(pool.chars(program.sets[set]), target);
          }
          pool.set_dfa_state(dfa, q, node.states[q].accepting, edges);
        }
        built[i] = node.states.empty() ? kNothing : pool.dfa_state(dfa, 0);
        break;
      }
      default:
        break;
    }
  }
  return built;
}

/// Which nodes have a property that flows from children to parents, and from rules to their calls:
/// the least fixpoint. `leaf` answers for terminals; a repetition may have none and so always holds
/// when its lower bound is 0.
///
/// Cost: linear; every node is told once.
class Flow {
 public:
  Flow(const Program& program, const std::vector<bool>& leaf) : program_(program) {
    std::size_t count = program.nodes.size();
    holds_.assign(count, false);
    missing_.assign(count, 0);
    parents_.resize(count);
    bodies_.resize(count);
    calls_.resize(program.rules.size());
    for (std::uint32_t r = 0; r < program.rules.size(); ++r) bodies_[program.rules[r]].push_back(r);
    for (std::uint32_t i = 0; i < count; ++i) {
      const Program::Node& node = program.nodes[i];
      bool composite = node.op == Op::kSeq || node.op == Op::kChoice || node.op == Op::kMany;
      if (composite) {
        for (std::uint32_t child : node.children) parents_[child].push_back(i);
      }
      missing_[i] = node.op == Op::kSeq ? static_cast<std::uint32_t>(node.children.size()) : 1;
      if (node.op == Op::kCall) calls_[node.children[0]].push_back(i);
      bool always = (node.op == Op::kSeq && node.children.empty()) ||
                    (node.op == Op::kMany && node.low == 0) ||
                    (node.op == Op::kTerminal && leaf[node.children[0]]);
      if (always) todo_.push_back(i);
    }
    while (!todo_.empty()) {
      std::uint32_t i = todo_.back();
      todo_.pop_back();
      if (holds_[i]) continue;
      holds_[i] = true;
      for (std::uint32_t parent : parents_[i]) {
        if (missing_[parent] > 0 && --missing_[parent] == 0) todo_.push_back(parent);
      }
      for (std::uint32_t rule : bodies_[i]) {
        todo_.insert(todo_.end(), calls_[rule].begin(), calls_[rule].end());
      }
    }
  }

  bool node(std::uint32_t i) const { return holds_[i]; }
  bool rule(std::uint32_t r) const { return holds_[program_.rules[r]]; }

 private:
  const Program& program_;
  std::vector<bool> holds_;
  std::vector<std::uint32_t> missing_;  // children that must still come to hold
  std::vector<std::vector<std::uint32_t>> parents_, bodies_, calls_;
  std::vector<std::uint32_t> todo_;
};

class Builder {
 public:
  Builder(const Program& program, GrammarTables& tables, const Flow& productive,
          const Flow& nullable)
      : program_(program), tables_(tables), productive_(productive), nullable_(nullable) {}

  void build() {
    rule_of_.assign(program_.rules.size(), kNever);
    tables_.start = new_rule(program_.start, false);
    PositionId last = new_position(tables_.start);
    tables_.positions[last].final = true;
    PositionId first = tables_.rules[tables_.start].first;
    on_rule(first, rule(program_.start), last);
    while (!todo_.empty()) {
      std::uint32_t source = todo_.back();
      todo_.pop_back();
      RuleId id = rule_of_[source];
      PositionId end = new_position(id);
      tables_.positions[end].final = true;
      source_ = source;
      compile(program_.rules[source], tables_.rules[id].first, end, id);
    }
    for (Position& position : tables_.positions) position.only_ends = only_ends(position);
  }

 private:
  RuleId new_rule(std::uint32_t source, bool nullable) {
    RuleId id = static_cast<RuleId>(tables_.rules.size());
    tables_.rules.push_back({0, nullable, source});
    PositionId first = new_position(id);
    tables_.rules[id].first = first;
    return id;
  }
  PositionId new_position(RuleId rule) {
    tables_.positions.emplace_back().rule = rule;
    return static_cast<PositionId>(tables_.positions.size() - 1);
  }
  RuleId rule(std::uint32_t source) {
    if (rule_of_[source] == kNever) {
      rule_of_[source] = new_rule(source, nullable_.rule(source));
      todo_.push_back(source);
    }
    return rule_of_[source];
  }
  void silent(PositionId from, PositionId to) { tables_.positions[from].silent.push_back(to); }
  /// A position takes one symbol edge; when it has one already, go through a fresh one.
  PositionId free_position(PositionId from) {
    if (tables_.positions[from].symbol_kind == Position::Symbol::kNone) return from;
    PositionId fresh = new_position(tables_.positions[from].rule);
    silent(from, fresh);
    return fresh;
  }
  void on_terminal(PositionId from, std::uint32_t node, PositionId to) {
    Position& position = tables_.positions[free_position(from)];
    position.symbol_kind = Position::Symbol::kTerminal;
    position.symbol = program_.nodes[node].children[0];
    position.source = node;
    position.target = to;
  }
  void on_rule(PositionId from, RuleId called, PositionId to) {
    Position& position = tables_.positions[free_position(from)];
    position.symbol_kind = Position::Symbol::kRule;
    position.symbol = called;
    position.target = to;
  }

  /// Adds the automaton of an expression between two positions (Thompson's construction).
  void compile(std::uint32_t index, PositionId from, PositionId to, RuleId owner) {
    const Program::Node& node = program_.nodes[index];
    if (!productive_.node(index)) return;
    switch (node.op) {
      case Op::kTerminal:
        on_terminal(from, index, to);
        break;
      case Op::kCall:
        on_rule(from, rule(node.children[0]), to);
        break;
      case Op::kSeq: {
        if (node.children.empty()) silent(from, to);
        PositionId at = from;
        for (std::size_t k = 0; k < node.children.size(); ++k) {
          PositionId next = k + 1 == node.children.size() ? to : new_position(owner);
          compile(node.children[k], at, next, owner);
          at = next;
        }
        break;
      }
      case Op::kChoice:
        for (std::uint32_t option : node.children) {
          if (!productive_.node(option)) continue;
          PositionId entry = new_position(owner);
          silent(from, entry);
          compile(option, entry, to, owner);
        }
        break;
      case Op::kMany:
        compile_many(node, from, to, owner);
        break;
      default:
        break;
    }
  }

  void compile_many(const Program::Node& node, PositionId from, PositionId to, RuleId owner) {
    std::uint32_t body = node.children[0];
    if (!productive_.node(body)) {
      silent(from, to);  // productive all the same, so low is 0
    } else if (node.low == 0 && node.high == 1) {
      PositionId entry = new_position(owner);
      silent(from, entry);
      silent(from, to);
      compile(body, entry, to, owner);
    } else if (node.low <= 1 && node.high == -1) {
      PositionId loop = new_position(owner), entry = new_position(owner);
      silent(from, node.low == 0 ? loop : entry);
      silent(loop, entry);
      silent(loop, to);
      compile(body, entry, loop, owner);
    } else {
      on_rule(from, counted_rule(node, body), to);
    }
  }

  RuleId counted_rule(const Program::Node& node, std::uint32_t body) {
    bool body_nullable = nullable_.node(body);
    std::int32_t low = body_nullable ? 0 : node.low;  // the missing ones may all be empty
    RuleId id = new_rule(source_, low == 0);
    PositionId loop = tables_.rules[id].first;
    const Program::Node& inner = program_.nodes[body];
    if (inner.op == Op::kTerminal) {
      on_terminal(loop, body, loop);
    } else if (inner.op == Op::kCall) {
      on_rule(loop, rule(inner.children[0]), loop);
    } else {
      RuleId wrapper = new_rule(source_, body_nullable);
      PositionId end = new_position(wrapper);
      tables_.positions[end].final = true;
      on_rule(loop, wrapper, loop);
      compile(body, tables_.rules[wrapper].first, end, wrapper);
    }
    Position& position = tables_.positions[loop];
    position.counted = true;
    position.low = low;
    position.high = node.high;
    return id;
  }

  bool only_ends(const Position& position) const {
    std::vector<const Position*> stack{&position};
    std::vector<const Position*> seen;
    bool ends = false;
    while (!stack.empty()) {
      const Position* at = stack.back();
      stack.pop_back();
      if (std::find(seen.begin(), seen.end(), at) != seen.end()) continue;
      seen.push_back(at);
      if (at->counted || at->symbol_kind != Position::Symbol::kNone || seen.size() > 16) {
        return false;
      }
      ends = ends || at->final;
      for (PositionId next : at->silent) stack.push_back(&tables_.positions[next]);
    }
    return ends;
  }

  const Program& program_;
  GrammarTables& tables_;
  const Flow& productive_;
  const Flow& nullable_;
  std::vector<RuleId> rule_of_;
  std::vector<std::uint32_t> todo_;
  std::uint32_t source_ = 0;
};

}  // namespace

GrammarTables build_tables(const Program& program, RegexPool& regexes) {
  std::vector<NodeId> languages = read_languages(program, regexes);
  GrammarTables tables;
  std::vector<bool> matches_something;
  for (const Program::Terminal& terminal : program.terminals) {
    tables.terminals.push_back({languages[terminal.language], terminal.longest});
    matches_something.push_back(regexes.can_continue(languages[terminal.language]));
  }
  Flow productive(program, matches_something);
  Flow nullable(program, std::vector<bool>(program.terminals.size(), false));
  if (!productive.rule(program.start)) throw NoText("the grammar matches no text at all");
  Builder(program, tables, productive, nullable).build();
  return tables;
}

}  // namespace slm

#include "core/grammar.h"

#include <algorithm>

#include "core/error.h"
#include "core/json_spellings.h"

namespace slm {
namespace {

using Op = Program::Op;

constexpr std::uint32_t kNever = 0xFFFFFFFFu;
constexpr int kFewSteps = 64;     // to tell whether an expression may be empty
constexpr std::size_t kFew = 24;  // rules and positions that nearly every text meets

}  // namespace

GrammarTables::GrammarTables(Program program, TerminalTables& shared)
    : program_(std::move(program)), shared_(shared) {
  positions_.reserve(kFew);
  rules_.reserve(kFew);
  silent_.reserve(kFew);
  regular_.assign(program_.nodes(), kUnmade);
  rule_of_.assign(program_.rules(), kNever);
  if (!program_.is_whole()) find_ends();
  if (!productive(program_.body(program_.start()))) {
    throw NoText("the grammar matches no text at all");
  }
  RuleId start = new_rule(program_.start(), false);
  PositionId last = new_position(start);
  positions_[last].final = true;
  rules_[start].built = true;
  add_symbol(rules_[start].first, Position::Symbol::kRule, rule_of(program_.start()), last);
}

void GrammarTables::find_ends() {
  auto is_known = [](const Program::Terminal& terminal) { return terminal.has_text; };
  if (std::ranges::all_of(program_.terminals(), is_known)) {
    if (in_passes(program_, [](std::uint32_t) { return true; }, found_)) return;
  }
  std::vector<bool> with_text = terminals_with_text();
  auto has_text = [&](std::uint32_t terminal) { return with_text[terminal]; };
  if (in_passes(program_, has_text, found_)) return;
  Flow flow(program_);
  std::vector<bool> written = flow.run(has_text);
  std::vector<bool> empty = flow.run([](std::uint32_t) { return false; });
  for (std::size_t node = 0; node < found_.size(); ++node) {
    found_[node] = (written[node] ? kWritten : 0) | (empty[node] ? kEmpty : 0);
  }
}

bool GrammarTables::nullable(std::uint32_t node) {
  if (found_.empty()) {
    int steps = kFewSteps;
    if (std::optional<bool> empty = may_be_empty(program_, node, steps)) return *empty;
    find_ends();
  }
  return (found_[node] & kEmpty) != 0;
}

// --- terminals -----------------------------------------------------------------------------------

/// Which terminals match any text but the empty one. Told by the form of their expressions; only
/// those with intersections, complements or automata in them may have to be made for it. Not for
/// "any string but these": of endlessly many texts some are left when finitely many are taken out.
std::vector<bool> GrammarTables::terminals_with_text() {
  enum Answer : std::uint8_t { kVoid, kEmptyOnly, kText, kAsk };
  enum Size : std::uint8_t { kUnknown, kFinite, kEndless };
  auto is_known = [](const Program::Terminal& terminal) { return terminal.has_text; };
  if (std::ranges::all_of(program_.terminals(), is_known)) {
    return std::vector<bool>(program_.terminals().size(), true);
  }
  std::vector<Answer> answers(program_.nodes(), kVoid);
  std::vector<Size> sizes(program_.nodes(), kUnknown);
  for (std::uint32_t i = 0; i < program_.nodes(); ++i) {
    Program::Words children = program_.children(i);
    Answer answer = kVoid;
    auto every = [&](Size size) {
      return std::ranges::all_of(children,
                                 [&](std::uint32_t child) { return sizes[child] == size; });
    };
    auto any_endless = [&] {
      return std::ranges::any_of(children,
                                 [&](std::uint32_t child) { return sizes[child] == kEndless; });
    };
    switch (program_.op(i)) {
      case Op::kChars:
        answer = program_.set(children[0]).empty() ? kVoid : kText;
        sizes[i] = kFinite;
        break;
      case Op::kLiteral:
      case Op::kSpelled:
        answer = children.empty() ? kEmptyOnly : kText;
        sizes[i] = kFinite;
        break;
      case Op::kConcat: {
        answer = kEmptyOnly;
        bool none = false, ask = false;
        for (std::uint32_t child : children) {
          none = none || answers[child] == kVoid;
          ask = ask || answers[child] == kAsk;
          if (answers[child] == kText) answer = kText;
        }
        answer = none ? kVoid : ask ? kAsk : answer;
        if (every(kFinite)) sizes[i] = kFinite;
        if (answer == kText && any_endless()) sizes[i] = kEndless;
        break;
      }
      case Op::kUnion:
        for (std::uint32_t child : children) {
          if (answers[child] == kText || answer == kText) {
            answer = kText;
          } else {
            answer = std::max(answer, answers[child]);
          }
        }
        if (every(kFinite)) sizes[i] = kFinite;
        if (any_endless()) sizes[i] = kEndless;
        break;
      case Op::kRepeat:
        answer = answers[children[0]];
        if (program_.high(i) == 0) answer = kEmptyOnly;
        if (answer == kVoid && program_.low(i) == 0) answer = kEmptyOnly;
        if (program_.high(i) != -1 && program_.high(i) < program_.low(i)) answer = kVoid;
        if (program_.high(i) != -1 && every(kFinite)) sizes[i] = kFinite;
        if (program_.high(i) == -1 && answers[children[0]] == kText) sizes[i] = kEndless;
        break;
      case Op::kIntersection: {
        std::size_t others = 0;  // than such complements
        bool each_endless = true;
        for (std::uint32_t child : children) {
          others += program_.op(child) != Op::kComplement;
          each_endless = each_endless && sizes[child] == kEndless;
        }
        if (others <= 1 && each_endless) sizes[i] = kEndless;
        answer = sizes[i] == kEndless ? kText : kAsk;
        break;
      }
      case Op::kComplement:
        if (every(kFinite)) sizes[i] = kEndless;
        answer = sizes[i] == kEndless ? kText : kAsk;
        break;
      case Op::kDfa:
      case Op::kMultiple:
      case Op::kLabel:
      case Op::kEcho:
      case Op::kKnown:
        answer = kAsk;
        break;
      default:
        break;
    }
    answers[i] = answer;
  }
  std::vector<bool> with_text;
  for (const Program::Terminal& terminal : program_.terminals()) {
    Answer answer = terminal.has_text ? kText : answers[terminal.language];
    if (answer == kAsk) {
      std::lock_guard lock(shared_.mutex);
      answer = shared_.pool.can_continue(regular(terminal.language)) ? kText : kVoid;
    }
    with_text.push_back(answer == kText);
  }
  return with_text;
}

NodeId GrammarTables::language(TerminalId terminal) {
  NodeId known = regular_[program_.terminals()[terminal].language];
  if (known != kUnmade) return known;
  std::lock_guard lock(shared_.mutex);
  return language_locked(terminal);
}

NodeId GrammarTables::language_locked(TerminalId terminal) {
  return regular(program_.terminals()[terminal].language);
}

/// The expression of a regular node; its parts first, from a list, however deep they are nested.
NodeId GrammarTables::regular(std::uint32_t node) {
  if (regular_[node] != kUnmade) return regular_[node];
  std::vector<std::uint32_t> todo{node};
  while (!todo.empty()) {
    std::uint32_t at = todo.back();
    std::size_t before = todo.size();
    Op op = program_.op(at);
    bool points = op == Op::kLiteral || op == Op::kSpelled || is_word_list(at);
    if (regular_[at] == kUnmade && op != Op::kChars && !points) {
      for (std::uint32_t child : program_.children(at)) {
        bool text = op == Op::kConcat && program_.op(child) == Op::kLiteral;
        if ((op <= Op::kDfa || op == Op::kEcho) && regular_[child] == kUnmade && !text)
          todo.push_back(child);
      }
    }
    if (todo.size() > before) continue;
    todo.pop_back();
    if (regular_[at] == kUnmade) regular_[at] = make_regular(at);
  }
  return regular_[node];
}

/// Whether a node is a union of many texts, or of all spellings of many.
bool GrammarTables::is_word_list(std::uint32_t node) const {
  if (program_.op(node) != Op::kUnion) return false;
  Program::Words children = program_.children(node);
  const Op op = children.empty() ? Op::kUnion : program_.op(children[0]);
  return children.size() >= RegexPool::kManyWords && (op == Op::kLiteral || op == Op::kSpelled) &&
         std::ranges::all_of(children,
                             [&](std::uint32_t child) { return program_.op(child) == op; });
}

/// All texts; what is not UTF-8 is in no language.
NodeId GrammarTables::anything() {
  RegexPool& pool = shared_.pool;
  return pool.repeat(pool.chars({{0, 0xD7FF}, {0xE000, 0x10FFFF}}), 0, kNoBound);
}

/// Beside a part that is UTF-8 already, a complement need not be cut down to it: then `string but
/// not these names` is a plain string again as soon as the names are ruled out.
NodeId GrammarTables::intersection(std::uint32_t node) {
  auto is_complement = [&](std::uint32_t child) { return program_.op(child) == Op::kComplement; };
  Program::Words children = program_.children(node);
  bool bounded = !std::ranges::all_of(children, is_complement);
  std::vector<NodeId> parts;
  for (std::uint32_t child : children) {
    bool bare = bounded && is_complement(child);
    parts.push_back(bare ? shared_.pool.complement(regular_[program_.children(child)[0]])
                         : regular_[child]);
  }
  return parts.empty() ? anything() : shared_.pool.intersect(std::move(parts));
}

/// Made by the first program that comes to it, and then looked up.
NodeId GrammarTables::known(const KnownLanguage& language) {
  NodeId made = shared_.known.find(language.id());
  if (made != FlatMap::kAbsent) return made;
  GrammarTables alone(language.alone(), shared_);
  made = alone.language_locked(0);
  shared_.known.insert(language.id(), made);
  return made;
}

NodeId GrammarTables::make_regular(std::uint32_t node) {
  RegexPool& pool = shared_.pool;
  Program::Words children = program_.children(node);
  auto ranges_of = [&](std::uint32_t index) {
    Ranges ranges;
    Program::Words words = program_.set(index);
    for (std::size_t i = 0; i < words.size(); i += 2) ranges.emplace_back(words[i], words[i + 1]);
    return ranges;
  };
  auto set = [&](std::uint32_t index) {  // an automaton asks for the same large sets often
    if (sets_.size() <= index) sets_.resize(index + 1, kUnmade);
    if (sets_[index] == kUnmade) sets_[index] = pool.chars(ranges_of(index));
    return sets_[index];
  };
  std::vector<NodeId> parts;
  auto made = [&] {
    for (std::uint32_t child : children) parts.push_back(regular_[child]);
  };
  switch (program_.op(node)) {
    case Op::kChars:
      return set(children[0]);
    case Op::kLiteral:
      return pool.literal(children);
    case Op::kSpelled:
      return pool.spellings().of(children);
    case Op::kConcat: {  // a text is written before the rest at once, not made first
      NodeId tail = kEpsilon;
      for (std::size_t i = children.size(); i-- > 0;) {
        bool text = program_.op(children[i]) == Op::kLiteral;
        tail = text ? pool.literal(program_.children(children[i]), tail)
                    : pool.concat(regular_[children[i]], tail);
      }
      return tail;
    }
    case Op::kUnion:
      if (is_word_list(node)) {
        std::vector<Program::Words> words;
        for (std::uint32_t child : children) words.push_back(program_.children(child));
        return pool.words(words, program_.op(children[0]) == Op::kSpelled);
      }
      made();
      return pool.alternate(std::move(parts));
    case Op::kRepeat:
      return pool.repeat(regular_[children[0]], program_.low(node), program_.high(node));
    case Op::kIntersection:
      return intersection(node);
    case Op::kComplement:
      return pool.intersect({anything(), pool.complement(regular_[children[0]])});
    case Op::kDfa: {
      std::vector<Program::DfaState> states = program_.states(node);
      std::uint32_t dfa = pool.new_dfa(static_cast<std::uint32_t>(states.size()));
      for (std::uint32_t q = 0; q < states.size(); ++q) {
        std::vector<std::pair<NodeId, std::uint32_t>> edges;
        for (auto [index, target] : states[q].edges) edges.emplace_back(set(index), target);
        pool.set_dfa_state(dfa, q, states[q].accepting, edges);
      }
      return states.empty() ? kNothing : pool.dfa_state(dfa, 0);
    }
    case Op::kKnown:
      return known(program_.known(node));
    case Op::kMultiple:
      return pool.multiple(program_.modulus(node), program_.rest(node), program_.most(node));
    case Op::kLabel:
      return pool.label(ranges_of(program_.letters(node)));
    case Op::kEcho: {
      made();
      for (std::size_t i = 1; i < parts.size(); ++i) {
        if (program_.again(node, i)) parts[i] = RegexPool::kWordAgain;
      }
      const std::span<const NodeId> all(parts);
      const std::size_t read = program_.read(node);
      return pool.echo(parts[0], all.subspan(1, read - 1), all.subspan(read));
    }
    default:
      return kNothing;
  }
}

// --- rules ---------------------------------------------------------------------------------------

RuleId GrammarTables::new_rule(std::uint32_t source, bool nullable) {
  RuleId id = static_cast<RuleId>(rules_.size());
  rules_.push_back({0, nullable, false, source});
  PositionId first = new_position(id);
  rules_[id].first = first;
  return id;
}

PositionId GrammarTables::new_position(RuleId rule) {
  positions_.emplace_back().rule = rule;
  return static_cast<PositionId>(positions_.size() - 1);
}

RuleId GrammarTables::rule_of(std::uint32_t source) {
  if (rule_of_[source] == kNever) {
    rule_of_[source] = new_rule(source, nullable(program_.body(source)));
  }
  return rule_of_[source];
}

void GrammarTables::build(RuleId id) {
  rules_[id].built = true;
  PositionId end = new_position(id);
  positions_[end].final = true;
  compile(program_.body(rules_[id].source), rules_[id].first, end, id);
}

void GrammarTables::open_all() {
  for (RuleId id = 0; id < rules_.size(); ++id) open(id);  // building makes more of them
}

void GrammarTables::add_silent(PositionId from, PositionId to) {
  silent_.push_back({to, positions_[from].silent});
  positions_[from].silent = static_cast<std::uint32_t>(silent_.size() - 1);
}

/// A position takes one symbol edge; when it has one already, go through a fresh one.
PositionId GrammarTables::free_position(PositionId from) {
  if (positions_[from].symbol_kind == Position::Symbol::kNone) return from;
  PositionId fresh = new_position(positions_[from].rule);
  add_silent(from, fresh);
  return fresh;
}

void GrammarTables::add_symbol(PositionId from, Position::Symbol kind, std::uint32_t symbol,
                               PositionId to) {
  Position& position = positions_[free_position(from)];
  position.symbol_kind = kind;
  position.symbol = symbol;
  position.target = to;
}

void GrammarTables::add_terminal(PositionId from, std::uint32_t node, PositionId to) {
  from = free_position(from);
  add_symbol(from, Position::Symbol::kTerminal, program_.children(node)[0], to);
  positions_[from].source = node;
}

/// Adds the automaton of an expression between two positions (Thompson's construction).
void GrammarTables::compile(std::uint32_t node, PositionId from, PositionId to, RuleId owner) {
  if (!productive(node)) return;
  Program::Words children = program_.children(node);
  switch (program_.op(node)) {
    case Op::kTerminal:
      add_terminal(from, node, to);
      break;
    case Op::kCall:
      add_symbol(from, Position::Symbol::kRule, rule_of(children[0]), to);
      break;
    case Op::kSeq: {
      if (children.empty()) add_silent(from, to);
      PositionId at = from;
      for (std::size_t k = 0; k < children.size(); ++k) {
        PositionId next = k + 1 == children.size() ? to : new_position(owner);
        compile(children[k], at, next, owner);
        at = next;
      }
      break;
    }
    case Op::kChoice:
      for (std::uint32_t option : children) {
        if (!productive(option)) continue;
        PositionId entry = new_position(owner);
        add_silent(from, entry);
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

void GrammarTables::compile_many(std::uint32_t node, PositionId from, PositionId to, RuleId owner) {
  std::uint32_t body = program_.children(node)[0];
  std::int32_t low = program_.low(node), high = program_.high(node);
  if (!productive(body)) {
    add_silent(from, to);  // productive all the same, so low is 0
  } else if (low == 0 && high == 1) {
    PositionId entry = new_position(owner);
    add_silent(from, entry);
    add_silent(from, to);
    compile(body, entry, to, owner);
  } else if (low <= 1 && high == -1) {
    PositionId loop = new_position(owner), entry = new_position(owner);
    add_silent(from, low == 0 ? loop : entry);
    add_silent(loop, entry);
    add_silent(loop, to);
    compile(body, entry, loop, owner);
  } else {
    add_symbol(from, Position::Symbol::kRule, counted_rule(node, owner), to);
  }
}

RuleId GrammarTables::counted_rule(std::uint32_t node, RuleId owner) {
  std::uint32_t body = program_.children(node)[0], source = rules_[owner].source;
  bool body_nullable = nullable(body);
  std::int32_t low = body_nullable ? 0 : program_.low(node);  // the missing may all be empty
  RuleId id = new_rule(source, low == 0);
  rules_[id].built = true;
  PositionId loop = rules_[id].first;
  if (program_.op(body) == Op::kTerminal) {
    add_terminal(loop, body, loop);
  } else if (program_.op(body) == Op::kCall) {
    add_symbol(loop, Position::Symbol::kRule, rule_of(program_.children(body)[0]), loop);
  } else {
    RuleId wrapper = new_rule(source, body_nullable);
    rules_[wrapper].built = true;
    PositionId end = new_position(wrapper);
    positions_[end].final = true;
    add_symbol(loop, Position::Symbol::kRule, wrapper, loop);
    compile(body, rules_[wrapper].first, end, wrapper);
  }
  Position& position = positions_[loop];
  position.counted = true;
  position.low = low;
  position.high = program_.high(node);
  return id;
}

bool GrammarTables::find_only_ends(PositionId id) {
  std::vector<PositionId> stack{id}, seen;
  bool ends = false, other = false;
  while (!stack.empty() && !other) {
    PositionId at = stack.back();
    stack.pop_back();
    if (std::find(seen.begin(), seen.end(), at) != seen.end()) continue;
    seen.push_back(at);
    const Position& position = positions_[at];
    other = position.counted || position.symbol_kind != Position::Symbol::kNone || seen.size() > 16;
    ends = ends || position.final;
    for (std::uint32_t e = position.silent; e != 0; e = silent_[e].next) {
      stack.push_back(silent_[e].to);
    }
  }
  bool only = ends && !other;
  positions_[id].only_ends = only ? Position::Ends::kYes : Position::Ends::kNo;
  return only;
}

std::size_t GrammarTables::bytes() const noexcept {
  return positions_.size() * sizeof(Position) + silent_.size() * sizeof(SilentEdge) +
         rules_.size() * sizeof(RuleInfo) + regular_.size() * 4 + program_.bytes();
}

}  // namespace slm

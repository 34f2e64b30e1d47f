#include "core/memory/indentation.h"

#include <algorithm>

#include "core/marks.h"

namespace slm {
namespace {

// As slm/grammar/memory.py has them.
constexpr std::uint8_t kEnd = 0xF8, kIndent = 0xF9, kDedent = 0xFA, kStay = 0xFB;

}  // namespace

IndentationRecogniser::IndentationRecogniser(std::unique_ptr<EarleyRecogniser> rules)
    : rules_(std::move(rules)),
      tab_(rules_->program().memory()[2]),
      goes_on_(rules_->program().memory()[3] != 0) {
  for (std::size_t byte = kFirstMark; byte < 256; ++byte) marks_.set(byte);
  for (std::uint8_t mark : {kIndent, kDedent, kStay}) answers_.set(mark);
  rules_->never_walk(marks_);
  const Program& program = rules_->program();
  for (const Program::Terminal& terminal : program.terminals()) {
    bool chars = program.op(terminal.language) == Program::Op::kChars;
    Program::Words set =
        chars ? program.set(program.children(terminal.language)[0]) : Program::Words{};
    mark_terminals_.push_back(!set.empty() && is_mark_point(set[0]));
  }
  std::vector<Thread> threads;
  intern(threads);  // the dead state
  levels_.push_back({kNone, 0});
  threads.push_back({rules_->start(), 0});
  set_start(close(threads));
}

// --- states --------------------------------------------------------------------------------------

void IndentationRecogniser::threads_of(StateId state, std::vector<Thread>& threads) const {
  std::span<const std::uint32_t> words = states_.words(state);
  threads.clear();
  for (std::size_t i = 1; i < words.size(); i += 4) {
    threads.push_back({words[i], words[i + 1], words[i + 2], words[i + 3]});
  }
}

StateId IndentationRecogniser::intern(const std::vector<Thread>& threads, std::uint32_t walked) {
  bool whole = std::ranges::any_of(threads, [&](const Thread& thread) { return ends(thread); });
  words_.assign({(whole ? 1u : 0u) | walked << 1});
  for (const Thread& thread : threads) {
    words_.insert(words_.end(), {thread.rules, thread.levels, thread.column, thread.wanted});
  }
  StateId id = states_.intern(words_);
  if (id == states()) {
    ByteSet first;
    for (const Thread& thread : threads) first |= rules_->first_bytes(thread.rules);
    add_state(first & ~marks_);
  }
  return id;
}

void IndentationRecogniser::pass_marks(std::vector<Thread>& threads) {
  for (std::size_t i = 0; i < threads.size(); ++i) {  // grows while it is walked
    Thread thread = threads[i];
    if (!takes_marks(thread.rules)) continue;
    if (thread.column == kNone) {
      answer(thread, threads);
    } else {
      end_blanks(thread, threads);
    }
  }
}

StateId IndentationRecogniser::close(std::vector<Thread>& threads) {
  pass_marks(threads);
  std::sort(threads.begin(), threads.end());
  threads.erase(std::unique(threads.begin(), threads.end()), threads.end());
  return intern(threads);
}

StateId IndentationRecogniser::alone(const Thread& thread) {
  std::vector<Thread> threads{thread};
  pass_marks(threads);
  return intern(threads, 1);
}

StateId IndentationRecogniser::at(StateId rules, StackId levels) {
  if (rules == kDead) return kDead;
  std::uint64_t key = (std::uint64_t{rules} << 32) | levels;
  StateId known = single_.find(key);
  if (known == FlatMap::kAbsent) {
    std::vector<Thread> threads{{rules, levels}};
    known = close(threads);
    single_.insert(key, known);
  }
  return known;
}

/// What the line that begins may do to the levels.
void IndentationRecogniser::answer(const Thread& thread, std::vector<Thread>& threads) {
  StateId deeper = take(thread.rules, kIndent);
  if (deeper != kDead) threads.push_back({deeper, thread.levels, 0, kNone});
  StateId rules = thread.rules;
  for (StackId levels = thread.levels; levels != kNone; levels = levels_[levels].around) {
    StateId stays = take(rules, kStay);
    if (stays != kDead) threads.push_back({stays, levels, 0, levels_[levels].column});
    rules = take(rules, kDedent);
    if (rules == kDead) break;
  }
}

/// The thread after its blanks, if they make a column that fits.
void IndentationRecogniser::end_blanks(const Thread& thread, std::vector<Thread>& threads) {
  bool deeper = thread.wanted == kNone;
  bool fits =
      deeper ? thread.column > levels_[thread.levels].column : thread.column == thread.wanted;
  StateId after = fits ? take(thread.rules, kEnd) : kDead;
  if (after == kDead) return;
  threads.push_back({after, deeper ? this->deeper(thread.levels, thread.column) : thread.levels});
}

bool IndentationRecogniser::ends(const Thread& thread) {
  if (thread.column != kNone) return false;
  StateId rules = thread.rules;
  for (StackId at = thread.levels; levels_[at].around != kNone; at = levels_[at].around) {
    rules = take(rules, kDedent);
    if (rules == kDead) return false;
  }
  return rules_->can_end(rules);
}

IndentationRecogniser::StackId IndentationRecogniser::deeper(StackId levels, std::uint32_t column) {
  std::uint64_t key = (std::uint64_t{levels} << 32) | column;
  StackId known = level_numbers_.find(key);
  if (known == FlatMap::kAbsent) {
    known = static_cast<StackId>(levels_.size());
    levels_.push_back({levels, column});
    level_numbers_.insert(key, known);
  }
  return known;
}

/// Reads a byte that the rules have taken; false where its column is none any more.
bool IndentationRecogniser::advance(Thread& thread, std::uint8_t byte) {
  if (thread.column == kNone) return true;
  thread.column += byte == ' ' ? 1 : byte == '\t' ? tab_ : 0;
  return thread.wanted == kNone || thread.column <= thread.wanted;
}

StateId IndentationRecogniser::compute_step(StateId state, std::uint8_t byte) {
  if (is_mark_byte(byte)) return kDead;
  std::vector<Thread> threads;
  threads_of(state, threads_);
  for (Thread thread : std::vector<Thread>(threads_)) {
    thread.rules = rules_->step(thread.rules, byte);
    if (thread.rules != kDead && advance(thread, byte)) threads.push_back(thread);
  }
  if (threads.size() == 1 && threads[0].column == kNone) {
    return at(threads[0].rules, threads[0].levels);
  }
  return close(threads);
}

// --- masks ---------------------------------------------------------------------------------------

/// Threads that read no blanks have the parts of the rules: what happens between two bytes happens
/// where terminals end.
std::span<const Recogniser::Part> IndentationRecogniser::parts(StateId state) {
  parts_.clear();
  std::vector<Thread> threads;
  threads_of(state, threads);
  for (const Thread& thread : threads) {
    if (thread.column != kNone) {
      parts_.push_back({.state = alone(thread)});
      continue;
    }
    std::span<const Part> inner = rules_->parts(thread.rules);
    for (Part part : std::vector<Part>(inner.begin(), inner.end())) {
      if (part.node == kNothing) {
        part.state = alone({part.state, thread.levels});
      } else {
        part.after = at(part.after, thread.levels);
        part.memory = thread.levels;
      }
      parts_.push_back(part);
    }
  }
  return parts_;
}

StateId IndentationRecogniser::state_of(const Part& part) {
  return part.node == kNothing ? part.state : at(rules_->state_of(part), part.memory);
}

const LineBreaks& IndentationRecogniser::breaks_of(const ByteTrie& trie) {
  auto [found, fresh] = breaks_.try_emplace(&trie);
  if (fresh) found->second = LineBreaks::find(trie, answers_);
  return found->second;
}

/// Only a line break is followed by marks that the text can go on behind. So a thread that reads no
/// blanks goes where the rules go without marks, whatever the levels are; and beside that, behind
/// the line breaks that lead to marks, to other threads.
void IndentationRecogniser::walk(const ByteTrie& trie, std::uint32_t first, std::uint32_t last,
                                 StateId state, std::vector<TokenId>& tokens) {
  struct Frame {
    std::uint32_t first, last;
    Thread thread;
  };
  std::vector<Frame> frames;
  std::vector<Thread> threads;
  std::vector<EarleyRecogniser::Line> lines;
  threads_of(state, threads);
  if (std::uint32_t walked = states_.words(state)[0] >> 1; walked != 0) threads.resize(walked);
  for (const Thread& thread : threads) frames.push_back({first, last, thread});
  auto go_on = [&](const ByteTrie::Node& node, const Thread& thread) {
    threads.assign({thread});
    pass_marks(threads);
    for (std::size_t i = 1; i < threads.size(); ++i) {
      frames.push_back({node.first_child, node.last_child, threads[i]});
    }
  };
  while (!frames.empty()) {
    const Frame frame = frames.back();
    frames.pop_back();
    const StateId rules = frame.thread.rules;
    if (frame.thread.column == kNone) {
      rules_->walk(trie, frame.first, frame.last, rules, tokens);
      lines.clear();
      rules_->lines(trie, frame.first, frame.last, rules, breaks_of(trie), answers_, lines);
      for (auto [at, after] : lines) go_on(trie.nodes[at], {after, frame.thread.levels});
      continue;
    }
    if (goes_on_ && !leaves_blanks(rules)) continue;
    const ByteSet follows = rules_->first_bytes(rules) & ~marks_;
    for (std::uint32_t at = frame.first; at < frame.last; ++at) {
      if (!follows[trie.bytes[at]]) continue;
      Thread thread = frame.thread;
      thread.rules = rules_->step(rules, trie.bytes[at]);
      if (thread.rules == kDead || !advance(thread, trie.bytes[at])) continue;
      const ByteTrie::Node& node = trie.nodes[at];
      tokens.insert(tokens.end(), trie.tokens.begin() + node.first_token,
                    trie.tokens.begin() + node.last_token);
      if (node.first_child == node.last_child) continue;
      frames.push_back({node.first_child, node.last_child, thread});
      if (takes_marks(thread.rules)) go_on(node, thread);
    }
  }
}

bool IndentationRecogniser::leaves_blanks(StateId rules) {
  if (StateId known = leaving_.find(rules); known != FlatMap::kAbsent) return known != 0;
  std::vector<StateId> reached{rules};
  std::vector<bool> leads;
  std::vector<std::pair<std::size_t, std::size_t>> edges;  // backwards, of places in `reached`
  std::vector<std::size_t> todo;
  for (std::size_t i = 0; i < reached.size(); ++i) {  // grows while it is walked
    StateId after = take(reached[i], kEnd);
    leads.push_back(after != kDead && (rules_->first_bytes(after) & ~marks_).any());
    if (leads.back()) todo.push_back(i);
    for (std::size_t byte = 0; byte < kFirstMark; ++byte) {
      StateId next = rules_->first_bytes(reached[i])[byte]
                         ? rules_->step(reached[i], static_cast<std::uint8_t>(byte))
                         : kDead;
      if (next == kDead) continue;
      std::size_t at = static_cast<std::size_t>(std::ranges::find(reached, next) - reached.begin());
      if (at == reached.size()) reached.push_back(next);
      edges.emplace_back(at, i);
    }
  }
  while (!todo.empty()) {
    std::size_t target = todo.back();
    todo.pop_back();
    for (auto [to, from] : edges) {
      if (to != target || leads[from]) continue;
      leads[from] = true;
      todo.push_back(from);
    }
  }
  for (std::size_t i = 0; i < reached.size(); ++i) {
    if (leaving_.find(reached[i]) == FlatMap::kAbsent)
      leaving_.insert(reached[i], leads[i] ? 1 : 0);
  }
  return leads[0];
}

/// Those of the rules, where there is one thread and no line ends.
Recogniser::Rounds IndentationRecogniser::rounds(StateId state, std::uint32_t longest) {
  threads_of(state, threads_);
  if (threads_.size() != 1 || threads_[0].column != kNone) return {};
  Thread thread = threads_[0];
  Rounds found = rules_->rounds(thread.rules, longest);
  found.chars.take_out(ByteSet().set('\n'));
  if (found.chars.size() == 0) return {};
  for (StateId& after : found.after) after = at(after, thread.levels);
  return found;
}

std::vector<Expectation> IndentationRecogniser::expected(StateId state) {
  std::vector<Expectation> found;
  std::vector<Thread> threads;
  threads_of(state, threads);
  for (const Thread& thread : threads) {
    for (const Expectation& each : rules_->expected(thread.rules)) {
      if (!mark_terminals_[each.terminal]) found.push_back(each);
    }
  }
  return found;
}

/// Whether the rules would go on, in or behind the blanks of a line.
bool IndentationRecogniser::forbids(StateId state, std::uint8_t byte) {
  if (is_mark_byte(byte) || step(state, byte) != kDead) return false;
  std::vector<Thread> threads;
  threads_of(state, threads);
  return std::ranges::any_of(threads, [&](const Thread& thread) {
    if (thread.column == kNone) return false;
    if (rules_->step(thread.rules, byte) != kDead) return true;
    StateId after = take(thread.rules, kEnd);
    return after != kDead && rules_->step(after, byte) != kDead;
  });
}

// --- a way to the end ----------------------------------------------------------------------------

Recogniser::Completion IndentationRecogniser::completion(StateId state) {
  Completion best;
  std::vector<Thread> threads;
  threads_of(state, threads);
  for (const Thread& thread : threads) {
    Completion one = way_of(thread);
    if (one.bytes < best.bytes) best = one;
  }
  return best;
}

/// Bytes to an end by the rules' shortest way, with the blanks that it needs: enough, and one less
/// after its first byte. Infinite where that is no way.
Recogniser::Completion IndentationRecogniser::way_of(const Thread& thread) {
  std::vector<std::pair<std::uint32_t, std::uint8_t>> passed;
  Completion found;
  Thread at = thread;
  for (;;) {
    words_.assign({at.rules, at.levels, at.column, at.wanted});
    std::uint32_t number = threads_known_.intern(words_);
    if (number >= ways_.size()) ways_.resize(number + 1);
    if (ways_[number].bytes == kInfiniteCost) {
      std::uint8_t byte = 0;
      Step step = ends(at) ? Step::kEnded : go_on(at, byte);
      if (step == Step::kNoWay) return {};
      if (step == Step::kByte) {
        passed.emplace_back(number, byte);
        continue;
      }
      ways_[number] = {0, 0};
    }
    found = ways_[number];
    break;
  }
  for (; !passed.empty(); passed.pop_back()) {
    auto [number, byte] = passed.back();
    found = ways_[number] = {found.bytes + 1, byte};
  }
  return found;
}

/// Moves past the next byte of that way, and past the marks before it.
IndentationRecogniser::Step IndentationRecogniser::go_on(Thread& thread, std::uint8_t& byte) {
  for (;;) {
    if (thread.column != kNone && pad(thread, byte)) return Step::kByte;
    Completion next = rules_->completion(thread.rules);
    if (next.bytes == 0 || next.bytes == kInfiniteCost) return Step::kNoWay;
    byte = next.byte;
    std::uint32_t level = levels_[thread.levels].column;
    thread.rules = rules_->step(thread.rules, byte);
    if (thread.rules == kDead) return Step::kNoWay;
    switch (byte) {
      case kIndent:
        thread.column = 0;
        thread.wanted = kNone;
        break;
      case kStay:
        thread.column = 0;
        thread.wanted = level;
        break;
      case kDedent:
        thread.levels = levels_[thread.levels].around;
        if (thread.levels == kNone) return Step::kNoWay;
        break;
      case kEnd:
        if (thread.wanted == kNone ? thread.column <= level : thread.column != thread.wanted) {
          return Step::kNoWay;
        }
        if (thread.wanted == kNone) thread.levels = deeper(thread.levels, thread.column);
        thread.column = thread.wanted = kNone;
        if (ends(thread)) return Step::kEnded;
        break;
      default:
        return advance(thread, byte) ? Step::kByte : Step::kNoWay;
    }
  }
}

/// A blank, while the column is too low.
bool IndentationRecogniser::pad(Thread& thread, std::uint8_t& byte) {
  bool enough = thread.wanted == kNone ? thread.column > levels_[thread.levels].column
                                       : thread.column >= thread.wanted;
  if (enough) return false;
  for (std::uint8_t blank : {std::uint8_t{' '}, std::uint8_t{'\t'}}) {
    Thread padded = thread;
    padded.rules = rules_->step(padded.rules, blank);
    if (padded.rules == kDead || !advance(padded, blank)) continue;
    thread = padded;
    byte = blank;
    return true;
  }
  return false;
}

std::size_t IndentationRecogniser::bytes() const {
  return rules_->bytes() + states_.bytes() + single_.bytes() + level_numbers_.bytes() +
         levels_.capacity() * sizeof(Level) + threads_known_.bytes() +
         ways_.capacity() * sizeof(Completion) + memo_bytes();
}

}  // namespace slm

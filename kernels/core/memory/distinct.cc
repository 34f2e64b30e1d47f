#include "core/memory/distinct.h"

#include <algorithm>

namespace slm {
namespace {

/// The character that a terminal is, if it is one.
std::optional<std::uint32_t> only_character(const Program& program, std::uint32_t language) {
  Program::Words children = program.children(language);
  switch (program.op(language)) {
    case Program::Op::kLiteral:
      if (children.size() == 1) return children[0];
      return std::nullopt;
    case Program::Op::kConcat:
      if (children.size() == 1) return only_character(program, children[0]);
      return std::nullopt;
    case Program::Op::kChars: {
      Program::Words set = program.set(children[0]);
      if (set.size() == 2 && set[0] == set[1]) return set[0];
      return std::nullopt;
    }
    default:
      return std::nullopt;
  }
}

Program without_marks(const Program& program) {
  std::vector<bool> marks;
  for (const Program::Terminal& terminal : program.terminals()) {
    std::optional<std::uint32_t> only = only_character(program, terminal.language);
    marks.push_back(only && *only >= 0x1C && *only <= 0x1F);
  }
  return program.without(marks);
}

}  // namespace

DistinctRecogniser::DistinctRecogniser(Program program,
                                       const std::shared_ptr<TerminalTables>& shared,
                                       const TokenTrie& trie, std::size_t mask_memory)
    : rules_(program, shared),
      plain_(without_marks(program), shared),
      trie_(trie),
      plain_masks_(trie, *shared, plain_, mask_memory) {
  for (std::size_t mark = kBegin; mark <= kLeave; ++mark) marks_.set(mark);
  stacks_.intern({});
  sets_.intern({});
  texts_.intern({});
  const std::uint32_t empty[] = {0};
  texts_.intern(empty);
  sizes_ = {0, 0};
  Threads none;
  intern_state(kDead, readings_.intern({}), none);
  Threads todo{{rules_.start(), 0, 0}}, first;
  close(todo, first, kNoGoal);
  settle(first);
  set_start(intern_state(plain_.start(), readings_.intern(bases_of(first)), first));
}

// --- states --------------------------------------------------------------------------------------

/// The states of the rules that some threads are in.
std::vector<StateId> DistinctRecogniser::bases_of(const Threads& threads) {
  std::vector<StateId> bases;
  for (const Thread& thread : threads) bases.push_back(thread.base);
  std::sort(bases.begin(), bases.end());
  bases.erase(std::unique(bases.begin(), bases.end()), bases.end());
  return bases;
}

StateId DistinctRecogniser::intern_state(StateId plain, std::uint32_t readings, Threads& threads) {
  std::sort(threads.begin(), threads.end());
  threads.erase(std::unique(threads.begin(), threads.end()), threads.end());
  bool ends = false;
  ByteSet first;
  if (threads.empty()) plain = kDead, readings = 0;
  std::vector<std::uint32_t> key{0, plain, readings};
  for (const Thread& thread : threads) {
    ends = ends || (thread.stack == 0 && rules_.can_end(thread.base));
    first |= rules_.first_bytes(thread.base);
    key.insert(key.end(), {thread.base, thread.stack, thread.text});
  }
  key[0] = ends ? 1 : 0;
  StateId id = states_.intern(key);
  if (id == states()) add_state(first & ~marks_);
  return id;
}

void DistinctRecogniser::threads_of(StateId state, Threads& threads) const {
  std::span<const std::uint32_t> words = states_.words(state);
  threads.clear();
  for (std::size_t i = 3; i < words.size(); i += 3) {
    threads.push_back({words[i], words[i + 1], words[i + 2]});
  }
}

StateId DistinctRecogniser::compute_step(StateId state, std::uint8_t byte) {
  Threads from, after;
  threads_of(state, from);
  StateId plain = plain_.step(plain_of(state), byte);
  for (const Thread& thread : from) read(thread, byte, after);
  settle(after);
  return intern_state(plain, readings_after(readings_of(state), byte), after);
}

/// Where the rules with marks are after one more byte if nothing is remembered: where the threads
/// would be if none had ended.
std::uint32_t DistinctRecogniser::readings_after(std::uint32_t readings, std::uint8_t byte) {
  if (readings == 0 || marks_[byte]) return 0;
  const std::uint64_t key = (std::uint64_t{readings} << 8) | byte;
  std::uint32_t known = readings_after_.find(key);
  if (known == FlatMap::kAbsent) {
    std::span<const std::uint32_t> words = readings_.words(readings);
    std::vector<StateId> after = past_marks({words.begin(), words.end()}, byte);
    std::sort(after.begin(), after.end());
    after.erase(std::unique(after.begin(), after.end()), after.end());
    known = after.size() > kMaxThreads ? 0 : readings_.intern(after);
    readings_after_.insert(key, known);
  }
  return known;
}

/// Whether the rules without marks read the text in no way that has ended here, as an item came
/// again. Too many readings are as good as one that has.
bool DistinctRecogniser::lost_none(StateId state) const {
  Threads threads;
  threads_of(state, threads);
  return std::ranges::equal(bases_of(threads), readings_.words(readings_of(state)));
}

/// Appends what a thread becomes by one more byte.
void DistinctRecogniser::read(const Thread& thread, std::uint8_t byte, Threads& to) {
  StateId base = marks_[byte] ? kDead : rules_.step(thread.base, byte);  // marks are no text
  if (base == kDead) return;
  Threads todo{{base, thread.stack, append(thread.text, byte)}};
  close(todo, to, kNoGoal);
}

/// Drops the threads that cannot be completed.
void DistinctRecogniser::settle(Threads& threads) {
  if (threads.size() > kMaxThreads)
    throw Undecided("too many readings of the text are open at once");
  std::erase_if(threads, [&](const Thread& thread) { return !viable(thread); });
}

/// Goes past marks, wherever the rules may. Whether one was passed that ends an item of the array
/// at depth `goal`, or leaves it.
bool DistinctRecogniser::close(Threads& todo, Threads& to, std::size_t goal) {
  bool reached = false;
  while (!todo.empty()) {
    Thread thread = todo.back();
    todo.pop_back();
    ByteSet first = rules_.first_bytes(thread.base);
    if ((first & ~marks_).any() || rules_.can_end(thread.base)) to.push_back(thread);
    for (std::size_t mark = kBegin; mark <= kLeave; ++mark) {
      if (!first[mark]) continue;
      Thread after = thread;
      after.base = rules_.step(thread.base, static_cast<std::uint8_t>(mark));
      if (after.base == kDead) continue;
      bool ends = goal != kNoGoal && mark >= kEnd && frames(thread.stack).size() == goal + 1;
      if (!take(after, static_cast<Mark>(mark))) continue;
      reached = reached || ends;
      todo.push_back(after);
    }
  }
  return reached;
}

/// What a mark does to the memory of a thread; false where it ends an item that was seen.
bool DistinctRecogniser::take(Thread& thread, Mark mark) {
  if (mark == kBegin) {
    thread.stack = push(thread.stack, {0, kOutside});
    return true;
  }
  if (thread.stack == 0) throw std::invalid_argument("a mark of items is outside of an array");
  std::uint32_t under = below(thread.stack);
  Frame frame = top(thread.stack);
  bool outermost = true;  // of the items: an object whose names differ is in none
  for (std::uint32_t at = under; at != 0; at = below(at)) {
    outermost = outermost && top(at).start == kOutside;
  }
  switch (mark) {
    case kItem:
      if (outermost) thread.text = 1;
      frame.start = sizes_[thread.text];
      break;
    case kEnd: {
      std::uint32_t seen = add_value(frame.seen, text_of(thread.text, frame.start));
      if (seen == frame.seen) return false;
      frame = {seen, kOutside};
      if (outermost) thread.text = 0;
      break;
    }
    default:
      thread.stack = under;
      return true;
  }
  thread.stack = push(under, frame);
  return true;
}

// --- the memory ----------------------------------------------------------------------------------

std::uint32_t DistinctRecogniser::push(std::uint32_t stack, Frame frame) {
  const std::uint32_t words[] = {stack, frame.seen, frame.start};
  return stacks_.intern(words);
}

/// The arrays a thread is in, outermost first.
std::vector<DistinctRecogniser::Frame> DistinctRecogniser::frames(std::uint32_t stack) const {
  std::vector<Frame> found;
  for (; stack != 0; stack = below(stack)) found.push_back(top(stack));
  std::reverse(found.begin(), found.end());
  return found;
}

std::uint32_t DistinctRecogniser::append(std::uint32_t text, std::uint8_t byte) {
  if (text == 0) return 0;  // in no item
  const std::uint32_t words[] = {text, byte};
  std::uint32_t id = texts_.intern(words);
  if (id == sizes_.size()) sizes_.push_back(sizes_[text] + 1);
  return id;
}

std::string DistinctRecogniser::text_of(std::uint32_t text, std::uint32_t start) const {
  std::string found(sizes_[text] - start, '\0');
  for (std::size_t at = found.size(); at-- > 0;) {
    std::span<const std::uint32_t> words = texts_.words(text);
    found[at] = static_cast<char>(words[1]);
    text = words[0];
  }
  return found;
}

/// The set with one more value; the same set where an equal one is in it.
std::uint32_t DistinctRecogniser::add_value(std::uint32_t seen, std::string_view text) {
  JsonValue value = read_value(text);
  auto number = [&](const std::string& name) {
    return numbers_.try_emplace(name, static_cast<std::uint32_t>(numbers_.size())).first->second;
  };
  const Equal equal{number(value.exact), number(value.read)};
  const std::uint32_t key[] = {equal.exact, equal.read};
  std::uint32_t id = known_.intern(key);
  if (id == values_.size()) {
    equals_.push_back(equal);
    value_bytes_ += 4 * (value.exact.size() + value.read.size());
    values_.push_back(std::move(value));
  }
  for (std::uint32_t set = seen; set != 0;) {
    std::span<const std::uint32_t> words = sets_.words(set);
    const Equal& other = equals_[words[1]];
    if (other.exact == equal.exact || other.read == equal.read) return seen;
    set = words[0];
  }
  const std::uint32_t words[] = {seen, id};
  return sets_.intern(words);
}

/// Whether the item of an array may come out as one that was seen; `names_too`: even if that takes
/// a member's name to come twice.
bool DistinctRecogniser::may_repeat(const Thread& thread, const Frame& frame,
                                    bool names_too) const {
  if (frame.start == kOutside) return true;
  JsonPrefix prefix = read_prefix(text_of(thread.text, frame.start));
  if (names_too && prefix.kind == '{') return true;
  for (std::uint32_t set = frame.seen; set != 0; set = sets_.words(set)[0]) {
    if (may_become(prefix, values_[sets_.words(set)[1]])) return true;
  }
  return false;
}

// --- explanations --------------------------------------------------------------------------------

std::vector<Expectation> DistinctRecogniser::expected(StateId state) {
  Threads threads;
  threads_of(state, threads);
  std::vector<Expectation> found;
  for (const Thread& thread : threads) {
    for (const Expectation& one : rules_.expected(thread.base)) {
      std::uint32_t language = program().terminals()[one.terminal].language;
      std::optional<std::uint32_t> only = only_character(program(), language);
      if (!only || *only >= marks_.size() || !marks_[*only]) found.push_back(one);
    }
  }
  return found;
}

bool DistinctRecogniser::forbids(StateId state, std::uint8_t byte) {
  return step(state, byte) == kDead && !marks_[byte] && plain_.step(plain_of(state), byte) != kDead;
}

std::size_t DistinctRecogniser::bytes() const {
  return rules_.bytes() + plain_.bytes() + plain_masks_.bytes() + states_.bytes() +
         readings_.bytes() + readings_after_.bytes() + stacks_.bytes() + sets_.bytes() +
         texts_.bytes() + judged_.bytes() + walked_.bytes() + value_bytes_ +
         values_.size() * (sizeof(JsonValue) + sizeof(Equal)) + known_.bytes() + exit_bytes_ +
         sizes_.capacity() * 4 + missing_.capacity() * sizeof(Cost) + stays_.size() * 64 +
         rich_[0].capacity() + rich_[1].capacity() + endless_.capacity() + memo_bytes();
}

}  // namespace slm

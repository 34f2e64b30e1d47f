#include "core/memory/distinct.h"

#include <algorithm>
#include <cmath>
#include <queue>
#include <set>
#include <unordered_set>

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
  intern_state(kDead, none);
  Threads todo{{rules_.start(), 0, 0}}, first;
  close(todo, first, kNoGoal);
  settle(first);
  set_start(intern_state(plain_.start(), first));
}

// --- states --------------------------------------------------------------------------------------

StateId DistinctRecogniser::intern_state(StateId plain, Threads& threads) {
  std::sort(threads.begin(), threads.end());
  threads.erase(std::unique(threads.begin(), threads.end()), threads.end());
  bool ends = false;
  ByteSet first;
  std::vector<std::uint32_t> key{0, threads.empty() ? kDead : plain};
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
  for (std::size_t i = 2; i < words.size(); i += 3) {
    threads.push_back({words[i], words[i + 1], words[i + 2]});
  }
}

StateId DistinctRecogniser::compute_step(StateId state, std::uint8_t byte) {
  Threads from, after;
  threads_of(state, from);
  StateId plain = plain_.step(plain_of(state), byte);
  for (const Thread& thread : from) read(thread, byte, after);
  settle(after);
  return intern_state(plain, after);
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

// --- whether anything new can come ---------------------------------------------------------------

/// Whether the item at hand can still become a new one, in every array that it is in.
///
/// Later items can: the schema compiler has seen to it that there are enough values. So only the
/// outermost array is asked whose item may yet repeat one, for a way to an end of that.
bool DistinctRecogniser::viable(const Thread& thread) {
  if (thread.stack == 0) return true;
  std::vector<Frame> arrays = frames(thread.stack);
  if (std::ranges::none_of(arrays, [](const Frame& frame) { return frame.seen != 0; })) return true;
  if (makes_new(thread.base, thread.text)) return true;
  const std::uint32_t words[] = {thread.base, thread.stack, thread.text};
  enum Verdict : std::uint8_t { kUnasked, kNo, kYes };
  std::uint32_t id = judged_.intern(words);
  if (id >= verdicts_.size()) verdicts_.resize(id + 1, kUnasked);
  if (verdicts_[id] != kUnasked) return verdicts_[id] == kYes;
  bool found = true;
  for (std::size_t level = 0; level < arrays.size(); ++level) {
    // What is in an item of its own, as a member's value is, says nothing of the next one out
    // there.
    bool waits = arrays[level].start == kOutside && level + 1 < arrays.size();
    if (arrays[level].seen == 0 || waits || !may_repeat(thread, arrays[level])) continue;
    found = search(thread, level);  // or it cannot tell, and throws
    break;
  }
  verdicts_[id] = found ? kYes : kNo;
  return found;
}

/// Best-first, by the fewest bytes that the rules need, for an end of an item, or of the array,
/// at a depth.
bool DistinctRecogniser::search(const Thread& from, std::size_t level) {
  struct Reached {
    Thread thread;
    Cost passed;
  };
  std::vector<Reached> reached{{from, 0}};
  std::priority_queue<OpenPlace> open;
  open.push({missing(from.base), 0, 0});
  std::unordered_set<std::string> visited;
  Threads todo, after;
  while (!open.empty()) {
    Reached now = reached[open.top().place];
    open.pop();
    if (!visited.insert(place_of(now.thread)).second) continue;
    if (visited.size() > kMaxSearched) {
      throw Undecided("whether an item of an array can still be a new one takes too long to tell");
    }
    ByteSet first = rules_.first_bytes(now.thread.base) & ~marks_;
    for (std::size_t byte = 0; byte < 256; ++byte) {
      if (!first[byte]) continue;
      StateId base = rules_.step(now.thread.base, static_cast<std::uint8_t>(byte));
      if (base == kDead) continue;
      todo.assign(
          {{base, now.thread.stack, append(now.thread.text, static_cast<std::uint8_t>(byte))}});
      after.clear();
      if (close(todo, after, level)) return true;
      for (const Thread& thread : after) {
        Cost passed = now.passed + 1, rest = missing(thread.base);
        if (rest >= kInfiniteCost) continue;
        open.push({passed + rest, passed, static_cast<std::uint32_t>(reached.size())});
        reached.push_back({thread, passed});
      }
    }
  }
  return false;
}

/// Equal for threads with one future: how a value is spelled does not matter.
std::string DistinctRecogniser::place_of(const Thread& thread) const {
  std::string place = std::to_string(thread.base);
  for (const Frame& frame : frames(thread.stack)) {
    place += ' ' + std::to_string(frame.seen) + (frame.start == kOutside ? "-" : "+");
  }
  if (thread.text != 0) place += '\0' + read_prefix(text_of(thread.text, 0)).outline;
  return place;
}

Cost DistinctRecogniser::missing(StateId base) {
  if (base >= missing_.size()) missing_.resize(rules_.states(), 0);
  if (missing_[base] == 0) missing_[base] = rules_.completion(base).bytes + 1;
  return missing_[base];
}

/// Whether the item at hand, or the next one, has infinitely many ways to go on to values that all
/// differ, if a short search from the state finds one. Then no set of values can be in the way.
/// `beyond_number`: the state is in a number, and the loops of its digits do not count.
bool DistinctRecogniser::is_rich(StateId base, bool beyond_number) {
  constexpr std::size_t kFar = 200;
  std::vector<std::uint8_t>& rich = rich_[beyond_number ? 1 : 0];
  if (base >= rich.size()) rich.resize(rules_.states(), 0);
  if (rich[base] != 0) return rich[base] == 2;
  if (!beyond_number && is_rich_soon(base)) return true;
  using Place = std::pair<StateId, bool>;  // and whether it is in that number
  std::vector<Place> met{{base, beyond_number}};
  std::set<Place> known{met[0]};
  bool found = false;
  for (std::size_t at = 0; at < met.size() && at < kFar && !found; ++at) {
    auto [now, number] = met[at];
    found = !number && has_endless_loop(now);
    ByteSet first = rules_.first_bytes(now);
    for (std::size_t byte = 0; byte < 256 && !found; ++byte) {
      if (!first[byte] || byte == kEnd || byte == kLeave) continue;
      StateId next = rules_.step(now, static_cast<std::uint8_t>(byte));
      Place place{next, number && byte >= '0' && byte <= '9'};
      if (next != kDead && known.insert(place).second) met.push_back(place);
    }
  }
  if (base >= rich.size()) rich.resize(rules_.states(), 0);
  rich[base] = found ? 2 : 1;
  return found;
}

/// Whether there is one on the shortest way through the item at hand, past what a search all around
/// would be lost in: the words of a long list, say. What is on the way there knows it from then on.
bool DistinctRecogniser::is_rich_soon(StateId base) {
  constexpr std::size_t kFar = 400;
  std::vector<StateId> way;
  bool found = false;
  while (!found && way.size() < kFar) {
    bool known = base < rich_[0].size() && rich_[0][base] == 2;
    way.push_back(base);
    found = known || has_endless_loop(base);
    Completion next = rules_.completion(base);
    if (next.bytes == 0 || next.bytes >= kInfiniteCost) break;
    if (next.byte == kEnd || next.byte == kLeave) break;
    base = rules_.step(base, next.byte);
  }
  if (!found) return false;
  if (rich_[0].size() < rules_.states()) rich_[0].resize(rules_.states(), 0);
  for (StateId passed : way) rich_[0][passed] = 2;
  return true;
}

/// Whether the text ends in a number with a point that, after so many more digits, is hardly one
/// double or another: not more of them than there are values. Then digits make no new value.
bool DistinctRecogniser::is_tight(std::uint32_t text, std::size_t more) const {
  std::size_t digits = 0;
  bool point = false;
  for (std::uint32_t at = text; at > 1; at = texts_.words(at)[0]) {
    std::uint32_t byte = texts_.words(at)[1];
    if (byte >= '0' && byte <= '9') {
      ++digits;
    } else if (byte == '.' && !point) {
      point = true;
    } else {
      break;
    }
  }
  if (digits == 0 || digits + more < NumberTokens::kLong || (!point && more == 0)) return false;
  std::string number = read_prefix(text_of(text, 0)).number;  // none where that is a string
  if (number.empty() || number.find_first_of("eE") != std::string::npos) return false;
  if (number.find('.') == std::string::npos) number += '.';
  double left = static_cast<double>(doubles_ahead(number));
  return left < static_cast<double>(values_.size() + 3) * std::pow(10.0, static_cast<double>(more));
}

/// Whether the state is in a loop of characters that no other spelling makes up for: not of
/// whitespace, nor of zeros. Long counters count as loops.
bool DistinctRecogniser::has_endless_loop(StateId base) {
  Telling telling = letters_that_tell(rules_.rounds(base, kAmple).chars);
  if (telling.needed != kAmple) {
    telling = letters_that_tell(rules_.rounds(base, kEndless).chars);
  }
  if (telling.needed == 0) return false;
  for (std::uint32_t k = 0; k < telling.needed; ++k) {
    base = rules_.step(base, telling.letter);
    if (base == kDead) return false;
  }
  return true;
}

DistinctRecogniser::Telling DistinctRecogniser::letters_that_tell(const CharClass& chars) {
  std::uint32_t count = 0;
  std::uint8_t first = 0;
  for (std::size_t byte = 0x21; byte < 0x7F; ++byte) {
    auto letter = static_cast<std::uint8_t>(byte);
    if (byte == '0' || !chars.has(letter)) continue;
    if (count++ == 0) first = letter;
  }
  if (count < 2) return {};
  return {count >= 64 ? kAmple : kEndless, first};
}

bool DistinctRecogniser::has_marks(StateId base) const {
  return (rules_.first_bytes(base) & marks_).any();
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
         stacks_.bytes() + sets_.bytes() + texts_.bytes() + judged_.bytes() + walked_.bytes() +
         value_bytes_ + values_.size() * (sizeof(JsonValue) + sizeof(Equal)) + known_.bytes() +
         exit_bytes_ + sizes_.capacity() * 4 + missing_.capacity() * sizeof(Cost) +
         stays_.size() * 64 + rich_[0].capacity() + rich_[1].capacity() + memo_bytes();
}

}  // namespace slm

// Whether anything new can come of an item: what keeps a thread alive beside what was seen.
#include <algorithm>
#include <cmath>
#include <queue>
#include <set>
#include <unordered_set>

#include "core/memory/distinct.h"

namespace slm {

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
///
/// Some way through the item leads to one, as a rule. The shortest does more often, but all of the
/// grammar has to be measured for it: the first time only if a search all around finds nothing.
bool DistinctRecogniser::is_rich(StateId base, bool beyond_number) {
  constexpr std::size_t kFar = 200;
  std::vector<std::uint8_t>& rich = rich_[beyond_number ? 1 : 0];
  if (base >= rich.size()) rich.resize(rules_.states(), 0);
  if (rich[base] != 0) return rich[base] == 2;
  const bool measured = rules_.is_measured();
  if (!beyond_number && is_rich_ahead(base)) return true;
  if (measured && !beyond_number && is_rich_soon(base)) return true;
  using Place = std::pair<StateId, bool>;  // and whether it is in that number
  std::vector<Place> met{{base, beyond_number}};
  std::vector<std::size_t> from{0};  // by place: the one before it
  std::set<Place> known{met[0]};
  bool found = false;
  std::size_t at = 0;
  for (; at < met.size() && at < kFar && !found; ++at) {
    auto [now, number] = met[at];
    found = !number && (knows_rich(now) || has_endless_loop(now));
    // What leads to a loop has it as well.
    for (std::size_t way = at; found && !met[way].second; way = from[way]) {
      know_rich(met[way].first);
      if (way == 0) break;
    }
    ByteSet first = rules_.first_bytes(now);
    for (std::size_t byte = 0; byte < 256 && !found; ++byte) {
      if (!first[byte] || byte == kEnd || byte == kLeave) continue;
      StateId next = rules_.step(now, static_cast<std::uint8_t>(byte));
      Place place{next, number && byte >= '0' && byte <= '9'};
      if (next == kDead || !known.insert(place).second) continue;
      met.push_back(place);
      from.push_back(at);
    }
  }
  bool all = found || at == met.size();
  if (!all && !measured && !beyond_number) found = is_rich_soon(base);
  if (base >= rich.size()) rich.resize(rules_.states(), 0);
  rich[base] = found ? 2 : 1;
  return found;
}

/// Whether there is one on a way through the item at hand that is as good as any: by the first byte
/// that leads to where it has not been. Quotes are among the first, so words end where they can.
bool DistinctRecogniser::is_rich_ahead(StateId base) {
  constexpr std::size_t kFar = 200;
  std::vector<StateId> way;
  while (way.size() < kFar) {
    way.push_back(base);
    if (knows_rich(base) || has_endless_loop(base)) {
      for (StateId passed : way) know_rich(passed);
      return true;
    }
    const ByteSet first = rules_.first_bytes(base);
    StateId next = kDead;
    for (std::size_t byte = 0x21; byte < 0x7F && next == kDead; ++byte) {
      if (!first[byte]) continue;
      next = rules_.step(base, static_cast<std::uint8_t>(byte));
      if (std::ranges::find(way, next) != way.end()) next = kDead;
    }
    if (next == kDead) return false;
    base = next;
  }
  return false;
}

/// Whether there is one on the shortest way through the item at hand, past what a search all around
/// would be lost in: the words of a long list, say. What is on the way there knows it from then on.
bool DistinctRecogniser::is_rich_soon(StateId base) {
  constexpr std::size_t kFar = 400;
  std::vector<StateId> way;
  bool found = false;
  while (!found && way.size() < kFar) {
    way.push_back(base);
    found = knows_rich(base) || has_endless_loop(base);
    Completion next = rules_.completion(base);
    if (next.bytes == 0 || next.bytes >= kInfiniteCost) break;
    if (next.byte == kEnd || next.byte == kLeave) break;
    base = rules_.step(base, next.byte);
  }
  if (!found) return false;
  for (StateId passed : way) know_rich(passed);
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
  if (base >= endless_.size()) endless_.resize(rules_.states(), 0);
  if (endless_[base] != 0) return endless_[base] == 2;
  const bool found = find_endless_loop(base);
  endless_[base] = found ? 2 : 1;
  return found;
}

bool DistinctRecogniser::find_endless_loop(StateId base) {
  const ByteSet& first = rules_.first_bytes(base);
  std::size_t letters = 0;
  for (std::size_t byte = 0x21; byte < 0x7F && letters < 2; ++byte) letters += first[byte] ? 1 : 0;
  if (letters < 2) return false;
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

}  // namespace slm

#include "lower/reader.h"

#include <algorithm>

namespace slm::lower {
namespace {

constexpr std::size_t kMaxStates = 2'000;     // of one lexeme
constexpr std::size_t kMaxReadings = 10'000;  // of all of them,
constexpr std::size_t kReadingsALetter = 4;   // and so many for each letter of the grammar's words

/// Calls `take` with one option of each list, in the order in which nested loops would go.
template <class Option, class Take>
void for_each_pick(std::span<const std::span<const Option>> lists, Take take) {
  std::vector<std::size_t> at(lists.size(), 0);
  for (const auto& list : lists) {
    if (list.empty()) return;
  }
  while (true) {
    take(std::span<const std::size_t>(at));
    std::size_t last = lists.size();
    while (last > 0 && ++at[last - 1] == lists[last - 1].size()) at[--last] = 0;
    if (last == 0) return;
  }
}

}  // namespace

Reader::Reader(Languages& pool, LetterSets& letters, Automata& automata, const Rivals& rivals,
               Number word_letters)
    : Promises(pool, letters, automata, rivals),
      most_(kMaxReadings + kReadingsALetter * word_letters) {}

std::vector<Read> Reader::read(State words, Promise match, std::span<const Promise> rivals,
                               Open open_now, Number terminal, bool plain) {
  std::vector<Number> first, queue;
  start(words, match, rivals, open_now, first);
  ++reads_;
  auto place = [&](Number reading) {  // in the queue; a new one has none yet
    if (reading >= places_.size()) places_.resize(readings_.size());
    return places_[reading].read == reads_ ? places_[reading].place : kNone;
  };
  auto put = [&](Number reading) {
    places_[reading] = {reads_, number(queue.size())};
    queue.push_back(reading);
  };
  for (Number each : first) {
    if (place(each) == kNone) put(each);
  }
  std::size_t begins = queue.size();
  Rows rows;
  bool guessed = begins > 1;
  bool lost = !plain || guessed;
  for (std::size_t next = 0; next < queue.size(); ++next) {  // grows while it is walked
    const Moves& here = moves(queue[next]);
    if (asked_ > most_) throw TooComplex{terminal};
    lost = lost || here.lost;
    auto& row = rows.emplace_back();
    row.reserve(here.ways.size());
    for (const Way& way : here.ways) {
      if (place(way.reading) == kNone) {
        if (queue.size() >= kMaxStates) throw TooComplex{terminal};
        put(way.reading);
      }
      row.emplace_back(way.set, places_[way.reading].place);
    }
    Set before = LetterSets::kEmpty;
    for (const auto& way : row) {
      guessed = guessed || letters_.meets(before, way.first);
      before = letters_.unite(before, way.first);
    }
  }
  std::vector<std::pair<Open, std::vector<bool>>> ends;
  for (std::size_t at = begins; at < queue.size(); ++at) {
    Lists::List parts = readings_[queue[at]];
    if (!pool_.accepts(parts[0])) continue;
    Open open_then = ended(parts[1], parts[2]);
    if (open_then == kNever) continue;
    auto same = std::ranges::find(ends, open_then, &std::pair<Open, std::vector<bool>>::first);
    if (same == ends.end()) {
      ends.emplace_back(open_then, std::vector<bool>(queue.size(), false));
      same = ends.end() - 1;
    }
    same->second[at] = true;
  }
  std::vector<Read> found;
  if (ends.size() == 1 && !lost) return {{ends[0].first, kAllWords}};
  for (const auto& [open_then, accepting] : ends) {
    std::optional<Number> made;
    if (guessed) {
      try {
        made = automata_.smallest(rows, accepting, number(begins), kMaxStates);
      } catch (const Automata::TooMany&) {
        throw TooComplex{terminal};
      }
    } else {
      made = automata_.smallest(rows, accepting);
    }
    if (made) found.push_back({open_then, *made});
  }
  return found;
}

Open Reader::ended(Promise match, Open still_open) {
  bool more;
  if (kind_of(match) == PromiseKind::kState) {
    more = pool_.extendable(match);
  } else {
    if (!rivals_.accepts(value_of(match))) return kNever;
    more = rivals_.extendable(value_of(match));
  }
  if (!more) return needed(still_open);
  std::span<const Promise> before = (*this)[still_open];
  std::vector<Promise> all(before.begin(), before.end());
  all.push_back(match);
  return needed(add(all));
}

/// What a lexeme can begin with, one for each set of guesses.
void Reader::start(State words, Promise match, std::span<const Promise> rivals, Open open_now,
                   std::vector<Number>& found) {
  Number left = 0;
  std::vector<Promise> kept;
  for (Promise each : (*this)[touching(words, open_now)]) {
    if (kind_of(each) == PromiseKind::kLast) {
      left = value_of(each);
    } else {
      kept.push_back(each);
    }
  }
  std::vector<std::span<const Rivals::Option>> choices;
  for (Promise each : rivals) {  // ascending, so that automata are in order
    if (kind_of(each) == PromiseKind::kState) {
      kept.push_back(each);
    } else {
      choices.push_back(rivals_.starts(value_of(each), left));
    }
  }
  const Rivals::Option plain{match, {}};
  std::span<const Rivals::Option> own(&plain, 1);
  bool automaton = kind_of(match) != PromiseKind::kState;
  if (automaton) own = rivals_.starts(value_of(match), left);
  for (const Rivals::Option& mine : own) {
    if (automaton && mine.target == Rivals::kDead) continue;
    Promise matched = automaton ? promise(PromiseKind::kRival, mine.target) : match;
    for_each_pick<Rivals::Option>(choices, [&](std::span<const std::size_t> picked) {
      std::vector<Promise> open_then = kept;
      std::vector<State> claims = mine.claims;
      for (std::size_t at = 0; at < picked.size(); ++at) {
        const Rivals::Option& option = choices[at][picked[at]];
        claims.insert(claims.end(), option.claims.begin(), option.claims.end());
        if (option.target != Rivals::kDead) {
          open_then.push_back(promise(PromiseKind::kRival, option.target));
        }
      }
      Open open = settled(open_then, claims);
      if (open != kNever) found.push_back(reading(words, matched, open));
    });
  }
}

/// What is open with these claims added; kNever where no text can keep them all.
Open Reader::settled(std::vector<Promise>& open_then, std::span<const State> claims) {
  std::vector<State> states(claims.begin(), claims.end());
  std::erase_if(open_then, [&](Promise each) {
    if (kind_of(each) != PromiseKind::kClaim) return false;
    states.push_back(value_of(each));
    return true;
  });
  if (!states.empty()) {
    std::erase_if(states, [&](State state) { return holds_anyway(state); });
    if (!pool_.alive(pool_.intersect(states))) return kNever;
    for (State state : states) open_then.push_back(promise(PromiseKind::kClaim, state));
  }
  return add(open_then);
}

bool Reader::holds_anyway(State state) {
  return state == Languages::kAnything || !pool_.alive(pool_.complement(state));
}

// --- one more letter -----------------------------------------------------------------------------

/// Where one more letter leads, as far as it keeps what is open.
const Reader::Moves& Reader::moves(Number at) {
  if (moves_[at].known) return moves_[at];
  Lists::List parts = readings_[at];
  State words = parts[0];
  Promise match = parts[1];
  std::vector<Promise> tracked{words, match};
  for (Promise each : (*this)[parts[2]]) {
    if (kind_of(each) != PromiseKind::kLast) tracked.push_back(each);
  }
  std::vector<std::span<const Edge>> ways;
  for (Promise each : tracked) {
    ways.push_back(kind_of(each) == PromiseKind::kRival ? rivals_.edges(value_of(each))
                                                        : pool_.edges(value_of(each)));
  }
  if (rivals_.asked_behind()) ways.push_back(rivals_.class_edges());

  // Letters that do the same to all that is tracked, in the order in which they come.
  std::vector<std::pair<std::vector<Number>, LetterSets::Bits>> alike;
  std::vector<std::size_t> place(ways.size(), 0);
  std::vector<Number> values(ways.size());
  for (const Edge& first : ways[0]) {
    for (Number low = first.low; low <= first.high;) {
      Number high = first.high;
      values[0] = first.to;
      for (std::size_t way = 1; way < ways.size(); ++way) {
        std::span<const Edge> edges = ways[way];
        std::size_t& here = place[way];
        while (here < edges.size() && edges[here].high < low) ++here;
        if (here < edges.size() && edges[here].low <= low) {
          values[way] = edges[here].to;
          high = std::min(high, edges[here].high);
        } else {
          values[way] = Languages::kNothing;
          if (here < edges.size()) high = std::min(high, edges[here].low - 1);
        }
      }
      auto same = std::ranges::find(alike, values,
                                    &std::pair<std::vector<Number>, LetterSets::Bits>::first);
      if (same == alike.end()) {
        alike.emplace_back(values, LetterSets::Bits(letters_));
        same = alike.end() - 1;
      }
      same->second.add(low, high);
      low = high + 1;
    }
  }

  std::vector<Way> found;
  std::vector<Number> reached;
  for (const auto& [which, bits] : alike) {
    reached.clear();
    targets(at, tracked, which, reached);
    if (reached.empty()) continue;
    Set set = letters_.add(bits);
    for (Number target : reached) {
      auto same = std::ranges::find(found, target, &Way::reading);
      if (same == found.end()) {
        found.push_back({target, set});
      } else {
        same->set = letters_.unite(same->set, set);
      }
    }
  }
  Moves& made = moves_[at];
  made.ways = std::move(found);
  made.known = true;
  ++asked_;
  return made;
}

/// The readings after a letter that does this to all that is tracked.
void Reader::targets(Number at, std::span<const Promise> tracked, std::span<const Number> values,
                     std::vector<Number>& found) {
  State words = values[0];
  Promise match = tracked[1];
  if (!pool_.alive(words) || values[1] == 0) return;
  std::vector<Promise> still_open;
  std::vector<std::span<const Rivals::Option>> rivals;
  for (std::size_t which = 2; which < tracked.size(); ++which) {
    Number value = values[which];
    switch (kind_of(tracked[which])) {
      case PromiseKind::kState:
        if (value != Languages::kNothing && pool_.accepts(value)) {
          moves_[at].lost = true;
          return;
        }
        if (value != Languages::kNothing && pool_.alive(value)) still_open.push_back(value);
        break;
      case PromiseKind::kClaim:
        if (!pool_.alive(value)) {
          moves_[at].lost = true;
          return;
        }
        still_open.push_back(promise(PromiseKind::kClaim, value));
        break;
      default:
        if (value != 0) rivals.push_back(rivals_.options(value_of(tracked[which]), value));
    }
  }
  if (rivals_.asked_behind()) {
    still_open.push_back(promise(PromiseKind::kLast, values.back()));
  }
  bool automaton = kind_of(match) != PromiseKind::kState;
  const Rivals::Option plain{values[1], {}};
  std::span<const Rivals::Option> own(&plain, 1);
  if (automaton) own = rivals_.options(value_of(match), values[1]);
  if (!rivals.empty() || automaton) moves_[at].lost = true;
  for (const Rivals::Option& mine : own) {
    if (automaton && mine.target == Rivals::kDead) continue;
    Promise matched = automaton ? promise(PromiseKind::kRival, mine.target) : values[1];
    for_each_pick<Rivals::Option>(rivals, [&](std::span<const std::size_t> picked) {
      std::vector<Promise> open_then = still_open;
      std::vector<State> claims = mine.claims;
      for (std::size_t which = 0; which < picked.size(); ++which) {
        const Rivals::Option& option = rivals[which][picked[which]];
        claims.insert(claims.end(), option.claims.begin(), option.claims.end());
        if (option.target == Rivals::kDead) continue;
        if (rivals_.accepts(option.target)) return;
        open_then.push_back(promise(PromiseKind::kRival, option.target));
      }
      Open open = settled(open_then, claims);
      if (open == kNever) {
        moves_[at].lost = true;
      } else {
        found.push_back(reading(words, matched, open));
      }
    });
  }
}

}  // namespace slm::lower

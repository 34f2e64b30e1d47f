#include "lower/promises.h"

#include <algorithm>

namespace slm::lower {
namespace {

constexpr std::size_t kMaxFirstHit = 500;  // states that are looked through for a simpler one

std::uint64_t pair_of(Number left, Number right) {
  return static_cast<std::uint64_t>(left) << 32 | right;
}

bool can_break(Promise each) {
  return kind_of(each) == PromiseKind::kState || kind_of(each) == PromiseKind::kRival;
}

}  // namespace

void Rivals::read(Words& in, std::span<const Set> sets, Regulars& regulars, Languages& pool,
                  LetterSets& letters) {
  asked_behind_ = in.index(2) != 0;
  for (std::size_t left = in.count(); left > 0; --left) {
    classes_.push_back(sets[in.index(sets.size())]);
  }
  Set outside = letters.all();
  for (std::size_t at = 0; at < classes_.size(); ++at) {
    outside = letters.subtract(outside, classes_[at]);
    letters.rows(classes_[at], [&](Number low, Number high) {
      class_edges_.push_back({low, high, number(at + 2)});
    });
  }
  has_outside_ = outside != LetterSets::kEmpty;
  letters.rows(outside, [&](Number low, Number high) { class_edges_.push_back({low, high, 1}); });
  std::ranges::sort(class_edges_, {}, &Edge::low);

  std::size_t automata = in.count();
  for (Number which = 0; which < automata; ++which) {
    Number base = number(states_.size());
    std::size_t states = in.count();
    auto option = [&] {
      std::int32_t target = in.word();
      if (target < -1 || target >= static_cast<std::int32_t>(states)) {
        throw std::invalid_argument("the rules refer to what is not there");
      }
      Option made{target < 0 ? kDead : base + static_cast<Number>(target), {}};
      for (std::size_t left = in.count(); left > 0; --left) {
        made.claims.push_back(regulars.state(in.index(regulars.size()), pool, letters));
      }
      return made;
    };
    for (std::size_t state = 0; state < states; ++state) {
      RivalState made{which, in.word() != 0, in.word() != 0, {}, {}};
      std::vector<Set> known;
      for (std::size_t left = in.count(); left > 0; --left) {
        Set set = sets[in.index(sets.size())];
        std::size_t at = static_cast<std::size_t>(std::ranges::find(known, set) - known.begin());
        if (at == known.size()) {
          known.push_back(set);
          made.options.emplace_back();
          letters.rows(set, [&](Number low, Number high) {
            made.edges.push_back({low, high, number(known.size())});
          });
        }
        made.options[at].push_back(option());
      }
      std::ranges::sort(made.edges, {}, &Edge::low);
      states_.push_back(std::move(made));
    }
    auto& starts = starts_.emplace_back(classes_.size() + 2);
    for (auto& start : starts) {
      for (std::size_t left = in.count(); left > 0; --left) start.push_back(option());
    }
  }
}

Promises::Promises(Languages& pool, LetterSets& letters, Automata& automata, const Rivals& rivals)
    : pool_(pool), letters_(letters), automata_(automata), rivals_(rivals) {
  sets_.add({});
}

Open Promises::add(std::vector<Promise>& promises) {
  std::ranges::sort(promises);
  promises.erase(std::ranges::unique(promises).begin(), promises.end());
  return sets_.add(promises);
}

Set Promises::first(Promise matched) {
  auto [at, fresh] = firsts_.try_emplace(matched, 0);
  if (!fresh) return at->second;
  LetterSets::Bits bits(letters_);
  if (kind_of(matched) == PromiseKind::kState) {
    for (const Edge& edge : pool_.edges(matched)) {
      if (pool_.alive(edge.to)) bits.add(edge.low, edge.high);
    }
  } else {
    for (const Edge& edge : rivals_.edges(value_of(matched))) bits.add(edge.low, edge.high);
  }
  return at->second = letters_.add(bits);
}

Set Promises::first_of_automaton(Number automaton) {
  Set found = LetterSets::kEmpty;
  for (Number left = 0; left < rivals_.classes().size() + 2; ++left) {
    for (const Rivals::Option& start : rivals_.starts(automaton, left)) {
      if (start.target == Rivals::kDead) continue;
      found = letters_.unite(found, first(promise(PromiseKind::kRival, start.target)));
    }
  }
  return found;
}

State Promises::first_hit(State state) {
  if (auto known = first_hits_.find(state); known != first_hits_.end()) return known->second;
  std::unordered_map<State, Number> numbers{{state, 0}};
  std::vector<State> queue{state};
  Rows rows;
  std::vector<bool> hits;
  std::vector<std::pair<State, LetterSets::Bits>> targets;
  for (std::size_t at = 0; at < queue.size(); ++at) {  // grows while it is walked
    State here = queue[at];
    rows.emplace_back();
    hits.push_back(here != state && pool_.accepts(here));
    if (hits.back()) continue;
    targets.clear();
    for (const Edge& edge : pool_.edges(here)) {
      if (!pool_.alive(edge.to)) continue;
      auto same = std::ranges::find(targets, edge.to, &std::pair<State, LetterSets::Bits>::first);
      if (same == targets.end()) {
        targets.emplace_back(edge.to, LetterSets::Bits(letters_));
        same = targets.end() - 1;
      }
      same->second.add(edge.low, edge.high);
    }
    for (auto& [target, bits] : targets) {
      State to = target;
      // Back where it begins, which is a hit this time.
      if (to == state && pool_.accepts(state)) to = Languages::kEmpty;
      auto [known, fresh] = numbers.try_emplace(to, number(numbers.size()));
      if (fresh) {
        if (known->second >= kMaxFirstHit) return first_hits_[state] = state;
        queue.push_back(to);
      }
      rows[at].emplace_back(letters_.add(bits), known->second);
    }
  }
  std::optional<Number> made = automata_.smallest(rows, hits);
  State found = made ? pool_.automaton(*made, 0) : Languages::kNothing;
  std::vector<std::int64_t>& spelt = spelt_[found];
  if (made && spelt.empty()) {
    for (Number at = 0; at < automata_.states(*made); ++at) {
      spelt.push_back(automata_.accepts(*made, at));
      Number letter = 0;
      for (const Edge& edge : pool_.edges(pool_.automaton(*made, at))) {
        if (edge.low > letter) spelt.insert(spelt.end(), {letter, -1});
        std::span<const Number> ways = automata_.ways(*made, at);
        Number to = 0;
        for (std::size_t way = 0; way < ways.size(); way += 2) {
          if (letters_.has(ways[way], edge.low)) to = ways[way + 1];
        }
        spelt.insert(spelt.end(), {edge.low, to});
        letter = edge.high + 1;
      }
      if (letter < letters_.letters()) spelt.insert(spelt.end(), {letter, -1});
      spelt.push_back(-2);
    }
  }
  return first_hits_[state] = first_hits_[found] = found;
}

Open Promises::touching(State state, Open open_now) {
  if (open_now == kFree) return kFree;
  std::uint64_t key = pair_of(state, open_now);
  if (Open known = touching_.find(key); known != FlatMap::kAbsent) return known;
  std::vector<Promise> kept;
  for (Promise each : sets_[open_now]) {
    if (!can_break(each) || letters_.meets(first(state), first(each))) kept.push_back(each);
  }
  Open found = add(kept);
  touching_.insert(key, found);
  return found;
}

bool Promises::may_end(Open open_now) {
  return std::ranges::all_of(sets_[open_now], [&](Promise each) {
    return kind_of(each) != PromiseKind::kClaim || pool_.accepts(value_of(each));
  });
}

/// Where an obligation stands among others: by what it is, not by when it was met.
bool Promises::ranks_before(Promise left, Promise right) const {
  bool left_rival = kind_of(left) == PromiseKind::kRival;
  bool right_rival = kind_of(right) == PromiseKind::kRival;
  if (left_rival || right_rival) return left_rival && (!right_rival || left < right);
  auto one = spelt_.find(left), other = spelt_.find(right);
  if (one == spelt_.end() || other == spelt_.end()) {
    return one != spelt_.end() || (other == spelt_.end() && left < right);
  }
  return one->second < other->second;
}

Open Promises::needed(Open asked) {
  if (auto known = needed_.find(asked); known != needed_.end()) return known->second;
  std::vector<Promise> open_now;
  for (Promise each : sets_[asked]) {
    open_now.push_back(kind_of(each) == PromiseKind::kState ? first_hit(each) : each);
  }
  std::ranges::sort(open_now);
  open_now.erase(std::ranges::unique(open_now).begin(), open_now.end());
  std::vector<Promise> kept = open_now, breaking;
  std::ranges::copy_if(open_now, std::back_inserter(breaking), can_break);
  for (Promise each : breaking) breaks(each);
  std::ranges::sort(breaking, [&](Promise a, Promise b) { return ranks_before(a, b); });
  auto keeps = [&](Promise each) { return std::ranges::find(kept, each) != kept.end(); };
  for (Promise each : breaking) {
    Set mine = first(each);
    for (Promise other : breaking) {
      if (mine != LetterSets::kEmpty && other != each && keeps(other)) {
        mine = letters_.subtract(mine, breaks(other));
      }
    }
    if (mine == LetterSets::kEmpty) std::erase(kept, each);
  }
  Set never = LetterSets::kEmpty;
  for (Promise each : breaking) {
    if (!keeps(each)) continue;
    never = letters_.unite(never, breaks(each));
    // Broken by its first letter, whichever comes: then nothing behind that matters.
    if (letters_.subtract(first(each), breaks(each)) == LetterSets::kEmpty) {
      std::erase(kept, each);
      Promise shorter = pool_.chars(first(each));
      if (!keeps(shorter)) kept.push_back(shorter);
    }
  }
  if (never != LetterSets::kEmpty) {
    State excused = pool_.concat(pool_.chars(never), Languages::kAnything);
    for (Promise claim : open_now) {
      if (kind_of(claim) != PromiseKind::kClaim) continue;
      std::erase(kept, claim);
      State both[] = {value_of(claim), excused};
      State left = pool_.unite(both);
      if (pool_.alive(pool_.complement(left))) {
        kept.push_back(promise(PromiseKind::kClaim, left));
      }
    }
  }
  Open found = add(kept);
  return needed_[asked] = found;
}

Set Promises::breaks(Promise matched) {
  auto [at, fresh] = breaking_.try_emplace(matched, 0);
  if (!fresh) return at->second;
  LetterSets::Bits bits(letters_);
  if (kind_of(matched) == PromiseKind::kState) {
    for (const Edge& edge : pool_.edges(matched)) {
      if (pool_.accepts(edge.to)) bits.add(edge.low, edge.high);
    }
  } else {
    for (const Edge& edge : rivals_.edges(value_of(matched))) {
      auto ends = [&](const Rivals::Option& option) {
        return option.target != Rivals::kDead && rivals_.accepts(option.target);
      };
      if (std::ranges::all_of(rivals_.options(value_of(matched), edge.to), ends)) {
        bits.add(edge.low, edge.high);
      }
    }
  }
  return at->second = letters_.add(bits);
}

}  // namespace slm::lower

// Through a loop with a counter, for the costs in tokens: sums instead of a search from place to
// place (see loop_tokens.h).
#include <algorithm>

#include "core/error.h"
#include "core/token_costs.h"

namespace slm {
namespace {

std::uint64_t pair_key(std::uint32_t high, std::uint32_t low) noexcept {
  return (std::uint64_t{high} << 32) | low;
}

/// After so many rounds more.
std::int64_t less(std::int64_t bound, std::uint32_t rounds) noexcept {
  return bound == kNoBound ? bound : bound - static_cast<std::int64_t>(rounds);
}

}  // namespace

LoopTokens* TokenCosts::loop_tokens(const RegexPool::Loop& loop) {
  auto known = loops_.find(pair_key(loop.body, loop.tail));
  if (known != loops_.end()) return known->second.get();
  if (loops_.size() >= kMaxLoops || !LoopTokens::suits(regexes_, loop)) return nullptr;
  auto made = std::make_unique<LoopTokens>(regexes_, phases_, loop);
  if (!made->complete()) made.reset();
  return loops_.emplace(pair_key(loop.body, loop.tail), std::move(made)).first->second.get();
}

/// The place that an expression is: the rest of a round, and then a loop. nullptr: none that is
/// known. The caller holds the lock of the expressions.
const TokenCosts::LoopPlace* TokenCosts::loop_place(NodeId node) {
  constexpr std::size_t kMostParts = 8;  // of the rest of a round
  if (regexes_.has_label(node)) return nullptr;
  auto [slot, fresh] = loop_places_.try_emplace(node, LoopPlace{nullptr, 0, 0, 0});
  LoopPlace& place = slot->second;
  if (!fresh) return place.loop != nullptr ? &place : nullptr;
  auto set = [&](LoopTokens* loop, LoopTokens::Place at, const RegexPool::Loop& bounds) {
    place = {loop, at, bounds.low, bounds.high};
  };
  // Inside of a round of a loop that is known: the round may begin with a loop of its own.
  std::vector<NodeId> parts;
  RegexPool::Loop loop;
  NodeId head, rest = node;
  while (parts.size() < kMostParts && regexes_.is_concat(rest, head, rest)) {
    parts.push_back(head);
    if (!regexes_.is_loop(rest, loop)) continue;
    auto known = loops_.find(pair_key(loop.body, loop.tail));
    if (known == loops_.end() || !known->second) continue;
    LoopTokens::Place at = known->second->place_of(regexes_.concat(parts));
    if (at == LoopTokens::kNever) continue;
    set(known->second.get(), at, loop);
    return &place;
  }
  if (!regexes_.is_loop(node, loop)) return nullptr;
  LoopTokens* tokens = loop_tokens(loop);
  if (tokens == nullptr) return nullptr;
  set(tokens, LoopTokens::kAround, loop);
  return &place;
}

/// All that can come of a place in a loop: exits, and places in what follows it. False: too much.
bool TokenCosts::pass_loop(const LoopPlace& place, std::uint32_t cost, Ways& ways) {
  LoopTokens& loop = *place.loop;
  auto found = std::ranges::find(ways.loops, &loop, &Ways::InLoop::loop);
  if (found == ways.loops.end()) {
    ways.loops.push_back({&loop, {}, {}});
    found = ways.loops.end() - 1;
    for (LoopTokens::Place at = 0; at < loop.places(); ++at) {
      found->exits.emplace_back(loop.moves(at).exits.size(), kNever);
    }
  }
  for (const auto& [wider, before] : found->sources) {
    if (wider.at == place.at && before <= cost && wider.low <= place.low &&
        (wider.high == kNoBound || (place.high != kNoBound && place.high <= wider.high))) {
      return true;
    }
  }
  found->sources.emplace_back(place, cost);
  auto reach = [&](LoopTokens::Place to, std::int64_t low, std::uint32_t rounds) {
    std::int64_t high = place.high;
    if (high != kNoBound && (high = less(high, rounds)) < 0) return kNever;
    std::uint32_t more = loop.fewest(place.at, to, low - rounds, high);
    return more == LoopTokens::kNever ? kNever : cost + more;
  };
  try {
    if (loop.may_end()) {
      // As it is, it was over before, if it may be; and a terminal is not empty.
      bool around = place.at == LoopTokens::kAround;
      std::int64_t low = around ? std::max<std::int64_t>(place.low, 1) : place.low;
      ways.between = std::min(ways.between, reach(LoopTokens::kAround, low, 0));
    }
    for (LoopTokens::Place at = 0; at < loop.places(); ++at) {
      const LoopTokens::Moves& moves = loop.moves(at);
      ways.visits += 1 + moves.exits.size() + moves.leaves.size();
      for (std::size_t i = 0; i < moves.exits.size(); ++i) {
        std::uint32_t& best = found->exits[at][i];
        best = std::min(best, reach(at, place.low, moves.exits[i].rounds));
      }
      for (const LoopTokens::Leave& leave : moves.leaves) {
        std::uint32_t before = reach(at, place.low, leave.rounds);
        if (before == kNever) continue;
        if (regexes_.nullable(leave.left)) ways.between = std::min(ways.between, before + 1);
        if (regexes_.can_continue(leave.left)) ways.add(leave.left, before + 1);
      }
    }
  } catch (const TooComplex&) {
    return false;
  }
  return !limited_ || ways.visits <= kMaxVisits;
}

/// The exits of all loops, with the phases they are.
void TokenCosts::leave_loops(Ways& ways) const {
  for (const Ways::InLoop& in : ways.loops) {
    for (LoopTokens::Place at = 0; at < in.loop->places(); ++at) {
      const LoopTokens::Moves& moves = in.loop->moves(at);
      for (std::size_t i = 0; i < moves.exits.size(); ++i) {
        std::uint32_t cost = in.exits[at][i];
        if (cost == kNever) continue;
        for (std::uint32_t p = moves.exits[i].first; p < moves.exits[i].last; ++p) {
          auto [known, fresh] =
              ways.exits.try_emplace(phases_.representative(moves.phases[p]), cost);
          if (!fresh) known->second = std::min(known->second, cost);
        }
      }
    }
  }
}

// --- to the end of the text ----------------------------------------------------------------------

TokenCosts::AfterLoop& TokenCosts::after_loop(std::uint32_t row, TerminalId terminal,
                                              LoopTokens* loop) {
  AfterLoop& after = after_loops_[pair_key(row, terminal)][loop];
  if (after.exits.empty()) {
    for (LoopTokens::Place at = 0; at < loop->places(); ++at) {
      after.exits.emplace_back(loop->moves(at).exits.size());
    }
  }
  return after;
}

/// What is known, found again where it was not looked for so far.
template <class Find>
Cost TokenCosts::know(Known& known, Find find) {
  if (!known.made || (known.cost > known.horizon && known.horizon < horizon_)) {
    const Cost cost = find();
    known = {cost, horizon_, exact_ && !doubt_};
  }
  return known.cost <= known.horizon ? known.cost : kInfiniteCost;
}

/// From a place in the tail of a loop, between two tokens.
Cost TokenCosts::after_tail(const Reading& reading, NodeId left, AfterLoop& after) {
  bool over, more;
  {
    std::lock_guard lock(shared_.mutex);
    over = regexes_.nullable(left);
    more = regexes_.can_continue(left);
  }
  Cost best = kInfiniteCost;
  if (over) {
    const Exit plain{kBetween, 0};
    best = know(after.plain, [&] { return after_terminal(reading, {&plain, 1}); });
  }
  if (!more) return best;
  Cost rest = know(after.tail[left], [&] {
    const Summary& through = summary(left, kBetween);
    if (!through.exact) doubt_ = true;
    return after_terminal(reading, through.exits);
  });
  return std::min(best, rest);
}

/// The fewest tokens from a place in a loop, if they are more than `enough` and at most `limit`;
/// else some number that says so.
Cost TokenCosts::from_loop(const Reading& reading, const LoopPlace& place, AfterLoop& after,
                           Cost limit, Cost enough) {
  LoopTokens& loop = *place.loop;
  const Exit none{kBetween, 0};
  const Cost plain = know(after.plain, [&] { return after_terminal(reading, {&none, 1}); });
  const Cost plain_at_least = std::min(plain, horizon_ + 1);
  Cost best = kInfiniteCost;
  auto reach = [&](LoopTokens::Place to, std::int64_t low, std::uint32_t rounds) -> Cost {
    std::int64_t high = place.high;
    if (high != kNoBound && (high = less(high, rounds)) < 0) return kInfiniteCost;
    std::uint32_t tokens = loop.fewest(place.at, to, low - rounds, high);
    return tokens == LoopTokens::kNever ? kInfiniteCost : tokens;
  };
  try {
    if (loop.may_end()) {
      bool around = place.at == LoopTokens::kAround;
      std::int64_t low = around ? std::max<std::int64_t>(place.low, 1) : place.low;
      best = std::min(best, add_costs(reach(LoopTokens::kAround, low, 0), plain));
    }
    for (LoopTokens::Place at = 0; at < loop.places(); ++at) {
      const LoopTokens::Moves& moves = loop.moves(at);
      for (const LoopTokens::Leave& leave : moves.leaves) {
        if (best <= enough) return best;
        Cost before = reach(at, place.low, leave.rounds);
        if (before + 1 >= best || before + 1 > limit) continue;
        best = std::min(best, add_costs(before + 1, after_tail(reading, leave.left, after)));
      }
      for (std::size_t i = 0; i < moves.exits.size(); ++i) {
        if (best <= enough) return best;
        const LoopTokens::Exit& exit = moves.exits[i];
        Cost before = reach(at, place.low, exit.rounds);
        // A phase is worth its detour at most.
        Cost least =
            add_costs(before, plain_at_least + 1 - std::min<Cost>(exit.detour, plain_at_least + 1));
        if (least >= best || least > limit) continue;
        Cost rest = know(after.exits[at][i], [&] {
          std::vector<Phase> open;
          for (std::uint32_t p = exit.first; p < exit.last; ++p) {
            open.push_back(phases_.representative(moves.phases[p]));
          }
          std::ranges::sort(open);
          open.erase(std::unique(open.begin(), open.end()), open.end());
          std::vector<Exit> exits;
          for (Phase phase : open) exits.push_back({phase, 0});
          return after_terminal(reading, exits);
        });
        best = std::min(best, add_costs(before, rest));
      }
    }
  } catch (const TooComplex&) {
    doubt_ = true;
  }
  return best;
}

Cost TokenCosts::enough_in_loop(const Reading& reading, Cost plain) {
  LoopPlace place;
  {
    std::lock_guard lock(shared_.mutex);
    const LoopPlace* found = loop_place(reading.node);
    if (found == nullptr || found->low < kFar) return kInfiniteCost;
    place = *found;
  }
  LoopTokens& loop = *place.loop;
  const LoopTokens::Moves& moves = loop.moves(place.at);
  // Which ways end the terminal between two tokens, and then in how many.
  struct End {
    LoopTokens::Place at;
    std::uint32_t rounds, tokens;
  };
  std::vector<End> ends;
  if (loop.may_end()) ends.push_back({LoopTokens::kAround, 0, 0});
  for (LoopTokens::Place at = 0; at < loop.places(); ++at) {
    for (const LoopTokens::Leave& leave : loop.moves(at).leaves) {
      if (leave.left == kEpsilon) ends.push_back({at, leave.rounds, 1});
    }
  }
  Cost most = 0;
  try {
    for (const LoopTokens::Stay& stay : moves.stays) {
      // Near the end of the counter tokens leave the loop, too.
      if (stay.rounds >= place.low) return kInfiniteCost;
      Cost least = kInfiniteCost;
      for (const End& end : ends) {
        std::int64_t low = place.low - stay.rounds, high = less(place.high, stay.rounds);
        if (high != kNoBound && high < static_cast<std::int64_t>(end.rounds)) continue;
        std::uint32_t tokens =
            loop.fewest(stay.to, end.at, low - end.rounds, less(high, end.rounds));
        if (tokens != LoopTokens::kNever) least = std::min<Cost>(least, tokens + end.tokens);
      }
      most = std::max(most, least);
    }
  } catch (const TooComplex&) {
    return kInfiniteCost;
  }
  bool leaves = std::ranges::any_of(
      moves.leaves, [&](const LoopTokens::Leave& leave) { return leave.rounds >= place.low; });
  bool exits = std::ranges::any_of(
      moves.exits, [&](const LoopTokens::Exit& exit) { return exit.rounds >= place.low; });
  return leaves || exits ? kInfiniteCost : add_costs(most, plain);
}

bool TokenCosts::fill_loop(const Reading& reading, Cost limit, std::span<std::uint32_t> row,
                           std::vector<Phase>& open) {
  aim(limit);
  LoopPlace place;
  {
    std::lock_guard lock(shared_.mutex);
    const LoopPlace* found = loop_place(reading.node);
    if (found == nullptr) return false;
    place = *found;
  }
  LoopTokens& loop = *place.loop;
  AfterLoop& after = after_loop(reading.row, reading.terminal, &loop);
  const LoopTokens::Moves& moves = loop.moves(place.at);
  std::vector<std::pair<std::uint32_t, std::uint32_t>> fitting;  // of the tokens
  const Exit none{kBetween, 0};
  const Cost plain = know(after.plain, [&] { return after_terminal(reading, {&none, 1}); });
  const LoopTokens::Stay* last = nullptr;
  for (const LoopTokens::Stay& stay : moves.stays) {
    if (place.high != kNoBound && place.high < static_cast<std::int64_t>(stay.rounds)) continue;
    LoopPlace there{&loop, stay.to, std::max<std::int64_t>(less(place.low, stay.rounds), 0),
                    less(place.high, stay.rounds)};
    bool over = stay.to == LoopTokens::kAround && there.low == 0 && loop.may_end();
    // More rounds are no worse where there is no bound to them.
    bool more = last != nullptr && last->to == stay.to && place.high == kNoBound;
    bool fits =
        more || (over && plain <= limit) || from_loop(reading, there, after, limit, limit) <= limit;
    if (!exact_ || doubt_) return false;
    if (!fits) continue;
    fitting.emplace_back(stay.first, stay.last);
    last = &stay;
  }
  auto passes = [&](std::uint32_t rounds) {
    return less(place.low, rounds) <= 0 &&
           (place.high == kNoBound || less(place.high, rounds) >= 0);
  };
  for (const LoopTokens::Leave& leave : moves.leaves) {
    if (!passes(leave.rounds)) continue;
    Cost rest = after_tail(reading, leave.left, after);
    if (!exact_ || doubt_) return false;
    if (rest <= limit) fitting.emplace_back(leave.first, leave.last);
  }
  for (auto [first, end] : fitting) {
    for (std::uint32_t t = first; t < end; ++t) {
      row[moves.tokens[t] >> 5] |= 1u << (moves.tokens[t] & 31);
    }
  }
  for (const LoopTokens::Exit& exit : moves.exits) {
    if (!passes(exit.rounds)) continue;
    open.insert(open.end(), moves.phases.begin() + exit.first, moves.phases.begin() + exit.last);
  }
  return true;
}

}  // namespace slm

#include "core/loop_tokens.h"

#include <algorithm>
#include <tuple>

#include "core/error.h"

namespace slm {

namespace {

/// Whether no text of an expression is the beginning of another. Where the form does not show it, a
/// short search does: of what may be left, only nothing at all may be over.
bool rounds_apart(RegexPool& pool, NodeId body) {
  if (pool.is_prefix_code(body)) return true;
  if (!pool.is_plain(body)) return false;
  constexpr std::size_t kMost = 64;  // expressions
  std::vector<NodeId> seen{body};
  for (std::size_t at = 0; at < seen.size(); ++at) {
    const ByteSet first = pool.first_bytes(seen[at]);
    for (std::size_t b = 0; b < 256; ++b) {
      if (!first[b]) continue;
      NodeId next = pool.step(seen[at], static_cast<std::uint8_t>(b));
      if (next <= kEpsilon || std::ranges::find(seen, next) != seen.end()) continue;
      if (pool.nullable(next) || seen.size() == kMost) return false;
      seen.push_back(next);
    }
  }
  return true;
}

}  // namespace

bool LoopTokens::suits(RegexPool& pool, const RegexPool::Loop& loop) {
  return !pool.nullable(loop.body) &&
         (pool.first_bytes(loop.body) & pool.first_bytes(loop.tail)).none() &&
         rounds_apart(pool, loop.body);
}

LoopTokens::LoopTokens(RegexPool& pool, const TokenPhases& phases, const RegexPool::Loop& loop)
    : pool_(pool),
      phases_(phases),
      body_(loop.body),
      tail_(loop.tail),
      may_end_(pool.nullable(loop.tail)) {
  add_place(kEpsilon);
  for (Place place = 0; complete_ && place < places_.size(); ++place) find_moves(place);
  tables_.resize(places_.size());
  for (const Edge& edge : edges_) {  // by place, and then by rounds, for each place they begin in
    bool same =
        !longest_.empty() && longest_.back().from == edge.from && longest_.back().to == edge.to;
    if (same) longest_.pop_back();
    longest_.push_back(edge);
  }
}

LoopTokens::Place LoopTokens::add_place(NodeId left) {
  auto [known, fresh] = place_of_.try_emplace(left, static_cast<Place>(places_.size()));
  if (fresh) {
    places_.push_back(left);
    moves_.emplace_back();
    complete_ = complete_ && places_.size() <= kMaxPlaces;
  }
  return known->second;
}

LoopTokens::Place LoopTokens::place_of(NodeId left) const {
  auto known = place_of_.find(left);
  return known != place_of_.end() ? known->second : kNever;
}

void LoopTokens::find_moves(Place from) {
  const ByteTrie& trie = phases_.trie();
  const CharClass chars = pool_.single_characters(body_);
  const ByteSet rounds_begin = pool_.first_bytes(body_), tail_begins = pool_.first_bytes(tail_);
  struct Frame {
    Phase next, last;
    NodeId left;  // of the round, or, when it was left, of the tail
    std::uint32_t rounds;
    bool gone;
  };
  struct Found {
    std::uint32_t place, rounds;  // or what is left of the tail
    TokenId token;
    auto operator<=>(const Found&) const = default;
  };
  std::vector<Found> stay, leave;
  std::vector<std::pair<std::uint32_t, Phase>> ends;
  Place last = kAround;
  const ByteTrie::Node& root = trie.nodes[0];
  std::vector<Frame> stack{{root.first_child, root.last_child, places_[from], 0, false}};
  while (!stack.empty()) {
    Frame& frame = stack.back();
    if (frame.next == frame.last) {
      stack.pop_back();
      continue;
    }
    Phase phase = frame.next++;
    std::uint8_t byte = trie.bytes[phase];
    Frame next{0, 0, frame.left, frame.rounds, frame.gone};
    if (!frame.gone && frame.left == kEpsilon) {
      if (rounds_begin[byte]) {
        next.left = byte < 0x80 && chars.has(byte) ? kEpsilon : pool_.step(body_, byte);
        ++next.rounds;
      } else if (tail_begins[byte]) {
        next.left = pool_.step(tail_, byte);
        next.gone = true;
      } else {
        continue;
      }
    } else {
      next.left = pool_.step(frame.left, byte);
    }
    if (next.left == kNothing || (next.gone && !pool_.alive(next.left))) continue;
    const ByteTrie::Node& node = trie.nodes[phase];
    if (phases_.ends_token(phase)) {
      if (!next.gone && next.left != places_[last]) last = add_place(next.left);
      for (std::uint32_t t = node.first_token; t < node.last_token; ++t) {
        if (next.gone) {
          leave.push_back({next.left, next.rounds, trie.tokens[t]});
        } else {
          stay.push_back({last, next.rounds, trie.tokens[t]});
        }
      }
    }
    if (!phases_.goes_on(phase)) continue;
    bool over = next.gone ? pool_.nullable(next.left) : next.left == kEpsilon && may_end_;
    if (over) ends.emplace_back(next.rounds, phase);
    next.next = node.first_child;
    next.last = node.last_child;
    stack.push_back(next);
  }
  Moves& made = moves_[from];
  std::ranges::sort(stay);
  for (std::size_t i = 0; i < stay.size();) {
    auto [place, rounds, token] = stay[i];
    std::uint32_t first = static_cast<std::uint32_t>(made.tokens.size());
    for (; i < stay.size() && stay[i].place == place && stay[i].rounds == rounds; ++i) {
      made.tokens.push_back(stay[i].token);
    }
    made.stays.push_back({place, rounds, first, static_cast<std::uint32_t>(made.tokens.size())});
    (rounds == 0 ? inner_ : edges_).push_back({from, place, rounds});
  }
  std::ranges::sort(leave, {},
                    [](const Found& f) { return std::tuple(f.rounds, f.place, f.token); });
  for (std::size_t i = 0; i < leave.size();) {
    auto [left, rounds, token] = leave[i];
    std::uint32_t first = static_cast<std::uint32_t>(made.tokens.size());
    for (; i < leave.size() && leave[i].place == left && leave[i].rounds == rounds; ++i) {
      made.tokens.push_back(leave[i].token);
    }
    made.leaves.push_back({rounds, left, first, static_cast<std::uint32_t>(made.tokens.size())});
  }
  std::ranges::sort(ends);
  for (std::size_t i = 0; i < ends.size();) {
    Exit exit{ends[i].first, static_cast<std::uint32_t>(made.phases.size()), 0, 1};
    for (; i < ends.size() && ends[i].first == exit.rounds; ++i) {
      made.phases.push_back(ends[i].second);
      exit.detour = std::max(exit.detour, phases_.detour(ends[i].second));
    }
    exit.last = static_cast<std::uint32_t>(made.phases.size());
    made.exits.push_back(exit);
  }
}

// --- numbers -------------------------------------------------------------------------------------

/// Appends what is missing up to so many rounds. `more_is_fine`: rounds beyond those that are asked
/// for are free, so the last token may pass any number of them.
void LoopTokens::grow(Numbers& numbers, Place from, std::size_t rounds, bool more_is_fine) {
  const std::size_t width = places_.size();
  std::size_t known = numbers.size() / width;
  if (known > rounds) return;
  rounds = std::max(rounds, known + known / 2);
  numbers_ += ((rounds + 1) * width - numbers.size()) * sizeof(std::uint32_t);
  if (numbers_ > kMaxBytes) throw TooComplex("a repetition is too long to count its tokens");
  numbers.resize((rounds + 1) * width, kNever);
  for (std::size_t t = known; t <= rounds; ++t) {
    std::uint32_t* row = numbers.data() + t * width;
    if (t == 0) row[from] = 0;
    auto relax = [&](const Edge& edge, const std::uint32_t* before) {
      if (before[edge.from] == kNever || before[edge.from] + 1 >= row[edge.to]) return false;
      row[edge.to] = before[edge.from] + 1;
      return true;
    };
    // Where more is fine, a token that passes more rounds is as good as any.
    for (const Edge& edge : more_is_fine ? longest_ : edges_) {
      if (edge.rounds <= t) {
        relax(edge, row - edge.rounds * width);
      } else if (more_is_fine && t > 0) {
        relax(edge, numbers.data());
      }
    }
    for (bool changed = true; changed;) {  // tokens that pass no round, or none that counts
      changed = false;
      for (const Edge& edge : inner_) changed = relax(edge, row) || changed;
      if (t > 0 || !more_is_fine) continue;
      for (const Edge& edge : longest_) changed = relax(edge, row) || changed;
    }
  }
}

/// By rounds t: the least of those in [t, t + width].
const LoopTokens::Numbers& LoopTokens::windows(Table& table, std::size_t rounds,
                                               std::uint32_t width) {
  constexpr std::size_t kMaxWidths = 16;
  if (table.within.size() >= kMaxWidths && !table.within.contains(width)) {
    for (const auto& [old, numbers] : table.within) numbers_ -= numbers.size() * 4;
    table.within.clear();
  }
  Numbers& least = table.within[width];
  const std::size_t places = places_.size();
  if (least.size() / places > rounds) return least;
  rounds = table.exactly.size() / places - 1 - width;
  numbers_ += ((rounds + 1) * places - least.size()) * sizeof(std::uint32_t);
  if (numbers_ > kMaxBytes) throw TooComplex("a repetition is too long to count its tokens");
  least.resize((rounds + 1) * places);
  std::vector<std::size_t> queue;  // of rounds, their numbers rising: the first is the least
  for (std::size_t place = 0; place < places; ++place) {
    auto number = [&](std::size_t t) { return table.exactly[t * places + place]; };
    queue.clear();
    std::size_t head = 0, read = 0;
    for (std::size_t t = 0; t <= rounds; ++t) {
      for (; read <= t + width; ++read) {
        while (queue.size() > head && number(queue.back()) >= number(read)) queue.pop_back();
        queue.push_back(read);
      }
      while (queue[head] < t) ++head;
      least[t * places + place] = number(queue[head]);
    }
  }
  return least;
}

std::uint32_t LoopTokens::fewest(Place from, Place to, std::int64_t low, std::int64_t high) {
  if (high != kNoBound && high < std::max<std::int64_t>(low, 0)) return kNever;
  Table& table = tables_[from];
  const std::size_t places = places_.size();
  std::size_t least = static_cast<std::size_t>(std::max<std::int64_t>(low, 0));
  if (high == kNoBound) {
    grow(table.at_least, from, least, true);
    return table.at_least[least * places + to];
  }
  std::size_t most = static_cast<std::size_t>(high);
  grow(table.exactly, from, most, false);
  if (most == least) return table.exactly[least * places + to];
  if (least > 0) {
    std::uint32_t width = static_cast<std::uint32_t>(most - least);
    return windows(table, least, width)[least * places + to];
  }
  std::size_t known = table.at_most.size() / places;
  if (known <= most) {
    std::size_t all = table.exactly.size();
    numbers_ += (all - table.at_most.size()) * sizeof(std::uint32_t);
    for (std::size_t at = table.at_most.size(); at < all; ++at) {
      std::uint32_t before = at < places ? kNever : table.at_most[at - places];
      table.at_most.push_back(std::min(before, table.exactly[at]));
    }
  }
  return table.at_most[most * places + to];
}

std::size_t LoopTokens::bytes() const noexcept {
  std::size_t total = numbers_ + places_.size() * 64;
  for (const Moves& moves : moves_) {
    total += (moves.tokens.size() + moves.phases.size()) * 4 + moves.stays.size() * sizeof(Stay) +
             moves.leaves.size() * sizeof(Leave) + moves.exits.size() * sizeof(Exit);
  }
  return total;
}

}  // namespace slm

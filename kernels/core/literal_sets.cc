#include "core/literal_sets.h"

#include <algorithm>
#include <bit>
#include <array>

namespace slm {
namespace {

constexpr std::uint32_t kNowhere = 0xFFFFFFFFu;
constexpr std::size_t kLongestHead = 1024;  // of what is compared; the rest is read as ever

}  // namespace

const std::string& LiteralSets::head(TerminalId terminal) {
  if (heads_.empty()) {
    heads_.resize(grammar_.terminals());
    knows_head_.resize(grammar_.terminals());
    places_.resize(grammar_.terminals(), {kNowhere, 0});
  }
  if (!knows_head_[terminal]) {
    heads_[terminal] = regexes_.head(grammar_.language_locked(terminal), kLongestHead);
    knows_head_[terminal] = true;
  }
  return heads_[terminal];
}

/// The set of these terminals, in an order that has them all: an object's later members are looked
/// for in the order of all of them.
std::uint32_t LiteralSets::set_of(std::span<const TerminalId> terminals) {
  std::uint32_t order = places_[terminals[0]].order;
  bool known = order != kNowhere && std::ranges::all_of(terminals, [&](TerminalId terminal) {
                 return places_[terminal].order == order;
               });
  if (!known) {
    order = static_cast<std::uint32_t>(orders_.size());
    Order& made = orders_.emplace_back();
    made.terminals.assign(terminals.begin(), terminals.end());
    std::ranges::sort(made.terminals, [&](TerminalId x, TerminalId y) {
      int compared = heads_[x].compare(heads_[y]);
      return compared != 0 ? compared < 0 : x < y;
    });
    for (std::uint32_t at = 0; at < made.terminals.size(); ++at) {
      places_[made.terminals[at]] = {order, at};
    }
  }
  std::vector<std::uint32_t> words(1 + (orders_[order].terminals.size() + 31) / 32);
  words[0] = order;
  for (TerminalId terminal : terminals) {
    std::uint32_t at = places_[terminal].at;
    words[1 + (at >> 5)] |= 1u << (at & 31);
  }
  return sets_.intern(words);
}

std::uint32_t LiteralSets::member_from(std::uint32_t set, std::uint32_t at,
                                       std::uint32_t high) const {
  std::span<const std::uint32_t> words = sets_.words(set).subspan(1);
  while (at < high) {
    std::uint32_t rest = words[at >> 5] >> (at & 31);
    if (rest != 0) {
      return std::min(high, at + static_cast<std::uint32_t>(std::countr_zero(rest)));
    }
    at = (at | 31) + 1;
  }
  return high;
}

LiteralSets::Start LiteralSets::start(std::span<const TerminalId> terminals, Pairs& others) {
  std::vector<TerminalId> literal;
  if (terminals.size() > kFew) {
    for (TerminalId terminal : terminals) {
      if (!head(terminal).empty()) literal.push_back(terminal);
    }
  }
  bool some = literal.size() > kFew;
  for (TerminalId terminal : terminals) {
    if (some && !heads_[terminal].empty()) continue;
    others.emplace_back(terminal, grammar_.language_locked(terminal));
  }
  if (!some) return {};
  std::uint32_t set = set_of(literal);
  return narrow({set, 0, static_cast<std::uint32_t>(order_of(set).terminals.size()), 0}, others);
}

/// Takes out what has come to the end of its head, and all if they are few.
LiteralSets::Start LiteralSets::narrow(Stretch at, Pairs& pairs) {
  const Order& order = order_of(at.set);
  auto take = [&](std::uint32_t member) {
    TerminalId terminal = order.terminals[member];
    NodeId whole = grammar_.language_locked(terminal);
    pairs.emplace_back(terminal, regexes_.after_head(whole, heads_[terminal], at.depth));
  };
  while (at.low < at.high && heads_[order.terminals[at.low]].size() == at.depth) {
    if (is_member(at.set, at.low)) take(at.low);
    ++at.low;
  }
  std::vector<std::uint32_t> members;
  std::uint32_t next = at.low;
  while (members.size() <= kFew && (next = member_from(at.set, next, at.high)) < at.high) {
    members.push_back(next++);
  }
  if (members.size() <= kFew) {
    for (std::uint32_t member : members) take(member);
    return {};
  }
  const std::array<std::uint32_t, 4> words{at.set, at.low, at.high, at.depth};
  return {true, stretches_.intern(words)};
}

LiteralSets::Start LiteralSets::step(StretchId id, std::uint8_t byte, Pairs& pairs) {
  Stretch at = stretch(id);
  const Order& order = order_of(at.set);
  auto begin = order.terminals.begin();
  auto before = [&](auto precedes) {
    auto found = std::partition_point(begin + at.low, begin + at.high, [&](TerminalId terminal) {
      return precedes(static_cast<std::uint8_t>(heads_[terminal][at.depth]));
    });
    return static_cast<std::uint32_t>(found - begin);
  };
  std::uint32_t low = before([&](std::uint8_t own) { return own < byte; });
  std::uint32_t high = before([&](std::uint8_t own) { return own <= byte; });
  if (low == high) return {};
  return narrow({at.set, low, high, at.depth + 1}, pairs);
}

ByteSet LiteralSets::first_bytes(StretchId id) const {
  Stretch at = stretch(id);
  const Order& order = order_of(at.set);
  auto begin = order.terminals.begin();
  ByteSet found;
  std::uint32_t low = member_from(at.set, at.low, at.high);
  while (low < at.high) {
    std::uint8_t byte = byte_at(order, low, at.depth);
    found.set(byte);
    auto same = [&](TerminalId t) {
      return static_cast<std::uint8_t>(heads_[t][at.depth]) == byte;
    };
    auto end = std::partition_point(begin + low, begin + at.high, same);
    low = member_from(at.set, static_cast<std::uint32_t>(end - begin), at.high);
  }
  return found;
}

void LiteralSets::expand(StretchId id, Pairs& pairs) {
  Stretch at = stretch(id);
  const Order& order = order_of(at.set);
  for (std::uint32_t m = at.low; (m = member_from(at.set, m, at.high)) < at.high; ++m) {
    TerminalId terminal = order.terminals[m];
    NodeId whole = grammar_.language_locked(terminal);
    pairs.emplace_back(terminal, regexes_.after_head(whole, heads_[terminal], at.depth));
  }
}

std::size_t LiteralSets::bytes() const noexcept {
  std::size_t found = sets_.bytes() + stretches_.bytes() + heads_.size() * sizeof(std::string);
  for (const Order& order : orders_) found += order.terminals.size() * sizeof(TerminalId);
  return found;
}

}  // namespace slm

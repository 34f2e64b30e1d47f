#include "core/literal_sets.h"

#include <algorithm>
#include <array>
#include <bit>
#include <utility>

#include "core/byte_order.h"
#include "core/marks.h"

namespace slm {
namespace {

constexpr std::uint32_t kNowhere = 0xFFFFFFFFu;
constexpr std::size_t kLongestHead = 1024;  // of what is compared; the rest is read as ever

std::size_t utf8_size(std::uint32_t point) {
  return point < 0x80 || is_mark_point(point) ? 1 : point < 0x800 ? 2 : point < 0x10000 ? 3 : 4;
}

void append_utf8(std::string& text, std::uint32_t point) {
  if (point < 0x80) return text.push_back(static_cast<char>(point));
  constexpr std::array<std::uint32_t, 5> kLead{0, 0, 0xC0, 0xE0, 0xF0};
  if (is_mark_point(point)) {
    text.push_back(static_cast<char>(mark_byte(point)));
    return;
  }
  std::uint32_t more = static_cast<std::uint32_t>(utf8_size(point)) - 1;
  text.push_back(static_cast<char>(kLead[more + 1] | point >> 6 * more));
  while (more-- > 0) text.push_back(static_cast<char>(0x80u | (point >> 6 * more & 0x3Fu)));
}

/// Goes through the fixed text that a regular node begins with, as far as its form shows. The node
/// is read and not made, for most of many terminals are never read as far as their ends.
class Head {
 public:
  Head(const Program& program, std::uint32_t node) : program_(program), todo_{node} {}

  /// The next character, if that is fixed.
  bool next(std::uint32_t& point) {
    using Op = Program::Op;
    while (literal_.empty() && !todo_.empty()) {
      std::uint32_t at = todo_.back();
      Program::Words children = program_.children(at);
      if (program_.op(at) == Op::kConcat) {
        todo_.pop_back();
        todo_.insert(todo_.end(), children.rbegin(), children.rend());
      } else if (program_.op(at) == Op::kLiteral) {
        todo_.pop_back();
        literal_ = children;
      } else if (program_.op(at) == Op::kChars) {
        Program::Words set = program_.set(children[0]);
        if (set.size() != 2 || set[0] != set[1]) return false;
        todo_.pop_back();
        point = set[0];
        return true;
      } else {
        return false;
      }
    }
    if (literal_.empty()) return false;
    point = literal_.front();
    literal_ = literal_.subspan(1);
    return true;
  }

  /// The characters of a literal that was begun, all that are left at once.
  Program::Words take_literal() noexcept { return std::exchange(literal_, {}); }

  /// What is left behind the characters that were asked for: a literal, then nodes from the last.
  Program::Words literal() const noexcept { return literal_; }
  const std::vector<std::uint32_t>& nodes() const noexcept { return todo_; }

 private:
  const Program& program_;
  std::vector<std::uint32_t> todo_;
  Program::Words literal_;
};

}  // namespace

const std::string& LiteralSets::head(TerminalId terminal) {
  if (heads_.empty()) {
    heads_.resize(grammar_.terminals());
    knows_head_.resize(grammar_.terminals());
    places_.resize(grammar_.terminals(), {kNowhere, 0});
  }
  if (!knows_head_[terminal]) {
    const Program& program = grammar_.program();
    Head in(program, program.terminals()[terminal].language);
    std::string& text = heads_[terminal];
    for (std::uint32_t point; text.size() < kLongestHead && in.next(point);) {
      append_utf8(text, point);
      const Program::Words literal = in.take_literal();
      text.reserve(text.size() + std::min(literal.size(), kLongestHead));
      for (std::size_t i = 0; i < literal.size() && text.size() < kLongestHead; ++i) {
        append_utf8(text, literal[i]);
      }
    }
    knows_head_[terminal] = true;
  }
  return heads_[terminal];
}

/// Only what follows is made of the terminal's expression, and of a character that is cut a
/// derivative.
NodeId LiteralSets::left(TerminalId terminal, std::uint32_t depth) {
  const Program& program = grammar_.program();
  RegexPool& pool = regexes_;
  Head in(program, program.terminals()[terminal].language);
  std::size_t at = 0;
  NodeId node = kEpsilon;
  for (std::uint32_t point; at < depth && in.next(point);) {
    std::size_t size = utf8_size(point);
    if (at + size > depth) {
      node = pool.chars({{point, point}});
      for (; at < depth; ++at)
        node = pool.step(node, static_cast<std::uint8_t>(heads_[terminal][at]));
      break;
    }
    at += size;
  }
  std::vector<NodeId> parts{node, pool.literal(in.literal())};
  for (std::size_t i = in.nodes().size(); i-- > 0;)
    parts.push_back(grammar_.regular(in.nodes()[i]));
  return pool.concat(parts);
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
    sort_by_bytes(made.terminals,
                  [&](TerminalId terminal) -> std::string_view { return heads_[terminal]; });
    for (std::uint32_t at = 0; at < made.terminals.size(); ++at) {
      places_[made.terminals[at]] = {order, at};
    }
  }
  std::vector<std::uint32_t> words(2 + (orders_[order].terminals.size() + 31) / 32);
  words[0] = order;
  for (TerminalId terminal : terminals) {
    std::uint32_t at = places_[terminal].at;
    words[2 + (at >> 5)] |= 1u << (at & 31);
  }
  return sets_.intern(words);
}

std::uint32_t LiteralSets::member_from(std::uint32_t set, std::uint32_t at,
                                       std::uint32_t high) const {
  std::span<const std::uint32_t> words = sets_.words(set);
  while (at < high) {
    std::uint32_t rest = words[2 + (at >> 5) - words[1]] >> (at & 31);
    if (rest != 0) {
      return std::min(high, at + static_cast<std::uint32_t>(std::countr_zero(rest)));
    }
    at = (at | 31) + 1;
  }
  return high;
}

LiteralSets::Stretch LiteralSets::cut(Stretch at) {
  at.low = member_from(at.set, at.low, at.high);
  while (!is_member(at.set, at.high - 1)) --at.high;
  std::span<const std::uint32_t> words = sets_.words(at.set);
  std::uint32_t first = at.low / 32, last = (at.high - 1) / 32;
  auto begin = words.begin() + 2 + (first - words[1]);
  words_.assign({words[0], first});
  words_.insert(words_.end(), begin, begin + (last - first + 1));
  words_[2] &= 0xFFFFFFFFu << at.low % 32;
  words_.back() &= 0xFFFFFFFFu >> (31 - (at.high - 1) % 32);
  at.set = sets_.intern(words_);
  return at;
}

LiteralSets::Start LiteralSets::start(std::span<const TerminalId> terminals, Pairs& others) {
  std::vector<TerminalId> literal;
  for (TerminalId terminal : terminals) {
    if (!head(terminal).empty()) literal.push_back(terminal);
  }
  bool some = literal.size() > kFew;
  for (TerminalId terminal : terminals) {
    std::size_t length = heads_[terminal].size();
    if (some && length > 0) continue;
    others.emplace_back(terminal, length >= kEnough ? kFixed : grammar_.language_locked(terminal));
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
    pairs.emplace_back(terminal, alone(terminal, at.depth));
  };
  while (at.low < at.high && heads_[order.terminals[at.low]].size() == at.depth) {
    if (is_member(at.set, at.low)) take(at.low);
    ++at.low;
  }
  std::vector<std::uint32_t> members;
  std::uint32_t next = at.low;
  while (members.size() <= kLast && (next = member_from(at.set, next, at.high)) < at.high) {
    members.push_back(next++);
  }
  if (members.size() <= kLast) {
    for (std::uint32_t member : members) take(member);
    return {};
  }
  at = cut(at);
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
    pairs.emplace_back(terminal, left(terminal, at.depth));
  }
}

std::size_t LiteralSets::bytes() const noexcept {
  std::size_t found = sets_.bytes() + stretches_.bytes() + heads_.size() * sizeof(std::string);
  for (const Order& order : orders_) found += order.terminals.size() * sizeof(TerminalId);
  return found;
}

}  // namespace slm

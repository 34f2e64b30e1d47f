#include "tests/fuzz_oracle.h"

#include <bit>

namespace slm::fuzz {

using Op = Program::Op;

bool Oracle::decode(const std::string& text, std::vector<std::uint32_t>& points) {
  points.clear();
  for (std::size_t at = 0; at < text.size();) {
    auto byte = [&](std::size_t i) { return static_cast<std::uint8_t>(text[i]); };
    std::uint32_t lead = byte(at);
    std::size_t length = lead < 0x80 ? 1 : lead < 0xC2 ? 0 : lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;
    if (length == 0 || lead > 0xF4 || at + length > text.size()) return false;
    std::uint32_t point = length == 1 ? lead : lead & (0x7Fu >> length);
    for (std::size_t i = 1; i < length; ++i) {
      if ((byte(at + i) & 0xC0) != 0x80) return false;
      point = point << 6 | (byte(at + i) & 0x3Fu);
    }
    constexpr std::uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    if (point < least[length] || point > 0x10FFFF || (point >= 0xD800 && point <= 0xDFFF)) {
      return false;
    }
    points.push_back(point);
    at += length;
  }
  return true;
}

bool Oracle::begin(const std::string& text) {
  if (!decode(text, text_) || text_.size() > kLongest) return false;
  std::size_t starts = text_.size() + 1;
  known_.assign(program_.nodes.size(), std::vector<std::pair<bool, Ends>>(starts));
  rules_.assign(program_.rules.size(), std::vector<Ends>(starts, 0));
  asked_.assign(program_.rules.size(), std::vector<bool>(starts, false));
  return true;
}

bool Oracle::derives(const std::string& text) {
  if (!begin(text)) return false;
  asked_[program_.start][0] = true;
  do {
    changed_ = false;
    for (std::size_t i = 0; i < known_.size(); ++i) {  // what was said with too few ends known
      if (program_.nodes[i].op > Op::kDfa) known_[i].assign(text_.size() + 1, {});
    }
    for (std::size_t rule = 0; rule < rules_.size(); ++rule) {
      for (std::size_t start = 0; start <= text_.size(); ++start) {
        if (!asked_[rule][start]) continue;
        Ends ends = from(program_.rules[rule], start);
        changed_ = changed_ || ends != rules_[rule][start];
        rules_[rule][start] = ends;
      }
    }
  } while (changed_);
  return (rules_[program_.start][0] >> text_.size() & 1) != 0;
}

bool Oracle::matches(std::uint32_t node, const std::string& text) {
  return begin(text) && (from(node, 0) >> text_.size() & 1) != 0;
}

Oracle::Ends Oracle::from(std::uint32_t index, std::size_t start) {
  const Program::Node& node = program_.nodes[index];
  if (!known_[index][start].first) {
    Ends ends = node.op > Op::kDfa ? expression(node, start) : regular(node, start);
    known_[index][start] = {true, ends};
  }
  return known_[index][start].second;
}

Oracle::Ends Oracle::after(std::uint32_t node, Ends starts) {
  Ends ends = 0;
  for (; starts != 0; starts &= starts - 1) {
    ends |= from(node, static_cast<std::size_t>(std::countr_zero(starts)));
  }
  return ends;
}

/// After as many rounds as characters, either nothing is left or only empty rounds follow.
Oracle::Ends Oracle::repeated(const Program::Node& node, std::size_t start) {
  Ends now = Ends{1} << start, found = 0;
  for (std::int32_t round = 0; node.high < 0 || round <= node.high; ++round) {
    if (round >= node.low) found |= now;
    Ends next = after(node.children[0], now);
    if (next == now) {  // so it stays
      bool reached = node.high < 0 || node.low <= node.high;
      return reached ? found | now : found;
    }
    now = next;
    if (now == 0) break;
  }
  return found;
}

Oracle::Ends Oracle::regular(const Program::Node& node, std::size_t start) {
  Ends here = Ends{1} << start;
  Ends all = (~Ends{0} >> (63 - text_.size())) & ~(here - 1);
  switch (node.op) {
    case Op::kChars:
      return start < text_.size() && contains(node.children[0], text_[start]) ? here << 1 : 0;
    case Op::kLiteral: {
      std::size_t at = start;
      for (std::uint32_t point : node.children) {
        if (at == text_.size() || text_[at] != point) return 0;
        ++at;
      }
      return Ends{1} << at;
    }
    case Op::kConcat:
      for (std::uint32_t part : node.children) here = after(part, here);
      return here;
    case Op::kUnion: {
      Ends ends = 0;
      for (std::uint32_t option : node.children) ends |= from(option, start);
      return ends;
    }
    case Op::kRepeat:
      return repeated(node, start);
    case Op::kIntersection: {
      Ends ends = all;
      for (std::uint32_t part : node.children) ends &= from(part, start);
      return ends;
    }
    case Op::kComplement:
      return all & ~from(node.children[0], start);
    default:
      return automaton(node, start);
  }
}

Oracle::Ends Oracle::automaton(const Program::Node& node, std::size_t start) const {
  Ends ends = 0;
  if (node.states.empty()) return ends;
  std::uint32_t state = 0;
  for (std::size_t at = start;; ++at) {
    const Program::DfaState& here = node.states[state];
    if (here.accepting) ends |= Ends{1} << at;
    if (at == text_.size()) return ends;
    bool moved = false;
    for (auto [set, target] : here.edges) {
      if (!contains(set, text_[at])) continue;
      state = target;
      moved = true;
      break;
    }
    if (!moved) return ends;
  }
}

Oracle::Ends Oracle::expression(const Program::Node& node, std::size_t start) {
  Ends here = Ends{1} << start;
  switch (node.op) {
    case Op::kTerminal: {
      const Program::Terminal& terminal = program_.terminals[node.children[0]];
      Ends ends = from(terminal.language, start) & ~here;
      return terminal.longest && ends != 0 ? std::bit_floor(ends) : ends;
    }
    case Op::kCall: {
      std::uint32_t rule = node.children[0];
      changed_ = changed_ || !asked_[rule][start];
      asked_[rule][start] = true;
      return rules_[rule][start];
    }
    case Op::kSeq:
      for (std::uint32_t part : node.children) here = after(part, here);
      return here;
    case Op::kChoice: {
      Ends ends = 0;
      for (std::uint32_t option : node.children) ends |= from(option, start);
      return ends;
    }
    default:
      return repeated(node, start);
  }
}

bool Oracle::contains(std::uint32_t set, std::uint32_t point) const {
  for (auto [low, high] : program_.sets[set]) {
    if (low <= point && point <= high) return true;
  }
  return false;
}

}  // namespace slm::fuzz

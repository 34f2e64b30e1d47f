#include "tests/fuzz_input.h"

#include <algorithm>
#include <array>

namespace slm::fuzz {
namespace {

using Op = Program::Op;
using Set = std::vector<std::pair<std::uint32_t, std::uint32_t>>;

constexpr std::array<std::uint32_t, 20> kPoints{'a',  'b',  'A',   'z',   '0',    '9',    '"',
                                                '\\', ' ',  '\n',  ',',   ':',    0,      0x7F,
                                                0x80, 0xE9, 0x7FF, 0x800, 0x20AC, 0x1F600};
constexpr std::array<std::uint32_t, 10> kEdges{0,      0x7F,   0x80,   0x7FF,   0x800,
                                               0xD7FF, 0xE000, 0xFFFF, 0x10000, 0x10FFFF};
constexpr std::array<const char*, 40> kPieces{
    "a",   "b",  "ab",  "the", "there", "name", "na", "if",   "x",        "A",
    "Z9",  "0",  "12",  "007", " ",     "  ",   "\n", "\t",   "\"",       "\":",
    "\",", "\\", "\\n", "\\u", "{",     "}",    "[",  "]",    ",",        ":",
    ".",   "*/", "é",   "ü",   "€",     "漢",   "😀", "\xC3", "\xE2\x82", "\xA9"};

Set normal(Set ranges) {
  Set cut;
  for (auto [low, high] : ranges) {
    if (low > high) std::swap(low, high);
    if (low < 0xD800) cut.emplace_back(low, std::min(high, 0xD7FFu));
    if (high > 0xDFFF) cut.emplace_back(std::max(low, 0xE000u), high);
  }
  std::sort(cut.begin(), cut.end());
  Set merged;
  for (auto range : cut) {
    if (!merged.empty() && range.first <= merged.back().second + 1) {
      merged.back().second = std::max(merged.back().second, range.second);
    } else {
      merged.push_back(range);
    }
  }
  return merged;
}

Set without(const Set& taken) {
  Set rest;
  std::uint32_t from = 0;
  for (auto [low, high] : taken) {
    if (low > from) rest.emplace_back(from, low - 1);
    from = high + 1;
  }
  if (from <= 0x10FFFF) rest.emplace_back(from, 0x10FFFF);
  return normal(rest);
}

Set one(std::uint32_t point) { return {{point, point}}; }

/// Draws a program node by node.
class Maker {
 public:
  explicit Maker(Source& in) : in_(in) {}

  Program make() {
    std::size_t count = 1 + in_.below(10);
    for (std::size_t i = 0; i < count; ++i) regular();
    regular_ = program_.nodes.size();
    std::size_t terminals = 1 + in_.below(4);
    for (std::size_t i = 0; i < terminals; ++i) {
      program_.terminals.push_back({recent(0, regular_), in_.one_in(12)});
    }
    std::size_t rules = 1 + in_.below(3);
    std::size_t expressions = 1 + in_.below(14);
    program_.rules.resize(rules);
    for (std::size_t i = 0; i < expressions; ++i) expression(rules);
    std::size_t last = program_.nodes.size();
    for (std::size_t r = 0; r < rules; ++r) program_.rules[r] = recent(regular_, last);
    return std::move(program_);
  }

 private:
  std::uint32_t add(Op op, std::vector<std::uint32_t> children, std::int32_t low = 0,
                    std::int32_t high = 0) {
    program_.nodes.push_back({op, std::move(children), low, high, {}});
    return static_cast<std::uint32_t>(program_.nodes.size() - 1);
  }
  /// A node out of [first, last), often one of the last few.
  std::uint32_t recent(std::size_t first, std::size_t last) {
    std::uint32_t byte = in_.byte();
    std::size_t width = last - first;
    std::size_t back = byte < 192 ? byte % std::min<std::size_t>(width, 4) : byte % width;
    return static_cast<std::uint32_t>(last - 1 - back);
  }
  std::uint32_t set(const Set& ranges) {
    auto found = std::find(program_.sets.begin(), program_.sets.end(), ranges);
    if (found == program_.sets.end()) found = program_.sets.insert(found, ranges);
    return static_cast<std::uint32_t>(found - program_.sets.begin());
  }
  std::uint32_t chars(const Set& ranges) { return add(Op::kChars, {set(ranges)}); }
  std::uint32_t literal(const char* text) {
    std::vector<std::uint32_t> points;
    for (; *text != 0; ++text) points.push_back(static_cast<unsigned char>(*text));
    return add(Op::kLiteral, std::move(points));
  }

  Set any_set() {
    switch (in_.below(13)) {
      case 0:
        return normal({{'a', 'z'}, {'A', 'Z'}, {'0', '9'}, {'_', '_'}});
      case 1:
        return without(normal({{0, 0x1F}, {'"', '"'}, {'\\', '\\'}}));
      case 2:
        return without(normal({{'"', '"'}, {'\\', '\\'}}));
      case 3:
        return {{'0', '9'}};
      case 4:
        return without({});
      case 5:
        return normal({{0x80, 0x10FFFF}});
      case 6:
        return without(one(kPoints[in_.below(kPoints.size())]));
      case 7:
        return normal({{'a', 'z'}, {'A', 'Z'}, {0xC0, 0x17F}, {0x4E00, 0x9FFF}});
      case 8:
        return {{'a', 'z'}};
      case 9: {
        Set ranges;
        for (std::uint32_t left = in_.below(4); left > 0; --left) {
          std::uint32_t low = kEdges[in_.below(kEdges.size())];
          std::uint32_t high = kEdges[in_.below(kEdges.size())];
          std::uint32_t shift = in_.below(3);  // an edge, or a little inside
          ranges.emplace_back(std::min(low + shift, 0x10FFFFu), high);
        }
        return normal(ranges);
      }
      case 10: {
        Set ranges;
        for (std::uint32_t left = 1 + in_.below(3); left > 0; --left) {
          std::uint32_t point = kPoints[in_.below(kPoints.size())];
          ranges.emplace_back(point, point);
        }
        return normal(ranges);
      }
      default:
        return one(kPoints[in_.below(kPoints.size())]);
    }
  }

  /// Small bounds, mostly; at times near the longest token or beyond all texts.
  std::pair<std::int32_t, std::int32_t> bounds() {
    std::uint32_t byte = in_.byte();
    std::int32_t low = static_cast<std::int32_t>(byte & 3);
    std::int32_t more = static_cast<std::int32_t>(byte >> 2 & 7);
    if (byte >= 224) {
      constexpr std::array<std::int32_t, 8> large{8, 15, 31, 32, 33, 64, 1000, 2147483646};
      return {byte >= 240 ? large[byte % 6] : low, byte % 5 == 0 ? -1 : large[byte % 8]};
    }
    return {low, more == 7 ? -1 : low + more};
  }

  /// A large counter only stands over what is one character, so that states stay few.
  std::uint32_t repeat(std::uint32_t body) {
    auto [low, high] = bounds();
    bool plain = program_.nodes[body].op == Op::kChars;
    if (!plain && (low > 3 || high > 10)) low = low % 3, high = low + high % 7;
    return add(Op::kRepeat, {body}, low, high);
  }

  /// The characters of a JSON string, with their escapes, so many times.
  std::uint32_t string_body() {
    std::uint32_t plain = chars(without(normal({{0, 0x1F}, {'"', '"'}, {'\\', '\\'}})));
    std::uint32_t escaped = chars(normal({{'"', '"'}, {'\\', '\\'}, {'n', 'n'}}));
    std::vector<std::uint32_t> options{escaped};
    if (in_.one_in(2)) {
      std::uint32_t hex = chars(normal({{'0', '9'}, {'a', 'f'}, {'A', 'F'}}));
      std::uint32_t four = add(Op::kRepeat, {hex}, 4, 4);
      options.push_back(add(Op::kConcat, {literal("u"), four}));
    }
    std::uint32_t after = add(Op::kUnion, std::move(options));
    std::uint32_t escape = add(Op::kConcat, {literal("\\"), after});
    auto [low, high] = bounds();
    return add(Op::kRepeat, {add(Op::kUnion, {plain, escape})}, low, high < 0 ? -1 : high);
  }

  std::uint32_t quoted(std::uint32_t body) {
    return add(Op::kConcat, {literal("\""), body, literal("\"")});
  }

  /// A language but not some words.
  std::uint32_t but_not(std::uint32_t language, bool in_quotes) {
    std::vector<std::uint32_t> parts{language};
    for (std::uint32_t left = 1 + in_.below(3); left > 0; --left) {
      std::uint32_t word = literal(kPieces[in_.below(16)]);
      parts.push_back(add(Op::kComplement, {in_quotes ? quoted(word) : word}));
    }
    return add(Op::kIntersection, std::move(parts));
  }

  std::uint32_t identifier() {
    std::uint32_t first = chars(normal({{'a', 'z'}, {'A', 'Z'}, {'_', '_'}}));
    std::uint32_t more = chars(normal({{'a', 'z'}, {'A', 'Z'}, {'0', '9'}, {'_', '_'}}));
    return add(Op::kConcat, {first, add(Op::kRepeat, {more}, 0, in_.one_in(4) ? 40 : -1)});
  }

  std::uint32_t automaton() {
    std::uint32_t states = 1 + in_.below(4);
    Program::Node node{Op::kDfa, {}, 0, 0, {}};
    for (std::uint32_t q = 0; q < states; ++q) {
      Program::DfaState state{in_.one_in(3), {}};
      Set taken;
      for (std::uint32_t left = in_.below(4); left > 0; --left) {
        std::uint32_t point = kPoints[in_.below(kPoints.size())];
        bool free = std::none_of(taken.begin(), taken.end(),
                                 [&](auto range) { return range.first == point; });
        if (!free) continue;
        taken.emplace_back(point, point);
        state.edges.emplace_back(set(one(point)), in_.below(states));
      }
      if (in_.one_in(3)) state.edges.emplace_back(set(without(normal(taken))), in_.below(states));
      node.states.push_back(std::move(state));
    }
    program_.nodes.push_back(std::move(node));
    return static_cast<std::uint32_t>(program_.nodes.size() - 1);
  }

  std::vector<std::uint32_t> several(std::size_t first, std::size_t last, std::uint32_t least) {
    std::vector<std::uint32_t> children;
    for (std::uint32_t left = least + in_.below(4 - least); left > 0; --left) {
      children.push_back(recent(first, last));
    }
    return children;
  }

  void regular() {
    std::size_t made = program_.nodes.size();
    std::uint32_t kind = made == 0 ? in_.below(8) : in_.below(18);
    switch (kind) {
      case 0:
      case 1:
        chars(any_set());
        break;
      case 2: {
        std::vector<std::uint32_t> points;
        for (std::uint32_t left = in_.below(4); left > 0; --left) {
          points.push_back(kPoints[in_.below(kPoints.size())]);
        }
        add(Op::kLiteral, std::move(points));
        break;
      }
      case 3:
        automaton();
        break;
      case 4:
        quoted(string_body());
        break;
      case 5:
        identifier();
        break;
      case 6:
        if (in_.one_in(2)) {
          but_not(identifier(), false);
        } else {
          but_not(quoted(string_body()), true);
        }
        break;
      case 7:
        repeat(chars(any_set()));
        break;
      case 8:
      case 9:
      case 10:
        add(Op::kConcat, several(0, made, 0));
        break;
      case 11:
      case 12:
        add(Op::kUnion, several(0, made, 0));
        break;
      case 13:
      case 14:
        repeat(recent(0, made));
        break;
      case 15:
        add(Op::kIntersection, several(0, made, 0));
        break;
      case 16:
        but_not(recent(0, made), false);
        break;
      default:
        add(Op::kComplement, {recent(0, made)});
        break;
    }
  }

  void expression(std::size_t rules) {
    std::size_t made = program_.nodes.size();
    std::uint32_t kind = made == regular_ ? in_.below(3) : in_.below(12);
    switch (kind) {
      case 0:
      case 1:
        add(Op::kTerminal, {in_.below(program_.terminals.size())});
        break;
      case 2:
      case 3:
        add(Op::kCall, {in_.below(rules)});
        break;
      case 4:
      case 5:
      case 6:
      case 7:
        add(Op::kSeq, several(regular_, made, 0));
        break;
      case 8:
      case 9:
        add(Op::kChoice, several(regular_, made, 0));
        break;
      default: {
        std::uint32_t body = recent(regular_, made);
        auto [low, high] = bounds();
        // Every count may be an item of its own: counts inside of counts, over words that can be
        // cut anywhere, take minutes.
        bool simple = program_.nodes[body].op == Op::kTerminal;
        std::int32_t most = simple ? (in_.one_in(32) ? 20 : 5) : 2;
        low = std::min(low, most / 2);
        if (high >= 0) high = std::min(std::max(low, high), most);
        add(Op::kMany, {body}, low, high);
        break;
      }
    }
  }

  Source& in_;
  Program program_;
  std::size_t regular_ = 0;
};

std::string large_token(Random& random) {
  std::string token;
  std::uint32_t kind = random.below(16);
  if (kind == 0) {  // a run of one piece, at times a long one
    const char* piece = kPieces[random.below(kPieces.size())];
    std::uint32_t left = 2 + random.below(random.below(4) == 0 ? 60 : 8);
    for (; left > 0 && token.size() < 66; --left) token += piece;
    return token;
  }
  if (kind == 1) token = kPieces[37 + random.below(3)];  // begins inside a character
  if (kind >= 2 && kind < 6) token = " ";
  for (std::uint32_t left = 1 + random.below(kind < 12 ? 3 : 6); left > 0; --left) {
    if (random.below(3) == 0) {
      token += kPieces[random.below(kPieces.size())];
    } else {
      for (std::uint32_t n = 1 + random.below(4); n > 0; --n) {
        token += static_cast<char>('a' + random.below(26));
      }
    }
  }
  if (kind == 15 && token.size() > 2) token.resize(token.size() - 1);  // cut, maybe in a character
  return token;
}

}  // namespace

Tokens read_tokens(Source& in) {
  Tokens made;
  std::uint32_t kind = in.byte();
  made.spells_anything = kind % 8 != 7;
  if (made.spells_anything) {
    for (int b = 0; b < 256; ++b) made.bytes.emplace_back(1, static_cast<char>(b));
  } else {
    for (const char* piece : {"a", "b", "\"", "\\", "0", " ", "\xC3", "\xA9"}) {
      made.bytes.emplace_back(piece);
    }
  }
  if (kind >= 160) {
    std::uint32_t seed = in.byte();
    Random random(seed);
    std::uint32_t count = seed % 8 == 0 ? 2000 : 300 + random.below(600);
    for (std::uint32_t i = 0; i < count; ++i) made.bytes.push_back(large_token(random));
  } else {
    for (std::uint32_t left = in.below(25); left > 0; --left) {
      std::string token;
      for (std::uint32_t pieces = 1 + in.below(4); pieces > 0; --pieces) {
        std::uint32_t piece = in.byte();
        token += kPieces[piece % kPieces.size()];
        if (piece >= 240) token += token;
      }
      if (token.size() > 1 && in.one_in(8)) token.erase(in.below(2) * (token.size() - 1), 1);
      made.bytes.push_back(std::move(token));
    }
  }
  std::uint32_t special = 1 + in.below(3);
  for (std::uint32_t i = 0; i < special; ++i) {
    std::size_t at = in.byte() % 2 == 0 ? made.bytes.size() : in.byte() % made.bytes.size();
    made.bytes.insert(made.bytes.begin() + static_cast<std::ptrdiff_t>(at), std::string{});
  }
  for (std::size_t t = 0; t < made.bytes.size(); ++t) {
    bool end = made.bytes[t].empty() && (made.ends.empty() || in.one_in(2));
    if (end) made.ends.push_back(static_cast<TokenId>(t));
  }
  return made;
}

Program read_grammar(Source& in) { return Maker(in).make(); }

Input read_input(Source& in) {
  Input input{read_tokens(in), read_grammar(in), {}, false, {}};
  input.words = encode(input.program);
  for (const Program::Terminal& terminal : input.program.terminals) {
    input.longest = input.longest || terminal.longest;
  }
  return input;
}

}  // namespace slm::fuzz

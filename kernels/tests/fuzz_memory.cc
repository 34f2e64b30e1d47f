// Fuzz target: grammars that remember something beside their rules, and what a server asks of them.
//
// Two families, drawn from the bytes: JSON values whose arrays and objects take no item or name
// twice, and lines that are indented. Each is written with the marks of its memory for the engine,
// without them for the oracle; what the memory asks of a text is judged here, on whole texts.
#include <algorithm>
#include <map>
#include <memory>
#include <set>

#include "core/marks.h"
#include "tests/fuzz_input.h"

namespace slm::fuzz {
namespace {

using Op = Program::Op;
using Set = std::vector<std::pair<std::uint32_t, std::uint32_t>>;

/// A program in the making: expressions are numbered from kExpression until the end.
class Builder {
 public:
  static constexpr std::uint32_t kExpression = 1u << 20;

  std::uint32_t chars(Set ranges) {
    program_.sets.push_back(std::move(ranges));
    return regular(Op::kChars, {static_cast<std::uint32_t>(program_.sets.size() - 1)});
  }
  std::uint32_t text(const std::string& bytes) {
    return regular(Op::kLiteral, {bytes.begin(), bytes.end()});
  }
  std::uint32_t regular(Op op, std::vector<std::uint32_t> children, std::int32_t low = 0,
                        std::int32_t high = 0) {
    program_.nodes.push_back({op, std::move(children), low, high, {}});
    return static_cast<std::uint32_t>(program_.nodes.size() - 1);
  }
  std::uint32_t repeated(std::uint32_t node, std::int32_t low, std::int32_t high) {
    return regular(Op::kRepeat, {node}, low, high);
  }
  std::uint32_t expression(Op op, std::vector<std::uint32_t> children, std::int32_t low = 0,
                           std::int32_t high = 0) {
    expressions_.push_back({op, std::move(children), low, high, {}});
    return kExpression + static_cast<std::uint32_t>(expressions_.size() - 1);
  }
  std::uint32_t terminal(std::uint32_t language) {
    program_.terminals.push_back({language, false});
    return expression(Op::kTerminal, {static_cast<std::uint32_t>(program_.terminals.size() - 1)});
  }
  std::uint32_t word(const std::string& bytes) { return terminal(text(bytes)); }
  /// A terminal that stands for no text: one mark, a character or a byte behind all of them.
  std::uint32_t mark(std::uint32_t point) {
    marks_.push_back(static_cast<std::uint32_t>(program_.terminals.size()));
    return terminal(chars({{point, point}}));
  }
  std::uint32_t call(std::uint32_t rule) { return expression(Op::kCall, {rule}); }
  std::uint32_t seq(std::vector<std::uint32_t> parts) {
    return expression(Op::kSeq, std::move(parts));
  }
  std::uint32_t choice(std::vector<std::uint32_t> options) {
    return expression(Op::kChoice, std::move(options));
  }
  void rule(std::uint32_t body) { program_.rules.push_back(body); }

  /// The program with marks as words, and without them to be looked at.
  std::pair<std::vector<std::int32_t>, Program> finish(const std::vector<std::int32_t>& memory) {
    auto base = static_cast<std::uint32_t>(program_.nodes.size());
    auto placed = [&](std::uint32_t node) { return node - kExpression + base; };
    for (Program::Node node : expressions_) {
      if (node.op == Op::kSeq || node.op == Op::kChoice || node.op == Op::kMany) {
        for (std::uint32_t& child : node.children) child = placed(child);
      }
      program_.nodes.push_back(std::move(node));
    }
    for (std::uint32_t& body : program_.rules) body = placed(body);
    std::vector<std::int32_t> words = encode(program_);
    words.insert(words.end(), memory.begin(), memory.end());
    for (Program::Node& node : program_.nodes) {
      bool marks = node.op == Op::kTerminal &&
                   std::count(marks_.begin(), marks_.end(), node.children[0]) > 0;
      if (marks) node = {Op::kSeq, {}, 0, 0, {}};
    }
    return {std::move(words), std::move(program_)};
  }

 private:
  Program program_;
  std::vector<Program::Node> expressions_;
  std::vector<std::uint32_t> marks_;
};

// --- values that differ
// ---------------------------------------------------------------------------

/// Reads a JSON text, which the rules have accepted, into a text that equal values share; and
/// finds out whether some level's array or object takes an item or a name twice.
class Values {
 public:
  Values(const std::string& text, const std::vector<bool>& distinct)
      : text_(text), distinct_(distinct) {}

  bool differ() {
    value(0);
    return differ_;
  }

 private:
  char now() const { return at_ < text_.size() ? text_[at_] : '\0'; }
  void blanks() {
    while (now() == ' ') ++at_;
  }
  std::string value(std::size_t level) {
    blanks();
    std::string read = now() == '['   ? items(level)
                       : now() == '{' ? members(level)
                       : now() == '"' ? string()
                                      : scalar();
    blanks();
    return read;
  }
  void add(std::set<std::string>& seen, const std::string& one, std::size_t level) {
    if (!seen.insert(one).second && distinct_[level % distinct_.size()]) differ_ = false;
  }
  std::string items(std::size_t level) {
    std::set<std::string> seen;
    std::string all = "[";
    for (++at_, blanks(); now() != ']'; at_ += now() == ',') {
      std::string item = value(level + 1);
      add(seen, item, level);
      all += item + ",";
    }
    ++at_;
    return all + "]";
  }
  std::string members(std::size_t level) {
    std::set<std::string> names;
    std::map<std::string, std::string> sorted;
    for (++at_, blanks(); now() != '}'; at_ += now() == ',') {
      blanks();
      std::string name = string();
      add(names, name, level);
      blanks();
      ++at_;
      sorted[name] = value(level + 1);
    }
    ++at_;
    std::string all = "{";
    for (const auto& [name, inner] : sorted) all += name + ":" + inner + ",";
    return all + "}";
  }
  std::string string() {
    std::string read = "\"";
    for (++at_; now() != '"'; ++at_) {
      if (now() == '\\' && text_[++at_] == 'u') {
        read += static_cast<char>(std::stoi(text_.substr(at_ + 1, 4), nullptr, 16));
        at_ += 4;
      } else {
        read += now();
      }
    }
    ++at_;
    return read + "\"";
  }
  /// Words stay; of a number its digits without zeros at either end, and where the point is.
  std::string scalar() {
    std::size_t begin = at_;
    while (now() != '\0' && std::string(" ,]}").find(now()) == std::string::npos) ++at_;
    std::string word = text_.substr(begin, at_ - begin);
    if (word[0] >= 'a') return word;
    std::string digits;
    std::size_t at = word[0] == '-';
    int shift = 0;
    for (bool behind = false; at < word.size() && word[at] != 'e'; ++at) {
      if (word[at] == '.') {
        behind = true;
      } else {
        digits += word[at];
        shift -= behind;
      }
    }
    if (at < word.size()) shift += std::stoi(word.substr(at + 1));
    digits.erase(0, std::min(digits.find_first_not_of('0'), digits.size()));
    if (digits.empty()) return "0";
    for (; digits.back() == '0'; ++shift) digits.pop_back();
    return (word[0] == '-' ? "-" : "+") + digits + "e" + std::to_string(shift);
  }

  const std::string& text_;
  const std::vector<bool>& distinct_;
  std::size_t at_ = 0;
  bool differ_ = true;
};

Input distinct(Source& in) {
  constexpr std::uint32_t kBegin = 0x1C, kItem = 0x1D, kEnd = 0x1E, kLeave = 0x1F;
  Builder to;
  std::size_t levels = 1 + in.below(3);
  bool recursive = in.one_in(3);
  std::uint32_t digit = to.chars({{'0', '9'}}), first = to.chars({{'1', '9'}});
  auto natural = [&](std::int32_t more) {
    std::uint32_t rest = to.repeated(digit, 0, more);
    return to.regular(Op::kUnion, {to.text("0"), to.regular(Op::kConcat, {first, rest})});
  };
  auto maybe = [&](std::uint32_t node) { return to.repeated(node, 0, 1); };
  auto number = [&] {
    std::uint32_t sign = maybe(to.text("-"));
    std::uint32_t some = to.repeated(digit, 1, 2);
    std::uint32_t fraction = maybe(to.regular(Op::kConcat, {to.text("."), some}));
    std::uint32_t power = maybe(to.chars({{'+', '+'}, {'-', '-'}}));
    std::uint32_t exponent = maybe(to.regular(Op::kConcat, {to.text("e"), power, digit}));
    return to.regular(Op::kConcat, {sign, natural(in.below(5)), fraction, exponent});
  };
  auto string = [&] {
    std::uint32_t plain = to.chars({{'a', 'b'}});
    std::uint32_t hex = to.chars({{'0', '9'}, {'a', 'f'}});
    std::uint32_t spelled = to.regular(Op::kConcat, {to.text("\\u006"), hex});
    std::uint32_t escaped =
        to.regular(Op::kConcat, {to.text("\\"), to.chars({{'"', '"'}, {'/', '/'}})});
    std::uint32_t any = to.regular(Op::kUnion, {plain, spelled, escaped});
    std::uint32_t most = in.byte();  // at times far away, so that rounds are passed over
    std::int32_t high = most >= 192 ? 100 : static_cast<std::int32_t>(most % 6) - 1;
    std::uint32_t body = to.repeated(any, 0, high == 0 ? 1 : high);
    return to.regular(Op::kConcat, {to.text("\""), body, to.text("\"")});
  };
  auto few = [&](std::vector<const char*> words) {
    std::vector<std::uint32_t> options;
    for (const char* word : words) options.push_back(to.text(word));
    return to.regular(Op::kUnion, std::move(options));
  };
  std::vector<std::uint32_t> scalars{
      to.terminal(few({"true", "false", "null"})), to.terminal(few({"\"a\"", "\"b\"", "\"ab\""})),
      to.terminal(natural(1)), to.terminal(number()), to.terminal(string())};
  std::uint32_t name = to.terminal(string());
  std::uint32_t begin = to.mark(kBegin), item = to.mark(kItem), end = to.mark(kEnd),
                leave = to.mark(kLeave), nothing = to.seq({});
  std::uint32_t blank = in.one_in(3) ? to.terminal(maybe(to.text(" "))) : nothing;
  std::uint32_t comma = to.seq({to.word(","), blank}), colon = to.word(":");
  std::vector<bool> differ;
  for (std::size_t level = 0; level < levels; ++level) {
    bool object = in.one_in(3);
    differ.push_back(!in.one_in(4));
    std::vector<std::uint32_t> options;
    std::uint32_t kinds = in.byte();
    for (std::size_t k = 0; k < scalars.size(); ++k) {
      if ((kinds >> k & 1) != 0) options.push_back(scalars[k]);
    }
    if (level + 1 < levels || recursive) {
      options.push_back(to.call(static_cast<std::uint32_t>((level + 1) % levels)));
    }
    if (options.empty()) options.push_back(scalars[3]);
    std::uint32_t value = to.choice(options);
    auto marked = [&](std::uint32_t inner) {
      return differ.back() ? to.seq({item, inner, end}) : inner;
    };
    std::uint32_t one = object ? to.seq({marked(to.seq({name, colon})), value}) : marked(value);
    std::int32_t low = static_cast<std::int32_t>(in.below(3));
    std::int32_t high = in.one_in(2) ? -1 : low + static_cast<std::int32_t>(in.below(4));
    std::int32_t least = std::max(low - 1, 0), most = high < 0 ? -1 : std::max(high - 1, least);
    std::uint32_t more = to.expression(Op::kMany, {to.seq({comma, one})}, least, most);
    std::uint32_t open = to.word(object ? "{" : "["), close = to.word(object ? "}" : "]");
    std::uint32_t full = differ.back() ? to.seq({open, begin, one, more, close, leave})
                                       : to.seq({open, one, more, close});
    to.rule(low > 0 ? full : to.choice({to.seq({open, close}), full}));
  }
  auto [words, program] = to.finish({2, 0});
  return {read_tokens(in), std::move(program), std::move(words), false,
          [differ](const std::string& text) { return Values(text, differ).differ(); }};
}

// --- lines that are indented
// ----------------------------------------------------------------------

struct Lines {
  std::uint32_t tab;
  bool blank_lines;
};

/// Whether the columns of the lines are what a block asks for: `a:` begins one, and its lines begin
/// in one column, beyond that of the line before.
bool columns_fit(const std::string& text, Lines lines) {
  std::vector<std::size_t> levels{0};
  bool deeper = false, first = true;
  for (std::size_t at = 0; at <= text.size(); first = false) {
    std::size_t stop = std::min(text.find('\n', at), text.size());
    std::string line = text.substr(at, stop - at);
    at = stop + 1;
    std::size_t blanks = std::min(line.find_first_not_of(" \t"), line.size());
    bool last = at > text.size();
    if (!last && lines.blank_lines && blanks == line.size() && !first) continue;
    std::size_t column = 0;
    for (char blank : line.substr(0, blanks)) column += blank == '\t' ? lines.tab : 1;
    if (deeper != (column > levels.back())) return false;
    if (deeper) levels.push_back(column);
    while (column < levels.back()) levels.pop_back();
    if (column != levels.back()) return false;
    if (last) return levels.size() == 1 && !deeper;
    deeper = line.back() == ':';
  }
  return false;
}

Input indented(Source& in) {
  Builder to;
  Lines lines{1 + in.below(4), in.one_in(2)};
  bool tabs = in.one_in(2);
  auto blank = [&] { return to.chars(tabs ? Set{{'\t', '\t'}, {' ', ' '}} : Set{{' ', ' '}}); };
  std::uint32_t any_blanks = to.repeated(blank(), 0, -1);
  std::uint32_t empty = to.repeated(to.regular(Op::kConcat, {any_blanks, to.text("\n")}), 0, -1);
  std::uint32_t newline = to.terminal(
      lines.blank_lines ? to.regular(Op::kConcat, {to.text("\n"), empty}) : to.text("\n"));
  std::uint32_t blanks = to.choice({to.seq({}), to.terminal(to.repeated(blank(), 1, -1))});
  std::uint32_t end = to.mark(kFirstMarkPoint), indent = to.mark(kFirstMarkPoint + 1),
                dedent = to.mark(kFirstMarkPoint + 2), stay = to.mark(kFirstMarkPoint + 3);
  std::vector<std::uint32_t> words{to.word("a")};
  if (in.one_in(2)) {  // what is one line, however it is written
    std::uint32_t more = to.expression(Op::kMany, {to.word(" b")}, 0, 2);
    words.push_back(to.seq({to.word("if"), more}));
  }
  constexpr std::uint32_t kBlock = 1, kLine = 2;
  to.rule(to.seq({to.call(kBlock), stay, blanks, end}));
  to.rule(to.seq({to.call(kLine),
                  to.expression(Op::kMany, {to.seq({stay, blanks, end, to.call(kLine)})}, 0, -1)}));
  std::uint32_t plain = to.seq({to.choice(words), newline});
  std::uint32_t deeper = to.seq(
      {to.choice(words), to.word(":"), newline, indent, blanks, end, to.call(kBlock), dedent});
  to.rule(to.choice({plain, deeper}));
  std::int32_t goes_on = lines.blank_lines && in.one_in(2) ? 1 : 0;
  auto [program_words, program] = to.finish({1, 2, static_cast<std::int32_t>(lines.tab), goes_on});
  return {read_tokens(in), std::move(program), std::move(program_words), false,
          [lines](const std::string& text) { return columns_fit(text, lines); }};
}

}  // namespace

Input read_memory_input(Source& in) { return in.one_in(3) ? indented(in) : distinct(in); }

void fuzz_memory(std::span<const std::uint8_t> data) {
  Source in(data);
  Input input = read_memory_input(in);
  run_sessions(in, std::move(input));
}

}  // namespace slm::fuzz

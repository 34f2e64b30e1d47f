#include "schema/patterns.h"

#include <algorithm>
#include <initializer_list>

#include "schema/json.h"

namespace slm::schema {
namespace {

constexpr int kMaxDepth = 200;
constexpr int kMaxUnrolled = 16;

/// Words, by what they demand of their surroundings: no text before, or after.
struct Variant {
  bool before, after;
  Term words;
};
/// Invariant: one for each pair of demands, in the order in which Python's dict has them.
using Variants = std::vector<Variant>;

/// Thrown where Python has to read the pattern.
struct NotHere {};

struct Bounds {
  std::int32_t low, high;  // -1: no upper bound
};

/// How demands combine: see pattern_lower.py.
class Lowering {
 public:
  explicit Lowering(Terms& terms) : terms_(terms) {}

  Variants either(std::initializer_list<Variants> many) { return either(Span<Variants>(many)); }
  Variants either(Span<Variants> many) {
    Gathered found;
    for (const Variants& one : many) {
      for (const Variant& each : one) found.add(each);
    }
    return united(found);
  }

  /// Concatenation: each side's demand on the other is met inside, or passed on.
  Variants then(const Variants& left, const Variants& right) {
    Gathered found;
    for (const Variant& first : left) {
      for (const Variant& second : right) {
        Term one = second.before ? if_empty(first.words) : first.words;
        Term two = first.after ? if_empty(second.words) : second.words;
        Term whole = terms_.concat({one, two});
        if (whole == terms_.nothing) continue;
        found.add({first.before || second.before, first.after || second.after, whole});
      }
    }
    return united(found);
  }

  /// A demand on the left holds only for the first pass with text, and so on.
  Variants repeated(const Variants& body, Bounds bounds) {
    // No structured binding: Clang captures those in lambdas from version 16 on.
    const std::int32_t low = bounds.low, high = bounds.high;
    auto of = [&](bool before, bool after) {
      for (const Variant& each : body) {
        if (each.before == before && each.after == after) return each.words;
      }
      return terms_.nothing;
    };
    Term free = of(false, false);
    auto demands = [](const Variant& each) { return each.before || each.after; };
    if (std::ranges::none_of(body, demands)) {
      return {{false, false, terms_.repeat(free, low, high)}};
    }
    if (high != -1 && high <= kMaxUnrolled) {
      Variants whole{{false, false, terms_.epsilon}};
      std::vector<Variants> found;
      if (low == 0) found.push_back(whole);
      for (std::int32_t passes = 1; passes <= high; ++passes) {
        whole = then(whole, body);
        if (passes >= low) found.push_back(whole);
      }
      return either(found);
    }
    // Passes that match the empty text, and demand no more, make up any missing count.
    auto spare = [&](bool before, bool after) {
      return std::ranges::any_of(body, [&](const Variant& each) {
        return terms_[each.words].nullable && each.before <= before && each.after <= after;
      });
    };
    auto inner = [&](std::int32_t used, bool before, bool after) {
      std::int32_t least = spare(before, after) ? 0 : std::max(0, low - used);
      return terms_.repeat(free, least, high == -1 ? -1 : high - used);
    };
    Term first = of(true, false), last = of(false, true), both = of(true, true);
    return either({
        {{false, false, terms_.repeat(free, low, high)}},
        {{true, false, terms_.concat({first, inner(1, true, false)})}},
        {{false, true, terms_.concat({inner(1, false, true), last})}},
        {{true, true, terms_.concat({first, inner(2, true, true), last})}},
        {{true, true, low <= 1 || spare(true, true) ? both : terms_.nothing}},
    });
  }

  Term closed(const Variants& found) {
    std::vector<Term> options;
    for (const Variant& each : found) {
      Term left = each.before ? terms_.epsilon : terms_.anything;
      Term right = each.after ? terms_.epsilon : terms_.anything;
      Term words = each.words;
      if (!each.before) words = beside_anything(words, false);
      if (!each.after) words = beside_anything(words, true);
      bool empty = words == terms_.epsilon;
      options.push_back(!empty ? terms_.concat({left, words, right}) : each.before ? right : left);
    }
    return terms_.unite(options);
  }

  /// Shorter words that make the same language once any text may stand at their start, or end: what
  /// may be empty there need not be there, nor repeat more often than it must.
  Term beside_anything(Term words, bool at_end) {
    std::vector<Term> parts = parts_of(words);
    if (at_end) std::ranges::reverse(parts);
    std::size_t at = 0;  // the parts before it are gone
    while (at < parts.size()) {
      const Terms::Node node = terms_[parts[at]];
      if (node.nullable) {
        ++at;
      } else if (node.kind == Terms::Kind::kRepeat && node.high != node.low) {
        std::vector<Term> once = parts_of(terms_.repeat(node.data[0], node.low, node.low));
        if (at_end) std::ranges::reverse(once);
        parts.erase(parts.begin(), parts.begin() + static_cast<std::ptrdiff_t>(at) + 1);
        parts.insert(parts.begin(), once.begin(), once.end());
        at = 0;
      } else {
        break;
      }
    }
    parts.erase(parts.begin(), parts.begin() + static_cast<std::ptrdiff_t>(at));
    if (at_end) std::ranges::reverse(parts);
    return terms_.concat(parts);
  }

  std::vector<Term> parts_of(Term words) const {
    const Terms::Node& node = terms_[words];
    if (node.kind != Terms::Kind::kConcat) return {words};
    std::vector<Term> parts;
    for (std::int32_t part : node.data) parts.push_back(static_cast<Term>(part));
    return parts;
  }

 private:
  struct Gathered {
    struct Entry {
      bool before, after;
      std::vector<Term> words;
    };
    std::vector<Entry> entries;
    void add(const Variant& one) {
      auto same = [&](const Entry& e) { return e.before == one.before && e.after == one.after; };
      auto at = std::ranges::find_if(entries, same);
      if (at == entries.end()) at = entries.insert(at, {one.before, one.after, {}});
      at->words.push_back(one.words);
    }
  };

  Variants united(const Gathered& found) {
    Variants made;
    for (const auto& [before, after, words] : found.entries) {
      made.push_back({before, after, terms_.unite(words)});
    }
    return made;
  }

  Term if_empty(Term words) { return terms_[words].nullable ? terms_.epsilon : terms_.nothing; }

  Terms& terms_;
};

/// Recursive descent over the pattern's characters, which is lowered as it is read.
class Parser {
 public:
  Parser(Terms& terms, std::string_view pattern) : terms_(terms), lower_(terms) {
    each_point(pattern,
               [&](std::uint32_t point) { text_.push_back(static_cast<char32_t>(point)); });
  }

  Term parse() {
    Variants found = disjunction();
    if (at_ < text_.size()) throw NotHere();
    return lower_.closed(found);
  }

 private:
  static constexpr char32_t kEnd = 0xFFFFFFFF;

  Variants disjunction() {
    std::vector<Variants> options{alternative()};
    while (eat('|')) options.push_back(alternative());
    if (options.size() == 1) return options[0];
    bare_anchor_ = false;
    return lower_.either(options);
  }

  Variants alternative() {
    std::vector<Variants> parts;
    while (at_ < text_.size() && peek() != '|' && peek() != ')') parts.push_back(term());
    if (parts.size() == 1) return parts[0];
    bare_anchor_ = false;
    Variants whole{{false, false, terms_.epsilon}};
    for (const Variants& part : parts) whole = lower_.then(whole, part);
    return whole;
  }

  Variants term() {
    Variants atom = this->atom();
    std::optional<Bounds> found = bounds();
    if (!found) return atom;
    if (bare_anchor_ || (found->high != -1 && found->high < found->low)) throw NotHere();
    eat('?');
    if (at_ < text_.size() && bounds()) throw NotHere();
    bare_anchor_ = false;
    return lower_.repeated(atom, *found);
  }

  /// The quantifier here, if there is one.
  std::optional<Bounds> bounds() {
    if (eat('*')) return Bounds{0, -1};
    if (eat('+')) return Bounds{1, -1};
    if (eat('?')) return Bounds{0, 1};
    if (peek() != '{') return std::nullopt;
    std::size_t at = at_ + 1;
    std::optional<std::int32_t> low = number(at), high = low;
    if (!low) return std::nullopt;
    if (at < text_.size() && text_[at] == ',') {
      ++at;
      high = number(at).value_or(-1);
    }
    if (at >= text_.size() || text_[at] != '}') return std::nullopt;
    at_ = at + 1;
    return Bounds{*low, *high};
  }

  std::optional<std::int32_t> number(std::size_t& at) const {
    std::size_t start = at;
    std::int32_t value = 0;
    for (; at < text_.size() && text_[at] >= '0' && text_[at] <= '9'; ++at) {
      if (at - start == 9) throw NotHere();
      value = 10 * value + static_cast<std::int32_t>(text_[at] - '0');
    }
    return at == start ? std::nullopt : std::optional(value);
  }

  Variants atom() {
    char32_t first = text_[at_++];
    bare_anchor_ = first == '^' || first == '$';
    switch (first) {
      case '^':
        return {{true, false, terms_.epsilon}};
      case '$':
        return {{false, true, terms_.epsilon}};
      case '.':
        return one_of(
            other_points(std::initializer_list<std::int32_t>{10, 10, 13, 13, 0x2028, 0x2029}));
      case '(':
        return group();
      case '[':
        return one_of(bracket());
      case '\\':
        return one_of(escaped());
      case '*':
      case '+':
      case '?':
        throw NotHere();
      case '{':
        --at_;
        if (bounds()) throw NotHere();
        ++at_;
        [[fallthrough]];
      default:
        return one_of(just(first));
    }
  }

  Variants one_of(Points ranges) {
    Term made = terms_.chars(std::move(ranges));
    if (made == terms_.nothing) return {};
    return {{false, false, made}};
  }

  Variants group() {
    if (++depth_ > kMaxDepth) throw NotHere();
    if (eat('?') && !eat(':')) throw NotHere();
    Variants body = disjunction();
    if (!eat(')')) throw NotHere();
    --depth_;
    return body;
  }

  /// The set that the escape after a backslash stands for.
  Points escaped() {
    if (at_ >= text_.size()) throw NotHere();
    char32_t name = text_[at_++];
    switch (name) {
      case 'd':
        return {'0', '9'};
      case 'D':
        return other_points(Points{'0', '9'});
      case 'w':
        return word();
      case 'W':
        return other_points(word());
      case 's':
        return space();
      case 'S':
        return other_points(space());
      case 't':
        return just('\t');
      case 'n':
        return just('\n');
      case 'v':
        return just('\v');
      case 'f':
        return just('\f');
      case 'r':
        return just('\r');
      case 'x':
        return just(hexadecimal(2));
      case 'u':
        return unicode();
      default:
        break;
    }
    bool letter = (name | 32) >= 'a' && (name | 32) <= 'z';
    bool digit = name >= '0' && name <= '9';
    if (letter || digit || name >= 128) throw NotHere();
    return just(name);
  }

  Points unicode() {
    if (eat('{')) {
      std::size_t start = at_;
      while (at_ < text_.size() && digit_of(text_[at_]) >= 0) ++at_;
      std::size_t size = at_ - start;
      if (size == 0 || size > 6) throw NotHere();
      at_ = start;
      char32_t point = hexadecimal(size);
      if (!eat('}') || point > 0x10FFFF) throw NotHere();
      return just(point);
    }
    char32_t point = hexadecimal(4);
    bool pair = point >= 0xD800 && point <= 0xDBFF && peek() == '\\' && at_ + 1 < text_.size() &&
                text_[at_ + 1] == 'u';
    if (!pair) return just(point);
    std::size_t back = at_;
    at_ += 2;
    char32_t low = hexadecimal(4);
    if (low >= 0xDC00 && low <= 0xDFFF)
      return just(0x10000 + ((point - 0xD800) << 10) + (low - 0xDC00));
    at_ = back;
    return just(point);
  }

  /// The class after a bracket.
  Points bracket() {
    bool negated = eat('^');
    Points found;
    auto add = [&](const Points& more) { found.insert(found.end(), more.begin(), more.end()); };
    auto single = [](const Points& set) { return set.size() == 2 && set[0] == set[1]; };
    while (!eat(']')) {
      if (at_ >= text_.size()) throw NotHere();
      Points low = canonical_ranges(member());
      add(low);
      if (at_ + 1 >= text_.size() || peek() != '-' || text_[at_ + 1] == ']') continue;
      ++at_;
      Points high = canonical_ranges(member());
      add(high);
      if (!single(low) || !single(high)) {  // `[\w-.]`: the minus stands for itself
        add(just('-'));
        continue;
      }
      if (low[0] > high[0]) throw NotHere();
      add({low[0], high[0]});
    }
    found = canonical_ranges(std::move(found));
    return negated ? other_points(found) : found;
  }

  Points member() {
    char32_t first = text_[at_++];
    if (first != '\\') return just(first);
    return eat('b') ? just('\b') : escaped();
  }

  static Points just(char32_t point) {
    auto value = static_cast<std::int32_t>(point);
    return {value, value};
  }
  static Points word() { return {'0', '9', 'A', 'Z', '_', '_', 'a', 'z'}; }
  static Points space() {
    return {9,      13,     32,     32,     0xA0,   0xA0,   0x1680, 0x1680, 0x2000, 0x200A,
            0x2028, 0x2029, 0x202F, 0x202F, 0x205F, 0x205F, 0x3000, 0x3000, 0xFEFF, 0xFEFF};
  }

  static int digit_of(char32_t each) {
    if (each >= '0' && each <= '9') return static_cast<int>(each - '0');
    char32_t lower = each | 32;
    return lower >= 'a' && lower <= 'f' ? static_cast<int>(lower - 'a' + 10) : -1;
  }
  char32_t hexadecimal(std::size_t count) {
    char32_t value = 0;
    for (; count > 0; --count) {
      int digit = at_ < text_.size() ? digit_of(text_[at_++]) : -1;
      if (digit < 0) throw NotHere();
      value = 16 * value + static_cast<char32_t>(digit);
    }
    return value;
  }

  char32_t peek() const { return at_ < text_.size() ? text_[at_] : kEnd; }
  bool eat(char32_t wanted) {
    if (peek() != wanted) return false;
    ++at_;
    return true;
  }

  Terms& terms_;
  Lowering lower_;
  std::vector<char32_t> text_;
  std::size_t at_ = 0;
  int depth_ = 0;
  bool bare_anchor_ = false;  // what was read last is an anchor, perhaps in groups
};

}  // namespace

std::optional<Term> search_language(Terms& terms, std::string_view pattern) {
  try {
    return Parser(terms, pattern).parse();
  } catch (const NotHere&) {
    return std::nullopt;
  }
}

}  // namespace slm::schema

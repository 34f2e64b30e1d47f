#include "core/memory/distinct_values.h"

#include <algorithm>
#include <bit>
#include <charconv>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <map>

#include "core/utf8.h"

namespace slm {
namespace {

constexpr std::int64_t kFar = 1'000'000'000;  // exponents beyond it are all alike: no text has them

bool is_space(char c) noexcept { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }
bool is_digit(char c) noexcept { return c >= '0' && c <= '9'; }

/// `-12.50e1` as sign, digits without zeros at their ends, and the power of ten of the last one.
std::string decimal_of(std::string_view text) {
  std::string digits;
  std::int64_t power = 0;
  bool negative = false, fraction = false;
  std::size_t i = 0;
  if (i < text.size() && text[i] == '-') negative = true, ++i;
  for (; i < text.size() && text[i] != 'e' && text[i] != 'E'; ++i) {
    if (text[i] == '.') {
      fraction = true;
    } else {
      digits.push_back(text[i]);
      power -= fraction ? 1 : 0;
    }
  }
  if (i < text.size()) {
    ++i;
    bool down = i < text.size() && text[i] == '-';
    if (i < text.size() && !is_digit(text[i])) ++i;
    std::int64_t exponent = 0;
    for (; i < text.size(); ++i) exponent = std::min(exponent * 10 + (text[i] - '0'), kFar);
    power += down ? -exponent : exponent;
  }
  while (!digits.empty() && digits.back() == '0') digits.pop_back(), ++power;
  digits.erase(0, std::min(digits.find_first_not_of('0'), digits.size()));
  if (digits.empty()) return "n0";
  return (negative ? "n-" : "n") + digits + "e" + std::to_string(power);
}

/// As a parser reads it that makes a double of all but integers.
std::string read_number(std::string_view text) {
  if (text.find_first_of(".eE") == std::string_view::npos) return decimal_of(text);
  double real = 0;
  auto read = std::from_chars(text.data(), text.data() + text.size(), real);
  if (read.ec == std::errc::result_out_of_range) {  // beyond all, or next to nothing
    std::string exact = decimal_of(text);
    return exact.find("e-") != std::string::npos ? "n0" : exact[1] == '-' ? "n-far" : "nfar";
  }
  if (std::trunc(real) != real) return "d" + std::to_string(std::bit_cast<std::uint64_t>(real));
  char whole[400];
  int size = std::snprintf(whole, sizeof whole, "%.0f", real);
  return decimal_of({whole, static_cast<std::size_t>(size)});
}

double as_double(std::string_view text) {
  double real = 0;
  auto read = std::from_chars(text.data(), text.data() + text.size(), real);
  if (read.ec == std::errc()) return real;
  return decimal_of(text).find("e-") != std::string::npos ? 0 : HUGE_VAL;
}

/// The number in an outline: digits that cannot change its double any more do not matter. Where it
/// can become two, it is one of them, and any digit but a nought at the end may lead to the other.
std::string outline_of(const std::string& number) {
  constexpr std::size_t kSure = 15;  // characters: so few never come to that
  bool fraction =
      number.find('.') != std::string::npos && number.find_first_of("eE") == std::string::npos;
  if (number.size() < kSure || !fraction) return number;
  std::uint64_t doubles = doubles_ahead(number);
  if (doubles > 1) return doubles > 2 ? number : number.substr(0, number.find_last_not_of('0') + 1);
  return "=" + std::to_string(std::bit_cast<std::uint64_t>(as_double(number)));
}

std::uint32_t hex4(std::string_view digits) {
  std::uint32_t value = 0;
  std::from_chars(digits.data(), digits.data() + 4, value, 16);
  return value;
}

/// Appends the character of the escape at `text[i]`, and returns where it ends; npos where the text
/// ends before it.
std::size_t unescape(std::string_view text, std::size_t i, std::string& into) {
  constexpr std::size_t kCut = std::string_view::npos;
  if (i + 1 >= text.size()) return kCut;
  static constexpr std::string_view kNames = "bfnrt", kMeant = "\b\f\n\r\t";
  char name = text[i + 1];
  if (name != 'u') {
    std::size_t at = kNames.find(name);
    into.push_back(at == kCut ? name : kMeant[at]);
    return i + 2;
  }
  if (i + 6 > text.size()) return kCut;
  std::uint32_t unit = hex4(text.substr(i + 2));
  if (unit < 0xD800 || unit > 0xDBFF) {
    append_utf8(into, unit);
    return i + 6;
  }
  if (i + 12 > text.size()) return kCut;
  append_utf8(into, 0x10000 + ((unit - 0xD800) << 10) + (hex4(text.substr(i + 8)) - 0xDC00));
  return i + 12;
}

std::string sized(char kind, std::string_view text) {
  return kind + std::to_string(text.size()) + ":" + std::string(text);
}

/// Reads a text, or its beginning, with a stack of its own: values may be nested deep.
class Reading {
 public:
  Reading(std::string_view text, bool exact) : text_(text), exact_(exact) {
    while (at_ < text_.size() && pending_.empty()) next();
  }

  struct Open {
    bool object;
    std::vector<std::string> items;
    std::map<std::string, std::string> members{};
    std::string name{};
    bool named = false;
  };

  bool whole() const noexcept { return !value_.empty(); }
  const std::string& value() const noexcept { return value_; }
  const std::vector<Open>& open() const noexcept { return open_; }
  const std::string& pending() const noexcept { return pending_; }  // a scalar that is cut off
  const std::string& decoded() const noexcept { return decoded_; }
  const std::string& number() const noexcept { return number_; }  // at the end of the text
  std::vector<std::pair<std::string, std::string>> parts{};  // of the outermost, if it is whole

  static std::string put_together(const Open& open) {
    std::string all(1, open.object ? '{' : '[');
    for (const std::string& item : open.items) all += item;
    for (const auto& [name, value] : open.members) all += sized('s', name) + value;
    return all + (open.object ? "}" : "]");
  }
  static std::vector<std::pair<std::string, std::string>> parts_of(const Open& open) {
    std::vector<std::pair<std::string, std::string>> found;
    for (const std::string& item : open.items) found.emplace_back("", item);
    found.insert(found.end(), open.members.begin(), open.members.end());
    return found;
  }

 private:
  void next() {
    char c = text_[at_];
    if (is_space(c) || c == ',' || c == ':') {
      ++at_;
    } else if (c == '{' || c == '[') {
      open_.push_back({c == '{', {}});
      ++at_;
    } else if (c == '}' || c == ']') {
      ++at_;
      Open done = std::move(open_.back());
      open_.pop_back();
      if (open_.empty()) parts = parts_of(done);
      put(put_together(done));
    } else if (c == '"') {
      read_string();
    } else {
      read_word();
    }
  }

  void read_string() {
    std::size_t i = at_ + 1;
    decoded_.clear();
    while (i < text_.size() && text_[i] != '"') {
      if (text_[i] != '\\') {
        decoded_.push_back(text_[i++]);
        continue;
      }
      std::size_t after = unescape(text_, i, decoded_);
      if (after == std::string_view::npos) break;
      i = after;
    }
    if (i >= text_.size() || text_[i] != '"') {
      pending_ = sized('s', decoded_) + std::string(text_.substr(std::min(i, text_.size())));
      return;
    }
    at_ = i + 1;
    if (!open_.empty() && open_.back().object && !open_.back().named) {
      open_.back().name = decoded_;
      open_.back().named = true;
    } else {
      put(sized('s', decoded_));
    }
  }

  void read_word() {
    std::size_t end = at_;
    auto goes_on = [](char c) {
      return is_digit(c) || (c >= 'a' && c <= 'z') || c == 'E' || c == '.' || c == '-' || c == '+';
    };
    while (end < text_.size() && goes_on(text_[end])) ++end;
    std::string_view word = text_.substr(at_, end - at_);
    if (word.empty()) word = text_.substr(at_, 1), end = at_ + 1;  // no JSON
    bool number = is_digit(word[0]) || word[0] == '-';
    if (number && end == text_.size()) number_ = word;
    if (end == text_.size() && !open_.empty()) {
      pending_ = "w" + (number ? outline_of(number_) : std::string(word));
      return;
    }
    at_ = end;
    put(!number ? sized('l', word) : exact_ ? decimal_of(word) : read_number(word));
  }

  void put(std::string value) {
    if (open_.empty()) {
      value_ = std::move(value);
    } else if (Open& top = open_.back(); top.object) {
      top.members[std::move(top.name)] = std::move(value);
      top.named = false;
      top.name.clear();
    } else {
      top.items.push_back(std::move(value));
    }
  }

  std::string_view text_;
  bool exact_;
  std::size_t at_ = 0;
  std::vector<Open> open_;
  std::string value_, pending_, decoded_, number_;
};

char kind_of(std::string_view text) {
  std::size_t i = 0;
  while (i < text.size() && is_space(text[i])) ++i;
  if (i == text.size()) return 0;
  char c = text[i];
  if (c == '"') return 's';
  if (c == '{' || c == '[') return c;
  return is_digit(c) || c == '-' ? 'n' : 'l';
}

}  // namespace

JsonValue read_value(std::string_view text) {
  Reading exact(text, true), read(text, false);
  JsonValue value{exact.value(), read.value(), kind_of(text), {}, read.parts};
  if (value.kind == 's') value.text = read.decoded();
  if (value.kind == 'l') value.text = std::string(text);
  return value;
}

JsonPrefix read_prefix(std::string_view text) {
  Reading reading(text, false);
  JsonPrefix prefix;
  prefix.kind = kind_of(text);
  prefix.number = reading.number();
  for (const Reading::Open& open : reading.open()) {
    prefix.outline += Reading::put_together(open) + "?";
    // After a name comes a colon, and after an item a comma, or not yet: the rules' state says so.
    if (open.named) prefix.outline += sized('s', open.name);
  }
  prefix.outline += reading.pending();
  if (prefix.kind == 's') prefix.text = reading.decoded();
  if (prefix.kind == 'n' || prefix.kind == 'l') {
    prefix.outline = prefix.number.empty() ? std::string(text) : outline_of(prefix.number);
    if (prefix.kind == 'l') prefix.text = prefix.outline;
  } else if (reading.whole()) {
    prefix.open = false;
    prefix.outline = reading.value();
  }
  if (!reading.open().empty()) {
    prefix.parts = Reading::parts_of(reading.open().front());
  } else {
    prefix.parts = reading.parts;
  }
  return prefix;
}

std::uint64_t doubles_ahead(std::string_view number) {
  // Beyond so many nines a double can begin only if it is the very next decimal's.
  std::string last = std::string(number) + std::string(24, '9');
  auto bits = [](double real) { return std::bit_cast<std::uint64_t>(std::fabs(real)); };
  return bits(as_double(last)) - bits(as_double(number)) + 1;
}

bool may_become(const JsonPrefix& prefix, const JsonValue& value) {
  if (prefix.kind == 0) return true;
  if (prefix.kind != value.kind) return false;
  switch (prefix.kind) {
    case 's':
      return prefix.open ? value.text.starts_with(prefix.text) : value.text == prefix.text;
    case 'l':
      return value.text.starts_with(prefix.text);
    case '[':
      return prefix.parts.size() <= value.parts.size() &&
             std::equal(prefix.parts.begin(), prefix.parts.end(), value.parts.begin());
    case '{':
      return std::ranges::includes(value.parts, prefix.parts);
    default:
      return true;
  }
}

}  // namespace slm

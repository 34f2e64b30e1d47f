#include "schema/spelling.h"

#include <string>

namespace slm::schema {
namespace {

constexpr std::string_view kEscaped = "\"\\/\b\f\n\r\t", kShort = "\"\\/bfnrt";

bool contains(Span<std::int32_t> ranges, std::int32_t point) {
  for (std::size_t at = 0; at < ranges.size() && ranges[at] <= point; at += 2) {
    if (point <= ranges[at + 1]) return true;
  }
  return false;
}

}  // namespace

Spelling::Spelling(Terms& terms) : terms_(terms) {
  quote_ = terms.literal("\"");
  backslash_ = terms.literal("\\");
  u_ = terms.literal("u");
  raw_ = terms.chars({0x20, 0x21, 0x23, 0x5B, 0x5D, 0x10FFFF});
}

Term Spelling::quoted(Term inner) { return terms_.concat({quote_, inner, quote_}); }

Term Spelling::any_string() { return quoted(terms_.repeat(any_spelled_char())); }

std::optional<Term> Spelling::spell(Term language) {
  if (language == terms_.anything) return terms_.repeat(any_spelled_char());
  if (auto known = known_.find(language); known != known_.end()) return known->second;
  using Kind = Terms::Kind;
  const Terms::Node node = terms_[language];  // a copy: making more moves it
  std::optional<Term> made;
  if (node.kind == Kind::kChars) {
    made = charset(language);
  } else if (node.kind != Kind::kDfa) {
    std::vector<Term> parts;
    for (std::int32_t part : node.data) {
      std::optional<Term> spelled = spell(static_cast<Term>(part));
      if (!spelled) return known_[language] = std::nullopt;
      parts.push_back(*spelled);
    }
    switch (node.kind) {
      case Kind::kConcat:
        made = terms_.concat(parts);
        break;
      case Kind::kUnion:
        made = terms_.unite(parts);
        break;
      case Kind::kRepeat:
        made = terms_.repeat(parts[0], node.low, node.high);
        break;
      case Kind::kIntersection:
        made = terms_.intersect(parts);
        break;
      default:
        made = terms_.intersect({terms_.repeat(any_spelled_char()), terms_.complement(parts[0])});
    }
  }
  return known_[language] = made;
}

/// Every JSON spelling of one code point of the set.
Term Spelling::charset(Term chars) {
  if (auto known = known_.find(chars); known != known_.end()) return *known->second;
  Span<std::int32_t> ranges = terms_[chars].data;
  std::vector<Term> options, escapes, units;
  Points raw = meet_ranges(ranges, terms_[raw_].data);
  if (!raw.empty()) options.push_back(terms_.chars(std::move(raw)));
  std::string names;
  for (std::size_t at = 0; at < kEscaped.size(); ++at) {
    if (contains(ranges, kEscaped[at])) names.push_back(kShort[at]);
  }
  if (!names.empty()) escapes.push_back(terms_.any_of_chars(names));
  constexpr std::int32_t kBasic[] = {0, 0xFFFF}, kAstral[] = {0x10000, 0x10FFFF};
  Points basic = meet_ranges(ranges, kBasic), astral = meet_ranges(ranges, kAstral);
  for (std::size_t at = 0; at < basic.size(); at += 2) {
    units.push_back(code_units(static_cast<std::uint32_t>(basic[at]),
                               static_cast<std::uint32_t>(basic[at + 1])));
  }
  for (std::size_t at = 0; at < astral.size(); at += 2) {
    units.push_back(surrogate_pairs(static_cast<std::uint32_t>(astral[at] - 0x10000),
                                    static_cast<std::uint32_t>(astral[at + 1] - 0x10000)));
  }
  if (!units.empty()) escapes.push_back(terms_.concat({u_, terms_.unite(units)}));
  if (!escapes.empty()) options.push_back(terms_.concat({backslash_, terms_.unite(escapes)}));
  Term made = terms_.unite(options);
  known_[chars] = made;
  return made;
}

Term Spelling::hex_class(int low, int high) {
  Points ranges;
  auto add = [&](int first, int last, int offset) {
    first = std::max(first, low);
    last = std::min(last, high);
    if (first <= last) ranges.insert(ranges.end(), {first + offset, last + offset});
  };
  add(0, 9, '0');
  add(10, 15, 'A' - 10);
  add(10, 15, 'a' - 10);
  return terms_.chars(std::move(ranges));
}

/// Hexadecimal spellings, `width` digits long, of the numbers from low to high.
Term Spelling::code_units(std::uint32_t low, std::uint32_t high, int width) {
  if (width == 0) return terms_.epsilon;
  std::uint32_t block = 1u << 4 * (width - 1);
  auto first = static_cast<int>(low / block), last = static_cast<int>(high / block);
  auto whole = [&] { return terms_.repeat(hex_class(0, 15), width - 1, width - 1); };
  if (low % block == 0 && high % block == block - 1) {
    return terms_.concat({hex_class(first, last), whole()});
  }
  if (first == last) {
    Term rest = code_units(low % block, high % block, width - 1);
    return terms_.concat({hex_class(first, first), rest});
  }
  std::vector<Term> options;
  if (low % block != 0) {
    Term rest = code_units(low % block, block - 1, width - 1);
    options.push_back(terms_.concat({hex_class(first, first), rest}));
    ++first;
  }
  if (high % block != block - 1) {
    Term rest = code_units(0, high % block, width - 1);
    options.push_back(terms_.concat({hex_class(last, last), rest}));
    --last;
  }
  if (first <= last) options.push_back(terms_.concat({hex_class(first, last), whole()}));
  return terms_.unite(options);
}

/// `DXXX\uDXXX`: the pairs of the offsets from low to high (each is 20 bits).
Term Spelling::surrogate_pairs(std::uint32_t low, std::uint32_t high) {
  auto pairs = [&](std::uint32_t first, std::uint32_t last, std::uint32_t bottom,
                   std::uint32_t top) {
    Term lead = code_units(0xD800 + first, 0xD800 + last);
    return terms_.concat({lead, backslash_, u_, code_units(0xDC00 + bottom, 0xDC00 + top)});
  };
  std::uint32_t first = low >> 10, last = high >> 10, bottom = low & 0x3FF, top = high & 0x3FF;
  if (first == last) return pairs(first, first, bottom, top);
  std::vector<Term> options;
  if (bottom != 0) {
    options.push_back(pairs(first, first, bottom, 0x3FF));
    ++first;
  }
  if (top != 0x3FF) {
    options.push_back(pairs(last, last, 0, top));
    --last;
  }
  if (first <= last) options.push_back(pairs(first, last, 0, 0x3FF));
  return terms_.unite(options);
}

}  // namespace slm::schema

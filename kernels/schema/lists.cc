// Lists of different texts as one language. Mirrors `_one_terminal` of unique.py.
#include "schema/shop.h"

namespace slm::schema {
namespace {

constexpr std::int32_t kMaxWhitespace = 40;

/// The language; states are made as an engine meets them, and are never all there.
Term list_of(Terms& terms, const std::vector<std::string>& texts, std::int32_t low,
             std::int32_t high, bool compact) {
  Term comma = terms.literal(",");
  if (!compact) {
    Term run = terms.repeat(terms.chars({9, 10, 13, 13, 32, 32}), 0, kMaxWhitespace);
    comma = terms.concat({run, comma, run});
  }
  std::vector<Term> words;
  for (const std::string& text : texts) words.push_back(terms.literal(text));
  Term whole = terms.unite(words);
  Term more = terms.repeat(terms.concat({comma, whole}), std::max(0, low - 1), high - 1);
  std::vector<Term> parts{terms.concat({whole, more})};
  for (std::size_t at = 0; at < words.size(); ++at) {  // each comes once at most
    std::vector<Term> rest = words;
    rest.erase(rest.begin() + static_cast<std::ptrdiff_t>(at));
    Term others = terms.unite(rest);
    Term before = terms.repeat(terms.concat({others, comma}));
    Term after = terms.repeat(terms.concat({comma, others}));
    Term once = terms.concat({before, words[at], after});
    parts.push_back(terms.unite({once, terms.concat({others, after})}));
  }
  return terms.intersect(parts);
}

}  // namespace

Answer Languages::lists(const std::vector<std::string>& texts, std::int32_t low, std::int32_t high,
                        bool compact) {
  std::string request = "[\"lists\",[";
  for (std::size_t at = 0; at < texts.size(); ++at) {
    if (at) request.push_back(',');
    request += texts[at];
  }
  request += "]," + std::to_string(low) + "," + std::to_string(high);
  request += compact ? ",true]" : ",false]";
  return ask(request, [&]() -> Words {
    return shop().terms.words(list_of(shop().terms, texts, low, high, compact));
  });
}

}  // namespace slm::schema

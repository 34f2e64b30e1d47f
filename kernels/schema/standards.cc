#include "schema/standards.h"

#include <array>
#include <utility>

#include "schema/regulars.h"

namespace slm::schema {
namespace {

constexpr std::int32_t kMaxWhitespace = 40;

/// The words of what `write` makes.
template <class Write>
std::vector<std::int32_t> words_of(Write write) {
  Arena arena;
  Regulars to(arena);
  Regular root = write(to);
  std::vector<std::int32_t> words{static_cast<std::int32_t>(to.set_count())};
  words.insert(words.end(), to.sets().begin(), to.sets().end());
  words.push_back(static_cast<std::int32_t>(to.count()));
  words.insert(words.end(), to.nodes().begin(), to.nodes().end());
  words.push_back(static_cast<std::int32_t>(root));
  return words;
}

Regular run(Regulars& to) {
  static constexpr std::int32_t kSpace[] = {'\t', '\n', '\r', '\r', ' ', ' '};
  return to.repeat(to.chars(kSpace), 0, kMaxWhitespace);
}

/// One or two characters; white space before them, between them or behind them.
std::vector<std::int32_t> spaced(std::string_view text, bool before, bool inside, bool behind) {
  return words_of([&](Regulars& to) {
    Regular space = run(to);
    std::array<Regular, 5> parts;
    std::size_t count = 0;
    if (before) parts[count++] = space;
    parts[count++] = to.literal(text.substr(0, 1));
    if (inside || behind) parts[count++] = space;
    if (inside) parts[count++] = to.literal(text.substr(1));
    return to.concat(std::span<const Regular>(parts.data(), count));
  });
}

std::vector<std::int32_t> word(std::string_view text) {
  return words_of([&](Regulars& to) { return to.literal(text); });
}

std::vector<std::int32_t> no_or_yes() {
  return words_of([](Regulars& to) {
    Regular words[] = {to.literal("false"), to.literal("true")};
    return to.any_of(words);
  });
}

}  // namespace

Standards::Kept::Kept(std::vector<std::int32_t> words)
    : words_(std::move(words)), language_(words_) {}

Standards::Standards()
    : signs{Kept(spaced("{", false, false, true)),  Kept(spaced("}", true, false, false)),
            Kept(spaced("{}", false, true, false)), Kept(spaced("[", false, false, true)),
            Kept(spaced("]", true, false, false)),  Kept(spaced("[]", false, true, false)),
            Kept(spaced(",", true, false, true))},
      colon(spaced(":", true, false, true)),
      null(word("null")),
      yes(word("true")),
      no(word("false")),
      boolean(no_or_yes()) {}

std::size_t Standards::number_of(std::string_view sign) {
  switch (sign[0]) {
    case '{':
      return sign.size() > 1 ? 2 : 0;
    case '}':
      return 1;
    case '[':
      return sign.size() > 1 ? 5 : 3;
    case ']':
      return 4;
    default:
      return 6;
  }
}

const Standards& standards() {
  static const Standards all;
  return all;
}

}  // namespace slm::schema

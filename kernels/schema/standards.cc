#include "schema/standards.h"

#include <array>

#include "schema/regulars.h"

namespace slm::schema {
namespace {

constexpr std::int32_t kMaxWhitespace = 40;

/// What `write` makes, in the form of an answer.
template <class Write>
Answer answered(Write write) {
  Arena arena;
  Regulars to(arena);
  Regular root = write(to);
  std::vector<std::int32_t> words{1, static_cast<std::int32_t>(to.set_count())};
  words.insert(words.end(), to.sets().begin(), to.sets().end());
  words.push_back(static_cast<std::int32_t>(to.count()));
  words.insert(words.end(), to.nodes().begin(), to.nodes().end());
  words.push_back(static_cast<std::int32_t>(root));
  return std::make_shared<const Answered>(std::move(words));
}

Regular run(Regulars& to) {
  static constexpr std::int32_t kSpace[] = {'\t', '\n', '\r', '\r', ' ', ' '};
  return to.repeat(to.chars(kSpace), 0, kMaxWhitespace);
}

/// One or two characters; white space before them, between them or behind them.
Answer spaced(std::string_view text, bool before, bool inside, bool behind) {
  return answered([&](Regulars& to) {
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

Answer word(std::string_view text) {
  return answered([&](Regulars& to) { return to.literal(text); });
}

Standards made() {
  Standards all;
  all.open_object = spaced("{", false, false, true);
  all.close_object = spaced("}", true, false, false);
  all.empty_object = spaced("{}", false, true, false);
  all.open_array = spaced("[", false, false, true);
  all.close_array = spaced("]", true, false, false);
  all.empty_array = spaced("[]", false, true, false);
  all.comma = spaced(",", true, false, true);
  all.colon = spaced(":", true, false, true);
  all.null = word("null");
  all.yes = word("true");
  all.no = word("false");
  all.boolean = answered([](Regulars& to) {
    Regular words[] = {to.literal("false"), to.literal("true")};
    return to.any_of(words);
  });
  return all;
}

}  // namespace

const Answer& Standards::sign(std::string_view text) const {
  bool empty = text.size() > 1;
  switch (text[0]) {
    case '{':
      return empty ? empty_object : open_object;
    case '}':
      return close_object;
    case '[':
      return empty ? empty_array : open_array;
    case ']':
      return close_array;
    default:
      return comma;
  }
}

const Standards& standards() {
  static const Standards all = made();
  return all;
}

}  // namespace slm::schema

// Whether languages of decoded strings have a text, or how many.
#include <algorithm>

#include "schema/shop.h"

namespace slm::schema {

bool Languages::is_void(const StringShape& shape) {
  if (shape.finite) return shape.values.empty();
  bool doubtful = shape.parts.size() > 1 || (!shape.parts.empty() && (shape.low > 0 || shape.high));
  for (Part part : shape.parts) doubtful = doubtful || (parts_[part].flags & kMayBeEmpty);
  if (!doubtful) return false;
  std::string request = "[\"void\",";
  write(request, shape);
  request.push_back(']');
  return ask(request, [&]() -> Words {
           if (std::optional<bool> found = looks_void(shape)) return yes_or_no(found);
           std::optional<Term> language = decoded(shape);
           std::optional<bool> alive;
           if (language) alive = shop().search.alive(*language);
           return alive ? yes_or_no(!*alive) : std::nullopt;
         })->words.front() != 0;
}

/// Whether no string has the shape, if the form of its parts says so.
std::optional<bool> Languages::looks_void(const StringShape& shape) {
  std::int64_t high = shape.high.value_or(Lengths::kEndless);
  bool empty_text = shape.low == 0;
  for (Part part : shape.parts) {
    const Terms::Node& node = shop().terms[term(part)];
    if (node.lengths.least > high || node.lengths.most < shape.low) return true;
    empty_text = empty_text && node.nullable;
  }
  if (empty_text) return false;
  if (shape.parts.size() != 1) {
    std::vector<Term> parts;
    for (Part part : shape.parts) parts.push_back(term(part));
    return shop().alphabets.are_apart(parts) ? std::optional(true) : std::nullopt;
  }
  const Terms::Node& node = shop().terms[term(shape.parts[0])];
  if (node.has_text && shape.low == 0 && !shape.high) return false;
  std::int64_t low = std::max(shape.low, node.lengths.from);
  if (node.lengths.from <= node.lengths.to && low <= std::min(high, node.lengths.to)) return false;
  return std::nullopt;
}

bool Languages::has_other(Part region, Span<Name> names) {
  // Of endlessly many names some are left, whatever the others are. That is asked once a region,
  // and a no may mean that it was not seen.
  Answer endless = ask("[\"endless\"," + std::string(parts_[region].written) + "]", [&]() -> Words {
    const Terms::Node& node = shop().terms[term(region)];
    bool most_texts =
        node.kind == Terms::Kind::kComplement &&
        shop().terms[static_cast<Term>(node.data[0])].lengths.most < Lengths::kEndless;
    bool sure = node.lengths.from <= node.lengths.to && node.lengths.to == Lengths::kEndless;
    return {{most_texts || sure}};
  });
  if (endless->words.front() != 0) return true;
  std::string request = "[\"other\",";
  request += parts_[region].written;
  request.push_back(',');
  write_names(request, names);
  request.push_back(']');
  return ask(request, [&] {
           Terms& terms = shop().terms;
           std::vector<Term> taken;
           for (Name name : names) taken.push_back(terms.literal(text(name)));
           Term others = terms.complement(terms.unite(taken));
           return yes_or_no(shop().search.alive(terms.intersect({term(region), others})));
         })->words.front() != 0;
}

std::int64_t Languages::count(const StringShape& shape, std::int64_t wanted) {
  std::string request = "[\"count\",";
  write(request, shape);
  request += "," + std::to_string(wanted) + "]";
  return ask(request)->words.front();
}

}  // namespace slm::schema

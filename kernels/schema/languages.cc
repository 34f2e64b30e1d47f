#include "schema/languages.h"

#include <algorithm>
#include <mutex>

#include "schema/json.h"
#include "schema/patterns.h"
#include "schema/shop.h"

namespace slm::schema {
namespace {

/// The format that slm/schema/formats.py has more of where nothing else is asked (`beyond`).
constexpr std::string_view kBeyond = "[\"format\",\"idn-hostname\"]";
/// Formats of which it knows texts that it can tell nothing about.
constexpr std::string_view kLoose[] = {"hostname", "email", "regex", "idn-email", "idn-hostname"};

}  // namespace

Languages::Languages(Arena& arena, Oracle& oracle)
    : oracle_(oracle), names_(arena), patterns_(arena), arena_(arena) {}

Languages::~Languages() = default;

Languages::Shop& Languages::shop() {
  if (!shop_) shop_ = std::make_unique<Shop>();
  return *shop_;
}

Answer Languages::ask(const std::string& request) {
  return ask(request, [] { return Words{}; });
}

// --- making languages ----------------------------------------------------------------------------

Part Languages::made(const std::string& written, const Recipe& recipe) {
  parts_.push_back({arena_.keep(std::string_view(written)), recipe, 0, 0});
  auto part = static_cast<Part>(parts_.size() - 1);
  Answer info = ask("[\"info\"," + written + "]", [&]() -> Words {
    Term made = term(part);
    const Terms::Node& node = shop().terms[made];
    std::int32_t flags = (node.boolean ? kMayBeEmpty : 0) |
                         (made == shop().terms.nothing ? kNothing : 0) |
                         (made == shop().terms.anything ? kAnything : 0) |
                         (node.kind == Terms::Kind::kComplement ? kComplement : 0);
    return {{flags, static_cast<std::int32_t>(node.hash >> 32),
             static_cast<std::int32_t>(node.hash & 0xFFFFFFFF)}};
  });
  const std::int32_t* words = info->words.data();
  parts_[part].flags = words[0];
  parts_[part].hash =
      static_cast<std::int64_t>(words[1]) << 32 | static_cast<std::uint32_t>(words[2]);
  return part;
}

Term Languages::term(Part part) {
  if (!parts_[part].term) {
    Term made = cook(Info(parts_[part]));  // a copy: others may be made on the way
    parts_[part].term = made;
  }
  return *parts_[part].term;
}

Term Languages::cook(const Info& info) {
  Terms& terms = shop().terms;
  std::vector<Term> some;
  switch (info.recipe.kind) {
    case Recipe::Kind::kNot:
      return terms.complement(term(info.recipe.parts[0]));
    case Recipe::Kind::kNotNames:
      for (Name name : info.recipe.names) some.push_back(terms.literal(text(name)));
      return terms.complement(terms.unite(some));
    case Recipe::Kind::kAll:
      for (std::size_t at = 0; at < info.recipe.parts.size(); ++at) {
        Term one = term(info.recipe.parts[at]);
        some.push_back(info.recipe.held[at] ? one : terms.complement(one));
      }
      return terms.intersect(some);
    case Recipe::Kind::kNotShapes: {
      bool all = true;
      for (const StringShape* shape : info.recipe.shapes) {
        std::optional<Term> one = decoded(*shape);
        all = all && one;
        if (one) some.push_back(*one);
      }
      if (all) return terms.complement(terms.unite(some));
      break;
    }
    case Recipe::Kind::kPattern:
      if (std::optional<Term> found = search_language(terms, info.recipe.pattern)) return *found;
      break;
    case Recipe::Kind::kAsked:
      break;
  }
  Answer words = ask("[\"language\"," + std::string(info.written) + "]");
  return words->words.front() == 0 ? terms.nothing
                                   : terms.read(Span<std::int32_t>(words->words).subspan(1));
}

std::optional<Term> Languages::decoded(const StringShape& shape) {
  Terms& terms = shop().terms;
  std::vector<Term> some;
  if (shape.finite) {
    for (Name name : shape.values) some.push_back(terms.literal(text(name)));
    return terms.unite(some);
  }
  if (shape.low > kMaxCount || shape.high.value_or(0) > kMaxCount) return std::nullopt;
  auto low = static_cast<std::int32_t>(shape.low);
  auto high = shape.high ? static_cast<std::int32_t>(*shape.high) : -1;
  some.push_back(terms.repeat(terms.any_char, low, high));
  for (Part part : shape.parts) some.push_back(term(part));
  return terms.intersect(some);
}

Part Languages::pattern(std::string_view text) {
  std::size_t before = patterns_.size();
  std::string written = "[\"pattern\",";
  write_json(written, text);
  written.push_back(']');
  std::uint32_t number = patterns_.intern(written);
  if (number == before) {
    Recipe recipe{Recipe::Kind::kPattern, arena_.keep(text)};
    pattern_parts_.push_back(made(written, recipe));
  }
  return pattern_parts_[number];
}

std::optional<Part> Languages::format(std::string_view name, std::string_view draft, bool wide) {
  std::string written = wide ? "[\"wide\"," : "[\"format\",";
  write_json(written, name);
  written.push_back(']');
  std::string request = "[\"asserts\"," + written + ",";
  write_json(request, draft);
  request.push_back(']');
  if (ask(request)->words.front() == 0) return std::nullopt;
  // What a format means is the same in every draft that has it.
  std::size_t before = patterns_.size();
  std::uint32_t number = patterns_.intern(written);
  if (number == before) {
    pattern_parts_.push_back(made(written, {}));
    for (std::string_view loose : kLoose) {
      if (name == loose) parts_[pattern_parts_.back()].format = loose;
    }
  }
  return pattern_parts_[number];
}

bool Languages::has_doubts(const StringShape& shape) const {
  return std::ranges::any_of(shape.parts, [&](Part part) { return !parts_[part].format.empty(); });
}

bool Languages::doubts(const StringShape& shape, Name text) {
  for (Part part : shape.parts) {
    if (parts_[part].format.empty()) continue;
    std::string request = "[\"doubts\",";
    write_json(request, parts_[part].format);
    request.push_back(',');
    write_json(request, this->text(text));
    request.push_back(']');
    if (ask(request)->words.front() != 0) return true;
  }
  return false;
}

Part Languages::complement(Part body) {
  // Python gives back an object that was there before; that happens where nobody looks.
  if (parts_[body].flags & (kNothing | kAnything | kComplement)) {
    throw Deferred("the complement of a language that is nearly everything");
  }
  Part part = made("[\"not\"," + std::string(parts_[body].written) + "]",
                   {Recipe::Kind::kNot, {}, arena_.keep(Span<Part>(&body, 1))});
  parts_[part].format = parts_[body].format;
  return part;
}

void Languages::write_names(std::string& out, Span<Name> names) const {
  out.push_back('[');
  for (std::size_t i = 0; i < names.size(); ++i) {
    if (i) out.push_back(',');
    write_json(out, text(names[i]));
  }
  out.push_back(']');
}

Part Languages::complement_of_names(Span<Name> names) {
  std::string written = "[\"not\",[\"texts\",";
  write_names(written, names);
  written += "]]";
  Recipe recipe{Recipe::Kind::kNotNames};
  recipe.names = arena_.keep(names);
  return made(written, recipe);
}

void Languages::write(std::string& out, const StringShape& shape) const {
  out.push_back('[');
  out += std::to_string(shape.low);
  out.push_back(',');
  out += shape.high ? std::to_string(*shape.high) : "null";
  out += ",[";
  for (std::size_t i = 0; i < shape.parts.size(); ++i) {
    if (i) out.push_back(',');
    out += parts_[shape.parts[i]].written;
  }
  out += "],";
  if (shape.finite) {
    write_names(out, shape.values);
  } else {
    out += "null";
  }
  out.push_back(']');
}

Part Languages::complement_of_shapes(Span<const StringShape*> shapes) {
  std::string written = "[\"not\",[\"shapes\"";
  for (const StringShape* shape : shapes) {
    written.push_back(',');
    write(written, *shape);
  }
  written += "]]";
  Recipe recipe{Recipe::Kind::kNotShapes};
  recipe.shapes = arena_.keep(shapes);
  return made(written, recipe);
}

Part Languages::region(const std::vector<Part>& parts, const std::vector<bool>& held) {
  std::string written = "[\"and\"";
  for (std::size_t i = 0; i < parts.size(); ++i) {
    written += held[i] ? "," : ",[\"not\",";
    written += parts_[parts[i]].written;
    if (!held[i]) written.push_back(']');
  }
  written.push_back(']');
  std::vector<std::uint8_t> flags(held.begin(), held.end());
  Recipe recipe{Recipe::Kind::kAll, {}, arena_.keep(parts)};
  recipe.held = arena_.keep(flags);
  return made(written, recipe);
}

bool Languages::equal(Part left, Part right) {
  if (left == right || parts_[left].written == parts_[right].written) return true;
  return parts_[left].hash == parts_[right].hash && term(left) == term(right);
}

Part Languages::representative(Part part) {
  for (Part known : representatives_) {
    if (equal(known, part)) return known;
  }
  representatives_.push_back(part);
  return part;
}

bool Languages::matches(Part part, Name name) {
  std::string request = "[\"matches\",";
  request += parts_[part].written;
  request.push_back(',');
  write_json(request, text(name));
  request.push_back(']');
  return ask(request, [&] {
           return yes_or_no(shop().search.matches(term(part), text(name)));
         })->words.front() != 0;
}

// --- texts ---------------------------------------------------------------------------------------

Answer Languages::spelled(Part region) {
  std::string request = "[\"spelled\"," + std::string(parts_[region].written) + "]";
  return ask(request, [&]() -> Words {
    std::optional<Term> made = shop().spelling.spell(term(region));
    if (!made) return std::nullopt;
    return shop().terms.words(*made);
  });
}

Answer Languages::strings(Span<const StringShape*> shapes) {
  std::string request = "[\"strings\"";
  for (const StringShape* shape : shapes) {
    request.push_back(',');
    write(request, *shape);
  }
  request.push_back(']');
  return ask(request, [&] { return string_words(shapes); });
}

Languages::Words Languages::string_words(Span<const StringShape*> shapes) {
  Terms& terms = shop().terms;
  std::vector<Term> texts;
  for (const StringShape* shape : shapes) {
    // More of that format, where it stands alone, is no language that is made here.
    bool alone = !shape->finite && shape->low == 0 && !shape->high && shape->parts.size() == 1;
    if (alone && parts_[shape->parts[0]].written == kBeyond) return std::nullopt;
    if (shape->finite) {
      for (Name name : shape->values) {
        std::string canonical;
        write_json(canonical, text(name));
        texts.push_back(terms.literal(canonical));
      }
      continue;
    }
    std::optional<Term> language = decoded(*shape);
    if (language) language = shop().spelling.spell(*language);
    if (!language) return std::nullopt;
    texts.push_back(shop().spelling.quoted(*language));
  }
  return terms.words(terms.unite(texts));
}

Answer Languages::constant(std::string_view name) {
  auto made = [&] {
    return ask("[\"" + std::string(name) + "\"]", [&]() -> Words {
      Spelling& spelling = shop().spelling;
      bool whole = name == "any string";
      return shop().terms.words(whole ? spelling.any_string() : spelling.any_spelled_char());
    });
  };
  // Nearly every schema asks for these: they are kept apart.
  if (name == "any string") {
    static const Answer string = made();
    return string;
  }
  static const Answer character = made();
  return character;
}

Languages::Words Languages::number_words(Span<const NumberShape*> shapes, bool integer_point) {
  Terms& terms = shop().terms;
  std::vector<Term> texts;
  for (const NumberShape* shape : shapes) {
    std::optional<Term> made = shop().numbers.of(*shape, integer_point);
    if (!made) return std::nullopt;
    texts.push_back(*made);
  }
  Term all = terms.unite(texts);
  if (terms[all].boolean && !terms[all].has_text) {  // is there a number at all?
    std::optional<bool> alive = shop().search.alive(all);
    if (!alive) return std::nullopt;
    if (!*alive) return {{0}};
  }
  return terms.words(all);
}

void Languages::write(std::string& out, const NumberShape& shape) const {
  auto list = [&](Span<Decimal> values) {
    out.push_back('[');
    for (std::size_t i = 0; i < values.size(); ++i) {
      out += i ? ",\"" : "\"";
      schema::write(out, values[i]);
      out.push_back('"');
    }
    out.push_back(']');
  };
  auto bound = [&](const std::optional<Decimal>& value, bool open) {
    if (!value) {
      out += "null,false,";
      return;
    }
    out.push_back('"');
    schema::write(out, *value);
    out += open ? "\",true," : "\",false,";
  };
  out += shape.integer ? (*shape.integer ? "[true," : "[false,") : "[null,";
  bound(shape.low, shape.low_open);
  bound(shape.high, shape.high_open);
  list(shape.multiples);
  out.push_back(',');
  list(shape.non_multiples);
  out.push_back(',');
  if (shape.finite) {
    list(shape.values);
  } else {
    out += "null";
  }
  out.push_back(',');
  list(shape.excluded);
  out.push_back(']');
}

Answer Languages::numbers(Span<const NumberShape*> shapes, bool integer_point) {
  auto made = [&] {
    std::string request = integer_point ? "[\"numbers\",true" : "[\"numbers\",false";
    for (const NumberShape* shape : shapes) {
      request.push_back(',');
      write(request, *shape);
    }
    request.push_back(']');
    return ask(request, [&] { return number_words(shapes, integer_point); });
  };
  // All numbers, and all integers: most schemas ask for no others, and they are kept apart.
  const NumberShape& shape = *shapes[0];
  bool plain = shapes.size() == 1 && !shape.low && !shape.high && !shape.finite &&
               shape.multiples.empty() && shape.non_multiples.empty() && shape.values.empty() &&
               shape.excluded.empty();
  if (!plain) return made();
  struct Kept {
    std::once_flag once;
    Answer answer;
  };
  static Kept kept[2][3];
  Kept& at = kept[integer_point][shape.integer ? 1 + *shape.integer : 0];
  std::call_once(at.once, [&] { at.answer = made(); });
  return at.answer;
}

}  // namespace slm::schema

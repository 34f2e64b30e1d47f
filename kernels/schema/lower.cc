#include "schema/lower.h"

#include <algorithm>
#include <array>

#include "schema/standards.h"

namespace slm::schema {
namespace {

template <class T>
void add(std::string& key, T value) {
  key.append(reinterpret_cast<const char*>(&value), sizeof value);
}

void add(std::string& key, const Decimal& value) {
  add(key, value.digits);
  add(key, value.exponent);
  add(key, value.negative);
}

void add(std::string& key, Span<Decimal> values) {
  add(key, values.size());
  for (const Decimal& value : values) add(key, value);
}

void add(std::string& key, const std::optional<Decimal>& bound, bool open) {
  add(key, bound.has_value());
  if (bound) add(key, *bound);
  add(key, open);
}

}  // namespace

Rule Lowering::fresh_rule() {
  bodies_.push_back(nullptr);
  return static_cast<Rule>(bodies_.size() - 1);
}

Rule Lowering::lower(const Target& start) {
  Pointer whole = value(start);
  Rule first = whole->index;
  if (whole->kind != Expression::Kind::kCall) define(first = fresh_rule(), whole);
  while (!todo_.empty()) {
    Pending item = todo_.back();
    todo_.pop_back();
    define(item.rule, item.kinds == nullptr ? plain_body(item.at) : body(*item.kinds));
  }
  return first;
}

Lowering::Pointer Lowering::value(Target at) {
  Pointer found = plain(at);
  return found != nullptr ? found : value(of.reader.goal(at), at.raw);
}

Lowering::Pointer Lowering::value(Goal goal, const Value* not_plain) {
  goal = of.unaliased(goal);
  if (goal < calls_.size() && calls_[goal] != nullptr) return calls_[goal];
  Pointer found = nullptr;
  if (const SchemaNode* node = of.only_schema(goal); node != nullptr && node->raw != not_plain) {
    Target at{node->raw, node->pointer, node->resource};
    found = plain(at);
  }
  if (found == nullptr) found = value(*of.kinds(goal));
  if (goal >= calls_.size()) calls_.resize(of.goals.size() + 16, nullptr);
  return calls_[goal] = found;
}

Lowering::Pointer Lowering::value(const Kinds& kinds) {
  if (!kinds.is_container()) return scalars(kinds);
  Rule rule = fresh_rule();
  todo_.push_back({&kinds, rule});
  return build.call(rule);
}

Lowering::Pointer Lowering::add_rule(Pointer body) {
  Rule rule = fresh_rule();
  define(rule, body);
  return build.call(rule);
}

Lowering::Pointer Lowering::body(const Kinds& kinds) {
  if (plain_ && &kinds == &kEverything) return anything();
  std::vector<Pointer> options;
  options.reserve(1 + kinds.arrays.size() + kinds.objects.size());
  options.push_back(scalars(kinds));
  for (const ArrayShape* shape : kinds.arrays) options.push_back(arrays(*shape));
  for (const ObjectShape* shape : kinds.objects) options.push_back(objects(*shape));
  return build.alternatives(options);
}

Lowering::Pointer Lowering::scalars(const Kinds& kinds) {
  std::array<Pointer, 4> options;
  std::size_t count = 0;
  if (!kinds.strings.empty()) options[count++] = strings(kinds.strings);
  if (!kinds.numbers.empty()) options[count++] = numbers(kinds.numbers);
  if (kinds.booleans) {
    options[count++] = once(booleans_[static_cast<std::size_t>(kinds.booleans)], [&] {
      const Standards& of_json = standards();
      bool no = kinds.booleans & 1, yes = kinds.booleans & 2;
      return regulars.refer(no && yes ? of_json.boolean : no ? of_json.no : of_json.yes);
    });
  }
  if (kinds.null) {
    options[count++] = once(null_, [&] { return regulars.refer(standards().null); });
  }
  return build.alternatives(std::span<const Pointer>(options.data(), count));
}

Lowering::Pointer Lowering::any_string() {
  return once(any_string_,
              [&] { return regulars.refer(of.pool.constant("any string")->language); });
}

Lowering::Pointer Lowering::numbers(Span<const NumberShape*> shapes) {
  auto make = [&]() -> Pointer {
    Answer answer = of.pool.numbers(shapes, integer_point_);
    return answer->words.front() == 0 ? build.never : add_terminal(regulars.splice(answer));
  };
  if (shapes.size() == 1 && shapes[0]->is_unbounded()) {
    const std::optional<bool>& integer = shapes[0]->integer;
    Pointer& known = any_number_[integer ? 1 + *integer : 0];
    return known != nullptr ? known : known = make();
  }
  std::string& key = start_key('#');
  for (const NumberShape* shape : shapes) {
    add(key, shape->integer ? 1 + *shape->integer : 0);
    add(key, shape->low, shape->low_open);
    add(key, shape->high, shape->high_open);
    add(key, shape->multiples);
    add(key, shape->non_multiples);
    add(key, shape->finite);
    add(key, shape->values);
    add(key, shape->excluded);
  }
  return terminal(key, make);
}

Lowering::Pointer Lowering::strings(Span<const StringShape*> shapes) {
  if (shapes[0] == &kAnyString) return any_string();
  std::string& key = start_key('T');
  for (const StringShape* shape : shapes) {
    add(key, shape->low);
    add(key, shape->high.value_or(-1));
    add(key, shape->parts.size());
    for (Part part : shape->parts) add(key, part);
    add(key, shape->finite);
    add(key, shape->values.size());
    for (Name name : shape->values) add(key, name);
  }
  return terminal(key, [&]() -> Pointer {
    std::vector<const StringShape*> alive;
    for (const StringShape* shape : shapes) {
      if (!of.pool.is_void(*shape)) alive.push_back(shape);
    }
    if (alive.empty()) return build.never;
    auto is_finite = [](const StringShape* shape) { return shape->finite; };
    if (std::ranges::all_of(alive, is_finite)) {
      std::vector<Regular> texts;
      std::vector<Name> names;
      for (const StringShape* shape : alive) {
        names.insert(names.end(), shape->values.begin(), shape->values.end());
      }
      texts.reserve(names.size());
      std::vector<bool> seen;
      for (Name name : names) {
        if (name >= seen.size()) seen.resize(2 * name + 16);
        if (seen[name]) continue;
        seen[name] = true;
        texts.push_back(regulars.quoted(of.pool.text(name)));
      }
      return add_terminal(regulars.any_of(texts));
    }
    if (alive.size() == 1 && alive[0]->parts.empty()) {
      const StringShape& shape = *alive[0];
      if (shape.low == 0 && !shape.high) {
        return add_terminal(regulars.refer(of.pool.constant("any string")->language));
      }
      if (shape.high && *shape.high == 0) return add_terminal(regulars.literal("\"\""));
      if (shape.low > kMaxCount) throw Deferred("a count is too large");
      bool bounded = shape.high && *shape.high <= kMaxCount;
      std::int32_t high = bounded ? static_cast<std::int32_t>(*shape.high) : -1;
      Regular quote = regulars.literal("\"");
      auto low = static_cast<std::int32_t>(shape.low);
      Regular parts[] = {quote, regulars.repeat(spelled_char(), low, high), quote};
      return add_terminal(regulars.concat(parts));
    }
    Answer answer = of.pool.strings(alive);
    return answer->words.front() == 0 ? build.never : add_terminal(regulars.splice(answer));
  });
}

Lowering::Pointer Lowering::add_terminal(Regular language) {
  terminals_.push_back(language);
  return build.terminal(static_cast<std::uint32_t>(terminals_.size() - 1));
}

Regular Lowering::spelled_char() {
  if (!spelled_char_) spelled_char_ = regulars.refer(of.pool.constant("spelled char")->language);
  return *spelled_char_;
}

Regular Lowering::spelled_anything() {
  if (!spelled_anything_) spelled_anything_ = regulars.repeat(spelled_char(), 0, -1);
  return *spelled_anything_;
}

Regular Lowering::colon() {
  if (!colon_) colon_ = compact_ ? regulars.literal(":") : regulars.refer(standards().colon);
  return *colon_;
}

Lowering::Pointer Lowering::mark(Mark mark) {
  char text = static_cast<char>(mark);
  std::string& key = start_key('M');
  key.push_back(text);
  return terminal(key, [&] { return add_terminal(regulars.literal({&text, 1})); });
}

Lowering::Pointer Lowering::list(const std::vector<std::string>& texts, std::int64_t low,
                                 std::int64_t high) {
  std::string& key = start_key('L');
  add(key, low);
  add(key, high);
  for (const std::string& text : texts) key += text + ",";
  return terminal(key, [&] {
    auto least = static_cast<std::int32_t>(low), most = static_cast<std::int32_t>(high);
    return add_terminal(regulars.splice(of.pool.lists(texts, least, most, compact_)));
  });
}

Lowering::Pointer Lowering::structural(std::string_view text) {
  std::size_t sign = Standards::number_of(text);
  return once(signs_[sign], [&] {
    return compact_ ? regulars.literal(text) : regulars.refer(standards().signs[sign]);
  });
}

Lowering::Pointer Lowering::key(Name name) {
  if (name >= keys_of_names_.size()) keys_of_names_.resize(2 * name + 16, nullptr);
  return once(keys_of_names_[name], [&] {
    std::string_view text = of.pool.text(name);
    if (compact_) return regulars.quoted(text, ":");
    Regular parts[] = {regulars.quoted(text), colon()};
    return regulars.concat(parts);
  });
}

Lowering::Pointer Lowering::free_key(std::optional<Part> region, Span<Name> names) {
  std::string& key = start_key('F');
  add(key, region ? of.pool.representative(*region) + 1 : 0u);
  if (std::ranges::is_sorted(names)) {
    key.append(reinterpret_cast<const char*>(names.data()), names.size_bytes());
  } else {
    std::vector<Name> sorted(names.begin(), names.end());
    std::ranges::sort(sorted);
    for (Name name : sorted) add(key, name);
  }
  return terminal(key, [&] {
    Regular inner = spelled_anything();
    if (!names.empty()) {
      std::vector<Regular> spelled;
      spelled.reserve(names.size());
      for (Name name : names) spelled.push_back(regulars.spelled(of.pool.text(name)));
      inner = regulars.both(inner, regulars.complement(regulars.any_of(spelled)));
    }
    if (region) inner = regulars.both(regulars.splice(of.pool.spelled(*region)), inner);
    Regular quote = regulars.literal("\"");
    Regular parts[] = {quote, inner, quote, colon()};
    return add_terminal(regulars.concat(parts));
  });
}

}  // namespace slm::schema

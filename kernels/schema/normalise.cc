#include "schema/normalise.h"

#include <algorithm>

namespace slm::schema {
namespace {

constexpr std::size_t kMaxAlternatives = 400;
constexpr std::size_t kMaxSteps = 150'000;
constexpr std::size_t kMaxDepth = 60;  // Python's bound is higher; up to here its stack suffices

constexpr KeywordSet kUnsupported =
    set_of(Keyword::kPythonConstraint, Keyword::kUnevaluatedProperties, Keyword::kUnevaluatedItems,
           Keyword::kDynamicRef, Keyword::kRecursiveRef);
constexpr KeywordSet kNumberKeywords =
    set_of(Keyword::kMinimum, Keyword::kMaximum, Keyword::kExclusiveMinimum,
           Keyword::kExclusiveMaximum, Keyword::kMultipleOf);
constexpr KeywordSet kStringKeywords =
    set_of(Keyword::kMinLength, Keyword::kMaxLength, Keyword::kPattern, Keyword::kFormat);
constexpr KeywordSet kArrayKeywords =
    set_of(Keyword::kItems, Keyword::kPrefixItems, Keyword::kAdditionalItems, Keyword::kMinItems,
           Keyword::kMaxItems, Keyword::kUniqueItems, Keyword::kContains);
constexpr KeywordSet kObjectKeywords =
    set_of(Keyword::kProperties, Keyword::kRequired, Keyword::kAdditionalProperties,
           Keyword::kPatternProperties, Keyword::kPropertyNames, Keyword::kMinProperties,
           Keyword::kMaxProperties);
constexpr KeywordSet kApplicators = set_of(
    Keyword::kAllOf, Keyword::kAnyOf, Keyword::kOneOf, Keyword::kNot, Keyword::kIf, Keyword::kRef,
    Keyword::kDependentRequired, Keyword::kDependentSchemas, Keyword::kDependencies);

/// Marks a schema as being worked out for as long as it lives.
struct Opened {
  Opened(std::vector<std::int32_t>& open, std::int32_t literal) : open(open) {
    open.push_back(literal);
  }
  ~Opened() { open.pop_back(); }
  std::vector<std::int32_t>& open;
};

}  // namespace

const Value kTrueValue = Value::of_truth(true), kFalseValue = Value::of_truth(false);

const Kinds* Normaliser::kinds(Goal goal) {
  if (goal < goals_.size() && goals_[goal] != nullptr) return goals_[goal];
  const Kinds* found = &kEverything;
  std::span<const std::int32_t> literals = goals.literals(goal);
  if (literals.size() == 1) {
    found = meet(found, literal(literals[0]));
  } else if (!literals.empty()) {
    std::vector<std::int32_t> order(literals.begin(), literals.end());
    std::ranges::sort(order, [&](auto one, auto two) { return reader.before(one, two); });
    for (std::int32_t each : order) found = meet(found, literal(each));
  }
  if (goal >= goals_.size()) goals_.resize(goals.size() + 16, nullptr);
  return goals_[goal] = found;
}

const Kinds* Normaliser::literal(std::int32_t number) {
  if (number == kFalseId) return &kNoValue;
  auto at = static_cast<std::size_t>(std::abs(number));
  {
    Growing<const Kinds*>& known = number > 0 ? positives_ : negatives_;
    if (at < known.size() && known[at] != nullptr) return known[at];
  }
  if (std::ranges::find(open_, number) != open_.end()) {
    throw Unresolvable("a schema that refers only to itself");
  }
  if (open_.size() > kMaxDepth) throw Deferred("too many schemas apply to the same value");
  const SchemaNode& node = reader.node(number);
  const Kinds* found;
  {
    Opened opened(open_, number);
    if (number > 0) {
      found = positive(node);
    } else {
      found = way_.frames ? excluded(node) : negated_kinds(node);
    }
    if (way_.only_scalars && found->is_container()) {
      Kinds made = *found;
      made.arrays = {};
      made.objects = {};
      found = arena.make<Kinds>(made);
    }
  }
  Growing<const Kinds*>& known = number > 0 ? positives_ : negatives_;
  if (at >= known.size()) known.resize(2 * at + 16, nullptr);
  return known[at] = found;
}

const Kinds* Normaliser::meet(const Kinds* left, const Kinds* right) {
  if (way_.frames) right = folded(left, right);
  auto too_many = [&] { return left->width() * right->width() > kMaxAlternatives * 25; };
  if (too_many()) {
    left = pruned(left);
    right = pruned(right);
    if (too_many()) throw Refused("too many shapes");
  }
  const Kinds* found = algebra.meet(left, right);
  if (found->width() > kMaxAlternatives) {
    found = pruned(found);
    if (found->width() > kMaxAlternatives) throw Refused("too many shapes");
  }
  return found;
}

void Normaliser::spend() {
  if (++steps_ > kMaxSteps) throw Refused("too many steps");
}

/// The values that the schema does not admit, where arrays and objects stay as they are.
const Kinds* Normaliser::excluded(const SchemaNode& node) {
  if (!scalars_) {
    Way way{.only_scalars = true};
    scalars_ = std::make_unique<Normaliser>(arena, goals, pool, reader, assert_formats_, way);
  }
  concluded = true;
  const Kinds* admitted = kinds(goals.of(node.number));
  Kinds made = *scalars_->kinds(goals.of(-node.number));
  if (!algebra.contains(admitted->arrays, kAnyArray)) {
    made.arrays = without(admitted->arrays, kAnyArray);
  }
  if (!algebra.contains(admitted->objects, kAnyObject)) {
    made.objects = without(admitted->objects, kAnyObject);
  }
  return arena.make<Kinds>(made);
}

bool Normaliser::is_void(const Kinds& kinds, int depth) {
  if (kinds.null || kinds.booleans || !kinds.numbers.empty()) return false;
  for (const StringShape* shape : kinds.strings) {
    if (!pool.is_void(*shape)) return false;
    pool.leaned = pool.leaned || pool.has_doubts(*shape);
  }
  for (const ArrayShape* shape : kinds.arrays) {
    bool dead = false;
    for (std::size_t at = 0; !dead && at < 16 && static_cast<std::int64_t>(at) < shape->low; ++at) {
      dead = is_void(shape->item(at), depth);
    }
    if (!dead) return false;
  }
  for (const ObjectShape* shape : kinds.objects) {
    auto dead = [&](Name name) { return is_void(algebra.goal_of(*shape, name), depth); };
    if (std::ranges::none_of(shape->required, dead)) return false;
  }
  return true;
}

bool Normaliser::is_void(Goal goal, int depth) {
  if (goal == kFalse) return true;
  if (goals.literals(goal).size() < 2 || depth == 0) return false;
  if (goal >= void_.size()) void_.resize(goals.size() + 16, -1);
  if (void_[goal] < 0) {
    void_[goal] = 0;
    try {
      bool found = is_void(*kinds(goal), depth - 1);
      void_[goal] = found;
    } catch (const Unresolvable&) {
      // The member leads back to a schema whose meaning is being worked out right now.
      void_[goal] = -1;
      return false;
    }
  }
  return void_[goal] != 0;
}

Goal Normaliser::unaliased(Goal goal) {
  for (int turn = 0; turn < kMaxAliases; ++turn) {
    const SchemaNode* node = only_schema(goal);
    if (node == nullptr || node->keywords != bit(Keyword::kRef)) return goal;
    goal = reader.resolve(*node);
  }
  return goal;
}

const Kinds* Normaliser::positive(const SchemaNode& node) {
  KeywordSet keywords = node.keywords;
  if (keywords & kUnsupported) throw Deferred("an unsupported keyword");
  const Kinds* found = type_kinds(node);
  Kinds changed = *found;
  if (way_.only_scalars && found->is_container()) {
    changed.arrays = {};
    changed.objects = {};
    found = arena.make<Kinds>(changed);
  }
  bool change = false;
  if (!found->numbers.empty() && (keywords & kNumberKeywords)) {
    const NumberShape* shape = number_shape(node);
    std::vector<const NumberShape*> met;
    for (const NumberShape* one : found->numbers) {
      if (const NumberShape* both = algebra.meet(one, shape)) met.push_back(both);
    }
    changed.numbers = arena.keep(met);
    change = true;
  }
  if (!found->strings.empty() && (keywords & kStringKeywords)) {
    const StringShape* shape = string_shape(node);
    changed.strings = {};
    if (shape != nullptr) changed.strings = algebra.one(shape);
    change = true;
  }
  if (!found->arrays.empty() && (keywords & kArrayKeywords)) {
    changed.arrays = algebra.one(array_shape(node));
    change = true;
  }
  if (!found->objects.empty() && (keywords & kObjectKeywords)) {
    const ObjectShape* shape = object_shape(node);
    changed.objects = {};
    if (shape != nullptr) changed.objects = algebra.one(shape);
    change = true;
  }
  if (change) found = arena.make<Kinds>(changed);
  for (Keyword keyword : {Keyword::kEnum, Keyword::kConst}) {
    if (has(node, keyword)) {
      found = meet(found, finite_kinds(node, keyword, constants(node, keyword)));
    }
  }
  if (keywords & kApplicators) found = apply_applicators(node, found);
  return found;
}

Goal Normaliser::negation(Goal goal) {
  if (goal == kTrue) return kFalse;
  std::int32_t literal = goals.literals(goal)[0];
  return literal == kFalseId ? kTrue : goals.of(-literal);
}

Goal Normaliser::only(std::int32_t number, Keyword keyword, const Value* value) {
  const Value* values = array(arena.keep(Span<const Value*>(&value, 1)));
  return reader.derive(object({{Keyword::kEnum, values}}), reader.node(number), keyword);
}

const Value* Normaliser::object(std::initializer_list<Field> fields) {
  std::span<Member> members = arena.room<Member>(fields.size());
  std::size_t at = 0;
  for (auto [keyword, value] : fields) members[at++] = {name_of(keyword), keyword, value};
  return object(members);
}

const Value* Normaliser::object(Span<Member> members) {
  return arena.make<Value>(Value::of_members(members));
}

const Value* Normaliser::array(Span<const Value*> items) {
  return arena.make<Value>(Value::of_items(items));
}

const Value* Normaliser::string(std::string_view text) {
  return arena.make<Value>(Value::of_text(text));
}

const Value* Normaliser::integer(std::int64_t value) {
  return arena.make<Value>(Value::of_integer(value));
}

}  // namespace slm::schema

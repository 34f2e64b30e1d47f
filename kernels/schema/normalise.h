// From schemas to the algebra: every goal becomes a union of shapes. Mirrors normalise.py, with
// shapes.py, constants.py, applicators.py and negation.py in files of the same names.
#pragma once

#include <initializer_list>
#include <memory>
#include <optional>
#include <vector>

#include "schema/meet.h"
#include "schema/reader.h"

namespace slm::schema {

/// How a schema is compiled: the plain way, or one of those that are tried where it is refused.
struct Way {
  bool frames = false;        // keep what is excluded as it stands, see frames.h
  bool cautious = false;      // believe of no branches that they have no value in common
  bool only_scalars = false;  // leave arrays and objects out
};

/// The meaning of goals, memoised; one for a compilation.
///
/// Invariant: goals are worked out in the same order as in Python, because numbers depend on it.
class Normaliser {
 public:
  Normaliser(Arena& arena, Goals& goals, Languages& pool, Reader& reader, bool assert_formats,
             Way way)
      : arena(arena),
        goals(goals),
        pool(pool),
        reader(reader),
        algebra(arena, goals, pool),
        assert_formats_(assert_formats),
        way_(way),
        goals_(arena),
        positives_(arena),
        negatives_(arena),
        void_(arena) {}

  bool concluded = false;  // whether branches were found to have no value in common

  /// The values that reach the goal.
  const Kinds* kinds(Goal goal);
  /// The goal that a schema of nothing but a reference stands for, so that it is shared.
  Goal unaliased(Goal goal);
  /// The schema that a goal consists of; null where it is none, or more, or one that must fail.
  const SchemaNode* only_schema(Goal goal) const {
    std::span<const std::int32_t> literals = goals.literals(goal);
    return literals.size() == 1 && literals[0] > kFalseId ? &reader.node(literals[0]) : nullptr;
  }
  /// What the schema's own keywords admit: of a schema that neither has arrays and objects nor
  /// applies others, all there is.
  const Kinds* own_kinds(const SchemaNode& node) { return positive(node); }
  /// Whether provably no value reaches the goal; false may also mean that it was not found out.
  bool is_void(Goal goal, int depth = 4);
  /// The goal that fails another, of one schema at most.
  Goal negation(Goal goal);
  /// The goal of one value, on behalf of a schema's keyword.
  Goal only(std::int32_t number, Keyword keyword, const Value* value);
  /// One step of a walk: deferred where a schema needs too many of all of them together.
  void spend();
  static bool has(const SchemaNode& node, Keyword keyword) {
    return (node.keywords & bit(keyword)) != 0;
  }

  Arena& arena;
  Goals& goals;
  Languages& pool;
  Reader& reader;
  Algebra algebra;

 private:
  const Kinds* literal(std::int32_t literal);
  const Kinds* meet(const Kinds* left, const Kinds* right);
  const Kinds* positive(const SchemaNode& node);
  const Kinds* excluded(const SchemaNode& node);
  bool is_void(const Kinds& kinds, int depth = 4);

  // pruning.cc
  const Kinds* pruned(const Kinds* kinds);
  const ObjectShape* without_void(const ObjectShape* shape);
  const Kinds* folded(const Kinds* left, const Kinds* right);
  template <class Shape>
  Span<const Shape*> without(Span<const Shape*> shapes, const Shape& whole, bool fold = false);

  // shapes.cc
  const Kinds* type_kinds(const SchemaNode& node);
  const NumberShape* number_shape(const SchemaNode& node);
  const StringShape* string_shape(const SchemaNode& node, bool wide = false);
  const ArrayShape* array_shape(const SchemaNode& node);
  const ObjectShape* object_shape(const SchemaNode& node);
  std::int64_t count(const SchemaNode& node, Keyword keyword) const;

  // constants.cc
  const Kinds* finite_kinds(const SchemaNode& node, Keyword keyword, Span<const Value*> values);
  Goal constant_goal(const SchemaNode& node, Keyword keyword, const Value& value);
  Span<const Value*> constants(const SchemaNode& node, Keyword keyword);

  // applicators.cc
  const Kinds* apply_applicators(const SchemaNode& node, const Kinds* found);
  const Kinds* any_of(const SchemaNode& node);
  std::vector<Goal> implications(const SchemaNode& node);
  const Kinds* conditional(const SchemaNode& node);
  const Kinds* one_of(const SchemaNode& node, const Kinds* found);

  // negation.cc
  const Kinds* negated_kinds(const SchemaNode& node);
  const Kinds* not_type(const SchemaNode& node);
  const Kinds* not_finite(const SchemaNode& node);
  const Kinds* not_number(const SchemaNode& node);
  const Kinds* not_string(const SchemaNode& node);
  const Kinds* not_array(const SchemaNode& node);
  const Kinds* not_object(const SchemaNode& node);
  const Kinds* not_applied(const SchemaNode& node);
  const Kinds* none_of(const SchemaNode& node, Keyword keyword);

  // Schemas that the compiler makes.
  using Field = std::pair<Keyword, const Value*>;
  const Value* object(std::initializer_list<Field> fields);
  const Value* object(Span<Member> members);
  const Value* array(Span<const Value*> items);
  const Value* string(std::string_view text);
  const Value* integer(std::int64_t value);

  std::size_t size_of(const SchemaNode& node, Keyword keyword) const {
    return find(*node.raw, keyword)->items().size();
  }

  bool assert_formats_;
  Way way_;
  std::unique_ptr<Normaliser> scalars_;  // what negations say of them, with frames
  std::size_t steps_ = 0;                // of walks
  std::size_t pruned_ = 0;               // alternatives
  Growing<const Kinds*> goals_;
  Growing<const Kinds*> positives_, negatives_;
  Growing<signed char> void_;  // by goal: -1 unknown
  std::vector<std::int32_t> open_;
};

extern const Value kTrueValue, kFalseValue;

/// All values of a type, which is one of the seven.
const Kinds* kinds_of_type(std::string_view name);

}  // namespace slm::schema

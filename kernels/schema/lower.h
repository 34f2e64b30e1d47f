// From goals to grammar rules and terminals. Mirrors lower.py and layout.py, without the names.
#pragma once

#include <array>
#include <string>
#include <vector>

#include "schema/expressions.h"
#include "schema/normalise.h"
#include "schema/regulars.h"
#include "schema/standards.h"

namespace slm::schema {

using Rule = std::uint32_t;
struct Members;
struct Said;

/// What the rules tell a memory of items that differ; see slm/grammar/memory.py.
enum class Mark : char { kBegin = 0x1C, kItem = 0x1D, kEnd = 0x1E, kLeave = 0x1F };

/// Makes the rules of one schema.
///
/// Invariant: rules and terminals come into being in the same order as in Python, so that they get
///   the same numbers; what they are called, Python says when it is asked.
class Lowering {
 public:
  using Pointer = Expressions::Pointer;

  /// `plain`: whether what needs no algebra is lowered as it stands, see plain.cc.
  Lowering(Normaliser& of, bool compact, bool plain)
      : of(of),
        build(of.arena),
        regulars(of.arena),
        compact_(compact),
        integer_point_(of.reader.draft() != Draft::k4),
        plain_(plain),
        bodies_(of.arena),
        order_(of.arena),
        calls_(of.arena),
        plain_values_(of.arena),
        name_marks_(of.arena),
        todo_(of.arena),
        keys_(of.arena),
        made_(of.arena),
        keys_of_names_(of.arena),
        terminals_(of.arena) {}

  /// Make the rules of the schema and of all it needs; its rule.
  Rule lower(const Target& start);
  /// What a value under the goal looks like: terminals in place, or a call to its rule.
  Pointer value(Goal goal) { return value(goal, nullptr); }
  /// The same of a schema.
  Pointer value(Target at);
  /// A helper rule of a container.
  Pointer add_rule(Pointer body);

  /// A rule whose body is to come.
  Rule fresh_rule();
  void define(Rule rule, Pointer body) {
    bodies_[rule] = body;
    order_.push_back(rule);
  }

  Pointer mark(Mark mark);
  /// `low` to `high` of the texts, none twice, as one terminal.
  Pointer list(const std::vector<std::string>& texts, std::int64_t low, std::int64_t high);
  Pointer structural(std::string_view text);
  /// Items until there are `low` to `high`, where `first` were before them.
  Pointer repeated(Pointer item, std::int64_t first, std::int64_t low,
                   std::optional<std::int64_t> high);
  Pointer key(Name name);
  /// The names of a region, spelled in any way, but for some; with the colon.
  Pointer free_key(std::optional<Part> region, Span<Name> names);

  /// The whole program, in the words of core/program.h.
  std::span<const std::int32_t> words(Rule start, Arena& memory);
  /// Whether the rule derives some text.
  bool is_satisfiable(Rule start);
  /// Whether every expression is sure to; after the two above.
  bool is_whole() const { return is_whole_; }

  Normaliser& of;
  Expressions build;
  Regulars regulars;
  bool remembers = false;  // whether an engine has to remember items

 private:
  struct Pending {
    const Kinds* kinds;  // null: the schema is plain
    Rule rule;
    Target at{};
  };

  Pointer value(Goal goal, const Value* not_plain);
  Pointer value(const Kinds& kinds);
  Pointer body(const Kinds& kinds);
  Pointer scalars(const Kinds& kinds);
  Pointer strings(Span<const StringShape*> shapes);
  Pointer any_string();
  Pointer numbers(Span<const NumberShape*> shapes);
  Pointer arrays(const ArrayShape& shape);    // arrays.cc
  Pointer objects(const ObjectShape& shape);  // objects.cc
  Pointer one_object(const ObjectShape& shape);
  Pointer object_of(Members&& members, Pointer empty);
  Pointer free_members(const ObjectShape& shape, std::vector<Name> names, Span<NameRule> only);

  // plain.cc
  Pointer plain(Target& at);
  Pointer plain(const Target& at, const Said& said);
  Pointer plain_body(const Target& at);
  Pointer anything();
  Pointer plain_object(const Target& at, const Said& said);
  Pointer plain_array(const Target& at, const Said& said);

  Pointer add_terminal(Regular language);
  Regular spelled_char();
  Regular spelled_anything();
  Regular colon();

  /// A terminal that is made when it is first needed.
  template <class Make>
  Pointer once(Pointer& known, Make make) {
    if (known == nullptr) known = add_terminal(make());
    return known;
  }
  /// A key to write on; the last one is gone then.
  std::string& start_key(char kind) {
    key_.assign(1, kind);
    return key_;
  }
  /// The same by a key, which `make` may write over.
  template <class Make>
  Pointer terminal(std::string_view key, Make make) {
    std::size_t before = keys_.size();
    std::uint32_t number = keys_.intern(key);
    if (number == before) {
      made_.push_back(nullptr);
      made_[number] = make();
    }
    return made_[number];
  }

  bool compact_, integer_point_, plain_;
  bool all_productive_ = false, is_whole_ = false;
  Growing<Pointer> bodies_;  // by rule
  Growing<Rule> order_;
  Growing<Pointer> calls_;            // by goal
  Growing<Pointer> plain_values_;     // by number of the object
  Growing<std::uint8_t> name_marks_;  // by name; all zero but while an object's names are read
  Growing<Pending> todo_;
  Interner keys_;
  std::string key_;
  Growing<Pointer> made_;           // by number of the key
  Growing<Pointer> keys_of_names_;  // by name
  std::array<Pointer, Standards::kSigns> signs_{};
  std::array<Pointer, 4> booleans_{};  // false, true or both
  std::array<Pointer, 3> any_number_{};
  Pointer null_ = nullptr, any_string_ = nullptr;
  Growing<Regular> terminals_;
  std::optional<Regular> spelled_char_, spelled_anything_, colon_;
};

}  // namespace slm::schema

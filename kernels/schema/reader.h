// Numbered, checked schemas, with references resolved. Mirrors reader.py.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "schema/alike.h"
#include "schema/goals.h"
#include "schema/json.h"
#include "schema/languages.h"

namespace slm::schema {

/// A JSON Pointer, from its end; written out only where pointers are compared.
struct Pointer {
  const Pointer* parent = nullptr;
  std::string_view token;
  std::uint32_t bytes = 0;  // as it is written, but for escapes
};

/// A schema with a URI of its own; references inside it are relative to it.
struct Resource {
  std::string uri;
  const Value* root;
  const Pointer* pointer;
  bool indexed = false;
  std::unordered_map<std::string, struct Target> anchors;
};

struct Target {
  const Value* raw;
  const Pointer* pointer;
  Resource* resource;
};

struct SchemaNode {
  std::int32_t number;
  const Value* raw;
  const Pointer* pointer;
  Resource* resource;
  KeywordSet keywords;  // that it has, its draft knows and no $ref hides
};

/// References to references that are followed without asking what else a value is under.
inline constexpr int kMaxAliases = 150;

/// Numbers the schemas of one compilation as they are reached.
///
/// Invariant: numbers are given in the same order as in Python, which the order of goals rests on.
class Reader {
 public:
  Reader(Arena& arena, Goals& goals, Languages& pool, Oracle& oracle, const Value& root,
         std::optional<Draft> draft);

  /// From now on, schemas that say the same are one, the first of them.
  void merge_alike() { alike_ = std::make_unique<Alike>(arena_); }
  /// Leaves schemas that say what is in a string to Python.
  void defer_content() { content_ = true; }

  Draft draft() const { return draft_; }
  std::string_view draft_name() const;
  /// Where all starts.
  Target start() { return {root_.root, root_.pointer, &root_}; }
  const SchemaNode& node(std::int32_t literal) const {
    return *nodes_[static_cast<std::size_t>(std::abs(literal)) - 2];
  }

  Goal child(const SchemaNode& node, Keyword keyword);
  Goal child(const SchemaNode& node, Keyword keyword, std::size_t at);
  Goal child(const SchemaNode& node, Keyword keyword, const Member& member);
  /// The goal of a schema that the compiler made.
  Goal derive(const Value* raw, const SchemaNode& node, Keyword keyword);
  Goal derive(const Value* raw, const SchemaNode& node, Keyword keyword, std::string_view name);
  /// The goal that `$ref` points to.
  Goal resolve(const SchemaNode& node);
  /// The goal of a schema.
  Goal goal(const Target& at) { return goal(at.raw, at.pointer, at.resource); }

  // Without goals: for schemas that are read as they stand, see plain.cc.
  /// What a schema says, alone and in this draft, if it says it in the right way and neither is a
  /// resource of its own nor in another one; nothing where that is not sure.
  std::optional<KeywordSet> said(const Target& at, KeywordSet keywords) const;
  /// What a reference in a schema points to.
  Target follow(const Target& at, std::string_view reference) {
    return target(at.resource, reference);
  }
  Target below(const Target& at, Keyword keyword, const Value* raw) {
    return {raw, join(at.pointer, name_of(keyword)), at.resource};
  }
  Target below(const Target& at, std::string_view name, const Value* raw) {
    return {raw, join(at.pointer, name), at.resource};
  }

  /// The order in which a goal's schemas are met: by pointer, then by number.
  bool before(std::int32_t left, std::int32_t right) const;

 private:
  Goal goal(const Value* raw, const Pointer* pointer, Resource* resource);
  const Pointer* join(const Pointer* parent, std::string_view token);
  const Pointer* join(const Pointer* parent, std::size_t index);
  static bool is_too_long(const Pointer* pointer);
  std::string written(const Pointer* pointer) const;

  bool ref_overrides() const { return draft_ <= Draft::k7 && !guessed_; }
  const Value* own_id(const Value& raw) const;
  std::string uri_of(const Value& id, const std::string& base);
  void check_dialect(const Value& resource) const;
  Resource* resource(const std::string& uri, const Value* raw, const Pointer* pointer);
  Target target(Resource* resource, std::string_view reference);
  Target walk(Resource* resource, std::string_view fragment);
  void index(Resource* start);
  std::vector<std::string> ask(std::string_view kind, std::string_view base, std::string_view text);

  Arena& arena_;
  Goals& goals_;
  Languages& pool_;
  Oracle& oracle_;
  Draft draft_;
  bool guessed_;
  bool content_ = false;
  KeywordSet known_;
  Resource root_;
  Growing<const SchemaNode*> nodes_;
  Interner places_;  // a value and its resource
  std::unique_ptr<Alike> alike_;
  std::map<std::pair<std::uint32_t, const Resource*>, Goal> firsts_;  // by what they say
  Growing<Goal> goal_of_place_;
  std::unordered_map<std::string, Resource*> resources_;
  bool all_resources_ = false;
  std::vector<std::unique_ptr<Resource>> made_;
  std::unordered_map<const Value*, std::unordered_map<std::string_view, const Value*>> by_name_;
};

}  // namespace slm::schema

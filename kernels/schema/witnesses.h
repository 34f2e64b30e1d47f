// Objects that need a member of some kind. Mirrors witnesses.py, which says what they are for.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <vector>

#include "schema/lower.h"

namespace slm::schema {

/// The ways to have a member of each kind that `some` asks for: a declared one, which becomes
/// required, or one with another name, which stays in `some`.
std::vector<const ObjectShape*> with_members(Normaliser& of, const ObjectShape& shape);

/// The members with free names of a shape that needs some of them.
class Witnesses {
 public:
  using Pointer = Lowering::Pointer;
  using Count = std::int64_t;
  /// Gives any member with a free name, or those that all of some rules speak about; or null.
  using Free = std::function<Pointer(Span<NameRule>)>;

  /// `most`: how many members of all kinds there may be.
  Witnesses(Lowering& to, Span<NameRule> some, Free free, Pointer comma, std::optional<Count> most);

  /// What follows `count` declared members.
  Pointer after(Count count) { return from(most_ ? count : std::min<Count>(count, 1), {}); }

 private:
  using Numbers = std::vector<std::size_t>;  // of those wanted: sorted

  bool overlap(const NameRule& one, const NameRule& two);
  Pointer from(Count count, const Numbers& done);
  Pointer body(Count count, const Numbers& done);

  Lowering& to_;
  Free free_;
  Pointer comma_;
  std::optional<Count> most_;
  std::vector<NameRule> wanted_;  // first those that ask for a name, then those for a value
  std::size_t names_ = 0;         // how many of them ask for a name
  std::map<std::pair<Count, Numbers>, Pointer> made_;
};

}  // namespace slm::schema

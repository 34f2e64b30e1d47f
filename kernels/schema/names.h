// Names that a schema does not declare: the regions that its patterns cut them into. Mirrors
// names.py.
#pragma once

#include <optional>
#include <vector>

#include "schema/normalise.h"

namespace slm::schema {

/// The patterns that some rules speak of, and the ways in which they hold of names.
class NameConditions {
 public:
  explicit NameConditions(Normaliser& of) : of_(of) {}

  void add(const NameRule& rule) {
    if (rule.included) at(*rule.included);
    for (Part part : rule.excluded) at(part);
  }

  std::size_t size() const { return parts_.size(); }
  /// All ways: the first condition changes last, and true comes before false.
  std::vector<std::vector<bool>> all() const;
  /// The ways in which they hold of names, without those that no name is in.
  std::vector<std::vector<bool>> inhabited() const;
  /// The names of which exactly these conditions hold; nothing for all names.
  std::optional<Part> region(const std::vector<bool>& holds) const;
  /// Whether a rule is about the names of which these conditions hold.
  bool speaks(const NameRule& rule, const std::vector<bool>& holds) {
    if (rule.included && !holds[at(*rule.included)]) return false;
    return std::ranges::none_of(rule.excluded, [&](Part part) { return bool(holds[at(part)]); });
  }

 private:
  /// The number of a condition; one for equal languages.
  std::size_t at(Part part) {
    auto same = [&](Part other) { return of_.pool.equal(other, part); };
    auto found = std::ranges::find_if(parts_, same);
    if (found == parts_.end()) found = parts_.insert(found, part);
    return static_cast<std::size_t>(found - parts_.begin());
  }

  Normaliser& of_;
  std::vector<Part> parts_;
};

}  // namespace slm::schema

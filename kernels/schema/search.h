// Questions about languages that their form does not answer, asked of the engine's derivatives.
#pragma once

#include <optional>
#include <string_view>
#include <unordered_map>

#include "core/regex.h"
#include "schema/terms.h"

namespace slm::schema {

/// Nothing where the answer takes a long search, or the language has an automaton in it: then
/// Python answers, or gives up.
class Search {
 public:
  explicit Search(const Terms& terms) : terms_(terms) {}

  /// Whether any text is in the language. Exact. Cost: a search through kMost expressions, at most.
  std::optional<bool> alive(Term language);
  /// Whether the text is.
  std::optional<bool> matches(Term language, std::string_view text);

  static constexpr std::size_t kMost = 20'000;

 private:
  NodeId node(Term language);

  const Terms& terms_;
  RegexPool pool_;
  std::unordered_map<Term, NodeId> known_;
};

}  // namespace slm::schema

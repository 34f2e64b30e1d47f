// Which languages have no text in common because of the characters that they are written in.
#pragma once

#include <unordered_map>

#include "schema/terms.h"

namespace slm::schema {

/// A URI has a colon and a host name has none: no search through both is needed to see that.
class Alphabets {
 public:
  explicit Alphabets(Terms& terms) : terms_(terms) {}

  /// Whether no text is in all of the languages, if that shows in their form; false says nothing.
  /// Cost: linear in the languages.
  bool are_apart(Span<Term> languages);

 private:
  /// Characters of which all texts of a language are made; others may be among them.
  const Points& of(Term language);
  /// The texts of a language that are made of some characters; others may be among them.
  Term within(Term language, const Points& points, std::unordered_map<Term, Term>& known);

  Terms& terms_;
  std::unordered_map<Term, Points> known_;
};

}  // namespace slm::schema

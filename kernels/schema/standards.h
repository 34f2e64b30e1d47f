// The languages of JSON's own words and signs, which every schema has: made once in a process.
#pragma once

#include <string_view>

#include "schema/oracle.h"

namespace slm::schema {

/// Invariant: with white space where JSON may have it, at most 40 characters at a place; beside a
/// bracket inside of it, beside a comma or colon on both sides.
struct Standards {
  Answer open_object, close_object, empty_object, open_array, close_array, empty_array, comma;
  Answer colon;  // behind a key
  Answer null, yes, no, boolean;

  /// One of the seven signs that stand first, by its text.
  const Answer& sign(std::string_view text) const;
};

/// Safe between threads. Cost: the first time some microseconds.
const Standards& standards();

}  // namespace slm::schema

// ECMA-262 patterns as languages. Mirrors slm/grammar/pattern_ecma.py and pattern_lower.py.
#pragma once

#include <optional>
#include <string_view>

#include "schema/terms.h"

namespace slm::schema {

/// The texts that contain a match of a pattern.
///
/// Nothing where it is malformed, or has what few patterns have: lookaround, named groups, Unicode
/// properties, counts of more than nine digits. Those are Python's, which knows what to say of
/// them. Cost: linear in the pattern, times the anchors' variants of bounded repetitions.
std::optional<Term> search_language(Terms& terms, std::string_view pattern);

}  // namespace slm::schema

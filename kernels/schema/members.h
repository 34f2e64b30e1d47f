// The members of an object, without the braces.
#pragma once

#include <optional>
#include <vector>

#include "schema/lower.h"

namespace slm::schema {

class Witnesses;

struct DeclaredMember {
  Lowering::Pointer expression;  // name, colon, value
  bool required;
};

struct Members {
  std::vector<DeclaredMember> declared{};  // in order
  Lowering::Pointer free = nullptr;        // any other member; null: there are none
  Lowering::Pointer must = nullptr;        // another member, one of which has to be there
  Witnesses* witnesses = nullptr;          // the same in more than one way
  std::int64_t low = 0;                    // of all of them
  std::optional<std::int64_t> high{};
};

}  // namespace slm::schema

// The native schema compiler, as Python sees it.
#pragma once

#include <nanobind/nanobind.h>

#include <cstdint>
#include <string>
#include <vector>

#include "schema/json.h"

namespace slm {

/// A schema that was compiled: the program, and a copy of the schema that nobody can change.
struct SchemaProgram {
  schema::Document schema;
  std::vector<std::int32_t> words;
  std::string draft;
  bool remembers = false;  // items that differ: see slm/grammar/memory.py
};

void bind_schema(nanobind::module_& m);

}  // namespace slm

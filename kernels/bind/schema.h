// The native schema compiler, as Python sees it.
#pragma once

#include <nanobind/nanobind.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/known_language.h"
#include "schema/json.h"

namespace slm {

/// A schema that was compiled: the program, and a copy of the schema that nobody can change.
struct SchemaProgram {
  schema::Document schema;
  std::shared_ptr<const std::vector<std::int32_t>> words;
  std::shared_ptr<const KnownLanguages> known;  // what the words refer to
  bool whole = false;                           // see core/program.h
  std::string draft;
  bool remembers = false;  // items that differ: see slm/grammar/memory.py
};

/// What is asked of the compiler; see `schema::Options`.
struct SchemaOptions {
  std::optional<int> draft;
  bool compact = false, assert_formats = true;
  int content = 0;
  bool frames = false, plain = true;
};

/// A new program of this type, a subclass of `SchemaProgram` or it; or a string, why Python has to
/// compile the schema. `answer`: see slm/schema/native.py.
nanobind::object compile_schema(nanobind::handle type, nanobind::handle schema,
                                nanobind::handle answer, const SchemaOptions& options = {});

void bind_schema(nanobind::module_& m);

}  // namespace slm

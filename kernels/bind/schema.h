// The native schema compiler, as Python sees it.
#pragma once

#include <nanobind/nanobind.h>

#include <memory>
#include <optional>

#include "core/program.h"
#include "schema/compile.h"
#include "schema/json.h"

namespace slm {

/// A schema that was compiled: the program, and a copy of the schema that nobody can change.
struct SchemaProgram {
  struct Made {
    schema::Document document;  // the program's words are in its memory, too
    schema::Compiled compiled;
  };
  std::shared_ptr<const Made> made;

  Program program() const {
    const schema::Compiled& of = made->compiled;
    return {made, of.words, std::shared_ptr<const KnownLanguages>(made, &of.known), of.whole};
  }
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

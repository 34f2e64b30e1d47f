// The native schema compiler's one entrance.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>

#include "schema/json.h"
#include "schema/oracle.h"

namespace slm::schema {

/// Whether what is in a string is asserted; by draft: in draft 7.
enum class Content : std::uint8_t { kByDraft, kAssert, kAnnotate };

struct Options {
  std::optional<Draft> draft;
  bool compact = false;
  bool assert_formats = true;
  Content content = Content::kByDraft;
  // For tests:
  bool frames = false;  // at once what is else a second try where a schema is refused
  bool plain = true;    // whether what needs no algebra is lowered as it stands
};

struct Compiled {
  std::span<const std::int32_t> words;  // of core/program.h
  KnownLanguages known;                 // those that the words refer to
  std::string draft;                    // the one the schema was read as
  bool remembers;                       // whether items have to differ
  bool whole;                           // whether every expression can be written
};

/// The program of a schema, with the same terminals and rules as slm/schema/compile.py makes, by
/// number.
///
/// `memory` is where the words are kept.
/// Throws Deferred on everything that is invalid, unsupported, unsatisfiable or unknown here.
/// Cost: linear in the part of the schema that is reached, times the alternatives it multiplies
///   out to; questions to the oracle are asked once in the life of the process, if memory lasts.
Compiled compile(const Value& schema, const Options& options, Oracle& oracle, Arena& memory);

}  // namespace slm::schema

// The regular languages of decoded strings that shapes are made of: patterns, formats, complements.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "schema/algebra.h"
#include "schema/intern.h"
#include "schema/oracle.h"

namespace slm::schema {

/// What C++ knows about languages is how they were written; the rest it asks Python, which answers
/// each question once.
///
/// A `Part` stands for one Python object: two parts may be equal languages (`equal`), as two Python
/// objects may, and terminals are told apart by part, as Python tells them apart by `id`.
class Languages {
 public:
  Languages(Arena& arena, Oracle& oracle)
      : oracle_(oracle), names_(arena), patterns_(arena), arena_(arena) {}

  Name name(std::string_view text, bool lasting = true) { return names_.intern(text, lasting); }
  std::string_view text(Name name) const { return names_[name]; }

  /// The strings in which an ECMA-262 pattern finds a match; defers where it is none.
  Part pattern(std::string_view text);
  /// The strings of a format, if it asserts; defers where it cannot be asserted.
  std::optional<Part> format(std::string_view name, std::string_view draft, bool wide);
  Part complement(Part body);
  Part complement_of_names(Span<Name> names);
  Part complement_of_shapes(Span<const StringShape*> shapes);
  /// The names for which the parts hold, or do not.
  Part region(const std::vector<Part>& parts, const std::vector<bool>& held);

  bool equal(Part left, Part right);
  bool matches(Part part, Name text);
  bool is_void(const StringShape& shape);
  bool is_anything(Part part) const { return parts_[part].flags & kAnything; }
  /// Whether some name is in the region and none of these.
  bool has_other(Part region, Span<Name> names);
  /// A number that equal languages share.
  Part representative(Part part);

  // Languages of JSON texts, as the words of regular nodes; nothing for the empty language.
  Answer spelled(Part region);
  Answer strings(Span<const StringShape*> shapes);
  Answer numbers(Span<const NumberShape*> shapes, bool integer_point);
  Answer constant(std::string_view name);

 private:
  enum Flags : std::int32_t { kMayBeEmpty = 1, kNothing = 2, kAnything = 4, kComplement = 8 };
  struct Info {
    std::string_view written;  // JSON
    std::int32_t flags;
    std::int64_t hash;
  };

  Answer ask(const std::string& request);
  Part made(const std::string& written);
  void write(std::string& out, const StringShape& shape) const;
  void write(std::string& out, const NumberShape& shape) const;
  void write_names(std::string& out, Span<Name> names) const;

  Oracle& oracle_;
  Interner names_, patterns_;
  Arena& arena_;
  std::vector<Info> parts_;
  std::vector<Part> pattern_parts_;  // by number in `patterns_`
  std::vector<Part> representatives_;
};

}  // namespace slm::schema

// The regular languages of decoded strings that shapes are made of: patterns, formats, complements.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "schema/algebra.h"
#include "schema/intern.h"
#include "schema/numbers.h"
#include "schema/oracle.h"
#include "schema/spelling.h"
#include "schema/terms.h"

namespace slm::schema {

/// Languages are known by how they were written, and questions about them are answered once in the
/// life of the process. An answer is worked out here, from the language itself (`terms.h`), or,
/// where that takes more than its form, by Python.
///
/// A `Part` stands for one Python object: two parts may be equal languages (`equal`), as two Python
/// objects may, and terminals are told apart by part, as Python tells them apart by `id`.
class Languages {
 public:
  Languages(Arena& arena, Oracle& oracle);
  ~Languages();

  Name name(std::string_view text, bool lasting = true) { return names_.intern(text, lasting); }
  /// A text or shape was found to be in no language for what a format leaves out: see normalise.py.
  bool leaned = false;

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
  /// Whether a format in the shape neither holds of the text nor fails; see formats.py.
  bool doubts(const StringShape& shape, Name text);
  bool has_doubts(const StringShape& shape) const;
  bool is_anything(Part part) const { return parts_[part].flags & kAnything; }
  /// Whether some name is in the region and none of these.
  bool has_other(Part region, Span<Name> names);
  /// How many strings have the shape, at least; not much more than so many are counted.
  std::int64_t count(const StringShape& shape, std::int64_t wanted);
  /// A number that equal languages share.
  Part representative(Part part);

  // Languages of JSON texts, as the words of regular nodes; nothing for the empty language.
  Answer spelled(Part region);
  Answer strings(Span<const StringShape*> shapes);
  Answer numbers(Span<const NumberShape*> shapes, bool integer_point);
  /// "any string" or "spelled char"; kept as long as the process lives.
  Answer constant(std::string_view name);
  /// Lists of texts with commas in between, `low` to `high` of them and none twice; with spaces
  /// around commas or without.
  Answer lists(const std::vector<std::string>& texts, std::int32_t low, std::int32_t high,
               bool compact);

 private:
  enum Flags : std::int32_t { kMayBeEmpty = 1, kNothing = 2, kAnything = 4, kComplement = 8 };
  /// How a language is made; Python reads formats, and the patterns that C++ cannot.
  struct Recipe {
    enum class Kind : std::uint8_t { kAsked, kPattern, kNot, kNotNames, kNotShapes, kAll };
    Kind kind = Kind::kAsked;
    std::string_view pattern{};
    Span<Part> parts{};         // of kNot the one, of kAll those that hold, or do not:
    Span<std::uint8_t> held{};  // by part
    Span<Name> names{};
    Span<const StringShape*> shapes{};
  };
  struct Info {
    std::string_view written;  // JSON
    Recipe recipe;
    std::int32_t flags;
    std::int64_t hash;
    std::string_view format{};   // of the language or of what it is the complement of
    std::optional<Term> term{};  // once it was needed
  };
  struct Shop;  // where languages are made

  using Words = std::optional<std::vector<std::int32_t>>;
  /// The answer to a request: remembered, or what `work` makes, or Python's.
  template <class Work>
  Answer ask(const std::string& request, Work work);
  Answer ask(const std::string& request);
  Part made(const std::string& written, const Recipe& recipe);
  Shop& shop();
  Term term(Part part);
  Term cook(const Info& info);
  std::optional<Term> decoded(const StringShape& shape);
  Words string_words(Span<const StringShape*> shapes);
  Words number_words(Span<const NumberShape*> shapes, bool integer_point);
  std::optional<bool> looks_void(const StringShape& shape);
  void write(std::string& out, const StringShape& shape) const;
  void write(std::string& out, const NumberShape& shape) const;
  void write_names(std::string& out, Span<Name> names) const;

  Oracle& oracle_;
  Interner names_, patterns_;
  Arena& arena_;
  std::vector<Info> parts_;
  std::vector<Part> pattern_parts_;  // by number in `patterns_`
  std::vector<Part> representatives_;
  std::unique_ptr<Shop> shop_;
};

}  // namespace slm::schema

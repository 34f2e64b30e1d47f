// Regular languages, written straight into the words of a program, children before parents.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "core/program.h"
#include "schema/growing.h"
#include "schema/intern.h"
#include "schema/oracle.h"

namespace slm::schema {

using Regular = std::uint32_t;  // the number of a node

/// The first part of a program: character sets and regular nodes. See core/program.h.
///
/// Invariant: nodes are never looked into again, so equal languages may have several numbers; what
///   repeats in a schema (spelled characters, whitespace, answers) is written once.
class Regulars {
 public:
  explicit Regulars(Arena& arena) : sets_(arena), nodes_(arena), set_numbers_(arena) {
    known_.reserve(kFew);
  }

  using Ranges = std::span<const std::int32_t>;  // low, high, low, high …
  Regular chars(Ranges ranges);
  Regular literal(std::string_view text);
  /// A text as JSON writes it, with what is behind it.
  Regular quoted(std::string_view text, std::string_view suffix = {});
  Regular concat(std::span<const Regular> parts);
  Regular any_of(std::span<const Regular> options);
  Regular repeat(Regular body, std::int32_t low, std::int32_t high);  // -1: no bound
  Regular both(Regular left, Regular right);
  Regular complement(Regular body);
  /// A language that was answered: by name, or where it is not plain its sets and nodes.
  Regular splice(const Answer& answer);

  /// Every JSON spelling of a text, without quotes.
  Regular spelled(std::string_view text);

  const Growing<std::int32_t>& sets() const { return sets_; }
  const Growing<std::int32_t>& nodes() const { return nodes_; }
  std::uint32_t set_count() const { return static_cast<std::uint32_t>(set_numbers_.size()); }
  std::uint32_t count() const { return count_; }
  /// A plain one that stays as long as the process; it need not be owned.
  Regular refer(const KnownLanguage& language) { return refer({Owner(), &language}); }

  /// Those that are referred to by name, for whom takes the words.
  KnownLanguages take_known() { return std::move(known_); }
  /// Whether a language has labels of host names in it that are as long as their encoding may be.
  bool has_labels() const { return has_labels_; }

 private:
  static constexpr Regular kUnmade = 0xFFFFFFFFu;
  static constexpr std::size_t kFew = 12;  // known languages

  using Owner = std::shared_ptr<const void>;

  Regular refer(std::shared_ptr<const KnownLanguage> language);
  std::uint32_t set(Ranges ranges);
  Regular list(std::int32_t op, std::span<const Regular> parts);
  Regular points(Program::Op kind, std::string_view text);

  Growing<std::int32_t> sets_, nodes_;
  std::uint32_t count_ = 0;
  bool has_labels_ = false;
  Interner set_numbers_;
  std::unordered_map<const std::int32_t*, Regular> spliced_;
  std::vector<Answer> kept_;  // so that an address in `spliced_` stays its answer's
  std::vector<std::uint32_t> moved_;
  KnownLanguages known_;
};

}  // namespace slm::schema

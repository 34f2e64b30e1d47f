// When two JSON texts are the same value, told from the texts.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace slm {

/// A JSON value as far as equality goes. Two are equal if they have one `exact` or one `read`.
struct JsonValue {
  std::string exact;  // numbers as decimals, as the specification compares them
  std::string read;   // numbers as most parsers read them: with a point or exponent, as doubles
  char kind = 0;      // s n l [ {: string, number, literal
  std::string text;   // of a string, decoded; of a literal, its name
  // Of an array its items, of an object its members by name: as `read`.
  std::vector<std::pair<std::string, std::string>> parts;
};

/// The value of a JSON text, which has to be one. The last of members with one name counts.
///
/// Cost: O(length), times the logarithm of the members of an object.
JsonValue read_value(std::string_view text);

/// The beginning of a JSON text.
struct JsonPrefix {
  /// Equal for two prefixes that go on to equal values by the same continuations: without
  /// whitespace, with strings decoded and members sorted.
  std::string outline;
  char kind = 0;       // of the outermost value; 0: it has not begun
  bool open = true;    // not yet certain to be whole: all but a closed string or container
  std::string number;  // that the text ends in, if that may go on
  std::string text;    // what is there of a string, decoded
  std::vector<std::pair<std::string, std::string>> parts;  // whole ones of an array or object
};
JsonPrefix read_prefix(std::string_view text);

/// How many doubles more digits can make of a number that ends in a fraction, without an exponent.
std::uint64_t doubles_ahead(std::string_view number);

/// Whether a value that begins so may come out equal to another, whatever its members with names of
/// their own repeat. False is certain for all that does not write the name of a member twice.
bool may_become(const JsonPrefix& prefix, const JsonValue& value);

}  // namespace slm

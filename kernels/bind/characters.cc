// What `re` and `str` of one Python say of characters, as it was found when this was built.
#include <nanobind/stl/optional.h>
#include <nanobind/stl/pair.h>
#include <nanobind/stl/string_view.h>
#include <nanobind/stl/vector.h>

#include <optional>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

#include "bind/bind.h"
#include "characters_of_python.h"  // by tools/characters.py

namespace slm {
namespace {

using Rows = std::vector<std::pair<std::int32_t, std::int32_t>>;

/// The rows of a table; nothing where another Python asks, whose tables may be others.
std::optional<Rows> rows_of(std::string_view python, std::string_view table) {
  if (python != kPython) return std::nullopt;
  std::span<const std::int32_t> words;
  if (table == "d") words = kD;
  if (table == "s") words = kS;
  if (table == "w") words = kW;
  if (table == "cased") words = kCased;
  Rows rows;
  for (std::size_t at = 0; at + 1 < words.size(); at += 2) {
    rows.emplace_back(words[at], words[at + 1]);
  }
  return rows;
}

}  // namespace

void bind_characters(nb::module_& m) {
  m.def("characters", &rows_of, "python"_a, "table"_a,
        "The rows of characters in a table of this Python; None for another one.");
}

}  // namespace slm

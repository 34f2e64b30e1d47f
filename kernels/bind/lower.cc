// Lark grammars, lowered in C++: see kernels/lower/lowering.h.
#include <nanobind/ndarray.h>
#include <nanobind/stl/pair.h>
#include <nanobind/stl/vector.h>

#include <memory>
#include <unordered_map>
#include <utility>
#include <vector>

#include "bind/bind.h"
#include "lower/lowering.h"

namespace slm {
namespace {

using Words = nb::ndarray<const std::int32_t, nb::ndim<1>, nb::c_contig, nb::device::cpu>;
using NewWords = nb::ndarray<nb::numpy, std::int32_t, nb::ndim<1>>;

NewWords array_of(std::vector<std::int32_t> words) {
  auto kept = std::make_unique<std::vector<std::int32_t>>(std::move(words));
  std::size_t size = kept->size();
  std::int32_t* data = kept->data();
  nb::capsule owner(kept.release(),
                    [](void* p) noexcept { delete static_cast<std::vector<std::int32_t>*>(p); });
  return NewWords(data, {size}, owner);
}

std::vector<std::pair<int, int>> names_of(const lower::Rules& rules) {
  std::vector<std::pair<int, int>> found;
  for (const lower::Rule& rule : rules.rules()) {
    found.emplace_back(rule.rule, static_cast<int>(rule.ordinal));
  }
  return found;
}

NewWords words_of(const lower::Rules& rules, const Words& terminals, int first) {
  std::vector<std::int32_t> found = rules.words({terminals.data(), terminals.shape(0)}, first);
  found.push_back(static_cast<std::int32_t>(rules.start()));
  return array_of(std::move(found));
}

/// Asks Python to split newline tokens, with the interpreter's lock.
lower::IndentedLexing::Split asking(const nb::object& split) {
  using lower::IndentedLexing;
  return [&split](const std::vector<std::vector<lower::Number>>& languages) {
    nb::gil_scoped_acquire acquire;
    auto words = nb::cast<std::vector<std::uint32_t>>(split(languages));
    std::size_t at = 0;
    auto next = [&] {
      if (at == words.size()) throw std::invalid_argument("the lines end too early");
      return words[at++];
    };
    IndentedLexing::Lines found;
    found.one_column = next() != 0;
    for (std::uint32_t left = next(); left > 0; --left) {
      IndentedLexing::Line line{next(), {}};
      for (std::uint32_t blanks = next(); blanks > 0; --blanks) {
        std::uint32_t which = next(), language = next();
        line.blanks.push_back({which, language, next() != 0});
      }
      found.lines.push_back(std::move(line));
    }
    return found;
  };
}

/// The actions of a parse table of Lark's: for each state how many, and for each its symbol and the
/// state that is shifted to, or -1 and less: the number of a reduction. Beside them: by what is
/// reduced, in the order of first sight.
nb::tuple actions_of(const nb::dict& states, const nb::dict& numbers, const nb::object& shift) {
  std::vector<std::int32_t> words;
  std::unordered_map<PyObject*, std::int32_t> reductions;
  nb::list reduced;
  for (auto [state, actions] : states) {
    nb::dict all = nb::cast<nb::dict>(actions);
    words.push_back(static_cast<std::int32_t>(all.size()));
    for (auto [symbol, action] : all) {
      auto pair = nb::cast<nb::tuple>(action);
      nb::handle number = PyDict_GetItemWithError(numbers.ptr(), symbol.ptr());
      if (!number.is_valid() || pair.size() != 2) {
        if (PyErr_Occurred()) throw nb::python_error();
        throw std::invalid_argument("the table has a symbol that no rule has");
      }
      words.push_back(nb::cast<std::int32_t>(number));
      if (pair[0].is(shift)) {
        words.push_back(nb::cast<std::int32_t>(pair[1]));
        continue;
      }
      nb::object rule = pair[1];
      auto [known, fresh] =
          reductions.try_emplace(rule.ptr(), static_cast<std::int32_t>(reductions.size()));
      if (fresh) reduced.append(rule);
      words.push_back(-1 - known->second);
    }
  }
  return nb::make_tuple(array_of(std::move(words)), reduced);
}

void bind_lowering(nb::module_& m) {
  using lower::Lowering;
  nb::class_<Lowering>(m, "LarkLowering", "A Lark grammar, lowered.")
      .def(nb::init<>())
      .def(
          "run",
          [](Lowering& self, const Words& words, const nb::object& split) {
            std::span<const std::int32_t> given(words.data(), words.shape(0));
            nb::gil_scoped_release release;
            return static_cast<int>(self.run(given, asking(split)));
          },
          "words"_a, "split"_a.none())
      .def("culprit", &Lowering::culprit)
      .def("language", &Lowering::language, "which"_a)
      .def("letters", &Lowering::letters, "which"_a)
      .def(
          "characters",
          [](const Lowering& self, lower::Set which, const Words& owned) {
            return array_of(self.characters(which, {owned.data(), owned.shape(0)}));
          },
          "which"_a, "owned"_a)
      .def("atoms", &Lowering::atoms)
      .def("names", [](const Lowering& self) { return names_of(self.rules()); })
      .def(
          "words",
          [](const Lowering& self, const Words& terminals, int first) {
            return words_of(self.rules(), terminals, first);
          },
          "terminals"_a, "first"_a);
}

}  // namespace

void bind_lower(nb::module_& m) {
  using lower::Rules;
  bind_lowering(m);
  m.def("lark_actions", &actions_of, "states"_a, "numbers"_a, "shift"_a,
        "The actions of a parse table, as numbers, and by what it reduces.");
  nb::class_<Rules>(m, "LarkRules", "The rules of a Lark grammar in all contexts, merged.")
      .def(
          "__init__",
          [](Rules* self, const Words& words) {
            std::span<const std::int32_t> given(words.data(), words.shape(0));
            nb::gil_scoped_release release;
            new (self) Rules(given);
          },
          "words"_a)
      .def("atoms", &Rules::atoms)
      .def("names", &names_of)
      .def("words", &words_of, "terminals"_a, "first"_a);
}

}  // namespace slm

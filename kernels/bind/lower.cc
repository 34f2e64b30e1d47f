// The rules of a Lark grammar, written in C++: see kernels/lower/rules.h.
#include <nanobind/ndarray.h>
#include <nanobind/stl/pair.h>
#include <nanobind/stl/vector.h>

#include <memory>
#include <utility>
#include <vector>

#include "bind/bind.h"
#include "lower/rules.h"

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

}  // namespace

void bind_lower(nb::module_& m) {
  using lower::Rules;
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
      .def("names",
           [](const Rules& self) {
             std::vector<std::pair<int, int>> found;
             for (const lower::Rule& rule : self.rules()) {
               found.emplace_back(rule.rule, static_cast<int>(rule.ordinal));
             }
             return found;
           })
      .def(
          "words",
          [](const Rules& self, const Words& terminals, int first) {
            std::vector<std::int32_t> found =
                self.words({terminals.data(), terminals.shape(0)}, first);
            found.push_back(static_cast<std::int32_t>(self.start()));
            return array_of(std::move(found));
          },
          "terminals"_a, "first"_a);
}

}  // namespace slm

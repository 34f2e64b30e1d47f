// Vocabularies and compiled grammars.
#include "core/engine.h"

#include <nanobind/ndarray.h>
#include <nanobind/stl/shared_ptr.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include "bind/bind.h"
#include "bind/schema.h"

namespace slm {
namespace {

using Words = nb::ndarray<const std::int32_t, nb::ndim<1>, nb::c_contig, nb::device::cpu>;

std::shared_ptr<VocabularyTables> make_tables(const nb::list& tokens) {
  std::vector<std::string> bytes;
  bytes.reserve(nb::len(tokens));
  for (nb::handle token : tokens) {
    bytes.emplace_back(token.is_none() ? std::string_view{} : view(nb::cast<nb::bytes>(token)));
  }
  nb::gil_scoped_release release;
  return std::make_shared<VocabularyTables>(std::move(bytes));
}

std::shared_ptr<Engine> make_engine(Words words, std::shared_ptr<VocabularyTables> vocabulary,
                                    std::vector<TokenId> ends) {
  nb::gil_scoped_release release;
  Program program({words.data(), words.size()});
  return std::make_shared<Engine>(std::move(program), std::move(vocabulary), std::move(ends));
}

std::shared_ptr<Engine> make_schema_engine(std::shared_ptr<SchemaProgram> schema,
                                           std::shared_ptr<VocabularyTables> vocabulary,
                                           std::vector<TokenId> ends) {
  nb::gil_scoped_release release;
  Program program(schema->words);
  return std::make_shared<Engine>(std::move(program), std::move(vocabulary), std::move(ends));
}

nb::dict stats(Engine& engine) {
  EngineStats counted = engine.stats();
  nb::dict result;
  result["states"] = counted.states;
  result["bytes"] = counted.bytes;
  result["mask_bytes"] = counted.mask_bytes;
  result["mask_hits"] = counted.mask_hits;
  result["mask_misses"] = counted.mask_misses;
  return result;
}

}  // namespace

void bind_engine(nb::module_& m) {
  nb::class_<VocabularyTables>(m, "VocabularyTables", "What a vocabulary brings to every grammar.")
      .def(nb::new_(&make_tables), "tokens"_a)
      .def_prop_ro("nodes",
                   [](const VocabularyTables& tables) { return tables.trie.trie().nodes.size(); });

  nb::class_<Engine>(m, "Engine", "A grammar compiled for a vocabulary.")
      .def(nb::new_(&make_schema_engine), "program"_a, "vocabulary"_a, "end_tokens"_a)
      .def(nb::new_(&make_engine), "program"_a, "vocabulary"_a, "end_tokens"_a)
      .def("session", [](std::shared_ptr<Engine> engine) { return Session(std::move(engine)); })
      .def("stats", &stats);
}

}  // namespace slm

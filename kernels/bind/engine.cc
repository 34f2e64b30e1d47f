// Vocabularies and compiled grammars.
#include "bind/engine.h"

#include <nanobind/ndarray.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/shared_ptr.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include <filesystem>
#include <optional>

#include "bind/bind.h"
#include "bind/schema.h"
#include "core/session.h"
#include "core/source.h"

namespace slm {
namespace {

using Words = nb::ndarray<const std::int32_t, nb::ndim<1>, nb::c_contig, nb::device::cpu>;

/// Any path the system has; None, and what is no path, are no folder.
std::optional<std::filesystem::path> folder_of(nb::handle folder) {
  if (folder.is_none()) return std::nullopt;
  PyObject* name = nullptr;
#ifdef _WIN32
  if (PyUnicode_FSDecoder(folder.ptr(), &name)) {
    nb::object text = nb::steal(name);
    Py_ssize_t size = 0;
    if (wchar_t* wide = PyUnicode_AsWideCharString(text.ptr(), &size)) {
      std::wstring copy(wide, static_cast<std::size_t>(size));
      PyMem_Free(wide);
      return copy;
    }
  }
#else
  if (PyUnicode_FSConverter(folder.ptr(), &name)) {
    return std::string(view(nb::steal<nb::bytes>(name)));
  }
#endif
  PyErr_Clear();
  return std::nullopt;
}

std::shared_ptr<VocabularyTables> make_tables(const nb::list& tokens, nb::handle folder) {
  std::vector<std::string> bytes;
  bytes.reserve(nb::len(tokens));
  for (nb::handle token : tokens) {
    bytes.emplace_back(token.is_none() ? std::string_view{} : view(nb::cast<nb::bytes>(token)));
  }
  std::optional<std::filesystem::path> path = folder_of(folder);
  nb::gil_scoped_release release;
  return std::make_shared<VocabularyTables>(std::move(bytes), std::move(path));
}

std::shared_ptr<EngineSource> make_engine(Words words, std::shared_ptr<VocabularyTables> vocabulary,
                                          std::vector<TokenId> ends, std::size_t memory) {
  nb::gil_scoped_release release;
  Program program({words.data(), words.size()});
  return std::make_shared<EngineSource>(std::move(program), std::move(vocabulary), std::move(ends),
                                        memory);
}

}  // namespace

std::shared_ptr<EngineSource> make_schema_engine(const SchemaProgram& schema,
                                                 std::shared_ptr<VocabularyTables> vocabulary,
                                                 std::vector<TokenId> ends, std::size_t memory) {
  constexpr std::size_t kLong = 16384;  // words; less takes no longer than to let go of the GIL
  std::optional<nb::gil_scoped_release> release;
  if (schema.made->compiled.words.size() > kLong) release.emplace();
  return std::make_shared<EngineSource>(schema.program(), std::move(vocabulary), std::move(ends),
                                        memory);
}

namespace {

nb::dict stats(EngineSource& source) {
  SourceStats counted = source.stats();
  nb::dict result;
  result["states"] = counted.engine.states;
  result["bytes"] = counted.engine.bytes;
  result["mask_bytes"] = counted.engine.mask_bytes;
  result["mask_hits"] = counted.engine.mask_hits;
  result["mask_misses"] = counted.engine.mask_misses;
  result["renewals"] = counted.renewals;
  return result;
}

nb::dict vocabulary_stats(VocabularyTables& tables) {
  VocabularyTables::Stats counted = tables.stats();
  nb::dict result;
  result["nodes"] = tables.trie.trie().nodes.size();
  result["expressions"] = counted.expressions;
  result["shared_bytes"] = counted.bytes;
  result["generations"] = counted.generations;
  StoreStats store = tables.store() != nullptr ? tables.store()->stats() : StoreStats{};
  result["stored"] = store.entries;
  result["loaded"] = store.loaded;
  result["refused"] = store.refused;
  result["unsaved"] = store.pending;
  result["unsaved_bytes"] = store.pending_bytes;
  return result;
}

}  // namespace

void bind_engine(nb::module_& m) {
  nb::class_<VocabularyTables>(m, "VocabularyTables", "What a vocabulary brings to every grammar.")
      .def(nb::new_(&make_tables), "tokens"_a, "folder"_a.none() = nb::none())
      .def("stats", &vocabulary_stats)
      .def(
          "save",
          [](VocabularyTables& tables) {
            return tables.store() == nullptr || tables.store()->save();
          },
          nb::call_guard<nb::gil_scoped_release>())
      .def_static(
          "save_all", [] { return TableStore::save_all(); },
          nb::call_guard<nb::gil_scoped_release>());

  constexpr std::size_t kMemory = Engine::kMemory;
  nb::class_<EngineSource>(m, "Engine", "A grammar compiled for a vocabulary.")
      .def(nb::new_([](const SchemaProgram& program, std::shared_ptr<VocabularyTables> vocabulary,
                       std::vector<TokenId> ends, std::size_t memory) {
             return make_schema_engine(program, std::move(vocabulary), std::move(ends), memory);
           }),
           "program"_a, "vocabulary"_a, "end_tokens"_a, "memory"_a = kMemory)
      .def(nb::new_(&make_engine), "program"_a, "vocabulary"_a, "end_tokens"_a,
           "memory"_a = kMemory)
      .def("session",
           [](std::shared_ptr<EngineSource> engine) { return Session(std::move(engine)); })
      .def("stats", &stats);
}

}  // namespace slm

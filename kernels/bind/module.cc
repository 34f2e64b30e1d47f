// The Python face of the core; the only file that includes nanobind.
#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>
#include <nanobind/stl/pair.h>
#include <nanobind/stl/shared_ptr.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include "core/engine.h"
#include "core/error.h"

namespace nb = nanobind;
using namespace nb::literals;

namespace slm {
namespace {

using Words = nb::ndarray<const std::int32_t, nb::ndim<1>, nb::c_contig, nb::device::cpu>;
using Row = nb::ndarray<std::int32_t, nb::ndim<1>, nb::c_contig, nb::device::cpu>;

std::string_view view(const nb::bytes& bytes) { return {bytes.c_str(), bytes.size()}; }

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
  Program program = read_program({words.data(), words.size()});
  return std::make_shared<Engine>(program, std::move(vocabulary), std::move(ends));
}

std::span<std::uint32_t> checked(const Session& session, const Row& row) {
  if (row.size() * 32 < session.engine().trie().vocabulary()) {
    throw std::invalid_argument("the row is shorter than the vocabulary");
  }
  return {reinterpret_cast<std::uint32_t*>(row.data()), row.size()};
}

void walk_mask(Session& session, Row row) {
  std::span<std::uint32_t> words = checked(session, row);
  StateId state = session.state();
  nb::gil_scoped_release release;
  session.engine().walk_mask(state, words);
}

void fill_mask(Session& session, Row row) {
  std::span<std::uint32_t> words = checked(session, row);
  // A remembered mask is copied at once; letting go of the GIL would cost more than the copy.
  if (session.try_fill_mask(words)) return;
  Session now = session;  // another thread may move the session once the GIL is gone
  nb::gil_scoped_release release;
  now.fill_mask(words);
}

void fill_mask_within(Session& session, Row row, std::uint64_t budget) {
  std::span<std::uint32_t> words = checked(session, row);
  Session now = session;
  nb::gil_scoped_release release;
  now.fill_mask_within(words, budget);
}

/// (tokens, exact); -1 tokens: no way to the end is known.
std::pair<std::int64_t, bool> tokens_left(const Session& session) {
  Session now = session;
  nb::gil_scoped_release release;
  TokensLeft left = now.tokens_left();
  bool known = left.tokens < kInfiniteCost;
  return {known ? static_cast<std::int64_t>(left.tokens) : -1, left.exact};
}

using Pairs = std::vector<std::pair<std::uint32_t, std::uint32_t>>;

Pairs expected(Session& session, const nb::bytes& after) {
  Pairs found;
  for (const Expectation& e : session.engine().expected(session.state(), view(after))) {
    found.emplace_back(e.terminal, e.rule);
  }
  return found;
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

NB_MODULE(_native, m) {
  nb::set_leak_warnings(false);  // a test runner may keep matchers past the interpreter's end
  m.doc() = "The native mask engine. Use it through slm.mask.";
  nb::register_exception_translator([](const std::exception_ptr& thrown, void*) {
    try {
      std::rethrow_exception(thrown);
    } catch (const TooComplex& error) {
      nb::object type = nb::module_::import_("slm.errors").attr("GrammarTooComplex");
      nb::object value = type(error.what(), "hint"_a = "simplify the grammar, or lower its bounds");
      PyErr_SetObject(type.ptr(), value.ptr());
    }
  });
  nb::exception<NoText>(m, "NoText");

  nb::class_<VocabularyTables>(m, "VocabularyTables", "What a vocabulary brings to every grammar.")
      .def(nb::new_(&make_tables), "tokens"_a)
      .def_prop_ro("nodes",
                   [](const VocabularyTables& tables) { return tables.trie.trie().nodes.size(); });

  nb::class_<Engine>(m, "Engine", "A grammar compiled for a vocabulary.")
      .def(nb::new_(&make_engine), "program"_a, "vocabulary"_a, "end_tokens"_a)
      .def("session", [](std::shared_ptr<Engine> engine) { return Session(std::move(engine)); })
      .def("stats", &stats);

  nb::class_<Session>(m, "Session", "A position in one text.")
      .def("fill_mask", &fill_mask, "row"_a)
      .def("fill_mask_within", &fill_mask_within, "row"_a, "budget"_a)
      .def("tokens_left", &tokens_left)
      .def(
          "fits",
          [](const Session& session, std::uint64_t budget) {
            Session now = session;
            nb::gil_scoped_release release;
            return now.fits(budget);
          },
          "budget"_a)
      .def("walk_mask", &walk_mask, "row"_a)
      .def("accept", &Session::accept, "token"_a)
      .def("rollback", &Session::rollback, "count"_a)
      .def("fork", [](const Session& session) { return Session(session); })
      .def("is_complete", &Session::is_complete)
      .def("is_finished", &Session::is_finished)
      .def(
          "viable_length",
          [](Session& session, const nb::bytes& bytes) {
            if (session.is_finished()) return std::size_t{0};
            return session.engine().viable_length(session.state(), view(bytes));
          },
          "bytes"_a)
      .def(
          "forced_bytes",
          [](Session& session, std::size_t limit) {
            std::string forced;
            if (!session.is_finished()) {
              forced = session.engine().forced_bytes(session.state(), limit);
            }
            return nb::bytes(forced.data(), forced.size());
          },
          "limit"_a)
      .def("expected", &expected, "after"_a);
}

}  // namespace slm

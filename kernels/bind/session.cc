// Positions in texts: masks, moving, looking ahead.
#include "core/session.h"

#include <nanobind/ndarray.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/pair.h>
#include <nanobind/stl/shared_ptr.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/tuple.h>
#include <nanobind/stl/vector.h>

#include <optional>

#include "bind/bind.h"
#include "bind/bitmask.h"
#include "bind/calls.h"
#include "core/verify.h"

namespace slm {

void write_mask(Session& session, std::span<std::uint32_t> words) {
  while (!session.try_fill_mask(words)) {
    try {
      session.settle();  // what it moves on to may retire on the way
      std::shared_ptr<Engine> engine = session.shared_engine();
      StateId state = session.state();  // another thread may move it; a fork would cost more
      nb::gil_scoped_release release;
      return engine->fill_mask(state, words);
    } catch (const Retired&) {
    }
  }
}

namespace {

using Row = nb::ndarray<std::int32_t, nb::ndim<1>, nb::c_contig, nb::device::cpu>;
using Rows = nb::ndarray<std::int32_t, nb::ndim<2>, nb::device::cpu>;

std::span<std::uint32_t> checked(const Session& session, const Row& row) {
  if (row.size() * 32 < session.engine().trie().vocabulary()) {
    throw std::invalid_argument("the row is shorter than the vocabulary");
  }
  return {reinterpret_cast<std::uint32_t*>(row.data()), row.size()};
}

void walk_mask(Session& session, Row row) {
  std::span<std::uint32_t> words = checked(session, row);
  Session now = session.fork();  // another thread may move the session once the GIL is gone
  nb::gil_scoped_release release;
  now.walk_mask(words);
}

void fill_mask(Session& session, Row row) { write_mask(session, checked(session, row)); }

void fill_mask_within(Session& session, Row row, std::uint64_t budget) {
  std::span<std::uint32_t> words = checked(session, row);
  Session now = session.fork();
  nb::gil_scoped_release release;
  now.fill_mask_within(words, budget);
}

/// (tokens, exact); -1 tokens: no way to the end is known.
std::pair<std::int64_t, bool> tokens_left(Session& session) {
  Session now = session.fork();
  nb::gil_scoped_release release;
  TokensLeft left = now.tokens_left();
  bool known = left.tokens < kInfiniteCost;
  return {known ? static_cast<std::int64_t>(left.tokens) : -1, left.exact};
}

bool fits(Session& session, std::uint64_t budget) {
  Session now = session.fork();
  nb::gil_scoped_release release;
  return now.fits(budget);
}

bool fill_row(Session& session, nb::handle array, nb::handle row) {
  Bitmask bitmask(array, session.engine().trie().words());
  if (!bitmask.plain()) return false;
  std::int64_t at = plain_index(row, bitmask.rows());
  if (at < 0) return false;
  write_mask(session, bitmask.row(static_cast<std::size_t>(at)));
  return true;
}

/// One number for what the mask depends on: equal numbers, equal masks.
nb::object mask_key(Session& session) {
  Session::Place at = session.place();
  nb::int_ engine(at.engine);
  return (engine << nb::int_(33)) | nb::int_(std::uint64_t{at.state} << 1 | (at.finished ? 1 : 0));
}

std::int64_t token_of(const Session& session, nb::handle token) {
  return plain_index(token, session.engine().trie().vocabulary());
}

bool accept(Session& session, nb::handle token) {
  std::int64_t id = token_of(session, token);
  return id >= 0 && session.accept(static_cast<TokenId>(id));
}

bool check(Session& session, nb::handle token) {
  std::int64_t id = token_of(session, token);
  return id >= 0 && session.check(static_cast<TokenId>(id));
}

/// The numbers of a sequence; nothing if one is not plainly an int from `low` to `below` - 1.
bool read_numbers(nb::handle sequence, std::int64_t low, std::size_t below,
                  std::vector<std::int64_t>& numbers) {
  nb::object fast = nb::steal(PySequence_List(sequence.ptr()));
  if (!fast.is_valid()) {
    PyErr_Clear();
    return false;
  }
  for (nb::handle item : nb::borrow<nb::list>(fast)) {
    if (!PyLong_CheckExact(item.ptr())) return false;
    int overflow = 0;
    long long value = PyLong_AsLongLongAndOverflow(item.ptr(), &overflow);
    if (overflow != 0 || value < low || value >= static_cast<long long>(below)) return false;
    numbers.push_back(value);
  }
  return true;
}

using Judged = std::pair<std::vector<bool>, std::vector<bool>>;

/// None where the tree is not plainly one: Python says what is wrong with it.
std::optional<Judged> verify_draft(Session& session, nb::handle tokens, nb::handle parents,
                                   std::optional<Rows> rows) {
  std::vector<std::int64_t> ids, above;
  if (!read_numbers(tokens, 0, session.engine().trie().vocabulary(), ids)) return std::nullopt;
  if (parents.is_none()) {  // a chain
    for (std::size_t i = 0; i < ids.size(); ++i) above.push_back(static_cast<std::int64_t>(i) - 1);
  } else if (!read_numbers(parents, -1, ids.size(), above) || above.size() != ids.size()) {
    return std::nullopt;
  }
  for (std::size_t i = 0; i < above.size(); ++i) {
    if (above[i] >= static_cast<std::int64_t>(i)) return std::nullopt;
  }
  MaskRows masks;
  if (rows) {
    std::size_t words = session.engine().trie().words();
    if (rows->shape(0) != ids.size() + 1 || rows->shape(1) != words ||
        (rows->stride(1) != 1 && words != 1)) {
      throw std::invalid_argument("the rows do not fit the draft");
    }
    masks = {reinterpret_cast<std::uint32_t*>(rows->data()), rows->stride(0), words};
  }
  Session now = session.fork();
  Verdict verdict;
  {
    nb::gil_scoped_release release;
    verdict = verify_tree(now, ids, above, masks);
  }
  return Judged{{verdict.legal.begin(), verdict.legal.end()},
                {verdict.may_end.begin(), verdict.may_end.end()}};
}

using Straddles = std::vector<std::tuple<std::uint32_t, std::vector<TokenId>, bool>>;

std::tuple<nb::bytes, bool, Straddles> ahead_of(Session& session, std::size_t limit,
                                                std::size_t kinds) {
  LookAhead ahead;
  {
    Session now = session.fork();
    nb::gil_scoped_release release;
    ahead = now.look_ahead(limit, kinds);
  }
  Straddles straddles;
  for (Straddle& one : ahead.straddles) {
    straddles.emplace_back(one.at, std::move(one.tokens), one.more);
  }
  return {nb::bytes(ahead.bytes.data(), ahead.bytes.size()), ahead.ends, std::move(straddles)};
}

std::pair<std::vector<TokenId>, bool> only_of(Session& session, std::size_t limit) {
  Session now = session.fork();
  nb::gil_scoped_release release;
  OnlyTokens only = now.only_tokens(limit);
  return {std::move(only.tokens), only.ends};
}

using Waits = std::vector<std::tuple<std::uint32_t, std::uint32_t, std::uint32_t>>;

Waits expected(Session& session, const nb::bytes& after) {
  Waits found;
  for (const Expectation& e : session.expected(view(after))) {
    found.emplace_back(e.terminal, e.rule, e.node);
  }
  return found;
}

}  // namespace

void bind_session(nb::module_& m) {
  nb::class_<Session>(m, "Session", "A position in one text.")
      .def("fill_mask", &fill_mask, "row"_a)
      .def("fill_row", &fill_row, "bitmask"_a.none(), "row"_a.none())
      .def("fill_mask_within", &fill_mask_within, "row"_a, "budget"_a)
      .def("mask_key", &mask_key)
      .def("tokens_left", &tokens_left)
      .def("fits", &fits, "budget"_a)
      .def("walk_mask", &walk_mask, "row"_a)
      .def("accept", &accept, "token"_a.none())
      .def("check", &check, "token"_a.none())
      .def("verify", &verify_draft, "tokens"_a.none(), "parents"_a.none(),
           "rows"_a.none() = nb::none())
      .def("rollback", &Session::rollback, "count"_a)
      .def("fork", &Session::fork)
      .def("tokens", &Session::tokens)
      .def("is_complete", &Session::is_complete)
      .def("is_finished", &Session::is_finished)
      .def(
          "viable_length",
          [](Session& session, const nb::bytes& bytes) {
            return session.viable_length(view(bytes));
          },
          "bytes"_a)
      .def(
          "forbids",
          [](Session& session, const nb::bytes& bytes) { return session.forbids(view(bytes)); },
          "bytes"_a)
      .def(
          "forced_bytes",
          [](Session& session, std::size_t limit) {
            std::string forced = session.forced_bytes(limit);
            return nb::bytes(forced.data(), forced.size());
          },
          "limit"_a)
      .def("look_ahead", &ahead_of, "limit"_a, "kinds"_a)
      .def("only_tokens", &only_of, "limit"_a)
      .def("expected", &expected, "after"_a);
}

}  // namespace slm

// The masks of many sessions at once.
#include <nanobind/stl/optional.h>
#include <nanobind/stl/vector.h>

#include <map>
#include <memory>
#include <vector>

#include "bind/bind.h"
#include "bind/bitmask.h"
#include "core/pool.h"
#include "core/session.h"

namespace slm {
namespace {

struct Missing {
  Session session;  // a fork: another thread may move the one it is of once the GIL is gone
  std::span<std::uint32_t> row;
};

/// False, and nothing written, where something is not plainly what it has to be.
///
/// Remembered masks are copied first, here, with the GIL: that costs less than waking a thread. The
/// others are made without it. One engine is one piece of work: its tables have one lock.
bool fill_rows(const std::vector<Session*>& sessions, nb::handle array,
               const std::vector<std::size_t>& rows, std::size_t threads) {
  if (sessions.empty()) return true;
  std::size_t words = sessions[0]->engine().trie().words();
  Bitmask bitmask(array, words);
  if (!bitmask.plain() || rows.size() != sessions.size()) return false;
  for (std::size_t i = 0; i < sessions.size(); ++i) {
    if (sessions[i] == nullptr || sessions[i]->engine().trie().words() != words) return false;
    if (rows[i] >= bitmask.rows()) return false;
  }
  std::map<Engine*, std::size_t> numbers;
  std::vector<std::vector<Missing>> work;
  for (std::size_t i = 0; i < sessions.size(); ++i) {
    std::span<std::uint32_t> row = bitmask.row(rows[i]);
    if (sessions[i]->try_fill_mask(row)) continue;
    auto [at, fresh] = numbers.emplace(&sessions[i]->engine(), work.size());
    if (fresh) work.emplace_back();
    work[at->second].push_back({sessions[i]->fork(), row});
  }
  if (work.empty()) return true;
  nb::gil_scoped_release release;
  run_parallel(work.size(), threads, [&](std::size_t i) {
    for (Missing& mask : work[i]) mask.session.fill_mask(mask.row);
  });
  return true;
}

}  // namespace

void bind_batch(nb::module_& m) {
  m.def("fill_rows", &fill_rows, "sessions"_a, "bitmask"_a.none(), "rows"_a, "threads"_a);
}

}  // namespace slm

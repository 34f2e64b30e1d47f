// Runs kept inputs of the fuzz targets, without libFuzzer; those of masks and memories also from
// many threads.
//   replay_tests kernels/tests/corpus          # its folders masks, memory, program, regex
//   replay_tests masks runs/fuzz/findings/…    # one target, any files or folders
//   replay_tests show runs/fuzz/findings/…     # the grammars of inputs for masks
#include <algorithm>
#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <thread>
#include <vector>

#include "core/engine.h"
#include "core/error.h"
#include "core/session.h"
#include "tests/fuzz_input.h"

namespace {

using namespace slm;
namespace files = std::filesystem;
using Row = std::vector<std::uint32_t>;
using Bytes = std::vector<std::uint8_t>;

std::vector<files::path> inputs(const files::path& path) {
  std::vector<files::path> found;
  if (files::is_directory(path)) {
    for (const auto& entry : files::directory_iterator(path)) {
      if (entry.is_regular_file()) found.push_back(entry.path());
    }
  } else {
    found.push_back(path);
  }
  std::sort(found.begin(), found.end());
  return found;
}

Bytes read(const files::path& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

/// What one walk by random tokens sees: every mask on the way.
std::vector<Row> walk(Session session, std::size_t words, unsigned seed) {
  std::vector<Row> seen;
  fuzz::Random random(seed);
  for (int step = 0; step < 12; ++step) {
    Row row(words, 0);
    if (!session.try_fill_mask(row)) session.fill_mask(row);
    std::vector<TokenId> allowed;
    for (TokenId t = 0; t < words * 32; ++t) {
      if (row[t >> 5] >> (t & 31) & 1) allowed.push_back(t);
    }
    seen.push_back(std::move(row));
    if (step % 4 == 1) {  // what fits into few tokens is no matter of threads either
      Row fitting(words, 0);
      session.fill_mask_within(fitting, 1 + seed);
      seen.push_back(std::move(fitting));
    }
    if (allowed.empty() || session.engine().stats().states > 50'000) break;
    session.accept(allowed[random.below(allowed.size())]);
    if (step % 5 == 4) session.rollback(2);
  }
  return seen;
}

/// Many threads in one cold engine, which all need the same tables at once, see what each would see
/// alone in an engine of its own; also when that engine is replaced all the time.
bool threads_agree(const fuzz::Input& input, bool replaced) {
  constexpr unsigned kThreads = 6;
  std::size_t words = (input.tokens.bytes.size() + 31) / 32;
  auto fresh = [&] {
    auto tables = std::make_shared<VocabularyTables>(input.tokens.bytes);
    return std::make_shared<Engine>(Program(input.words), tables, input.tokens.ends);
  };
  std::vector<std::vector<Row>> alone(kThreads), together(kThreads);
  std::atomic<unsigned> ready{0}, refused{0};
  try {
    // Pairs of threads take the same walk.
    for (unsigned t = 0; t < kThreads; ++t) alone[t] = walk(Session(fresh()), words, t / 2);
    Session first(fresh());
    if (replaced) {
      auto tables = std::make_shared<VocabularyTables>(input.tokens.bytes);
      first = Session(
          std::make_shared<EngineSource>(Program(input.words), tables, input.tokens.ends, 1));
    }
    std::vector<Session> sessions;
    for (unsigned t = 0; t < kThreads; ++t) sessions.push_back(first.fork());
    std::vector<std::thread> threads;
    for (unsigned t = 0; t < kThreads; ++t) {
      threads.emplace_back([&, t] {
        ++ready;
        while (ready < kThreads) std::this_thread::yield();
        try {
          together[t] = walk(std::move(sessions[t]), words, t / 2);
        } catch (const TooComplex&) {
          ++refused;
        }
      });
    }
    for (std::thread& thread : threads) thread.join();
  } catch (const TooComplex&) {
    return true;
  } catch (const NoText&) {
    return true;
  }
  if (refused > 0) return true;
  // A walk may be cut earlier where others made states too.
  for (unsigned t = 0; t < kThreads; ++t) {
    std::size_t shared = std::min(alone[t].size(), together[t].size());
    if (!std::equal(alone[t].begin(), alone[t].begin() + static_cast<std::ptrdiff_t>(shared),
                    together[t].begin())) {
      return false;
    }
  }
  return true;
}

void check_threads(const fuzz::Input& input, const files::path& file) {
  if (!threads_agree(input, false) || !threads_agree(input, true)) {
    fuzz::fail("threads see other masks", file.string());
  }
}

int replay(const std::string& target, const files::path& path, bool races) {
  int count = 0;
  for (const files::path& file : inputs(path)) {
    Bytes data = read(file);
    // Before the run: a finding ends the process.
    std::fprintf(stderr, "%s %s\n", target.c_str(), file.filename().string().c_str());
    fuzz::Source in(data);
    if (target == "show") {
      fuzz::Input input = fuzz::read_input(in);
      std::printf("%s  %zu tokens\n", fuzz::describe(input.program).c_str(),
                  input.tokens.bytes.size());
    } else if (target == "masks") {
      fuzz::fuzz_masks(data);
      if (races) check_threads(fuzz::read_input(in), file);
    } else if (target == "memory") {
      fuzz::fuzz_memory(data);
      if (races) check_threads(fuzz::read_memory_input(in), file);
    } else if (target == "program") {
      fuzz::fuzz_program(data);
    } else if (target == "regex") {
      fuzz::fuzz_regex(data);
    } else {
      std::fprintf(stderr, "there is no target %s\n", target.c_str());
      std::exit(2);
    }
    ++count;
  }
  return count;
}

}  // namespace

int main(int argc, char** argv) {
  int count = 0;
  if (argc == 2) {
    for (const char* target : {"masks", "memory", "program", "regex"}) {
      count += replay(target, files::path(argv[1]) / target, true);
    }
  } else if (argc > 2) {
    for (int i = 2; i < argc; ++i) count += replay(argv[1], argv[i], false);
  } else {
    std::fprintf(stderr, "usage: replay_tests CORPUS | replay_tests TARGET FILE…\n");
    return 2;
  }
  std::printf("%d inputs replayed\n", count);
  return count > 0 ? 0 : 1;
}

// Tests of tables on disk: what was written comes back, or nothing does.
#include <atomic>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>
#include <random>
#include <set>
#include <string>
#include <thread>
#include <vector>

#ifndef _WIN32
#include <sys/wait.h>
#include <unistd.h>
#endif

#include "core/engine.h"
#include "core/session.h"
#include "core/table_store.h"
#include "tests/check.h"
#include "tests/programs.h"

namespace {

using namespace slm;
using namespace slm::tests;
namespace fs = std::filesystem;

// The allocator of AddressSanitizer may be locked for ever in a fork of a process with threads.
#if defined(__has_feature)
#define SLM_HAS_FEATURE(x) __has_feature(x)
#else
#define SLM_HAS_FEATURE(x) 0
#endif
#if !defined(_WIN32) && !defined(__SANITIZE_ADDRESS__) && !SLM_HAS_FEATURE(address_sanitizer)
#define SLM_FORKS
#endif

constexpr Hash128 kVocabulary{1, 2};

struct Folder {
  Folder() {
    std::random_device device;
    path = fs::temp_directory_path() / ("slm-store-" + std::to_string(device()));
  }
  ~Folder() {
    std::error_code ignored;
    fs::remove_all(path, ignored);
  }
  fs::path path;
};

std::vector<fs::path> files_in(const fs::path& root) {
  std::vector<fs::path> found;
  for (const auto& entry : fs::recursive_directory_iterator(root)) {
    if (entry.path().extension() == ".tables") found.push_back(entry.path());
  }
  return found;
}

std::string read(const fs::path& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

void write(const fs::path& path, const std::string& bytes) {
  std::ofstream(path, std::ios::binary | std::ios::trunc) << bytes;
}

Hash128 name(std::uint64_t number) { return {number, ~number}; }
std::string piece(std::uint64_t number) {
  return std::string(number % 50, static_cast<char>('a' + number % 26));
}

/// A store that is opened after a save has its pieces, and others have none of them.
void test_pieces_come_back() {
  Folder folder;
  TableStore first(folder.path, kVocabulary);
  CHECK(!first.find(name(1)) && first.save() && files_in(folder.path).empty());
  for (std::uint64_t i = 0; i < 20; ++i) first.add(name(i), piece(i));
  CHECK(first.find(name(3)) == piece(3) && first.save());
  CHECK(first.find(name(3)) == piece(3));
  TableStore second(folder.path, kVocabulary);
  for (std::uint64_t i = 0; i < 20; ++i) CHECK(second.find(name(i)) == piece(i));
  CHECK(!second.find(name(20)) && second.stats().loaded == 20 && second.stats().refused == 0);
  CHECK(second.key() == first.key());
  CHECK(!TableStore(folder.path, {1, 3}).find(name(1)));
}

/// What is not saved is, when a store ends, and when all are told to.
void test_the_end_of_a_store_saves() {
  Folder folder;
  {
    TableStore first(folder.path, kVocabulary);
    first.add(name(1), piece(1));
  }
  TableStore second(folder.path, kVocabulary);
  CHECK(second.find(name(1)) == piece(1));
  second.add(name(2), piece(2));
  CHECK(TableStore::save_all() && second.stats().pending == 0);
  CHECK(TableStore(folder.path, kVocabulary).find(name(2)) == piece(2));
}

/// What others keep in the folder stays, whatever its name begins with and however old it is; our
/// own old folders go.
void test_foreign_files_stay() {
  Folder folder;
  TableStore writer(folder.path, kVocabulary);
  const std::string digits(16, '0');
  const fs::path other = folder.path / "tables-2019";
  const fs::path mixed = folder.path / ("tables-" + digits + "-" + digits + digits);
  const fs::path ours = folder.path / ("tables-" + digits + "-" + digits + std::string(16, 'a'));
  const std::string file = digits + digits + ".tables";
  for (const fs::path& made : {other, mixed, ours}) {
    fs::create_directory(made);
    write(made / file, "old");
  }
  write(ours / (digits + digits + "." + digits + digits + ".tmp"), "old");
  write(other / "ledger.csv", "1");
  write(mixed / "ledger.tables", "2");
  for (const fs::path& made : {other, mixed, ours}) {
    fs::last_write_time(made, fs::file_time_type::clock::now() - std::chrono::hours{24 * 40});
  }
  writer.add(name(1), piece(1));
  CHECK(writer.save());
  CHECK(fs::exists(other / file) && read(other / "ledger.csv") == "1");
  CHECK(!fs::exists(mixed / file) && read(mixed / "ledger.tables") == "2");
  CHECK(!fs::exists(ours));
  // The same holds for files that only look like tables in the folder in use.
  fs::path mine = files_in(folder.path).at(0).parent_path();
  for (const fs::path& path : files_in(folder.path)) {
    if (path.parent_path() != other && path.parent_path() != mixed) mine = path.parent_path();
  }
  write(mine / "ledger.tables", "3");
  TableStore next(folder.path, kVocabulary);
  next.add(name(2), piece(2));
  CHECK(next.save() && read(mine / "ledger.tables") == "3");
}

/// Stores that are opened at once in an empty folder have one key; one whose key was replaced
/// writes nothing, says so, and keeps its key.
void test_a_folder_has_one_key() {
  Folder folder;
  std::vector<std::unique_ptr<TableStore>> stores(8);
  std::vector<std::thread> threads;
  for (auto& store : stores) {
    threads.emplace_back([&] { store = std::make_unique<TableStore>(folder.path, kVocabulary); });
  }
  for (std::thread& thread : threads) thread.join();
  for (std::uint64_t i = 0; i < stores.size(); ++i) {
    CHECK(stores[i]->key() == stores[0]->key());
    stores[i]->add(name(i), piece(i));
    CHECK(stores[i]->save());
  }
  TableStore late(folder.path, kVocabulary);
  for (std::uint64_t i = 0; i < stores.size(); ++i) CHECK(late.find(name(i)) == piece(i));
  const Hash128 before = late.key();
  fs::remove(folder.path / "key");
  TableStore other(folder.path, kVocabulary);
  CHECK(other.key() != before);
  std::size_t files = files_in(folder.path).size();
  for (int round = 0; round < 2; ++round) {
    late.add(name(100), piece(100));
    CHECK(!late.save() && late.key() == before && late.stats().pending == 0);
  }
  CHECK(files_in(folder.path).size() == files);
}

/// What could not be written is still there, and is written when that is possible.
void test_a_failed_save_keeps_its_pieces() {
  Folder folder;
  write(folder.path, "in the way");
  TableStore store(folder.path, kVocabulary);
  store.add(name(1), piece(1));
  CHECK(!store.save() && !store.save());
  CHECK(store.stats().pending == 1 && store.stats().pending_bytes == piece(1).size());
  CHECK(store.find(name(1)) == piece(1));
  fs::remove(folder.path);
  CHECK(store.save() && store.stats().pending == 0 && store.stats().pending_bytes == 0);
  CHECK(TableStore(folder.path, kVocabulary).find(name(1)) == piece(1));
}

/// Pieces are found and added while others are written, and none is lost.
void test_use_while_saving() {
  Folder folder;
  TableStore store(folder.path, kVocabulary);
  std::atomic<bool> done{false};
  std::thread saver([&] {
    while (!done) CHECK(store.save());
  });
  for (std::uint64_t i = 0; i < 2000; ++i) {
    store.add(name(i), piece(i));
    CHECK(store.find(name(i)) == piece(i) && store.find(name(i / 2)) == piece(i / 2));
  }
  done = true;
  saver.join();
  CHECK(store.save());
  TableStore late(folder.path, kVocabulary);
  for (std::uint64_t i = 0; i < 2000; ++i) CHECK(late.find(name(i)) == piece(i));
}

#ifdef SLM_FORKS
/// A fork, also in the middle of a save, can look up and save; it does not write what was its
/// parent's to write.
void test_forks_of_a_store() {
  Folder folder;
  TableStore store(folder.path, kVocabulary);
  std::atomic<bool> done{false};
  std::thread saver([&] {
    for (std::uint64_t i = 100; !done; ++i) {
      store.add(name(i), piece(i));
      store.save();
    }
  });
  for (int round = 0; round < 20; ++round) {
    store.add(name(1), piece(1));
    pid_t child = fork();
    if (child == 0) {
      alarm(60);  // ends one that hangs
      bool good = store.stats().pending == 0 && store.save();
      store.add(name(2), piece(2));
      good = good && store.find(name(2)) == piece(2) && TableStore::save_all();
      _exit(good ? 0 : 1);
    }
    int status = -1;
    CHECK(waitpid(child, &status, 0) == child && status == 0);
  }
  done = true;
  saver.join();
  CHECK(TableStore(folder.path, kVocabulary).find(name(2)) == piece(2));
}
#endif

/// Many saves make few files, without losing any piece, also for who knew the old files.
void test_files_are_joined() {
  Folder folder;
  TableStore writer(folder.path, kVocabulary);
  writer.add(name(0), piece(0));
  CHECK(writer.save());
  TableStore reader(folder.path, kVocabulary);
  for (std::uint64_t i = 1; i < 100; ++i) {
    writer.add(name(i), piece(i));
    CHECK(writer.save());
  }
  CHECK(files_in(folder.path).size() <= TableStore::kMaxFiles + 1);
  CHECK(reader.find(name(0)) == piece(0) && reader.find(name(99)) == piece(99));
  TableStore late(folder.path, kVocabulary);
  for (std::uint64_t i = 0; i < 100; ++i) CHECK(late.find(name(i)) == piece(i));
}

/// Whatever byte of a file changes, and wherever it is cut, a piece is as it was or is not there.
void test_damage_is_never_read() {
  Folder folder;
  TableStore writer(folder.path, kVocabulary);
  for (std::uint64_t i = 0; i < 6; ++i) writer.add(name(i), piece(i + 20));
  CHECK(writer.save());
  fs::path path = files_in(folder.path).at(0);
  const std::string whole = read(path);
  std::size_t lost = 0;
  auto look = [&] {
    TableStore store(folder.path, kVocabulary);
    for (std::uint64_t i = 0; i < 6; ++i) {
      std::optional<std::string> found = store.find(name(i));
      CHECK(!found || *found == piece(i + 20));
      lost += found ? 0 : 1;
    }
    return store.stats().refused;
  };
  for (std::size_t at = 0; at < whole.size(); ++at) {
    std::string damaged = whole;
    damaged[at] = static_cast<char>(damaged[at] ^ (1 << at % 8));
    write(path, damaged);
    CHECK(look() > 0);
    write(path, whole.substr(0, at));
    look();
  }
  CHECK(lost > whole.size());
  write(path, whole + "more");
  CHECK(look() == 0);
  // What a killed writer leaves has another name, and what is unsound goes with the next save.
  write(path.parent_path() / "x.tmp", whole);
  write(path, whole.substr(0, 100));
  TableStore next(folder.path, kVocabulary);
  next.add(name(50), piece(50));
  CHECK(next.save() && !fs::exists(path));
  CHECK(TableStore(folder.path, kVocabulary).find(name(50)) == piece(50));
  // The key is lost: names mean nothing any more.
  write(folder.path / "key", "short");
  TableStore other(folder.path, kVocabulary);
  CHECK(!other.find(name(50)));
  other.add(name(51), piece(51));
  CHECK(other.save() && TableStore(folder.path, kVocabulary).find(name(51)) == piece(51));
}

/// Where nothing can be written, nothing is, and no one is the worse for it.
void test_folders_that_cannot_be_made() {
  Folder folder;
  write(folder.path, "a file");
  TableStore store(folder.path, kVocabulary);
  store.add(name(1), piece(1));
  CHECK(!store.save() && !store.find(name(2)));
  CHECK(read(folder.path) == "a file");
}

/// Stores of many threads, each like a process of its own, write and read one folder at once.
void test_many_writers() {
  Folder folder;
  TableStore(folder.path, kVocabulary).save();
  {
    TableStore first(folder.path, kVocabulary);  // all use its key
    first.add(name(1000), piece(0));
    CHECK(first.save());
  }
  std::vector<std::thread> threads;
  std::atomic<int> wrong{0};
  for (std::uint64_t t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      for (std::uint64_t round = 0; round < 12; ++round) {
        TableStore store(folder.path, kVocabulary);
        for (std::uint64_t i = 0; i < 8; ++i) {
          std::uint64_t number = (t * 5 + round * 3 + i) % 64;
          std::optional<std::string> found = store.find(name(number));
          if (found && *found != piece(number)) ++wrong;
          if (!found) store.add(name(number), piece(number));
        }
        if (!store.save()) ++wrong;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  CHECK(wrong == 0);
}

/// Names tell expressions apart and do not depend on the order in which those were made.
void test_names_do_not_depend_on_order() {
  std::vector<std::vector<std::uint32_t>> words;
  std::mt19937 random(3);
  for (int i = 0; i < 60; ++i) {
    std::vector<std::uint32_t> word;
    for (unsigned n = random() % 5; n > 0; --n) word.push_back('a' + random() % 3);
    words.push_back(word);
  }
  auto build = [&](RegexPool& pool, bool backwards) {
    std::vector<NodeId> made(words.size());
    for (std::size_t i = 0; i < words.size(); ++i) {
      std::size_t at = backwards ? words.size() - 1 - i : i;
      NodeId x = pool.literal(words[at]), y = pool.literal(words[(at * 7 + 3) % words.size()]);
      NodeId any = pool.repeat(pool.alternate({y, x}), 0, static_cast<std::int32_t>(at % 3) - 1);
      switch (at % 4) {
        case 0:
          made[at] = pool.alternate({any, x, y});
          break;
        case 1:
          made[at] = pool.intersect({pool.complement(x), any});
          break;
        case 2:
          made[at] = pool.concat(any, x);
          break;
        default:
          made[at] = pool.concat(pool.chars({{0x20, 0x40 + random() % 2}}), any);
      }
    }
    return made;
  };
  RegexPool one, other;
  const Hash128 key{5, 6};
  random.seed(4);
  std::vector<NodeId> here = build(one, false);
  random.seed(4);
  std::vector<NodeId> there = build(other, true);
  std::set<Hash128> names;
  for (std::size_t i = 0; i < words.size(); ++i) {
    if (i % 4 != 3) CHECK(one.name(here[i], key) == other.name(there[i], key));
    names.insert(one.name(here[i], key).value());
  }
  CHECK(names.size() == std::set<NodeId>(here.begin(), here.end()).size());
  CHECK(RegexPool().name(kEpsilon, {5, 7}) != one.name(kEpsilon, key));
}

/// Masks are the same with tables from another process, with damaged ones, and with none.
void test_masks_do_not_depend_on_the_store() {
  Folder folder;
  std::vector<TokenId> ends{static_cast<TokenId>(bracket_tokens().size() - 1)};
  auto masks = [&](std::optional<fs::path> path, StoreStats& stats) {
    auto tables = std::make_shared<VocabularyTables>(bracket_tokens(), std::move(path),
                                                     std::chrono::nanoseconds{0});
    Session session(std::make_shared<Engine>(Program(brackets()), tables, ends));
    std::mt19937 random(5);
    std::vector<std::uint32_t> seen;
    for (int i = 0; i < 300; ++i) {
      std::vector<std::uint32_t> row(1);
      session.fill_mask(row);
      seen.push_back(row[0]);
      session.accept(static_cast<TokenId>(random() % (bracket_tokens().size() - 1)));
    }
    if (tables->store() != nullptr) {
      CHECK(tables->store()->save());
      stats = tables->store()->stats();
    }
    return seen;
  };
  StoreStats none, first, second, damaged;
  std::vector<std::uint32_t> expected = masks(std::nullopt, none);
  CHECK(masks(folder.path, first) == expected && first.loaded == 0 && first.entries > 0);
  CHECK(masks(folder.path, second) == expected && second.loaded == first.entries);
  for (const fs::path& path : files_in(folder.path)) {
    std::string bytes = read(path);
    for (std::size_t at = bytes.size() / 2; at < bytes.size(); at += 40) bytes[at] ^= 4;
    write(path, bytes);
  }
  CHECK(masks(folder.path, damaged) == expected && damaged.refused > 0);
}

}  // namespace

int main() {
  test_pieces_come_back();
  test_the_end_of_a_store_saves();
  test_foreign_files_stay();
  test_a_folder_has_one_key();
  test_a_failed_save_keeps_its_pieces();
  test_use_while_saving();
#ifdef SLM_FORKS
  test_forks_of_a_store();
#endif
  test_files_are_joined();
  test_damage_is_never_read();
  test_folders_that_cannot_be_made();
  test_many_writers();
  test_names_do_not_depend_on_order();
  test_masks_do_not_depend_on_the_store();
  if (failures == 0) std::printf("all store tests passed\n");
  return failures == 0 ? 0 : 1;
}

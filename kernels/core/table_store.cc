#include "core/table_store.h"

#include <algorithm>
#include <chrono>
#include <fstream>
#include <new>
#include <set>
#include <string_view>
#include <system_error>

#ifndef _WIN32
#include <pthread.h>
#endif

#include "core/table_files.h"

namespace slm {

namespace fs = std::filesystem;
using namespace files;

namespace {

// A file: the head, the names, a hash of both, then the pieces.
struct Head {
  std::uint64_t magic;
  Hash128 build, vocabulary, key;
  std::uint64_t count;
};
struct Name {
  Hash128 name;
  std::uint64_t offset, size;
  Hash128 hash;
};
constexpr std::uint64_t kMagic = 0x31656c6261746c73ull;  // "sltable1", where numbers are read so
constexpr Hash128 kPublic{0x736c6d2d7461626cull, 0x65732d6f6e2d6469ull};

Hash128 hash_of(const Hash128& key, std::string_view bytes) {
  KeyedHash hash(key);
  hash.add(bytes);
  return hash.done();
}

template <class Plain>
std::string_view bytes_of(const Plain* data, std::size_t count) {
  return {reinterpret_cast<const char*>(data), count * sizeof(Plain)};
}

}  // namespace

#ifndef SLM_CORE_DIGEST
#error "SLM_CORE_DIGEST: a name for this state of the sources, which tables on disk belong to"
#endif

Hash128 build_name() { return hash_of(kPublic, SLM_CORE_DIGEST); }

/// All stores of the process, for its end and for its forks. Never destroyed: stores may outlive
/// what is static.
struct TableStore::Registry {
  std::mutex mutex;  // taken before those of the stores
  std::set<TableStore*> stores;
};

TableStore::Registry& TableStore::registry() {
  static Registry* one = [] {
#ifndef _WIN32
    // A fork happens while no store is in the middle of a change. What another thread is writing
    // then goes on in the parent only; in the child nobody will ever unlock `saving_`.
    pthread_atfork(
        [] {
          registry().mutex.lock();
          for (TableStore* store : registry().stores) store->mutex_.lock();
        },
        [] {
          for (TableStore* store : registry().stores) store->mutex_.unlock();
          registry().mutex.unlock();
        },
        [] {
          for (TableStore* store : registry().stores) {
            store->pending_.clear();
            store->writing_.clear();
            store->pending_bytes_ = 0;
            new (&store->saving_) std::mutex;
            store->mutex_.unlock();
          }
          registry().mutex.unlock();
        });
#endif
    return new Registry;
  }();
  return *one;
}

TableStore::TableStore(fs::path root, const Hash128& vocabulary, std::chrono::nanoseconds least)
    : root_(std::move(root)),
      folder_(root_ / ("tables-" + hex(build_name()).substr(0, 16) + "-" + hex(vocabulary))),
      vocabulary_(vocabulary),
      key_(random_bits()),
      least_(least) {
  // Nothing depends on whether that succeeds: `save` tries again and then looks.
  if (read_key(key_) != Read::kGood && make_key(key_)) read_key(key_);
  open();
  std::lock_guard lock(registry().mutex);
  registry().stores.insert(this);
}

TableStore::~TableStore() {
  save();
  std::lock_guard lock(registry().mutex);
  registry().stores.erase(this);
}

/// The key is a file of its own. Changes `key` only where it is good.
TableStore::Read TableStore::read_key(Hash128& key) const {
  std::ifstream in(root_ / "key", std::ios::binary);
  if (!in) return Read::kGone;
  Hash128 words[2];  // the key, and a hash of it
  if (!in.read(reinterpret_cast<char*>(words), sizeof words)) return Read::kUnsound;
  KeyedHash hash(kPublic);
  hash.add(words[0]);
  if (hash.done() != words[1]) return Read::kUnsound;
  key = words[0];
  return Read::kGood;
}

/// Writes a key where there is none, or none that is sound. Of processes that do so at once, all
/// read the same one thereafter, but for those that found an unsound one: they may write under a
/// key that is replaced, and `save` notices.
bool TableStore::make_key(const Hash128& key) const {
  std::error_code error;
  bool fresh = !fs::exists(root_, error);
  fs::create_directories(root_, error);
  if (error) return false;
  if (fresh) fs::permissions(root_, fs::perms::owner_all, error);
  Hash128 there;
  bool unsound = read_key(there) == Read::kUnsound;
  KeyedHash hash(kPublic);
  hash.add(key);
  Hash128 words[2] = {key, hash.done()};
  return write_whole(root_ / "key", {bytes_of(words, 2)},
                     unsound ? Taken::kReplaced : Taken::kLeft);
}

void TableStore::open() {
  std::vector<std::pair<fs::file_time_type, fs::path>> found;
  each_in(folder_, [&](const fs::path& path) {
    std::error_code unknown;
    if (is_tables(path)) found.emplace_back(fs::last_write_time(path, unknown), path);
  });
  std::sort(found.begin(), found.end());  // of pieces of one name the newest counts
  pieces_.clear();
  files_.clear();
  unsound_.clear();
  for (const auto& [time, path] : found) {
    if (read_names(path) != Read::kUnsound) continue;
    ++refused_;
    unsound_.push_back(path);
  }
}

TableStore::Read TableStore::read_names(const fs::path& path) {
  std::ifstream in(path, std::ios::binary);
  if (!in) return Read::kGone;
  std::error_code error;
  std::uintmax_t size = fs::file_size(path, error);
  if (error) return Read::kGone;
  Head head;
  if (!in.read(reinterpret_cast<char*>(&head), sizeof head)) return Read::kUnsound;
  if (head.magic != kMagic || head.build != build_name() || head.vocabulary != vocabulary_) {
    return Read::kUnsound;
  }
  KeyedHash check(kPublic);
  check.add(key_);
  if (head.key != check.done() || head.count > size / sizeof(Name)) return Read::kUnsound;
  std::vector<Name> names(head.count);
  Hash128 hash;
  if (!in.read(reinterpret_cast<char*>(names.data()),
               static_cast<std::streamsize>(names.size() * sizeof(Name))) ||
      !in.read(reinterpret_cast<char*>(&hash), sizeof hash)) {
    return Read::kUnsound;
  }
  KeyedHash all(key_);
  all.add(bytes_of(&head, 1));
  all.add(bytes_of(names.data(), names.size()));
  if (all.done() != hash) return Read::kUnsound;
  for (const Name& name : names) {
    if (name.size > kMaxBytes) return Read::kUnsound;
  }
  for (const Name& name : names) {
    pieces_[name.name] = {files_.size(), name.offset, name.size, name.hash};
  }
  files_.push_back(path);
  return Read::kGood;
}

TableStore::Read TableStore::read(const fs::path& path, const Piece& piece,
                                  std::string& bytes) const {
  std::ifstream in(path, std::ios::binary);
  if (!in) return Read::kGone;
  bytes.assign(piece.size, '\0');
  in.seekg(static_cast<std::streamoff>(piece.offset));
  if (!in.read(bytes.data(), static_cast<std::streamsize>(bytes.size()))) return Read::kUnsound;
  return hash_of(key_, bytes) == piece.hash ? Read::kGood : Read::kUnsound;
}

std::optional<std::string> TableStore::find(const Hash128& name) {
  std::lock_guard lock(mutex_);
  for (const Pieces* waiting : {&pending_, &writing_}) {
    if (auto at = waiting->find(name); at != waiting->end()) return at->second;
  }
  std::string bytes;
  Read found = Read::kGone;
  for (int round = 0; round < 2; ++round) {
    auto at = pieces_.find(name);
    if (at == pieces_.end()) return std::nullopt;
    found = read(files_[at->second.file], at->second, bytes);
    if (found != Read::kGone) break;
    open();  // another process has joined the files
  }
  if (found == Read::kGood) {
    ++loaded_;
    return bytes;
  }
  ++refused_;
  pieces_.erase(name);
  return std::nullopt;
}

void TableStore::add(const Hash128& name, std::string piece) {
  std::lock_guard lock(mutex_);
  std::size_t size = piece.size();
  if (lost_ || pending_bytes_ + size > kMaxPending) return;
  if (pending_.try_emplace(name, std::move(piece)).second) pending_bytes_ += size;
}

/// Writes a file of these pieces; `files_` and `pieces_` then have it.
bool TableStore::write(const std::vector<const Pieces*>& sources) {
  KeyedHash check(kPublic);
  check.add(key_);
  std::size_t count = 0;
  for (const Pieces* pieces : sources) count += pieces->size();
  Head head{kMagic, build_name(), vocabulary_, check.done(), count};
  std::vector<Name> names;
  std::vector<std::string_view> bodies;
  std::uint64_t offset = sizeof(Head) + count * sizeof(Name) + sizeof(Hash128);
  for (const Pieces* pieces : sources) {
    for (const auto& [name, bytes] : *pieces) {
      names.push_back({name, offset, bytes.size(), hash_of(key_, bytes)});
      bodies.push_back(bytes);
      offset += bytes.size();
    }
  }
  KeyedHash all(key_);
  all.add(bytes_of(&head, 1));
  all.add(bytes_of(names.data(), names.size()));
  Hash128 hash = all.done();
  std::vector<std::string_view> parts{bytes_of(&head, 1), bytes_of(names.data(), names.size()),
                                      bytes_of(&hash, 1)};
  parts.insert(parts.end(), bodies.begin(), bodies.end());
  fs::path path = folder_ / (hex(random_bits()) + ".tables");
  if (!write_whole(path, parts, Taken::kReplaced)) return false;
  std::lock_guard lock(mutex_);
  for (const Name& name : names) {
    pieces_[name.name] = {files_.size(), name.offset, name.size, name.hash};
  }
  files_.push_back(path);
  return true;
}

bool TableStore::save() noexcept {
  std::lock_guard saving(saving_);
  {
    std::lock_guard lock(mutex_);
    if (pending_.empty()) return !lost_;
    pending_.swap(writing_);
  }
  bool written = false;
  try {
    written = write_pending();
  } catch (...) {  // no memory, or a name that the system refuses
  }
  std::lock_guard lock(mutex_);
  if (!written) pending_.merge(writing_);
  if (lost_) pending_.clear();
  writing_.clear();
  pending_bytes_ = 0;
  for (const auto& piece : pending_) pending_bytes_ += piece.second.size();
  return written;
}

bool TableStore::save_all() noexcept {
  bool all = true;
  std::lock_guard lock(registry().mutex);
  for (TableStore* store : registry().stores) all = store->save() && all;
  return all;
}

/// What `save` does without `mutex_`, for all that is in `writing_`.
bool TableStore::write_pending() {
  std::error_code error;
  Hash128 there;
  Read key = read_key(there);
  if (key != Read::kGood && make_key(key_)) key = read_key(there);
  if (key != Read::kGood) return false;
  if (there != key_) {  // nobody would find the names
    std::lock_guard lock(mutex_);
    lost_ = true;
    return false;
  }
  fs::create_directory(folder_, error);
  if (error) return false;
  std::size_t fresh = 0, count = 0, total = 0;
  for (const auto& piece : writing_) fresh += piece.second.size();
  each_in(folder_, [&](const fs::path& path) {
    std::error_code gone;
    std::uintmax_t size = is_tables(path) ? fs::file_size(path, gone) : 0;
    if (size == 0 || gone) return;
    ++count;
    total += static_cast<std::size_t>(size);
  });
  Pieces old;
  std::vector<fs::path> gone;
  if (count >= kMaxFiles || total + fresh > kMaxBytes) gone = join(fresh, old);
  if (!write({&writing_, &old})) return false;
  {
    std::lock_guard lock(mutex_);
    gone.insert(gone.end(), unsound_.begin(), unsound_.end());
    unsound_.clear();
  }
  for (const fs::path& path : gone) fs::remove(path, error);
  if (!gone.empty()) {
    std::lock_guard lock(mutex_);
    open();
  }
  prune();
  return true;
}

/// Reads the newest pieces, while there is room, and gives the files they are from. A quarter of
/// the room is left, so that a full folder is not joined at every save.
std::vector<fs::path> TableStore::join(std::size_t total, Pieces& old) {
  std::vector<fs::path> files;
  std::vector<std::pair<Hash128, Piece>> known;
  {
    std::lock_guard lock(mutex_);
    open();  // others' files, too
    files = files_;
    for (const auto& piece : pieces_) {
      if (!writing_.contains(piece.first)) known.push_back(piece);
    }
  }
  std::stable_sort(known.begin(), known.end(),
                   [](const auto& x, const auto& y) { return x.second.file > y.second.file; });
  for (const auto& [name, piece] : known) {
    if (total + piece.size > kMaxBytes / 4 * 3) break;
    std::string bytes;
    if (read(files[piece.file], piece, bytes) != Read::kGood) continue;
    total += bytes.size();
    old.emplace(name, std::move(bytes));
  }
  return files;
}

/// What dead processes and other versions left behind; nothing that has another name than ours.
void TableStore::prune() const noexcept try {
  constexpr std::chrono::hours kDay{24};
  auto remove_if_old = [&](const fs::path& path) {
    std::error_code gone;
    if (older_than(path, kDay)) fs::remove(path, gone);
  };
  each_in(folder_, [&](const fs::path& path) {
    if (is_unfinished(path)) remove_if_old(path);
  });
  each_in(root_, [&](const fs::path& path) {
    std::error_code gone;
    if (is_unfinished_key(path)) remove_if_old(path);
    if (!is_folder(path) || path == folder_) return;
    if (fs::is_symlink(path, gone) || !older_than(path, 30 * kDay)) return;
    each_in(path, [](const fs::path& file) {
      std::error_code ignored;
      if (is_tables(file) || is_unfinished(file)) fs::remove(file, ignored);
    });
    fs::remove(path, gone);  // only where nothing else is in it
  });
} catch (...) {
}

StoreStats TableStore::stats() {
  std::lock_guard lock(mutex_);
  return {pieces_.size(), loaded_, refused_, pending_.size() + writing_.size(), pending_bytes_};
}

}  // namespace slm

#include "core/table_store.h"

#include <algorithm>
#include <chrono>
#include <fstream>
#include <random>
#include <system_error>

namespace slm {
namespace {

namespace fs = std::filesystem;

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

std::string hex(const Hash128& hash) {
  std::string text;
  for (std::uint64_t word : {hash.high, hash.low}) {
    for (int shift = 60; shift >= 0; shift -= 4) text += "0123456789abcdef"[word >> shift & 15];
  }
  return text;
}

Hash128 random_bits() {
  std::random_device device;
  auto word = [&] { return std::uint64_t{device()} << 32 | device(); };
  return {word(), word()};
}

Hash128 hash_of(const Hash128& key, std::string_view bytes) {
  KeyedHash hash(key);
  hash.add(bytes);
  return hash.done();
}

/// Writes all of a file and then gives it its name, or leaves nothing behind.
bool write_whole(const fs::path& path, const std::vector<std::string_view>& parts) {
  std::error_code error;
  fs::path other = path;
  other.replace_extension(hex(random_bits()) + ".tmp");
  {
    std::ofstream out(other, std::ios::binary | std::ios::trunc);
    for (std::string_view part : parts) {
      out.write(part.data(), static_cast<std::streamsize>(part.size()));
    }
    out.close();
    if (!out) {
      fs::remove(other, error);
      return false;
    }
  }
  fs::rename(other, path, error);
  if (!error) return true;
  fs::remove(other, error);
  return false;
}

bool older_than(const fs::path& path, std::chrono::hours age) {
  std::error_code error;
  auto written = fs::last_write_time(path, error);
  return !error && written + age < fs::file_time_type::clock::now();
}

template <class Plain>
std::string_view bytes_of(const Plain* data, std::size_t count) {
  return {reinterpret_cast<const char*>(data), count * sizeof(Plain)};
}

}  // namespace

#ifndef SLM_CORE_DIGEST
#define SLM_CORE_DIGEST ""
#endif

Hash128 build_name() { return hash_of(kPublic, SLM_CORE_DIGEST); }

TableStore::TableStore(fs::path root, const Hash128& vocabulary, std::chrono::nanoseconds least)
    : root_(std::move(root)),
      folder_(root_ / ("tables-" + hex(build_name()).substr(0, 16) + "-" + hex(vocabulary))),
      vocabulary_(vocabulary),
      least_(least) {
  if (!read_key(false)) key_ = random_bits();  // written with the first tables
  open();
}

/// The key is a file of its own. Where two processes make one at once, one of them has written
/// tables under a key that is gone: they have names that nobody will ask for.
bool TableStore::read_key(bool make) {
  fs::path path = root_ / "key";
  auto read = [&] {
    std::ifstream in(path, std::ios::binary);
    Hash128 words[2];  // the key, and a hash of it
    if (!in.read(reinterpret_cast<char*>(words), sizeof words)) return false;
    KeyedHash hash(kPublic);
    hash.add(words[0]);
    if (hash.done() != words[1]) return false;
    key_ = words[0];
    return true;
  };
  if (!make) return read();
  std::error_code error;
  if (fs::exists(path, error)) {
    Hash128 mine = key_;
    if (read()) return key_ == mine;
  }
  KeyedHash hash(kPublic);
  hash.add(key_);
  Hash128 words[2] = {key_, hash.done()};
  if (!write_whole(path, {bytes_of(words, 2)})) return false;
  fs::permissions(path, fs::perms::owner_read | fs::perms::owner_write, error);
  return true;
}

void TableStore::open() {
  std::error_code error;
  std::vector<std::pair<fs::file_time_type, fs::path>> found;
  for (fs::directory_iterator at(folder_, error), end; !error && at != end; at.increment(error)) {
    if (at->path().extension() != ".tables") continue;
    std::error_code unknown;
    found.emplace_back(fs::last_write_time(at->path(), unknown), at->path());
  }
  std::sort(found.begin(), found.end());  // of pieces of one name the newest counts
  for (const auto& [time, path] : found) {
    if (read_names(path)) continue;
    ++refused_;
    unsound_.push_back(path);
  }
}

bool TableStore::read_names(const fs::path& path) {
  std::ifstream in(path, std::ios::binary);
  Head head;
  if (!in.read(reinterpret_cast<char*>(&head), sizeof head)) return false;
  if (head.magic != kMagic || head.build != build_name() || head.vocabulary != vocabulary_) {
    return false;
  }
  KeyedHash check(kPublic);
  check.add(key_);
  if (head.key != check.done() || head.count > kMaxBytes / sizeof(Name)) return false;
  std::vector<Name> names(head.count);
  Hash128 hash;
  if (!in.read(reinterpret_cast<char*>(names.data()),
               static_cast<std::streamsize>(names.size() * sizeof(Name))) ||
      !in.read(reinterpret_cast<char*>(&hash), sizeof hash)) {
    return false;
  }
  KeyedHash all(key_);
  all.add(bytes_of(&head, 1));
  all.add(bytes_of(names.data(), names.size()));
  if (all.done() != hash) return false;
  for (const Name& name : names) {
    if (name.size > kMaxBytes) return false;
    pieces_[name.name] = {files_.size(), name.offset, name.size, name.hash};
  }
  files_.push_back(path);
  return true;
}

TableStore::Read TableStore::read(const Piece& piece, std::string& bytes) const {
  std::ifstream in(files_[piece.file], std::ios::binary);
  if (!in) return Read::kGone;
  bytes.assign(piece.size, '\0');
  in.seekg(static_cast<std::streamoff>(piece.offset));
  if (!in.read(bytes.data(), static_cast<std::streamsize>(bytes.size()))) return Read::kUnsound;
  return hash_of(key_, bytes) == piece.hash ? Read::kGood : Read::kUnsound;
}

std::optional<std::string> TableStore::find(const Hash128& name) {
  std::lock_guard lock(mutex_);
  if (auto waiting = pending_.find(name); waiting != pending_.end()) return waiting->second;
  std::string bytes;
  Read found = Read::kGone;
  for (int round = 0; round < 2; ++round) {
    auto at = pieces_.find(name);
    if (at == pieces_.end()) return std::nullopt;
    found = read(at->second, bytes);
    if (found != Read::kGone) break;
    pieces_.clear();  // another process has joined the files
    files_.clear();
    open();
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
  if (pending_bytes_ + piece.size() > kMaxPending) return;
  pending_bytes_ += piece.size();
  pending_.insert_or_assign(name, std::move(piece));
}

bool TableStore::write(const std::vector<std::pair<Hash128, std::string>>& pieces) {
  KeyedHash check(kPublic);
  check.add(key_);
  Head head{kMagic, build_name(), vocabulary_, check.done(), pieces.size()};
  std::vector<Name> names;
  std::uint64_t offset = sizeof(Head) + pieces.size() * sizeof(Name) + sizeof(Hash128);
  for (const auto& [name, bytes] : pieces) {
    names.push_back({name, offset, bytes.size(), hash_of(key_, bytes)});
    offset += bytes.size();
  }
  KeyedHash all(key_);
  all.add(bytes_of(&head, 1));
  all.add(bytes_of(names.data(), names.size()));
  Hash128 hash = all.done();
  std::vector<std::string_view> parts{bytes_of(&head, 1), bytes_of(names.data(), names.size()),
                                      bytes_of(&hash, 1)};
  for (const auto& piece : pieces) parts.push_back(piece.second);
  fs::path path = folder_ / (hex(random_bits()) + ".tables");
  if (!write_whole(path, parts)) return false;
  for (const Name& name : names) {
    pieces_[name.name] = {files_.size(), name.offset, name.size, name.hash};
  }
  files_.push_back(path);
  return true;
}

bool TableStore::save() {
  std::lock_guard lock(mutex_);
  if (pending_.empty()) return true;
  std::error_code error;
  bool fresh = !fs::exists(root_, error);
  fs::create_directories(folder_, error);
  if (error) return false;
  if (fresh) fs::permissions(root_, fs::perms::owner_all, error);
  if (!read_key(true)) return false;
  std::vector<std::pair<Hash128, std::string>> pieces;
  for (auto& [name, bytes] : pending_) pieces.emplace_back(name, std::move(bytes));
  pending_.clear();
  pending_bytes_ = 0;
  // Many files are joined to one: the newest pieces first, while there is room.
  std::vector<fs::path> joined;
  if (files_.size() >= kMaxFiles) {
    std::size_t total = 0;
    for (const auto& piece : pieces) total += piece.second.size();
    std::map<Hash128, Piece> known = pieces_;
    for (const auto& piece : pieces) known.erase(piece.first);
    std::vector<std::pair<Hash128, Piece>> old(known.begin(), known.end());
    std::stable_sort(old.begin(), old.end(),
                     [](const auto& x, const auto& y) { return x.second.file > y.second.file; });
    for (const auto& [name, piece] : old) {
      if (total + piece.size > kMaxBytes) break;
      std::string bytes;
      if (read(piece, bytes) != Read::kGood) continue;
      total += bytes.size();
      pieces.emplace_back(name, std::move(bytes));
    }
    joined = std::move(files_);
    pieces_.clear();
    files_.clear();
  }
  if (!write(pieces)) {
    if (!joined.empty()) open();
    return false;
  }
  joined.insert(joined.end(), unsound_.begin(), unsound_.end());
  unsound_.clear();
  for (const fs::path& path : joined) fs::remove(path, error);
  prune();
  return true;
}

/// What dead processes and other versions left behind.
void TableStore::prune() noexcept {
  constexpr std::chrono::hours kDay{24};
  std::error_code error;
  for (fs::directory_iterator at(folder_, error), end; !error && at != end; at.increment(error)) {
    std::error_code gone;
    if (at->path().extension() == ".tmp" && older_than(at->path(), kDay)) {
      fs::remove(at->path(), gone);
    }
  }
  error.clear();
  for (fs::directory_iterator at(root_, error), end; !error && at != end; at.increment(error)) {
    std::error_code gone;
    if (!at->path().filename().string().starts_with("tables-") || at->path() == folder_) continue;
    if (fs::is_symlink(at->path(), gone) || !older_than(at->path(), 30 * kDay)) continue;
    for (fs::directory_iterator file(at->path(), gone), none; !gone && file != none;
         file.increment(gone)) {
      std::error_code ignored;
      fs::remove(file->path(), ignored);
    }
    fs::remove(at->path(), gone);
  }
}

StoreStats TableStore::stats() {
  std::lock_guard lock(mutex_);
  return {pieces_.size(), loaded_, refused_, pending_.size(), pending_bytes_};
}

}  // namespace slm

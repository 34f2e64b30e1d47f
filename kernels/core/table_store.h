// Tables on disk, for the processes to come.
//
// A vocabulary has a folder, and in it files that are written once, whole, under another name, and
// then renamed; nothing is ever changed in place. So a process that reads cannot be disturbed by
// one that writes or dies, and there are no locks. A file that was cut or changed since is ignored,
// all of it or the entries that were hit.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "core/keyed_hash.h"

namespace slm {

/// Counters for an operator; bytes of what is not written yet.
struct StoreStats {
  std::uint64_t entries = 0, loaded = 0, refused = 0, pending = 0, pending_bytes = 0;
};

/// Named pieces of bytes. Safe between threads and between processes.
///
/// What cannot be read is not there, and what cannot be written is not written: neither is an
/// error. What is read is what was written: every piece has its hash.
/// Nothing is held open, so that a process and its forks do not read through one file's position.
/// What is not written yet is written at the end of its life. After a fork the child forgets what
/// its parent has yet to write.
/// Cost: making one lists the folder and reads the names in its files; a piece is read when asked
/// for.
class TableStore {
 public:
  /// `root` is made if need be, with a key in it. `vocabulary` is a hash of what the pieces depend
  /// on beside their names. `least`: what is made in less time than that is not worth a piece.
  TableStore(std::filesystem::path root, const Hash128& vocabulary,
             std::chrono::nanoseconds least = kLeast);
  ~TableStore();
  TableStore(const TableStore&) = delete;
  TableStore& operator=(const TableStore&) = delete;

  /// For hashing what names are made of. Secret: who chooses grammars must not know it.
  const Hash128& key() const noexcept { return key_; }

  std::chrono::nanoseconds least() const noexcept { return least_; }

  std::optional<std::string> find(const Hash128& name);
  /// Keeps a piece for `save`, if there is room.
  void add(const Hash128& name, std::string piece);

  /// Writes what was added; false when that is not possible: then it is kept for another try, or
  /// dropped if the folder has another key by now. Joins files when they are many or large, and
  /// then leaves out the oldest pieces; removes folders nobody has used for long. Others may look
  /// up and add meanwhile.
  bool save() noexcept;

  /// `save` of all stores there are; false if one of them says so.
  static bool save_all() noexcept;

  StoreStats stats();

  static constexpr std::chrono::nanoseconds kLeast = std::chrono::microseconds{50};
  static constexpr std::size_t kMaxBytes = 256u << 20;
  static constexpr std::size_t kMaxPending = 64u << 20;
  static constexpr std::size_t kMaxFiles = 8;

 private:
  struct Piece {
    std::size_t file;
    std::uint64_t offset, size;
    Hash128 hash;
  };
  using Pieces = std::map<Hash128, std::string>;
  enum class Read { kGood, kUnsound, kGone };
  struct Registry;
  static Registry& registry();

  Read read_key(Hash128& key) const;
  bool make_key(const Hash128& key) const;
  void open();
  Read read_names(const std::filesystem::path& path);
  Read read(const std::filesystem::path& path, const Piece& piece, std::string& bytes) const;
  bool write_pending();
  std::vector<std::filesystem::path> join(std::size_t total, Pieces& old);
  bool write(const std::vector<const Pieces*>& all);
  void prune() const noexcept;

  std::filesystem::path root_, folder_;
  Hash128 vocabulary_, key_;  // never change
  std::chrono::nanoseconds least_;
  std::mutex saving_;  // one writes at a time; taken before `mutex_`
  std::mutex mutex_;   // of all below, and never held while pieces are written
  std::vector<std::filesystem::path> files_;    // of `pieces_`
  std::vector<std::filesystem::path> unsound_;  // to be removed
  std::map<Hash128, Piece> pieces_;
  Pieces pending_;
  Pieces writing_;                 // were pending; who holds `saving_` reads them without `mutex_`
  std::size_t pending_bytes_ = 0;  // of both
  bool lost_ = false;              // the folder has another key
  std::uint64_t loaded_ = 0, refused_ = 0;
};

/// What the tables' contents depend on beside the vocabulary: the sources that make them.
Hash128 build_name();

}  // namespace slm

// Files of a table folder: which names are ours, and how a file comes to be there whole.
#pragma once

#include <chrono>
#include <filesystem>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

#include "core/keyed_hash.h"

namespace slm::files {

namespace fs = std::filesystem;

/// 32 hexadecimal digits.
std::string hex(const Hash128& hash);

Hash128 random_bits();

enum class Taken { kReplaced, kLeft };

/// Writes all of a file, its owner's alone where there are owners, and then gives it its name, or
/// leaves nothing behind. Where the name is taken, the file there is replaced, or left and all is
/// well.
bool write_whole(const fs::path& path, const std::vector<std::string_view>& parts, Taken taken);

/// Whether a name is exactly one of ours: nothing else is ever read or removed.
bool is_tables(const fs::path& path);
bool is_unfinished(const fs::path& path);
bool is_folder(const fs::path& path);
bool is_unfinished_key(const fs::path& path);

/// Calls for every path in a folder; what cannot be listed is not there.
template <class Do>
void each_in(const fs::path& folder, Do work) {
  std::error_code error;
  for (fs::directory_iterator at(folder, error), end; !error && at != end; at.increment(error)) {
    work(at->path());
  }
}

bool older_than(const fs::path& path, std::chrono::hours age);

}  // namespace slm::files

#include "core/table_files.h"

#include <cstddef>
#include <cstdint>
#include <fstream>
#include <initializer_list>
#include <random>

#ifndef _WIN32
#include <fcntl.h>
#include <unistd.h>
#endif

namespace slm::files {
namespace {

/// Makes an empty file that is its owner's alone from the first moment, where there are owners.
bool make_file([[maybe_unused]] const fs::path& path) {
#ifdef _WIN32
  return true;
#else
  int file = ::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  return file >= 0 && ::close(file) == 0;
#endif
}

/// Whether a name is made of these parts; a number is that many hexadecimal digits. No conversion
/// between encodings, which may fail.
struct Part {
  std::string_view text;
  std::size_t digits = 0;
};
bool is_made_of(const fs::path& name, std::initializer_list<Part> parts) {
  const fs::path::string_type& native = name.native();
  std::size_t at = 0;
  for (const Part& part : parts) {
    for (char c : part.text) {
      if (at == native.size() || native[at++] != static_cast<fs::path::value_type>(c)) return false;
    }
    for (std::size_t i = 0; i < part.digits; ++i) {
      if (at == native.size()) return false;
      auto c = native[at++];
      if (!(c >= '0' && c <= '9') && !(c >= 'a' && c <= 'f')) return false;
    }
  }
  return at == native.size();
}

}  // namespace

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

bool write_whole(const fs::path& path, const std::vector<std::string_view>& parts, Taken taken) {
  std::error_code error;
  fs::path other = path;
  other.replace_extension(hex(random_bits()) + ".tmp");
  if (!make_file(other)) return false;
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
  if (taken == Taken::kLeft) {
    fs::create_hard_link(other, path, error);
    std::error_code ignored;
    if (!error || fs::exists(path, ignored)) {
      fs::remove(other, ignored);
      return true;
    }
  }
  fs::rename(other, path, error);
  if (!error) return true;
  fs::remove(other, error);
  return false;
}

bool is_tables(const fs::path& path) {
  return is_made_of(path.filename(), {{"", 32}, {".tables"}});
}
bool is_unfinished(const fs::path& path) {
  return is_made_of(path.filename(), {{"", 32}, {".", 32}, {".tmp"}});
}
bool is_folder(const fs::path& path) {
  return is_made_of(path.filename(), {{"tables-", 16}, {"-", 32}});
}
bool is_unfinished_key(const fs::path& path) {
  return is_made_of(path.filename(), {{"key.", 32}, {".tmp"}});
}

bool older_than(const fs::path& path, std::chrono::hours age) {
  std::error_code error;
  auto written = fs::last_write_time(path, error);
  return !error && written + age < fs::file_time_type::clock::now();
}

}  // namespace slm::files

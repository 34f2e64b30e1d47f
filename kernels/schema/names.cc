#include "schema/names.h"

namespace slm::schema {
namespace {

constexpr std::size_t kMaxNameClasses = 64;

}  // namespace

std::vector<std::vector<bool>> NameConditions::all() const {
  std::vector<std::vector<bool>> found;
  for (std::size_t turn = 0; turn < std::size_t{1} << parts_.size(); ++turn) {
    std::vector<bool>& held = found.emplace_back();
    for (std::size_t at = parts_.size(); at-- > 0;) held.push_back(!(turn >> at & 1));
  }
  return found;
}

std::vector<std::vector<bool>> NameConditions::inhabited() const {
  std::vector<std::vector<bool>> found{{}};
  for (std::size_t at = 0; at < parts_.size(); ++at) {
    std::vector<Part> some(parts_.begin(), parts_.begin() + static_cast<std::ptrdiff_t>(at) + 1);
    std::vector<std::vector<bool>> more;
    for (const std::vector<bool>& holds : found) {
      for (bool yes : {true, false}) {
        std::vector<bool> both = holds;
        both.push_back(yes);
        if (of_.pool.has_other(of_.pool.region(some, both), {})) more.push_back(std::move(both));
      }
    }
    found = std::move(more);
    if (found.size() > kMaxNameClasses) throw Refused("patterns overlap in too many ways");
  }
  return found;
}

std::optional<Part> NameConditions::region(const std::vector<bool>& holds) const {
  if (parts_.empty()) return std::nullopt;
  Part found = of_.pool.region(parts_, holds);
  if (of_.pool.is_anything(found)) return std::nullopt;
  return found;
}

}  // namespace slm::schema

#include "bind/environment.h"

#include <cstdlib>
#include <string_view>
#include <vector>

#if defined(__GLIBC__)
#include <unistd.h>
#endif

namespace slm {
namespace {

WantedEngine read() {
  const char* value = std::getenv("SLM_ENGINE");
  std::string_view name = value == nullptr ? std::string_view{} : value;
  if (name.empty() || name == "native") return WantedEngine::kAny;
  return name == "reference" ? WantedEngine::kReference : WantedEngine::kOther;
}

}  // namespace

WantedEngine wanted_engine() {
#if defined(__GLIBC__)
  // To look for a name reads every variable, each in a place of its own: for a small schema, with
  // cold caches, a hundredth of its time. This library puts a new pointer into the list when a
  // variable is set, and gives no variable back.
  static std::vector<const char*> seen;
  static WantedEngine wanted = read();
  std::size_t at = 0;
  char** variables = environ;
  if (variables == nullptr) return read();
  while (at < seen.size() && variables[at] != nullptr && variables[at] == seen[at]) ++at;
  if (at < seen.size() || variables[at] != nullptr || seen.empty()) {
    seen.clear();
    for (char** variable = variables; *variable != nullptr; ++variable) seen.push_back(*variable);
    wanted = read();
  }
  return wanted;
#else
  return read();
#endif
}

}  // namespace slm

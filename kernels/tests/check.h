// Checks that count failures and say where they are.
#pragma once

#include <cstdio>

namespace slm::tests {

inline int failures = 0;

inline void check(bool holds, const char* what, const char* file, int line) {
  if (holds) return;
  std::fprintf(stderr, "%s:%d: %s\n", file, line, what);
  ++failures;
}

}  // namespace slm::tests

#define CHECK(condition) ::slm::tests::check((condition), #condition, __FILE__, __LINE__)

// Small grammars for tests, written out; see core/program.h for what the numbers mean.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <string>
#include <vector>

namespace slm::tests {

/// s: ("(" s ")" | "[" s "]" | /[ac-i]{0,9}b/)*   over a fair choice of what can be written with
/// that
inline std::vector<std::int32_t> brackets() {
  std::vector<std::int32_t> words;
  auto put = [&](std::initializer_list<std::int32_t> more) {
    words.insert(words.end(), more.begin(), more.end());
  };
  put({6});  // sets, each: ranges
  for (std::int32_t c : {'(', ')', '[', ']'}) put({1, c, c});
  put({2, 'a', 'a', 'c', 'i'});
  put({1, 'b', 'b'});
  put({1});                                          // one rule
  put({8});                                          // regular nodes
  for (std::int32_t i = 0; i < 6; ++i) put({0, i});  // 0 to 5: a character each
  put({4, 4, 0, 9});                                 // 6: [ac-i]{0,9}
  put({2, 2, 6, 5});                                 // 7: [ac-i]{0,9}b
  put({5});                                          // terminals
  for (std::int32_t i : {0, 1, 2, 3, 7}) put({i, 0});
  put({10});                                         // expressions, numbered from 8
  for (std::int32_t i = 0; i < 5; ++i) put({8, i});  // 8 to 12: the terminals
  put({9, 0});                                       // 13: the rule
  put({10, 3, 8, 13, 9});                            // 14
  put({10, 3, 10, 13, 11});                          // 15
  put({11, 3, 14, 15, 12});                          // 16: either
  put({12, 16, 0, -1});                              // 17: any number of them
  put({17, 0});                                      // rule 0 is node 17, and the start
  return words;
}

inline std::vector<std::string> bracket_tokens() {
  return {"(",    ")",   "[", "]",  "a",  "b", "()", "([", "])", "ab", "aa", "b(",
          "aaab", "b)]", "c", "ie", ")(", "d", "e",  "f",  "g",  "h",  "i",  ""};
}

}  // namespace slm::tests

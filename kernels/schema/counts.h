// How many different values there are under a goal, at least. Mirrors the class in distinct.py.
#pragma once

#include <map>
#include <vector>

#include "schema/normalise.h"

namespace slm::schema {

/// Invariant: the answers are those of Python, however the question is put before: both remember
///   what they were asked on the way.
class Counts {
 public:
  using Count = std::int64_t;
  static constexpr Count kMaxCounted = 10'000;  // more values than that are not needed

  explicit Counts(Normaliser& of) : of_(of) {}

  /// Whether so many are certain. False says nothing.
  bool at_least(Goal goal, Count wanted, int depth = kMaxDepth);

 private:
  static constexpr int kMaxDepth = 6;  // of values in values

  Count count(Goal goal, Count wanted, int depth);
  Count strings(const StringShape& shape, Count wanted);
  Count objects(const ObjectShape& shape, Count wanted, int depth);
  Count arrays(const ArrayShape& shape, Count wanted, int depth);

  Normaliser& of_;
  std::map<std::pair<Goal, Count>, bool> known_;
  std::vector<Goal> open_;
};

}  // namespace slm::schema

// Questions about regular languages that Python answers, and the memory of its answers.
#pragma once

#include <cstdint>
#include <list>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "core/known_language.h"

namespace slm::schema {

/// What Python knows about patterns, formats, ranges of numbers and their combinations.
///
/// A request is a JSON array, `slm/schema/native.py` says which; an answer is a list of integers
/// that depends on nothing but the request.
class Oracle {
 public:
  virtual ~Oracle() = default;
  /// False where there is no answer, so that the schema has to be deferred.
  virtual bool ask(const std::string& request, std::vector<std::int32_t>& answer) = 0;
};

struct Answered {
  explicit Answered(std::vector<std::int32_t> made)
      : words(std::move(made)), language(std::span(words).subspan(words.empty() ? 0 : 1)) {}

  const std::vector<std::int32_t> words;
  const KnownLanguage language;  // where a language was asked for: what is behind the first word
};
using Answer = std::shared_ptr<const Answered>;

/// Answers by request, the ones least recently used dropped. Safe between threads: the lock is not
/// held while Python works.
class Answers {
 public:
  explicit Answers(std::size_t bytes) : limit_(bytes) {}

  /// Null where Python has no answer. Cost: O(request) for a known one.
  Answer get(const std::string& request, Oracle& oracle);

 private:
  struct Entry {
    std::string request;
    Answer answer;
    std::size_t bytes;
  };

  std::mutex lock_;
  std::list<Entry> entries_;  // the most recently used first
  std::unordered_map<std::string_view, std::list<Entry>::iterator> by_request_;
  std::size_t limit_, used_ = 0;
};

/// The one of the process.
Answers& shared_answers();

}  // namespace slm::schema

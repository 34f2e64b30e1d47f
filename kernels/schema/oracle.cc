#include "schema/oracle.h"

namespace slm::schema {

Answer Answers::get(const std::string& request, Oracle& oracle) {
  {
    std::lock_guard guard(lock_);
    if (auto known = by_request_.find(request); known != by_request_.end()) {
      entries_.splice(entries_.begin(), entries_, known->second);
      return known->second->answer;
    }
  }
  std::vector<std::int32_t> words;
  Answer answer;
  if (oracle.ask(request, words)) {
    words.shrink_to_fit();
    answer = std::make_shared<const Answered>(std::move(words));
  }
  std::lock_guard guard(lock_);
  if (auto known = by_request_.find(request); known != by_request_.end()) {
    return known->second->answer;  // another thread was faster
  }
  std::size_t bytes = request.size() + (answer ? 4 * answer->words.size() : 0) + 200;
  entries_.push_front({request, answer, bytes});
  by_request_.emplace(entries_.front().request, entries_.begin());
  for (used_ += bytes; used_ > limit_ && entries_.size() > 1; entries_.pop_back()) {
    used_ -= entries_.back().bytes;
    by_request_.erase(entries_.back().request);
  }
  return answer;
}

Answers& shared_answers() {
  static Answers answers(std::size_t{32} << 20);
  return answers;
}

}  // namespace slm::schema

// Where languages are made, and how questions about them are answered: for languages.cc alone, and
// emptiness.cc.
#pragma once

#include "schema/alphabets.h"
#include "schema/json.h"
#include "schema/languages.h"
#include "schema/search.h"

namespace slm::schema {

struct Languages::Shop {
  Arena arena;
  Terms terms{arena};
  Spelling spelling{terms};
  NumberTexts numbers{terms};
  Search search{terms};
  Alphabets alphabets{terms};
};

template <class Work>
Answer Languages::ask(const std::string& request, Work work) {
  class Worker : public Oracle {
   public:
    Worker(Oracle& python, Work& work) : python_(python), work_(work) {}
    bool ask(const std::string& request, std::vector<std::int32_t>& answer) override {
      Words made = work_();
      if (!made) return python_.ask(request, answer);
      answer = std::move(*made);
      return true;
    }

   private:
    Oracle& python_;
    Work& work_;
  };
  Worker worker(oracle_, work);
  Answer answer = shared_answers().get(request, worker);
  if (!answer) throw Deferred("a language that only Python can make");
  return answer;
}

inline std::optional<std::vector<std::int32_t>> yes_or_no(std::optional<bool> answer) {
  if (!answer) return std::nullopt;
  return {{*answer}};
}

}  // namespace slm::schema

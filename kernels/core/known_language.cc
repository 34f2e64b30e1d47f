#include "core/known_language.h"

#include "core/program.h"

namespace slm {
namespace {

std::uint64_t next_id() noexcept {
  static std::atomic<std::uint64_t> last{0};
  return ++last;
}

}  // namespace

KnownLanguage::KnownLanguage(std::span<const std::int32_t> words) noexcept
    : words_(words), id_(next_id()) {}

Program KnownLanguage::alone() const {
  auto at = words_.begin() + 1;  // behind the number of sets
  for (std::int32_t left = words_[0]; left > 0; --left) at += 1 + 2 * *at;
  constexpr std::int32_t kRules = 1, kTerminals = 1, kHasText = 2, kExpressions = 1;
  std::vector<std::int32_t> words(words_.begin(), at);
  words.push_back(kRules);
  const std::int32_t nodes = *at, root = words_.back();
  words.insert(words.end(), at, words_.end() - 1);
  words.insert(words.end(), {kTerminals, root, kHasText, kExpressions,
                             static_cast<std::int32_t>(Program::Op::kTerminal), 0});
  words.insert(words.end(), {nodes, 0});  // the rule's body, and the start
  return Program(words);
}

bool KnownLanguage::find_form() const {
  Program program = alone();
  bool plain = !program.has_automata();
  for (std::uint32_t node = 0; node < program.first_expression(); ++node) {
    Program::Op op = program.op(node);
    plain = plain && op != Program::Op::kLabel && op != Program::Op::kEcho;
  }
  form_.store(plain ? Form::kPlain : Form::kOther, std::memory_order_relaxed);
  return plain;
}

}  // namespace slm

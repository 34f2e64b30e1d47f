#include "core/program.h"

#include <iterator>
#include <stdexcept>

#include "core/marks.h"

namespace slm {

class Program::Reader {
 public:
  explicit Reader(std::span<const std::uint32_t> words) : words_(words) {}

  std::uint32_t at() const noexcept { return static_cast<std::uint32_t>(at_); }
  std::int32_t word() {
    if (at_ == words_.size()) fail_at_end();
    return static_cast<std::int32_t>(words_[at_++]);
  }
  std::uint32_t index(std::size_t limit) {
    std::int32_t value = word();
    if (value < 0 || static_cast<std::size_t>(value) >= limit) fail_outside();
    return static_cast<std::uint32_t>(value);
  }
  /// So many of them, all below the limit.
  void indices(std::size_t count, std::size_t limit) {
    if (count > words_.size() - at_) fail_at_end();
    for (std::size_t end = at_ + count; at_ < end; ++at_) {
      if (words_[at_] >= limit) fail_outside();  // what is negative is large without its sign
    }
  }
  std::size_t count() {
    std::int32_t value = word();
    if (value < 0 || static_cast<std::size_t>(value) > words_.size()) {
      throw std::invalid_argument("the grammar program has an impossible count");
    }
    return static_cast<std::size_t>(value);
  }
  bool done() const noexcept { return at_ == words_.size(); }
  void skip(std::size_t words) noexcept { at_ += words; }

 private:
  [[noreturn]] static void fail_at_end() {
    throw std::invalid_argument("the grammar program ends too early");
  }
  [[noreturn]] static void fail_outside() {
    throw std::invalid_argument("the grammar program refers to what is not there");
  }

  std::span<const std::uint32_t> words_;
  std::size_t at_ = 0;
};

void Program::read_node(Reader& in) {
  std::size_t made = node_at_.size();
  std::uint32_t at = in.at();
  std::int32_t op = in.word();
  if (op < 0 || op > static_cast<std::int32_t>(Op::kKnown)) {
    throw std::invalid_argument("the grammar program has an unknown node");
  }
  switch (static_cast<Op>(op)) {
    case Op::kChars:
    case Op::kLabel:
      in.index(set_at_.size());
      break;
    case Op::kTerminal:
      in.index(terminals_.size());
      break;
    case Op::kKnown:
      in.index(known_ ? known_->size() : 0);
      break;
    case Op::kCall:
      in.index(rules_);
      break;
    case Op::kComplement:
      in.index(made);
      break;
    case Op::kRepeat:
    case Op::kMany:
      in.index(made);
      if (in.word() < 0 || in.word() < -1) throw std::invalid_argument("a negative bound");
      break;
    case Op::kLiteral:
    case Op::kSpelled:
      in.indices(in.count(), static_cast<Op>(op) == Op::kSpelled ? kFirstMarkPoint : kPoints);
      break;
    case Op::kConcat:
    case Op::kUnion:
    case Op::kIntersection:
    case Op::kSeq:
    case Op::kChoice:
      in.indices(in.count(), made);
      break;
    case Op::kEcho: {
      std::size_t parts = in.count();
      if (parts == 0) throw std::invalid_argument("an echo of nothing");
      in.indices(parts, made);
      in.indices(parts - 1, 2);
      if (in.index(parts + 1) == 0) throw std::invalid_argument("an echo without its word");
      break;
    }
    case Op::kMultiple:
      for (int part = 0; part < 5; ++part) {
        if (in.word() < 0) throw std::invalid_argument("a negative number");
      }
      break;
    case Op::kDfa: {
      has_automata_ = true;
      std::size_t states = in.count();
      for (std::size_t q = 0; q < states; ++q) {
        in.word();
        for (std::size_t left = in.count(); left > 0; --left) {
          in.index(set_at_.size());
          in.index(states);
        }
      }
      break;
    }
  }
  node_at_.push_back(at);
}

/// Where nodes begin that are known to be right; otherwise they are read one by one.
void Program::read_nodes(Reader& in, std::size_t count) {
  node_at_.reserve(node_at_.size() + count);
  if (!is_whole_) {
    for (; count > 0; --count) read_node(in);
    return;
  }
  // How many words a node has; 0: a list of nodes or code points is all that it is.
  constexpr std::uint8_t kAsRead = 0xFF;
  static constexpr std::uint8_t kSizes[] = {
      2, 0, 0, 0,       4, 0, 2, kAsRead,  // kChars to kDfa
      2, 2, 0, 0,       4,                 // kTerminal to kMany
      0, 6, 2, kAsRead, 2,                 // kSpelled to kKnown
  };
  static_assert(std::size(kSizes) == static_cast<std::size_t>(Op::kKnown) + 1);
  for (; count > 0; --count) {
    std::uint32_t at = in.at();
    std::uint32_t size = kSizes[words_[at]];
    if (size == kAsRead) {
      read_node(in);
      continue;
    }
    node_at_.push_back(at);
    in.skip(size != 0 ? size : 2 + words_[at + 1]);
  }
}

Program::Program(std::span<const std::int32_t> words)
    : Program(std::make_shared<const std::vector<std::int32_t>>(words.begin(), words.end())) {}

Program::Program(std::shared_ptr<const void> owner, std::span<const std::int32_t> words,
                 std::shared_ptr<const KnownLanguages> known, bool whole)
    : owner_(std::move(owner)),
      known_(std::move(known)),
      words_(reinterpret_cast<const std::uint32_t*>(words.data()), words.size()),
      is_whole_(whole) {
  Reader in(words_);
  std::size_t sets = in.count();
  set_at_.reserve(sets);
  for (std::size_t left = sets; left > 0; --left) {
    set_at_.push_back(in.at());
    in.indices(2 * in.count(), kPoints);
  }
  rules_ = static_cast<std::uint32_t>(in.count());
  // Regular nodes first, then the terminals that name them, then expressions.
  std::size_t regular = in.count();
  node_at_.reserve(2 * regular);
  read_nodes(in, regular);
  std::size_t terminals = in.count();
  terminals_.reserve(terminals);
  for (std::size_t left = terminals; left > 0; --left) {
    std::uint32_t language = in.index(node_at_.size());
    std::int32_t flags = in.word();
    terminals_.push_back({language, (flags & 1) != 0, (flags & 2) != 0});
  }
  first_expression_ = static_cast<std::uint32_t>(node_at_.size());
  std::size_t expressions = in.count();
  read_nodes(in, expressions);
  bodies_at_ = in.at();
  in.indices(rules_, node_at_.size());
  in.index(rules_);
  memory_at_ = in.at();
  if (!in.done()) {
    in.word();  // its kind
    for (std::size_t left = in.count(); left > 0; --left) in.word();
  }
  if (!in.done()) throw std::invalid_argument("the grammar program has words left over");
}

Program Program::without(const std::vector<bool>& terminals) const {
  std::vector<std::int32_t> words(words_.begin(), words_.begin() + memory_at_);
  for (std::uint32_t node = 0; node < nodes(); ++node) {
    if (op(node) != Op::kTerminal || !terminals[children(node)[0]]) continue;
    // A sequence of nothing has two words as well.
    words[node_at_[node]] = static_cast<std::int32_t>(Op::kSeq);
    words[node_at_[node] + 1] = 0;
  }
  return Program(std::make_shared<const std::vector<std::int32_t>>(std::move(words)), known_);
}

std::vector<Program::DfaState> Program::states(std::uint32_t node) const {
  std::uint32_t at = node_at_[node] + 1;
  std::vector<DfaState> found(words_[at++]);
  for (DfaState& state : found) {
    state.accepting = words_[at++] != 0;
    state.edges.resize(words_[at++]);
    for (auto& [set, target] : state.edges) {
      set = words_[at++];
      target = words_[at++];
    }
  }
  return found;
}

}  // namespace slm

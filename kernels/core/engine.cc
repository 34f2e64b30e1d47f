#include "core/engine.h"

#include <algorithm>
#include <atomic>
#include <stdexcept>

#include "core/memory/memory.h"

namespace slm {

namespace {

Hash128 name_of(const TokenTrie& trie) {
  KeyedHash hash({0x766f63616275, 0x6c617279});  // public: a vocabulary is nobody's guess
  hash.add(std::uint64_t{trie.vocabulary()});
  for (TokenId token = 0; token < trie.vocabulary(); ++token) hash.add(trie.bytes_of(token));
  return hash.done();
}

}  // namespace

VocabularyTables::VocabularyTables(std::vector<std::string> tokens,
                                   std::optional<std::filesystem::path> folder,
                                   std::chrono::nanoseconds least)
    : trie(std::move(tokens)), index(trie), phases(trie) {
  if (folder) store_ = std::make_unique<TableStore>(*std::move(folder), name_of(trie), least);
}

std::shared_ptr<TerminalTables> VocabularyTables::terminals() {
  std::lock_guard lock(mutex_);
  bool full = false;
  if (current_) {
    std::lock_guard inner(current_->mutex);
    full = current_->bytes() > kSharedBytes;
  }
  if (!current_ || full) {
    current_ = std::make_shared<TerminalTables>(index, store_.get());
    ++generations_;
  }
  return current_;
}

VocabularyTables::Stats VocabularyTables::stats() {
  std::lock_guard lock(mutex_);
  if (!current_) return {};
  std::lock_guard inner(current_->mutex);
  return {current_->pool.size(), current_->bytes(), generations_};
}

/// All that grows.
struct Engine::Tables {
  Tables(Program program, VocabularyTables& vocabulary, std::size_t mask_memory)
      : own_terminals(program.has_automata()),
        terminals(own_terminals ? std::make_shared<TerminalTables>(vocabulary.index)
                                : vocabulary.terminals()),
        of_program(make_recogniser(std::move(program), terminals, vocabulary.trie, mask_memory)),
        recogniser(*of_program),
        masks(vocabulary.trie, *terminals, recogniser, mask_memory) {}

  bool own_terminals;  // explicit automata are no other grammar's
  std::shared_ptr<TerminalTables> terminals;
  std::unique_ptr<Recogniser> of_program;
  Recogniser& recogniser;
  MaskMemo masks;
  std::unique_ptr<BudgetMasks> budgets;  // made when first asked for
};

namespace {

std::uint64_t next_serial() noexcept {
  static std::atomic<std::uint64_t> last{0};
  return ++last;
}

}  // namespace

Engine::Engine(Program program, std::shared_ptr<VocabularyTables> vocabulary,
               std::vector<TokenId> end_tokens, std::size_t memory)
    : serial_(next_serial()),
      vocabulary_(std::move(vocabulary)),
      end_tokens_(std::move(end_tokens)),
      memory_(memory),
      tables_(std::make_unique<Tables>(std::move(program), *vocabulary_, memory / 4)),
      start_(tables_->recogniser.start()) {
  for (TokenId token : end_tokens_) {
    if (token >= vocabulary_->trie.vocabulary()) throw std::invalid_argument("no such end token");
  }
  needed_ = own_bytes();
  shared_needed_ = shared_bytes();
}

Engine::~Engine() = default;

StateId Engine::walk(StateId state, std::string_view bytes) {
  for (char c : bytes) {
    state = tables_->recogniser.step(state, static_cast<std::uint8_t>(c));
    if (state == kDead) break;
  }
  return state;
}

/// Runs `work` under the lock. A grammar that hit a bound, or the end of memory, has half-made
/// tables: it says the same again from then on, to everyone. Not so where it is one text that
/// cannot be decided.
template <class Work>
auto Engine::locked(Work work) -> decltype(work()) {
  std::lock_guard lock(mutex_);
  if (!tables_) throw Retired();
  if (!broken_.empty()) throw TooComplex(broken_);
  constexpr std::uint32_t kSome = 64;  // questions
  constexpr std::size_t kMany = 1024;  // states
  if (++unwatched_ >= kSome || tables_->recogniser.states() - watched_states_ >= kMany) watch();
  try {
    return work();
  } catch (const Undecided&) {  // of this state only
    tables_->budgets.reset();
    throw;
  } catch (const std::exception& error) {
    broken_ = error.what();
    throw;
  }
}

std::size_t Engine::shared_bytes() const {
  std::lock_guard lock(tables_->terminals->mutex);
  return tables_->terminals->bytes();
}

std::size_t Engine::own_bytes() const {
  std::size_t bytes = tables_->recogniser.bytes();
  if (tables_->budgets) bytes += tables_->budgets->bytes();
  return tables_->own_terminals ? bytes + shared_bytes() : bytes;
}

void Engine::watch() {
  unwatched_ = 0;
  watched_states_ = tables_->recogniser.states();
  std::size_t most = memory_ - memory_ / 4;  // masks have the rest, and see to it themselves
  std::size_t own = own_bytes(), shared = shared_bytes();
  bool outgrown = own > most && own / 2 > needed_;
  // Shared tables that are too large are left by their grammars one by one.
  constexpr std::size_t kShared = VocabularyTables::kSharedBytes;
  if (shared > kShared && shared - shared_needed_ > kShared / 4) outgrown = true;
  if (outgrown) full_.store(true, std::memory_order_relaxed);
}

std::vector<StateId> Engine::replay(std::span<const TokenId> tokens) {
  return locked([&] {
    std::size_t before = own_bytes();
    std::vector<StateId> states;
    states.reserve(tokens.size());
    StateId state = start_;
    for (TokenId token : tokens) {
      if (state != kDead) state = walk(state, vocabulary_->trie.bytes_of(token));
      states.push_back(state);
    }
    needed_ += own_bytes() - before;
    shared_needed_ = shared_bytes();
    return states;
  });
}

Program Engine::program() const {
  std::lock_guard lock(mutex_);
  if (!tables_) throw Retired();
  return tables_->recogniser.program();
}

EngineStats Engine::retire() {
  std::unique_ptr<Tables> gone;  // its end takes a while: not under the lock
  std::lock_guard lock(mutex_);
  if (!tables_) return {};
  EngineStats counted = this->counted();
  gone = std::move(tables_);
  return counted;
}

StateId Engine::step(StateId state, std::string_view bytes) {
  return locked([&] { return walk(state, bytes); });
}

bool Engine::can_end(StateId state) {
  return locked([&] { return tables_->recogniser.can_end(state); });
}

void Engine::copy_mask(StateId state, std::span<std::uint32_t> row) {
  tables_->masks.fill(state, row);
  std::size_t words = (vocabulary_->trie.vocabulary() + 31) / 32;
  std::fill(row.begin() + static_cast<std::ptrdiff_t>(words), row.end(), 0u);
  add_ends(state, row);
}

void Engine::add_ends(StateId state, std::span<std::uint32_t> row) const {
  if (tables_->recogniser.can_end(state)) {
    for (TokenId token : end_tokens_) row[token >> 5] |= 1u << (token & 31);
  }
}

void Engine::fill_mask(StateId state, std::span<std::uint32_t> row) {
  locked([&] { copy_mask(state, row); });
}

bool Engine::try_fill_mask(StateId state, std::span<std::uint32_t> row) {
  std::unique_lock lock(mutex_, std::try_to_lock);
  if (!lock.owns_lock() || !tables_ || !tables_->masks.knows(state)) return false;
  copy_mask(state, row);
  return true;
}

void Engine::walk_mask(StateId state, std::span<std::uint32_t> row) {
  locked([&] {
    std::fill(row.begin(), row.end(), 0u);
    walk_trie(vocabulary_->trie.trie(), tables_->recogniser, state, row);
    add_ends(state, row);
  });
}

BudgetMasks& Engine::budgets() {
  if (!tables_->budgets) {
    tables_->budgets =
        std::make_unique<BudgetMasks>(vocabulary_->phases, tables_->recogniser, tables_->masks);
  }
  tables_->budgets->begin();
  return *tables_->budgets;
}

void Engine::fill_mask_within(StateId state, Cost budget, std::span<std::uint32_t> row) {
  locked([&] {
    budgets().fill(state, budget, row);
    add_ends(state, row);
  });
}

TokensLeft Engine::tokens_left(StateId state) {
  return locked([&] { return budgets().fewest(state); });
}

bool Engine::fits(StateId state, Cost budget) {
  return locked([&] { return budgets().fits(state, budget); });
}

std::size_t Engine::viable_length(StateId state, std::string_view bytes) {
  return locked([&] {
    for (std::size_t i = 0; i < bytes.size(); ++i) {
      state = tables_->recogniser.step(state, static_cast<std::uint8_t>(bytes[i]));
      if (state == kDead) return i;
    }
    return bytes.size();
  });
}

bool Engine::forbids(StateId state, std::string_view bytes) {
  if (bytes.empty()) return false;
  return locked([&] {
    StateId before = walk(state, bytes.substr(0, bytes.size() - 1));
    return before != kDead &&
           tables_->recogniser.forbids(before, static_cast<std::uint8_t>(bytes.back()));
  });
}

std::string Engine::forced_bytes(StateId state, std::size_t limit) {
  return locked([&] {
    std::string forced;
    while (forced.size() < limit && !tables_->recogniser.can_end(state)) {
      int only = -1;
      StateId next = kDead;
      for (int byte = 0; byte < 256; ++byte) {
        StateId after = tables_->recogniser.step(state, static_cast<std::uint8_t>(byte));
        if (after == kDead) continue;
        if (only >= 0) return forced;
        only = byte;
        next = after;
      }
      if (only < 0) break;
      forced.push_back(static_cast<char>(only));
      state = next;
    }
    return forced;
  });
}

LookAhead Engine::look_ahead(StateId state, std::size_t limit, std::size_t kinds) {
  const ByteTrie& trie = vocabulary_->trie.trie();
  return locked([&] { return slm::look_ahead(tables_->recogniser, trie, state, limit, kinds); });
}

OnlyTokens Engine::only_tokens(StateId state, std::size_t limit) {
  const ByteTrie& trie = vocabulary_->trie.trie();
  return locked([&] { return slm::only_tokens(tables_->recogniser, trie, state, limit); });
}

std::vector<Expectation> Engine::expected(StateId state, std::string_view after) {
  return locked([&] { return tables_->recogniser.expected(walk(state, after)); });
}

EngineStats Engine::counted() const {
  const MaskMemo& masks = tables_->masks;
  return {tables_->recogniser.states(), own_bytes(), masks.bytes(), masks.hits(), masks.misses()};
}

EngineStats Engine::stats() const {
  std::lock_guard lock(mutex_);
  return tables_ ? counted() : EngineStats{};
}

bool Engine::is_end_token(TokenId token) const noexcept {
  return std::find(end_tokens_.begin(), end_tokens_.end(), token) != end_tokens_.end();
}

}  // namespace slm

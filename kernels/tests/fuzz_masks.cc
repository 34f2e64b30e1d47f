// Fuzz target: a grammar, a vocabulary, and what a server might ask of them in any order.
//
// Held after every step: `fill_mask` has the bits of `walk_mask` and of every token asked alone; no
// mask is empty; the end is reachable; a token is accepted if and only if its bit is set; rollback
// and fork give the same masks again; the text may end if and only if the definition of the grammar
// says so; a second engine that meets the states in another order says the same; from the fewest
// tokens on, masks under a budget end in time.
#include <algorithm>
#include <memory>
#include <unordered_set>

#include "core/engine.h"
#include "core/error.h"
#include "core/session.h"
#include "tests/fuzz_input.h"
#include "tests/fuzz_oracle.h"

namespace slm::fuzz {
namespace {

using Row = std::vector<std::uint32_t>;

constexpr std::size_t kMaxStates = 40'000;  // past that an input is only slow
constexpr int kMaxActions = 48;

bool has(const Row& row, TokenId token) { return (row[token >> 5] >> (token & 31) & 1) != 0; }

std::vector<TokenId> allowed(const Row& row) {
  std::vector<TokenId> tokens;
  for (std::size_t w = 0; w < row.size(); ++w) {
    for (std::uint32_t bits = row[w]; bits != 0; bits &= bits - 1) {
      tokens.push_back(static_cast<TokenId>(w * 32 + std::countr_zero(bits)));
    }
  }
  return tokens;
}

/// A session, the text it should have, and the masks on the way there.
struct Track {
  Session session;
  std::string text;
  std::vector<TokenId> tokens;
  std::vector<Row> masks;  // before each of the tokens
};

class Run {
 public:
  Run(Source& in, Input input) : in_(in), input_(std::move(input)) {}

  void run() {
    try {
      slm::Program program(input_.words);
      auto tables = std::make_shared<VocabularyTables>(input_.tokens.bytes);
      engine_ = std::make_shared<Engine>(program, tables, input_.tokens.ends);
      row_words_ = (input_.tokens.bytes.size() + 31) / 32;
      tracks_.push_back({Session(engine_), {}, {}, {}});
      for (int left = kMaxActions; left > 0 && !in_.done() && small(); --left) act();
      if (small()) judge_samples();
      // The same states, last first, by a twin that begins with them.
      Engine twin(program, tables, input_.tokens.ends);
      for (auto seen = seen_.rbegin(); seen != seen_.rend(); ++seen) ask_twin(twin, *seen);
    } catch (const TooComplex&) {
    } catch (const NoText&) {
    }
  }

 private:
  struct Seen {
    std::string text;
    Row mask;
    bool can_end;
  };

  [[noreturn]] void failed(const std::string& kind, const std::string& more) {
    std::string text = tracks_.empty() ? "" : tracks_[now_].text;
    std::string tokens;
    for (TokenId t = 0; t < input_.tokens.bytes.size() && t < 400; ++t) {
      if (t >= 256 || !input_.tokens.spells_anything) {
        tokens += describe(input_.tokens.bytes[t]) + " ";
      }
    }
    fail(kind, more + "\n  after " + describe(text) + "\n" + describe(input_.program) +
                   remembered() + "  " + std::to_string(input_.tokens.bytes.size()) +
                   " tokens, after the bytes: " + tokens);
  }
  std::string remembered() const {
    if (!input_.remembers) return "";
    std::string words = "  with its memory: [";
    for (std::int32_t word : input_.words) words += std::to_string(word) + ",";
    return words + "]\n";
  }
  std::string name(TokenId token) {
    return "token " + std::to_string(token) + " " + describe(input_.tokens.bytes[token]);
  }
  bool small() {
    return engine_->stats().states < kMaxStates && (tracks_.empty() || track().text.size() < 160);
  }
  Track& track() { return tracks_[now_]; }

  Row mask() {
    Row row(row_words_, 0xDEADBEEF);
    track().session.fill_mask(row);
    return row;
  }

  void same(const Row& row, const Row& other, const char* kind) {
    if (row == other) return;
    std::string tokens;
    for (TokenId t = 0; t < input_.tokens.bytes.size(); ++t) {
      if (has(row, t) != has(other, t)) tokens += name(t) + (has(row, t) ? " set; " : " not; ");
    }
    failed(kind, tokens.substr(0, 2000));
  }

  /// The mask of the track, held against all that defines it.
  Row checked_mask() {
    Row row = mask();
    Session& session = track().session;
    if (session.is_finished()) {
      Row ends(row_words_, 0);
      for (TokenId t : input_.tokens.ends) ends[t >> 5] |= 1u << (t & 31);
      same(row, ends, "after the end only end tokens are allowed");
      return row;
    }
    Row walked(row_words_, 0xDEADBEEF);
    engine_->walk_mask(session.state(), walked);
    same(row, walked, "fill_mask is not walk_mask");
    Row again(row_words_, 0xDEADBEEF);
    if (session.try_fill_mask(again)) same(again, row, "try_fill_mask is not fill_mask");
    bool ends = session.is_complete();
    std::size_t count = input_.tokens.bytes.size();
    std::size_t stride = count > 500 ? 7 : 1, from = count > 500 ? track().text.size() % 7 : 0;
    for (std::size_t t = from; t < count; t += stride)
      check_bit(static_cast<TokenId>(t), row, ends);
    bool empty = std::all_of(row.begin(), row.end(), [](std::uint32_t w) { return w == 0; });
    if (empty && never_stuck()) failed("an empty mask", "");
    judge(track().text, ends);
    if (seen_.size() < 40) seen_.push_back({track().text, row, ends});
    return row;
  }

  void check_bit(TokenId token, const Row& row, bool ends) {
    const std::string& bytes = input_.tokens.bytes[token];
    bool viable =
        !bytes.empty() && engine_->viable_length(track().session.state(), bytes) == bytes.size();
    if (engine_->is_end_token(token)) viable = ends;
    if (viable != has(row, token)) failed("a bit is not what its token alone says", name(token));
  }

  bool never_stuck() const { return input_.tokens.spells_anything && !input_.longest; }

  /// Whether the text is in the language, by definition.
  void judge(const std::string& text, bool ends) {
    if (text.size() > 40) return;
    Oracle oracle(input_.program);
    bool right = oracle.derives(text) && (!input_.remembers || input_.remembers(text));
    if (right != ends) {
      failed(ends ? "the engine accepts what is not in the language"
                  : "the engine rejects what is in the language",
             describe(text));
    }
  }

  /// Texts that may be in the language: exactly those are accepted, whole.
  void judge_samples() {
    Random random(in_.word() + 1);
    for (int left = 12; left > 0 && small(); --left) {
      std::string text = sample(input_.program, random);
      if (text.size() > 60) continue;
      StateId state = engine_->step(engine_->start(), text);
      bool ends = state != kDead && engine_->can_end(state);
      if (text.size() <= 40) judge(text, ends);
    }
  }

  void ask_twin(Engine& twin, const Seen& seen) {
    StateId state = twin.step(twin.start(), seen.text);
    if (state == kDead) failed("a twin has no such text", describe(seen.text));
    Row row(row_words_, 0xDEADBEEF);
    twin.fill_mask(state, row);
    same(row, seen.mask, "the mask depends on the order of questions");
    if (twin.can_end(state) != seen.can_end) failed("a twin ends elsewhere", describe(seen.text));
  }

  void accept(TokenId token, const Row& before) {
    Session& session = track().session;
    StateId state = session.state();
    bool finished = session.is_finished(), should = has(before, token);
    if (session.accept(token) != should) {
      failed(should ? "an allowed token is not accepted" : "a forbidden token is accepted",
             name(token));
    }
    if (!should) {
      if (session.state() != state || session.is_finished() != finished) {
        failed("a refused token changed something", name(token));
      }
      same(mask(), before, "a refused token changed the mask");
      return;
    }
    if (finished) return;  // a further end token is taken, and changes nothing
    track().masks.push_back(before);
    track().tokens.push_back(token);
    if (!engine_->is_end_token(token)) track().text += input_.tokens.bytes[token];
  }

  void rollback(std::size_t count) {
    Track& t = track();
    bool can = count <= t.tokens.size();
    if (t.session.rollback(count) != can) failed("a wrong answer of rollback", "");
    if (!can) return;
    for (std::size_t left = count; left > 0; --left) {
      if (!engine_->is_end_token(t.tokens.back())) {
        t.text.resize(t.text.size() - input_.tokens.bytes[t.tokens.back()].size());
      }
      if (left == 1) same(mask(), t.masks.back(), "rollback gives another mask");
      t.tokens.pop_back();
      t.masks.pop_back();
    }
  }

  /// What is forced has no alternative, and every continuation begins with it.
  void check_forced() {
    StateId state = track().session.state();
    std::string forced = engine_->forced_bytes(state, 6);
    if (forced.size() > 6) failed("more bytes are forced than were asked for", describe(forced));
    for (std::size_t at = 0; at < std::min<std::size_t>(forced.size(), 2); ++at) {
      StateId here = engine_->step(state, forced.substr(0, at));
      if (engine_->can_end(here)) failed("bytes are forced where the text may end", "");
      for (int b = 0; b < 256; ++b) {
        std::string byte(1, static_cast<char>(b));
        bool lives = engine_->step(here, byte) != kDead;
        if (lives != (byte[0] == forced[at])) failed("a forced byte has an alternative", byte);
      }
    }
    if (forced.size() < 6 && never_stuck()) {
      StateId here = engine_->step(state, forced);
      int ways = engine_->can_end(here) ? 2 : 0;
      for (int b = 0; b < 256; ++b) {
        ways += engine_->step(here, std::string(1, static_cast<char>(b))) != kDead;
      }
      if (ways < 2) failed("a byte is forced and not said to be", describe(forced));
    }
  }

  /// All states from here, as far as they are few: one of them is an end.
  void check_end_reachable() {
    if (!never_stuck()) return;
    StateId start = track().session.state();
    std::vector<StateId> todo{start};
    std::unordered_set<StateId> seen{start};
    for (std::size_t at = 0; at < todo.size(); ++at) {
      if (engine_->can_end(todo[at]) || at > 1500) return;
      for (int b = 0; b < 256; ++b) {
        StateId next = engine_->step(todo[at], std::string(1, static_cast<char>(b)));
        if (next != kDead && seen.insert(next).second) todo.push_back(next);
      }
    }
    failed("no end can be reached", "");
  }

  /// From the fewest tokens on, whatever a mask under the budget allows leads to an end in time;
  /// what it allows is what the states after the tokens say, asked alone.
  void check_budgets() {
    constexpr Cost kMany = 24;
    Session session = track().session;
    TokensLeft left = session.tokens_left();
    if (!never_stuck() || left.tokens > kMany) return;
    if (left.exact && left.tokens > 0 && session.fits(left.tokens - 1)) {
      failed("fewer tokens than the fewest fit", std::to_string(left.tokens));
    }
    Cost budget = left.tokens + track().text.size() % 2;
    for (Row row(row_words_), plain(row_words_);; --budget) {
      session.fill_mask_within(row, budget);
      session.fill_mask(plain);
      std::vector<TokenId> fitting = allowed(row);
      if (fitting.empty()) failed("nothing fits into the fewest tokens", std::to_string(budget));
      std::size_t some = input_.remembers ? 12 : 50;  // beside a memory each is a search
      std::size_t count = input_.tokens.bytes.size(), stride = count > 100 ? count / some : 1;
      bool all = left.exact && !input_.remembers;  // beside a memory: only some way, near the end
      for (std::size_t t = budget % stride; t < count; t += stride) {
        TokenId token = static_cast<TokenId>(t);
        if (has(row, token) && !has(plain, token)) failed("a forbidden token fits", name(token));
        if (!has(plain, token) || engine_->is_end_token(token)) continue;
        if (!all && !has(row, token)) continue;
        StateId after = engine_->step(session.state(), input_.tokens.bytes[t]);
        bool fits = budget > 0 && engine_->fits(after, budget - 1);
        if (fits != has(row, token)) failed("a mask under a budget is not what fits", name(token));
      }
      TokenId token = fitting[(budget * 7 + track().text.size()) % fitting.size()];
      if (engine_->is_end_token(token)) break;
      if (budget == 0) failed("a token fits into a budget of none", name(token));
      if (!session.accept(token)) failed("what fits is not accepted", name(token));
    }
  }

  void act() {
    std::uint32_t kind = in_.below(14);
    switch (kind) {
      case 0:
        rollback(in_.below(4));
        break;
      case 1:
        if (tracks_.size() < 4) tracks_.push_back(track());
        now_ = in_.below(tracks_.size());
        break;
      case 2:
        if (!track().session.is_finished()) check_forced();
        break;
      case 3:
        check_end_reachable();
        break;
      case 4: {  // any token, mostly forbidden
        TokenId token = in_.word() % static_cast<TokenId>(input_.tokens.bytes.size());
        accept(token, mask());
        break;
      }
      case 5: {
        for (TokenId end : input_.tokens.ends) accept(end, mask());
        if (track().session.is_finished()) {
          checked_mask();
          rollback(1);
        }
        break;
      }
      case 6:
        if (!track().session.is_finished()) {
          (void)engine_->expected(track().session.state(), "");
          check_budgets();
        }
        break;
      default: {
        Row row = checked_mask();
        std::vector<TokenId> tokens = allowed(row);
        if (tokens.empty()) break;
        TokenId token = tokens[in_.word() % tokens.size()];
        if (kind >= 11) {  // a long one
          for (std::size_t i = 0; i < tokens.size(); ++i) {
            TokenId other = tokens[(i + token) % tokens.size()];
            bool longer = input_.tokens.bytes[other].size() > input_.tokens.bytes[token].size();
            if (longer) token = other;
            if (i > 40) break;
          }
        }
        if (engine_->is_end_token(token) && tokens.size() > 1 && in_.below(4) != 3) break;
        accept(token, row);
        break;
      }
    }
  }

  Source& in_;
  Input input_;
  std::shared_ptr<Engine> engine_;
  std::size_t row_words_ = 0;
  std::vector<Track> tracks_;
  std::size_t now_ = 0;
  std::vector<Seen> seen_;
};

}  // namespace

void run_sessions(Source& in, Input input) { Run(in, std::move(input)).run(); }

void fuzz_masks(std::span<const std::uint8_t> data) {
  Source in(data);
  Input input = read_input(in);
  run_sessions(in, std::move(input));
}

}  // namespace slm::fuzz

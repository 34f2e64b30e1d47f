// Tests of what a text still costs, in bytes and in tokens, against searches that try everything.
#include <algorithm>
#include <bitset>
#include <map>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <unordered_map>
#include <vector>

#include "core/earley.h"
#include "core/engine.h"
#include "core/error.h"
#include "core/phases.h"
#include "core/session.h"
#include "tests/check.h"
#include "tests/programs.h"

namespace {

using namespace slm;
using namespace slm::tests;

/// The fewest tokens that write a text; nothing if none do.
std::optional<std::uint32_t> fewest_to_write(const std::vector<std::string>& tokens,
                                             const std::string& text) {
  std::vector<std::optional<std::uint32_t>> best(text.size() + 1);
  best[0] = 0;
  for (std::size_t at = 0; at < text.size(); ++at) {
    if (!best[at]) continue;
    for (const std::string& token : tokens) {
      if (token.empty() || text.compare(at, token.size(), token) != 0) continue;
      std::optional<std::uint32_t>& end = best[at + token.size()];
      if (!end || *best[at] + 1 < *end) end = *best[at] + 1;
    }
  }
  return best[text.size()];
}

std::vector<std::string> random_tokens(std::mt19937& random) {
  std::vector<std::string> tokens{"a", "b", "c"};
  for (unsigned n = random() % 10; n > 0; --n) {
    std::string token;
    for (unsigned k = 1 + random() % 5; k > 0; --k) token += static_cast<char>('a' + random() % 3);
    tokens.push_back(token);
  }
  tokens.push_back("");
  return tokens;
}

/// A detour is what the worst rest of a token takes; phases follow the trie.
void test_detours() {
  std::mt19937 random(11);
  for (int round = 0; round < 300; ++round) {
    std::vector<std::string> tokens = random_tokens(random);
    TokenTrie trie(tokens);
    TokenPhases phases(trie);
    phases.measure();
    std::map<std::string, std::uint32_t> worst;  // by what was written of a token
    for (const std::string& token : tokens) {
      for (std::size_t at = 1; at < token.size(); ++at) {
        std::uint32_t& known = worst[token.substr(0, at)];
        std::optional<std::uint32_t> rest = fewest_to_write(tokens, token.substr(at));
        CHECK(rest.has_value());
        known = std::max({known, 1u, *rest});
      }
    }
    std::map<char, std::uint32_t> by_last;
    for (const auto& [begun, detour] : worst) {
      Phase phase = kBetween;
      for (char c : begun) phase = phases.step(phase, static_cast<std::uint8_t>(c));
      CHECK(phase != kBetween && phases.goes_on(phase) && phases.detour(phase) == detour);
      bool token = std::find(tokens.begin(), tokens.end(), begun) != tokens.end();
      CHECK(phases.ends_token(phase) == token);
      CHECK(phases.step(phase, 'd') == kBetween);
      std::uint32_t& last = by_last[begun.back()];
      last = std::max(last, detour);
    }
    for (auto [last, detour] : by_last) {
      std::bitset<256> only;
      only.set(static_cast<std::uint8_t>(last));
      CHECK(phases.worst_detour(only) == detour);
    }
  }
}

/// A grammar of two rules over three terminals, all of random shape.
std::vector<std::int32_t> random_program(std::mt19937& random) {
  auto below = [&](std::size_t n) { return static_cast<std::int32_t>(random() % n); };
  std::vector<std::int32_t> words;
  auto put = [&](std::initializer_list<std::int32_t> more) {
    for (std::int32_t word : more) words.push_back(word);
  };
  put({3, 1, 'a', 'a', 1, 'b', 'b', 1, 'a', 'c'});  // sets
  put({2});                                         // rules
  std::int32_t regular = 3 + below(6);
  put({regular});
  auto many = [&](std::int32_t op, std::int32_t made) {
    std::int32_t low = below(3);
    put({op, below(static_cast<std::size_t>(made)), low, below(2) == 0 ? -1 : low + below(4)});
  };
  auto pair = [&](std::int32_t op, std::int32_t made) {
    auto size = static_cast<std::size_t>(made);
    put({op, 2, below(size), below(size)});
  };
  for (std::int32_t made = 0; made < regular; ++made) {
    if (made < 3) {
      put({0, made});
    } else if (below(3) == 0) {
      many(4, made);
    } else {
      pair(below(2) == 0 ? 2 : 3, made);
    }
  }
  put({3});
  for (int i = 0; i < 3; ++i) put({below(static_cast<std::size_t>(regular)), 0});
  std::int32_t expressions = 6 + below(6);
  put({expressions});
  for (std::int32_t i = 0; i < 3; ++i) put({8, i});
  for (std::int32_t i = 0; i < 2; ++i) put({9, i});
  // Later ones are made of all before, the terminals and calls among them.
  for (std::int32_t made = 5; made < expressions; ++made) {
    if (below(4) == 0) {
      std::int32_t low = below(3), body = regular + below(static_cast<std::size_t>(made));
      put({12, body, low, below(2) == 0 ? -1 : low + below(4)});
    } else {
      std::int32_t first = regular + below(static_cast<std::size_t>(made));
      std::int32_t second = regular + below(static_cast<std::size_t>(made));
      put({below(2) == 0 ? 10 : 11, 2, first, second});
    }
  }
  put({regular + expressions - 1, regular + 5, 0});
  return words;
}

/// Distances to the end over all states that can be reached, by breadth; nothing if those are many.
class Distances {
 public:
  Distances(Recogniser& recogniser, std::vector<std::string> moves)
      : recogniser_(recogniser), moves_(std::move(moves)) {}

  StateId after(StateId state, const std::string& bytes) {
    for (char c : bytes) {
      if (state != kDead) state = recogniser_.step(state, static_cast<std::uint8_t>(c));
    }
    return state;
  }
  /// 0 to `most`, or most + 1 for more than that.
  std::optional<Cost> from(StateId root, Cost most) {
    std::vector<StateId> now{root};
    std::unordered_map<StateId, bool> seen{{root, true}};
    for (Cost cost = 0; cost <= most; ++cost) {
      std::vector<StateId> next;
      for (StateId state : now) {
        if (recogniser_.can_end(state)) return cost;
        for (const std::string& move : moves_) {
          if (move.empty()) continue;
          StateId to = after(state, move);
          if (to != kDead && seen.emplace(to, true).second) next.push_back(to);
        }
      }
      if (seen.size() > 4000) return std::nullopt;
      now = std::move(next);
    }
    return most + 1;
  }

 private:
  Recogniser& recogniser_;
  std::vector<std::string> moves_;
};

/// Least bytes, least tokens under a limit, and their lower bounds, along random walks.
void test_costs_of_states() {
  std::mt19937 random(12);
  int judged = 0;
  for (int round = 0; round < 400; ++round) {
    std::vector<std::int32_t> words = random_program(random);
    std::vector<std::string> tokens = random_tokens(random);
    VocabularyTables vocabulary(tokens);
    try {
      EarleyRecogniser recogniser{Program(words), vocabulary.terminals()};
      Distances bytes(recogniser, {"a", "b", "c"}), whole(recogniser, tokens);
      StateId state = recogniser.start();
      for (int step = 0; step < 6; ++step) {
        if (std::optional<Cost> least = bytes.from(state, 12); least && *least <= 12) {
          CHECK(recogniser.completion(state).bytes == *least);
          ++judged;
        }
        constexpr Cost kLimit = 6;
        vocabulary.phases.measure();
        std::optional<Cost> left =
            recogniser.tokens_to_end(state, vocabulary.phases, kLimit, false);
        std::optional<Cost> bound =
            recogniser.tokens_to_end(state, vocabulary.phases, kLimit, true);
        if (std::optional<Cost> least = whole.from(state, kLimit); least && left) {
          CHECK(*least <= kLimit ? *left == *least : *left >= kInfiniteCost);
          CHECK(!bound || *bound <= *left);
          ++judged;
        }
        StateId next = whole.after(state, tokens[random() % (tokens.size() - 1)]);
        if (next != kDead) state = next;
      }
    } catch (const NoText&) {
    }
  }
  CHECK(judged > 1000);
}

/// Masks under budgets on a random walk have the tokens after which a search finds an end in time,
/// and no others. Counts what could be judged.
int judge_masks(const std::vector<std::int32_t>& words, const std::vector<std::string>& tokens,
                const std::shared_ptr<VocabularyTables>& vocabulary, std::mt19937& random) {
  constexpr Cost kMost = 7;
  auto end = static_cast<TokenId>(tokens.size() - 1);
  Session session(std::make_shared<Engine>(Program(words), vocabulary, std::vector{end}));
  EarleyRecogniser recogniser{Program(words), vocabulary->terminals()};  // numbers of its own
  Distances whole(recogniser, tokens);
  StateId state = recogniser.start();
  int judged = 0;
  for (int step = 0; step < 6; ++step) {
    std::optional<Cost> least = whole.from(state, kMost);
    TokensLeft left = session.tokens_left();
    if (least && left.exact) CHECK(*least <= kMost ? left.tokens == *least : left.tokens > kMost);
    if (least) CHECK(left.tokens >= *least);
    for (Cost budget = 0; budget < 5; ++budget) {
      std::vector<std::uint32_t> row((tokens.size() + 31) / 32);
      session.fill_mask_within(row, budget);
      if (least) CHECK(session.fits(budget) == (*least <= budget) || !left.exact);
      for (TokenId token = 0; token < tokens.size(); ++token) {
        bool allowed = (row[token >> 5] >> (token & 31) & 1) != 0;
        if (token == end) {
          CHECK(allowed == recogniser.can_end(state));
          continue;
        }
        StateId next = whole.after(state, tokens[token]);
        std::optional<Cost> rest = next == kDead ? kInfiniteCost : whole.from(next, kMost);
        if (!rest) continue;
        CHECK(allowed == (*rest + 1 <= budget));
        ++judged;
      }
    }
    TokenId token = random() % end;
    if (session.accept(token)) state = whole.after(state, tokens[token]);
  }
  return judged;
}

void test_masks_under_budgets() {
  std::mt19937 random(13);
  int judged = 0;
  for (int round = 0; round < 300; ++round) {
    std::vector<std::int32_t> words = random_program(random);
    std::vector<std::string> tokens = random_tokens(random);
    try {
      judged += judge_masks(words, tokens, std::make_shared<VocabularyTables>(tokens), random);
    } catch (const NoText&) {
    }
  }
  CHECK(judged > 10'000);
}

/// Loops with counters over rounds that can be told apart, what follows them, and more of them.
std::vector<std::int32_t> random_loops(std::mt19937& random) {
  auto below = [&](int n) {
    return static_cast<std::int32_t>(random() % static_cast<unsigned>(n));
  };
  std::vector<std::int32_t> words, nodes;
  auto put = [](std::vector<std::int32_t>& to, std::initializer_list<std::int32_t> more) {
    to.insert(to.end(), more.begin(), more.end());
  };
  put(words, {6, 1, 'a', 'a', 1, 'b', 'b', 1, 'c', 'c', 1, 'd', 'd', 1, 'a', 'b'});
  put(words, {3, 'a', 'b', 0xE9, 0xE9, 0x4E00, 0x4E00});
  std::int32_t count = 0;
  auto node = [&](std::initializer_list<std::int32_t> more) {
    put(nodes, more);
    return count++;
  };
  for (std::int32_t set = 0; set < 6; ++set) node({0, set});
  auto repeat = [&](std::int32_t body, std::int32_t most) {
    std::int32_t low = below(most);
    std::int32_t high = below(3) == 0 ? -1 : low + (below(2) == 0 ? 0 : below(most));
    return node({4, body, low, high});
  };
  auto loop = [&](std::int32_t most) {
    std::int32_t body = 4 + below(2);
    switch (below(6)) {
      case 0:  // ab|cd
        body = node({2, 2, 0, 1});
        return repeat(node({3, 2, body, node({2, 2, 2, 3})}), most);
      case 1:  // a|b[ab]
        body = node({2, 2, 1, 4});
        return repeat(node({3, 2, 0, body}), most);
      case 2:  // [ab]{3}c, whose rounds begin with a loop
        body = node({4, 4, 3, 3});
        return repeat(node({2, 2, body, 2}), most);
      case 3:  // (a*)b, whose rounds are no prefix code
        body = node({4, 0, 0, -1});
        return repeat(node({2, 2, body, 1}), most);
      default:
        return repeat(body, most);
    }
  };
  std::vector<std::int32_t> terminals{loop(24)};
  for (int more = 1 + below(2); more > 0; --more) {
    std::int32_t tail = 2 + below(2);
    switch (below(4)) {
      case 0:
        break;
      case 1:
        tail = node({2, 2, tail, loop(9)});
        break;
      case 2:  // the loop again, any number of times, which leads back into it
        tail = repeat(node({2, 2, tail, terminals.front()}), 3);
        break;
      default:
        tail = node({2, 2, tail, repeat(4, 3)});
    }
    terminals.push_back(node({2, 2, loop(24), tail}));
  }
  terminals.push_back(3);
  put(words, {1, count});
  words.insert(words.end(), nodes.begin(), nodes.end());
  put(words, {static_cast<std::int32_t>(terminals.size())});
  for (std::int32_t terminal : terminals) put(words, {terminal, 0});
  std::int32_t all = static_cast<std::int32_t>(terminals.size());
  put(words, {all + 2});
  for (std::int32_t terminal = 0; terminal < all; ++terminal) put(words, {8, terminal});
  std::int32_t first = count + below(all), second = count + below(all);
  put(words, {below(2) == 0 ? 10 : 11, 2, first, second});
  put(words, {12, count + all, 1, below(2) == 0 ? 1 : 3});
  put(words, {count + all + 1, 0});
  return words;
}

std::vector<std::string> loop_tokens(std::mt19937& random) {
  std::vector<std::string> tokens{"a", "b", "c", "d", "\xC3", "\xA9", "\xE4", "\xB8", "\x80"};
  const std::vector<std::string> pieces{"a", "b",        "ab",           "cd",
                                        "c", "\xC3\xA9", "\xE4\xB8\x80", "aac"};
  for (unsigned n = 3 + random() % 20; n > 0; --n) {
    std::string token;
    const std::string& often = pieces[random() % pieces.size()];
    for (unsigned k = 1 + random() % 6; k > 0; --k) {
      token += random() % 2 == 0 ? often : pieces[random() % pieces.size()];
    }
    if (random() % 3 == 0) token.resize(1 + random() % token.size());
    if (random() % 3 == 0) token.erase(0, random() % token.size());
    if (std::ranges::find(tokens, token) == tokens.end()) tokens.push_back(token);
  }
  tokens.push_back("");
  return tokens;
}

/// The same for counters, whose sums must be what a search from place to place finds.
void test_counted_loops(unsigned seed, int rounds) {
  std::mt19937 random(seed);
  int judged = 0;
  for (int round = 0; round < rounds; ++round) {
    std::vector<std::string> tokens = loop_tokens(random);
    auto vocabulary = std::make_shared<VocabularyTables>(tokens);
    for (int grammar = 0; grammar < 2; ++grammar) {  // which know each other's expressions
      std::vector<std::int32_t> words = random_loops(random);
      try {
        judged += judge_masks(words, tokens, vocabulary, random);
      } catch (const NoText&) {
      }
    }
  }
  CHECK(judged > rounds * 50);
}

}  // namespace

/// With two numbers: that many other grammars with counters, by a seed. `cost_tests 5 10000`
int main(int argc, char** argv) {
  if (argc == 3) test_counted_loops(static_cast<unsigned>(std::stoul(argv[1])), std::stoi(argv[2]));
  test_detours();
  test_costs_of_states();
  test_masks_under_budgets();
  test_counted_loops(14, 100);
  if (failures == 0) std::printf("all cost tests passed\n");
  return failures == 0 ? 0 : 1;
}

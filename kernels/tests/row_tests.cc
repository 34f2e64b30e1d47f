// Rows that are put together from shapes, and walks by shape, against the same done item by item
// and byte by byte.
#include <algorithm>
#include <cstdio>
#include <map>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "core/earley.h"
#include "core/engine.h"
#include "core/memory/indentation.h"
#include "core/memory/memory.h"
#include "tests/check.h"
#include "tests/fuzz_input.h"
#include "tests/programs.h"

namespace {

using namespace slm;
using slm::tests::failures;

std::vector<TokenId> sorted(std::vector<TokenId> tokens) {
  std::ranges::sort(tokens);
  tokens.erase(std::unique(tokens.begin(), tokens.end()), tokens.end());
  return tokens;
}

/// What two recognisers of one program say along random texts, one with rows from shapes and walks
/// by shape as often as possible, one with neither: the same tokens; and states that are one for
/// the first are one for the second. Returns how many states were compared.
int compare(const std::vector<std::int32_t>& words, VocabularyTables& vocabulary,
            std::mt19937& random) {
  std::shared_ptr<TerminalTables> terminals = vocabulary.terminals();
  EarleyRecogniser fast{Program(words), terminals}, slow{Program(words), terminals};
  fast.share_walks_from(1);
  if (random() % 4 == 0) fast.keep_walks_within(0);  // each walk finds no tables of earlier ones
  slow.make_rows_by_items();
  const ByteTrie& trie = vocabulary.trie.trie();
  std::map<StateId, StateId> there, back;
  for (int text = 0; text < 6; ++text) {
    StateId one = fast.start(), other = slow.start();
    for (int length = 0; length < 12; ++length) {
      const bool fresh = there.emplace(one, other).second;
      CHECK(there[one] == other);
      CHECK(back.emplace(other, one).first->second == one);
      CHECK(fast.can_end(one) == slow.can_end(other));
      std::vector<TokenId> live, found, plain;
      slow.walk_by_steps(trie, trie.nodes[0].first_child, trie.nodes[0].last_child, other, live);
      if (fresh) {
        for (auto [of, state, into] : {std::tuple{&fast, one, &found}, {&slow, other, &plain}}) {
          of->walk(trie, trie.nodes[0].first_child, trie.nodes[0].last_child, state, *into);
        }
        CHECK(sorted(found) == sorted(live) && sorted(plain) == sorted(live));
        for (const Recogniser::Part& part :
             std::vector<Recogniser::Part>(fast.parts(one).begin(), fast.parts(one).end())) {
          if (part.node == kNothing) continue;
          std::vector<TokenId> by_shape, by_steps;
          fast.walk(trie, trie.nodes[0].first_child, trie.nodes[0].last_child, part.after,
                    by_shape);
          fast.walk_by_steps(trie, trie.nodes[0].first_child, trie.nodes[0].last_child, part.after,
                             by_steps);
          CHECK(sorted(by_shape) == sorted(by_steps));
        }
      }
      if (live.empty()) break;
      for (char c : vocabulary.trie.bytes_of(live[random() % live.size()])) {
        one = fast.step(one, static_cast<std::uint8_t>(c));
        other = slow.step(other, static_cast<std::uint8_t>(c));
      }
    }
  }
  return static_cast<int>(there.size());
}

void test_shapes_change_nothing() {
  std::mt19937 random(5);
  int states = 0;
  VocabularyTables brackets(slm::tests::bracket_tokens());
  states += compare(slm::tests::brackets(), brackets, random);
  for (int round = 0; round < 300; ++round) {
    std::vector<std::uint8_t> bytes(1500);
    for (std::uint8_t& byte : bytes) byte = static_cast<std::uint8_t>(random());
    bytes[0] = static_cast<std::uint8_t>(round % 3 == 0 ? 160 : bytes[0] % 160);  // of many tokens
    fuzz::Source source(bytes);
    const fuzz::Input input = fuzz::read_input(source);
    VocabularyTables vocabulary(input.tokens.bytes);
    try {
      states += compare(input.words, vocabulary, random);
    } catch (const NoText&) {
    } catch (const TooComplex&) {
    }
  }
  CHECK(states > 800);
}

/// The same beside columns: what walks find behind the line breaks within tokens.
void test_shapes_change_no_lines() {
  std::mt19937 random(11);
  int masks = 0;
  for (int round = 0; round < 900; ++round) {
    std::vector<std::uint8_t> bytes(600);
    for (std::uint8_t& byte : bytes) byte = static_cast<std::uint8_t>(random());
    fuzz::Source source(bytes);
    const fuzz::Input input = fuzz::read_memory_input(source);
    const Program program(input.words);
    constexpr auto kIndentation = static_cast<std::uint32_t>(MemoryKind::kIndentation);
    if (program.memory().empty() || program.memory()[0] != kIndentation) continue;
    std::vector<std::string> tokens = input.tokens.bytes;
    for (const char* more : {"\n ", "\n  a", ":\n\t", "a\n", "\n\n  ", "b\na", ":\n  a\nb"}) {
      tokens.emplace_back(more);
    }
    VocabularyTables vocabulary(tokens);
    const ByteTrie& trie = vocabulary.trie.trie();
    auto made = [&](bool by_shapes) {
      auto rules = std::make_unique<EarleyRecogniser>(Program(input.words), vocabulary.terminals());
      by_shapes ? rules->share_walks_from(1) : rules->make_rows_by_items();
      return IndentationRecogniser(std::move(rules));
    };
    try {
      IndentationRecogniser fast = made(true), slow = made(false);
      for (int text = 0; text < 4; ++text) {
        StateId one = fast.start(), other = slow.start();
        for (int length = 0; length < 10; ++length, ++masks) {
          std::vector<TokenId> live, found, plain;
          slow.walk_by_steps(trie, trie.nodes[0].first_child, trie.nodes[0].last_child, other,
                             live);
          for (auto [of, state, into] : {std::tuple{&fast, one, &found}, {&slow, other, &plain}}) {
            of->walk(trie, trie.nodes[0].first_child, trie.nodes[0].last_child, state, *into);
          }
          CHECK(sorted(found) == sorted(live));
          CHECK(sorted(plain) == sorted(live));
          if (live.empty()) break;
          for (char c : vocabulary.trie.bytes_of(live[random() % live.size()])) {
            one = fast.step(one, static_cast<std::uint8_t>(c));
            other = slow.step(other, static_cast<std::uint8_t>(c));
          }
        }
      }
    } catch (const NoText&) {
    } catch (const TooComplex&) {
    }
  }
  CHECK(masks > 3000);
}

/// (T{2,5}){2,4} with T = [a-c]+ "d"?: a word may begin at any place.
std::vector<std::int32_t> words_of_words() {
  return {2, 1, 'a', 'c', 1, 'd', 'd',                                 // sets
          2,                                                           // rules
          5, 0, 0,   4,   0, 1,   -1,  0, 1, 4,  2, 0, 1, 2, 2, 1, 3,  // [a-c]+d?
          1, 4, 0,                                                     // it is the terminal
          4, 8, 0,   12,  5, 2,   5,   9, 1, 12, 7, 2, 4,              // T{2,5}, t, t{2,4}
          8, 6, 0};
}

/// Rules that begin in as much of a row as waits for them allow what they do in whole rows, from
/// fewer states.
void test_rules_begin_in_what_waits() {
  VocabularyTables vocabulary({"a", "b", "c", "d", "ad", "da", "abc", "dad", "cadac", "dd"});
  const ByteTrie& trie = vocabulary.trie.trie();
  std::mt19937 random(3);
  EarleyRecogniser cut{Program(words_of_words()), vocabulary.terminals()},
      whole{Program(words_of_words()), vocabulary.terminals()};
  whole.begin_in_whole_rows();
  for (int text = 0; text < 20; ++text) {
    StateId one = cut.start(), other = whole.start();
    for (int length = 0; length < 40; ++length) {
      std::vector<TokenId> live, found;
      whole.walk_by_steps(trie, trie.nodes[0].first_child, trie.nodes[0].last_child, other, live);
      cut.walk(trie, trie.nodes[0].first_child, trie.nodes[0].last_child, one, found);
      CHECK(sorted(found) == sorted(live));
      CHECK(cut.can_end(one) == whole.can_end(other));
      CHECK(cut.completion(one).bytes == whole.completion(other).bytes);
      if (live.empty()) break;
      for (char c : vocabulary.trie.bytes_of(live[random() % live.size()])) {
        one = cut.step(one, static_cast<std::uint8_t>(c));
        other = whole.step(other, static_cast<std::uint8_t>(c));
      }
    }
  }
  CHECK(2 * cut.states() < whole.states());
}

/// The trie of what is below some nodes has every rest of a token that goes through one of them,
/// once for each, and its invariants.
void test_what_is_below_nodes() {
  std::mt19937 random(9);
  for (int round = 0; round < 60; ++round) {
    std::vector<std::string> tokens;
    for (int i = 0; i < 40; ++i) {
      std::string token;
      for (std::size_t left = 1 + random() % 6; left > 0; --left) {
        token += static_cast<char>('a' + random() % 3);
      }
      tokens.push_back(token);
    }
    const TokenTrie whole(tokens);
    const ByteTrie& trie = whole.trie();
    std::vector<std::string> path(trie.nodes.size());
    for (std::size_t at = 0; at < trie.nodes.size(); ++at) {
      for (std::uint32_t child = trie.nodes[at].first_child; child < trie.nodes[at].last_child;
           ++child) {
        path[child] = path[at] + static_cast<char>(trie.bytes[child]);
      }
    }
    std::vector<std::uint32_t> nodes;
    for (std::uint32_t at = 0; at < trie.nodes.size(); ++at) {
      if (random() % 3 == 0) nodes.push_back(at);
    }
    ByteSet first;
    first.set('a');
    if (round % 2 == 0) first.set('c');
    std::vector<std::pair<std::string, TokenId>> expected, found;
    for (std::uint32_t node : nodes) {
      for (TokenId token = 0; token < tokens.size(); ++token) {
        const std::string& bytes = tokens[token];
        const std::string& through = path[node];
        if (bytes.size() <= through.size() || !bytes.starts_with(through)) continue;
        std::string rest = bytes.substr(through.size());
        if (first[static_cast<std::uint8_t>(rest[0])]) expected.emplace_back(rest, token);
      }
    }
    const ByteTrie below = trie.below_nodes(nodes, first);
    std::vector<std::string> to(below.nodes.size());
    for (std::size_t at = 0; at < below.nodes.size(); ++at) {
      const ByteTrie::Node& node = below.nodes[at];
      for (std::uint32_t t = node.first_token; t < node.last_token; ++t) {
        found.emplace_back(to[at], below.tokens[t]);
      }
      std::uint32_t last = node.last_token;
      for (std::uint32_t child = node.first_child; child < node.last_child; ++child) {
        CHECK(child == node.first_child || below.bytes[child - 1] < below.bytes[child]);
        CHECK(below.nodes[child].first_token == last);
        last = below.nodes[child].subtree_last_token;
        to[child] = to[at] + static_cast<char>(below.bytes[child]);
      }
      CHECK(node.subtree_last_token == last);
      CHECK(below.below[at].whole);  // ASCII
    }
    std::ranges::sort(expected);
    std::ranges::sort(found);
    CHECK(expected == found);
  }
}

}  // namespace

int main() {
  test_what_is_below_nodes();
  test_shapes_change_nothing();
  test_shapes_change_no_lines();
  test_rules_begin_in_what_waits();
  if (failures > 0) std::fprintf(stderr, "%d checks failed\n", failures);
  return failures == 0 ? 0 : 1;
}

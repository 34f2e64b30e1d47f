// Tests of the core that need no Python, so that sanitizers can run them.
//   cmake -S . -B build/tests -DSLM_PYTHON=OFF -DSLM_TESTS=ON -DSLM_SANITIZE=address,undefined
#include <array>
#include <cstdio>
#include <cstdlib>
#include <limits>
#include <random>
#include <string>
#include <thread>

#include "core/engine.h"
#include "core/error.h"
#include "core/flat_map.h"
#include "core/pool.h"
#include "core/regex.h"
#include "core/session.h"
#include "core/verify.h"
#include "tests/check.h"

namespace {

using namespace slm;
using slm::tests::failures;

bool matches(RegexPool& pool, NodeId node, const std::string& text) {
  for (char c : text) node = pool.step(node, static_cast<std::uint8_t>(c));
  return pool.nullable(node);
}

NodeId text(RegexPool& pool, const std::string& ascii) {
  std::vector<NodeId> parts;
  for (char c : ascii) {
    auto point = static_cast<std::uint32_t>(static_cast<unsigned char>(c));
    parts.push_back(pool.chars({{point, point}}));
  }
  return pool.concat(parts);
}

/// A table that is being moved has all that was put into it, each once, and nothing else.
void test_tables_move_a_few_slots_at_a_time() {
  FlatMap map;
  SequencePool pool;
  for (std::uint32_t i = 0; i < 60'000; ++i) {
    map.insert(std::uint64_t{i} * 7919, i);
    CHECK(pool.intern(std::array<std::uint32_t, 3>{i, i / 3, 5}) == i);
    if (i % 97 != 0) continue;
    for (std::uint32_t k : {0u, i / 3, i / 2, i}) {
      CHECK(map.find(std::uint64_t{k} * 7919) == k);
      CHECK(pool.intern(std::array<std::uint32_t, 3>{k, k / 3, 5}) == k);
    }
    CHECK(map.find(std::uint64_t{i} * 7919 + 1) == FlatMap::kAbsent);
  }
  CHECK(map.size() == 60'000 && pool.size() == 60'000);
  map.clear();
  CHECK(map.find(0) == FlatMap::kAbsent && map.size() == 0);
}

/// Digits that make a multiple: a state lives if and only if some digits more do, the fewest of
/// them are as many as trying all finds, and what they make is a multiple.
void test_remainders_need_no_table() {
  RegexPool pool;
  const std::string digits = "0123456789";
  for (std::uint64_t modulus : {1u, 7u, 12u, 999u}) {
    for (std::int32_t most : {0, 1, 2, 3}) {
      for (std::uint64_t rest = 0; rest < modulus; ++rest) {
        NodeId node = pool.multiple(modulus, rest, most);
        std::int32_t fewest = -1;
        std::uint64_t unit = 1;
        for (std::int32_t more = 0; more <= most && fewest < 0; ++more, unit *= 10) {
          std::uint64_t last = rest * unit + unit - 1;  // the largest of so many digits
          if (last - last % modulus >= rest * unit) fewest = more;
        }
        CHECK((node == kNothing) == (fewest < 0));
        CHECK(pool.nullable(node) == (rest == 0));
        std::uint64_t made = rest;
        for (std::int32_t left = fewest; left > 0; --left) {
          std::size_t next = 0;
          for (std::size_t d = 0; d < 10; ++d) {
            NodeId after = pool.step(node, static_cast<std::uint8_t>(digits[d]));
            NodeId same =
                pool.multiple(modulus, (made * 10 + d) % modulus, most - 1 - (fewest - left));
            CHECK(after == same);
            if (after != kNothing) next = d;
          }
          node = pool.step(node, static_cast<std::uint8_t>(digits[next]));
          made = made * 10 + next;
        }
        if (fewest > 0 && most == fewest) CHECK(made % modulus == 0 && pool.nullable(node));
      }
    }
  }
  std::uint64_t large = 999'999'999'999'999'989u;  // no product of a rest and ten is too large
  NodeId node = pool.multiple(large, large - 1, 308);
  CHECK(node != kNothing && pool.step(node, 'x') == kNothing);
  for (int digit = 0; digit < 308; ++digit) node = pool.step(node, '9');
  bool refused = false;
  try {
    pool.multiple(0, 0, 1);
  } catch (const TooComplex&) {
    refused = true;
  }
  CHECK(refused);
}

void test_code_points_are_utf8() {
  RegexPool pool;
  NodeId any = pool.chars({{0, 0xD7FF}, {0xE000, 0x10FFFF}});
  for (const char* one : {"a", "\xC3\xA9", "\xE2\x82\xAC", "\xF0\x9F\x98\x80"}) {
    CHECK(matches(pool, any, one));
  }
  // Overlong, surrogate, too large, lone continuation.
  for (const char* bad : {"\xC0\x80", "\xE0\x80\x80", "\xED\xA0\x80", "\xF4\x90\x80\x80", "\x80"}) {
    CHECK(!matches(pool, any, bad));
  }
  NodeId euro = pool.chars({{0x20AC, 0x20AC}});
  CHECK(matches(pool, euro, "\xE2\x82\xAC"));
  CHECK(!matches(pool, euro, "\xE2\x82\xAD"));
}

void test_counters_do_not_copy() {
  RegexPool pool;
  NodeId a = text(pool, "a");
  std::size_t before = pool.size();
  NodeId many = pool.repeat(a, 3, 1'000'000);
  CHECK(pool.size() == before + 1);
  CHECK(!matches(pool, many, "aa"));
  CHECK(matches(pool, many, std::string(1000, 'a')));
  constexpr std::int32_t largest = std::numeric_limits<std::int32_t>::max();
  NodeId either = pool.alternate({pool.repeat(a, 0, largest), pool.repeat(a, 3, largest)});
  CHECK(either == pool.repeat(a, 0, largest));
}

void test_what_is_struck_is_seen_by_its_form() {
  RegexPool pool;
  NodeId any = pool.chars({{0, 0xD7FF}, {0xE000, 0x10FFFF}});
  NodeId anything = pool.repeat(any, 0, kNoBound);
  NodeId holds_na = pool.concat(std::vector<NodeId>{anything, text(pool, "na"), anything});
  NodeId node = pool.intersect({anything, pool.repeat(any, 3, 100'000), pool.complement(holds_na)});
  for (char c : std::string("xn")) node = pool.step(node, static_cast<std::uint8_t>(c));
  CHECK(pool.alive(node));
  CHECK(pool.step(node, 'a') == kNothing);
  CHECK(pool.size() < 200);  // nothing was searched
}

void test_what_can_grow_stays_alive() {
  RegexPool pool;
  NodeId any = pool.chars({{0, 0xD7FF}, {0xE000, 0x10FFFF}});
  NodeId anything = pool.repeat(any, 0, kNoBound);
  NodeId word = pool.repeat(pool.chars({{'a', 'z'}}), 1, kNoBound);
  auto living = [&](NodeId node, char c) {
    return pool.living(node, 16).has(static_cast<std::uint8_t>(c));
  };
  NodeId not_word = pool.intersect({anything, pool.complement(word)});
  CHECK(living(not_word, 'a'));  // a '!' gets away from it
  NodeId bounded = pool.intersect({pool.concat(word, text(pool, ".")), pool.repeat(any, 0, 40)});
  CHECK(living(bounded, 'a'));
  CHECK(!living(bounded, '.'));
  NodeId short_one = pool.intersect({pool.concat(word, text(pool, ".")), pool.repeat(any, 0, 10)});
  CHECK(!living(short_one, 'a'));
  NodeId only_words = pool.intersect({word, pool.complement(text(pool, "abc"))});
  CHECK(living(only_words, 'z'));
  NodeId closed = pool.intersect({pool.repeat(text(pool, "a"), 0, kNoBound),
                                  pool.complement(pool.repeat(text(pool, "a"), 2, kNoBound))});
  CHECK(!living(closed, 'a'));
  const std::uint32_t dfa = pool.new_dfa(2);  // [a-c]*d, where an edge leads back
  const NodeId back = pool.chars({{'a', 'c'}}), out = text(pool, "d");
  pool.set_dfa_state(dfa, 1, true, {});
  pool.set_dfa_state(dfa, 0, false, {{{back, 0}, {out, 1}}});
  CHECK(living(pool.dfa_state(dfa, 0), 'b'));
  CHECK(!living(pool.dfa_state(dfa, 0), 'd'));
  CHECK(!living(pool.dfa_state(dfa, 1), 'b'));
}

/// Letters that lead from each beginning of a word to others are living in all of these states; a
/// state that only repeats a class is a repetition, and so the same one in all automata.
void test_letters_live_in_an_automaton_of_words() {
  RegexPool pool;
  const NodeId letters = pool.chars({{'a', 'z'}}), digits = pool.chars({{'0', '9'}});
  const NodeId but_f = pool.chars({{'a', 'e'}, {'g', 'z'}}), f = pool.chars({{'f', 'f'}});
  const NodeId but_i = pool.chars({{'a', 'h'}, {'j', 'z'}}), i = pool.chars({{'i', 'i'}});
  auto words = [&](NodeId behind) {  // names that are not `if`, and a digit by itself
    const std::uint32_t dfa = pool.new_dfa(5);
    using Edges = std::vector<std::pair<NodeId, std::uint32_t>>;
    pool.set_dfa_state(dfa, 0, false, Edges{{but_i, 3}, {i, 1}, {digits, 4}});
    pool.set_dfa_state(dfa, 1, true, Edges{{but_f, 3}, {f, 2}});
    pool.set_dfa_state(dfa, 2, false, Edges{{letters, 3}});
    pool.set_dfa_state(dfa, 3, true, Edges{{letters, 3}});
    pool.set_dfa_state(dfa, 4, true, Edges{{behind, 4}, {letters, 2}});
    return pool.dfa_state(dfa, 0);
  };
  auto after = [&](NodeId node, const std::string& text) {
    for (char c : text) node = pool.step(node, static_cast<std::uint8_t>(c));
    return node;
  };
  const NodeId node = words(pool.chars({{'.', '.'}}));
  CHECK(pool.living(node, 16).has('z'));
  CHECK(!pool.living(node, 16).has('0'));  // nothing follows it but letters and points
  CHECK(pool.living(after(node, "i"), 16).has('f'));
  CHECK(pool.living(after(node, "if"), 16).has('f'));
  CHECK(!pool.nullable(after(node, "if")));
  CHECK(pool.living(after(node, "0"), 16).has('a'));
  CHECK(after(node, "ab") == after(words(letters), "ifx"));
  CHECK(after(node, "ab") == pool.repeat(letters, 0, kNoBound));
}

/// A class does not live where it leads to a state without an end.
void test_letters_do_not_live_where_they_lead_to_no_end() {
  RegexPool pool;
  const NodeId a = pool.chars({{'a', 'a'}}), b = pool.chars({{'b', 'b'}});
  const std::uint32_t dfa = pool.new_dfa(3);
  using Edges = std::vector<std::pair<NodeId, std::uint32_t>>;
  pool.set_dfa_state(dfa, 0, true, Edges{{a, 0}, {b, 1}});
  pool.set_dfa_state(dfa, 1, true, Edges{{a, 2}});
  pool.set_dfa_state(dfa, 2, false, Edges{{a, 2}});
  CHECK(pool.living(pool.dfa_state(dfa, 0), 16).has('a'));
  CHECK(!pool.living(pool.dfa_state(dfa, 0), 16).has('b'));
  CHECK(pool.living(pool.dfa_state(dfa, 1), 16).empty());
}

/// What is said to need another character is matched by no text without one; and it is said of
/// strings with their quote, also beside exclusions and with blanks behind them.
void test_what_leaves_a_class_is_seen_by_its_form() {
  RegexPool pool;
  CharClass letters;
  for (char c : {'a', 'b', ' '}) letters.add(static_cast<std::uint8_t>(c));
  NodeId some = pool.repeat(pool.chars({{' ', ' '}, {'a', 'b'}}), 0, kNoBound);
  NodeId blanks = pool.repeat(text(pool, " "), 0, 3), quote = text(pool, "\"");
  NodeId anything = pool.repeat(pool.chars({{0, 0xD7FF}, {0xE000, 0x10FFFF}}), 0, kNoBound);
  NodeId string = pool.concat(some, pool.concat(quote, blanks));
  NodeId other = pool.intersect({string, pool.complement(text(pool, "ab\""))});
  NodeId searched = pool.concat(some, pool.concat(text(pool, "abab"), pool.concat(some, quote)));
  for (NodeId node : {string, other, searched, pool.alternate({searched, text(pool, "x")})}) {
    CHECK(pool.leaves(node, letters));
  }
  NodeId mixed = pool.alternate({string, text(pool, "ab")});
  NodeId late = pool.intersect({anything, pool.complement(string)});
  NodeId maybe = pool.concat(some, pool.repeat(quote, 0, 1));
  for (NodeId node : {mixed, late, maybe, blanks, kEpsilon}) CHECK(!pool.leaves(node, letters));
  for (NodeId node : {string, other, searched, mixed, late, maybe, blanks}) {
    if (!pool.leaves(node, letters)) continue;
    for (std::uint32_t code = 0; code < 729; ++code) {  // of six letters
      std::string word;
      for (std::uint32_t rest = code; word.size() < 6; rest /= 3) word += "ab "[rest % 3];
      for (std::size_t size = 0; size <= 6; ++size) {
        CHECK(!matches(pool, node, word.substr(0, size)));
      }
    }
  }
}

/// Rows of points are no numbers; what a token begins with counts as far as a number goes.
void test_numbers_are_found_in_tokens() {
  const NumberTokens found = NumberTokens::find(
      {"12", ".......................", "3.25x", "1234567890.1", "a1234567.890", "12.345.6", "1"});
  CHECK(found.longest == 12);
  CHECK((found.tokens == std::vector<TokenId>{1, 3, 4}));
  TokenTrie trie({"", "7", "....", "0.5"});
  CHECK(trie.numbers().longest == 3 && trie.numbers().tokens.empty());
}

/// After bytes that are alike the same is left; letters are alike where only letters count.
void test_what_is_alike_leaves_the_same() {
  RegexPool pool;
  NodeId letters = pool.chars({{'a', 'z'}}), plain = pool.chars({{0x20, 0x21}, {0x23, 0x10FFFF}});
  NodeId word = pool.repeat(letters, 1, 20), any = pool.repeat(plain, 0, kNoBound);
  NodeId number = pool.repeat(pool.chars({{'0', '9'}}), 0, 3);
  for (NodeId node : {word, pool.concat(any, text(pool, ".com")), pool.concat(number, word),
                      pool.alternate({word, text(pool, "id"), pool.concat(number, any)}),
                      pool.intersect({any, pool.complement(pool.alternate({word, number}))})}) {
    for (std::size_t b = 0; b < 256; ++b) {
      std::uint8_t byte = static_cast<std::uint8_t>(b);
      ByteSet alike = pool.alike(node, byte);
      CHECK(alike[b]);
      for (std::size_t c = 0; c < 256; ++c) {
        if (alike[c]) {
          CHECK(pool.step(node, byte) == pool.step(node, static_cast<std::uint8_t>(c)));
        }
      }
    }
  }
  CHECK(pool.alike(pool.concat(number, word), 'k').count() == 26);
}

void test_long_is_not_deep() {
  RegexPool pool;
  NodeId word = text(pool, std::string(50'000, 'a'));
  CHECK(pool.clamp(word, 10) == word);
  NodeId options = kEpsilon;
  for (int i = 0; i < 5000; ++i) {
    std::uint32_t point = 0x4E00u + static_cast<std::uint32_t>(i);
    options = pool.concat(pool.repeat(pool.chars({{point, point}}), 0, 1), options);
  }
  CHECK(pool.step(options, 0xE4) != kNothing);
  CHECK(pool.first_bytes(options).count() == 3);  // E4, E5, E6
}

void test_booleans_know_when_nothing_is_left() {
  RegexPool pool;
  NodeId letters = pool.repeat(pool.chars({{'a', 'z'}}), 1, kNoBound);
  NodeId keyword = text(pool, "if");
  NodeId name = pool.intersect({letters, pool.complement(keyword)});
  CHECK(matches(pool, name, "i"));
  CHECK(!matches(pool, name, "if"));
  CHECK(matches(pool, name, "ifx"));
  CHECK(pool.alive(name));
  CHECK(!pool.alive(pool.intersect({keyword, pool.complement(letters)})));
}

/// list: "a" list | "a"   over tokens a, aa, b
std::vector<std::int32_t> right_recursion() {
  std::vector<std::int32_t> words;
  auto put = [&](std::initializer_list<std::int32_t> more) {
    words.insert(words.end(), more.begin(), more.end());
  };
  put({1, 1, 'a', 'a'});  // one set
  put({1});               // one rule
  put({1, 0, 0});         // one regular node: that set
  put({1, 0, 0});         // one terminal: node 0, not longest
  put({4});               // expressions, numbered from 1
  put({8, 0});            // 1: the terminal
  put({9, 0});            // 2: the rule
  put({10, 2, 1, 2});     // 3: one after the other
  put({11, 2, 3, 1});     // 4: either
  put({4, 0});            // rule 0 is node 4, and the start
  return words;
}

void test_right_recursion_stays_small() {
  std::vector<std::int32_t> words = right_recursion();
  auto trie = std::make_shared<VocabularyTables>(std::vector<std::string>{"a", "aa", "b", "", "a"});
  auto engine = std::make_shared<Engine>(Program(words), trie, std::vector<TokenId>{3});
  Session session(engine);
  std::vector<std::uint32_t> row(1);
  session.fill_mask(row);
  CHECK(row[0] == 0b10011u);  // a, aa, and the twin of a; not b, not the end
  for (int i = 0; i < 5000; ++i) CHECK(session.accept(0));
  session.fill_mask(row);
  CHECK(row[0] == 0b11011u);
  CHECK(engine->stats().states < 20'000);
  CHECK(!session.accept(2));
  CHECK(session.rollback(4999) && !session.rollback(2));
  CHECK(session.accept(3) && session.is_finished());
  session.fill_mask(row);
  CHECK(row[0] == 0b1000u);
}

void test_malformed_programs_are_refused() {
  std::vector<std::int32_t> words = right_recursion();
  std::mt19937 random(0);
  for (int round = 0; round < 3000; ++round) {
    std::vector<std::int32_t> damaged = words;
    damaged[random() % damaged.size()] = static_cast<std::int32_t>(random() % 64) - 2;
    if (round % 3 == 0) damaged.resize(random() % damaged.size());
    try {
      auto trie = std::make_shared<VocabularyTables>(std::vector<std::string>{"a", "b"});
      auto engine = std::make_shared<Engine>(Program(damaged), trie, std::vector<TokenId>{1});
      Session session(engine);
      std::vector<std::uint32_t> row(1);
      session.fill_mask(row);
    } catch (const std::invalid_argument&) {
    } catch (const NoText&) {
    } catch (const TooComplex&) {
    }
  }
}

void test_threads_share_one_engine() {
  std::vector<std::int32_t> words = right_recursion();
  auto trie = std::make_shared<VocabularyTables>(std::vector<std::string>{"a", "aa", "b", ""});
  auto engine = std::make_shared<Engine>(Program(words), trie, std::vector<TokenId>{3});
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      Session session(engine);
      std::vector<std::uint32_t> row(1);
      for (int i = 0; i < 300; ++i) {
        session.accept(static_cast<TokenId>((i + t) % 2));
        session.fill_mask(row);
        if (row[0] != 0b1011u) std::abort();
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
}

std::shared_ptr<Engine> lists(const std::shared_ptr<VocabularyTables>& tables) {
  return std::make_shared<Engine>(Program(right_recursion()), tables, std::vector<TokenId>{3});
}

void test_drafts_are_judged_in_place() {
  auto tables =
      std::make_shared<VocabularyTables>(std::vector<std::string>{"a", "aa", "b", "", "a"});
  Session session(lists(tables));
  //               -1: a, b   under a: aa, the end   under the end: the end, a   under b: a
  std::vector<std::int64_t> tokens{0, 2, 1, 3, 3, 0, 0}, parents{-1, -1, 0, 0, 3, 3, 1};
  std::vector<std::uint32_t> rows(tokens.size() + 1, ~0u);
  Verdict verdict = verify_tree(session, tokens, parents, {rows.data(), 1, 1});
  CHECK((verdict.legal == std::vector<std::uint8_t>{1, 0, 1, 1, 1, 0, 0}));
  CHECK((verdict.may_end == std::vector<std::uint8_t>{1, 0, 1, 1, 1, 0, 0}));
  std::vector<std::uint32_t> expected{0b10011, 0b11011, 0, 0b11011, 0b1000, 0b1000, 0, 0};
  CHECK(rows == expected);
  CHECK(session.tokens().empty() && session.check(1) && !session.check(3) && !session.check(99));
}

void test_looking_ahead_stops_at_a_choice() {
  auto tables = std::make_shared<VocabularyTables>(std::vector<std::string>{"a", "aa", "b", ""});
  auto engine = lists(tables);
  LookAhead ahead = engine->look_ahead(engine->start(), 10, 4);
  CHECK(ahead.bytes == "a" && !ahead.ends && ahead.straddles.size() == 1);
  CHECK(ahead.straddles[0].at == 0 && ahead.straddles[0].tokens == std::vector<TokenId>{1});
  OnlyTokens only = engine->only_tokens(engine->start(), 10);
  CHECK(only.tokens.empty() && !only.ends);
}

void test_batches_share_the_pool() {
  auto tables = std::make_shared<VocabularyTables>(std::vector<std::string>{"a", "aa", "b", ""});
  std::vector<std::shared_ptr<Engine>> engines;
  for (int i = 0; i < 6; ++i) engines.push_back(lists(tables));
  std::vector<std::thread> threads;
  for (int t = 0; t < 3; ++t) {
    threads.emplace_back([&] {
      for (int round = 0; round < 50; ++round) {
        std::vector<std::uint32_t> rows(engines.size());
        run_parallel(engines.size(), 4, [&](std::size_t i) {
          engines[i]->fill_mask(engines[i]->start(), {&rows[i], 1});
        });
        for (std::uint32_t row : rows) {
          if (row != 0b11u) std::abort();
        }
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  bool thrown = false;
  try {
    run_parallel(8, 3, [](std::size_t i) {
      if (i % 2 == 1) throw TooComplex("odd");
    });
  } catch (const TooComplex&) {
    thrown = true;
  }
  CHECK(thrown);
}

}  // namespace

int main() {
  test_tables_move_a_few_slots_at_a_time();
  test_code_points_are_utf8();
  test_remainders_need_no_table();
  test_counters_do_not_copy();
  test_what_is_struck_is_seen_by_its_form();
  test_what_can_grow_stays_alive();
  test_letters_live_in_an_automaton_of_words();
  test_letters_do_not_live_where_they_lead_to_no_end();
  test_what_leaves_a_class_is_seen_by_its_form();
  test_numbers_are_found_in_tokens();
  test_what_is_alike_leaves_the_same();
  test_long_is_not_deep();
  test_booleans_know_when_nothing_is_left();
  test_right_recursion_stays_small();
  test_malformed_programs_are_refused();
  test_threads_share_one_engine();
  test_drafts_are_judged_in_place();
  test_looking_ahead_stops_at_a_choice();
  test_batches_share_the_pool();
  if (failures == 0) std::printf("all core tests passed\n");
  return failures == 0 ? 0 : 1;
}

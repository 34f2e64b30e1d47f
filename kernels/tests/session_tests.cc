// Tests of sessions: their past, and engines that take over from one another.
#include <atomic>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "core/history.h"
#include "core/session.h"
#include "core/source.h"
#include "tests/check.h"
#include "tests/programs.h"

namespace {

using namespace slm;
using namespace slm::tests;

/// Histories that were forked, moved and rolled back in any order are what vectors would be.
void test_histories_are_independent() {
  struct Twin {
    History history;
    std::vector<std::pair<TokenId, StateId>> steps;
  };
  std::mt19937 random(1);
  for (int round = 0; round < 200; ++round) {
    std::vector<Twin> twins{{History(7), {}}};
    for (int i = 0; i < 200; ++i) {
      Twin& twin = twins[random() % twins.size()];
      switch (random() % 5) {
        case 0:
          if (twins.size() < 6) {
            twins.push_back({twin.history.fork(), twin.steps});
          } else {
            twin = Twin{twins[0].history.fork(), twins[0].steps};
          }
          break;
        case 1: {
          std::size_t count = random() % (twin.steps.size() + 1);
          twin.history.rollback(count);
          twin.steps.resize(twin.steps.size() - count);
          break;
        }
        default: {
          auto token = static_cast<TokenId>(random() % 100);
          auto state = static_cast<StateId>(random() % 1000);
          twin.history.push(token, state);
          twin.steps.emplace_back(token, state);
        }
      }
      for (Twin& one : twins) {
        CHECK(one.history.size() == one.steps.size());
        CHECK(one.history.state() == (one.steps.empty() ? 7 : one.steps.back().second));
      }
    }
    for (Twin& one : twins) {
      std::vector<TokenId> tokens;
      for (auto [token, state] : one.steps) tokens.push_back(token);
      CHECK(one.history.tokens() == tokens);
    }
  }
}

/// A chain of a million forks takes no stack when it ends, and forks of one past end in any thread.
void test_long_chains_of_forks() {
  History history(1);
  for (TokenId i = 0; i < 1'000'000; ++i) {
    history.push(i, 1);
    History other = history.fork();
    if (i % 100'000 == 0) CHECK(other.size() == i + 1);
  }
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([mine = history.fork(), t]() mutable {
      for (int i = 0; i < 1000; ++i) {
        mine.rollback(2);
        mine.push(static_cast<TokenId>(t), 2);
      }
    });
  }
  history.rollback(1'000'000);
  for (std::thread& thread : threads) thread.join();
  CHECK(history.size() == 0 && history.state() == 1);
}

/// What a session of a source with little memory says is what one says whose engine never changes.
void test_renewed_engines_say_the_same() {
  auto tables = std::make_shared<VocabularyTables>(bracket_tokens());
  std::vector<TokenId> ends{static_cast<TokenId>(bracket_tokens().size() - 1)};
  auto source = std::make_shared<EngineSource>(Program(brackets()), tables, ends, 1);
  Session small(source);
  Session plain(std::make_shared<Engine>(Program(brackets()), tables, ends));
  std::mt19937 random(2);
  std::vector<Session> forks;
  for (int i = 0; i < 4000; ++i) {
    std::vector<std::uint32_t> one(1), other(1);
    if (!small.try_fill_mask(one)) small.fill_mask(one);
    plain.fill_mask(other);
    CHECK(one == other);
    TokenId token = static_cast<TokenId>(random() % (bracket_tokens().size() - 1));
    CHECK(small.check(token) == plain.check(token));
    CHECK(small.accept(token) == plain.accept(token));
    CHECK(small.is_complete() == plain.is_complete());
    if (i % 97 == 0) {
      std::size_t count = random() % (plain.size() + 1);
      CHECK(small.rollback(count) && plain.rollback(count));
    }
    if (i % 1000 == 0) forks.push_back(small.fork());
    CHECK(small.tokens_left().tokens == plain.tokens_left().tokens);
  }
  CHECK(small.tokens() == plain.tokens());
  CHECK(source->stats().renewals > 3);
  for (Session& fork : forks) {  // the engine they were made in is long gone
    Session again(source);
    for (TokenId token : fork.tokens()) CHECK(again.accept(token));
    std::vector<std::uint32_t> one(1), other(1);
    fork.fill_mask(one);
    again.fill_mask(other);
    CHECK(one == other);
  }
}

/// Many threads whose engine is taken away under them, over and over, see the masks of one alone.
void test_threads_share_a_source() {
  auto tables = std::make_shared<VocabularyTables>(bracket_tokens());
  std::vector<TokenId> ends{static_cast<TokenId>(bracket_tokens().size() - 1)};
  auto source = std::make_shared<EngineSource>(Program(brackets()), tables, ends, 1);
  std::atomic<int> wrong{0};
  std::vector<std::thread> threads;
  for (unsigned t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      std::mt19937 random(t / 2);
      Session session(source);
      auto apart = std::make_shared<VocabularyTables>(bracket_tokens());
      Session alone(std::make_shared<Engine>(Program(brackets()), apart, ends));
      for (int i = 0; i < 400; ++i) {
        std::vector<std::uint32_t> one(1), other(1);
        if (!session.try_fill_mask(one)) session.fill_mask(one);
        alone.fill_mask(other);
        if (one != other) ++wrong;
        TokenId token = static_cast<TokenId>(random() % (bracket_tokens().size() - 1));
        if (session.accept(token) != alone.accept(token)) ++wrong;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  CHECK(wrong == 0);
  CHECK(source->stats().renewals > 0);
}

}  // namespace

int main() {
  test_histories_are_independent();
  test_long_chains_of_forks();
  test_renewed_engines_say_the_same();
  test_threads_share_a_source();
  if (failures == 0) std::printf("all session tests passed\n");
  return failures == 0 ? 0 : 1;
}

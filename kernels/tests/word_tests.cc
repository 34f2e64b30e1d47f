// Tests of long lists of words that need no Python; see core_tests.cc.
#include <algorithm>
#include <cstdio>
#include <random>
#include <string>

#include "core/regex.h"
#include "tests/check.h"

namespace {

using namespace slm;
using slm::tests::failures;

using Text = std::vector<std::uint32_t>;

std::vector<Text> some_words(std::mt19937& random) {
  const Text letters{'"', 'a', 'b', 'z', 0xE4, 0xE5, 0x3B1, 0x4E2D, 0x4E2E, 0x1F600, 0x1F601};
  std::vector<Text> words;
  const std::size_t most = 1 + random() % 9;
  while (words.size() < RegexPool::kManyWords + random() % 60) {
    Text word;
    if (random() % 3 == 0 && !words.empty()) word = words[random() % words.size()];
    for (std::size_t left = random() % (most + 1); left > 0; --left) {
      word.push_back(letters[random() % letters.size()]);
    }
    words.push_back(std::move(word));
  }
  return words;
}

NodeId listed(RegexPool& pool, const std::vector<Text>& words) {
  std::vector<std::span<const std::uint32_t>> spans(words.begin(), words.end());
  return pool.words(spans);
}

NodeId written_out(RegexPool& pool, const std::vector<Text>& words) {
  std::vector<NodeId> options;
  for (const Text& word : words) options.push_back(pool.literal(word));
  return pool.alternate(std::move(options));
}

/// Whatever is asked of both is answered alike, before each byte of each word and behind others.
void test_lists_are_unions_of_their_words() {
  std::mt19937 random(11);
  for (int tries = 0; tries < 60; ++tries) {
    RegexPool pool;
    const std::vector<Text> words = some_words(random);
    const NodeId list = listed(pool, words), all = written_out(pool, words);
    CHECK(list != all && pool.is_plain(list) && pool.is_finite(list));
    for (int walks = 0; walks < 100; ++walks) {
      NodeId at = list, twin = all;
      while (at != kNothing && twin != kNothing) {
        CHECK(pool.nullable(at) == pool.nullable(twin));
        ByteSet first;
        for (std::size_t byte = 0; byte < 256; ++byte) {
          if (pool.step(twin, static_cast<std::uint8_t>(byte)) != kNothing) first.set(byte);
        }
        CHECK(pool.first_bytes(at) == first || (pool.first_bytes(twin) & ~first).any());
        CHECK((first & ~pool.first_bytes(at)).none());
        CHECK((pool.last_bytes(at) & ~pool.last_bytes(twin)).none());
        CHECK(pool.least_more(at).length == pool.least_more(twin).length);
        CHECK(pool.is_prefix_code(at) || !pool.is_prefix_code(twin));
        CHECK(pool.can_continue(at) == pool.can_continue(twin));
        CharClass chars;
        for (char letter : {'"', 'a', 'b'}) chars.add(static_cast<std::uint8_t>(letter));
        CHECK(!pool.leaves(at, chars) || pool.leaves(twin, chars));
        if (first.none()) break;
        auto byte = static_cast<std::uint8_t>(random());
        while (!first[byte]) ++byte;
        for (std::size_t other = 0; other < 256; ++other) {
          auto like = static_cast<std::uint8_t>(other);
          CHECK(!pool.alike(at, byte)[other] || pool.step(at, like) == pool.step(at, byte));
        }
        CHECK(pool.step(at, '!') == kNothing && pool.step(at, 0xFF) == kNothing);
        at = pool.step(at, byte), twin = pool.step(twin, byte);
      }
      CHECK((at == kNothing) == (twin == kNothing));
    }
  }
}

/// A list is the same whatever its order, and has one name in every pool.
void test_equal_lists_are_one() {
  std::mt19937 random(12);
  const Hash128 key{1, 2};
  for (int tries = 0; tries < 20; ++tries) {
    RegexPool pool, other;
    std::vector<Text> words = some_words(random);
    const NodeId list = listed(pool, words);
    words.push_back(words[random() % words.size()]);
    std::shuffle(words.begin(), words.end(), random);
    CHECK(listed(pool, words) == list);
    const NodeId others = listed(other, some_words(random)), again = listed(other, words);
    CHECK(pool.name(list, key).has_value() && pool.name(list, key) == other.name(again, key));
    CHECK(other.name(others, key) != other.name(again, key));
  }
}

}  // namespace

int main() {
  test_lists_are_unions_of_their_words();
  test_equal_lists_are_one();
  if (failures == 0) std::printf("all word tests passed\n");
  return failures == 0 ? 0 : 1;
}

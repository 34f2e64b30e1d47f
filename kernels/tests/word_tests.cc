// Tests of long lists of words that need no Python; see core_tests.cc.
#include <algorithm>
#include <cstdio>
#include <random>
#include <string>

#include "core/json_spellings.h"
#include "core/regex.h"
#include "tests/check.h"

namespace {

using namespace slm;
using slm::tests::failures;

using Text = std::vector<std::uint32_t>;

std::vector<Text> some_words(std::mt19937& random, std::uint32_t sign = '"') {
  const Text letters{sign, 'a', 'b', 'z', 0xE4, 0xE5, 0x3B1, 0x4E2D, 0x4E2E, 0x1F600, 0x1F601};
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

NodeId listed(RegexPool& pool, const std::vector<Text>& words, bool spelled = false) {
  std::vector<std::span<const std::uint32_t>> spans(words.begin(), words.end());
  return pool.words(spans, spelled);
}

NodeId written_out(RegexPool& pool, const std::vector<Text>& words, bool spelled = false) {
  std::vector<NodeId> options;
  for (const Text& word : words) {
    options.push_back(spelled ? pool.spellings().of(word) : pool.literal(word));
  }
  return pool.alternate(std::move(options));
}

/// Whatever is asked of both is answered alike, before each byte of each word and behind others. Of
/// spelled words, the bytes at the end may be told as more than they are.
void test_lists_are_unions_of_their_words(bool spelled) {
  std::mt19937 random(11);
  ByteSet ascii;
  for (std::size_t byte = 0; byte < 0x80; ++byte) ascii.set(byte);
  for (int tries = 0; tries < 60; ++tries) {
    RegexPool pool;
    const std::vector<Text> words = some_words(random, spelled ? '/' : '"');
    const NodeId list = listed(pool, words, spelled), all = written_out(pool, words, spelled);
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
        const ByteSet last = pool.last_bytes(at), twins = pool.last_bytes(twin);
        CHECK((spelled ? twins & ~last & ascii : last & ~twins).none());
        CHECK(pool.least_more(at).length == pool.least_more(twin).length);
        CHECK(pool.is_prefix_code(at) || !pool.is_prefix_code(twin));
        CHECK(pool.can_continue(at) == pool.can_continue(twin));
        CharClass chars;
        for (char letter : {'"', '/', 'a', 'b'}) chars.add(static_cast<std::uint8_t>(letter));
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

/// What cannot be written inside of a string as it is, is written out; and spelled words are named
/// otherwise than their texts.
void test_spelled_lists_are_of_plain_characters() {
  std::mt19937 random(13);
  RegexPool pool;
  std::vector<Text> words = some_words(random, '/');
  const Hash128 key{1, 2};
  CHECK(pool.name(listed(pool, words, true), key) != pool.name(listed(pool, words), key));
  for (std::uint32_t sign : {0x1F, 0x22, 0x5C}) {
    words.push_back({'a', sign});
    CHECK(listed(pool, words, true) == written_out(pool, words, true));
    words.pop_back();
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
  test_lists_are_unions_of_their_words(false);
  test_lists_are_unions_of_their_words(true);
  test_spelled_lists_are_of_plain_characters();
  test_equal_lists_are_one();
  if (failures == 0) std::printf("all word tests passed\n");
  return failures == 0 ? 0 : 1;
}

// Tests of labels of host names that need no Python; see core_tests.cc.
#include <algorithm>
#include <cstdio>
#include <random>
#include <string>
#include <string_view>

#include "core/labels.h"
#include "core/regex.h"
#include "tests/check.h"

namespace {

using namespace slm;
using slm::tests::failures;

bool matches(RegexPool& pool, NodeId node, const std::string& text) {
  for (char c : text) node = pool.step(node, static_cast<std::uint8_t>(c));
  return pool.nullable(node);
}

std::string utf8(std::uint32_t c) {
  auto byte = [](std::uint32_t value) { return static_cast<char>(value); };
  if (c < 0x80) return {byte(c)};
  if (c < 0x800) return {byte(0xC0 | c >> 6), byte(0x80 | (c & 63))};
  if (c < 0x10000) return {byte(0xE0 | c >> 12), byte(0x80 | (c >> 6 & 63)), byte(0x80 | (c & 63))};
  return {byte(0xF0 | c >> 18), byte(0x80 | (c >> 12 & 63)), byte(0x80 | (c >> 6 & 63)),
          byte(0x80 | (c & 63))};
}

/// The examples of RFC 3492 have the lengths they have there, and as many letters as are sure fit.
void test_labels_are_as_long_as_their_encoding() {
  auto length = [](std::u32string_view label) {
    return encoded_length(std::vector<std::uint32_t>(label.begin(), label.end()));
  };
  const std::u32string_view chinese = U"\u4ed6\u4eec\u4e3a\u4ec0\u4e48\u4e0d\u8bf4\u4e2d\u6587";
  CHECK(length(chinese) == 4 + std::string("ihqwcrb4cv8a8dqg056pqjye").size());
  const std::u32string_view czech = U"Pro\u010dprost\u011bnemluv\u00ed\u010desky";
  CHECK(length(czech) == 4 + std::string("Proprostnemluvesky-uyb24dma41a").size());
  const std::u32string_view japanese = U"\u3072\u3068\u3064\u5c4b\u6839\u306e\u4e0b2";
  CHECK(length(japanese) == 4 + std::string("2-u9tlzr9756bt3uc0v").size());
  CHECK(length(U"example") == 7 && length(U"") == 0);
  std::mt19937 random(7);
  const Ranges sets[] = {{{0x3AC, 0x3CE}}, {{'a', 'c'}, {0xE0, 0xFF}}, {{0x5D0, 0x10000}}};
  for (const Ranges& set : sets) {
    LabelAlphabet alphabet(set);
    CHECK(alphabet.sure() >= 8);
    for (int tries = 0; tries < 2000; ++tries) {
      std::vector<std::uint32_t> label;
      while (label.size() < alphabet.sure()) {
        auto [first, last] = set[random() % set.size()];
        label.push_back(first + static_cast<std::uint32_t>(random() % (last - first + 1)));
      }
      CHECK(encoded_length(label) <= kLongestLabel);
    }
  }
}

/// A label reads a letter if the encoding is not too long with it, is complete after each, and
/// nothing is left where none fits. Loops in its place admit less, or more.
void test_labels_end_where_nothing_fits() {
  std::mt19937 random(11);
  const Ranges sets[] = {
      {{'a', 'b'}}, {{'x', 'x'}, {0x3B1, 0x3C9}}, {{0x3041, 0x3096}, {0x1F600, 0x1F640}}};
  for (int round = 0; round < 60; ++round) {
    RegexPool pool;
    const Ranges& set = sets[round % 3];
    std::vector<std::uint32_t> letters, label;
    for (auto [first, last] : set) {
      for (std::uint32_t c = first; c <= last; ++c) letters.push_back(c);
    }
    const std::uint32_t end[] = {'.'};
    NodeId tail = pool.literal(end);
    NodeId node = pool.concat(pool.label(set), tail);
    NodeId less = pool.without_labels(node, false), more = pool.without_labels(node, true);
    CHECK(pool.least(node).length == (set[0].first < 0x80 ? 2u : round % 3 == 1 ? 2u : 4u));
    std::size_t few = 1 + random() % letters.size();
    for (;;) {
      std::vector<std::uint32_t> next = label;
      next.push_back(letters[random() % few]);
      std::string bytes = utf8(next.back());
      NodeId after = node;
      for (std::size_t i = 0; i < bytes.size(); ++i) {
        after = pool.step(after, static_cast<std::uint8_t>(bytes[i]));
        if (less != kNothing) less = pool.step(less, static_cast<std::uint8_t>(bytes[i]));
        more = pool.step(more, static_cast<std::uint8_t>(bytes[i]));
        CHECK(less == kNothing || after != kNothing);
        if (after == kNothing || i + 1 == bytes.size()) continue;
        CHECK(!pool.nullable(after));
        CHECK(pool.least(after).length == bytes.size() - i);
        CHECK(pool.step(after, '.') == kNothing && pool.step(after, 0xC3) == kNothing);
      }
      bool fits = encoded_length(next) <= kLongestLabel;
      CHECK((after != kNothing) == fits && more != kNothing);
      if (!fits) break;
      label = next;
      node = after;
      CHECK(matches(pool, node, ".") && matches(pool, more, "."));
      CHECK(less == kNothing || matches(pool, less, "."));
      CHECK(pool.least(node).length == 1 && pool.alive(node));
      CHECK(!pool.is_label(node) || pool.without_labels(node, true) == more);
    }
    CHECK(label.size() >= 8 && label.size() <= 63);
    bool any = std::ranges::any_of(letters, [&](std::uint32_t letter) {
      std::vector<std::uint32_t> next = label;
      next.push_back(letter);
      return encoded_length(next) <= kLongestLabel;
    });
    CHECK(pool.is_label(node) == any && (any || node == tail));
  }
}

}  // namespace

int main() {
  test_labels_are_as_long_as_their_encoding();
  test_labels_end_where_nothing_fits();
  if (failures == 0) std::printf("all label tests passed\n");
  return failures == 0 ? 0 : 1;
}

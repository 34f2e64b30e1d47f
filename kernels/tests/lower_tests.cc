// Tests of the lowering of Lark grammars: what it is made of, whole grammars, and damaged ones.
#include <cstdint>
#include <cstdio>
#include <random>
#include <span>
#include <stdexcept>
#include <string>
#include <vector>

#include "lower/automata.h"
#include "lower/expressions.h"
#include "lower/languages.h"
#include "lower/lowering.h"
#include "tests/check.h"
#include "tests/lower_words.h"

namespace {

using namespace slm::lower;
using namespace slm::tests;
using Given = std::span<const std::int32_t>;
using Numbers = std::vector<std::int32_t>;
using Lines = IndentedLexing::Lines;

// --- languages -----------------------------------------------------------------------------------

constexpr Number kLetters = 3;

/// All texts over the letters, up to four of them: the least first.
std::vector<std::vector<Number>> short_texts() {
  std::vector<std::vector<Number>> texts{{}};
  for (std::size_t at = 0; texts[at].size() < 4; ++at) {
    for (Number letter = 0; letter < kLetters; ++letter) {
      texts.push_back(texts[at]);
      texts.back().push_back(letter);
    }
  }
  return texts;
}

/// A language as a state, and which of the short texts are in it.
struct Known {
  State state;
  std::vector<bool> has;
};

/// Languages that are made of each other at random, both ways.
class Random {
 public:
  explicit Random(unsigned seed) : random_(seed), sets_(kLetters), automata_(sets_) {
    for (Number members = 0; members < 1u << kLetters; ++members) {
      LetterSets::Bits bits(sets_);
      std::vector<bool> has;
      for (Number letter = 0; letter < kLetters; ++letter) {
        if (members >> letter & 1) bits.add(letter, letter);
      }
      for (const auto& text : texts_) has.push_back(text.size() == 1 && members >> text[0] & 1);
      known_.push_back({pool_.chars(sets_.add(bits)), has});
    }
  }

  void grow() {
    const Known one = any(), other = any();
    State both[] = {one.state, other.state};
    Known made = one;
    switch (random_() % 5) {
      case 0:
        made = {pool_.unite(both), {}};
        for (std::size_t at = 0; at < texts_.size(); ++at) {
          made.has.push_back(one.has[at] || other.has[at]);
        }
        break;
      case 1:
        made = {pool_.intersect(both), {}};
        for (std::size_t at = 0; at < texts_.size(); ++at) {
          made.has.push_back(one.has[at] && other.has[at]);
        }
        break;
      case 2:
        made = {pool_.complement(one.state), one.has};
        made.has.flip();
        break;
      case 3:
        made = {pool_.concat(one.state, other.state), joined(one.has, other.has)};
        break;
      default: {
        auto low = static_cast<Number>(random_() % 3);
        Number high = random_() % 2 ? kNone : low + static_cast<Number>(random_() % 3);
        made.state = pool_.repeat(one.state, low, high);
        std::vector<bool> power(texts_.size(), false);
        power[0] = true;
        made.has.assign(texts_.size(), false);
        for (Number count = 0; count <= std::min<Number>(high, 6); ++count) {
          for (std::size_t at = 0; at < texts_.size(); ++at) {
            made.has[at] = made.has[at] || (count >= low && power[at]);
          }
          power = joined(power, one.has);
        }
      }
    }
    known_.push_back(made);
    check_states(made);
    check_automaton(made);
  }

 private:
  Known any() { return known_[random_() % known_.size()]; }

  std::size_t index(std::span<const Number> text) const {
    std::size_t first = 0, count = 1, at = 0;
    for (Number letter : text) {
      first += count;
      count *= kLetters;
      at = at * kLetters + letter;
    }
    return first + at;
  }

  std::vector<bool> joined(const std::vector<bool>& left, const std::vector<bool>& right) const {
    std::vector<bool> found;
    for (const auto& text : texts_) {
      std::span<const Number> all(text);
      bool has = false;
      for (std::size_t cut = 0; cut <= all.size(); ++cut) {
        has = has || (left[index(all.first(cut))] && right[index(all.subspan(cut))]);
      }
      found.push_back(has);
    }
    return found;
  }

  void check_states(const Known& known) {
    bool some = false, more = false;
    for (std::size_t at = 0; at < texts_.size(); ++at) {
      State here = known.state;
      for (Number letter : texts_[at]) {
        State next = Languages::kNothing;
        for (const Edge& edge : pool_.edges(here)) {
          if (edge.low <= letter && letter <= edge.high) next = edge.to;
        }
        here = next;
      }
      CHECK(pool_.accepts(here) == known.has[at]);
      some = some || known.has[at];
      more = more || (known.has[at] && at > 0);
    }
    if (some) CHECK(pool_.alive(known.state));
    if (more) CHECK(pool_.extendable(known.state));
    if (!pool_.alive(known.state)) CHECK(!some);
  }

  void check_automaton(const Known& known) {
    std::vector<State> states{known.state};
    Rows rows;
    std::vector<bool> accepting;
    for (std::size_t at = 0; at < states.size(); ++at) {
      auto& row = rows.emplace_back();
      accepting.push_back(pool_.accepts(states[at]));
      for (const Edge& edge : pool_.edges(states[at])) {
        auto found = std::ranges::find(states, edge.to);
        Number to = number(static_cast<std::size_t>(found - states.begin()));
        if (found == states.end()) states.push_back(edge.to);
        LetterSets::Bits bits(sets_);
        bits.add(edge.low, edge.high);
        row.emplace_back(sets_.add(bits), to);
      }
      if (states.size() > 200) return;
    }
    std::optional<Number> made = automata_.smallest(rows, accepting);
    CHECK(made.has_value() == pool_.alive(known.state));
    CHECK(automata_.smallest(rows, accepting, 1, 1000) == made);  // nothing has to be determined
    if (!made) return;
    CHECK(automata_.states(*made) <= states.size());
    State again = pool_.automaton(*made, 0);
    check_states({again, known.has});
  }

  std::mt19937 random_;
  std::vector<std::vector<Number>> texts_ = short_texts();
  LetterSets sets_;
  Automata automata_;
  Languages pool_{sets_, automata_};
  std::vector<Known> known_;
};

/// Derivatives, and smallest automata, have the texts that the expression has.
void test_languages_have_their_texts() {
  for (unsigned seed = 0; seed < 60; ++seed) {
    Random random(seed);
    for (int count = 0; count < 25; ++count) random.grow();
  }
}

/// Automata with several starts and overlapping ways become the union of what they say.
void test_automata_become_deterministic() {
  LetterSets sets(2);
  Automata automata(sets);
  LetterSets::Bits zero(sets);
  zero.add(0, 0);
  Set all = sets.all(), low = sets.add(zero);
  // From state 0: 0, then anything, then the end; from state 1: any number of letters, then 0.
  Rows rows{{{low, 2}}, {{all, 1}, {low, 3}}, {{all, 3}}, {}};
  std::vector<bool> accepting{false, false, false, true};
  std::optional<Number> made = automata.smallest(rows, accepting, 2, 100);
  CHECK(made.has_value());
  for (Number text = 0; text < 16; ++text) {  // four letters, and what they begin with
    Number state = 0;
    for (Number size = 0; size <= 4; ++size) {
      if (size > 0) {
        std::span<const Number> ways = automata.ways(*made, state);
        Number letter = text >> (size - 1) & 1, next = kNone;
        for (std::size_t at = 0; at < ways.size(); at += 2) {
          if (sets.has(ways[at], letter)) next = ways[at + 1];
        }
        CHECK(next != kNone);
        state = next;
      }
      bool ends_low = size > 0 && (text >> (size - 1) & 1) == 0;
      CHECK(automata.accepts(*made, state) == (ends_low || (size == 2 && (text & 1) == 0)));
    }
  }
  bool thrown = false;
  try {
    automata.smallest(rows, accepting, 2, 2);
  } catch (const Automata::TooMany&) {
    thrown = true;
  }
  CHECK(thrown);
}

/// Sets of letters, also of more of them than one word has bits.
void test_sets_of_letters() {
  LetterSets sets(70);
  LetterSets::Bits some(sets), others(sets);
  some.add(3, 40);
  some.add(69, 69);
  others.add(40, 68);
  Set left = sets.add(some), right = sets.add(others);
  Numbers rows;
  sets.rows(sets.unite(left, right), [&](Number low, Number high) {
    rows.insert(rows.end(), {static_cast<std::int32_t>(low), static_cast<std::int32_t>(high)});
  });
  CHECK(rows == (Numbers{3, 69}));
  CHECK(sets.first(sets.intersect(left, right)) == 40);
  CHECK(sets.count(sets.subtract(left, right)) == 38);
  CHECK(sets.meets(left, right));
  CHECK(!sets.meets(sets.subtract(left, right), right));
  CHECK(sets.subtract(right, sets.all()) == LetterSets::kEmpty);
}

/// Blocks are split until what is called from two things of one block is in the same blocks.
void test_partitions_are_refined() {
  std::vector<std::uint32_t> kinds{0, 0, 0, 0, 1};
  Calls calls;
  for (std::uint32_t called : {1, 2, 0, 4, 0}) {
    calls.add(called);
    calls.end();
  }
  std::vector<std::uint32_t> blocks = refined(kinds, calls);
  CHECK(blocks[0] == blocks[1]);
  CHECK(blocks[1] == blocks[2]);
  CHECK(blocks[0] != blocks[3]);
  CHECK(blocks[0] != blocks[4]);
}

// --- whole grammars ------------------------------------------------------------------------------

/// What Python says of the line breaks of `kLines`: one beginning, and any number of blanks behind.
Lines split(const std::vector<std::vector<Number>>& languages) {
  CHECK(!languages.empty());
  return {{{0, {{0, 0, true}}}}, false};
}

/// What a grammar becomes, as words; empty where it needs too many states.
Numbers lowered(Given words, const IndentedLexing::Split& lines) {
  Lowering lowering;
  if (lowering.run(words, lines) != Lowering::Outcome::kDone) return {};
  std::vector<std::int32_t> atoms = lowering.atoms(), numbers;
  CHECK(atoms.size() % 3 == 0);
  for (std::size_t atom = 0; atom < atoms.size() / 3; ++atom) {
    numbers.push_back(static_cast<std::int32_t>(atom));
    if (atoms[3 * atom] > 1) continue;  // a line, blanks or a mark, which Python knows
    Numbers made = lowering.language(static_cast<Number>(atoms[3 * atom + 2]));
    if (made[0] != 0) continue;
    for (std::size_t at = 2; at + 1 < made.size();
         at += 2 + 2 * static_cast<Number>(made[at + 1])) {
      for (std::int32_t way = 0; way < made[at + 1]; ++way) {
        auto set = static_cast<Set>(made[at + 2 + 2 * static_cast<Number>(way)]);
        CHECK(lowering.letters(set).size() % 2 == 0);
        std::int32_t owned[] = {'a', 'b', 0, 'c', 'c', 1, 'd', 'd', words[0] - 1};
        CHECK(lowering.characters(set, owned).size() % 2 == 1);
      }
    }
  }
  Numbers found = lowering.rules().words(numbers, 7);
  found.push_back(static_cast<std::int32_t>(lowering.rules().start()));
  return found;
}

/// Whether words are refused; if not, they became a grammar, or need too many states.
bool refused(Given words, const IndentedLexing::Split& lines = split) {
  try {
    lowered(words, lines);
  } catch (const std::invalid_argument&) {
    return true;
  }
  return false;
}

struct Case {
  Given words;
  std::size_t rules;
};
const Case kCases[] = {{kKeyword, 3}, {kEarley, 5}, {kDynamic, 8}, {kLines, 17}};

/// Grammars have as many rules as they have in Python, and the same ones each time.
void test_grammars_are_lowered() {
  for (const Case& each : kCases) {
    Lowering lowering;
    for (int turn = 0; turn < 2; ++turn) {  // an object may be used again
      CHECK(lowering.run(each.words, split) == Lowering::Outcome::kDone);
      CHECK(lowering.rules().rules().size() == each.rules);
      CHECK(lowering.rules().start() < each.rules);
    }
    CHECK(!lowered(each.words, split).empty());
    CHECK(lowered(each.words, split) == lowered(each.words, split));
  }
}

/// What was not asked for yet, or is not there, is refused.
void test_questions_are_checked() {
  auto throws = [](auto ask) {
    try {
      ask();
    } catch (const std::invalid_argument&) {
      return true;
    }
    return false;
  };
  Lowering lowering;
  CHECK(throws([&] { lowering.rules(); }));
  CHECK(throws([&] { lowering.atoms(); }));
  CHECK(throws([&] { lowering.language(0); }));
  CHECK(throws([&] { lowering.letters(0); }));
  CHECK(lowering.run(kKeyword, split) == Lowering::Outcome::kDone);
  CHECK(throws([&] { lowering.language(kNone); }));
  CHECK(throws([&] { lowering.letters(kNone); }));
  CHECK(throws([&] { lowering.characters(kNone, {}); }));
  CHECK(throws([&] { lowering.rules().words({}, 0); }));
}

/// Words that are cut, or of which there are too many, are refused.
void test_cut_words_are_refused() {
  for (const Case& each : kCases) {
    for (std::size_t size = 0; size < each.words.size(); ++size) {
      Numbers cut(each.words.begin(), each.words.begin() + static_cast<std::ptrdiff_t>(size));
      CHECK(refused(cut));  // a vector of its own, so that a sanitizer sees its end
    }
    Numbers more(each.words.begin(), each.words.end());
    more.push_back(0);
    CHECK(refused(more));
  }
}

/// Any word may be anything: the grammar is another one, or is refused.
void test_changed_words_crash_nothing() {
  const std::int32_t values[] = {-2, -1, 0, 1, 2, 3, 99, INT32_MAX, INT32_MIN};
  std::size_t still_grammars = 0;
  for (const Case& each : kCases) {
    Numbers words(each.words.begin(), each.words.end());
    for (std::int32_t& word : words) {
      std::int32_t kept = word;
      for (std::int32_t value : values) {
        word = value;
        still_grammars += refused(words) ? 0 : 1;
      }
      word = kept;
    }
  }
  CHECK(still_grammars > 100);
  std::mt19937 random(1);
  for (int turn = 0; turn < 2000; ++turn) {  // some words at once
    const Case& each = kCases[random() % std::size(kCases)];
    Numbers words(each.words.begin(), each.words.end());
    for (int count = 0; count < 3; ++count) {
      words[random() % words.size()] = static_cast<std::int32_t>(random() % 12);
    }
    refused(words);
  }
}

/// What is said of line breaks is checked too, and what it throws is passed on.
void test_damaged_lines() {
  CHECK(refused(kLines, [](const auto&) -> Lines { return {{{0, {{9, 0, true}}}}, false}; }));
  CHECK(!refused(kLines, [](const auto&) -> Lines { return {}; }));
  CHECK(!refused(kLines, [](const auto&) -> Lines { return {{{5, {}}}, true}; }));
  bool thrown = false;
  try {
    lowered(kLines, [](const auto&) -> Lines { throw std::runtime_error("columns"); });
  } catch (const std::runtime_error& error) {
    thrown = std::string(error.what()) == "columns";
  }
  CHECK(thrown);
}

}  // namespace

int main() {
  test_languages_have_their_texts();
  test_automata_become_deterministic();
  test_sets_of_letters();
  test_partitions_are_refined();
  test_grammars_are_lowered();
  test_questions_are_checked();
  test_cut_words_are_refused();
  test_changed_words_crash_nothing();
  test_damaged_lines();
  if (failures == 0) std::printf("all lower tests passed\n");
  return failures == 0 ? 0 : 1;
}

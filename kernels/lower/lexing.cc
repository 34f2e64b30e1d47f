#include "lower/lexing.h"

#include <algorithm>

namespace slm::lower {
namespace {

constexpr Number kWide = 16;  // letters at one place: what has more is no word

}  // namespace

// --- entries -------------------------------------------------------------------------------------

Lexing::Entry Lexing::entry(Scanner scanner, Token token, Open open_now) {
  Number law = law_of(scanner, token), gap = gap_of(scanner);
  Number key = entry_keys_.add({law, gap, open_now});
  if (key < entries_.size()) return entries_[key];

  using Way = std::pair<Number, Number>;  // one more than a run's number, a lexeme's
  std::vector<std::pair<Open, std::vector<Way>>> ways;
  auto put = [&](Open still_open, Number run, Number lexeme) {
    auto same = std::ranges::find(ways, still_open, &std::pair<Open, std::vector<Way>>::first);
    if (same == ways.end()) same = ways.insert(ways.end(), {still_open, {}});
    same->second.emplace_back(run, lexeme);
  };
  for (const auto& [still_open, lexeme] : lexemes(law, open_now)) put(still_open, 0, lexeme);

  // Runs after which the token looks alike are one.
  std::vector<Open> ends;
  for (const Lexemes& there : graph(gap, open_now).ways) {
    for (const auto& [end, lexeme] : there) {
      if (std::ranges::find(ends, end) == ends.end()) ends.push_back(end);
    }
  }
  std::vector<std::pair<const Lexemes*, std::vector<Open>>> groups;
  for (Open end : ends) {
    const Lexemes& found = lexemes(law, end);
    if (found.empty()) continue;
    auto same =
        std::ranges::find_if(groups, [&](const auto& group) { return *group.first == found; });
    if (same == groups.end()) same = groups.insert(groups.end(), {&found, {}});
    same->second.push_back(end);
  }
  for (auto& [found, which] : groups) {
    Number number = run(gap, open_now, which) + 1;
    for (const auto& [still_open, lexeme] : *found) put(still_open, number, lexeme);
  }

  std::vector<Number> words;
  words.reserve(16);
  for (auto& [still_open, each] : ways) {
    std::ranges::sort(each);
    each.erase(std::ranges::unique(each).begin(), each.end());
    words.insert(words.end(), {still_open, number(each.size())});
    for (const Way& way : each) words.insert(words.end(), {way.first, way.second});
  }
  entries_.push_back(lists.add(words));
  return entries_.back();
}

Number Lexing::at_end(Scanner scanner, Open open_now) {
  Number gap = gap_of(scanner);
  std::vector<Open> targets;
  for (const Lexemes& there : graph(gap, open_now).ways) {
    for (const auto& [target, lexeme] : there) {
      if (reader_->may_end(target)) targets.push_back(target);
    }
  }
  bool here = reader_->may_end(open_now);
  if (targets.empty()) return here ? leaves.empty() : kNone;
  Number ignored = leaves.terminal(Leaves::kIgnored, 0, run(gap, open_now, targets));
  return here ? leaves.optional(ignored) : ignored;
}

Number Lexing::expression(Token token, Number run, Number lexeme) {
  Number leaf = leaves.terminal(Leaves::kLexeme, token, lexeme);
  if (run == 0) return leaf;
  Number parts[] = {leaves.terminal(Leaves::kIgnored, 0, run - 1), leaf};
  return leaves.sequence(parts);
}

// --- lexemes -------------------------------------------------------------------------------------

const Lexing::Lexemes& Lexing::lexemes(Number law, Open open_now) {
  auto [at, fresh] = of_law_.try_emplace(pair_of(law, open_now));
  if (!fresh) return at->second;
  Lexemes found;
  for (Number reading : laws_[law]) {
    for (const auto& [still_open, language] : read(reading, open_now)) {
      add(found, still_open, language);
    }
  }
  return of_law_[pair_of(law, open_now)] = std::move(found);
}

void Lexing::add(Lexemes& to, Open open_then, Number language) {
  auto same = std::ranges::find(to, open_then, &std::pair<Open, Number>::first);
  if (same == to.end()) {
    to.emplace_back(open_then, language);
    return;
  }
  Number left = same->second;
  State both[] = {narrow(left), narrow(language)};
  Number made_of[] = {static_cast<Number>(Made::kUnion), std::min(left, language),
                      std::max(left, language)};
  bool one = left == language;
  same->second = plainly(pool_.unite(both), Lists::List(made_of, one ? 2 : 3));
}

Number Lexing::law_of(Scanner scanner, Token token) {
  Number& known = law_of_[scanner][token];
  if (known != kNone) return known;
  std::vector<Number> readings;
  for (const auto& [source, renames] : sources(scanner, token)) {
    readings.push_back(reading(scanner, source, token, renames));
  }
  return law_of_[scanner][token] = laws_.add(readings);
}

Number Lexing::gap_of(Scanner scanner) {
  if (gap_of_[scanner] != kNone) return gap_of_[scanner];
  std::vector<Number> gap{0};
  for (Token each : ignored(scanner)) gap.push_back(reading(scanner, each, each, {}));
  gap[0] = number(gap.size() - 1);
  for (Token each : scanners_[scanner].dropped) gap.push_back(law_of(scanner, each));
  return gap_of_[scanner] = gaps_.add(gap);
}

Number Lexing::reading(Scanner scanner, Token source, Token token, std::span<const Token> renames) {
  if (source != token) {  // those behind it are not tried
    auto end = std::ranges::find(renames, token) - renames.begin() + 1;
    renames = renames.first(static_cast<std::size_t>(end));
  }
  const std::vector<Promise>& rivals = preferred_to(scanner, source);
  key_.assign({source, token, number(renames.size())});
  key_.insert(key_.end(), renames.begin(), renames.end());
  key_.insert(key_.end(), rivals.begin(), rivals.end());
  Number made = reading_keys_.add(key_);
  if (made == readings_.size()) {
    readings_.push_back({source,
                         token,
                         {renames.begin(), renames.end()},
                         state_of(source, token, renames),
                         rivals});
  }
  return made;
}

std::vector<std::pair<Token, std::span<const Token>>> Lexing::sources(Scanner scanner,
                                                                      Token token) {
  const ScannerOf& all = scanners_[scanner];
  if (all.alone) return {{token, {}}};
  std::vector<std::pair<Token, std::span<const Token>>> found;
  found.reserve(4);
  auto take = [&](Token source, std::span<const Token> renames) {
    Number place = place_in_order_[scanner][source];
    if (place == kNone || std::ranges::find(all.ignored, source) != all.ignored.end()) return;
    auto at = std::ranges::find_if(
        found, [&](const auto& other) { return place_in_order_[scanner][other.first] > place; });
    found.insert(at, {source, renames});
  };
  bool own = false;
  for (const auto& [source, words] : all.renames) {
    bool mine = source == token;
    own = own || mine;
    if (mine || std::ranges::find(words, token) != words.end()) take(source, words);
  }
  if (!own) take(token, {});
  return found;
}

bool Lexing::has_source(Scanner scanner, Token token) { return !sources(scanner, token).empty(); }

Number Lexing::law(Scanner scanner, std::span<const Token> tokens) {
  std::vector<Number> words, readings;
  words.reserve(4 * tokens.size() + 8);
  readings.reserve(2 * tokens.size() + 8);
  words.push_back(number(tokens.size()));
  words.insert(words.end(), tokens.begin(), tokens.end());
  for (Token token : tokens) {
    for (Number each : laws_[law_of(scanner, token)]) readings.push_back(each);
  }
  words.push_back(kNone);
  for (int round = 0; round < 2; ++round) {
    std::ranges::sort(readings);
    readings.erase(std::ranges::unique(readings).begin(), readings.end());
    words.insert(words.end(), readings.begin(), readings.end());
    words.push_back(kNone);
    readings.clear();
    for (Token each : ignored(scanner)) readings.push_back(reading(scanner, each, each, {}));
  }
  return lists.add(words);
}

const Lexing::Lexemes& Lexing::read(Number which, Open open_now) {
  static const Lexemes none;
  const Reading& reading = readings_[which];
  if (!pool_.alive(reading.state)) return none;
  Open obligations = reader_->touching(reading.state, open_now);
  auto [at, fresh] = of_reading_.try_emplace(pair_of(which, obligations));
  if (!fresh) return at->second;
  Lexemes found;
  bool plain = terminals_[reading.source].kind == Terminal::kLanguage;
  for (const Read& each : reader_->read(reading.state, matched(reading.source), reading.rivals,
                                        obligations, reading.source, plain)) {
    if (each.automaton != kAllWords) {
      found.emplace_back(each.open_then, of_automaton(each.automaton));
      continue;
    }
    std::vector<Number> wanted{static_cast<Number>(Made::kWanted), reading.source, reading.token};
    wanted.insert(wanted.end(), reading.renames.begin(), reading.renames.end());
    found.emplace_back(each.open_then, plainly(reading.state, wanted));
  }
  return of_reading_[pair_of(which, obligations)] = std::move(found);
}

/// The words of a terminal that become tokens of a type, as far as words decide that.
State Lexing::state_of(Token source, Token token, std::span<const Token> renames) {
  Promise match = matched(source);
  State words = match;
  if (kind_of(match) != PromiseKind::kState) {
    words = pool_.repeat(Languages::kAnyLetter, 1, kNone);
  }
  std::span<const Token> others = renames;
  if (source != token) {
    others = renames.first(renames.size() - 1);
    State both[] = {words, matched(token)};
    words = pool_.intersect(both);
  }
  if (!others.empty()) {
    std::vector<State> strings;
    for (Token each : others) strings.push_back(matched(each));
    State both[] = {words, pool_.complement(pool_.unite(strings))};
    words = pool_.intersect(both);
  }
  return words;
}

State Lexing::narrow(Number which) {
  Lists::List made = language(which);
  switch (static_cast<Made>(made[0])) {
    case Made::kAutomaton:
      return pool_.automaton(made[1], 0);
    case Made::kWanted:
      return state_of(made[1], made[2], made.subspan(3));
    case Made::kUnion: {
      std::vector<State> all;
      for (Number each : made.subspan(1)) all.push_back(narrow(each));
      return pool_.unite(all);
    }
  }
  return Languages::kNothing;
}

Number Lexing::made(Lists::List list) {
  languages_.push_back(made_of_.add(list));
  return number(languages_.size() - 1);
}

Number Lexing::plainly(State state, Lists::List made_of) {
  auto [at, fresh] = plain_.try_emplace(state, 0);
  if (fresh) at->second = made(made_of);
  return at->second;
}

Number Lexing::of_automaton(Number automaton) {
  auto [at, fresh] = by_automaton_.try_emplace(automaton, 0);
  Number words[] = {static_cast<Number>(Made::kAutomaton), automaton};
  if (fresh) at->second = made(words);
  return at->second;
}

// --- what is preferred ---------------------------------------------------------------------------

Promise Lexing::matched(Token token) const {
  const Terminal& terminal = terminals_[token];
  return terminal.kind == Terminal::kAutomaton ? promise(PromiseKind::kRival, terminal.number)
                                               : terminal.number;
}

Set Lexing::first(Token token) {
  if (first_[token] == kNone) {
    Promise match = matched(token);
    first_[token] = kind_of(match) == PromiseKind::kState
                        ? reader_->first(match)
                        : reader_->first_of_automaton(value_of(match));
  }
  return first_[token];
}

bool Lexing::apart(Token one, Token other) const {
  if (!has_row_[one] || !has_row_[other]) return false;
  const auto& left = rows_[one];
  const auto& right = rows_[other];
  for (std::size_t at = 0; at < left.size() && at < right.size(); ++at) {
    if (!letters_.meets(left[at], right[at])) return true;
  }
  return false;
}

const std::vector<Promise>& Lexing::preferred_to(Scanner scanner, Token source) {
  auto [at, fresh] = preferred_.try_emplace(pair_of(scanner, source));
  if (!fresh) return at->second;
  std::vector<Promise> found;
  const ScannerOf& all = scanners_[scanner];
  std::size_t before = all.alone ? 0 : place_in_order_[scanner][source];
  for (std::size_t place = 0; place < before; ++place) {
    Token each = all.order[place];
    if (!letters_.meets(first(source), first(each)) || apart(source, each)) continue;
    Promise match = matched(each);
    found.push_back(kind_of(match) == PromiseKind::kState ? reader_->first_hit(match) : match);
  }
  std::ranges::sort(found);
  found.erase(std::ranges::unique(found).begin(), found.end());
  return preferred_[pair_of(scanner, source)] = std::move(found);
}

std::vector<Token> Lexing::ignored(Scanner scanner) const {
  const ScannerOf& all = scanners_[scanner];
  std::vector<Token> found;
  std::ranges::copy_if(all.ignored, std::back_inserter(found), [&](Token each) {
    return all.alone || place_in_order_[scanner][each] != kNone;
  });
  return found;
}

// --- what Python says ----------------------------------------------------------------------------

Lexing::Lexing(Words& in, Number letters)
    : letters_(letters), automata_(letters_), pool_(letters_, automata_) {
  read_terminals(in);
  reader_.emplace(pool_, letters_, automata_, rivals_, word_letters_);
  read_scanners(in);
  first_.assign(terminals_.size(), kNone);
}

void Lexing::read_terminals(Words& in) {
  word_letters_ = in.index(INT32_MAX);
  std::vector<Set> sets;
  for (std::size_t left = in.count(); left > 0; --left) {
    LetterSets::Bits bits(letters_);
    for (std::size_t rows = in.count(); rows > 0; --rows) {
      Number low = in.index(INT32_MAX), high = in.index(INT32_MAX);
      // The last letter stands for all code points from there on.
      if (low < letters_.letters() && low <= high) {
        bits.add(low, std::min(high, letters_.letters() - 1));
      }
    }
    sets.push_back(letters_.add(bits));
  }
  regulars_.read(in, sets, letters_, automata_);
  rivals_.read(in, sets, regulars_, pool_, letters_);
  terminals_.resize(in.count());
  rows_.resize(terminals_.size());
  has_row_.resize(terminals_.size(), false);
  for (std::size_t at = 0; at < terminals_.size(); ++at) {
    Terminal& terminal = terminals_[at];
    terminal.kind = static_cast<Terminal::Kind>(in.index(3));
    if (terminal.kind == Terminal::kAutomaton) terminal.number = in.index(rivals_.automata());
    if (terminal.kind != Terminal::kLanguage) continue;
    Number node = in.index(regulars_.size());
    bool any;
    rows_[at] = regulars_.row(node, any);
    for (Set set : rows_[at]) {
      any = any && letters_.count(set) <= kWide && !letters_.has(set, letters_.letters() - 1);
    }
    has_row_[at] = any;
    terminal.number = regulars_.state(node, pool_, letters_);
  }
}

void Lexing::read_scanners(Words& in) {
  auto token = [&] { return in.index(terminals_.size()); };
  auto list = [&](std::vector<Token>& to) {
    for (std::size_t left = in.count(); left > 0; --left) to.push_back(token());
  };
  auto defined = [&](Token which) {
    if (terminals_[which].kind == Terminal::kNothing) {
      throw std::invalid_argument("the rules scan what is not defined");
    }
  };
  for (std::size_t left = in.count(); left > 0; --left) {
    ScannerOf made;
    made.alone = in.word() != 0;
    list(made.order);
    list(made.ignored);
    for (Token each : made.order) defined(each);
    for (Token each : made.ignored) defined(each);
    for (std::size_t renames = in.count(); renames > 0; --renames) {
      made.renames.emplace_back(token(), std::vector<Token>());
      list(made.renames.back().second);
      for (Token each : made.renames.back().second) {
        if (terminals_[each].kind != Terminal::kLanguage) {
          throw std::invalid_argument("the rules rename a token to what is no string");
        }
      }
    }
    auto& places = place_in_order_.emplace_back(terminals_.size(), kNone);
    for (Number at = 0; at < made.order.size(); ++at) places[made.order[at]] = at;
    scanners_.push_back(std::move(made));
  }
  dropping_.assign(scanners_.size(), kNone);
  law_of_.assign(scanners_.size(), std::vector<Number>(terminals_.size(), kNone));
  gap_of_.assign(scanners_.size(), kNone);
}

Scanner Lexing::dropping(Scanner which, Token token) {
  if (dropping_[which] == kNone) {
    dropping_[which] = number(scanners_.size());
    ScannerOf made = scanners_[which];
    made.dropped = {token};
    scanners_.push_back(std::move(made));
    place_in_order_.push_back(std::vector<Number>(place_in_order_[which]));
    law_of_.emplace_back(terminals_.size(), kNone);
    gap_of_.push_back(kNone);
    dropping_.push_back(kNone);
  }
  return dropping_[which];
}

}  // namespace slm::lower

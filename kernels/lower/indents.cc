#include "lower/indents.h"

#include <algorithm>

namespace slm::lower {

bool IndentedLexing::has_source(Scanner scanner, Token token) {
  return added(token) || Lexing::has_source(scanner, token);
}

/// Newlines may be dropped in any state, so how they are read always counts.
Number IndentedLexing::law(Scanner scanner, std::span<const Token> tokens) {
  Tokens others{indents_->newline};
  for (Token token : tokens) {
    if (!added(token) && token != indents_->newline) others.push_back(token);
  }
  std::ranges::sort(others);
  std::vector<Number> words{Lexing::law(scanner, others)};
  words.insert(words.end(), tokens.begin(), tokens.end());
  return lists.add(words);
}

Open IndentedLexing::placed(PromiseKind kind, Number blanks) {
  std::vector<Promise> one{promise(kind, blanks)};
  return promises().add(one);
}

namespace {

/// The kind of a place between two tokens; kState: no line has just begun.
PromiseKind place_of(std::span<const Promise> open_now) {
  for (Promise each : open_now) {
    if (kind_of(each) >= PromiseKind::kNewline) return kind_of(each);
  }
  return PromiseKind::kState;
}

}  // namespace

// --- entries -------------------------------------------------------------------------------------

void IndentedLexing::put(Ways& ways, Open open_then, Number recipe) {
  auto same = std::ranges::find(ways, open_then, &Ways::value_type::first);
  if (same == ways.end()) same = ways.insert(ways.end(), {open_then, {}});
  if (std::ranges::find(same->second, recipe) == same->second.end()) {
    same->second.push_back(recipe);
  }
}

Lexing::Entry IndentedLexing::entry(Scanner scanner, Token token, Open open_now) {
  Number key = entry_keys_.add({scanner, token, open_now});
  if (key < entries_.size()) return entries_[key];
  std::vector<Number> words;
  for (auto& [open_then, recipes] : ways_of(scanner, token, open_now)) {
    std::ranges::sort(recipes);
    words.insert(words.end(), {open_then, number(recipes.size())});
    for (Number recipe : recipes) words.insert(words.end(), {0, recipe});
  }
  entries_.push_back(lists.add(words));
  return entries_.back();
}

IndentedLexing::Ways IndentedLexing::ways_of(Scanner scanner, Token token, Open open_now) {
  PromiseKind kind = place_of(promises()[open_now]);
  Number which = kind == PromiseKind::kState ? 0 : value_of(promises()[open_now][0]);
  Ways ways;
  if (token == indents_->indent) {
    if (kind == PromiseKind::kNewline && !one_column_) {
      put(ways, placed(PromiseKind::kIndent, which), recipes_.add({kMark, kMarkIndent}));
    }
  } else if (token == indents_->dedent) {
    if (kind == PromiseKind::kNewline || kind == PromiseKind::kDedent) {
      put(ways, placed(PromiseKind::kDedent, which), recipes_.add({kMark, kMarkDedent}));
    }
    std::vector<Number> ends = finishing(scanner, open_now);
    for (Number end : ends) put(ways, placed(PromiseKind::kFinish, 0), end);
  } else if (kind == PromiseKind::kState) {
    return token_ways(scanner, token, open_now);
  } else if (kind != PromiseKind::kFinish) {
    for (Number blanks = 0; blanks < blanks_[which].size(); ++blanks) {
      for (auto& [open_then, inner] :
           token_ways(scanner, token, blanks_[which][blanks].open_then)) {
        std::ranges::sort(inner);
        std::vector<Number> recipe{kBehind, kind != PromiseKind::kIndent, which, blanks};
        recipe.insert(recipe.end(), inner.begin(), inner.end());
        put(ways, open_then, recipes_.add(recipe));
      }
    }
  }
  return ways;
}

/// Ways in which the text ends here and a level with it.
std::vector<Number> IndentedLexing::finishing(Scanner scanner, Open open_now) {
  PromiseKind kind = place_of(promises()[open_now]);
  if (kind == PromiseKind::kFinish) return {recipes_.add({kMark, kMarkDedent})};
  if (kind == PromiseKind::kState) {
    if (Lexing::at_end(scanner, open_now) == kNone) return {};
    return {recipes_.add({kFinish, scanner, open_now, 0, 0, 0})};
  }
  std::vector<Number> found;
  Number which = value_of(promises()[open_now][0]);
  for (Number blanks = 0; blanks < blanks_[which].size(); ++blanks) {
    Open then = blanks_[which][blanks].open_then;
    if (Lexing::at_end(scanner, then) == kNone) continue;
    found.push_back(
        recipes_.add({kFinish, scanner, then, static_cast<Number>(kind), which, blanks}));
  }
  return found;
}

/// The ways of a lexer's token where no line has just begun.
IndentedLexing::Ways IndentedLexing::token_ways(Scanner scanner, Token token, Open open_now) {
  Lists::List entry = lists[Lexing::entry(scanner, token, open_now)];
  Ways found;
  if (token != indents_->newline) {
    for (std::size_t at = 0; at < entry.size(); at += 2 + 2 * entry[at + 1]) {
      for (std::size_t way = 0; way < entry[at + 1]; ++way) {
        put(found, entry[at],
            recipes_.add({kToken, entry[at + 2 + 2 * way], entry[at + 3 + 2 * way]}));
      }
    }
    return found;
  }
  if (!this->scanner(scanner).dropped.empty()) return {};
  using Lexemes = std::vector<std::pair<Open, std::vector<Number>>>;
  std::vector<std::pair<Number, Lexemes>> by_run;
  for (std::size_t at = 0; at < entry.size(); at += 2 + 2 * entry[at + 1]) {
    for (std::size_t way = 0; way < entry[at + 1]; ++way) {
      Number run = entry[at + 2 + 2 * way], lexeme = entry[at + 3 + 2 * way];
      auto same = std::ranges::find(by_run, run, &std::pair<Number, Lexemes>::first);
      if (same == by_run.end()) same = by_run.insert(by_run.end(), {run, {}});
      put(same->second, entry[at], lexeme);
    }
  }
  for (const auto& [run, lexemes] : by_run) {
    for (const auto& [begin, blanks] : lines(lexemes)) {
      put(found, placed(PromiseKind::kNewline, blanks), recipes_.add({kLine, run, begin}));
    }
  }
  return found;
}

/// Newline tokens in two: numbers of beginnings, and of what can come behind each.
const std::vector<std::pair<Number, Number>>& IndentedLexing::lines(
    const std::vector<std::pair<Open, std::vector<Number>>>& lexemes) {
  std::vector<Number> key;
  std::vector<std::vector<Number>> languages;
  for (auto [open_then, numbers] : lexemes) {
    std::ranges::sort(numbers);
    key.insert(key.end(), {open_then, number(numbers.size())});
    key.insert(key.end(), numbers.begin(), numbers.end());
    languages.push_back(std::move(numbers));
  }
  Number known = line_keys_.add(key);
  if (known < lines_.size()) return lines_[known];
  Lines split = split_(languages);
  one_column_ = split.one_column;
  std::vector<std::pair<Number, Number>> found;
  for (const Line& line : split.lines) {
    key.clear();
    std::vector<Blanks> blanks;
    for (const Line::Blanks& each : line.blanks) {
      if (each.which >= lexemes.size()) throw std::invalid_argument("a line of no language");
      blanks.push_back({lexemes[each.which].first, each.language, each.nullable});
      key.insert(key.end(), {blanks.back().open_then, each.language});
    }
    Number number = blank_keys_.add(key);
    if (number == blanks_.size()) blanks_.push_back(std::move(blanks));
    found.emplace_back(line.begin, number);
  }
  lines_.push_back(std::move(found));
  return lines_[known];
}

// --- expressions ---------------------------------------------------------------------------------

Number IndentedLexing::at_end(Scanner scanner, Open open_now) {
  PromiseKind kind = place_of(promises()[open_now]);
  if (kind == PromiseKind::kFinish) return leaves.empty();
  if (kind == PromiseKind::kState) return Lexing::at_end(scanner, open_now);
  Number which = value_of(promises()[open_now][0]);
  std::vector<Number> ends;
  for (Number blanks = 0; blanks < blanks_[which].size(); ++blanks) {
    Number end = Lexing::at_end(scanner, blanks_[which][blanks].open_then);
    if (end == kNone) continue;
    Number parts[] = {prefix(which, blanks, kind != PromiseKind::kIndent), end};
    ends.push_back(leaves.sequence(parts));
  }
  return ends.empty() ? kNone : leaves.choice(ends);
}

Number IndentedLexing::expression(Token token, Number, Number recipe) {
  Lists::List all = recipes_[recipe];
  switch (static_cast<Recipe>(all[0])) {
    case kMark:
      return mark(static_cast<Mark>(all[1]));
    case kToken:
      return Lexing::expression(token, all[1], all[2]);
    case kLine: {
      Number leaf = leaves.terminal(Leaves::kLine, token, all[2]);
      if (all[1] == 0) return leaf;
      Number parts[] = {leaves.terminal(Leaves::kIgnored, 0, all[1] - 1), leaf};
      return leaves.sequence(parts);
    }
    case kBehind: {
      std::vector<Number> ways;
      for (Number inner : all.subspan(4)) ways.push_back(expression(token, 0, inner));
      Number parts[] = {prefix(all[2], all[3], all[1] != 0), leaves.choice(ways)};
      return leaves.sequence(parts);
    }
    case kFinish: {
      auto kind = static_cast<PromiseKind>(all[3]);
      std::vector<Number> parts;
      if (kind != PromiseKind::kState) {
        parts.push_back(prefix(all[4], all[5], kind != PromiseKind::kIndent));
      }
      parts.push_back(Lexing::at_end(all[1], all[2]));
      parts.push_back(mark(kMarkDedent));
      return leaves.sequence(parts);
    }
  }
  return kNone;
}

/// What is written between a line break and the line's first token.
Number IndentedLexing::prefix(Number number, Number which, bool stays) {
  const Blanks& blanks = blanks_[number][which];
  Number leaf = leaves.terminal(Leaves::kBlanks, stays ? indents_->newline : indents_->indent,
                                blanks.language);
  Number end[] = {blanks.nullable ? leaves.optional(leaf) : leaf, mark(kMarkEnd)};
  Number behind = leaves.sequence(end);
  if (!stays) return behind;
  Number parts[] = {mark(kMarkStay), behind};
  return leaves.sequence(parts);
}

}  // namespace slm::lower

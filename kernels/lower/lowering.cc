#include "lower/lowering.h"

#include <stdexcept>

namespace slm::lower {

Lowering::Outcome Lowering::run(std::span<const std::int32_t> words, IndentedLexing::Split split) {
  Words in(words);
  Number letters = in.index(0x110000);
  bool indented = in.index(2) != 0;
  if (letters == 0) throw std::invalid_argument("the rules have no letters");
  rules_.reset();
  try {
    IndentedLexing* lines = nullptr;
    if (indented) {
      auto made = std::make_unique<IndentedLexing>(in, letters, std::move(split));
      lines = made.get();
      lexing_ = std::move(made);
    } else {
      lexing_ = std::make_unique<Lexing>(in, letters);
    }
    Symbols symbols(in, lexing_->tokens());
    Indents indents;
    if (indented) {
      indents.used = true;
      indents.newline = in.index(symbols.tokens());
      indents.indent = in.index(symbols.tokens());
      indents.dedent = in.index(symbols.tokens());
      indents.change.assign(symbols.tokens() + symbols.rules(), 0);
      for (std::int8_t change : {std::int8_t{-1}, std::int8_t{1}}) {  // opening counts more
        for (std::size_t left = in.count(); left > 0; --left) {
          indents.change[in.index(symbols.tokens())] = change;
        }
      }
      lines->set(indents);
    }
    Places places(in, symbols, *lexing_, indents);
    if (!in.done()) throw std::invalid_argument("the rules have words left over");
    Contexts contexts(symbols, places, *lexing_);
    rules_.emplace(contexts.words());
  } catch (const TooComplex& error) {
    culprit_ = error.terminal;
    return Outcome::kTooComplex;
  } catch (const Languages::TooMany&) {
    return Outcome::kTooManyStates;
  }
  return Outcome::kDone;
}

std::vector<std::int32_t> Lowering::language(Number which) const {
  if (!lexing_ || which >= lexing_->languages()) throw std::invalid_argument("no such language");
  Lists::List made = lexing_->language(which);
  std::vector<std::int32_t> found;
  if (static_cast<Made>(made[0]) != Made::kAutomaton) {
    found.assign(made.begin(), made.end());
    return found;
  }
  Lists::List words = lexing_->automata().words(made[1]);
  found.push_back(0);
  found.insert(found.end(), words.begin(), words.end());
  return found;
}

std::vector<std::int32_t> Lowering::letters(Set set) const {
  std::vector<std::int32_t> found;
  if (!lexing_ || set >= lexing_->letters().size()) throw std::invalid_argument("no such set");
  lexing_->letters().rows(set, [&](Number low, Number high) {
    found.push_back(static_cast<std::int32_t>(low));
    found.push_back(static_cast<std::int32_t>(high));
  });
  return found;
}

std::vector<std::int32_t> Lowering::characters(Set set, std::span<const std::int32_t> owned) const {
  if (!lexing_ || set >= lexing_->letters().size()) throw std::invalid_argument("no such set");
  const LetterSets& sets = lexing_->letters();
  std::vector<std::int32_t> found{0};
  for (std::size_t at = 0; at + 2 < owned.size(); at += 3) {
    auto letter = static_cast<Number>(owned[at + 2]);
    if (letter >= sets.letters() || !sets.has(set, letter)) continue;
    if (found.size() > 1 && found.back() + 1 == owned[at]) {
      found.back() = owned[at + 1];
    } else {
      found.insert(found.end(), {owned[at], owned[at + 1]});
    }
  }
  found[0] = static_cast<std::int32_t>(found.size() / 2);
  return found;
}

std::vector<std::int32_t> Lowering::atoms() const {
  std::vector<std::int32_t> found;
  for (Number atom : rules().atoms()) {
    Lists::List all = lexing_->leaves.atoms()[atom];
    found.insert(found.end(), all.begin(), all.end());
  }
  return found;
}

const Rules& Lowering::rules() const {
  if (!rules_) throw std::invalid_argument("the grammar is not lowered");
  return *rules_;
}

}  // namespace slm::lower

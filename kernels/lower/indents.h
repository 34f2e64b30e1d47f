// Tokens and places under an `Indenter`.
#pragma once

#include <functional>
#include <span>
#include <utility>
#include <vector>

#include "lower/lexing.h"
#include "lower/tables.h"

namespace slm::lower {

/// Entries with marks for the columns. The twin is `slm.syntax.indent_lexing.IndentedLexing`.
///
/// Newline tokens are split by Python (`slm.syntax.indent_lines`), which is asked seldom.
class IndentedLexing : public Lexing {
 public:
  /// One way in which a line can begin: a number of Python's, and by which of the given languages
  /// what can come behind it: another number of Python's, and whether that may be empty.
  struct Line {
    Number begin;
    struct Blanks {
      Number which, language;
      bool nullable;
    };
    std::vector<Blanks> blanks;
  };
  struct Lines {
    std::vector<Line> lines;
    bool one_column = false;  // there is no other column than the first
  };
  /// Splits languages, each the union of those with these numbers.
  using Split = std::function<Lines(const std::vector<std::vector<Number>>&)>;

  IndentedLexing(Words& in, Number letters, Split split)
      : Lexing(in, letters), split_(std::move(split)) {}
  /// What the `Indenter` says; known once the symbols are.
  void set(const Indents& indents) { indents_ = &indents; }

  Entry entry(Scanner scanner, Token token, Open open_now) override;
  Number at_end(Scanner scanner, Open open_now) override;
  Number expression(Token token, Number run, Number lexeme) override;
  bool has_source(Scanner scanner, Token token) override;
  Number law(Scanner scanner, std::span<const Token> tokens) override;

 private:
  enum Recipe : Number { kMark, kToken, kLine, kBehind, kFinish };
  enum Mark : Number { kMarkIndent, kMarkDedent, kMarkStay, kMarkEnd };
  struct Blanks {
    Open open_then;
    Number language;
    bool nullable;
  };
  using Ways = std::vector<std::pair<Open, std::vector<Number>>>;  // with recipes, in order

  bool added(Token token) const { return token == indents_->indent || token == indents_->dedent; }
  Open placed(PromiseKind kind, Number blanks);
  static void put(Ways& ways, Open open_then, Number recipe);
  Ways ways_of(Scanner scanner, Token token, Open open_now);
  Ways token_ways(Scanner scanner, Token token, Open open_now);
  std::vector<Number> finishing(Scanner scanner, Open open_now);
  const std::vector<std::pair<Number, Number>>& lines(
      const std::vector<std::pair<Open, std::vector<Number>>>& lexemes);
  Number prefix(Number number, Number which, bool stays);
  Number mark(Mark which) { return leaves.terminal(Leaves::kMark, 0, which); }

  Split split_;
  const Indents* indents_ = nullptr;
  std::vector<std::vector<Blanks>> blanks_;
  Lists blank_keys_, line_keys_, recipes_, entry_keys_;
  std::vector<std::vector<std::pair<Number, Number>>> lines_;
  std::vector<Entry> entries_;  // by key
  bool one_column_ = false;
};

}  // namespace slm::lower

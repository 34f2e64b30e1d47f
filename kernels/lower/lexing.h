// From one token to the next: which texts give which token, by what is open before and after.
#pragma once

#include <optional>
#include <span>
#include <unordered_map>
#include <utility>
#include <vector>

#include "lower/leaves.h"
#include "lower/reader.h"

namespace slm::lower {

using Token = Number;    // a terminal's number; names in order
using Scanner = Number;  // one alternation, or the same with newlines dropped

/// What `slm.syntax.scanners.Scanner` says.
struct ScannerOf {
  bool alone = false;
  std::vector<Token> order, ignored, dropped;
  std::vector<std::pair<Token, std::vector<Token>>> renames;  // with what their matches turn into
};

/// A language by how it is made; its number is that of the list in `Lexing::languages`.
enum class Made : Number { kAutomaton, kWanted, kUnion };

/// All entries of a grammar's terminals. The twin is `slm.syntax.lexing.Lexing`, but for terminals
/// that refer back to a group with many words, which it does not have.
class Lexing {
 public:
  using Lexemes = std::vector<std::pair<Open, Number>>;  // by what is open: the language
  /// Ways of an entry: what is open after the token, how many ways that is, and for each its run,
  /// one more than its number (0: none), and its lexeme.
  using Entry = Number;

  Lexing(Words& in, Number letters);
  virtual ~Lexing() = default;

  Number tokens() const noexcept { return number(terminals_.size()); }
  std::size_t scanners() const noexcept { return scanners_.size(); }
  const ScannerOf& scanner(Scanner which) const noexcept { return scanners_[which]; }
  /// The same scanner with a token dropped, after any renaming.
  Scanner dropping(Scanner which, Token token);

  /// What a token can look like when the one before left `open_now`: a list in `lists`.
  virtual Entry entry(Scanner scanner, Token token, Open open_now);
  /// The ignored text that may stand at the end, as an expression; kNone: the text cannot end.
  virtual Number at_end(Scanner scanner, Open open_now);
  /// One way of an entry, as an expression.
  virtual Number expression(Token token, Number run, Number lexeme);
  /// The terminals whose matches may become tokens of this type.
  virtual bool has_source(Scanner scanner, Token token);
  /// A value that two scanners share if they read these tokens, and ignored text, alike.
  virtual Number law(Scanner scanner, std::span<const Token> tokens);

  Lists lists;  // entries, laws
  Leaves leaves;
  /// Languages by number: how each is made, and of what.
  std::size_t languages() const noexcept { return languages_.size(); }
  Lists::List language(Number which) const noexcept { return made_of_[languages_[which]]; }
  const Automata& automata() const noexcept { return automata_; }
  LetterSets& letters() noexcept { return letters_; }
  Promises& promises() noexcept { return *reader_; }
  std::size_t size() const noexcept { return pool_.size(); }

 private:
  struct Terminal {
    enum Kind : Number { kNothing, kLanguage, kAutomaton } kind = kNothing;
    Number number = 0;
  };
  struct Reading {  // how matches become tokens of a type
    Token source, token;
    std::vector<Token> renames;
    State state;
    std::vector<Promise> rivals;
  };
  struct Graph {  // ignored lexemes from what is open to the next, as far as they reach
    std::vector<Open> nodes;
    std::vector<Lexemes> ways;
    const Lexemes& from(Open open_now) const {
      return ways[static_cast<std::size_t>(std::ranges::find(nodes, open_now) - nodes.begin())];
    }
  };
  static std::uint64_t pair_of(Number left, Number right) {
    return static_cast<std::uint64_t>(left) << 32 | right;
  }

  void read_terminals(Words& in);
  void read_scanners(Words& in);
  std::vector<std::pair<Token, std::span<const Token>>> sources(Scanner scanner, Token token);
  std::vector<Token> ignored(Scanner scanner) const;
  Number law_of(Scanner scanner, Token token);
  Number gap_of(Scanner scanner);
  Number reading(Scanner scanner, Token source, Token token, std::span<const Token> renames);
  const std::vector<Promise>& preferred_to(Scanner scanner, Token source);
  bool apart(Token one, Token other) const;
  Set first(Token token);
  Promise matched(Token token) const;
  State state_of(Token source, Token token, std::span<const Token> renames);

  const Lexemes& lexemes(Number law, Open open_now);
  const Lexemes& read(Number reading, Open open_now);
  const Graph& graph(Number gap, Open open_now);
  Number run(Number gap, Open open_now, std::vector<Open>& targets);
  Number run_language(const Graph& graph, Open open_now, std::span<const Open> targets);
  void add(Lexemes& to, Open open_then, Number language);
  Number plainly(State state, Lists::List made_of);
  Number of_automaton(Number automaton);
  Number made(Lists::List list);
  State narrow(Number language);

  LetterSets letters_;
  Automata automata_;
  Languages pool_;
  Regulars regulars_;
  Rivals rivals_;
  std::vector<Terminal> terminals_;
  std::vector<std::vector<Set>> rows_;  // of terminals that are rows of few letters
  std::vector<bool> has_row_;
  Number word_letters_ = 0;
  std::optional<Reader> reader_;  // once the terminals are known
  std::vector<ScannerOf> scanners_;
  std::vector<Scanner> dropping_;
  std::vector<std::vector<Number>> place_in_order_;  // by scanner and token; kNone: not in it

  std::vector<Reading> readings_;
  std::vector<Number> key_;  // of `reading`
  Lists reading_keys_, laws_, gaps_, made_of_;
  std::vector<std::vector<Number>> law_of_;  // by scanner and token
  std::vector<Number> gap_of_, languages_;
  std::vector<Set> first_;
  std::unordered_map<std::uint64_t, std::vector<Promise>> preferred_;
  std::unordered_map<std::uint64_t, Lexemes> of_law_, of_reading_;
  std::unordered_map<std::uint64_t, Graph> graphs_;
  std::unordered_map<Number, Number> plain_, by_automaton_;
  std::vector<Entry> entries_;  // by key
  Lists entry_keys_, run_keys_, graph_keys_;
  std::unordered_map<Number, Number> runs_, graph_runs_;
};

}  // namespace slm::lower

// What decides, between two tokens, which scanner comes next and what the parser may do.
#pragma once

#include <span>
#include <utility>
#include <vector>

#include "core/flat_map.h"
#include "lower/lexing.h"

namespace slm::lower {

using Symbol = Number;  // a token, or a rule: then the number of tokens is added
using Place = Number;   // where symbols are read

/// Sets of tokens, as numbers: ascending lists.
using Tokens = std::vector<Token>;

/// The rules by number, and what may come first, and after, each symbol.
class Symbols {
 public:
  struct Row {
    std::vector<Symbol> symbols;
    Number same;  // the first row of the rule that is like it
  };

  Symbols(Words& in, Number tokens);

  Number tokens() const noexcept { return tokens_; }
  Token end() const noexcept { return end_; }
  Number start() const noexcept { return start_; }  // a rule
  std::size_t rules() const noexcept { return rows_.size(); }
  const std::vector<Row>& rows(Number rule) const noexcept { return rows_[rule]; }
  bool is_token(Symbol symbol) const noexcept { return symbol < tokens_; }
  Number rule(Symbol symbol) const noexcept { return symbol - tokens_; }
  bool nullable(Number rule) const noexcept { return nullable_[rule]; }
  const Tokens& first(Number rule) const noexcept { return first_[rule]; }
  const Tokens& follow(Symbol symbol) const noexcept { return follow_[symbol]; }
  const Tokens& begins() const noexcept { return begins_; }

 private:
  using Bits = std::vector<std::uint64_t>;  // a bit for each token
  bool first_of(std::span<const Symbol> row, Bits& found) const;
  void find_first();
  void find_follow();

  Number tokens_;
  Token end_ = 0;
  Number start_ = 0;
  std::vector<std::vector<Row>> rows_;
  std::vector<bool> nullable_;
  std::vector<Bits> first_bits_;
  std::vector<Tokens> first_, follow_;
  Tokens begins_;
};

/// What reads the next token, and which tokens can be of use.
struct Ahead {
  Scanner scanner;
  Tokens tokens;
};

/// What an `Indenter` says; see `slm.syntax.indent`.
struct Indents {
  bool used = false;
  Token newline = 0, indent = 0, dedent = 0;
  std::vector<std::int8_t> change;  // by symbol: what it does to the number of open brackets
};

/// Where symbols are read: the states of an LALR table, or one place for all; with an `Indenter`,
/// and whether a bracket is open. The twins are the tables of `slm.syntax.tables` and
/// `IndentedTable`.
class Places {
 public:
  Places(Words& in, const Symbols& symbols, Lexing& lexing, const Indents& indents);

  Place start() const noexcept { return start_; }
  /// The place after a symbol.
  Place to(Place place, Symbol symbol);
  /// One place for all in which the rule's texts are read in the same way.
  Place like(Place place, Number rule);
  /// What comes after this token, read in `place`; kNone: what comes first. A number for `ahead`.
  Number ahead_of(Place place, Token token);
  const Ahead& ahead(Number which) const noexcept { return aheads_[which]; }
  /// Tokens before which the row is reduced in `place`, of those that may follow its rule.
  const Tokens& reduced(Place place, Number rule, const Symbols::Row& row);

 private:
  struct Action {
    Symbol symbol;
    std::int32_t to;  // a state, or -1 and less: a row is reduced
  };
  struct Inside {  // the table's state, whether a bracket was open where the rule began, how many
    Number state;  // it has opened since
    bool inside;
    std::int32_t opened;
  };

  Place place(Inside at);
  Place enter(Place place);
  Number state_after(Number state, Symbol symbol) const;
  Number ahead_in(Number state, Token token);
  Number ahead_of_table(Number state, Token token);
  void find_alike();
  Number number_of_cut(Place place, Number rule, const Symbols::Row& row);

  const Symbols& symbols_;
  Lexing& lexing_;
  const Indents& indents_;
  bool one_place_;
  std::vector<std::vector<Action>> actions_;           // by state, symbols ascending
  std::vector<std::pair<Number, Number>> reductions_;  // by number: the rule and the row
  std::vector<Scanner> scanners_;                      // by state
  Place start_ = 0;
  std::vector<Inside> places_;
  FlatMap numbers_;  // of places
  std::vector<Ahead> aheads_;
  FlatMap ahead_, alike_, inside_, same_ahead_;
  FlatMap cuts_;  // by state, and rule with row
  Lists token_lists_;
  std::vector<Tokens> reduced_;    // by list
  std::vector<Number> first_row_;  // by rule: rows of those before
};

}  // namespace slm::lower

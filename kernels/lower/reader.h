// Reading a lexeme while promises about it, and about earlier ones, are kept.
#pragma once

#include <span>
#include <utility>
#include <vector>

#include "lower/promises.h"

namespace slm::lower {

/// What would need too many states; `terminal` is the terminal that says so, or kNone: ignored
/// text.
struct TooComplex {
  Number terminal;
};

/// A language by what is open behind its texts; kAllWords: all that were asked for.
struct Read {
  Open open_then;
  Number automaton;
};
constexpr Number kAllWords = kNone;

/// Lexemes under obligations. The twin is `slm.syntax.obligations.Reader`.
class Reader : public Promises {
 public:
  Reader(Languages& pool, LetterSets& letters, Automata& automata, const Rivals& rivals,
         Number word_letters);

  /// The lexemes, by what is open when they have ended, in the order in which that is met.
  ///
  /// `words` are wanted, of the matches of `match`; `rivals` are preferred to it; `open_now` is
  /// what is open when the lexeme begins; `plain`: all of `words` are matches. Throws TooComplex
  /// with `terminal`.
  std::vector<Read> read(State words, Promise match, std::span<const Promise> rivals, Open open_now,
                         Number terminal, bool plain);

 private:
  static constexpr Number kNever = kNone;  // in the place of what is open
  struct Way {
    Number reading;
    Set set;
  };
  struct Moves {
    bool known = false, lost = false;  // lost: something was forbidden, or guessed
    std::vector<Way> ways;
  };
  using Picked = std::vector<std::vector<std::pair<Number, std::span<const State>>>>;

  Number reading(State words, Promise match, Open open_now) {
    Number made = readings_.add({words, match, open_now});
    if (made == moves_.size()) moves_.emplace_back();
    return made;
  }
  const Moves& moves(Number at);
  void start(State words, Promise match, std::span<const Promise> rivals, Open open_now,
             std::vector<Number>& found);
  void targets(Number at, std::span<const Promise> tracked, std::span<const Number> values,
               std::vector<Number>& found);
  Open settled(std::vector<Promise>& open_then, std::span<const State> claims);
  bool holds_anyway(State state);
  Open ended(Promise match, Open still_open);

  std::size_t most_, asked_ = 0;  // readings whose moves are known
  Lists readings_;
  std::vector<Moves> moves_;
  struct Place {
    Number read = 0, place = 0;  // the call of `read` that it counts for
  };
  std::vector<Place> places_;  // by reading
  Number reads_ = 0;
};

}  // namespace slm::lower

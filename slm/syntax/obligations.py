"""Reading a lexeme while promises about it, and about earlier ones, are kept.

What is *open* at some place of a text says which texts may follow. It is a set of

- **obligations**, languages that no beginning of the text ahead may be in, the empty one aside. A
  match that has to be the longest leaves one when it ends (what would make it longer); a terminal
  that another one is preferred to is read under one (the other one's words);
- **rivals**, the same for a terminal whose words depend on the text around them
  (`slm.grammar.asserting`): its automaton must not come to a match;
- **claims**, languages that all of the text ahead, to its end, must be in: answers to what a
  lookahead assertion asked;
- where assertions ask for it, the class of the **last** character.

Any of them may stay open over any number of lexemes. One more character steps them all.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Literal, TypeAlias

from slm.errors import SlmError
from slm.grammar.asserting import DEAD, Asserting, Claims
from slm.grammar.charset import CharSet
from slm.grammar.derivative import ANY, EMPTY, Edges, Languages, State
from slm.grammar.ordered_dfa import (
    determinise,
    from_rows,
    minimise,
    partition,
    symbols_of,
)
from slm.grammar.regular import Chars, Regular
from slm.syntax.overlay import overlay

Rival: TypeAlias = "tuple[Literal['rival'], int, int]"  # automaton, state
Claim: TypeAlias = "tuple[Literal['claim'], State]"
Last: TypeAlias = "tuple[Literal['last'], int]"  # a class's number
Obligation: TypeAlias = "State | Rival | Claim | Last"
Obligations: TypeAlias = "frozenset[Obligation]"
Matched: TypeAlias = "State | Rival"
# What is wanted, what it is a match of, and what is open.
_Reading: TypeAlias = "tuple[State, Matched, Obligations]"
_Moves: TypeAlias = dict[_Reading, CharSet]
_Options: TypeAlias = "list[tuple[int, Claims]]"  # of a rival: states, with what each claims

FREE: Obligations = frozenset()
MAX_STATES = 2_000  # of one lexeme
MAX_FIRST_HIT = 500  # states of an obligation that are looked through for a simpler one
MAX_READINGS = 10_000  # of all of them, with everything that can be open


class Reader:
    """Lexemes under obligations, over one pool of languages.

    Args:
        pool: the languages.
        automata: of the terminals with assertions, by number.
        too_complex: makes the error for a lexeme that needs too many states.
    """

    def __init__(
        self,
        pool: Languages,
        automata: Sequence[Asserting],
        too_complex: Callable[[str], SlmError],
    ) -> None:
        self.pool = pool
        self._automata = automata
        self._too_complex = too_complex
        behind = [each.behind for each in automata if each.looks_left]
        self._classes = partition({charset for sets in behind for charset in sets})
        self._asked_behind = bool(behind)
        pieces = [
            (low, high, number + 2)
            for number, charset in enumerate(self._classes)
            for low, high in charset.ranges
        ]
        outside = ~CharSet.from_ranges((low, high) for low, high, _ in pieces)
        pieces += [(low, high, 1) for low, high in outside.ranges]
        self._class_edges: Edges = tuple(sorted(pieces))
        self._outside = next(iter(outside), None)
        self._first_hits: dict[State, State] = {}
        self._firsts: dict[Matched, CharSet] = {}
        self._breaking: dict[State, CharSet] = {}
        self._needed_of: dict[Obligations, Obligations] = {}
        self._moves_of: dict[_Reading, _Moves] = {}
        self._lost: set[_Reading] = set()  # where something was forbidden, or guessed
        self._rival_edges: dict[Rival, tuple[Edges, list[_Options]]] = {}

    # --- questions

    def first_hit(self, state: State) -> State:
        r"""One state for all obligations that are broken by the same texts.

        An obligation is broken by the first beginning that is in its language, so words behind
        others do not count: what may follow ``"\"``, if that is a string already, must not have a
        quote in its line, whatever escapes have been begun.
        """
        known = self._first_hits.get(state)
        if known is not None:
            return known
        numbers = {state: 0}
        queue = [state]
        rows: list[list[tuple[CharSet, int]]] = []
        hits: set[int] = set()
        for here in queue:  # grows while it is walked
            row: list[tuple[CharSet, int]] = []
            rows.append(row)
            if here != state and self.pool.accepts(here):
                hits.add(numbers[here])
                continue
            by_target: dict[State, list[tuple[int, int]]] = {}
            for low, high, target in self.pool.edges(here):
                if self.pool.alive(target):
                    by_target.setdefault(target, []).append((low, high))
            for target, ranges in by_target.items():
                if target == state and self.pool.accepts(state):
                    target = EMPTY  # back where it begins, which is a hit this time
                if target not in numbers:
                    if len(numbers) >= MAX_FIRST_HIT:
                        self._first_hits[state] = state
                        return state
                    numbers[target] = len(numbers)
                    queue.append(target)
                row.append((CharSet.from_ranges(ranges), numbers[target]))
        found = self.pool.state(from_rows(rows, hits))
        self._first_hits[state] = self._first_hits[found] = found
        return found

    def first(self, matched: Matched) -> CharSet:
        """The characters a non-empty text of a language, or a match, can begin with."""
        if matched not in self._firsts:
            if isinstance(matched, int):
                self._firsts[matched] = CharSet.from_ranges(
                    (low, high)
                    for low, high, target in self.pool.edges(matched)
                    if self.pool.alive(target)
                )
            else:
                edges, _ = self._edges_of(matched)
                self._firsts[matched] = CharSet.from_ranges((a, b) for a, b, _ in edges)
        return self._firsts[matched]

    def first_of_automaton(self, number: int) -> CharSet:
        """The characters a match of a terminal with assertions can begin with."""
        found = CharSet.EMPTY
        lefts = [None, self._outside, *(each.ranges[0][0] for each in self._classes)]
        for left in lefts:
            for state, _ in self._automata[number].starts(left):
                if state != DEAD:
                    found |= self.first(("rival", number, state))
        return found

    def touching(self, state: State, open_now: Iterable[Obligation]) -> Obligations:
        """What is open without what the first character of a word settles."""
        mine = self.first(state)
        kept: list[Obligation] = []
        for each in open_now:
            if isinstance(each, int) or each[0] == "rival":
                if mine & self.first(each):
                    kept.append(each)
            else:
                kept.append(each)
        return frozenset(kept)

    def may_end(self, open_now: Obligations) -> bool:
        """Whether the text may end here."""
        return all(
            isinstance(each, int) or each[0] != "claim" or self.pool.accepts(each[1])
            for each in open_now
        )

    # --- reading

    def read(
        self,
        words: State,
        match: Matched,
        rivals: frozenset[Matched],
        open_now: Obligations,
        name: str,
        plain: bool,
    ) -> dict[Obligations, Regular | None]:
        """The lexemes, by what is open when they have ended.

        Args:
            words: the texts that are wanted.
            match: what they are matches of, of which each has to be the longest. A rival stands for
                its automaton before the first character; its state does not count.
            rivals: terminals that are preferred to it, in the same form.
            open_now: what is open when the lexeme begins.
            name: the terminal's, for the error.
            plain: whether all of `words` are matches.

        Returns:
            By what is open then: the language, or None for all of `words`, where nothing that is
            open changes them.
        """
        starts = list(dict.fromkeys(self._starts(words, match, rivals, open_now)))
        numbers: dict[_Reading, int] = {start: n for n, start in enumerate(starts)}
        begins = len(starts)
        queue = list(starts)
        rows: list[list[tuple[CharSet, int]]] = []
        guessed = begins > 1
        lost = not plain or guessed
        for at in queue:  # grows while it is walked
            moves = self._moves(at)
            if len(self._moves_of) > MAX_READINGS:
                raise self._too_complex(name)
            lost = lost or at in self._lost
            row: list[tuple[CharSet, int]] = []
            for target, charset in moves.items():
                if target not in numbers:
                    if len(numbers) >= MAX_STATES:
                        raise self._too_complex(name)
                    numbers[target] = len(numbers)
                    queue.append(target)
                row.append((charset, numbers[target]))
            rows.append(row)
        ends: dict[Obligations, list[int]] = {}
        for (state, whole, still_open), number in numbers.items():
            if number < begins or not self.pool.accepts(state):
                continue
            settled = self._ended(whole, still_open)
            if settled is not None:
                ends.setdefault(settled, []).append(number)
        if len(ends) == 1 and not lost:
            return {next(iter(ends)): None}
        symbols, members = symbols_of(charset for row in rows for charset, _ in row)
        guessed = guessed or any(_overlap(row) for row in rows)
        if not guessed:
            moves_by_symbol = [
                {number: target for charset, target in row for number in members[charset]}
                for row in rows
            ]
            return {
                still_open: minimise(moves_by_symbol, accepting, symbols)
                for still_open, accepting in ends.items()
            }
        several = [_by_symbol(row, members) for row in rows]
        found: dict[Obligations, Regular | None] = {}
        for still_open, accepting in ends.items():
            made = determinise(several, range(begins), accepting, MAX_STATES)
            if made is None:
                raise self._too_complex(name)
            found[still_open] = minimise(*made, symbols)
        return found

    def _ended(self, match: Matched, still_open: Obligations) -> Obligations | None:
        """What is open after a lexeme; None where it is no match, or nothing can follow."""
        if isinstance(match, int):
            more = self.pool.extendable(match)
        else:
            automaton = self._automata[match[1]]
            if not automaton.accepts(match[2]):
                return None
            more = automaton.extendable(match[2])
        return self._needed(still_open | {match}) if more else self._needed(still_open)

    def _needed(self, open_now: Obligations) -> Obligations:
        """What is open without what can never matter.

        That is, without what only goes on with characters that break another obligation at once: a
        keyword that could still be completed matters no more where any letter would have made the
        name before it longer.
        """
        known = self._needed_of.get(open_now)
        if known is not None:
            return known
        open_now, asked = (
            frozenset(self.first_hit(e) if isinstance(e, int) else e for e in open_now),
            open_now,
        )
        kept = set(open_now)
        breaking = {each: self._breaks(each) for each in open_now if isinstance(each, int)}
        for each in sorted(open_now, key=str):
            if not breaking or (not isinstance(each, int) and each[0] != "rival"):
                continue
            mine = self.first(each)
            for other in kept - {each}:
                if mine and isinstance(other, int):
                    mine -= breaking[other]
            if not mine:
                kept.discard(each)
        for each in tuple(kept):
            # Broken by its first character, whichever comes: then nothing behind that matters.
            if isinstance(each, int) and not self.first(each) - self._breaks(each):
                kept.remove(each)
                kept.add(self.pool.state(Chars(self.first(each))))
        known = self._needed_of[asked] = frozenset(kept)
        return known

    def _breaks(self, state: State) -> CharSet:
        """The characters that break an obligation at once."""
        if state not in self._breaking:
            self._breaking[state] = CharSet.from_ranges(
                (low, high)
                for low, high, target in self.pool.edges(state)
                if self.pool.accepts(target)
            )
        return self._breaking[state]

    def _starts(
        self,
        words: State,
        match: Matched,
        rivals: frozenset[Matched],
        open_now: Obligations,
    ) -> Iterator[_Reading]:
        """What a lexeme can begin with, one for each set of guesses."""
        left: int | None = None
        kept: list[Obligation] = []
        for each in self.touching(words, open_now):
            if not isinstance(each, int) and each[0] == "last":
                number = each[1]
                left = self._classes[number - 2].ranges[0][0] if number > 1 else self._outside
            else:
                kept.append(each)
        kept += [each for each in rivals if isinstance(each, int)]
        asserting = [each for each in rivals if not isinstance(each, int)]
        choices = [
            [(each, *start) for start in self._automata[each[1]].starts(left)] for each in asserting
        ]
        if isinstance(match, int):
            own: list[tuple[Matched, Claims]] = [(match, frozenset())]
        else:
            number = match[1]
            own = [
                (("rival", number, state), claims)
                for state, claims in self._automata[number].starts(left)
                if state != DEAD
            ]
        for matched, claims in own:
            for picked in itertools.product(*choices):
                open_then: set[Obligation] = set(kept)
                claimed = set(claims)
                for (_, automaton, _), state, more in picked:
                    claimed |= more
                    if state != DEAD:
                        open_then.add(("rival", automaton, state))
                settled = self._settled(open_then, claimed)
                if settled is not None:
                    yield words, matched, settled

    def _settled(
        self, still_open: set[Obligation], claims: Iterable[Regular]
    ) -> Obligations | None:
        """What is open with these claims added; None where no text can keep them all."""
        pool = self.pool
        states = [pool.state(claim) for claim in claims]
        others: set[Obligation] = set()
        for each in still_open:
            if not isinstance(each, int) and each[0] == "claim":
                states.append(each[1])
            else:
                others.add(each)
        states = [state for state in dict.fromkeys(states) if not self._holds_anyway(state)]
        if not pool.alive(pool.intersection(states)):
            return None
        return frozenset(others | {("claim", state) for state in states})

    def _holds_anyway(self, state: State) -> bool:
        return state == ANY or not self.pool.alive(self.pool.complement(state))

    # --- one more character

    def _moves(self, at: _Reading) -> _Moves:
        """Where one more character leads, as far as it keeps what is open."""
        known = self._moves_of.get(at)
        if known is not None:
            return known
        words, match, open_now = at
        tracked: list[Obligation] = [words, match]
        tracked += [each for each in open_now if isinstance(each, int) or each[0] != "last"]
        ways = [
            self.pool.edges(each)
            if isinstance(each, int)
            else self.pool.edges(each[1])
            if each[0] == "claim"
            else self._edges_of(each)[0]
            for each in tracked
        ]
        if self._asked_behind:
            ways.append(self._class_edges)
        alike: dict[tuple[int, ...], list[tuple[int, int]]] = {}
        for low, high, values in overlay(ways):
            alike.setdefault(values, []).append((low, high))
        found: dict[_Reading, list[tuple[int, int]]] = {}
        for values, ranges in alike.items():
            for target in self._targets(at, tracked, values):
                found.setdefault(target, []).extend(ranges)
        moves = {target: CharSet.from_ranges(ranges) for target, ranges in found.items()}
        self._moves_of[at] = moves
        return moves

    def _targets(
        self, at: _Reading, tracked: Sequence[Obligation], values: tuple[int, ...]
    ) -> Iterator[_Reading]:
        """The places after a character that does this to all that is tracked."""
        pool = self.pool
        words, match = values[0], tracked[1]
        if not pool.alive(words) or not values[1]:
            return
        still_open: set[Obligation] = set()
        rivals: list[list[tuple[Rival, int, Claims]]] = []
        for each, value in zip(tracked[2:], values[2:], strict=False):
            if isinstance(each, int):
                if value and pool.accepts(value):
                    self._lost.add(at)
                    return
                if value and pool.alive(value):
                    still_open.add(value)
            elif each[0] == "claim":
                if not pool.alive(value):
                    self._lost.add(at)
                    return
                still_open.add(("claim", value))
            elif each[0] == "rival" and value:
                options = self._edges_of(each)[1][value - 1]
                rivals.append([(each, state, claims) for state, claims in options])
        if self._asked_behind:
            still_open.add(("last", values[-1]))
        if isinstance(match, int):
            own: list[tuple[Matched, Claims]] = [(values[1], frozenset())]
        else:
            assert match[0] == "rival"
            own = [
                (("rival", match[1], state), claims)
                for state, claims in self._edges_of(match)[1][values[1] - 1]
                if state != DEAD
            ]
        if rivals or not isinstance(match, int):
            self._lost.add(at)
        for matched, claims in own:
            for picked in itertools.product(*rivals):
                open_then, claimed = set(still_open), set(claims)
                for (_, number, _), state, more in picked:
                    claimed |= more
                    if state == DEAD:
                        continue
                    if self._automata[number].accepts(state):
                        break
                    open_then.add(("rival", number, state))
                else:
                    settled = self._settled(open_then, claimed)
                    if settled is None:
                        self._lost.add(at)
                    else:
                        yield words, matched, settled

    def _edges_of(self, rival: Obligation) -> tuple[Edges, list[_Options]]:
        """A rival's ways as edges: a number on each, one more than that of its options."""
        assert not isinstance(rival, int)
        assert rival[0] == "rival"
        known = self._rival_edges.get(rival)
        if known is None:
            by_charset: dict[CharSet, _Options] = {}
            for way in self._automata[rival[1]].ways(rival[2]):
                by_charset.setdefault(way.charset, []).append((way.target, way.claims))
            edges = [
                (low, high, number)
                for number, charset in enumerate(by_charset, 1)
                for low, high in charset.ranges
            ]
            known = self._rival_edges[rival] = tuple(sorted(edges)), list(by_charset.values())
        return known


def _by_symbol(
    row: Sequence[tuple[CharSet, int]], members: Mapping[CharSet, Sequence[int]]
) -> dict[int, set[int]]:
    found: dict[int, set[int]] = {}
    for charset, target in row:
        for number in members[charset]:
            found.setdefault(number, set()).add(target)
    return found


def _overlap(row: Sequence[tuple[CharSet, int]]) -> bool:
    """Whether some character is in two of the sets."""
    ranges = sorted(pair for charset, _ in row for pair in charset.ranges)
    return any(high >= low for (_, high), (low, _) in itertools.pairwise(ranges))

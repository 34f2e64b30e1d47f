"""Reading a lexeme while promises about it, and about earlier ones, are kept.

What may be open, and when it matters, is in `slm.syntax.promises`; any of it may stay open over any
number of lexemes. One more character steps it all.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import TypeAlias, TypeVar

from slm.errors import SlmError
from slm.grammar.asserting import DEAD, Asserting, Claims
from slm.grammar.charset import CharSet
from slm.grammar.derivative import ANY, Languages, State
from slm.grammar.ordered_dfa import determinise, minimise, symbols_of
from slm.grammar.regular import Regular
from slm.syntax.overlay import overlay
from slm.syntax.promises import Matched, Obligation, Obligations, Promises, Rival

# What is wanted, what it is a match of, and what is open.
_Reading: TypeAlias = "tuple[State, Matched, Obligations]"
_Promise = TypeVar("_Promise", Matched, Obligation)
_Moves: TypeAlias = dict[_Reading, CharSet]

MAX_STATES = 2_000  # of one lexeme
MAX_READINGS = 10_000  # of all of them, with everything that can be open,
READINGS_A_LETTER = (
    4  # and so many for each letter of the grammar's words: many words are no blow-up
)


class Reader(Promises):
    """Lexemes under obligations, over one pool of languages.

    Args:
        pool: the languages.
        automata: of the terminals with assertions, by number.
        letters: how many letters the terminals have that are just one word.
        too_complex: makes the error for a lexeme that needs too many states.
    """

    def __init__(
        self,
        pool: Languages,
        automata: Sequence[Asserting],
        letters: int,
        too_complex: Callable[[str], SlmError],
    ) -> None:
        super().__init__(pool, automata)
        self._too_complex = too_complex
        self._most = MAX_READINGS + READINGS_A_LETTER * letters
        self._moves_of: dict[_Reading, _Moves] = {}
        self._lost: set[_Reading] = set()  # where something was forbidden, or guessed

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
            if len(self._moves_of) > self._most:
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
                dict(sorted((number, to) for charset, to in row for number in members[charset]))
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
            steps, final = made
            found[still_open] = minimise(
                [dict(sorted(row.items())) for row in steps], final, symbols
            )
        return found

    def settles(
        self, words: State, rivals: frozenset[Matched], open_now: Obligations, name: str
    ) -> bool | None:
        """Whether these texts, each to its end, keep all that is open, and leave nothing so.

        Args:
            words: the texts; none is the beginning of another.
            rivals: as in `read`, like all others.
            open_now: the same.
            name: the same.

        Returns:
            False where no text keeps it; None where some do, or do not leave it settled.
        """
        starts = list(dict.fromkeys(self._starts(words, words, rivals, open_now)))
        seen = set(starts)
        queue = list(starts)
        kept, lost = False, len(starts) > 1
        for at in queue:  # grows while it is walked
            state, whole, still_open = at
            if self.pool.accepts(state):
                kept = True
                open_then = self._ended(whole, still_open)
                lost = lost or any(
                    isinstance(each, int) or each[0] != "last" for each in open_then or ()
                )
                continue
            moves = self._moves(at)
            lost = lost or at in self._lost
            if len(seen) >= MAX_STATES:
                raise self._too_complex(name)
            queue += [target for target in moves if target not in seen]
            seen.update(moves)
        return None if kept and lost else kept

    def _ended(self, match: Matched, still_open: Obligations) -> Obligations | None:
        """What is open after a lexeme; None where it is no match, or nothing can follow."""
        if isinstance(match, int):
            more = self.pool.extendable(match)
        else:
            automaton = self._automata[match[1]]
            if not automaton.accepts(match[2]):
                return None
            more = automaton.extendable(match[2])
        return self.needed(still_open | {match}) if more else self.needed(still_open)

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
        for each in _in_order(self.touching(words, open_now)):
            if not isinstance(each, int) and each[0] == "last":
                number = each[1]
                left = self._classes[number - 2].ranges[0][0] if number > 1 else self._outside
            else:
                kept.append(each)
        kept += [each for each in rivals if isinstance(each, int)]
        asserting = [each for each in _in_order(rivals) if not isinstance(each, int)]
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
        tracked += [
            each for each in _in_order(open_now) if isinstance(each, int) or each[0] != "last"
        ]
        ways = [
            self.pool.edges(each)
            if isinstance(each, int)
            else self.pool.edges(each[1])
            if each[0] == "claim"
            else self.edges_of(each)[0]
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
                options = self.edges_of(each)[1][value - 1]
                rivals.append([(each, state, claims) for state, claims in options])
        if self._asked_behind:
            still_open.add(("last", values[-1]))
        if isinstance(match, int):
            own: list[tuple[Matched, Claims]] = [(values[1], frozenset())]
        else:
            assert match[0] == "rival"
            own = [
                (("rival", match[1], state), claims)
                for state, claims in self.edges_of(match)[1][values[1] - 1]
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


def _in_order(open_now: Iterable[_Promise]) -> list[_Promise]:
    """Obligations in an order that is the same in each process: sets of tuples have none."""
    return sorted(open_now, key=lambda each: (0, each) if isinstance(each, int) else (1, *each[1:]))


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

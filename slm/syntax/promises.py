"""What is open at some place of a text: promises that say which texts may follow.

It is a set of

- **obligations**, languages that no beginning of the text ahead may be in, the empty one aside. A
  match that has to be the longest leaves one when it ends (what would make it longer); a terminal
  that another one is preferred to is read under one (the other one's words);
- **rivals**, the same for a terminal whose words depend on the text around them
  (`slm.grammar.asserting`): its automaton must not come to a match;
- **claims**, languages that all of the text ahead, to its end, must be in: answers to what a
  lookahead assertion asked;
- where assertions ask for it, the class of the **last** character.

`slm.syntax.obligations` reads lexemes under them.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Literal, TypeAlias, TypeGuard

from slm.grammar.asserting import DEAD, Asserting, Claims
from slm.grammar.charset import MAX_CODE_POINT, SURROGATES, CharSet
from slm.grammar.derivative import EMPTY, Edges, Languages, State
from slm.grammar.ordered_dfa import from_rows, partition
from slm.grammar.regular import ANYTHING, Chars, Dfa, Regular, concat

Rival: TypeAlias = "tuple[Literal['rival'], int, int]"  # automaton, state
Claim: TypeAlias = "tuple[Literal['claim'], State]"
Last: TypeAlias = "tuple[Literal['last'], int]"  # a class's number
Obligation: TypeAlias = "State | Rival | Claim | Last"
Obligations: TypeAlias = "frozenset[Obligation]"
Matched: TypeAlias = "State | Rival"
Options: TypeAlias = "list[tuple[int, Claims]]"  # of a rival: states, with what each claims

FREE: Obligations = frozenset()
MAX_FIRST_HIT = 500  # states of an obligation that are looked through for a simpler one


def asked_behind(automata: Iterable[Asserting]) -> tuple[bool, tuple[CharSet, ...], int | None]:
    """Whether the character before a place is asked for; its classes, and one in none of them."""
    behind = [each.behind for each in automata if each.looks_left]
    classes = partition({charset for sets in behind for charset in sets})
    inside = CharSet.from_ranges(pair for each in classes for pair in each.ranges)
    return bool(behind), classes, next(iter(~inside), None)


class Promises:
    """Questions about what is open, over one pool of languages.

    Args:
        pool: the languages.
        automata: of the terminals with assertions, by number.
    """

    def __init__(self, pool: Languages, automata: Sequence[Asserting]) -> None:
        self.pool = pool
        self._automata = automata
        self._asked_behind, self._classes, self._outside = asked_behind(automata)
        pieces = [
            (low, high, number + 2)
            for number, charset in enumerate(self._classes)
            for low, high in charset.ranges
        ]
        outside = ~CharSet.from_ranges((low, high) for low, high, _ in pieces)
        pieces += [(low, high, 1) for low, high in outside.ranges]
        self._class_edges: Edges = tuple(sorted(pieces))
        self._first_hits: dict[State, State] = {}
        self._spelt: dict[State, tuple[int, ...]] = {}  # of first hits
        self._firsts: dict[Matched, CharSet] = {}
        self._breaking: dict[Matched, CharSet] = {}
        self._meets: dict[tuple[State, Matched], bool] = {}
        self._needed_of: dict[Obligations, Obligations] = {}
        self._rival_edges: dict[Rival, tuple[Edges, list[Options]]] = {}

    # --- questions

    @property
    def classes(self) -> tuple[CharSet, ...]:
        """Those that the character before a place is looked up in; none: nobody looks."""
        return self._classes if self._asked_behind else ()

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
        language = from_rows(rows, hits)
        found = self.pool.state(language)
        self._spelt[found] = _spelt(language)
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
                edges, _ = self.edges_of(matched)
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
        kept: list[Obligation] = []
        for each in open_now:
            if isinstance(each, int) or each[0] == "rival":
                meets = self._meets.get((state, each))
                if meets is None:
                    meets = bool(self.first(state) & self.first(each))
                    self._meets[state, each] = meets
                if meets:
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

    def needed(self, open_now: Obligations) -> Obligations:
        """What is open without what can never matter.

        That is, without what only goes on with characters that break another obligation at once: a
        keyword that could still be completed matters no more where any letter would have made the
        name before it longer. Neither does what a claim says about texts that begin so.
        """
        known = self._needed_of.get(open_now)
        if known is not None:
            return known
        open_now, asked = (
            frozenset(self.first_hit(e) if isinstance(e, int) else e for e in open_now),
            open_now,
        )
        kept = set(open_now)
        breaking = {each: self._breaks(each) for each in open_now if _can_break(each)}
        for each in sorted(breaking, key=self._rank) if len(breaking) > 1 else breaking:
            mine = self.first(each)
            for other, broken in breaking.items():
                if mine and other != each and other in kept:
                    mine -= broken
            if not mine:
                kept.discard(each)
        never = CharSet.EMPTY
        for each, broken in breaking.items():
            if each not in kept:
                continue
            never |= broken
            # Broken by its first character, whichever comes: then nothing behind that matters.
            if not self.first(each) - broken:
                kept.remove(each)
                kept.add(self.pool.state(Chars(self.first(each))))
        if never:
            excused = self.pool.state(concat(Chars(never), ANYTHING))
            for claim in open_now:
                if not isinstance(claim, int) and claim[0] == "claim":
                    kept.remove(claim)
                    left = self.pool.union((claim[1], excused))
                    if self.pool.alive(self.pool.complement(left)):
                        kept.add(("claim", left))
        known = self._needed_of[asked] = frozenset(kept)
        return known

    def _rank(self, each: Matched) -> tuple[int, ...]:
        """Where an obligation stands among others: by what it is, not by when it was met."""
        if not isinstance(each, int):
            return (0, *each[1:])
        spelt = self._spelt.get(each)
        return (2, each) if spelt is None else (1, *spelt)

    def _breaks(self, matched: Matched) -> CharSet:
        """The characters that break an obligation, or a rival's, at once."""
        if matched not in self._breaking:
            if isinstance(matched, int):
                ends = {t for _, _, t in self.pool.edges(matched) if self.pool.accepts(t)}
                edges = self.pool.edges(matched)
            else:
                edges, ways = self.edges_of(matched)
                accepts = self._automata[matched[1]].accepts
                ends = {
                    number
                    for number, options in enumerate(ways, 1)
                    if all(state != DEAD and accepts(state) for state, _ in options)
                }
            self._breaking[matched] = CharSet.from_ranges(
                (low, high) for low, high, target in edges if target in ends
            )
        return self._breaking[matched]

    def edges_of(self, rival: Obligation) -> tuple[Edges, list[Options]]:
        """A rival's ways as edges: a number on each, one more than that of its options."""
        assert not isinstance(rival, int)
        assert rival[0] == "rival"
        known = self._rival_edges.get(rival)
        if known is None:
            by_charset: dict[CharSet, Options] = {}
            for way in self._automata[rival[1]].ways(rival[2]):
                by_charset.setdefault(way.charset, []).append((way.target, way.claims))
            edges = [
                (low, high, number)
                for number, charset in enumerate(by_charset, 1)
                for low, high in charset.ranges
            ]
            known = self._rival_edges[rival] = tuple(sorted(edges)), list(by_charset.values())
        return known


def _spelt(language: Regular) -> tuple[int, ...]:
    """An automaton as numbers: for each state whether it accepts, and where its ways change."""
    if not isinstance(language, Dfa):
        return ()
    flat: list[int] = []
    for state, row in enumerate(language.edges):
        flat.append(int(state in language.accepting))
        at = 0
        for low, high, target in sorted((a, b, to) for each, to in row for a, b in each.ranges):
            if low == SURROGATES[1] + 1 and at == SURROGATES[0]:
                continue  # the other half of the last letter
            if low > at:
                flat += (at, -1)
            flat += (low, target)
            at = high + 1
        if at not in (SURROGATES[0], MAX_CODE_POINT + 1):
            flat += (at, -1)
        flat.append(-2)
    return tuple(flat)


def _can_break(each: Obligation) -> TypeGuard[Matched]:
    return isinstance(each, int) or each[0] == "rival"

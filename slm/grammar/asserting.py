r"""Matching with assertions about the text around the match: lookahead, lookbehind, `\b`, `^`, `$`.

Where the pattern asks whether something stands ahead, nobody can know yet. So the automaton guesses
both answers, and each guess is a *claim*: the text from here to its end is in some language. Of all
ways through the guesses exactly one keeps its claims on any whole text, and on it the automaton is
the ordered one of `slm.grammar.ordered`: a list of live threads in order of preference, cut behind
the first that has matched. What stands behind is known: the last characters are remembered, and of
what stands before the match, one character.

Nothing here is thrown away: a thread that a guess has ended leaves its claim all the same.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypeAlias

from slm.errors import GrammarTooComplex
from slm.grammar import regular as r
from slm.grammar.charset import CharSet
from slm.grammar.ordered import MAX_DFA_STATES, Nfa, nothing_last
from slm.grammar.pattern_behind import RestBehind, looks_behind
from slm.grammar.pattern_lower import Refuse, rest_language
from slm.grammar.pattern_tree import (
    Branch,
    Look,
    Node,
    Quantified,
    Sequence,
    fixed_width,
    walk_nodes,
)
from slm.grammar.regular import Regular

Claims: TypeAlias = frozenset[Regular]  # the text that follows is in each of these
DEAD = -1
OUTSIDE = -1  # a character that no class of the pattern holds
_LEFT = -2  # the character before the match, while nobody has asked for it

_Threads: TypeAlias = tuple[int, ...]
# Of a branch of guesses: a lookahead's number, or a class that the character before may be in.
_Question: TypeAlias = "int | frozenset[int]"


@dataclass(frozen=True, slots=True)
class Way:
    """After a character of `charset`: a state, or `DEAD`, if the claims hold."""

    charset: CharSet
    target: int
    claims: Claims


class Asserting:
    """The ordered automaton of a pattern with assertions; its states are numbers.

    Args:
        root: the pattern.
        refuse: makes the error for what it cannot do.

    Raises:
        UnsupportedPattern: through `refuse`.
        GrammarTooComplex: it needs too many states, now or when it is asked for its ways.
    """

    def __init__(self, root: Node, refuse: Refuse) -> None:
        self._refuse = refuse
        for node in walk_nodes(root):
            if isinstance(node, Quantified) and node.high != 1 and not nothing_last(node.body):
                raise refuse("a loop whose body prefers to match nothing", r"\*|\+|\{")
        self._nfa = Nfa.of(root, refuse, None, ahead=self._rest_of)
        rows = list(_rows_behind(root))
        for rest in self._nfa.rests:
            if isinstance(rest, RestBehind):
                rows += [(charset,) for charset in rest.classes]
        self.behind: tuple[CharSet, ...] = tuple(
            dict.fromkeys(charset for row in rows for charset in row)
        )
        self._memory = max((len(row) for row in rows), default=0)
        self._states: dict[tuple[_Threads, tuple[int, ...]], int] = {}
        self._threads: list[tuple[_Threads, tuple[int, ...]]] = []
        self._ways: dict[int, tuple[Way, ...]] = {}
        self.looks_left = False
        self._explore()

    def _rest_of(self, body: Node) -> Regular | RestBehind:
        if not looks_behind(body):
            return rest_language(body, self._refuse)
        rest = RestBehind(body, self._refuse)
        return rest if rest.depends() else rest.after(None)

    def _explore(self) -> None:
        """Go through all states, and find out whether anything asks what stands before the match.

        Where that is more than one character, or where there are too many states, it is said now.
        """
        left = (_LEFT,) if self._memory else ()
        queue = [
            state for state, _ in self._numbered(self._closures((self._nfa.start,), left), left)
        ]
        seen = set(queue)
        for state in queue:  # grows while it is walked
            if state == DEAD:
                continue
            for way in self.ways(state):
                if way.target not in seen:
                    seen.add(way.target)
                    queue.append(way.target)

    def starts(self, left: int | None) -> list[tuple[int, Claims]]:
        """The states before the first character, by what is claimed.

        Args:
            left: the character before, as a code point; None: the text begins here.
        """
        known = () if left is None else (self._symbol(left),)
        if not self.looks_left:
            known = ()
        return self._numbered(self._closures((self._nfa.start,), known), known)

    def __len__(self) -> int:
        """How many states have been met; asking for their ways may lead to more."""
        return len(self._threads)

    def accepts(self, state: int) -> bool:
        """Whether what was read is a match, unless a longer one takes its place."""
        threads = self._threads[state][0]
        return bool(threads) and threads[-1] == 0

    def extendable(self, state: int) -> bool:
        """Whether a longer match might come."""
        return any(thread for thread in self._threads[state][0])

    def ways(self, state: int) -> tuple[Way, ...]:
        """Where each character leads; without a way, a character ends every thread."""
        known = self._ways.get(state)
        if known is not None:
            return known
        threads, past = self._threads[state]
        nfa = self._nfa
        targets: dict[int, list[int]] = {}
        for thread in threads:
            for symbol, then in nfa.steps(thread):
                targets.setdefault(symbol, []).append(then)
        groups: dict[tuple[tuple[int, ...], tuple[int, ...]], list[int]] = {}
        for symbol, states in targets.items():
            now = (*past, symbol)[-self._memory :] if self._memory else ()
            groups.setdefault((tuple(states), now), []).append(symbol)
        found: list[Way] = []
        for (reached, now), symbols in groups.items():
            charset = CharSet.from_ranges(
                pair for symbol in symbols for pair in nfa.symbols[symbol].ranges
            )
            for target, claims in self._numbered(self._closures(reached, now), now):
                if target != DEAD or claims:
                    found.append(Way(charset, target, claims))
        ways = self._ways[state] = tuple(found)
        return ways

    def _symbol(self, point: int) -> int:
        for number, symbol in enumerate(self._nfa.symbols):
            if point in symbol:
                return number
        return OUTSIDE

    def _numbered(
        self, closures: list[tuple[_Threads, Claims]], past: tuple[int, ...]
    ) -> list[tuple[int, Claims]]:
        found = []
        for threads, claims in closures:
            if not threads:
                found.append((DEAD, claims))
                continue
            key = (threads, past)
            number = self._states.setdefault(key, len(self._threads))
            if number == len(self._threads):
                if number >= MAX_DFA_STATES:
                    raise GrammarTooComplex(
                        "a regular expression with assertions needs too large an automaton",
                        hint="lower its repetition bounds, or use fewer assertions in loops",
                    )
                self._threads.append(key)
            found.append((number, claims))
        return found

    def _closures(
        self, states: tuple[int, ...], past: tuple[int, ...]
    ) -> list[tuple[_Threads, Claims]]:
        """The thread lists, one for each way to answer the questions about what stands ahead."""
        nfa = self._nfa
        found: list[tuple[_Threads, Claims]] = []
        # A branch: threads so far, states seen, states to go through (last first), answers.
        branches: list[tuple[list[int], set[int], list[int], dict[_Question, bool]]] = [
            ([], set(), list(reversed(states)), {})
        ]
        while branches:
            threads, seen, stack, answers = branches.pop()
            while stack:
                state = stack.pop()
                if state in seen:
                    continue
                ahead = nfa.ahead_of(state)
                if ahead is not None:
                    number, then, negative = ahead
                    if number not in answers:
                        other = {**answers, number: False}
                        branches.append((list(threads), set(seen), [*stack, state], other))
                        answers[number] = True
                    seen.add(state)
                    if answers[number] != negative:
                        stack.append(then)
                    continue
                seen.add(state)
                split = nfa.split(state)
                if split is not None:
                    stack.extend(reversed(split))
                    continue
                look = nfa.look(state)
                if look is not None:
                    asked, negative = self._holds(look[0], past)
                    if not isinstance(asked, bool):  # what stands before is not known: both ways
                        if asked not in answers:
                            other = {**answers, asked: False}
                            rest = [*stack, look[1]] if negative else list(stack)
                            branches.append((list(threads), set(seen), rest, other))
                            answers[asked] = True
                        asked = answers[asked]
                    if asked != negative:
                        stack.append(look[1])
                    continue
                threads.append(state)
                if state == 0:
                    break
            claims = frozenset(
                what if answer else r.complement(what)
                for number, answer in answers.items()
                if isinstance(number, int) and (what := self._rest(number, past)) is not None
            )
            found.append((tuple(threads), claims))
        return found

    def _rest(self, number: int, past: tuple[int, ...]) -> Regular | None:
        """What a lookahead wants to see from here on; None: it is not known what stands before."""
        rest = self._nfa.rests[number]
        if not isinstance(rest, RestBehind):
            return rest
        if not past:
            return rest.after(None)
        if past[-1] == _LEFT:
            self.looks_left = True
            return None
        return rest.after(CharSet.EMPTY if past[-1] == OUTSIDE else self._nfa.symbols[past[-1]])

    def _holds(self, number: int, past: tuple[int, ...]) -> tuple[bool | frozenset[int], bool]:
        """Whether a lookbehind's row stands behind, and whether it must not.

        Where only the character before the match decides that, and it is not known: its class.
        """
        row, negative = self._nfa.looks[number]
        matches = [s in members for s, members in zip(past[::-1], row[::-1], strict=False)]
        if row and _LEFT in past[-len(row) :]:
            inside = past[::-1].index(_LEFT)
            if not all(matches[:inside]):
                return False, negative
            if len(row) > inside + 1:
                raise self._refuse("a lookbehind that looks far before the match", r"\(\?<[=!]")
            self.looks_left = True
            return row[0], negative
        # With less behind than the row is long, the text begins there, or what is known differs.
        return len(past) >= len(row) and all(matches), negative


def _rows_behind(root: Node) -> Iterator[tuple[CharSet, ...]]:
    """The rows of the lookbehind assertions that are in no lookahead."""
    stack = [root]
    while stack:
        match stack.pop():
            case Sequence(parts) | Branch(parts):
                stack.extend(parts)
            case Quantified(body):
                stack.append(body)
            case Look(body, False):
                row = fixed_width(body)
                if row:
                    yield row
            case _:
                pass

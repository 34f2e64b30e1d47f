"""``%ignore`` as Lark's dynamic lexers do it, written as plain grammar.

Where a terminal is expected at position *i*, Lark also runs ``re.match`` of each ignored pattern at
*i*; where one matches, the same terminals are expected again at the match's end, and the ignored
patterns tried once more. At the end of the text the finished start symbol is carried over in the
same way. One match an ignored pattern and position, never a shorter one: ignoring is *greedy*. So
between two terminals stands a run of ignored matches, and each of them is the longest there is in
the whole text, whatever the text behind it belongs to.

Longest means: no non-empty beginning of the text that follows may turn the match into a longer one.
That is an *obligation* on what follows. This module pays every obligation at compile time:

1. A *run automaton* goes through ignored matches while it carries the open obligations along (a
   set of languages that no beginning of the following text may be in). A run can end between two
   matches, with a set of obligations still open.
2. Each terminal is compared with each such set. Mostly the terminal's first character settles it:
   it cannot start as the obligation goes on (the set does not touch the terminal), or it must
   (the terminal cannot come after such a run). Else the terminal is cut to the texts that keep
   the obligation.
3. A terminal becomes ``(runs that do not touch it)? terminal | runs that cut it, cut terminal``,
   and the end of the text takes any run, as nothing follows that could break an obligation.

The result is an ordinary grammar: no longest-match rule is left for the engine, so viability stays
exact and there are no dead ends. Rejected: `Terminal.longest`, which leaves the obligation to the
matcher and needs a proof that some continuation always keeps it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TypeAlias

from slm.errors import SlmError
from slm.grammar import ir
from slm.grammar.charset import CharSet
from slm.grammar.derivative import Languages, State
from slm.grammar.ordered_dfa import from_rows, minimise, partition
from slm.grammar.regular import NOTHING, Regular, has_echo
from slm.syntax.echoes import beginning

MAX_STATES = 2_000

Obligations: TypeAlias = frozenset[State]
# A place in the run automaton: inside ignored pattern `state` (None: between two matches).
_Config: TypeAlias = tuple[State | None, Obligations]
Refuse: TypeAlias = Callable[[str], SlmError]

_FREE: Obligations = frozenset()


@dataclass(frozen=True, slots=True)
class _Cut:
    """What a set of obligations does to a terminal."""

    untouched: bool
    language: Regular  # what is left of the terminal; unused when untouched


class Ignored:
    """The ignored runs of a grammar, and what they make of its terminals.

    Args:
        languages: one for each ignored pattern: the texts its ``re.match`` consumes as a whole.
        refuse: makes the error for what cannot be written as a grammar; called with the reason.
    """

    def __init__(self, languages: Iterable[Regular], refuse: Refuse) -> None:
        self._pool = Languages()
        self._refuse = refuse
        languages = tuple(languages)
        if any(map(has_echo, languages)):
            raise refuse("ignored text refers back to a group with many words")
        self._starts = tuple(dict.fromkeys(self._pool.state(each) for each in languages))
        self._runs: dict[frozenset[Obligations], ir.Terminal] = {}
        self._firsts: dict[State, CharSet] = {}
        self._explore()

    def before(self, terminal: ir.Terminal) -> ir.Expression:
        """The terminal with the ignored text that may stand before it."""
        if not self._starts:
            return terminal
        echoes = has_echo(terminal.language)
        words = beginning(terminal.language) if echoes else terminal.language
        start = self._pool.state(words)
        untouched: list[Obligations] = []
        cut: list[tuple[Obligations, Regular]] = []
        for obligations in self._ends:
            found = self._cut(start, obligations, terminal.name)
            if found.untouched:
                untouched.append(obligations)
            elif found.language != NOTHING and echoes:
                raise self._refuse(
                    f"it may forbid some of the texts that `{terminal.name}` begins with, which "
                    "refers back to a group with many words"
                )
            elif found.language != NOTHING:
                cut.append((obligations, found.language))
        ways: list[ir.Expression] = []
        if cut:
            ways.append(terminal)
            if untouched:
                ways.append(ir.seq(self._run(untouched), terminal))
        elif untouched:
            ways.append(ir.seq(ir.optional(self._run(untouched)), terminal))
        else:
            ways.append(terminal)
        for obligations, language in cut:
            left = ir.Terminal(terminal.name, language, place=terminal.place)
            ways.append(ir.seq(self._run([obligations]), left))
        return ir.choice(*ways)

    def at_end(self) -> ir.Expression:
        """The ignored text that may stand at the end."""
        return ir.optional(self._run(self._ends)) if self._starts else ir.EMPTY

    # --- the run automaton

    def _explore(self) -> None:
        """All places, the moves between them on each symbol, and the sets runs can end with."""
        pool = self._pool
        first: _Config = (None, _FREE)
        configs: dict[_Config, None] = {first: None}
        queue = [first]
        pieces: list[tuple[_Config, list[tuple[CharSet, _Config]]]] = []
        charsets: set[CharSet] = set()
        for config in queue:  # grows while it is walked
            here: list[tuple[CharSet, _Config]] = []
            state, obligations = config
            for inner in self._starts if state is None else (state,):
                for charset, target, open_then in self._moves(inner, obligations):
                    reached: list[_Config] = []
                    if pool.extendable(target):
                        reached.append((target, open_then))
                    if pool.accepts(target):
                        more = {target} if pool.extendable(target) else set()
                        reached.append((None, open_then | more))
                    for place in reached:
                        here.append((charset, place))
                        if place not in configs:
                            self._bound(len(configs))
                            configs[place] = None
                            queue.append(place)
                    charsets.add(charset)
            pieces.append((config, here))
        self._symbols = partition(charsets)
        self._moves_of: dict[_Config, dict[int, set[_Config]]] = {}
        for config, here in pieces:
            by_symbol: dict[int, set[_Config]] = {}
            for charset, place in here:
                for number, symbol in enumerate(self._symbols):
                    if symbol.ranges[0][0] in charset:
                        by_symbol.setdefault(number, set()).add(place)
            self._moves_of[config] = by_symbol
        self._ends = [obligations for state, obligations in configs if state is None]
        # The empty run: always there, and it keeps nothing open.
        self._ends.remove(_FREE)
        if any(first in targets for here in self._moves_of.values() for targets in here.values()):
            self._ends.insert(0, _FREE)

    def _moves(
        self, state: State, obligations: Obligations
    ) -> list[tuple[CharSet, State, Obligations]]:
        """Steps of one language that keep the obligations, and which are open afterwards."""
        pool = self._pool
        by_target: dict[tuple[State, Obligations], list[tuple[int, int]]] = {}
        for low, high, target in pool.edges(state):
            if not pool.alive(target):
                continue
            for piece_low, piece_high, open_then in self._kept(low, high, obligations):
                by_target.setdefault((target, open_then), []).append((piece_low, piece_high))
        return [
            (CharSet.from_ranges(ranges), target, open_then)
            for (target, open_then), ranges in by_target.items()
        ]

    def _kept(
        self, low: int, high: int, obligations: Obligations
    ) -> list[tuple[int, int, Obligations]]:
        """The pieces of a range that break no obligation, with those still open behind them."""
        pool = self._pool
        pieces: list[tuple[int, int, Obligations]] = [(low, high, _FREE)]
        for obligation in obligations:
            cut: list[tuple[int, int, Obligations]] = []
            for piece_low, piece_high, so_far in pieces:
                at = piece_low
                for edge_low, edge_high, target in pool.edges(obligation):
                    if edge_high < at or edge_low > piece_high:
                        continue
                    if edge_low > at:
                        cut.append((at, edge_low - 1, so_far))
                    inside = (max(at, edge_low), min(piece_high, edge_high))
                    if not pool.alive(target):
                        cut.append((*inside, so_far))
                    elif not pool.accepts(target):
                        cut.append((*inside, so_far | {target}))
                    at = edge_high + 1
                    if at > piece_high:
                        break
                if at <= piece_high:
                    cut.append((at, piece_high, so_far))
            pieces = cut
        return pieces

    def _run(self, ends: Iterable[Obligations]) -> ir.Terminal:
        """Ignored text, at least one match, that ends with one of these sets open."""
        wanted = frozenset(ends)
        if wanted not in self._runs:
            self._runs[wanted] = ir.Terminal("ignored", self._run_language(wanted))
        return self._runs[wanted]

    def _run_language(self, wanted: frozenset[Obligations]) -> Regular:
        start: frozenset[_Config] = frozenset([(None, _FREE)])
        numbers: dict[tuple[frozenset[_Config], bool], int] = {(start, True): 0}
        queue: list[tuple[frozenset[_Config], bool]] = [(start, True)]
        moves: list[dict[int, int]] = []
        accepting: set[int] = set()
        for places, empty in queue:  # grows while it is walked
            if not empty and any(s is None and o in wanted for s, o in places):
                accepting.add(len(moves))
            reached: dict[int, set[_Config]] = {}
            for place in places:
                for symbol, targets in self._moves_of[place].items():
                    reached.setdefault(symbol, set()).update(targets)
            row: dict[int, int] = {}
            for symbol, targets in reached.items():
                key = (frozenset(targets), False)
                if key not in numbers:
                    self._bound(len(numbers))
                    numbers[key] = len(numbers)
                    queue.append(key)
                row[symbol] = numbers[key]
            moves.append(row)
        return minimise(moves, accepting, self._symbols)

    # --- terminals under obligations

    def _cut(self, start: State, obligations: Obligations, name: str) -> _Cut:
        """What is left of a terminal's language when it follows a run with these obligations."""
        pool = self._pool
        if not any(self._first(start) & self._first(each) for each in obligations):
            return _Cut(True, NOTHING)  # its first character settles every obligation
        seen = {(start, obligations)}
        queue = [(start, obligations)]
        lost = False
        for state, open_now in queue:  # grows while it is walked
            if pool.accepts(state) and state != start:
                raise self._refuse(
                    f"whether ignored text ends before `{name}` would be decided by what follows it"
                )
            kept = CharSet.EMPTY
            for charset, target, open_then in self._moves(state, open_now):
                kept |= charset
                if open_then and (target, open_then) not in seen:
                    self._bound(len(seen))
                    seen.add((target, open_then))
                    queue.append((target, open_then))
            lost = lost or kept != self._first(state)
        return _Cut(False, self._product(start, obligations)) if lost else _Cut(True, NOTHING)

    def _first(self, state: State) -> CharSet:
        """The characters a non-empty text of the language can begin with."""
        if state not in self._firsts:
            pool = self._pool
            self._firsts[state] = CharSet.from_ranges(
                (low, high) for low, high, target in pool.edges(state) if pool.alive(target)
            )
        return self._firsts[state]

    def _product(self, start: State, obligations: Obligations) -> Regular:
        """The terminal's texts that keep the obligations, as an automaton."""
        pool = self._pool
        numbers: dict[tuple[State, Obligations], int] = {(start, obligations): 0}
        queue = [(start, obligations)]
        rows: list[list[tuple[CharSet, int]]] = []
        for state, open_now in queue:  # grows while it is walked
            row: list[tuple[CharSet, int]] = []
            for charset, target, open_then in self._moves(state, open_now):
                key = (target, open_then)
                if key not in numbers:
                    self._bound(len(numbers))
                    numbers[key] = len(numbers)
                    queue.append(key)
                row.append((charset, numbers[key]))
            rows.append(row)
        accepting = [n for (state, _), n in numbers.items() if n and pool.accepts(state)]
        return from_rows(rows, accepting)

    def _bound(self, count: int) -> None:
        if count >= MAX_STATES:
            raise self._refuse(f"the ignored text needs more than {MAX_STATES} states")

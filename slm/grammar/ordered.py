"""Python's leftmost-first matching as a language.

`re` does not look for the longest match but for the first one in the order its alternatives and
quantifiers give: ``a|ab`` takes ``a`` out of ``ab``, and ``".*?"`` stops at the first quote that
lets it. The texts that `re.match` consumes *as a whole* therefore form a smaller language than the
plain one:

    K(p) = { w : re.match(p, w).end() == len(w) }

Lark's dynamic lexers speak about K. It is computed with a Thompson automaton whose branches are
ordered. A state of the determinised automaton is the list of live threads in the order of
preference, cut behind the first thread that has matched: whatever is less preferred can no longer
win (R. Cox, "Regular Expression Matching: the Virtual Machine Approach", 2009). A text is in K when
the list's last thread is a match.

In Python a pass of a loop that matches nothing ends the loop; the automaton does the same. That
decides everything as long as nothing is what the body prefers least (``([^"]*(""){0,1})*``); a loop
whose body prefers it to something else (``(|a)+``) is refused by name, because there `re` itself
follows no rule that could be stated.

Lookbehind of a fixed few characters is decided by remembering the last symbols read.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeAlias

from slm.errors import GrammarTooComplex, Place
from slm.grammar.charset import CharSet
from slm.grammar.ordered_dfa import minimise, partition
from slm.grammar.pattern_behind import RestBehind
from slm.grammar.pattern_echo import echo_language, has_capture
from slm.grammar.pattern_lower import Refuse, charsets_of, lower
from slm.grammar.pattern_tree import (
    Again,
    Anchor,
    Branch,
    Captured,
    Class,
    Look,
    Node,
    Pattern,
    Quantified,
    Sequence,
    fixed_width,
    walk_nodes,
)
from slm.grammar.regular import Regular

MAX_NFA_STATES = 20_000
MAX_DFA_STATES = 4_000
MAX_WORK = 2_000_000  # threads moved, over all states and symbols


def leftmost_first_language(
    pattern: Pattern, *, refuse: Refuse, place: Place | None = None
) -> Regular:
    r"""The texts that `re.match` of the pattern consumes as a whole.

    Returns the plain language, with its counters, when it is provably the same; else a `Dfa`.

    Raises:
        UnsupportedPattern: through `refuse`, for anchors, lookahead, `\b`, and lookbehind that may
            look at what stands before the match.
        GrammarTooComplex: the automaton grows past a bound.

    Cost: linear in the number of live thread lists, bounded by `MAX_WORK`.
    """
    if has_capture(pattern.root):
        return echo_language(pattern.root, refuse)
    for node in walk_nodes(pattern.root):
        if isinstance(node, Anchor):
            raise refuse("an anchor", r"\^|\$|\\[AZ]")
        if isinstance(node, Look) and node.ahead:
            raise refuse("a lookahead assertion", r"\(\?[=!]")
        if isinstance(node, Quantified) and node.high != 1 and not nothing_last(node.body):
            raise refuse("a loop whose body prefers to match nothing", r"\*|\+|\{")
    looks = any(isinstance(node, Look) for node in walk_nodes(pattern.root))
    if not looks and order_is_harmless(pattern.root):
        return lower(pattern.root, search=False, refuse=refuse)
    nfa = Nfa.of(pattern.root, refuse, place)
    machine = _Determinised(nfa, ordered=True, at_text_start=False, refuse=refuse, place=place)
    if not looks and machine.cuts_nothing():
        return lower(pattern.root, search=False, refuse=refuse)
    return machine.dfa()


def language_with_lookbehind(root: Node, *, search: bool, refuse: Refuse) -> Regular:
    """The plain language of a pattern with lookbehind assertions, as a `Dfa`.

    Raises:
        UnsupportedPattern: through `refuse`, for lookbehind that is not a fixed row of classes,
            and for lookbehind together with `$` in the middle.
        GrammarTooComplex: the automaton grows past a bound.
    """
    anything = Quantified(Class(CharSet.ALL), 0, None)
    if any(isinstance(node, Anchor) for node in walk_nodes(root)):
        root, left, right = _strip_anchors(root, refuse)
    else:
        left = right = False
    if search:
        parts = (*(() if left else (anything,)), root, *(() if right else (anything,)))
        root = Sequence(parts)
    nfa = Nfa.of(root, refuse, None)
    return _Determinised(nfa, ordered=False, at_text_start=True, refuse=refuse, place=None).dfa()


def _strip_anchors(root: Node, refuse: Refuse) -> tuple[Node, bool, bool]:
    """The root without `^` first and `$` last, and whether each was there."""
    parts = root.parts if isinstance(root, Sequence) else (root,)
    left = bool(parts) and parts[0] == Anchor("start")
    right = bool(parts) and parts[-1] == Anchor("end")
    inner = parts[1 if left else 0 : len(parts) - (1 if right else 0)]
    if any(isinstance(node, Anchor) for part in inner for node in walk_nodes(part)):
        raise refuse("an anchor beside a lookbehind assertion", r"\^|\$")
    return Sequence(inner), left, right


# --- a condition on the tree that spares the automaton --------------------------------------------


def order_is_harmless(node: Node) -> bool:
    """Whether the order of alternatives plainly cannot cut any match short.

    Sufficient, cheap, and independent of the size of counters: K is the plain language when every
    choice is decided by the next character alone (the first characters of what competes are
    disjoint), or prefers to go on and can do so without ever giving up a match: the body of a
    greedy loop of single characters, at the very end or before what it cannot start.
    """
    return _harmless(node, CharSet.EMPTY)


def _harmless(node: Node, follow: CharSet) -> bool:
    """As `order_is_harmless`, for a node that `follow`, or the end of the match, comes behind."""
    match node:
        case Class():
            return True
        case Sequence(parts):
            for part in reversed(parts):
                if not _harmless(part, follow):
                    return False
                first, empty = _first(part)
                follow = first | follow if empty else first
            return True
        case Branch(options):
            seen = CharSet.EMPTY
            for index, option in enumerate(options):
                first, empty = _first(option)
                if first & seen or not _harmless(option, follow):
                    return False
                seen |= first
                # An empty alternative competes with the others and with what follows.
                if empty and (index + 1 < len(options) or seen & follow):
                    return False
            return True
        case Quantified(body, low, high, greedy):
            first, empty = _first(body)
            again = follow if high is not None and high <= 1 else first | follow
            if empty or not _harmless(body, again):
                return False
            return low == high or (greedy and not first & follow)
        case _:
            return False


def _first(node: Node) -> tuple[CharSet, bool]:
    """The characters a match of the node can begin with, and whether it can be empty."""
    match node:
        case Class(charset):
            return charset, False
        case Sequence(parts):
            found = CharSet.EMPTY
            for part in parts:
                first, empty = _first(part)
                found |= first
                if not empty:
                    return found, False
            return found, True
        case Branch(options):
            firsts = [_first(option) for option in options]
            return (
                CharSet.from_ranges(pair for first, _ in firsts for pair in first.ranges),
                any(empty for _, empty in firsts),
            )
        case Quantified(body, low, _):
            first, empty = _first(body)
            return first, empty or low == 0
        case _:
            return CharSet.EMPTY, True


def nothing_last(node: Node) -> bool:
    """Whether the node, if it can match nothing, prefers everything else to that."""
    match node:
        case Sequence(parts):
            return not _first(node)[1] or all(nothing_last(part) for part in parts)
        case Branch(options):
            return not any(_first(option)[1] for option in options[:-1]) and nothing_last(
                options[-1]
            )
        case Quantified(body, low, _, greedy):
            empty = _first(body)[1]
            return (greedy or (low > 0 and not empty)) and (not empty or nothing_last(body))
        case _:
            return True


# --- the ordered automaton ------------------------------------------------------------------------

_CHAR, _SPLIT, _LOOK, _MATCH, _AHEAD = range(5)


@dataclass(slots=True)
class Nfa:
    """Thompson's automaton with ordered branches; state 0 is the match."""

    kinds: list[int] = field(default_factory=lambda: [_MATCH])
    # _CHAR: (class number, next); _SPLIT: states in order; _LOOK: (look number, next);
    # _AHEAD: (rest number, next, whether it is negative)
    edges: list[tuple[int, ...]] = field(default_factory=lambda: [()])
    symbols: tuple[CharSet, ...] = ()
    members: list[frozenset[int]] = field(default_factory=list)  # class number -> symbols
    looks: list[tuple[tuple[frozenset[int], ...], bool]] = field(default_factory=list)
    start: int = 0
    # What lookahead assertions want to see; by what stands before them, if they look there, too.
    rests: list[Regular | RestBehind] = field(default_factory=list)
    _classes: dict[CharSet, int] = field(default_factory=dict)
    _place: Place | None = None
    _rest_of: Callable[[Node], Regular | RestBehind] | None = None
    _bodies: dict[Node, int] = field(default_factory=dict)  # of lookahead assertions: their rests

    @classmethod
    def of(
        cls,
        root: Node,
        refuse: Refuse,
        place: Place | None,
        ahead: Callable[[Node], Regular | RestBehind] | None = None,
    ) -> Nfa:
        """The automaton of a pattern.

        Args:
            root: the pattern.
            refuse: makes the error for what has no automaton.
            place: where it stands.
            ahead: what a lookahead assertion wants to see, up to the end of the text; None: there
                may be none.
        """
        nfa = cls(_place=place, _rest_of=ahead)
        nfa.symbols = partition(charsets_of(root))
        nfa.start = nfa.build(root, 0, refuse)
        return nfa

    def steps(self, state: int) -> list[tuple[int, int]]:
        """(symbol, next) of a state that reads a character."""
        if self.kinds[state] != _CHAR:
            return []
        number, then = self.edges[state]
        return [(symbol, then) for symbol in self.members[number]]

    def split(self, state: int) -> tuple[int, ...] | None:
        """The states a branching one leads to, in order."""
        return self.edges[state] if self.kinds[state] == _SPLIT else None

    def look(self, state: int) -> tuple[int, int] | None:
        """(look number, next) of a state that looks behind."""
        edges = self.edges[state]
        return (edges[0], edges[1]) if self.kinds[state] == _LOOK else None

    def ahead_of(self, state: int) -> tuple[int, int, bool] | None:
        """(rest number, next, negative) of a state that looks ahead."""
        edges = self.edges[state]
        return (edges[0], edges[1], bool(edges[2])) if self.kinds[state] == _AHEAD else None

    def add(self, kind: int, *edges: int) -> int:
        """A new state."""
        if len(self.kinds) >= MAX_NFA_STATES:
            raise GrammarTooComplex(
                f"a regular expression needs more than {MAX_NFA_STATES} states",
                at=self._place,
                hint="lower its repetition bounds, or avoid lazy and overlapping alternatives",
            )
        self.kinds.append(kind)
        self.edges.append(edges)
        return len(self.kinds) - 1

    def number(self, charset: CharSet) -> int:
        """The number of a class, with the symbols in it."""
        if charset not in self._classes:
            self._classes[charset] = len(self.members)
            self.members.append(
                frozenset(
                    index
                    for index, symbol in enumerate(self.symbols)
                    if symbol.ranges[0][0] in charset
                )
            )
        return self._classes[charset]

    def build(self, node: Node, then: int, refuse: Refuse) -> int:
        """The state from which `node` matches and then `then` goes on."""
        match node:
            case Class(charset):
                return self.add(_CHAR, self.number(charset), then)
            case Sequence(parts):
                for part in reversed(parts):
                    then = self.build(part, then, refuse)
                return then
            case Branch(options):
                return self.add(_SPLIT, *(self.build(o, then, refuse) for o in options))
            case Quantified(body, low, high, greedy):
                return self.loop(body, low, high, greedy, then, refuse)
            case Look(body, False, negative):
                row = fixed_width(body)
                if row is None:
                    raise refuse("a lookbehind that is not a row of characters", r"\(\?<[=!]")
                members = tuple(self.members[self.number(charset)] for charset in row)
                self.looks.append((members, negative))
                return self.add(_LOOK, len(self.looks) - 1, then)
            case Look(body, True, negative) if self._rest_of is not None:
                if body not in self._bodies:
                    rest = self._rest_of(body)
                    if rest not in self.rests:
                        self.rests.append(rest)
                    self._bodies[body] = self.rests.index(rest)
                return self.add(_AHEAD, self._bodies[body], then, int(negative))
            case Look():
                raise refuse("lookahead beside lookbehind", r"\(\?[=!]")
            case Anchor():
                raise refuse("an anchor", r"\^|\$|\\[AZ]")
            case Captured() | Again():
                raise refuse("a backreference beside a lookaround assertion", r"\\[1-9]|\(\?P=")

    def loop(
        self, body: Node, low: int, high: int | None, greedy: bool, then: int, refuse: Refuse
    ) -> int:
        """The state from which a repetition matches and then `then` goes on."""
        empty = _first(body)[1]
        if high is None:
            # x{n,} is n copies and x*; x* is (x+)? so that an empty pass leaves the loop, as in
            # Python, rather than being forgotten.
            again = self.add(_SPLIT)
            inside = self.build(body, again, refuse)
            self.edges[again] = (inside, then) if greedy else (then, inside)
            if low == 0 and empty:
                entry = self.add(_SPLIT, *((inside, then) if greedy else (then, inside)))
            else:
                entry = again if low == 0 else inside
            copies = max(0, low - 1)
        else:
            entry = then
            for _ in range(high - low):
                inside = self.build(body, entry, refuse)
                entry = self.add(_SPLIT, *((inside, then) if greedy else (then, inside)))
            copies = low
        for _ in range(copies):
            entry = self.build(body, entry, refuse)
        return entry


_Threads: TypeAlias = tuple[int, ...]
_State: TypeAlias = tuple[_Threads, _Threads]  # live threads; the last symbols, for lookbehind


class _Determinised:
    """The reachable thread lists of an ordered automaton, and their transitions."""

    def __init__(
        self,
        nfa: Nfa,
        *,
        ordered: bool,
        at_text_start: bool,
        refuse: Refuse,
        place: Place | None,
    ) -> None:
        self.nfa, self.ordered, self.refuse, self.place = nfa, ordered, refuse, place
        self.at_text_start = at_text_start
        self.memory = max((len(row) for row, _ in nfa.looks), default=0)
        self.work = 0
        self.shadowed = False  # whether a cut ever dropped a thread
        start: _State = (self.closure((nfa.start,), ()), ())
        self.states: dict[_State, int] = {start: 0}
        self.moves: list[dict[int, int]] = []
        queue = [start]
        for threads, past in queue:  # grows while it is walked
            self.moves.append(self.step_all(threads, past, queue))

    def step_all(self, threads: _Threads, past: _Threads, queue: list[_State]) -> dict[int, int]:
        """Target state by symbol; new states go to the end of `queue`."""
        found: dict[int, int] = {}
        nfa = self.nfa
        targets: dict[int, list[int]] = {}
        for thread in threads:
            if nfa.kinds[thread] == _CHAR:
                number, then = nfa.edges[thread]
                for symbol in nfa.members[number]:
                    targets.setdefault(symbol, []).append(then)
        # Many symbols lead to the same list of states: close each list once.
        closed: dict[_State, _Threads] = {}
        for symbol, states in targets.items():
            now = (*past, symbol)[-self.memory :] if self.memory else ()
            key = (tuple(states), now)
            if key not in closed:
                closed[key] = self.closure(key[0], now)
            if not closed[key]:
                continue
            state = (closed[key], now)
            if state not in self.states:
                if len(self.states) >= MAX_DFA_STATES:
                    raise self.too_complex()
                self.states[state] = len(self.states)
                queue.append(state)
            found[symbol] = self.states[state]
        return found

    def closure(self, states: tuple[int, ...], past: tuple[int, ...]) -> tuple[int, ...]:
        """Threads in order of preference, cut behind the first match."""
        nfa = self.nfa
        seen: set[int] = set()
        threads: list[int] = []
        stack = list(reversed(states))
        while stack:
            state = stack.pop()
            if state in seen:
                continue
            seen.add(state)
            self.work += 1
            kind = nfa.kinds[state]
            if kind == _SPLIT:
                stack.extend(reversed(nfa.edges[state]))
            elif kind == _LOOK:
                number, then = nfa.edges[state]
                if self.holds(number, past):
                    stack.append(then)
            else:
                threads.append(state)
                if kind == _MATCH and self.ordered:
                    self.shadowed = self.shadowed or any(s not in seen for s in stack)
                    break
        if self.work > MAX_WORK:
            raise self.too_complex()
        return tuple(threads) if self.ordered else tuple(sorted(threads))

    def holds(self, number: int, past: tuple[int, ...]) -> bool:
        row, negative = self.nfa.looks[number]
        if len(past) < len(row):
            if not self.at_text_start:
                raise self.refuse("a lookbehind that looks before the match", r"\(\?<[=!]")
            return negative
        behind = past[len(past) - len(row) :] if row else ()
        return negative != all(s in members for s, members in zip(behind, row, strict=True))

    def cuts_nothing(self) -> bool:
        """Whether no cut ever dropped a thread, so that K is the plain language."""
        return not self.shadowed

    def dfa(self) -> Regular:
        """The automaton, minimised."""
        accepting = {
            index for (threads, _), index in self.states.items() if threads and 0 in threads
        }
        return minimise(self.moves, accepting, self.nfa.symbols)

    def too_complex(self) -> GrammarTooComplex:
        return GrammarTooComplex(
            "Python's order of preference in a regular expression needs too large an automaton",
            at=self.place,
            hint="lower its repetition bounds, or avoid lazy and overlapping alternatives",
        )

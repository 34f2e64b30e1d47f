"""Regular languages as states: Brzozowski derivatives by code point, lazily and hash-consed.

A state is a number that stands for a language. `Languages.edges` says what one more code point
leaves of it, as disjoint ranges, so a caller never enumerates Unicode. Union and intersection are
sets here (associative, commutative, idempotent), which is what keeps the number of states finite:
Brzozowski, "Derivatives of regular expressions", 1964; ranges instead of single symbols as in
Owens, Reppy and Turon, "Regular-expression derivatives re-examined", 2009.

Rejected: translating to an NFA first. Intersection, complement and counters would each need their
own construction there; a derivative is one line a construct.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable
from typing import Literal, TypeAlias

from slm.errors import GrammarTooComplex
from slm.grammar.charset import CharSet
from slm.grammar.echo import Begun, Parts, Reading, no_boolean
from slm.grammar.edges import NONE, Edges, State, overlay_edges, uncovered
from slm.grammar.regular import (
    Chars,
    Complement,
    Concat,
    Dfa,
    Echo,
    Intersection,
    Label,
    Multiple,
    Regular,
    Repeat,
    Union,
)

__all__ = ["ANY", "EMPTY", "NONE", "Edges", "Languages", "State"]

# How a state is written down; sub-languages are states themselves.
_Term: TypeAlias = (
    tuple[Literal["chars"], CharSet]
    | tuple[Literal["concat"], tuple[State, State]]
    | tuple[Literal["union", "intersection"], frozenset[State]]
    | tuple[Literal["repeat"], tuple[State, int, "int | None"]]
    | tuple[Literal["not"], State]
    | tuple[Literal["dfa"], tuple[int, int]]
    | tuple[Literal["multiple"], Multiple]
    | tuple[Literal["label"], Begun]
    | tuple[Literal["echo"], Reading]
)


EMPTY: State = 1  # the empty text
ANY: State = 2  # every text


class Languages:
    """A pool of states with what can be asked about them; grows as it is asked.

    Args:
        limit: the most states it may hold.

    Attributes:
        leaned: whether a text was found to be in none of two languages, where one of them is in the
            place of a larger one that cannot be told. Nothing here sets it.

    Every question may raise `GrammarTooComplex`: the limit was hit.

    >>> from slm.grammar.regular import literal, union
    >>> pool = Languages()
    >>> state = pool.state(union(literal("no"), literal("not")))
    >>> for char in "no":
    ...     state = pool.step(state, ord(char))
    >>> pool.accepts(state), pool.extendable(state)
    (True, True)
    """

    def __init__(self, limit: int = 1_000_000) -> None:
        self._limit = limit
        self.leaned = False
        self._terms: list[_Term] = []
        self._numbers: dict[_Term, State] = {}
        self._nullable: list[bool] = []
        self._plain: list[bool] = []  # no complement, intersection or DFA inside: alive unless NONE
        self._echoing: set[State] = set()  # with an `Echo` inside whose word is not over
        self._after: dict[tuple[State, int], State] = {}  # of those, by code point
        self._edges: dict[State, Edges] = {}
        self._lows: dict[State, list[int]] = {}
        self._alive: dict[State, bool] = {NONE: False}
        self._dfas: dict[Dfa, int] = {}
        self._dfa_edges: list[tuple[list[tuple[int, int, int]], ...]] = []
        self._dfa_accepting: list[frozenset[int]] = []
        self._number(("chars", CharSet.EMPTY), nullable=False, plain=True)
        self._number(("union", frozenset()), nullable=True, plain=True)
        self._number(("repeat", (3, 0, None)), nullable=True, plain=True)
        self._number(("chars", CharSet.ALL), nullable=False, plain=True)  # what ANY repeats

    def __len__(self) -> int:
        return len(self._terms)

    # --- questions --------------------------------------------------------------------------------

    def accepts(self, state: State) -> bool:
        """Whether the empty text is in the language."""
        return self._nullable[state]

    def alive(self, state: State) -> bool:
        """Whether any text is in the language."""
        known = self._alive.get(state)
        if known is None:
            known = self._plain[state] or (
                self._alive_by_parts(state) if state in self._echoing else self._search(state)
            )
            self._alive[state] = known
        return known

    def extendable(self, state: State) -> bool:
        """Whether any text but the empty one is in the language."""
        return any(self.alive(target) for _, _, target in self.edges(state))

    def step(self, state: State, point: int) -> State:
        """The language of what may follow `point`; `NONE` when nothing can be completed."""
        if state in self._echoing:
            left = self._echo_after(state, point)
            return left if self.alive(left) else NONE
        edges = self.edges(state)
        at = bisect_right(self._lows[state], point) - 1
        if at < 0 or edges[at][1] < point or not self.alive(edges[at][2]):
            return NONE
        return edges[at][2]

    def edges(self, state: State) -> Edges:
        """What each code point leaves; ranges that leave `NONE` are absent.

        Of a state that `remembers`, what the first code point of a range leaves: what others do
        may be other texts, which are left under the same code points, though.
        """
        known = self._edges.get(state)
        if known is None:
            known = self._derive(state)
            self._edges[state] = known
            self._lows[state] = [low for low, _, _ in known]
        return known

    def remembers(self, state: State) -> bool:
        """Whether each code point may leave something of its own; see `Echo`."""
        return state in self._echoing

    def _search(self, state: State) -> bool:
        """Depth-first for an accepting state; what was visited in vain is dead."""
        parents, stack = {state: state}, [state]
        while stack:
            here = stack.pop()
            if self._nullable[here] or self._alive.get(here) or (self._plain[here] and here):
                while here != state:  # the whole way there is alive
                    self._alive[here] = True
                    here = parents[here]
                return True
            for _, _, target in self.edges(here):
                if target not in parents and self._alive.get(target) is not False:
                    parents[target] = here
                    stack.append(target)
        self._alive.update(dict.fromkeys(parents, False))
        return False

    # --- building ---------------------------------------------------------------------------------

    def state(self, regular: Regular) -> State:
        """The state of a language."""
        match regular:
            case Chars(charset):
                return self._chars(charset)
            case Concat(parts):
                whole = EMPTY
                for part in reversed(parts):
                    whole = self.concat(self.state(part), whole)
                return whole
            case Union(options):
                return self.union(self.state(option) for option in options)
            case Repeat(body, low, high):
                return self.repeat(self.state(body), low, high)
            case Intersection(parts):
                return self.intersection(self.state(part) for part in parts)
            case Complement(body):
                return self.complement(self.state(body))
            case Dfa():
                return self._dfa(self._dfa_number(regular), 0)
            case Multiple():
                return self._multiple(regular if regular.possible() else None)
            case Label():
                return self._label(Begun(regular, "")) if regular.letters else NONE
            case Echo(word, then, search):
                start = Reading(self.state(word), "", self._parts(then), self._parts(search))
                return self._echo(start) if all(map(self.alive, start.parts())) else NONE

    def _parts(self, parts: tuple[Regular | None, ...]) -> Parts:
        return tuple(None if part is None else self.state(part) for part in parts)

    def concat(self, left: State, right: State) -> State:
        """One after the other, nested to the right."""
        if NONE in (left, right):
            return NONE
        if left == EMPTY:
            return right
        if right == EMPTY:
            return left
        heads = []
        while self._terms[left][0] == "concat":
            head, left = self._terms[left][1]  # type: ignore[misc]
            heads.append(head)
        for head in (left, *reversed(heads)):
            right = self._number(
                ("concat", (head, right)),
                nullable=self._nullable[head] and self._nullable[right],
                plain=self._plain[head] and self._plain[right],
            )
        return right

    def union(self, options: Iterable[State]) -> State:
        """Any of the options, as a set; single characters become one."""
        flat: set[State] = set()
        charset = CharSet.EMPTY
        for option in options:
            kind, inner = self._terms[option]
            if kind == "chars":
                assert isinstance(inner, CharSet)
                charset |= inner
            elif kind == "union" and option != EMPTY:
                assert isinstance(inner, frozenset)
                flat |= inner
            else:
                flat.add(option)
        for option in [option for option in flat if self._terms[option][0] == "chars"]:
            flat.discard(option)
            inner = self._terms[option][1]
            assert isinstance(inner, CharSet)
            charset |= inner
        if ANY in flat:
            return ANY
        if charset:
            flat.add(self._chars(charset))
        if EMPTY in flat and any(self._nullable[option] for option in flat if option != EMPTY):
            flat.discard(EMPTY)
        if len(flat) < 2:
            return next(iter(flat), NONE)
        return self._number(
            ("union", frozenset(flat)),
            nullable=any(self._nullable[option] for option in flat),
            plain=all(self._plain[option] for option in flat),
        )

    def intersection(self, parts: Iterable[State]) -> State:
        """What is in every part, as a set."""
        flat: set[State] = set()
        for part in parts:
            kind, inner = self._terms[part]
            if kind == "intersection":
                assert isinstance(inner, frozenset)
                flat |= inner
            elif part != ANY:
                flat.add(part)
        if NONE in flat:
            return NONE
        if not self._echoing.isdisjoint(flat):
            raise no_boolean("an intersection")
        if EMPTY in flat:
            return EMPTY if all(self._nullable[part] for part in flat) else NONE
        if len(flat) < 2:
            return next(iter(flat), ANY)
        return self._number(
            ("intersection", frozenset(flat)),
            nullable=all(self._nullable[part] for part in flat),
            plain=False,
        )

    def complement(self, body: State) -> State:
        """Every other text."""
        kind, inner = self._terms[body]
        if kind == "not":
            assert isinstance(inner, int)
            return inner
        if body in (NONE, ANY):
            return ANY if body == NONE else NONE
        if body in self._echoing:
            raise no_boolean("a complement")
        return self._number(("not", body), nullable=not self._nullable[body], plain=False)

    def repeat(self, body: State, low: int, high: int | None) -> State:
        """`low` to `high` times the body."""
        if high is not None and high < low:
            return NONE
        if high == 0 or body in (EMPTY, NONE):
            return NONE if body == NONE and low > 0 else EMPTY
        if low == high == 1:
            return body
        if self._nullable[body]:
            low = 0
        return self._number(
            ("repeat", (body, low, high)),
            nullable=low == 0,
            plain=self._plain[body],
        )

    def _chars(self, charset: CharSet) -> State:
        return self._number(("chars", charset), nullable=False, plain=True) if charset else NONE

    def _dfa(self, number: int, at: int) -> State:
        accepting = at in self._dfa_accepting[number]
        return self._number(("dfa", (number, at)), nullable=accepting, plain=False)

    def _multiple(self, digits: Multiple | None) -> State:
        if digits is None:
            return NONE
        state = self._number(("multiple", digits), nullable=digits.rest == 0, plain=False)
        self._alive[state] = True
        return state

    def _label(self, begun: Begun) -> State:
        return self._number(("label", begun), nullable=begun.read != "", plain=True)

    def _echo(self, at: Reading) -> State:
        """The rest of an `Echo`, of whose word some text was read."""
        if not self.alive(at.word):
            return NONE
        over = at.word == EMPTY
        if over and not at.then:
            found = self._spelt(at.search, at.read)
            longer = self.concat(found, self.repeat(3, 1, None))
            return self.intersection((found, self.complement(longer))) if at.search else EMPTY
        if over and not at.repeats():
            at = Reading(EMPTY, "", at.then, at.search)
        nullable = self._nullable[at.word] and all(self._nullable[part] for part in at.parts())
        nullable = nullable and (at.read == "" or not at.repeats())
        state = self._number(("echo", at), nullable=nullable, plain=False)
        self._alive[state] = True
        if not over:
            self._echoing.add(state)
        return state

    def _spelt(self, parts: Parts, word: str) -> State:
        """The parts one after the other, with the word in its places."""
        whole = EMPTY
        for part in reversed(parts):
            if part is not None:
                whole = self.concat(part, whole)
                continue
            for char in reversed(word):
                whole = self.concat(self._chars(CharSet.of(char)), whole)
        return whole

    def _behind_word(self, at: Reading) -> State:
        """What follows if the word is over."""
        rest = self._echo(Reading(EMPTY, at.read, at.then[1:], at.search))
        return self.concat(self._spelt(at.then[:1], at.read), rest)

    def _has_echo(self, term: _Term) -> bool:
        kind, inner = term
        if kind in ("concat", "union"):
            return not self._echoing.isdisjoint(inner)  # type: ignore[arg-type]
        return kind == "repeat" and inner[0] in self._echoing  # type: ignore[index]

    def _alive_by_parts(self, state: State) -> bool:
        """As `_search`, which would go from word to word; there is no intersection around one."""
        kind, inner = self._terms[state]
        if kind == "union":
            return any(map(self.alive, inner))  # type: ignore[arg-type]
        if kind == "concat":
            return all(map(self.alive, inner))  # type: ignore[arg-type]
        return self._nullable[state] or self.alive(inner[0])  # type: ignore[index]

    def _echo_after(self, state: State, point: int) -> State:
        """What a code point leaves of a state that remembers."""
        if state not in self._echoing:
            return self.step(state, point)
        known = self._after.get((state, point))
        if known is not None:
            return known
        kind, inner = self._terms[state]
        if kind == "concat":
            head, tail = inner  # type: ignore[misc]
            left = self.concat(self._echo_after(head, point), tail)
            if self._nullable[head]:
                left = self.union((left, self._echo_after(tail, point)))
        elif kind == "union":
            assert isinstance(inner, frozenset)
            left = self.union([self._echo_after(option, point) for option in inner])
        elif kind == "repeat":
            body, low, high = inner  # type: ignore[misc]
            rest = self.repeat(body, max(low - 1, 0), None if high is None else high - 1)
            left = self.concat(self._echo_after(body, point), rest)
        else:
            assert isinstance(inner, Reading)
            to = self.step(inner.word, point)
            left = NONE if to == NONE else self._echo(inner.going_on(to, point))
            if self._nullable[inner.word]:
                left = self.union((left, self.step(self._behind_word(inner), point)))
        self._after[state, point] = left
        return left

    def _dfa_number(self, dfa: Dfa) -> int:
        number = self._dfas.get(dfa)
        if number is None:
            number = self._dfas[dfa] = len(self._dfa_edges)
            self._dfa_accepting.append(dfa.accepting)
            self._dfa_edges.append(
                tuple(
                    sorted(
                        (low, high, target)
                        for charset, target in edges
                        for low, high in charset.ranges
                    )
                    for edges in dfa.edges
                )
            )
        return number

    def _number(self, term: _Term, *, nullable: bool, plain: bool) -> State:
        number = self._numbers.get(term)
        if number is None:
            number = len(self._terms)
            if number >= self._limit:
                raise GrammarTooComplex(
                    f"the grammar's terminals need more than {self._limit} states",
                    hint="simplify the patterns that are combined or counted",
                )
            self._numbers[term] = number
            self._terms.append(term)
            self._nullable.append(nullable)
            self._plain.append(plain)
            if self._echoing and self._has_echo(term):
                self._echoing.add(number)
        return number

    # --- derivatives ------------------------------------------------------------------------------

    def _derive(self, state: State) -> Edges:
        kind, inner = self._terms[state]
        if kind == "chars":
            assert isinstance(inner, CharSet)
            return tuple((low, high, EMPTY) for low, high in inner.ranges)
        if kind == "concat":
            ways: list[Edges] = []
            rest = state
            while True:  # past every head that may be empty; a loop, for chains can be long
                term, parts = self._terms[rest]
                if term != "concat":
                    ways.append(self.edges(rest))
                    break
                head, rest = parts  # type: ignore[misc]
                ways.append(
                    tuple((a, b, self.concat(left, rest)) for a, b, left in self.edges(head))
                )
                if not self._nullable[head]:
                    break
            return ways[0] if len(ways) == 1 else overlay_edges(ways, self.union)
        if kind == "union":
            assert isinstance(inner, frozenset)
            return overlay_edges([self.edges(option) for option in inner], self.union)
        if kind == "intersection":
            assert isinstance(inner, frozenset)
            count = len(inner)
            return overlay_edges(
                [self.edges(part) for part in inner],
                lambda left: self.intersection(left) if len(left) == count else NONE,
            )
        if kind == "multiple":
            assert isinstance(inner, Multiple)
            left = [self._multiple(inner.after(digit)) for digit in range(10)]
            return tuple((0x30 + at, 0x30 + at, to) for at, to in enumerate(left) if to != NONE)
        if kind == "label":
            assert isinstance(inner, Begun)
            return tuple((at, at, self._label(begun)) for at, begun in inner.after())
        if kind == "echo":
            assert isinstance(inner, Reading)
            read = (
                (a, b, self._echo(inner.going_on(to, a))) for a, b, to in self.edges(inner.word)
            )
            ways = [tuple(edge for edge in read if edge[2] != NONE)]
            if self._nullable[inner.word]:
                ways.append(self.edges(self._behind_word(inner)))
            return overlay_edges(ways, self.union)
        if kind == "not":
            assert isinstance(inner, int)
            edges = self.edges(inner)
            # where the body has no edge it is left with nothing, and its complement with anything
            holes = tuple((a, b, NONE) for a, b in uncovered(edges).ranges)
            return tuple(
                (a, b, target)
                for a, b, left in sorted(edges + holes)
                if (target := self.complement(left)) != NONE
            )
        if kind == "repeat":
            body, low_count, high_count = inner  # type: ignore[misc]
            rest = self.repeat(
                body, max(low_count - 1, 0), None if high_count is None else high_count - 1
            )
            return tuple((a, b, self.concat(left, rest)) for a, b, left in self.edges(body))
        number, at = inner  # type: ignore[misc]
        return tuple((a, b, self._dfa(number, to)) for a, b, to in self._dfa_edges[number][at])

"""What decides, between two tokens, which scanner comes next and what the parser may do.

Lark's LALR tables differ from the rules they were made of in two ways that texts can feel: the
contextual lexer is chosen by the state on top of the stack, and where a shift and a reduction
competed, the shift won. Both are functions of states, and which state a symbol is read in follows
from where its rule began. Under Earley neither exists, and there is one place for everything.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol, TypeAlias

from lark.grammar import Rule as LarkRule
from lark.parsers.lalr_analysis import Shift

from slm.syntax.alike import refined
from slm.syntax.lexing import END, Lexing
from slm.syntax.scanners import Scanner, Scanners

Row: TypeAlias = "tuple[tuple[str, bool], ...]"  # a rule's symbols, and whether each is a terminal


class Symbols:
    """The rules of a Lark object by name, and what may come first, and after, each symbol."""

    def __init__(self, rules: Iterable[LarkRule], start: str) -> None:
        self.rows: dict[str, list[Row]] = {}
        for rule in rules:
            row = tuple((str(symbol.name), bool(symbol.is_term)) for symbol in rule.expansion)
            self.rows.setdefault(str(rule.origin.name), []).append(row)
        self.start = start

    @cached_property
    def nullable(self) -> frozenset[str]:
        """Rules that derive the empty text."""
        found: set[str] = set()
        size = -1
        while size != len(found):
            size = len(found)
            for name, rows in self.rows.items():
                if any(all(not term and each in found for each, term in row) for row in rows):
                    found.add(name)
        return frozenset(found)

    @cached_property
    def first(self) -> dict[str, frozenset[str]]:
        """The terminals a rule can begin with."""
        found: dict[str, set[str]] = {name: set() for name in self.rows}
        changed = True
        while changed:
            changed = False
            for name, rows in self.rows.items():
                mine = found[name]
                size = len(mine)
                for row in rows:
                    for symbol, term in row:
                        mine |= {symbol} if term else found.get(symbol, set())
                        if term or symbol not in self.nullable:
                            break
                changed = changed or len(mine) != size
        return {name: frozenset(each) for name, each in found.items()}

    def first_of(self, row: Row) -> tuple[frozenset[str], bool]:
        """The terminals a row of symbols can begin with, and whether it can be empty."""
        found: frozenset[str] = frozenset()
        for name, term in row:
            found |= {name} if term else self.first.get(name, frozenset())
            if term or name not in self.nullable:
                return found, False
        return found, True

    @cached_property
    def begins(self) -> frozenset[str]:
        """The terminals a text can begin with, and the end if it can be empty."""
        first, empty = self.first_of(((self.start, False),))
        return first | ({END} if empty else frozenset())

    @cached_property
    def follow(self) -> dict[tuple[str, bool], frozenset[str]]:
        """The terminals, or the end, that can come after a symbol somewhere."""
        found: dict[tuple[str, bool], set[str]] = {(self.start, False): {END}}
        passed_on: dict[tuple[str, bool], set[tuple[str, bool]]] = {}
        for name, rows in self.rows.items():
            for row in rows:
                for at, symbol in enumerate(row):
                    first, empty = self.first_of(row[at + 1 :])
                    found.setdefault(symbol, set()).update(first)
                    if empty:
                        passed_on.setdefault((name, False), set()).add(symbol)
        queue = list(passed_on)
        while queue:
            upper = queue.pop()
            new = found.setdefault(upper, set())
            for symbol in passed_on.get(upper, ()):
                mine = found.setdefault(symbol, set())
                if not new <= mine:
                    mine |= new
                    queue.append(symbol)
        return {symbol: frozenset(each) for symbol, each in found.items()}


@dataclass(frozen=True)
class Ahead:
    """What reads the next token, and which tokens can be of use."""

    scanner: Scanner
    tokens: frozenset[str]


class Table(Protocol):
    """Where symbols are read, and what that decides. Places are numbers."""

    start: int

    def to(self, place: int, symbol: str) -> int:
        """The place after a symbol."""
        ...

    def like(self, place: int, rule: str) -> int:
        """One place for all in which the rule's texts are read in the same way."""
        ...

    def ahead(self, place: int, terminal: str | None) -> Ahead:
        """What comes after this terminal, read in `place`; None: what comes first."""
        ...

    def cut(self, place: int, origin: str, row: Row) -> frozenset[str]:
        """Tokens before which the table does not reduce this row in `place`."""
        ...


class OnePlace:
    """No table: Earley, with one lexer."""

    start = 0

    def __init__(self, symbols: Symbols, scanner: Scanner) -> None:
        self._symbols, self._scanner = symbols, scanner
        self._known: dict[str | None, Ahead] = {}

    def to(self, place: int, symbol: str) -> int:
        """There is one place."""
        del symbol
        return place

    def like(self, place: int, rule: str) -> int:
        """There is one place."""
        del rule
        return place

    def ahead(self, place: int, terminal: str | None) -> Ahead:
        """By the terminal alone."""
        del place
        if terminal not in self._known:
            symbols = self._symbols
            tokens = symbols.begins if terminal is None else symbols.follow[terminal, True]
            self._known[terminal] = Ahead(self._scanner, tokens)
        return self._known[terminal]

    def cut(self, place: int, origin: str, row: Row) -> frozenset[str]:
        """Earley keeps every way."""
        del place, origin, row
        return frozenset()


class LalrStates:
    """The parse table of a Lark object with ``parser="lalr"``, and its lexers."""

    shift = Shift

    def __init__(self, built: Any, start: str) -> None:
        table = built.parser.parser._parse_table
        self.states: dict[int, dict[str, tuple[Any, Any]]] = table.states
        self.start: int = table.start_states[start]
        lexer = built.parser.lexer
        lexer = getattr(lexer, "lexer", lexer)  # behind a post-lexer
        self._lexers: dict[int, Any] | None = getattr(lexer, "lexers", None)
        self._read = Scanners(built.terminals)
        self._basic = None if self._lexers else self._read.of(lexer)
        self._scanners: dict[int, Scanner] = {}

    @staticmethod
    def reduced(rule: Any) -> tuple[str, Row]:
        """What a reduction is by."""
        return str(rule.origin.name), _row_of(rule)

    def scanner(self, state: int) -> Scanner:
        """What reads tokens in a state."""
        if self._basic is not None:
            return self._basic
        assert self._lexers is not None
        lexer = self._lexers[state]
        if id(lexer) not in self._scanners:
            self._scanners[id(lexer)] = self._read.of(lexer)
        return self._scanners[id(lexer)]


class LalrTable:
    """A table by its states."""

    def __init__(self, table: LalrStates, symbols: Symbols, lexing: Lexing) -> None:
        self._table, self._states, self.start = table, table.states, table.start
        self._symbols, self._lexing = symbols, lexing
        self._ahead: dict[tuple[int, str | None], Ahead] = {}
        self._same_ahead: dict[object, Ahead] = {}
        self._tokens: dict[int, frozenset[str]] = {}
        self._reduces: dict[int, dict[tuple[str, Row], frozenset[str]]] = {}
        self._cuts: dict[tuple[int, str, Row], frozenset[str]] = {}
        self._like: dict[tuple[int, str], int] | None = None

    def to(self, place: int, symbol: str) -> int:
        """The state that is pushed."""
        action, target = self._states[place][symbol]
        assert action is Shift
        state: int = target
        return state

    def like(self, place: int, rule: str) -> int:
        """One of the states in which the rule meets the same lexers and the same conflicts."""
        if self._like is None:
            self._like = alike(self, self._symbols)
        return self._like[place, rule]

    def ahead(self, place: int, terminal: str | None) -> Ahead:
        """By the state on top of the stack, before any reduction."""
        state = place if terminal is None else self.to(place, terminal)
        key = (state, terminal)
        if key not in self._ahead:
            symbols, scanner = self._symbols, self._table.scanner(state)
            tokens = symbols.begins if terminal is None else symbols.follow[terminal, True]
            tokens &= frozenset(self._states[state])
            tokens = frozenset(t for t in tokens if t == END or self._lexing.sources(scanner, t))
            same = self._lexing.law(scanner, tokens)
            self._ahead[key] = self._same_ahead.setdefault(same, Ahead(scanner, tokens))
        return self._ahead[key]

    def cut(self, place: int, origin: str, row: Row) -> frozenset[str]:
        """Where something else is done although the row's rule could be followed by the token."""
        key = (place, origin, row)
        known = self._cuts.get(key)
        if known is None:
            follow = self._symbols.follow.get((origin, False), frozenset())
            others = follow & self._tokens_of(place)
            known = self._cuts[key] = others - self._reductions(place).get(
                (origin, row), frozenset()
            )
        return known

    def _tokens_of(self, state: int) -> frozenset[str]:
        if state not in self._tokens:
            self._tokens[state] = frozenset(self._states[state])
        return self._tokens[state]

    def _reductions(self, state: int) -> dict[tuple[str, Row], frozenset[str]]:
        """The tokens before which the table reduces, by what it reduces in this state."""
        known = self._reduces.get(state)
        if known is None:
            found: dict[Any, list[str]] = {}
            for token, (action, rule) in self._states[state].items():
                if action is not Shift:
                    found.setdefault(rule, []).append(token)
            known = self._reduces[state] = {
                self._table.reduced(rule): frozenset(tokens) for rule, tokens in found.items()
            }
        return known


def alike(
    table: Table, symbols: Symbols, enter: Callable[[int], int] = lambda place: place
) -> dict[tuple[int, str], int]:
    """One place for all those of a rule that cannot be told apart, by refining guesses.

    Two places of a rule are alike when each of its rows meets the same lexer after each of its
    terminals, the same cut at its end, and alike places for the rules in it. `enter` gives the
    place in which a rule is read where it is called.
    """
    pairs: dict[tuple[int, str], int] = {(table.start, symbols.start): 0}
    queue = list(pairs)
    kinds: list[object] = []
    calls: list[list[int]] = []
    # What the rest of a row meets from a place on: places of one rule often meet in the table.
    rests: dict[str, list[tuple[Row, dict[tuple[int, int], tuple[int, tuple[int, ...]]]]]] = {
        name: [(row, {}) for row in rows] for name, rows in symbols.rows.items()
    }
    numbers: dict[object, int] = {}
    for place, name in queue:  # grows while it is walked
        kind: list[object] = [name]
        inner: list[int] = []
        for row, known in rests[name]:
            at = place
            before: list[tuple[int, int, int | None, tuple[int, ...]]] = []
            for position, (symbol, term) in enumerate(row):
                rest = known.get((position, at))
                if rest is not None:
                    break
                if term:
                    before.append((position, at, id(table.ahead(at, symbol)), ()))
                else:
                    pair = (enter(at), symbol)
                    if pair not in pairs:
                        pairs[pair] = len(pairs)
                        queue.append(pair)
                    before.append((position, at, None, (pairs[pair],)))
                at = table.to(at, symbol)
            else:
                rest = numbers.setdefault(table.cut(at, name, row), len(numbers)), ()
            for position, at, met, called in reversed(before):
                number = numbers.setdefault((met, rest[0]), len(numbers))
                known[position, at] = rest = number, (*called, *rest[1])
            kind.append(rest[0])
            inner += rest[1]
        kinds.append(tuple(kind))
        calls.append(inner)
    blocks = refined(kinds, calls)
    chosen: dict[int, int] = {}
    return {
        (place, name): chosen.setdefault(blocks[number], place)
        for (place, name), number in pairs.items()
    }


def _row_of(rule: Any) -> Row:
    return tuple((str(symbol.name), bool(symbol.is_term)) for symbol in rule.expansion)

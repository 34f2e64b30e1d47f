"""What decides, between two tokens, which scanner comes next and what the parser may do.

Lark's LALR tables differ from the rules they were made of in two ways that texts can feel: the
contextual lexer is chosen by the state on top of the stack, and where a shift and a reduction
competed, the shift won. Both are functions of states, and which state a symbol is read in follows
from where its rule began. Under Earley neither exists, and there is one place for everything.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol

from lark.grammar import Rule as LarkRule
from lark.parsers.lalr_analysis import Shift

from slm.syntax.lexing import END
from slm.syntax.scanners import Scanner, scanner_of


class Symbols:
    """The rules of a Lark object by name, and what may come first, and after, each symbol."""

    def __init__(self, rules: Iterable[LarkRule], start: str) -> None:
        self.rows: dict[str, list[tuple[tuple[str, bool], ...]]] = {}
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
                    for each, term in row:
                        mine |= {each} if term else found.get(each, set())
                        if term or each not in self.nullable:
                            break
                changed = changed or len(mine) != size
        return {name: frozenset(each) for name, each in found.items()}

    def first_of(self, row: tuple[tuple[str, bool], ...]) -> tuple[frozenset[str], bool]:
        """The terminals a row of symbols can begin with, and whether it can be empty."""
        found: frozenset[str] = frozenset()
        for name, term in row:
            found |= {name} if term else self.first.get(name, frozenset())
            if term or name not in self.nullable:
                return found, False
        return found, True

    @cached_property
    def follow(self) -> dict[tuple[str, bool], frozenset[str]]:
        """The terminals, or the end, that can come after a symbol somewhere."""
        found: dict[tuple[str, bool], set[str]] = {(self.start, False): {END}}
        passed_on: dict[tuple[str, bool], set[str]] = {}
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

    def ahead(self, place: int, terminal: str | None) -> Ahead:
        """What comes after this terminal, read in `place`; None: what comes first."""
        ...

    def cut(self, place: int, origin: str, row: tuple[tuple[str, bool], ...]) -> frozenset[str]:
        """Tokens before which the table does not reduce this row in `place`."""
        ...


class OnePlace:
    """No table: Earley, with one lexer."""

    start = 0

    def __init__(self, symbols: Symbols, scanner: Scanner) -> None:
        self._symbols, self._scanner = symbols, scanner
        self._known: dict[str | None, Ahead] = {}

    def to(self, place: int, symbol: str) -> int:  # noqa: ARG002
        """There is one place."""
        return 0

    def ahead(self, place: int, terminal: str | None) -> Ahead:  # noqa: ARG002
        """By the terminal alone."""
        if terminal not in self._known:
            symbols = self._symbols
            if terminal is None:
                tokens, empty = symbols.first_of(((symbols.start, False),))
                tokens |= {END} if empty else frozenset()
            else:
                tokens = symbols.follow[terminal, True]
            self._known[terminal] = Ahead(self._scanner, tokens)
        return self._known[terminal]

    def cut(
        self,
        place: int,
        origin: str,
        row: tuple[tuple[str, bool], ...],  # noqa: ARG002
    ) -> frozenset[str]:
        """Earley keeps every way."""
        return frozenset()


class LalrTable:
    """The table of a Lark object with ``parser="lalr"``."""

    def __init__(self, built: Any, symbols: Symbols, start: str) -> None:
        table = built.parser.parser._parse_table
        self._states: dict[int, dict[str, tuple[Any, Any]]] = table.states
        self.start: int = table.start_states[start]
        self._symbols = symbols
        lexer = built.parser.lexer
        self._lexers: dict[int, Any] | None = getattr(lexer, "lexers", None)
        self._basic = None if self._lexers else scanner_of(lexer)
        self._scanners: dict[int, Scanner] = {}
        self._ahead: dict[int, Ahead] = {}

    def to(self, place: int, symbol: str) -> int:
        """The state that is pushed."""
        action, target = self._states[place][symbol]
        assert action is Shift
        state: int = target
        return state

    def ahead(self, place: int, terminal: str | None) -> Ahead:
        """By the state on top of the stack, before any reduction."""
        state = place if terminal is None else self.to(place, terminal)
        if state not in self._ahead:
            symbols, tokens = self._symbols, frozenset(self._states[state])
            if terminal is not None:
                tokens &= symbols.follow[terminal, True]
            else:
                first, empty = symbols.first_of(((symbols.start, False),))
                tokens &= first | ({END} if empty else frozenset())
            self._ahead[state] = Ahead(self._scanner(state), tokens)
        return self._ahead[state]

    def cut(self, place: int, origin: str, row: tuple[tuple[str, bool], ...]) -> frozenset[str]:
        """Where something else is done although the row's rule could be followed by the token."""
        follow = self._symbols.follow.get((origin, False), frozenset())
        return frozenset(
            token
            for token, (action, rule) in self._states[place].items()
            if token in follow and (action is Shift or not _is(rule, origin, row))
        )

    def _scanner(self, state: int) -> Scanner:
        if self._basic is not None:
            return self._basic
        assert self._lexers is not None
        lexer = self._lexers[state]
        if id(lexer) not in self._scanners:
            self._scanners[id(lexer)] = scanner_of(lexer)
        return self._scanners[id(lexer)]


def _is(rule: Any, origin: str, row: tuple[tuple[str, bool], ...]) -> bool:
    return str(rule.origin.name) == origin and row == tuple(
        (str(symbol.name), bool(symbol.is_term)) for symbol in rule.expansion
    )

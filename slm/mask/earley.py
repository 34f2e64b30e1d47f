"""The reference parser: Earley over code points, with regular languages for leaves.

Earley, "An efficient context-free parsing algorithm", 1970, in its plainest form: predict, read,
complete, until nothing is new. The grammar has been pruned, so every item can be finished: a column
with an item is a viable text. Columns never change once built, and equal ones are the same object.
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from typing import TypeAlias
from weakref import WeakValueDictionary

from slm.grammar.analysis import is_nullable, nullable_rules
from slm.grammar.derivative import NONE, Languages, State
from slm.grammar.ir import Call, Choice, Expression, Grammar, Many, Seq, Terminal

Obligations: TypeAlias = frozenset[State]  # languages that no prefix of what follows may be in
Place: TypeAlias = "tuple[Column, Obligations]"  # where an item began
Item: TypeAlias = tuple[int, int, Place, Obligations]  # node, progress, its origin, obligations now
Leaf: TypeAlias = tuple[int, State, Place, Obligations]  # a terminal that is being read

FREE: Obligations = frozenset()


@dataclass(frozen=True)
class Node:
    """An expression of the grammar, at its place in a rule. Progress counts its finished parts."""

    expression: Expression
    rule: str
    parts: tuple[int, ...] = ()
    low: int = 0
    high: int | None = 0

    def finished(self, progress: int) -> bool:
        """Whether it may end after so many parts."""
        if isinstance(self.expression, Choice | Call):
            return progress == 1
        return progress >= (self.low if isinstance(self.expression, Many) else len(self.parts))

    def awaited(self, progress: int) -> tuple[int, ...]:
        """The nodes of which one may come next."""
        match self.expression:
            case Seq():
                return self.parts[progress : progress + 1]
            case Many():
                return self.parts if self.high is None or progress < self.high else ()
            case _:
                return self.parts if progress == 0 else ()


class Column:
    """The Earley items after some text. Equal texts up to their future share one column."""

    def __init__(self, parser: Parser, kernel: frozenset[Leaf] | None) -> None:
        """Close `kernel`, the terminals that read the last character; None: before any text."""
        self.kernel = kernel
        self.complete = False  # the start rule has been derived
        self.leaves: list[Leaf] = []  # terminals that may read the next character
        self.waiting: dict[tuple[int, Obligations], list[Item]] = {}
        self._empty: set[tuple[int, Obligations]] = set()  # what derived the empty text here
        self._items: set[Item] = set()
        self._agenda: list[Item] = []
        nodes, pool = parser.nodes, parser.languages
        if kernel is None:
            self._add((0, 0, (self, FREE), FREE))
        for leaf in kernel or ():
            node, state, origin, obligations = leaf
            extendable = pool.extendable(state)
            if extendable:
                self.leaves.append(leaf)
            if pool.accepts(state):
                terminal = nodes[node].expression
                if isinstance(terminal, Terminal) and terminal.longest and extendable:
                    obligations |= {state}
                self._finish(nodes, node, origin, obligations)
        while self._agenda:
            node, progress, origin, obligations = item = self._agenda.pop()
            if nodes[node].finished(progress):
                self._finish(nodes, node, origin, obligations)
            for child in nodes[node].awaited(progress):
                here = (child, obligations)
                self._predict(parser, child, obligations, first=here not in self.waiting)
                self.waiting.setdefault(here, []).append(item)
                if here in self._empty:
                    self._advance(nodes, item, obligations, empty=True)
        del self._items, self._agenda
        self.bounds = sorted(
            {
                bound
                for _, state, _, obligations in self.leaves
                for language in (state, *obligations)
                for low, high, _ in pool.edges(language)
                for bound in (low, high + 1)
            }
        )  # between two of these, all code points do the same,
        # unless what was read is remembered: then the texts behind them differ, and nothing else
        self.remembers = any(pool.remembers(state) for _, state, _, _ in self.leaves)

    def _add(self, item: Item) -> None:
        if item not in self._items:
            self._items.add(item)
            self._agenda.append(item)

    def _predict(
        self, parser: Parser, child: int, obligations: Obligations, *, first: bool
    ) -> None:
        place = (self, obligations)
        if not isinstance(parser.nodes[child].expression, Terminal):
            self._add((child, 0, place, obligations))
        elif first:
            self.leaves.append((child, parser.starts[child], place, obligations))

    def _finish(self, nodes: list[Node], node: int, origin: Place, now: Obligations) -> None:
        column, before = origin
        empty = column is self
        if empty:
            self._empty.add((node, now))
        if node == 0:
            self.complete = True
        for item in column.waiting.get((node, before), ()):
            self._advance(nodes, item, now, empty=empty)

    def _advance(self, nodes: list[Node], item: Item, now: Obligations, *, empty: bool) -> None:
        node, progress, origin, _ = item
        progress += 1
        if isinstance(nodes[node].expression, Many):
            if empty:
                return  # its body is nullable, so `low` is 0 and an empty round changes nothing
            if nodes[node].high is None:
                progress = min(progress, nodes[node].low)
        self._add((node, progress, origin, now))


class Parser:
    """The columns of a grammar, made when first reached.

    Args:
        grammar: pruned; see `slm.grammar.analysis.prune`.
    """

    def __init__(self, grammar: Grammar) -> None:
        self.grammar = grammar
        self.languages = Languages()
        self.nodes: list[Node] = []
        self.starts: dict[int, State] = {}  # terminal node → its language
        self._columns: WeakValueDictionary[frozenset[Leaf], Column] = WeakValueDictionary()
        self._moves: dict[tuple[Column, int], Column | None] = {}
        self._number_nodes()
        self.start = Column(self, None)

    def __len__(self) -> int:
        """How many columns are in use."""
        return len(self._columns) + 1

    def read(self, leaf: Leaf, point: int) -> Leaf | None:
        """The terminal after one more code point; None when it cannot go on so."""
        node, state, origin, obligations = leaf
        state = self.languages.step(state, point)
        if state == NONE:
            return None
        if obligations:
            left = {self.languages.step(language, point) for language in obligations} - {NONE}
            if any(self.languages.accepts(language) for language in left):
                return None  # a terminal that had to be the longest would have been longer
            obligations = frozenset(left)
        return node, state, origin, obligations

    def step(self, column: Column, point: int) -> Column | None:
        """The column after one more code point; None when no text goes on so."""
        at = bisect_right(column.bounds, point) - 1
        key = (column, ~point if column.remembers and at >= 0 else at)
        if key not in self._moves:
            if len(self._moves) > 200_000:
                self._moves.clear()
            leaves = (self.read(leaf, point) for leaf in column.leaves) if at >= 0 else ()
            kernel = frozenset(leaf for leaf in leaves if leaf is not None)
            target = self._columns.get(kernel) if kernel else None
            if kernel and target is None:
                target = self._columns[kernel] = Column(self, kernel)
            if target is not None and not target.leaves and not target.complete:
                target = None  # obligations have left nothing
            self._moves[key] = target
        return self._moves[key]

    def _number_nodes(self) -> None:
        """Node 0 calls the start rule; a `Call` has the called rule's body as its only part."""
        nullable = nullable_rules(self.grammar)
        bodies: dict[str, int] = {}
        calls: list[tuple[int, str]] = []

        def number(expression: Expression, rule: str) -> int:
            at = len(self.nodes)
            self.nodes.append(Node(expression, rule))
            match expression:
                case Terminal():
                    self.starts[at] = self.languages.state(expression.language)
                case Call(name):
                    calls.append((at, name))
                case Seq(parts) | Choice(parts):
                    numbers = tuple(number(part, rule) for part in parts)
                    self.nodes[at] = Node(expression, rule, numbers)
                case Many(body, low, high):
                    low = 0 if is_nullable(body, nullable) else low
                    self.nodes[at] = Node(expression, rule, (number(body, rule),), low, high)
            return at

        number(Call(self.grammar.start), self.grammar.start)
        for rule in self.grammar.rules:
            bodies[rule.name] = number(rule.body, rule.name)
        for at, name in calls:
            self.nodes[at] = Node(self.nodes[at].expression, self.nodes[at].rule, (bodies[name],))

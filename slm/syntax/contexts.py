"""Rules by what stands around them: a context-free grammar for a lexer that competes.

Which texts a token can have depends on what came before it: on the scanner that the parser's state
chooses, on obligations that are still open, on reductions that the table does not make before it.
All of that is known *between* two tokens, as a *control*: for every token that may come next, its
entry (`slm.syntax.lexing`). So each rule becomes as many rules as there are pairs of controls
before and after it (Y. Bar-Hillel, M. Perles and E. Shamir, 1961, intersect a grammar with an
automaton in this way), cut down to what its first tokens, and those that follow it, can tell apart.
The result is an ordinary grammar, so viability is exact whatever the table and the lexer do.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from typing import TypeAlias

from slm.errors import Place, SlmError
from slm.grammar import ir
from slm.grammar.memory import Memory
from slm.grammar.reaching import leading_to
from slm.syntax.alike import merged, shape
from slm.syntax.lexing import END, Entry, Lexing, sorted_ways
from slm.syntax.native import native_rules
from slm.syntax.promises import FREE, Obligations
from slm.syntax.tables import Ahead, Symbols, Table

MAX_EDGES = 250_000  # more than twice what the largest grammars of public projects need
MAX_CONTROLS = 2_000  # between a token and what follows, before they are cut down

# What each token would look like that may come next, sorted by name.
Control: TypeAlias = "tuple[tuple[str, int], ...]"
_Node: TypeAlias = tuple[int, int]  # a place in a rule, and the control there
_Label: TypeAlias = tuple[int, int] | tuple[str, int, int]  # a variant and its end, or a token


@dataclass
class _Tree:
    """The alternatives of a rule with their beginnings shared; node 0 is the root."""

    edges: list[dict[tuple[str, bool], int]] = field(default_factory=lambda: [{}])
    ends: list[tuple[tuple[str, bool], ...] | None] = field(default_factory=lambda: [None])
    needs: list[frozenset[str]] = field(default_factory=list)


@dataclass
class _Variant:
    """A rule in one context."""

    rule: str
    place: int
    entered: int
    places: dict[int, int] = field(default_factory=dict)  # of the tree's nodes
    edges: dict[_Node, list[tuple[_Label, _Node]]] = field(default_factory=dict)
    ends: dict[int, set[_Node]] = field(default_factory=dict)  # by the control after it
    waiting: list[tuple[int, _Node, int]] = field(default_factory=list)


class Contexts:
    """One start rule's rules, in all contexts that can be reached."""

    def __init__(
        self,
        symbols: Symbols,
        table: Table,
        lexing: Lexing,
        too_complex: Callable[[str], SlmError],
    ) -> None:
        self._symbols, self._table, self._lexing = symbols, table, lexing
        self._too_complex = too_complex
        self._trees: dict[str, _Tree] = {}
        self._entry_numbers: dict[Entry, int] = {}
        self._entries: list[Entry] = []
        self._ends: list[ir.Expression] = []
        self._end_numbers: dict[Hashable, int] = {}
        self._control_numbers: dict[Control, int] = {}
        self._controls: list[dict[str, int]] = []
        self._made: dict[tuple[Ahead, Obligations], int] = {}
        self._cut_down: dict[tuple[int, frozenset[str]], int] = {}
        self._variants: list[_Variant] = []
        self._numbers: dict[tuple[str, int, int], int] = {}
        self._todo: list[tuple[int, _Node]] = []
        self._edge_count = 0
        self._opens: dict[str, set[Obligations]] = {}  # what each token has left open
        first = self.control(table.ahead(table.start, None), FREE)
        self._start = self._variant(symbols.start, table.start, first)
        while self._todo:
            self._go(*self._todo.pop())

    # --- controls

    def control(self, ahead: Ahead, open_now: Obligations) -> int:
        """The number of the control after a token."""
        key = (ahead, open_now)
        known = self._made.get(key)
        if known is None:
            if len(self._made) >= MAX_CONTROLS:
                raise self._complexity()
            found: list[tuple[str, int]] = []
            for token in sorted(ahead.tokens):
                if token == END:
                    end = self._lexing.at_end(ahead.scanner, open_now)
                    if end == ir.NEVER:
                        continue
                    number = self._end(end)
                else:
                    entry = self._lexing.entry(ahead.scanner, token, open_now)
                    if not entry.ways:
                        continue
                    number = self._entry_numbers.setdefault(entry, len(self._entries))
                    if number == len(self._entries):
                        self._entries.append(entry)
                found.append((token, number))
            known = self._made[key] = self._control(tuple(found))
        return known

    def _complexity(self) -> SlmError:
        """The error, with the terminal that leaves open what it can in the most ways."""
        return self._too_complex(max(self._opens, key=lambda name: len(self._opens[name])))

    def _control(self, control: Control) -> int:
        number = self._control_numbers.setdefault(control, len(self._controls))
        if number == len(self._controls):
            self._controls.append(dict(control))
        return number

    def _end(self, expression: ir.Expression) -> int:
        number = self._end_numbers.setdefault(shape(expression), len(self._ends))
        if number == len(self._ends):
            self._ends.append(expression)
        return number

    def _only(self, control: int, tokens: frozenset[str]) -> int:
        """The control with these tokens alone."""
        key = (control, tokens)
        known = self._cut_down.get(key)
        if known is None:
            whole = self._controls[control]
            known = self._cut_down[key] = self._control(
                tuple((token, entry) for token, entry in whole.items() if token in tokens)
            )
        return known

    # --- rules

    def _tree(self, rule: str) -> _Tree:
        known = self._trees.get(rule)
        if known is not None:
            return known
        tree = self._trees[rule] = _Tree()
        for row in self._symbols.rows[rule]:
            at = 0
            for symbol in row:
                if symbol not in tree.edges[at]:
                    tree.edges[at][symbol] = len(tree.edges)
                    tree.edges.append({})
                    tree.ends.append(None)
                at = tree.edges[at][symbol]
            tree.ends[at] = row
        after = self._symbols.follow.get((rule, False), frozenset())
        needs: list[frozenset[str]] = [frozenset()] * len(tree.edges)
        for at in range(len(tree.edges) - 1, -1, -1):  # children have higher numbers
            need: set[str] = set(after) if tree.ends[at] is not None else set()
            for (name, term), child in tree.edges[at].items():
                need |= {name} if term else self._symbols.first.get(name, frozenset())
                if not term and name in self._symbols.nullable:
                    need |= needs[child]
            needs[at] = frozenset(need)
        tree.needs = needs
        return tree

    def _variant(self, rule: str, place: int, control: int) -> int:
        place = self._table.like(place, rule)
        entered = self._only(control, self._tree(rule).needs[0])
        key = (rule, place, entered)
        number = self._numbers.setdefault(key, len(self._variants))
        if number == len(self._variants):
            self._variants.append(_Variant(rule, place, entered, {0: place}))
            self._reach(number, (0, entered))
        return number

    def _reach(self, variant: int, node: _Node) -> None:
        edges = self._variants[variant].edges
        if node not in edges:
            edges[node] = []
            self._todo.append((variant, node))

    def _go(self, number: int, node: _Node) -> None:
        """Every way on from a place in a rule."""
        variant = self._variants[number]
        tree = self._tree(variant.rule)
        at, control = node
        place = variant.places[at]
        for (name, term), child in tree.edges[at].items():
            if child not in variant.places:
                variant.places[child] = self._table.to(place, name)
            if not term:
                called = self._variant(name, place, control)
                self._variants[called].waiting.append((number, node, child))
                for after in tuple(self._variants[called].ends):
                    self._connect(number, node, child, (called, after), after)
                continue
            entry = self._controls[control].get(name)
            if entry is None:
                continue
            ahead = self._table.ahead(place, name)
            for way, (open_then, _) in enumerate(self._entries[entry].ways):
                self._opens.setdefault(name, set()).add(open_then)
                after = self.control(ahead, open_then)
                self._connect(number, node, child, (name, entry, way), after)
        row = tree.ends[at]
        if row is not None:
            cut = self._table.cut(place, variant.rule, row)
            kept = self._symbols.follow.get((variant.rule, False), frozenset()) - cut
            self._ended(number, node, self._only(control, kept))

    def _connect(self, number: int, node: _Node, child: int, label: _Label, control: int) -> None:
        variant = self._variants[number]
        target = (child, self._only(control, self._tree(variant.rule).needs[child]))
        self._edge_count += 1
        if self._edge_count > MAX_EDGES:
            raise self._complexity()
        self._reach(number, target)
        variant.edges[node].append((label, target))

    def _ended(self, number: int, node: _Node, control: int) -> None:
        variant = self._variants[number]
        if control in variant.ends:
            variant.ends[control].add(node)
            return
        if not self._controls[control]:
            return  # nothing may follow, not even the end
        variant.ends[control] = {node}
        for caller, at, child in tuple(variant.waiting):
            self._connect(caller, at, child, (number, control), control)

    # --- the grammar

    def grammar(
        self,
        name: str,
        place_of: Callable[[str], Place | None],
        memory: Callable[[], Memory | None] = lambda: None,
    ) -> ir.Grammar:
        """The rules that the start needs; `name` is the start's, if one has to be made.

        `memory` is asked when the rules are written.
        """
        made = native_rules(self, name, place_of, memory)
        return made if made is not None else self.slow_grammar(name, place_of, memory)

    def slow_grammar(
        self,
        name: str,
        place_of: Callable[[str], Place | None],
        memory: Callable[[], Memory | None] = lambda: None,
    ) -> ir.Grammar:
        """The same grammar, written in Python."""
        return _Writer(self, name, place_of).grammar(memory)

    def entry_expression(self, token: str, entry: int, way: int) -> ir.Expression:
        """One way of an entry, as part of a grammar."""
        _, pairs = self._entries[entry].ways[way]
        return _either(*(self._lexing.expression(token, pair) for pair in sorted_ways(pairs)))


class _Writer:
    """The IR rules of finished contexts."""

    def __init__(
        self, contexts: Contexts, name: str, place_of: Callable[[str], Place | None]
    ) -> None:
        self._contexts, self._name, self._place_of = contexts, name, place_of
        self._names: dict[tuple[int, int], str] = {}
        self._taken: dict[str, int] = {}
        self._queue: list[tuple[int, int]] = []
        self._rules: list[ir.Rule] = []
        self._expressions: dict[tuple[str, int, int], ir.Expression] = {}

    def grammar(self, memory: Callable[[], Memory | None]) -> ir.Grammar:
        contexts = self._contexts
        start = contexts._variants[contexts._start]
        ways: list[ir.Expression] = []
        for control in start.ends:
            end = contexts._controls[control].get(END)
            if end is not None:
                ways.append(ir.seq(self._call((contexts._start, control)), contexts._ends[end]))
        whole = _either(*ways)
        for key in self._queue:  # grows while it is walked
            self._write(key)
        name = whole.rule if isinstance(whole, ir.Call) else self._name
        if name == self._name:
            self._rules.insert(0, ir.Rule(name, whole, self._place_of(start.rule)))
        return ir.Grammar(*merged(self._rules, name), memory())

    def _call(self, key: tuple[int, int]) -> ir.Expression:
        if key not in self._names:
            rule = self._contexts._variants[key[0]].rule
            self._names[key] = self._new_name(rule)
            self._queue.append(key)
        return ir.Call(self._names[key])

    def _new_name(self, rule: str) -> str:
        count = self._taken.get(rule, 0) + 1
        while count > 1 and f"{rule}__{count}" in self._contexts._symbols.rows:
            count += 1
        self._taken[rule] = count
        return rule if count == 1 else f"{rule}__{count}"

    def _write(self, key: tuple[int, int]) -> None:
        number, control = key
        variant = self._contexts._variants[number]
        ends = variant.ends[control]
        entries: dict[_Node, int] = {}  # by how many edges a place is reached that leads to an end
        useful = self._useful(variant, ends)
        for node in useful:
            for target in {target for _, target in variant.edges[node]}:
                entries[target] = entries.get(target, 0) + 1
        known: dict[_Node, ir.Expression] = {}
        # Places of a tree have ascending numbers on the way to its leaves.
        for node in sorted(useful, reverse=True):
            by_target: dict[_Node, list[_Label]] = {}
            for label, target in variant.edges[node]:
                if target in useful:
                    by_target.setdefault(target, []).append(label)
            options = [ir.EMPTY] if node in ends else []
            for target, labels in by_target.items():
                heads = _either(*(self._label(label) for label in dict.fromkeys(labels)))
                options.append(ir.seq(heads, known[target]))
            body = _either(*options)
            if entries.get(node, 0) > 1 and not isinstance(body, ir.Call) and body != ir.EMPTY:
                helper = self._new_name(variant.rule)
                self._rules.append(ir.Rule(helper, body, self._place_of(variant.rule)))
                body = ir.Call(helper)
            known[node] = body
        root = known[0, variant.entered]
        self._rules.append(ir.Rule(self._names[key], root, self._place_of(variant.rule)))

    def _useful(self, variant: _Variant, ends: set[_Node]) -> set[_Node]:
        edges = ((node, target) for node, out in variant.edges.items() for _, target in out)
        return ends | leading_to(ends, edges)

    def _label(self, label: _Label) -> ir.Expression:
        if isinstance(label[0], int):
            return self._call((label[0], label[1]))
        key: tuple[str, int, int] = label
        if key not in self._expressions:
            self._expressions[key] = self._contexts.entry_expression(*key)
        return self._expressions[key]


def _either(*options: ir.Expression) -> ir.Expression:
    """Any of the options, which are known to differ: nothing is compared (terminals are large)."""
    flat: list[ir.Expression] = []
    for option in options:
        flat.extend(option.options if isinstance(option, ir.Choice) else (option,))
    return flat[0] if len(flat) == 1 else ir.Choice(tuple(flat))

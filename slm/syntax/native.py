"""The C++ twin of `slm.syntax.contexts._Writer`: the same rules, an order of magnitude faster.

It gives them in the form that the native engine reads (`slm.grammar.flatten`), so the engine needs
no rules of Python's; those are made of it when something asks for them, an explanation for example.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
from numpy.typing import NDArray

from slm.errors import Place
from slm.grammar import ir, opcodes
from slm.grammar.flatten import Flattener
from slm.grammar.memory import Memory
from slm.grammar.written import Named, Written
from slm.syntax.lexing import END

try:
    from slm import _native
except ImportError:  # installed without a compiler
    _native = None  # type: ignore[assignment]

if TYPE_CHECKING:
    from slm.syntax.contexts import Contexts

_Label: TypeAlias = "tuple[str, int, int]"  # a token, its entry, a way of that


def native_file() -> Path | None:
    """Where the C++ module is; None: it is not built."""
    return None if _native is None else Path(_native.__file__)


def native_rules(
    contexts: Contexts,
    name: str,
    place_of: Callable[[str], Place | None],
    memory: Callable[[], Memory | None],
) -> ir.Grammar | None:
    """What `Contexts.grammar` gives, with other arguments as there; None: C++ is not built."""
    if _native is None:
        return None
    leaves = _Leaves()
    variants = _variants(contexts, leaves)
    flat = [*leaves.words(), *variants]
    rules = _native.LarkRules(np.array(flat, np.int32))
    terminals = [leaves.terminals[atom] for atom in rules.atoms()]
    flattener = Flattener()
    numbers = flattener.add_terminals(terminals)
    head = np.array(flattener.head(len(rules.names())), np.int32)
    named = tuple((each.name, each.place) for each in terminals)
    owners = tuple(contexts._symbols.rows)
    places = [*map(place_of, owners), place_of(contexts._symbols.start)]
    regular = numbers, head, flattener.regular_count
    return written(rules, regular, named, owners, name, places, memory())


def written(
    rules: _native.LarkRules | _native.LarkLowering,
    regular: tuple[Sequence[int], NDArray[np.int32], int],
    terminals: tuple[Named, ...],
    owners: Sequence[str],
    name: str,
    places: Sequence[Place | None],
    remembered: Memory | None,
) -> ir.Grammar:
    """The grammar of rules that C++ has written.

    Args:
        rules: them.
        regular: for each of their atoms a terminal's number; the words before the expressions; how
            many regular nodes those have.
        terminals: of each atom the name and the place.
        owners: the grammar's own rules, by number.
        name: the start's name, if one had to be made.
        places: where the owners are written, and at last, such a start.
        remembered: what the marks of some terminals speak to.
    """
    numbers, head, regular_count = regular
    tail = rules.words(np.array(numbers, np.int32), regular_count)
    memory = np.array([] if remembered is None else remembered.words(), np.int32)
    names = rules.names()
    given = _names(owners, names, name)
    return Written(
        np.concatenate([head, tail, memory]),
        tuple(zip(given, [places[rule] for rule, _ in names], strict=True)),
        terminals,
        remembered,
    ).deferred()


class _Leaves:
    """The expressions of tokens, and of what may stand at the end, as numbers."""

    def __init__(self) -> None:
        self.terminals: list[ir.Terminal] = []
        self._atoms: dict[int, int] = {}
        self._shape_of: list[int] = []
        self._nodes: dict[int, int] = {}
        self._kept: list[ir.Expression] = []  # so that their ids stay their own
        self._words: list[int] = []
        self._labels: list[int] = []

    def add(self, expression: ir.Expression) -> int:
        """The number of a label for an expression."""
        self._labels.append(self._node(expression))
        return len(self._labels) - 1

    def words(self) -> list[int]:
        """Shapes of atoms, nodes, labels: what C++ reads first."""
        flat = [len(self.terminals), *self._shape_of, len(self._nodes), *self._words]
        return [*flat, len(self._labels), *self._labels]

    def _node(self, expression: ir.Expression) -> int:
        known = self._nodes.get(id(expression))
        if known is not None:
            return known
        match expression:
            case ir.Terminal():
                words = [opcodes.TERMINAL, self._atom(expression)]
            case ir.Seq(parts):
                words = [opcodes.SEQ, len(parts), *map(self._node, parts)]
            case ir.Choice(options):
                words = [opcodes.CHOICE, len(options), *map(self._node, options)]
            case ir.Many(body, low, high):
                words = [opcodes.MANY, self._node(body), low, -1 if high is None else high]
            case _:
                raise AssertionError(expression)
        self._words += words
        self._kept.append(expression)
        number = self._nodes[id(expression)] = len(self._nodes)
        return number

    def _atom(self, terminal: ir.Terminal) -> int:
        number = self._atoms.get(id(terminal))
        if number is None:
            number = self._atoms[id(terminal)] = len(self.terminals)
            self.terminals.append(terminal)
            self._shape_of.append(number)
        return number


def _variants(contexts: Contexts, leaves: _Leaves) -> list[int]:
    """Names, variants and the start, as `kernels/lower/rules.cc` reads them."""
    labels: dict[_Label, int] = {}
    owners = {rule: number for number, rule in enumerate(contexts._symbols.rows)}
    words = [len(owners), len(contexts._variants)]
    for variant in contexts._variants:
        index = {node: number for number, node in enumerate(variant.edges)}
        words += (owners[variant.rule], len(index), index[0, variant.entered])
        for node, edges in variant.edges.items():
            words += (*node, len(edges))
            for label, target in edges:
                if len(label) == 2:
                    words += (*label, index[target])
                    continue
                number = labels.get(label)
                if number is None:
                    number = labels[label] = leaves.add(contexts.entry_expression(*label))
                words += (-1, number, index[target])
        words.append(len(variant.ends))
        for control, nodes in variant.ends.items():
            words += (control, len(nodes))
            words += [index[node] for node in nodes]
    start = contexts._variants[contexts._start]
    ways: list[int] = []
    for number, control in enumerate(start.ends):
        end = contexts._controls[control].get(END)
        if end is not None:
            ways += (number, leaves.add(contexts._ends[end]))
    return [*words, contexts._start, len(ways) // 2, *ways]


def _names(owners: Sequence[str], names: Sequence[tuple[int, int]], start: str) -> list[str]:
    """The names that rules get: a rule's own once, then with numbers that no rule has."""
    rows = frozenset(owners)
    last = [0] * len(owners)
    for rule, ordinal in names:
        last[rule] = max(last[rule], ordinal) if rule >= 0 else last[rule]
    made: list[list[str]] = []
    for owner, count in zip(owners, last, strict=True):
        found = [owner]
        number = 1
        while len(found) < count:
            number += 1
            if f"{owner}__{number}" not in rows:
                found.append(f"{owner}__{number}")
        made.append(found)
    return [start if rule < 0 else made[rule][ordinal - 1] for rule, ordinal in names]

"""What cannot be told apart: blocks of things by what they are and what they call.

Used twice: for the places of an LALR table, before rules are made of them, and for the rules.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping, Sequence

from slm.grammar import ir


def refined(kinds: Sequence[Hashable], calls: Sequence[Sequence[int]]) -> list[int]:
    """The coarsest blocks of things of one kind whose calls, in order, go to the same blocks.

    Args:
        kinds: of each thing.
        calls: of each thing, to which things; as many for all of one kind.

    Cost: in each round, the blocks that hold a caller of something that has moved; all but one
        part of a block that falls apart have moved.

    >>> refined(["a", "a", "b", "c"], [[2], [3], [], []])
    [0, 3, 1, 2]
    """
    numbers: dict[Hashable, int] = {}
    block = [numbers.setdefault(kind, len(numbers)) for kind in kinds]
    members: list[list[int]] = [[] for _ in numbers]
    callers: list[list[int]] = [[] for _ in kinds]
    for thing, here in enumerate(block):
        members[here].append(thing)
        for called in calls[thing]:
            callers[called].append(thing)
    waiting = {number for number, inside in enumerate(members) if len(inside) > 1}
    while waiting:
        moved: list[int] = []
        parts_of: list[tuple[int, list[list[int]]]] = []
        for number in waiting:
            parts: dict[tuple[int, ...], list[int]] = {}
            for thing in members[number]:
                parts.setdefault(tuple([block[each] for each in calls[thing]]), []).append(thing)
            if len(parts) > 1:
                parts_of.append((number, sorted(parts.values(), key=len, reverse=True)))
        for number, (largest, *others) in parts_of:
            members[number] = largest
            for part in others:
                for thing in part:
                    block[thing] = len(members)
                members.append(part)
                moved += part
        waiting = {
            block[caller]
            for thing in moved
            for caller in callers[thing]
            if len(members[block[caller]]) > 1
        }
    return block


def merged(rules: Iterable[ir.Rule], start: str) -> tuple[tuple[ir.Rule, ...], str]:
    """The rules with equal ones made one, and the start's name then.

    Two rules are equal if their right-hand sides are, once equal rules in them have one name; so
    they derive the same texts. Terminals are compared as objects.

    Cost: that of `refined`, and once through all right-hand sides.
    """
    rules = tuple(rules)
    while True:
        rules, start, again = _merged_once(rules, start)
        if not again:
            return rules, start


def _merged_once(rules: tuple[ir.Rule, ...], start: str) -> tuple[tuple[ir.Rule, ...], str, bool]:
    """The same; at last, whether alternatives became the same, so that more rules may be equal."""
    numbers = {rule.name: number for number, rule in enumerate(rules)}
    kinds: list[Hashable] = []
    calls: list[list[int]] = []
    for rule in rules:
        found: list[int] = []
        kinds.append(shape(rule.body, numbers, found))
        calls.append(found)
    block = refined(kinds, calls)
    kept: dict[int, ir.Rule] = {}
    for rule, number in zip(rules, block, strict=True):
        kept.setdefault(number, rule)
    if len(kept) == len(rules):
        return rules, start, False
    names = {rule.name: kept[number].name for rule, number in zip(rules, block, strict=True)}
    renaming = _Renaming(names)
    whole = tuple(ir.Rule(rule.name, renaming.of(rule.body), rule.place) for rule in kept.values())
    return whole, names[start], renaming.shrunk


def shape(
    expression: ir.Expression,
    numbers: Mapping[str, int] | None = None,
    calls: list[int] | None = None,
) -> Hashable:
    """What equal expressions share, terminals being compared as objects.

    Args:
        expression: any, which has to stay alive: terminals are known by their id.
        numbers: of rules; needed where there are calls.
        calls: gets the number of each rule that is called, for all calls are alike.
    """
    match expression:
        case ir.Call(rule):
            assert numbers is not None
            assert calls is not None
            calls.append(numbers[rule])
            return "call"
        case ir.Seq(parts):
            return "seq", *[shape(part, numbers, calls) for part in parts]
        case ir.Choice(options):
            return "choice", *[shape(option, numbers, calls) for option in options]
        case ir.Many(body, low, high):
            return "many", shape(body, numbers, calls), low, high
        case _:
            return id(expression)


class _Renaming:
    """Expressions with other names in their calls; equal ones become one object."""

    def __init__(self, names: dict[str, str]) -> None:
        self._names = names
        self._known: dict[int, ir.Expression] = {}
        self._same: dict[Hashable, ir.Expression] = {}
        self.shrunk = False  # whether alternatives have become the same

    def of(self, expression: ir.Expression) -> ir.Expression:
        """The expression, renamed. The old one has to stay alive: it is known by its id."""
        known = self._known.get(id(expression))
        if known is None:
            known = self._known[id(expression)] = self._of(expression)
        return known

    def _of(self, expression: ir.Expression) -> ir.Expression:
        match expression:
            case ir.Call(rule):
                name = self._names[rule]
                return self._same.setdefault(name, ir.Call(name))
            case ir.Seq(parts):
                inner = tuple([self.of(part) for part in parts])
                return self._same.setdefault(("seq", *map(id, inner)), ir.Seq(inner))
            case ir.Choice(options):
                distinct = tuple({id(each): each for each in map(self.of, options)}.values())
                self.shrunk = self.shrunk or len(distinct) < len(options)
                if len(distinct) == 1:
                    return distinct[0]
                return self._same.setdefault(("choice", *map(id, distinct)), ir.Choice(distinct))
            case ir.Many(body, low, high):
                inside = self.of(body)
                return self._same.setdefault(
                    ("many", id(inside), low, high), ir.Many(inside, low, high)
                )
            case _:
                return expression

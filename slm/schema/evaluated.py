"""``unevaluatedProperties`` and ``unevaluatedItems``: what the other keywords have looked at.

Which members and items a schema *evaluates* depends on which of its branches hold. So a schema
becomes a list of cases: values, and what is evaluated in all of them. ``unevaluatedProperties``
is then, case by case, a rule for the other names, and ``unevaluatedItems`` a goal for the other
items.

A case need not be all that is evaluated. More branches that hold evaluate more, and what is left
to constrain is less: a value is valid if *some* set of branches that hold makes it so. Thus
``anyOf`` has a case for every set of branches and negates none of them. A violation is the other
way round: there, the branches outside the set must not hold, and `exactly` says so.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from slm.errors import UnsupportedKeyword
from slm.grammar.regular import Regular
from slm.schema.algebra import (
    EVERYTHING,
    FALSE,
    FALSE_ID,
    NO_VALUE,
    TRUE,
    ArrayShape,
    Contains,
    Goal,
    Kinds,
    NameRule,
    ObjectShape,
    conjoin,
)
from slm.schema.applicators import REFERENCES
from slm.schema.reader import SchemaNode
from slm.schema.shapes import pattern_of

if TYPE_CHECKING:
    from slm.schema.normalise import Normaliser

UNEVALUATED = ("unevaluatedProperties", "unevaluatedItems")
MAX_CASES = 256


@dataclass(frozen=True, slots=True)
class Evaluated:
    """The members and items that a schema has looked at."""

    names: frozenset[str] = frozenset()
    patterns: frozenset[Regular] = frozenset()
    all_names: bool = False
    items: int = 0  # so many from the start
    all_items: bool = False
    matching: frozenset[Goal] = frozenset()  # and those that satisfy one of these

    def join(self, other: Evaluated) -> Evaluated:
        """What either has looked at."""
        return Evaluated(
            self.names | other.names,
            self.patterns | other.patterns,
            self.all_names or other.all_names,
            max(self.items, other.items),
            self.all_items or other.all_items,
            self.matching | other.matching,
        )

    def covers(self, other: Evaluated) -> bool:
        """Whether everything that the other has looked at is surely among it."""
        names = self.all_names or (
            not other.all_names and other.names <= self.names and other.patterns <= self.patterns
        )
        items = self.all_items or (
            not other.all_items and other.items <= self.items and other.matching <= self.matching
        )
        return names and items


NOTHING_EVALUATED = Evaluated()
Cases: TypeAlias = list[tuple[Kinds, Evaluated]]


def has_unevaluated(of: Normaliser, node: SchemaNode) -> bool:
    """Whether the schema constrains what is not evaluated."""
    return not of.only_scalars and any(
        keyword in node.raw and of.has(node, keyword) for keyword in UNEVALUATED
    )


def evaluated_kinds(of: Normaliser, node: SchemaNode) -> Kinds:
    """The values of a schema that has ``unevaluatedProperties`` or ``unevaluatedItems``."""
    if any(pointer != node.pointer or key not in UNEVALUATED for pointer, key in of.dropped):
        # Less may be evaluated than would be without it, and more be left to constrain.
        keyword = next(keyword for keyword in UNEVALUATED if of.has(node, keyword))
        raise of.unsupported(node, keyword, "a part of the schema was relaxed")
    found = NO_VALUE
    for kinds, _ in _node_cases(of, node, exactly=False):
        found = found.join(kinds)
    return of.meet(found, EVERYTHING, node.number)


def violations(of: Normaliser, node: SchemaNode) -> Kinds:
    """The values that fail only because of what is not evaluated."""
    found = NO_VALUE
    for kinds, seen in _all_but_unevaluated(of, node, exactly=True):
        for keyword in UNEVALUATED:
            if of.has(node, keyword):
                failing = _failing(of, node, keyword, seen)
                found = found.join(of.meet(kinds, failing, node.number))
    return found


def cases(of: Normaliser, goal: Goal, *, exactly: bool) -> Cases:
    """The values that reach a goal, by what is evaluated in them."""
    found: Cases = [(EVERYTHING, NOTHING_EVALUATED)]
    for literal in sorted(goal, key=abs):
        if literal == FALSE_ID:
            return []
        node = of.reader.node(literal)
        part = of.cases.get((literal, exactly))
        if part is None:
            # first, for its errors: the schema may lead only to itself, or too deep
            part = [(of.kinds(frozenset((literal,))), NOTHING_EVALUATED)]
            if literal > 0:
                part = _node_cases(of, node, exactly=exactly)
            of.cases[literal, exactly] = part
        found = _product(of, node, found, part)
    return found


def _node_cases(of: Normaliser, node: SchemaNode, *, exactly: bool) -> Cases:
    found = _all_but_unevaluated(of, node, exactly=exactly)
    for keyword in UNEVALUATED:
        if of.has(node, keyword):
            goal = of.reader.child(node, keyword)
            found = [_constrained(of, node, keyword, goal, *case) for case in found]
    return _merged(found)


def _all_but_unevaluated(of: Normaliser, node: SchemaNode, *, exactly: bool) -> Cases:
    raw, reader = node.raw, of.reader

    def sub(*tokens: str | int) -> Cases:
        return cases(of, reader.child(node, *tokens), exactly=exactly)

    found: Cases = [(of.own_kinds(node), _own(of, node))]
    for keyword in REFERENCES:
        if of.has(node, keyword):
            goal = reader.resolve(node, keyword)
            found = _product(of, node, found, cases(of, goal, exactly=exactly))
    if of.has(node, "allOf"):
        for at in range(len(raw["allOf"])):
            found = _product(of, node, found, sub("allOf", at))
    found = _dependencies(of, node, found, exactly=exactly)
    if of.has(node, "not"):
        goal = of.negation(node, "not", reader.child(node, "not"))
        found = _product(of, node, found, [(of.kinds(goal), NOTHING_EVALUATED)])
    if of.has(node, "if"):
        found = _product(of, node, found, _conditional(of, node, exactly=exactly))
    if of.has(node, "anyOf"):
        branches = [sub("anyOf", at) for at in range(len(raw["anyOf"]))]
        goals = [reader.child(node, "anyOf", at) for at in range(len(raw["anyOf"]))]
        found = _product(of, node, found, _any_of(of, node, branches, goals, exactly=exactly))
    if of.has(node, "oneOf"):
        goals = [reader.child(node, "oneOf", at) for at in range(len(raw["oneOf"]))]
        whole: Cases = []
        for at in range(len(goals)):
            part = _product(of, node, found, sub("oneOf", at))
            whole.extend(_without(of, node, "oneOf", part, goals, at))
        found = _merged(whole)
    return found


def _without(
    of: Normaliser, node: SchemaNode, keyword: str, part: Cases, goals: list[Goal], but: int
) -> Cases:
    """The cases of one branch, without the other branches."""
    for other, goal in enumerate(goals):
        if other != but:
            kinds = of.kinds(goal)
            if all(of.exclude_each_other(mine.meet(kinds, of.pool)) for mine, _ in part):
                continue
            fails = of.kinds(of.negation(node, keyword, goal))
            part = _product(of, node, part, [(fails, NOTHING_EVALUATED)])
    return part


def _any_of(
    of: Normaliser, node: SchemaNode, branches: list[Cases], goals: list[Goal], *, exactly: bool
) -> Cases:
    """A case for every set of branches that adds to what is evaluated."""
    sets: dict[tuple[int, ...], Cases] = {(at,): part for at, part in enumerate(branches) if part}
    layer = dict(sets)
    while layer:
        grown: dict[tuple[int, ...], Cases] = {}
        for chosen, smaller in layer.items():
            for at in range(chosen[-1] + 1, len(branches)):
                made = _product(of, node, smaller, branches[at], every=exactly)
                if made:
                    longer = (*chosen, at)
                    grown[longer] = made
        sets.update(grown)
        layer = grown
        if sum(map(len, sets.values())) > MAX_CASES:
            raise _too_many(of, node, "anyOf")
    found: Cases = []
    for chosen, part in sets.items():
        if exactly:
            for other, goal in enumerate(goals):
                if other not in chosen:
                    fails = of.kinds(of.negation(node, "anyOf", goal))
                    part = _product(of, node, part, [(fails, NOTHING_EVALUATED)])
        found.extend(part)
    return _merged(found)


def _conditional(of: Normaliser, node: SchemaNode, *, exactly: bool) -> Cases:
    reader = of.reader
    condition = reader.child(node, "if")
    then = reader.child(node, "then") if of.has(node, "then") else TRUE
    other = reader.child(node, "else") if of.has(node, "else") else TRUE
    found: Cases = []
    if condition != FALSE:
        first = cases(of, condition, exactly=exactly)
        found = _product(of, node, first, cases(of, then, exactly=exactly))
    if condition != TRUE:
        fails = [(of.kinds(of.negation(node, "if", condition)), NOTHING_EVALUATED)]
        found = found + _product(of, node, fails, cases(of, other, exactly=exactly))
    return found


def _dependencies(of: Normaliser, node: SchemaNode, found: Cases, *, exactly: bool) -> Cases:
    """The three keywords for it; that a name is there evaluates nothing."""
    reader = of.reader
    for keyword in ("dependentRequired", "dependentSchemas", "dependencies"):
        if not of.has(node, keyword):
            continue
        for name, needs in node.raw[keyword].items():
            then: Cases
            if isinstance(needs, list):
                then = [(EVERYTHING.only(objects=(_having(*needs),)), NOTHING_EVALUATED)]
            else:
                then = cases(of, reader.child(node, keyword, name), exactly=exactly)
            absent = EVERYTHING.only(objects=(ObjectShape({name: FALSE}),))
            present = Kinds(objects=(_having(name),))
            ways = _product(of, node, [(present, NOTHING_EVALUATED)], then)
            found = _product(of, node, found, [(absent, NOTHING_EVALUATED), *ways])
    return found


def _having(*names: str) -> ObjectShape:
    return ObjectShape(dict.fromkeys(names, TRUE), dict.fromkeys(names))


def _own(of: Normaliser, node: SchemaNode) -> Evaluated:
    """What the schema's own keywords look at."""
    raw = node.raw
    names: frozenset[str] = frozenset()
    patterns: frozenset[Regular] = frozenset()
    if of.has(node, "properties"):
        names = frozenset(raw["properties"])
    if of.has(node, "patternProperties"):
        patterns = frozenset(
            pattern_of(of, node, "patternProperties", text) for text in raw["patternProperties"]
        )
    count, all_items = 0, False
    if of.has(node, "prefixItems"):
        count = len(raw["prefixItems"])
    if of.has(node, "items"):
        if isinstance(raw["items"], list):
            count = len(raw["items"])
            all_items = of.has(node, "additionalItems")
        else:
            all_items = True
    matching: frozenset[Goal] = frozenset()
    if of.has(node, "contains") and node.resource.draft == "2020-12":
        matching = frozenset((of.reader.child(node, "contains"),))
    every_name = of.has(node, "additionalProperties")
    return Evaluated(names, patterns, every_name, count, all_items, matching)


def _constrained(
    of: Normaliser, node: SchemaNode, keyword: str, goal: Goal, kinds: Kinds, seen: Evaluated
) -> tuple[Kinds, Evaluated]:
    """A case under an unevaluated keyword, which evaluates all that is left."""
    if keyword == "unevaluatedProperties":
        if goal and not seen.all_names:
            rule = NameRule(goal, None, seen.names, _ordered(seen.patterns))
            must = EVERYTHING.only(objects=(ObjectShape(rules=(rule,), number=node.number),))
            kinds = of.meet(kinds, must, node.number)
        return kinds, seen.join(Evaluated(all_names=True))
    if goal and not seen.all_items:
        rest = goal
        if seen.matching:
            rest = of.reader.either([goal, *sorted(seen.matching, key=sorted)], node, keyword)
        shape = ArrayShape((TRUE,) * seen.items, rest)
        kinds = of.meet(kinds, EVERYTHING.only(arrays=(shape,)), node.number)
    return kinds, seen.join(Evaluated(all_items=True))


def _failing(of: Normaliser, node: SchemaNode, keyword: str, seen: Evaluated) -> Kinds:
    """The objects or arrays with a member or item that is not evaluated and fails."""
    goal = of.reader.child(node, keyword)
    if not goal:
        return NO_VALUE
    failing = of.negation(node, keyword, goal)
    if keyword == "unevaluatedProperties":
        if seen.all_names:
            return NO_VALUE
        rule = NameRule(failing, None, seen.names, _ordered(seen.patterns))
        return Kinds(objects=(ObjectShape(some=(rule,), number=node.number),))
    if seen.all_items:
        return NO_VALUE
    for match in sorted(seen.matching, key=sorted):
        failing = conjoin(failing, of.negation(node, keyword, match))
    part = Contains(failing, 1, None, node.number, seen.items)
    return Kinds(arrays=(ArrayShape(contains=(part,)),))


def _ordered(patterns: frozenset[Regular]) -> tuple[Regular, ...]:
    return tuple(sorted(patterns, key=repr))


def _product(
    of: Normaliser, node: SchemaNode, left: Cases, right: Cases, *, every: bool = True
) -> Cases:
    """Both; without `every`, only where that evaluates more than each of them alone."""
    found: Cases = []
    for kinds, seen in left:
        for other, more in right:
            if not every and (seen.covers(more) or more.covers(seen)):
                continue
            both = of.meet(kinds, other, node.number)
            if both != NO_VALUE and not of.is_void(both):
                found.append((both, seen.join(more)))
    if len(found) > MAX_CASES:
        raise _too_many(of, node, next(iter(node.raw)))
    return _merged(found)


def _merged(found: Cases) -> Cases:
    """The cases, those that evaluate the same joined."""
    by_seen: dict[Evaluated, Kinds] = {}
    for kinds, seen in found:
        before = by_seen.get(seen)
        by_seen[seen] = kinds if before is None else before.join(kinds)
    return [(kinds, seen) for seen, kinds in by_seen.items()]


def _too_many(of: Normaliser, node: SchemaNode, keyword: str) -> UnsupportedKeyword:
    why = f"its branches evaluate members and items in more than {MAX_CASES} ways"
    return of.unsupported(node, keyword, why)

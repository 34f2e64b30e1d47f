"""``uniqueItems`` where the items are finitely many values: which of them are there is a state.

A few values of any type: a rule for every set of values that may be there. More of them, if they
are scalars: the array is one terminal, a list of the values in which, for each of them, it occurs
at most once. As a regular language that is an intersection, of which an engine only makes the
states it meets. All else is left to the engine's memory: see `slm.schema.distinct`.
"""

from __future__ import annotations

import json
from decimal import Decimal
from itertools import product
from math import comb
from typing import TYPE_CHECKING, Any

from slm.grammar.ir import EMPTY, NEVER, Expression, seq
from slm.grammar.regular import (
    Regular,
    concat,
    intersection,
    literal,
    repeat,
    union,
)
from slm.schema.algebra import (
    FALSE,
    ArrayShape,
    Goal,
    NumberShape,
    ObjectShape,
    StringShape,
    conjoin,
    integer_bounds,
)
from slm.schema.content import holds
from slm.schema.distinct import marked_items
from slm.schema.expressions import alternatives
from slm.schema.numbers import number_text
from slm.schema.strings import string_text
from slm.schema.style import JsonStyle

if TYPE_CHECKING:
    from slm.schema.arrays import Items
    from slm.schema.normalise import Normaliser

MAX_SETS = 1_100
MAX_VALUES = 64


def finite_values(of: Normaliser, goal: Goal, limit: int = MAX_VALUES) -> list[Any] | None:
    """The JSON values that reach a goal, where they are at most so many; else None.

    Values may be listed that a closer look would leave out.
    """
    kinds = of.kinds(goal)
    found: dict[str, Any] = {}

    def add(values: list[Any] | None) -> bool:
        for value in values or ():
            found[value_key(value)] = value
        return values is not None and len(found) <= limit

    add([None] if kinds.null else [])
    add(list(kinds.booleans))
    for number in kinds.numbers:
        if not add(_numbers(number, limit)):
            return None
    for string in kinds.strings:
        if not add(_strings(of, string)):
            return None
    for array in kinds.arrays:
        if not add(_arrays(of, array, limit)):
            return None
    for thing in kinds.objects:
        if not add(_objects(of, thing, limit)):
            return None
    return list(found.values())


def value_key(value: Any) -> str:
    """The same text for equal values: 1 and 1.0 are equal, 1 and true are not."""
    match value:
        case bool() | None:
            return json.dumps(value)
        case int() | float():
            return "/".join(map(str, Decimal(repr(value)).as_integer_ratio()))
        case list():
            return f"[{','.join(map(value_key, value))}]"
        case dict():
            members = sorted(f"{json.dumps(name)}:{value_key(v)}" for name, v in value.items())
            return f"{{{','.join(members)}}}"
        case _:
            return json.dumps(value)


def _strings(of: Normaliser, shape: StringShape) -> list[Any] | None:
    if shape.values is None:
        return None
    return [text for text in shape.values if holds(of, shape, text)]


def _numbers(shape: NumberShape, limit: int) -> list[Any] | None:
    values: list[Decimal] = list(shape.values or ())
    if shape.values is None:
        if shape.integer is not True or shape.low is None or shape.high is None:
            return None
        first, last = integer_bounds(shape.low, shape.low_open, shape.high, shape.high_open)
        assert first is not None
        assert last is not None
        if last - first > 10 * limit:
            return None
        values = [Decimal(value) for value in range(first, last + 1)]
    kept = [value for value in values if shape.admits(value)]
    written: list[Any] = [
        int(value) if value == value.to_integral_value() else float(value) for value in kept
    ]
    same = all(Decimal(repr(one)) == two for one, two in zip(written, kept, strict=True))
    return written if same else None


def _arrays(of: Normaliser, shape: ArrayShape, limit: int) -> list[Any] | None:
    if shape.contains or shape.unique:
        return None
    high = len(shape.prefix) if shape.items == FALSE else shape.high
    high = high if shape.high is None or high is None else min(high, shape.high)
    if high is None or high > limit:
        return None
    found: list[Any] = [[]] if shape.low == 0 else []
    rows: list[list[Any]] = [[]]
    for at in range(high):
        values = finite_values(of, shape.item(at), limit)
        if values is None or len(rows) * len(values) > limit:
            return None
        rows = [[*row, value] for row in rows for value in values]
        if at + 1 >= shape.low:
            found += rows
    return found


def _objects(of: Normaliser, shape: ObjectShape, limit: int) -> list[Any] | None:
    closed = any(
        rule.goal == FALSE and rule.included is None and not rule.excluded for rule in shape.rules
    )
    if shape.some or not (closed or shape.high == 0):
        return None
    ways: list[list[Any]] = []
    size = 1
    names = list({**dict.fromkeys(shape.members), **shape.required}) if shape.high != 0 else []
    for name in names:
        goal = shape.goal_of(name, of.pool)
        values = [] if goal == FALSE else finite_values(of, goal, limit)
        if values is None:
            return None
        ways.append(
            [(name, value) for value in values] + ([] if name in shape.required else [None])
        )
        size *= len(ways[-1])
        if size > limit:
            return None
    found = [dict(pair for pair in row if pair is not None) for row in product(*ways)]
    most = len(names) if shape.high is None else shape.high
    return [value for value in found if shape.low <= len(value) <= most]


def unique_items(items: Items, shape: ArrayShape) -> Expression:
    """The items of an array, at least one and all different; without the brackets.

    Those that are too many for rules have marks (`items.marked`).

    Raises:
        UnsupportedKeyword: it cannot be told whether there are enough, or they are counted besides.
    """
    of = items.to.of
    goals = [*items.prefix, items.rest]
    if items.high is not None:
        goals = goals[: items.high]
    listed = [finite_values(of, goal) for goal in goals]
    if shape.contains or any(values is None for values in listed):
        return marked_items(items, shape)
    values = list({value_key(value): value for each in listed for value in each or ()}.values())
    high = len(values) if items.high is None else min(items.high, len(values))
    if items.low > high:
        return NEVER
    if sum(comb(len(values), size) for size in range(high + 1)) <= MAX_SETS:
        return _Sets(items, values, high, shape.unique).start()
    scalar = not any(isinstance(value, (list, dict)) for value in values)
    if items.prefix or not scalar or items.to.layout.indented:
        return marked_items(items, shape)
    return _one_terminal(items, values, high)


class _Sets:
    """A rule for each set of values."""

    def __init__(self, items: Items, values: list[Any], high: int, number: int) -> None:
        reader = items.to.of.reader
        node = reader.node(number)
        self.items, self.high = items, high
        self.goals = [reader.derive({"enum": [value]}, node, "uniqueItems") for value in values]
        self.made: dict[int, Expression] = {}

    def start(self) -> Expression:
        """All items; at least one."""
        return self._from(0)

    def _from(self, used: int) -> Expression:
        found = self.made.get(used)
        if found is None:
            body = self._body(used)
            if used and body not in (EMPTY, NEVER):
                body = self.items.to.add_rule(f"{self.items.rule}_{used}", body, self.items.place)
            found = self.made[used] = body
        return found

    def _body(self, used: int) -> Expression:
        items, at = self.items, used.bit_count()
        options: list[Expression] = [EMPTY] if at and at >= items.low else []
        if at == self.high:
            return alternatives(*options)
        own = items.prefix[at] if at < len(items.prefix) else items.rest
        for bit, goal in enumerate(self.goals):
            if used >> bit & 1:
                continue
            value = items.value(conjoin(own, goal))
            if value == NEVER:
                continue
            rest = self._from(used | 1 << bit)
            if rest != NEVER:
                options.append(seq(items.comma, value, rest) if at else seq(value, rest))
        return alternatives(*options)


def _one_terminal(items: Items, values: list[Any], high: int) -> Expression:
    """The items as one regular language."""
    comma = items.comma.language
    style = items.to.layout.style
    texts = [_text(value, items.to.integer_point, style) for value in values]
    parts: list[Regular] = []
    for at, text in enumerate(texts):
        others = union(*texts[:at], *texts[at + 1 :])
        before, after = repeat(concat(others, comma)), repeat(concat(comma, others))
        parts.append(union(concat(before, text, after), concat(others, after)))
    whole = union(*texts)
    least = max(0, items.low - 1)
    counted = concat(whole, repeat(concat(comma, whole), least, high - 1))
    key = ("unique", tuple(map(value_key, values)), items.low, high)
    return items.to.terminal("UNIQUE", key, lambda: intersection(counted, *parts))


def _text(value: Any, integer_point: bool, style: JsonStyle) -> Regular:
    match value:
        case str():
            return string_text(StringShape(values=(value,)), style.escapes)
        case bool() | None:
            return literal(json.dumps(value))
        case _:
            # In draft 4 an integer, which may have been asked for, is not written 1.0.
            shape = NumberShape(
                integer=isinstance(value, int) or None, values=(Decimal(repr(value)),)
            )
            return number_text(shape, integer_point, style.numbers == "plain")

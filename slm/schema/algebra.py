"""The typed algebra that every schema is normalised to.

A schema is a union over the six JSON types; within a type it is a list of alternatives, and each
alternative is a *shape*: a conjunction of constraints that only speak about that type. Sub-schemas
stay *goals*: sets of signed schema numbers that all have to hold, so that merging two schemas is a
set union and recursion needs no unfolding. Shapes are closed under "and" (`meet`); "or" is a longer
list; "not" is pushed down to the goals (see `negation.py`).

Source: witness generation for JSON Schema (Attouche et al., VLDB 2022) pushes negation down and
merges conjunctions per type in the same way.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Any, TypeAlias

from slm.grammar.derivative import Languages
from slm.grammar.regular import Regular

Goal: TypeAlias = frozenset[int]  # schema numbers that must all hold; a negative one must fail

FALSE_ID = 1  # the schema `false`; `true` needs no number, it is the empty goal
TRUE: Goal = frozenset()
FALSE: Goal = frozenset((FALSE_ID,))


def conjoin(left: Goal, right: Goal) -> Goal:
    """Both goals; a contradiction that shows at once becomes `FALSE`.

    >>> conjoin(frozenset((2,)), frozenset((-2,))) == FALSE
    True
    """
    if not left or left == right:
        return right
    if not right:
        return left
    both = left | right
    if FALSE_ID in both or any(-literal in both for literal in left):
        return FALSE
    return both


def negate(literal: int) -> Goal:
    """The goal that one schema number fails."""
    return TRUE if literal == FALSE_ID else frozenset((-literal,))


@dataclass(frozen=True, slots=True)
class NumberShape:
    """A set of numbers, in exact decimals."""

    integer: bool | None = None  # True: integers only; False: none of them
    low: Decimal | None = None
    low_open: bool = False
    high: Decimal | None = None
    high_open: bool = False
    multiples: tuple[Decimal, ...] = ()
    non_multiples: tuple[Decimal, ...] = ()
    values: tuple[Decimal, ...] | None = None
    excluded: frozenset[Decimal] = frozenset()

    def admits(self, value: Decimal) -> bool:
        """Whether the number is in the set."""
        if self.integer is not None and self.integer != (value == value.to_integral_value()):
            return False
        if self.low is not None and (value < self.low or (self.low_open and value == self.low)):
            return False
        if self.high is not None and (value > self.high or (self.high_open and value == self.high)):
            return False
        if self.values is not None and value not in self.values:
            return False
        return (
            value not in self.excluded
            and all(is_multiple(value, step) for step in self.multiples)
            and not any(is_multiple(value, step) for step in self.non_multiples)
        )

    def meet(self, other: NumberShape) -> NumberShape | None:
        """Numbers in both sets; None where that is seen to be empty."""
        if other is ANY_NUMBER:
            return self
        if self is ANY_NUMBER:
            return other
        if self.values is not None or other.values is not None:
            finite, rest = (self, other) if self.values is not None else (other, self)
            kept = tuple(value for value in finite.values or () if rest.admits(value))
            # Draft 4 does not call 1.0 an integer, so that it was asked for is kept.
            integer = True if self.integer or other.integer else None
            return NumberShape(integer, values=kept) if kept else None
        integer = self.integer if other.integer is None else other.integer
        if self.integer is not None and integer != self.integer:
            return None
        low, low_open = self.low, self.low_open
        if other.low is not None and (low is None or (other.low, other.low_open) > (low, low_open)):
            low, low_open = other.low, other.low_open
        high, high_open = self.high, self.high_open
        if other.high is not None and (
            high is None
            or (other.high.copy_negate(), other.high_open) > (high.copy_negate(), high_open)
        ):
            high, high_open = other.high, other.high_open
        if low is not None and high is not None:
            if low > high or (low == high and (low_open or high_open)):
                return None
            if integer and not _has_integer(low, low_open, high, high_open):
                return None
        return NumberShape(
            integer,
            low,
            low_open,
            high,
            high_open,
            _merged(self.multiples, other.multiples),
            _merged(self.non_multiples, other.non_multiples),
            None,
            self.excluded | other.excluded,
        )


def is_multiple(value: Decimal, step: Decimal) -> bool:
    """Whether value / step is an integer, in exact arithmetic."""
    top, bottom = value.as_integer_ratio()
    step_top, step_bottom = step.as_integer_ratio()
    return (top * step_bottom) % (bottom * step_top) == 0


def _has_integer(low: Decimal, low_open: bool, high: Decimal, high_open: bool) -> bool:
    first, last = integer_bounds(low, low_open, high, high_open)
    assert first is not None
    assert last is not None
    return first <= last


def integer_bounds(
    low: Decimal | None, low_open: bool, high: Decimal | None, high_open: bool
) -> tuple[int | None, int | None]:
    """The first and last integer between two decimal bounds."""
    first: int | None = None
    last: int | None = None
    if low is not None:
        first = int(low.to_integral_value("ROUND_CEILING"))
        first += low_open and first == low
    if high is not None:
        last = int(high.to_integral_value("ROUND_FLOOR"))
        last -= high_open and last == high
    return first, last


@dataclass(frozen=True, slots=True)
class Content:
    """The string is a JSON text, encoded, whose value reaches a goal."""

    goal: Goal
    encoding: str = ""  # as it is
    number: int = field(default=0, compare=False)  # of the schema that asks for it


@dataclass(frozen=True, slots=True)
class StringShape:
    """A set of strings: all parts hold of the decoded string, as do the bounds on its length.

    What `contents` say is for `content.py`: nothing here looks into the JSON in a string.
    """

    low: int = 0
    high: int | None = None
    parts: tuple[Regular, ...] = ()
    values: tuple[str, ...] | None = None
    doubts: tuple[Regular, ...] = field(default=(), compare=False)  # see `format_doubts`
    contents: tuple[Content, ...] = ()  # one for each encoding

    def admits(self, text: str, pool: Languages) -> bool:
        """Whether the string is in the set, whatever its content."""
        return bool(self.among((text,), pool))

    def among(self, texts: tuple[str, ...], pool: Languages) -> tuple[str, ...]:
        """Those of the strings that are in the set, whatever their content."""
        least, most = self.low, self.high
        texts = tuple(text for text in texts if least <= len(text) and not _exceeds(text, most))
        if self.values is not None:
            texts = tuple(text for text in texts if text in self.values)
        for part in self.parts if texts else ():
            state = pool.state(part)
            texts = tuple(text for text in texts if _reads(state, text, pool))
        return texts

    def meet(self, other: StringShape, pool: Languages) -> StringShape | None:
        """Strings in both sets; None where that is seen to be empty."""
        if other is ANY_STRING:
            return self
        if self is ANY_STRING:
            return other
        contents = self.contents
        if other.contents:
            contents = _both_contents(contents, other.contents)
            if any(part.goal == FALSE for part in contents):
                return None
        if self.values is not None or other.values is not None:
            finite, rest = (self, other) if self.values is not None else (other, self)
            kept = rest.among(finite.values or (), pool)
            left = [text for text in finite.values or () if rest.doubts and text not in kept]
            if any(matches(part, text, pool) for part in rest.doubts for text in left):
                pool.leaned = True
            return StringShape(values=kept, contents=contents) if kept else None
        low, high = max(self.low, other.low), _least(self.high, other.high)
        if high is not None and low > high:
            return None
        parts, doubts = _merged(self.parts, other.parts), _merged(self.doubts, other.doubts)
        return StringShape(low, high, parts, None, doubts, contents)


def _both_contents(left: tuple[Content, ...], right: tuple[Content, ...]) -> tuple[Content, ...]:
    """Both: one encoding has one JSON text, which reaches the goals of all."""
    found = {part.encoding: part for part in left}
    for part in right:
        known = found.get(part.encoding)
        if known is not None:
            part = Content(conjoin(known.goal, part.goal), part.encoding, known.number)
        found[part.encoding] = part
    return tuple(found.values())


def matches(regular: Regular, text: str, pool: Languages) -> bool:
    """Whether the text is in the language."""
    return _reads(pool.state(regular), text, pool)


def _reads(state: int, text: str, pool: Languages) -> bool:
    for char in text:
        state = pool.step(state, ord(char))
    return pool.accepts(state)


def _exceeds(text: str, most: int | None) -> bool:
    return most is not None and len(text) > most


@dataclass(frozen=True, slots=True)
class ArrayShape:
    """A set of arrays: a goal for each leading item, one for the rest, and bounds on the length."""

    prefix: tuple[Goal, ...] = ()
    items: Goal = TRUE
    low: int = 0
    high: int | None = None
    contains: tuple[Contains, ...] = ()
    unique: int = 0  # number of the schema whose `uniqueItems` asks for it
    none: tuple[ArrayShape, ...] = ()  # and the array has none of these shapes, see `frames.py`

    def meet(self, other: ArrayShape) -> ArrayShape | None:
        """Arrays in both sets; None where that is seen to be empty."""
        if other is ANY_ARRAY:
            return self
        if self is ANY_ARRAY:
            return other
        length = max(len(self.prefix), len(other.prefix))
        prefix = tuple(conjoin(self.item(at), other.item(at)) for at in range(length))
        items = conjoin(self.items, other.items)
        low, high = max(self.low, other.low), _least(self.high, other.high)
        if items == FALSE:
            high = _least(high, length)
        for at, goal in enumerate(prefix):
            if goal == FALSE:
                high = _least(high, at)
                break
        if high is not None and low > high:
            return None
        contains = _merged(self.contains, other.contains)
        unique, none = self.unique or other.unique, _merged(self.none, other.none)
        return ArrayShape(prefix, items, low, high, contains, unique, none)

    def item(self, at: int) -> Goal:
        """What the item at this index must satisfy."""
        return self.prefix[at] if at < len(self.prefix) else self.items


@dataclass(frozen=True, slots=True)
class Contains:
    """`low` to `high` of the items from `start` on satisfy the goal."""

    goal: Goal
    low: int
    high: int | None
    number: int  # of the schema that asks for it
    start: int = 0


@dataclass(frozen=True, slots=True)
class NameRule:
    """The values of members whose name is in a set of names must satisfy the goal.

    The set: names in `included` (None: every name), without the names in `names` and those in any
    language of `excluded`.
    """

    goal: Goal
    included: Regular | None = None
    names: frozenset[str] = frozenset()
    excluded: tuple[Regular, ...] = ()

    def applies(self, name: str, pool: Languages) -> bool:
        """Whether this rule speaks about the name."""
        return (
            name not in self.names
            and (self.included is None or matches(self.included, name, pool))
            and not any(matches(part, name, pool) for part in self.excluded)
        )


@dataclass(frozen=True, slots=True)
class ObjectShape:
    """A set of objects: goals for named members, rules for the others, and bounds on the number."""

    members: dict[str, Goal] = field(default_factory=dict)  # in the order the schema declares
    required: dict[str, None] = field(default_factory=dict)
    rules: tuple[NameRule, ...] = ()
    low: int = 0
    high: int | None = None
    number: int = 0  # of the schema that asks for `low`, or for the first of `some`
    some: tuple[NameRule, ...] = ()  # for each of them, a member whose name it speaks about
    none: tuple[ObjectShape, ...] = ()  # and the object has none of these shapes

    def goal_of(self, name: str, pool: Languages) -> Goal:
        """What the value of the member of this name must satisfy."""
        goal = self.members.get(name, TRUE)
        for rule in self.rules:
            if rule.goal - goal and rule.applies(name, pool):
                goal = conjoin(goal, rule.goal)
        return goal

    def meet(self, other: ObjectShape, pool: Languages) -> ObjectShape | None:
        """Objects in both sets; None where that is seen to be empty."""
        if other is ANY_OBJECT:
            return self
        if self is ANY_OBJECT:
            return other
        members = dict(self.members)
        for name, goal in other.members.items():
            members[name] = conjoin(members.get(name, TRUE), goal)
        required = {**self.required, **other.required}
        low, high = max(self.low, other.low), _least(self.high, other.high)
        if high is not None and max(low, len(required)) > high:
            return None
        both = ObjectShape(
            members,
            required,
            _merged(self.rules, other.rules),
            low,
            high,
            self.number if self.low >= other.low and not other.some else other.number,
            _merged(self.some, other.some),
            _merged(self.none, other.none),
        )
        if any(both.goal_of(name, pool) == FALSE for name in required):
            return None
        return both


ANY_NUMBER, ANY_STRING, ANY_ARRAY, ANY_OBJECT = (
    NumberShape(),
    StringShape(),
    ArrayShape(),
    ObjectShape(),
)
BOTH = (False, True)


@dataclass(frozen=True, slots=True)
class Kinds:
    """A set of JSON values: for each type, the alternatives that admit its values."""

    null: bool = False
    booleans: tuple[bool, ...] = ()
    numbers: tuple[NumberShape, ...] = ()
    strings: tuple[StringShape, ...] = ()
    arrays: tuple[ArrayShape, ...] = ()
    objects: tuple[ObjectShape, ...] = ()

    def join(self, other: Kinds) -> Kinds:
        """Values in either set."""
        return Kinds(
            self.null or other.null,
            tuple(value for value in BOTH if value in self.booleans or value in other.booleans),
            _joined(self.numbers, other.numbers, ANY_NUMBER),
            _joined(self.strings, other.strings, ANY_STRING),
            _joined(self.arrays, other.arrays, ANY_ARRAY),
            _joined(self.objects, other.objects, ANY_OBJECT),
        )

    def meet(self, other: Kinds, pool: Languages) -> Kinds:
        """Values in both sets; alternatives that are seen to be empty are left out."""
        if other is EVERYTHING:
            return self
        if self is EVERYTHING:
            return other
        return Kinds(
            self.null and other.null,
            tuple(value for value in self.booleans if value in other.booleans),
            _unique(one.meet(two) for one in self.numbers for two in other.numbers),
            _unique(one.meet(two, pool) for one in self.strings for two in other.strings),
            _unique(one.meet(two) for one in self.arrays for two in other.arrays),
            _unique(one.meet(two, pool) for one in self.objects for two in other.objects),
        )

    def width(self) -> int:
        """The largest number of alternatives of one type."""
        return max(len(self.numbers), len(self.strings), len(self.arrays), len(self.objects))

    def only(self, **kinds: Any) -> Kinds:
        """The same set with some types replaced."""
        return replace(self, **kinds)


EVERYTHING = Kinds(True, BOTH, (ANY_NUMBER,), (ANY_STRING,), (ANY_ARRAY,), (ANY_OBJECT,))
NO_VALUE = Kinds()


def _joined(left: tuple[Any, ...], right: tuple[Any, ...], whole: Any) -> tuple[Any, ...]:
    if not right or (left and left[0] is whole):
        return left
    if not left or right[0] is whole:
        return right
    return left + tuple(shape for shape in right if shape not in left)


def _unique(shapes: Any) -> tuple[Any, ...]:
    found: list[Any] = []
    objects: dict[Any, list[Any]] = {}  # by what can be hashed: there may be thousands
    for shape in shapes:
        if shape is None:
            continue
        alike = found
        if isinstance(shape, ObjectShape):
            members = frozenset(shape.members.items())
            key = (members, frozenset(shape.required), shape.low, shape.high, len(shape.none))
            alike = objects.setdefault(key, [])
        if shape in alike:
            continue
        found.append(shape)
        if alike is not found:
            alike.append(shape)
    return tuple(found)


def _merged(left: tuple[Any, ...], right: tuple[Any, ...]) -> tuple[Any, ...]:
    if not right:
        return left
    return left + tuple(part for part in right if part not in left)


def _least(left: int | None, right: int | None) -> int | None:
    if left is None or right is None:
        return right if left is None else left
    return min(left, right)

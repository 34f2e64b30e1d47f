"""``uniqueItems`` of values that are too many for a state each: marks for the engine's memory.

The rules say where such an array and its items begin and end (`slm.grammar.memory.DistinctItems`);
the engine keeps the items and lets no equal one end. What it decides at each place is whether the
item at hand can still become a new value. That later items find one, too, is decided here, from how
many values each of them has.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from slm.grammar.derivative import Languages
from slm.grammar.ir import NEVER, Expression, seq
from slm.grammar.memory import DistinctItems
from slm.grammar.regular import ANYTHING, Regular, literal
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
from slm.schema.counted import counts_simply
from slm.schema.strings import decoded_language

if TYPE_CHECKING:
    from slm.schema.arrays import Items
    from slm.schema.lower import Lowering
    from slm.schema.normalise import Normaliser

MAX_COUNTED = 10_000  # more values than that are not needed by any array
MAX_DEPTH = 6  # of values in values


def marked_items(items: Items, shape: ArrayShape) -> Expression:
    """The items of an array with marks, at least one; without the brackets, and without LEAVE.

    Raises:
        UnsupportedKeyword: it cannot be told whether there are enough different items.
    """
    to = items.to
    _check_enough(items, shape)
    items.marked = True
    inner = items.with_one(shape.contains[0]) if shape.contains else items.run(0)
    if inner == NEVER:
        return NEVER
    to.remember(shape.unique, "uniqueItems", DistinctItems())
    return seq(mark(to, "BEGIN"), inner)


def mark(to: Lowering, name: str) -> Expression:
    """The terminal of a mark."""
    text = getattr(DistinctItems, name)
    return to.terminal(f"ITEMS_{name}", ("mark", text), lambda: literal(text))


def marked(to: Lowering, item: Expression) -> Expression:
    """An item that says where it begins and ends."""
    return item if item == NEVER else seq(mark(to, "ITEM"), item, mark(to, "END"))


def _check_enough(items: Items, shape: ArrayShape) -> None:
    """See to it that whoever chooses items one by one never lacks one that has to be there.

    An item that has to be there finds a value if there are more than could have been taken before.
    That is asked of all of them; only which ones came before may be a matter of their kinds.
    """
    of = items.to.of
    node = of.reader.node(shape.unique)
    if shape.contains and (not counts_simply(shape) or items.places(shape.contains[0]) > 64):
        raise of.unsupported(node, "uniqueItems", "it cannot be combined with a counted contains")
    counts = Counts(of)
    rest_needs = items.low if not items.prefix else 0
    if items.low > len(items.prefix):
        rest_needs = items.low
    for at, goal in enumerate(items.prefix[: items.low]):
        if not counts.at_least(goal, 1 + _rivals(of, items.prefix[:at], goal)):
            why = f"item {at} may have too few values beside those that come before it"
            raise of.unsupported(node, "uniqueItems", why)
    if rest_needs > 1:
        rivals = _rivals(of, items.prefix, items.rest) + items.low - len(items.prefix)
        if rivals > MAX_COUNTED or not counts.at_least(items.rest, rivals):
            why = f"it cannot be told whether there are {rivals} different items"
            raise of.unsupported(node, "uniqueItems", why)
    if shape.contains and not counts.at_least(items.rest, MAX_COUNTED):
        why = "beside contains it needs items of infinitely many values"
        raise of.unsupported(node, "uniqueItems", why)


def _rivals(of: Normaliser, before: list[Goal], goal: Goal) -> int:
    """How many of the items before may be equal to one under the goal."""
    return sum(1 for other in before if _may_meet(of, other, goal))


def _may_meet(of: Normaliser, one: Goal, two: Goal) -> bool:
    both = conjoin(one, two)
    return both != FALSE and not of.goal_is_void(both)


class Counts:
    """How many different values there are under a goal, at least."""

    def __init__(self, of: Normaliser) -> None:
        self.of = of
        self._known: dict[tuple[Goal, int], bool] = {}
        self._open: set[Goal] = set()

    def at_least(self, goal: Goal, wanted: int, depth: int = MAX_DEPTH) -> bool:
        """Whether so many are certain. False says nothing."""
        if wanted <= 0:
            return True
        goal = self.of.unaliased(goal)
        key = goal, wanted
        if key in self._known:
            return self._known[key]
        if depth == 0 or goal in self._open:
            return False
        self._open.add(goal)
        known = self._known[key] = self._count(goal, wanted, depth) >= wanted
        self._open.discard(goal)
        return known

    def at_least_names(self, names: Regular, wanted: int) -> bool:
        """Whether a language of names has so many."""
        if names == ANYTHING:
            return True
        return self._strings(StringShape(parts=(names,)), wanted) >= wanted

    def _count(self, goal: Goal, wanted: int, depth: int) -> int:
        kinds = self.of.kinds(goal)
        total = len(kinds.booleans) + bool(kinds.null)
        total += max((_numbers(shape, wanted) for shape in kinds.numbers), default=0)
        total += max((self._strings(shape, wanted) for shape in kinds.strings), default=0)
        if total < wanted:
            total += max((self._objects(o, wanted, depth - 1) for o in kinds.objects), default=0)
        if total < wanted:
            total += max((self._arrays(a, wanted, depth - 1) for a in kinds.arrays), default=0)
        return total

    def _strings(self, shape: StringShape, wanted: int) -> int:
        if shape.contents:
            return self._contents(shape, wanted)
        if shape.values is not None:
            return len(shape.values)
        if not shape.parts:
            room = shape.high if shape.high is not None else 8
            return wanted if room >= 3 else 1000 * room + (shape.low == 0)
        return count_texts(shape, wanted, self.of.pool)

    def _contents(self, shape: StringShape, wanted: int) -> int:
        """Strings with JSON in them: as many as the values there, where nothing else holds."""
        if shape.values is not None:
            return sum(holds(self.of, shape, text) for text in shape.values)
        if len(shape.contents) > 1 or shape.low or shape.high is not None or shape.parts:
            return 0
        goal = shape.contents[0].goal
        return wanted if self.at_least(goal, wanted) else int(self.at_least(goal, 1))

    def _objects(self, shape: ObjectShape, wanted: int, depth: int) -> int:
        if shape.none:  # what is left beside them is not counted
            return 0
        bounded = shape.high is not None and shape.high <= len(shape.required)
        if shape.some or bounded or self.of.bounded_names:
            free = False
        else:
            free = all(
                rule.goal != FALSE or rule.included is not None for rule in shape.rules
            ) and self.of.pool.alive(2)
        if shape.some or shape.low > len(shape.required) + free:
            return 0
        for name in shape.required:
            if not self.at_least(shape.goal_of(name, self.of.pool), 1, depth):
                return 0
        if free and not shape.rules:
            return wanted
        for name in {**shape.members, **shape.required}:
            if name not in shape.required and shape.high is not None:
                continue
            if self.at_least(shape.goal_of(name, self.of.pool), wanted, depth):
                return wanted
        return 1 if shape.low <= len(shape.required) else 0

    def _arrays(self, shape: ArrayShape, wanted: int, depth: int) -> int:
        if shape.none:
            return 0
        if shape.contains:
            return int(shape.low == 0)
        if shape.unique and shape.low > 1:  # all but the last item fixed, the last is any other
            if shape.prefix or not self.at_least(shape.items, shape.low, depth):
                return 0
            return wanted if self.at_least(shape.items, shape.low - 1 + wanted, depth) else 1
        endless = shape.high is None and not shape.unique and shape.items != FALSE
        least = all(self.at_least(shape.item(at), 1, depth) for at in range(min(shape.low, 64)))
        if not least:
            return 0
        if endless and all(self.at_least(goal, 1, depth) for goal in shape.prefix):
            return wanted if self.at_least(shape.items, 1, depth) else 1
        first = (shape.high is None or shape.high > 0) and shape.low <= 1
        return wanted if first and self.at_least(shape.item(0), wanted, depth) else 1


def count_texts(shape: StringShape, wanted: int, pool: Languages) -> int:
    """How many strings have the shape, at least; what is in them aside."""
    # Breadth first, a few hundred texts at a time: whatever accepts is one more.
    level, found = {pool.state(decoded_language(shape)): 1}, 0
    for _ in range(400):
        found += sum(ways for state, ways in level.items() if pool.accepts(state))
        if found >= wanted or not level:
            break
        after: dict[int, int] = {}
        for state, ways in level.items():
            for low, high, target in pool.edges(state):
                if pool.alive(target):
                    ways_there = after.get(target, 0) + ways * (high - low + 1)
                    after[target] = min(wanted, ways_there)
        if len(after) > 2_000:
            break
        level = after
    return found


def _numbers(shape: NumberShape, wanted: int) -> int:
    if shape.values is not None:
        return sum(shape.admits(value) for value in shape.values)
    if shape.low is None or shape.high is None:
        # Multiples reach to infinity; non-multiples may rule all of them out.
        return 0 if shape.non_multiples else wanted
    if shape.multiples or shape.non_multiples:
        return 0
    if shape.integer is True:
        first, last = integer_bounds(shape.low, shape.low_open, shape.high, shape.high_open)
        assert first is not None
        assert last is not None
        return max(0, last - first + 1 - len(shape.excluded))
    return wanted if shape.low < shape.high else 1

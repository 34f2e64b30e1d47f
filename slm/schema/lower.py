"""From goals to grammar rules: one rule for a goal that needs one, shared wherever it occurs.

Scalars become terminals in place. Arrays and objects become rules, made from a work list, so the
depth of a schema never becomes the depth of a Python stack; recursion is a `Call`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Hashable
from dataclasses import dataclass, replace

from slm.errors import Place
from slm.grammar.ir import NEVER, Call, Choice, Expression, Rule, Terminal
from slm.grammar.memory import Memory
from slm.grammar.regular import NOTHING, Regular, choice_of, literal, union
from slm.schema.algebra import ANY_STRING, Goal, Kinds, NumberShape, StringShape
from slm.schema.arrays import array_expression
from slm.schema.content import CONTENT_HINT, holds
from slm.schema.expressions import alternatives
from slm.schema.inside import document_text
from slm.schema.layout import MAX_INDENTED_DEPTH, Layout
from slm.schema.normalise import Normaliser
from slm.schema.numbers import number_text, too_fine
from slm.schema.objects import object_expression
from slm.schema.strings import (
    has_short_text,
    is_void,
    may_be_empty,
    string_text,
)

_UNSAFE = re.compile(r"[^A-Za-z0-9]+")


@dataclass(slots=True)
class _Pending:
    goal: Goal
    kinds: Kinds
    depth: int
    rule: str


class Lowering:
    """Makes the rules of one schema.

    Attributes:
        rules: name → rule, in the order they were asked for.
        goals: rule name → the goal, for rules that stand for one.
        dead: rule name → the goal of a required member that no value reaches.
        memory: what an engine has to remember beside the rules.
    """

    def __init__(
        self, of: Normaliser, layout: Layout, integer_point: bool, any_order: bool = False
    ) -> None:
        self.of, self.layout, self.integer_point = of, layout, integer_point
        self.any_order = any_order
        self.rules: dict[str, Rule] = {}
        self.goals: dict[str, Goal] = {}
        self.dead: dict[str, Goal] = {}
        self.memory: Memory | None = None
        self.open_documents: tuple[Goal, ...] = ()  # in whose strings this one is written
        self.documents: dict[Goal, Expression] = {}  # see `inside.py`
        self.sets = 0  # of members in any order, of all objects so far
        # Terminals that have a text in each of its spellings, and their pieces: see `inside.py`.
        self.free: dict[str, tuple[tuple[Regular, Regular, Regular], ...]] = {}
        self._names: dict[str, int] = {}
        self._kept: dict[tuple[str, ...], StringShape] = {}
        self._calls: dict[tuple[Goal, int], Expression] = {}
        self._terminals: dict[Hashable, tuple[Expression, object]] = {}
        self._todo: list[_Pending] = []

    def lower(self, start: Goal) -> str:
        """Make the rules of the goal and of all it needs; the name of its rule."""
        start = self.of.unaliased(start)
        kinds = self.of.kinds(start)
        first = _Pending(start, kinds, 0, self.fresh_name("root"))
        if self._is_container(kinds):
            self._calls[start, 0] = Call(first.rule)
        self.goals[first.rule] = start
        self._todo.append(first)
        while self._todo:
            item = self._todo.pop()
            self.rules[item.rule] = Rule(item.rule, self._body(item), self.place(item.goal))
        return first.rule

    def value(self, goal: Goal, depth: int) -> Expression:
        """What a value under the goal looks like: terminals in place, or a call to its rule."""
        if not self.layout.indented:
            depth = 0
        goal = self.of.unaliased(goal)
        found = self._calls.get((goal, depth))
        if found is None:
            kinds = self.of.kinds(goal)
            if self._is_container(kinds):
                name = self.fresh_name(self._label(goal, depth))
                found = Call(name)
                self.goals[name] = goal
                self._todo.append(_Pending(goal, kinds, depth, name))
            else:
                found = self._placed(self._scalars(kinds, goal), goal)
            self._calls[goal, depth] = found
        return found

    def add_rule(self, label: str, body: Expression, place: Place | None) -> Call:
        """A helper rule of a container."""
        name = self.fresh_name(label)
        self.rules[name] = Rule(name, body, place)
        return Call(name)

    def terminal(
        self, label: str, key: Hashable, make: Callable[[], Regular], keep: object = None
    ) -> Expression:
        """The terminal of a key: made once, with a name of its own; nothing for no text at all.

        Args:
            label: what to call it.
            key: stands for the language; cheap to hash, which languages are not.
            make: its language.
            keep: objects whose `id` is in the key, so that they live as long as it.
        """
        found = self._terminals.get(key)
        if found is None:
            language = make()
            made: Expression = NEVER
            if language != NOTHING:
                made = Terminal(self.fresh_name(label), language)
                if label in _FREE:
                    self.free[made.name] = ()
            found = self._terminals[key] = (made, keep)
        return found[0]

    def key(self, name: str) -> Expression:
        """The terminal of a declared member's name, with its colon."""
        label = "KEY_" + (_UNSAFE.sub("_", name).strip("_").upper()[:40] or "NAME")
        return self.terminal(label, ("key", name), lambda: self.layout.key(name))

    def inside(self, goal: Goal) -> Lowering:
        """For a document in a string of this one; the goal is its own."""
        inner = Lowering(self.of, self.layout, self.integer_point, self.any_order)
        inner.open_documents = (*self.open_documents, goal)
        inner.sets = self.sets
        return inner

    def remember(self, number: int, keyword: str, memory: Memory) -> None:
        """Let an engine remember something beside the rules.

        Raises:
            UnsupportedKeyword: it would have to look into a string; `keyword` asks for it.
        """
        if self.open_documents:
            node = self.of.reader.node(number)
            why = "in the JSON of a string, items and names that have to differ are not told apart"
            raise self.of.unsupported(node, keyword, why, CONTENT_HINT)
        self.memory = memory

    def fresh_name(self, label: str) -> str:
        """A name that is not taken: the label, with a number where it was used before."""
        count = self._names.get(label, 0)
        self._names[label] = count + 1
        if not count:
            return label
        return self.fresh_name(f"{label}_{count + 1}")

    def place(self, goal: Goal) -> Place | None:
        """Where the goal's schema stands."""
        if not goal:
            return None
        return self.of.reader.node(min(goal, key=abs)).at() if 1 not in goal else None

    def root_place(self) -> Place:
        """Where the whole schema stands."""
        return Place(pointer="")

    def _label(self, goal: Goal, depth: int) -> str:
        if not goal:
            return f"value_{depth}" if depth else "value"
        if 1 in goal:
            return "never"
        pointer = self.of.reader.node(min(goal, key=abs)).pointer
        tail = [token for token in pointer.split("/")[-2:] if token not in _DULL]
        label = _UNSAFE.sub("_", "_".join(tail)).strip("_").lower()
        return f"r_{label[-40:]}" if not label[:1].isalpha() else label[-40:].lstrip("_0123456789")

    @staticmethod
    def _is_container(kinds: Kinds) -> bool:
        return bool(kinds.arrays or kinds.objects)

    def _body(self, item: _Pending) -> Expression:
        options = [self._scalars(item.kinds, item.goal)]
        too_deep = self.layout.indented and item.depth >= MAX_INDENTED_DEPTH
        options.extend(
            array_expression(self, array, item.goal, item.rule, item.depth, too_deep)
            for array in item.kinds.arrays
        )
        options.extend(
            object_expression(self, shape, item.goal, item.rule, item.depth, too_deep)
            for shape in item.kinds.objects
        )
        return alternatives(*options)

    def _scalars(self, kinds: Kinds, goal: Goal) -> Expression:
        options: list[Expression] = []
        if kinds.strings:
            options.append(self._strings(kinds.strings))
        if kinds.numbers:
            options.append(self._numbers(kinds.numbers, goal))
        if kinds.booleans:
            words = ["true" if value else "false" for value in kinds.booleans]
            key = ("boolean", kinds.booleans)
            options.append(self.terminal("BOOLEAN", key, lambda: choice_of(words)))
        if kinds.null:
            options.append(self.terminal("NULL", "null", lambda: literal("null")))
        return alternatives(*options)

    def _placed(self, scalars: Expression, goal: Goal) -> Expression:
        """The terminals with the place of the goal: copies of those that many goals share."""
        place = self.place(goal)
        if place is None:
            return scalars
        if isinstance(scalars, Terminal):
            return replace(scalars, place=place)
        if isinstance(scalars, Choice):
            return Choice(tuple(self._placed(option, goal) for option in scalars.options))
        return scalars

    def _numbers(self, shapes: tuple[NumberShape, ...], goal: Goal) -> Expression:
        for shape in shapes:
            step = too_fine(shape)
            if step is not None:
                node = self.of.reader.node(min(goal, key=abs))
                raise self.of.unsupported(
                    node, "multipleOf", f"the multiples of {step} need too many states"
                )

        plain = self.layout.style.numbers == "plain"

        def make() -> Regular:
            language = union(*(number_text(shape, self.integer_point, plain) for shape in shapes))
            pool = self.of.pool
            if not may_be_empty(language) or has_short_text(language, pool):
                return language
            return language if pool.alive(pool.state(language)) else NOTHING

        label = "INTEGER" if all(shape.integer for shape in shapes) else "NUMBER"
        return self.terminal(label, ("number", shapes), make)

    def _strings(self, shapes: tuple[StringShape, ...]) -> Expression:
        escapes = self.layout.style.escapes
        if shapes[0] is ANY_STRING:
            return self.terminal("STRING", "string", lambda: string_text(ANY_STRING, escapes))
        if any(shape.contents for shape in shapes):
            return self._with_contents(shapes)
        key = tuple(
            (shape.low, shape.high, tuple(map(id, shape.parts)), shape.values) for shape in shapes
        )
        label = "ENUM" if all(shape.values is not None for shape in shapes) else "TEXT"

        def make() -> Regular:
            alive = (shape for shape in shapes if not is_void(shape, self.of.pool))
            return union(*(string_text(shape, escapes) for shape in alive))

        return self.terminal(label, ("strings", key), make, keep=shapes)

    def _with_contents(self, shapes: tuple[StringShape, ...]) -> Expression:
        """Strings of which some are JSON texts."""
        plain: list[StringShape] = []
        documents: list[Expression] = []
        for shape in shapes:
            if not shape.contents:
                plain.append(shape)
            elif shape.values is None:
                documents.append(document_text(self, shape))
            else:
                kept = tuple(text for text in shape.values if holds(self.of, shape, text))
                if kept:
                    plain.append(self._kept.setdefault(kept, StringShape(values=kept)))
        return alternatives(*([self._strings(tuple(plain))] if plain else []), *documents)


_FREE = frozenset(("STRING", "TEXT", "NAME"))
_DULL = frozenset(("properties", "items", "$defs", "definitions", ""))

"""From goals to grammar rules: one rule for a goal that needs one, shared wherever it occurs.

Scalars become terminals in place. Arrays and objects become rules, made from a work list, so the
depth of a schema never becomes the depth of a Python stack; recursion is a `Call`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from slm.errors import Place
from slm.grammar.ir import NEVER, Call, Expression, Rule, Terminal, choice
from slm.grammar.regular import NOTHING, Regular, choice_of, literal, union
from slm.schema.algebra import Goal, Kinds, StringShape
from slm.schema.arrays import array_expression
from slm.schema.layout import MAX_INDENTED_DEPTH, Layout
from slm.schema.normalise import Normaliser
from slm.schema.numbers import number_text, too_fine
from slm.schema.objects import object_expression
from slm.schema.strings import ANY_STRING_TEXT, is_void, string_text

_NULL = literal("null")
_BOOLEAN = choice_of(["true", "false"])
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
        goals: rule name → the goal and its depth, for rules that stand for a goal.
    """

    def __init__(self, of: Normaliser, layout: Layout, integer_point: bool) -> None:
        self.of, self.layout, self.integer_point = of, layout, integer_point
        self.rules: dict[str, Rule] = {}
        self.goals: dict[str, Goal] = {}
        self._names: dict[str, int] = {}
        self._calls: dict[tuple[Goal, int], Expression] = {}
        self._terminals: dict[Regular, Terminal] = {}
        self._todo: list[_Pending] = []

    def lower(self, start: Goal) -> str:
        """Make the rules of the goal and of all it needs; the name of its rule."""
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
        found = self._calls.get((goal, depth))
        if found is None:
            kinds = self.of.kinds(goal)
            if self._is_container(kinds):
                name = self.fresh_name(self._label(goal, depth))
                found = Call(name)
                self.goals[name] = goal
                self._todo.append(_Pending(goal, kinds, depth, name))
            else:
                found = self._scalars(kinds, goal)
            self._calls[goal, depth] = found
        return found

    def add_rule(self, label: str, body: Expression, place: Place | None) -> Call:
        """A helper rule of a container."""
        name = self.fresh_name(label)
        self.rules[name] = Rule(name, body, place)
        return Call(name)

    def terminal(self, label: str, language: Regular) -> Expression:
        """The terminal of a language; one object for each language, with a name of its own."""
        if language == NOTHING:
            return NEVER
        found = self._terminals.get(language)
        if found is None:
            found = Terminal(self.fresh_name(label), language)
            self._terminals[language] = found
        return found

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
        return choice(*options)

    def _scalars(self, kinds: Kinds, goal: Goal) -> Expression:
        options: list[Expression] = []
        if kinds.strings:
            options.append(self._strings(kinds.strings))
        if kinds.numbers:
            for shape in kinds.numbers:
                step = too_fine(shape)
                if step is not None:
                    node = self.of.reader.node(min(goal, key=abs))
                    raise self.of.unsupported(
                        node, "multipleOf", f"the multiples of {step} need too many states"
                    )
            language = union(*(number_text(shape, self.integer_point) for shape in kinds.numbers))
            whole = all(shape.integer for shape in kinds.numbers)
            options.append(self.terminal("INTEGER" if whole else "NUMBER", language))
        if kinds.booleans:
            words = ["true" if value else "false" for value in kinds.booleans]
            language = _BOOLEAN if len(words) == 2 else literal(words[0])
            options.append(self.terminal("BOOLEAN", language))
        if kinds.null:
            options.append(self.terminal("NULL", _NULL))
        return choice(*options)

    def _strings(self, shapes: tuple[StringShape, ...]) -> Expression:
        languages = []
        for shape in shapes:
            doubtful = shape.values is None and len(shape.parts) + (shape.high is not None) > 1
            if doubtful and is_void(shape, self.of.pool):
                continue
            languages.append(string_text(shape))
        language = union(*languages)
        if language is ANY_STRING_TEXT:
            return self.terminal("STRING", language)
        finite = all(shape.values is not None for shape in shapes)
        return self.terminal("ENUM" if finite else "TEXT", language)


_DULL = frozenset(("properties", "items", "$defs", "definitions", ""))

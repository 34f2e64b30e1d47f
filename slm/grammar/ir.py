"""The grammar IR: context-free rules whose leaves are terminals (regular languages).

It is the one value between the front ends and the engines. Its meaning is the plain one: a text
belongs to the grammar if and only if it can be split into terminals, in any way at all, so that
the start rule derives them. No longest match, no priority, unless a terminal says so itself
(`Terminal.longest`).

A right-hand side is any expression, not a list of alternatives: `Seq`, `Choice`, `Many` nest
freely, and `Many` carries its bounds as numbers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar, TypeAlias

from slm.errors import DuplicateRule, Place, UndefinedRule
from slm.grammar.memory import Memory, mark_of, mark_set
from slm.grammar.regular import Chars, Regular


@dataclass(frozen=True, slots=True)
class Terminal:
    """A leaf: text from a regular language, at least one character long.

    The empty text never counts, even where `language` holds it: write ``optional(Terminal(…))``.

    `longest` makes the terminal end only where it cannot end later: if the text goes on so that a
    longer match of the terminal from the same start exists, the shorter one does not count. (Lark's
    ``%ignore`` under the dynamic lexers works like that.) A front end that sets it must make sure
    that some continuation is always possible; see `docs/explanation/mask-engine.md`.
    """

    name: str
    language: Regular
    longest: bool = False
    place: Place | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class Call:
    """What the rule of this name derives."""

    rule: str


@dataclass(frozen=True, slots=True)
class Seq:
    """One after the other; ``Seq(())`` derives the empty text."""

    parts: tuple[Expression, ...]


@dataclass(frozen=True, slots=True)
class Choice:
    """Any one of several; ``Choice(())`` derives nothing at all."""

    options: tuple[Expression, ...]


@dataclass(frozen=True, slots=True)
class Many:
    """`low` to `high` times the body; `high` None means without end. A counter, never copies."""

    body: Expression
    low: int
    high: int | None


Expression: TypeAlias = Terminal | Call | Seq | Choice | Many

EMPTY: Expression = Seq(())
NEVER: Expression = Choice(())


def mark(byte: int, name: str) -> Terminal:
    """A mark for the grammar's memory; see `slm.grammar.memory`. `name` is for people."""
    return Terminal(name, Chars(mark_set(byte)))


def is_mark(terminal: Terminal) -> bool:
    """Whether the terminal is no text but a mark that no character is."""
    language = terminal.language
    return isinstance(language, Chars) and mark_of(language.charset) is not None


def seq(*parts: Expression) -> Expression:
    """The parts one after the other, flattened."""
    flat: list[Expression] = []
    for part in parts:
        flat.extend(part.parts if isinstance(part, Seq) else (part,))
    return flat[0] if len(flat) == 1 else Seq(tuple(flat))


def choice(*options: Expression) -> Expression:
    """Any of the options, flattened, without repeats."""
    flat: dict[Expression, None] = {}
    for option in options:
        flat.update(dict.fromkeys(option.options if isinstance(option, Choice) else (option,)))
    return next(iter(flat)) if len(flat) == 1 else Choice(tuple(flat))


def many(body: Expression, low: int = 0, high: int | None = None) -> Expression:
    """`low` to `high` times the body; an impossible range derives nothing."""
    if high is not None and high < low:
        return NEVER
    if high == 0:
        return EMPTY
    return body if low == high == 1 else Many(body, low, high)


def optional(body: Expression) -> Expression:
    """The body or nothing."""
    return many(body, 0, 1)


@dataclass(frozen=True, slots=True)
class Rule:
    """A named right-hand side, and where it was written."""

    name: str
    body: Expression
    place: Place | None = field(default=None, compare=False)


@dataclass(frozen=True)
class Grammar:
    """Rules and a start: what every front end produces and both engines consume.

    Raises:
        DuplicateRule: two rules share a name.
        UndefinedRule: the start, or a call, names no rule.
    """

    rules: tuple[Rule, ...]
    start: str
    memory: Memory | None = None
    """What is remembered beside the rules, whose marks they hold."""

    program: ClassVar[object] = None
    """What an engine may use in place of the rules, if a front end made it: see `deferred`."""
    made_by: ClassVar[object] = None
    """What makes the rules of a deferred grammar, if it was told."""

    @classmethod
    def deferred(
        cls,
        make: Callable[[], Grammar],
        program: object,
        memory: Memory | None = None,
        made_by: object = None,
    ) -> Grammar:
        """A grammar whose rules are made when something looks at them.

        Args:
            make: gives the grammar; it must be the same one each time.
            program: the same grammar in the form the native engine reads, by number.
            memory: the grammar's.
            made_by: for the attribute of that name.
        """
        grammar = object.__new__(cls)
        parts = {"_make": make, "program": program, "memory": memory, "made_by": made_by}
        object.__setattr__(grammar, "__dict__", parts)
        return grammar

    if not TYPE_CHECKING:  # so that other unknown names stay errors

        def __getattr__(self, name: str) -> Any:
            make = self.__dict__.get("_make")
            if make is None or name not in ("rules", "start"):
                raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
            made = make()
            self.__dict__.update(rules=made.rules, start=made.start)
            return self.__dict__[name]

    def __reduce__(self) -> tuple[type[Grammar], tuple[tuple[Rule, ...], str, Memory | None]]:
        return Grammar, (self.rules, self.start, self.memory)  # a program cannot be copied

    def __post_init__(self) -> None:
        if len(self.by_name) != len(self.rules):
            names = [rule.name for rule in self.rules]
            twice = next(name for name in names if names.count(name) > 1)
            raise DuplicateRule(f"rule `{twice}` is defined twice", hint="rename one of them")
        if self.start not in self.by_name:
            raise UndefinedRule(
                f"the start rule `{self.start}` is not defined",
                hint=f"the rules are {', '.join(sorted(self.by_name)[:10])}",
            )
        seen: set[int] = set()  # front ends share nodes
        for rule in self.rules:
            for node in walk(rule.body, seen):
                if isinstance(node, Call) and node.rule not in self.by_name:
                    raise UndefinedRule(
                        f"rule `{node.rule}` is used by `{rule.name}` but never defined",
                        at=rule.place,
                        hint="define it, or correct the name",
                    )

    @cached_property
    def by_name(self) -> dict[str, Rule]:
        """Rules by name."""
        return {rule.name: rule for rule in self.rules}

    @cached_property
    def terminals(self) -> tuple[Terminal, ...]:
        """Every distinct terminal, in order of first use."""
        found: dict[Terminal, None] = {}
        for rule in self.rules:
            found.update((node, None) for node in walk(rule.body) if isinstance(node, Terminal))
        return tuple(found)

    def __str__(self) -> str:
        from slm.grammar.printer import print_grammar

        return print_grammar(self)


def walk(expression: Expression, seen: set[int] | None = None) -> Iterator[Expression]:
    """The expression and every expression inside it, without recursion.

    Args:
        expression: where to begin.
        seen: ids of objects to leave out, with what is inside; those that are given are added.
    """
    stack = [expression]
    while stack:
        node = stack.pop()
        if seen is not None:
            if id(node) in seen:
                continue
            seen.add(id(node))
        yield node
        match node:
            case Seq(parts):
                stack.extend(reversed(parts))
            case Choice(options):
                stack.extend(reversed(options))
            case Many(body, _, _):
                stack.append(body)

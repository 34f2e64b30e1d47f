"""The syntax tree of a regular expression, common to every dialect.

Unlike `slm.grammar.regular` it keeps what only a matching *procedure* can see: the order of
alternatives, lazy quantifiers, anchors and lookaround. `slm.grammar.pattern_lower` reads it as a
language (which texts match as a whole), `slm.grammar.ordered` as Python's leftmost-first procedure.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, TypeAlias

from slm.grammar.charset import CharSet

AnchorKind: TypeAlias = Literal["start", "end", "end_or_newline"]


@dataclass(frozen=True, slots=True)
class Class:
    """One code point out of a set."""

    charset: CharSet


@dataclass(frozen=True, slots=True)
class Sequence:
    """One after the other."""

    parts: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Branch:
    """Alternatives, the preferred one first."""

    options: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Quantified:
    """`low` to `high` times the body; a greedy one prefers more, a lazy one fewer."""

    body: Node
    low: int
    high: int | None
    greedy: bool = True


@dataclass(frozen=True, slots=True)
class Anchor:
    """A condition on the position: the text's start, its end, or its end but for one newline."""

    kind: AnchorKind


@dataclass(frozen=True, slots=True)
class Look:
    """A lookahead (or lookbehind) assertion: the text there does, or does not, match the body."""

    body: Node
    ahead: bool
    negative: bool


@dataclass(frozen=True, slots=True)
class Captured:
    """A group, and all that comes behind it in its sequence, which refers back to it."""

    body: Node
    rest: Node


@dataclass(frozen=True, slots=True)
class Again:
    """What the group of the `Captured` around it matched."""


Node: TypeAlias = Class | Sequence | Branch | Quantified | Anchor | Look | Captured | Again

NOTHING_TO_MATCH: Node = Sequence(())


@dataclass(frozen=True, slots=True)
class Pattern:
    """A parsed regular expression: its text, its dialect and flags, and its tree."""

    text: str
    dialect: Literal["python", "ecma262"]
    flags: str
    root: Node


def walk_nodes(node: Node) -> Iterator[Node]:
    """The node and every node inside it, in the order of the pattern's text."""
    stack = [node]
    while stack:
        here = stack.pop()
        yield here
        match here:
            case Sequence(parts):
                stack.extend(reversed(parts))
            case Branch(options):
                stack.extend(reversed(options))
            case Quantified(body) | Look(body):
                stack.append(body)
            case Captured(body, rest):
                stack += (rest, body)
            case _:
                pass


def fixed_width(node: Node) -> tuple[CharSet, ...] | None:
    """The node as a plain row of character sets, or None where it is anything else."""
    match node:
        case Class(charset):
            return (charset,)
        case Sequence(parts):
            row: list[CharSet] = []
            for part in parts:
                inner = fixed_width(part)
                if inner is None:
                    return None
                row.extend(inner)
            return tuple(row)
        case Quantified(body, low, high) if low == high:
            inner = fixed_width(body)
            return None if inner is None or low * len(inner) > 16 else inner * low
        case _:
            return None


def words_in_order(node: Node, limit: int) -> list[str] | None:
    """The words of a node as backtracking tries them; None where there are more than `limit`.

    Also None for assertions, and for loops whose body can match nothing.

    >>> words_in_order(Quantified(Class(CharSet.of("a")), 0, 2), 9)
    ['aa', 'a', '']
    """
    match node:
        case Class(charset):
            return None if len(charset) > limit else [chr(point) for point in charset]
        case Sequence(parts):
            words = [""]
            for part in parts:
                inner = words_in_order(part, limit)
                if inner is None or len(words) * len(inner) > limit:
                    return None
                words = [word + more for word in words for more in inner]
            return list(dict.fromkeys(words))
        case Branch(options):
            words = []
            for option in options:
                inner = words_in_order(option, limit)
                if inner is None or len(words) + len(inner) > limit:
                    return None
                words += inner
            return list(dict.fromkeys(words))
        case Quantified(body, low, high, greedy) if high is not None and high <= limit:
            inner = words_in_order(body, limit)
            if inner is None or "" in inner:
                return None
            words = [""]
            for left in range(high - 1, -1, -1):  # how many passes come before these words
                more = [word + rest for word in inner for rest in words]
                if left >= low:
                    more = [*more, ""] if greedy else ["", *more]
                words = list(dict.fromkeys(more))
                if len(words) > limit:
                    return None
            return words
        case _:
            return None

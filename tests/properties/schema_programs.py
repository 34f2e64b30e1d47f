"""Programs (the words that cross to C++) as values that are equal where they mean the same.

Regular nodes may be shared and numbered in any way, so languages are compared as trees; terminals
and rules are compared by number.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from slm.grammar.charset import CharSet
from slm.grammar.memory import DistinctItems
from slm.grammar.regular import Chars, Concat, Regular, Union
from slm.schema.strings import spell_charset

CHARS, LITERAL, CONCAT, UNION, REPEAT, INTERSECTION, COMPLEMENT, DFA = range(8)
TERMINAL, CALL, SEQ, CHOICE, MANY, SPELLED = range(8, 14)


class Trees:
    """Numbers for trees, so that equal ones have the same number however deep they are."""

    def __init__(self) -> None:
        self._numbers: dict[Any, int] = {}
        self._trees: list[Any] = []

    def __getitem__(self, number: int) -> Any:
        return self._trees[number]

    def of(self, *tree: Any) -> int:
        """The number of a tree, whose parts are numbers already."""
        number = self._numbers.setdefault(tree, len(self._trees))
        if number == len(self._trees):
            self._trees.append(tree)
        return number

    def concat(self, parts: list[int]) -> int:
        """Flat, with runs of single characters as they are: one tree for each."""
        flat: list[int] = []
        for part in parts:
            tree = self[part]
            flat.extend(tree[1] if tree[0] == "concat" else (part,))
        return flat[0] if len(flat) == 1 else self.of("concat", tuple(flat))

    def alike(self, kind: str, parts: list[int]) -> int:
        """Flat, in no order, without repeats: a union or an intersection."""
        flat: set[int] = set()
        for part in parts:
            tree = self[part]
            flat |= tree[1] if tree[0] == kind else {part}
        return next(iter(flat)) if len(flat) == 1 else self.of(kind, frozenset(flat))


def spellings(language: Regular, trees: Trees) -> int:
    """The tree of a language that spells characters."""
    match language:
        case Chars(charset):
            return trees.of("chars", tuple(charset.ranges))
        case Concat(parts):
            return trees.concat([spellings(part, trees) for part in parts])
        case Union(options):
            return trees.alike("union", [spellings(option, trees) for option in options])
    raise AssertionError(f"no spelling has a {type(language).__name__} in it")


def decode(words: Sequence[int], trees: Trees) -> tuple[Any, Any, int]:
    """Terminals, rules and the start of a program; trees are numbers in `trees`."""
    stream = iter(words)
    word = stream.__next__

    def some() -> list[int]:
        return [word() for _ in range(word())]

    sets = [tuple((word(), word()) for _ in range(word())) for _ in range(word())]
    count_of_rules = word()
    nodes: list[int] = []

    def char(point: int) -> int:
        return trees.of("chars", ((point, point),))

    for _ in range(word()):
        match word():
            case 0:
                nodes.append(trees.of("chars", sets[word()]))
            case 1:
                nodes.append(trees.concat([char(point) for point in some()]))
            case 2:
                nodes.append(trees.concat([nodes[part] for part in some()]))
            case 3:
                nodes.append(trees.alike("union", [nodes[part] for part in some()]))
            case 4:
                nodes.append(trees.of("repeat", nodes[word()], word(), word()))
            case 5:
                nodes.append(trees.alike("intersection", [nodes[part] for part in some()]))
            case 6:
                nodes.append(trees.of("complement", nodes[word()]))
            case 13:
                texts = [spell_charset(CharSet.of(chr(point))) for point in some()]
                nodes.append(trees.concat([spellings(text, trees) for text in texts]))
            case 7:
                states = tuple(
                    (word(), tuple((sets[word()], word()) for _ in range(word())))
                    for _ in range(word())
                )
                nodes.append(trees.of("dfa", states))
            case 15:
                nodes.append(trees.of("label", sets[word()]))
    # What the native compiler says beside, that the terminal has a text, is no part of the meaning.
    terminals = [(nodes[word()], word() & 1) for _ in range(word())]
    for _ in range(word()):
        match word():
            case 8:
                nodes.append(trees.of("terminal", word()))
            case 9:
                nodes.append(trees.of("call", word()))
            case 10:
                nodes.append(trees.of("seq", tuple(nodes[part] for part in some())))
            case 11:
                nodes.append(trees.of("choice", tuple(nodes[part] for part in some())))
            case 12:
                nodes.append(trees.of("many", nodes[word()], word(), word()))
    rules = [nodes[word()] for _ in range(count_of_rules)]
    start = word()
    assert [*stream] in ([], DistinctItems().words())
    return terminals, rules, start


def spelled(number: int, trees: Trees, depth: int = 12) -> str:
    """A tree for people, as far down as they may care."""
    kind, *parts = trees[number]
    if depth == 0:
        return "…"

    def inner(part: Any) -> str:
        if kind in ("concat", "union", "intersection", "seq", "choice"):
            return " ".join(spelled(one, trees, depth - 1) for one in part)
        return spelled(part, trees, depth - 1)

    if kind in ("chars", "terminal", "call", "dfa"):
        return f"{kind}{parts}"
    return f"{kind}({inner(parts[0])}){parts[1:] or ''}"

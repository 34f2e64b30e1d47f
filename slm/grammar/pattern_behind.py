r"""What a lookahead wants to see if it also looks behind: ``(?!(?:and|or)\b)`` is the usual one.

Inside such an assertion a position knows the class of the character before it. So a part is lowered
for each class that may stand before it, in front of what may follow for each class that may stand
behind it, from the end of the assertion to its start, as `slm.grammar.pattern_lower` does without
classes. The classes are those that the lookbehind assertions tell apart; one more stands for the
start of the text.
"""

from __future__ import annotations

from typing import TypeAlias

from slm.grammar import regular as r
from slm.grammar.charset import CharSet
from slm.grammar.ordered_dfa import partition
from slm.grammar.pattern_lower import Refuse, variants
from slm.grammar.pattern_tree import (
    Branch,
    Class,
    Look,
    Node,
    Quantified,
    Sequence,
    fixed_width,
    walk_nodes,
)
from slm.grammar.regular import NOTHING, Regular

# By the class of the character before: the texts from here to the end of all text.
_Rest: TypeAlias = tuple[Regular, ...]
_MAX_UNROLLED = 16


def looks_behind(body: Node) -> bool:
    """Whether a lookahead's body asks what stands before some position in it."""
    return any(isinstance(node, Look) and not node.ahead for node in walk_nodes(body))


class RestBehind:
    """The texts of which `body` matches a beginning, by the character that stands before them.

    Attributes:
        classes: the characters that are told apart there; those in none of them are one more class.

    Args:
        body: of a lookahead assertion, without anchors (see `parse_pattern`'s `assertions`).
        refuse: makes the error for what has no such form.

    Raises:
        UnsupportedPattern: through `refuse`: lookbehind for more than one character, and assertions
            in long loops.
    """

    def __init__(self, body: Node, refuse: Refuse) -> None:
        self._refuse = refuse
        rows = [
            self._row(node)
            for node in walk_nodes(body)
            if isinstance(node, Look) and not node.ahead
        ]
        self.classes = partition(charset for row in rows for charset in row)
        known = CharSet.from_ranges(pair for charset in self.classes for pair in charset.ranges)
        self._classes = (*self.classes, ~known)  # and behind them the start of the text
        self._rests = self._before(body, (r.ANYTHING,) * (len(self._classes) + 1))

    def depends(self) -> bool:
        """Whether what stands before the assertion makes a difference."""
        return any(rest != self._rests[0] for rest in self._rests)

    def after(self, left: CharSet | None) -> Regular:
        """The texts behind a character of `left`; None: behind nothing, at the start of the text.

        `left` is in one of the classes, or empty: then it is a character that none of the
        assertions speaks of.
        """
        if left is None:
            return self._rests[-1]
        if not left:
            return self._rests[len(self._classes) - 1]
        point = left.ranges[0][0]
        return next(
            rest
            for charset, rest in zip(self._classes, self._rests, strict=False)
            if point in charset
        )

    def _row(self, look: Look) -> tuple[CharSet, ...]:
        row = fixed_width(look.body)
        if row is None or len(row) > 1:
            raise self._refuse("a long lookbehind in a lookahead", r"\(\?<[=!]")
        return row

    def _before(self, node: Node, rest: _Rest) -> _Rest:
        """The texts from a position on where `node` matches a first part and `rest` the others."""
        match node:
            case Class(charset):
                return (self._step(charset, rest),) * len(rest)
            case Look(_, False, negative):
                row = self._row(node)
                holds = [not row or not charset - row[0] for charset in self._classes]
                holds.append(not row)  # nothing stands before the start of the text
                return tuple(
                    here if held != negative else NOTHING
                    for here, held in zip(rest, holds, strict=True)
                )
            case Look(body, True, negative):
                seen = self._before(body, (r.ANYTHING,) * len(rest))
                return tuple(
                    r.intersection(here, r.complement(what) if negative else what)
                    for here, what in zip(rest, seen, strict=True)
                )
            case Branch(options):
                ways = [self._before(option, rest) for option in options]
                return tuple(r.union(*each) for each in zip(*ways, strict=True))
            case Sequence(parts):
                for part in reversed(parts):
                    rest = self._before(part, rest)
                return rest
            case Quantified(body, low, high) if _asks(node):
                if high is None or high > _MAX_UNROLLED:
                    raise self._refuse("a lookahead with a long loop over assertions", r"\(\?[=!]")
                found = rest
                for passes in range(high, 0, -1):
                    more = self._before(body, found)
                    found = more if passes <= low else self._either(more, rest)
                return found
            case _:
                return self._plain(node, rest)

    def _plain(self, node: Node, rest: _Rest) -> _Rest:
        """As `_before`, for a part without assertions."""
        words = variants(node, self._refuse).get((0, 0), NOTHING)
        if all(each == rest[0] for each in rest):
            return (r.concat(words, rest[0]),) * len(rest)
        later = r.union(
            *(
                r.concat(r.intersection(words, r.concat(r.ANYTHING, r.Chars(charset))), then)
                for charset, then in zip(self._classes, rest, strict=False)
            )
        )
        if not r.nullable(words):
            return (later,) * len(rest)
        return tuple(r.union(later, here) for here in rest)

    def _step(self, charset: CharSet, rest: _Rest) -> Regular:
        """One character, and what may follow for its class."""
        ways: dict[Regular, CharSet] = {}
        for each, then in zip(self._classes, rest, strict=False):
            ways[then] = ways.get(then, CharSet.EMPTY) | (charset & each)
        return r.union(*(r.concat(r.Chars(each), then) for then, each in ways.items() if each))

    @staticmethod
    def _either(left: _Rest, right: _Rest) -> _Rest:
        return tuple(r.union(*each) for each in zip(left, right, strict=True))


def _asks(node: Node) -> bool:
    return any(isinstance(inner, Look) for inner in walk_nodes(node))

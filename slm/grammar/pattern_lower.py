"""From the tree of a regular expression to the language of the texts that match as a whole.

Order and laziness do not matter here: a text is in the language when *some* way of matching takes
all of it. Two things need care, and both are exact.

* **Anchors.** ``^`` and ``$`` speak about what stands outside the part they are in. So every part
  is lowered to variants, one for each pair of demands it makes on its surroundings: nothing, or
  "no text before me" on the left; nothing, "no text after me", or "exactly one newline after me"
  (Python's ``$``) on the right. Concatenation and repetition combine the variants.
* **Lookahead** speaks about all of the rest. A sequence is therefore lowered from its end to its
  start, and an assertion intersects the rest with what it wants to see (or its complement). That
  needs the rest as a whole, so an assertion inside an unbounded repetition is refused by name, but
  for the usual ``((?!x).)*$``.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import groupby
from typing import TypeAlias

from slm.errors import UnsupportedPattern
from slm.grammar import regular as r
from slm.grammar.charset import CharSet
from slm.grammar.pattern_tree import (
    Again,
    Anchor,
    Branch,
    Captured,
    Class,
    Look,
    Node,
    Quantified,
    Sequence,
    walk_nodes,
)
from slm.grammar.regular import EPSILON, NOTHING, Regular

# (before, after) -> words. before: 0 anything, 1 no text. after: 0 anything, 1 no text, 2 "\n".
Variants: TypeAlias = dict[tuple[int, int], Regular]
Refuse: TypeAlias = Callable[[str, str], UnsupportedPattern]

_BACK = r"\\[1-9]|\(\?P="
_NEWLINE = r.literal("\n")
_MAX_UNROLLED = 16


def lower(root: Node, *, search: bool, refuse: Refuse) -> Regular:
    """The texts that match `root` as a whole, or with `search` those that contain a match.

    `refuse(what, written)` raises for what has no exact form; `written` is a regular expression
    that finds the construct in the pattern's text.
    """
    if any(isinstance(node, Look) for node in walk_nodes(root)):
        if any(isinstance(node, Captured) for node in walk_nodes(root)):
            raise refuse("a backreference beside a lookaround assertion", _BACK)
        return _WithLookahead(search, refuse).whole(root)
    return close(variants(root, refuse), search=search)


def rest_language(body: Node, refuse: Refuse) -> Regular:
    """The texts, up to the end of all text, of which `body` matches a beginning.

    `^` holds nowhere: something stands before.
    """
    return _WithLookahead(False, refuse).before(body, r.ANYTHING, at_start=False)


def close(found: Variants, *, search: bool) -> Regular:
    """The texts of all variants whose demands the two ends of the text meet."""
    options = []
    for (before, after), words in found.items():
        left, right = search and not before, search and not after
        if left:
            words = _beside_anything(words, at=0)
        if after == 2:
            if search:
                options.append(r.concat(EPSILON if before else r.ANYTHING, words, _NEWLINE))
            continue
        if right:
            words = _beside_anything(words, at=-1)
        whole = [r.ANYTHING] * left + [words] * (words != EPSILON) + [r.ANYTHING] * right
        options.append(r.concat(*whole) if words != EPSILON else r.concat(*whole[:1]))
    return r.union(*options)


def _beside_anything(words: Regular, *, at: int) -> Regular:
    r"""Shorter words that make the same language once any text may stand at that end (0 or -1).

    What may be empty there need not be there, and a repetition there need not repeat more often
    than it must: `.+\.php` found anywhere is `.\.php` found anywhere, a counter less.
    """
    parts: list[Regular] = list(words.parts) if isinstance(words, r.Concat) else [words]
    while parts:
        edge = parts[at]
        if r.nullable(edge):
            del parts[at]
        elif isinstance(edge, r.Repeat) and edge.high != edge.low:
            once = r.repeat(edge.body, edge.low, edge.low)
            where = slice(0, 1) if at == 0 else slice(len(parts) - 1, None)
            parts[where] = list(once.parts) if isinstance(once, r.Concat) else [once]
        else:
            break
    return r.concat(*parts)


def variants(node: Node, refuse: Refuse) -> Variants:
    """The node's words by the demands they make on what stands before and after them."""
    match node:
        case Class(charset):
            return {(0, 0): r.Chars(charset)} if charset else {}
        case Anchor("start"):
            return {(1, 0): EPSILON}
        case Anchor("end"):
            return {(0, 1): EPSILON}
        case Anchor():
            return {(0, 1): EPSILON, (0, 2): EPSILON}
        case Sequence(parts):
            whole: Variants = {(0, 0): EPSILON}
            for plain, run in groupby(parts, _is_character):
                if plain:  # words are long: all of it at once
                    letters = (r.Chars(part.charset) for part in run if isinstance(part, Class))
                    whole = _then(whole, {(0, 0): r.concat(*letters)})
                    continue
                for part in run:
                    whole = _then(whole, variants(part, refuse))
            return whole
        case Branch(options):
            return _either(*(variants(option, refuse) for option in options))
        case Quantified(body, low, high):
            return _repeated(variants(body, refuse), low, high, refuse)
        case Captured(body, rest):
            return {(0, 0): _captured(body, rest, refuse)}
        case Look():  # pragma: no cover - `lower` sends these elsewhere
            raise refuse("a lookaround assertion", r"\(\?<?[=!]")
        case Again():
            raise refuse("a backreference inside a repetition or an alternative", _BACK)


def _is_character(node: Node) -> bool:
    return isinstance(node, Class) and bool(node.charset)


def _captured(body: Node, rest: Node, refuse: Refuse) -> Regular:
    """A group and what refers to it: all ways to cut a text into a word and the rest count."""

    def plain(node: Node) -> Regular:
        found = variants(node, refuse)
        if set(found) - {(0, 0)}:
            raise refuse("a backreference beside an anchor", _BACK)
        return found.get((0, 0), NOTHING)

    items = rest.parts if isinstance(rest, Sequence) else (rest,)
    then = (None if isinstance(item, Again) else plain(item) for item in items)
    return r.echo(plain(body), then)


def _either(*many: Variants) -> Variants:
    found: dict[tuple[int, int], list[Regular]] = {}
    for one in many:
        for demands, words in one.items():
            found.setdefault(demands, []).append(words)
    return {demands: r.union(*words) for demands, words in found.items()}


def _then(left: Variants, right: Variants) -> Variants:
    """Concatenation: each side's demand on the other is met inside, or passed on."""
    found: dict[tuple[int, int], list[Regular]] = {}
    for (before1, after1), first in left.items():
        for (before2, after2), second in right.items():
            words1 = first if not before2 else _if_empty(first)
            for need, words2 in _behind(after1, second, after2):
                whole = r.concat(words1, words2)
                if whole != NOTHING:
                    found.setdefault((max(before1, before2), need), []).append(whole)
    return {demands: r.union(*words) for demands, words in found.items()}


def _behind(after: int, words: Regular, next_after: int) -> list[tuple[int, Regular]]:
    """`words` cut to what a demand `after` allows, with the demand that is left for the right."""
    if after == 0:
        return [(next_after, words)]
    if after == 1:
        return [(1, _if_empty(words))] if next_after < 2 else []
    cut: list[tuple[int, Regular]] = []
    if next_after < 2:  # the newline is in `words`, so nothing may follow
        cut.append((1, r.intersection(words, _NEWLINE)))
    if next_after != 1:  # the newline is still to come
        cut.append((2, _if_empty(words)))
    return cut


def _if_empty(words: Regular) -> Regular:
    return EPSILON if r.nullable(words) else NOTHING


def _repeated(body: Variants, low: int, high: int | None, refuse: Refuse) -> Variants:
    """Repetition. A demand on the left holds only for the first text-bearing pass, and so on."""
    free = body.get((0, 0), NOTHING)
    if set(body) <= {(0, 0)}:
        return {(0, 0): r.repeat(free, low, high)}
    if high is not None and high <= _MAX_UNROLLED:
        whole: Variants = {(0, 0): EPSILON}
        found = [whole] if low == 0 else []
        for passes in range(1, high + 1):
            whole = _then(whole, body)
            if passes >= low:
                found.append(whole)
        return _either(*found)
    if any(after == 2 for _, after in body):
        raise refuse("`$` inside an unbounded repetition", r"\$")
    first, last = body.get((1, 0), NOTHING), body.get((0, 1), NOTHING)
    both = body.get((1, 1), NOTHING)

    def inner(used: int, demands: tuple[int, int]) -> Regular:
        # Passes that match the empty text, and demand no more, make up any missing count.
        spare = _spare(body, demands)
        most = None if high is None else high - used
        return r.repeat(free, 0 if spare else max(0, low - used), most)

    return _either(
        {(0, 0): r.repeat(free, low, high)},
        {(1, 0): r.concat(first, inner(1, (1, 0)))},
        {(0, 1): r.concat(inner(1, (0, 1)), last)},
        {(1, 1): r.concat(first, inner(2, (1, 1)), last)},
        {(1, 1): both if low <= 1 or _spare(body, (1, 1)) else NOTHING},
    )


def _spare(body: Variants, demands: tuple[int, int]) -> bool:
    """Whether a pass can match the empty text without demanding more than `demands`."""
    return any(
        r.nullable(words)
        for (before, after), words in body.items()
        if before <= demands[0] and after <= demands[1]
    )


class _WithLookahead:
    """Lowers a tree with lookahead assertions, from the end of the pattern to its start."""

    def __init__(self, search: bool, refuse: Refuse) -> None:
        self.search, self.refuse = search, refuse

    def whole(self, root: Node) -> Regular:
        rest = r.ANYTHING if self.search else EPSILON
        if not self.search:
            return self.before(root, rest, at_start=True)
        # A match may start at 0, where `^` holds, or later, where it does not.
        here = self.before(root, rest, at_start=True)
        later = self.before(root, rest, at_start=False)
        return r.union(here, r.concat(r.ANY_CHAR, r.ANYTHING, later))

    def before(self, node: Node, rest: Regular, *, at_start: bool) -> Regular:
        """The texts from a position on where `node` matches a first part and `rest` the others.

        `at_start` tells whether the position is the text's first one.
        """
        match node:
            case Anchor("start"):
                return rest if at_start else NOTHING
            case Anchor("end"):
                return _if_empty(rest)
            case Anchor():
                return rest if rest == EPSILON else r.intersection(rest, r.optional(_NEWLINE))
            case Look(body, ahead, negative):
                if not ahead:
                    raise self.refuse("a lookbehind assertion", r"\(\?<[=!]")
                seen = self.before(body, r.ANYTHING, at_start=at_start)
                return r.intersection(rest, r.complement(seen) if negative else seen)
            case Branch(options):
                return r.union(*(self.before(o, rest, at_start=at_start) for o in options))
            case Sequence(parts) if self.has_condition(node):
                return self.sequence(parts, rest, at_start)
            case Quantified(body, 0, None) if rest == EPSILON and _tempered(body) is not None:
                return self.tempered(body)
            case Quantified(body, low, high) if self.has_condition(node):
                if high is None or high > _MAX_UNROLLED:
                    raise self.refuse(
                        "a lookahead or an anchor in a long repetition", r"\(\?[=!]|[$^]"
                    )
                return r.union(
                    *(
                        self.sequence((body,) * passes, rest, at_start)
                        for passes in range(low, high + 1)
                    )
                )
            case _:
                return r.concat(self.plain(node), rest)

    def tempered(self, body: Node) -> Regular:
        """``((?!x)c)*`` up to the end of the text: no position of it may begin what is unwanted."""
        found = _tempered(body)
        assert found is not None
        looks, charset = found
        if self.depends_on_start(looks):
            raise self.refuse("`^` in a lookahead in a loop", r"\(\?[=!]")
        texts: list[Regular] = [r.repeat(r.Chars(charset))]
        nonempty = r.repeat(r.ANY_CHAR, 1)
        for look in looks:
            seen = self.before(look.body, r.ANYTHING, at_start=False)
            wrong = seen if look.negative else r.complement(seen)
            texts.append(r.complement(r.concat(r.ANYTHING, r.intersection(nonempty, wrong))))
        return r.intersection(*texts)

    def sequence(self, parts: tuple[Node, ...], rest: Regular, at_start: bool) -> Regular:
        """As `before`, for parts one after the other."""
        if not parts:
            return rest
        head, tail = parts[0], parts[1:]
        if not at_start:
            return self.before(head, self.sequence(tail, rest, False), at_start=False)
        # After a head that took no text the position is still the first one.
        if isinstance(head, Anchor | Look) or not self.depends_on_start(tail):
            return self.before(head, self.sequence(tail, rest, True), at_start=True)
        if self.has_condition(head):
            raise self.refuse("`^` after a part with a lookahead", r"\^")
        words = self.plain(head)
        later = r.concat(
            r.intersection(words, r.complement(EPSILON)), self.sequence(tail, rest, False)
        )
        if not r.nullable(words):
            return later
        return r.union(self.sequence(tail, rest, True), later)

    @staticmethod
    def has_condition(node: Node) -> bool:
        return any(isinstance(inner, Anchor | Look) for inner in walk_nodes(node))

    @staticmethod
    def depends_on_start(nodes: tuple[Node, ...]) -> bool:
        return any(
            isinstance(inner, Anchor) and inner.kind == "start"
            for node in nodes
            for inner in walk_nodes(node)
        )

    def plain(self, node: Node) -> Regular:
        return variants(node, self.refuse).get((0, 0), NOTHING)


def _tempered(body: Node) -> tuple[tuple[Look, ...], CharSet] | None:
    """Lookahead assertions and then one character, or None for any other loop body."""
    if not isinstance(body, Sequence) or len(body.parts) < 2:
        return None
    *heads, last = body.parts
    looks = tuple(head for head in heads if isinstance(head, Look) and head.ahead)
    if len(looks) < len(heads) or not isinstance(last, Class):
        return None
    return looks, last.charset


def charsets_of(node: Node) -> set[CharSet]:
    """Every character set in the tree."""
    return {inner.charset for inner in walk_nodes(node) if isinstance(inner, Class)}

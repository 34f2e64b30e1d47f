r"""Patterns that refer back to a group with any number of words, in the order of Python's `re`.

``<<(?P<end>\w+)\n(?:.|\n)*?(?P=end)`` is no regular language, but with each word that the group can
match it is one. `slm.grammar.regular.Echo` is just that: a word, and parts in which it comes again.
What has to be shown is that backtracking cannot come to another match, and that a match, once it is
there, is over:

* **What is before the reference is decided by the next character**, the end of the group included:
  the characters that can follow it do not go on with it. So on every text there is one way to read
  the beginning, and nothing to give back.
* **What comes behind** is decided in the same way to its end, or up to a lazy loop of single
  characters and a rest of as many characters as the word decides. The loop is tried with as few
  characters as may be, so the match is over where the rest is found first. (Between them may be
  characters that the rest does not begin with, such as the ``\n?`` in ``.*?\n?(?P=end)``: from the
  first place on where all that matches, no match ends before it, as its rest would begin in those.)

All else is refused by name: ``(a+)b*\1`` takes the last place there is, so what follows the match
decides about it, for each word in its own way.
"""

from __future__ import annotations

from slm.errors import UnsupportedPattern
from slm.grammar import regular as r
from slm.grammar.charset import CharSet
from slm.grammar.pattern_lower import Refuse, charsets_of, lower
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
    fixed_width,
    walk_nodes,
)
from slm.grammar.regular import Regular

_WRITTEN = r"\\[1-9]|\(\?P="


def has_capture(root: Node) -> bool:
    """Whether a pattern refers back to a group with any number of words."""
    return any(isinstance(node, Captured) for node in walk_nodes(root))


def echo_language(root: Node, refuse: Refuse) -> Regular:
    """The texts that `re.match` of such a pattern consumes as a whole.

    No text of it is the beginning of another.

    Raises:
        UnsupportedPattern: through `refuse`, where that is not seen from the pattern's form.
    """
    return _Echoes(refuse).of(root)


class _Echoes:
    def __init__(self, refuse: Refuse) -> None:
        self.refuse = refuse

    def unsupported(self, why: str) -> UnsupportedPattern:
        return self.refuse(f"a backreference to a group with many words, {why},", _WRITTEN)

    def of(self, root: Node) -> Regular:
        """The language of a pattern."""
        if any(isinstance(node, Anchor | Look) for node in walk_nodes(root)):
            raise self.unsupported("beside an anchor or a lookaround assertion")
        beginning = self.beginning(root)
        if not _decided(beginning, CharSet.ALL):
            raise self.unsupported(
                "where the next character does not decide how the text before it is read"
            )
        return self.lowered(root)

    def beginning(self, node: Node) -> Node:
        """The node up to the first character behind each group that something refers to."""
        match node:
            case Captured(body, rest):
                first, empty = _first(rest, CharSet.EMPTY, _first(body, CharSet.EMPTY))
                if empty or has_capture(body):
                    raise self.unsupported("which may follow it at once")
                return Sequence((body, Class(first)))
            case Sequence(parts):
                if any(has_capture(part) for part in parts[:-1]):
                    raise self.unsupported("in a part that something follows")
                return Sequence((*parts[:-1], self.beginning(parts[-1]))) if parts else node
            case Branch(options):
                return Branch(tuple(map(self.beginning, options)))
            case _:
                if has_capture(node):
                    raise self.unsupported("inside a repetition")
                return node

    def lowered(self, node: Node) -> Regular:
        match node:
            case Captured(body, rest):
                return self.captured(body, rest)
            case Sequence(parts) if has_capture(node):
                return r.concat(*(self.lowered(part) for part in parts))
            case Branch(options) if has_capture(node):
                return r.union(*(self.lowered(option) for option in options))
            case _:
                return self.plain(node)

    def plain(self, node: Node) -> Regular:
        return lower(node, search=False, refuse=self.refuse)

    def captured(self, body: Node, rest: Node) -> Regular:
        word = _first(body, CharSet.EMPTY)
        items = flat(rest)
        if _row_decided(items, CharSet.ALL, word):
            return r.echo(self.plain(body), self.parts(items))
        loops = [(at, chars) for at, item in enumerate(items) if (chars := _lazy(item)) is not None]
        if not loops:
            raise self.unsupported("behind which the next character does not decide how to go on")
        at, loop = loops[-1]
        end = len(items)
        while end > at + 1 and _fixed(items[end - 1]):
            end -= 1
        between, found = items[at + 1 : end], items[end:]
        if any(isinstance(inner, Again) for item in between for inner in walk_nodes(item)):
            raise self.unsupported("inside another part")
        first, empty = _first_of(found, word)
        if empty or any(chars & first for item in between for chars in charsets_of(item)):
            raise self.unsupported("whose place behind the lazy loop is not the first one for sure")
        follow = loop | _first_of(items[at + 1 :], word)[0]
        if not _row_decided(items[:at], follow, word):
            raise self.unsupported("behind which the next character does not decide how to go on")
        return r.echo(self.plain(body), self.parts(items[:at]), self.parts(items[at:]))

    def parts(self, items: tuple[Node, ...]) -> list[Regular | None]:
        found: list[Regular | None] = []
        for item in items:
            if isinstance(item, Again):
                found.append(None)
            elif any(isinstance(inner, Again) for inner in walk_nodes(item)):
                raise self.unsupported("inside a repetition or an alternative")
            else:
                found.append(self.plain(item))
        return found


def flat(node: Node) -> tuple[Node, ...]:
    """The parts of a sequence, and of the sequences in it."""
    if not isinstance(node, Sequence):
        return (node,)
    return tuple(inner for part in node.parts for inner in flat(part))


def _fixed(node: Node) -> bool:
    return isinstance(node, Again) or fixed_width(node) is not None


def _lazy(node: Node) -> CharSet | None:
    """The characters of a lazy loop without a bound over single ones; None: it is none."""
    if not isinstance(node, Quantified) or node.greedy or node.high is not None:
        return None
    return _one_of(node.body)


def _one_of(node: Node) -> CharSet | None:
    match node:
        case Class(charset):
            return charset
        case Sequence((part,)):
            return _one_of(part)
        case Branch(options):
            found = CharSet.EMPTY
            for option in options:
                inner = _one_of(option)
                if inner is None:
                    return None
                found |= inner
            return found
        case _:
            return None


# --- what the next character decides --------------------------------------------------------------

_Word = tuple[
    CharSet, bool
]  # the characters that a word can begin with, and whether it can be empty
_NONE: _Word = (CharSet.EMPTY, True)


def _row_decided(items: tuple[Node, ...], follow: CharSet, word: _Word) -> bool:
    return _decided(Sequence(items), follow, word)


def _decided(node: Node, follow: CharSet, word: _Word = _NONE) -> bool:
    """Whether the next character decides each choice, where one of `follow` comes behind.

    All of them for the end of the match, behind which anything may stand. Then no text of the node
    is the beginning of another.
    """
    match node:
        case Class() | Again():
            return True
        case Sequence(parts):
            for part in reversed(parts):
                if not _decided(part, follow, word):
                    return False
                first, empty = _first(part, CharSet.EMPTY, word)
                follow = first | follow if empty else first
            return True
        case Branch(options):
            seen = CharSet.EMPTY
            empties = 0
            for option in options:
                first, empty = _first(option, CharSet.EMPTY, word)
                empties += empty
                if first & seen or not _decided(option, follow, word):
                    return False
                seen |= first
            return empties == 0 or (empties == 1 and not seen & follow)
        case Quantified(body, low, high):
            first, empty = _first(body, CharSet.EMPTY, word)
            again = follow if high is not None and high <= 1 else first | follow
            if empty or not _decided(body, again, word):
                return False
            return low == high or not first & follow
        case _:
            return False


def _first(node: Node, found: CharSet, word: _Word = _NONE) -> tuple[CharSet, bool]:
    """`found`, the characters a match of the node can begin with, and whether it can be empty."""
    match node:
        case Class(charset):
            return found | charset, False
        case Sequence(parts):
            return _first_of(parts, word, found)
        case Branch(options):
            some = False
            for option in options:
                found, empty = _first(option, found, word)
                some = some or empty
            return found, some
        case Quantified(body, low, _):
            found, empty = _first(body, found, word)
            return found, empty or low == 0
        case Again():
            return found | word[0], word[1]
        case _:
            return found, True


def _first_of(
    parts: tuple[Node, ...], word: _Word, found: CharSet = CharSet.EMPTY
) -> tuple[CharSet, bool]:
    for part in parts:
        found, empty = _first(part, found, word)
        if not empty:
            return found, False
    return found, True

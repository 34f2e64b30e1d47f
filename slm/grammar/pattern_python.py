"""Python regular expressions, read by Python's own parser.

The tree comes from the standard library's `re._parser` (``sre_parse`` before Python 3.11), so
syntax, flags and error messages are exactly those of `re`.
"""

from __future__ import annotations

import re
import sys
import warnings
from dataclasses import replace
from typing import Any

from slm.errors import GrammarTooComplex, PatternError, Place, UnsupportedPattern
from slm.grammar import classes
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
    fixed_width,
    words_in_order,
)

if sys.version_info >= (3, 11):
    from re import _constants as _codes
    from re import _parser as _sre
else:  # pragma: no cover - older Pythons keep it under another name
    import sre_constants as _codes
    import sre_parse as _sre

_LETTERS = {
    "a": re.ASCII,
    "i": re.IGNORECASE,
    "m": re.MULTILINE,
    "s": re.DOTALL,
    "u": re.UNICODE,
    "x": re.VERBOSE,
}
MAX_WORDS = 64  # of a group that something refers back to
MAX_CASES = 1_000  # in one pattern
_BACK = r"\\[1-9]|\(\?P="
_WANTED = re.IGNORECASE | re.MULTILINE | re.DOTALL | re.ASCII


def parse_python(text: str, flags: str, place: Place | None, *, assertions: bool = False) -> Node:
    """The tree of a Python pattern.

    `assertions`: anchors and word boundaries become the lookaround assertions that they mean.

    Raises:
        PatternError: Python's `re` refuses the pattern; the message and the column are Python's.
        GrammarTooComplex: its groups are nested too deep to be read.
        UnsupportedPattern: some backreferences, a conditional, an atomic group, a locale flag.
    """
    value = re.RegexFlag(0)
    for letter in flags:
        if letter not in _LETTERS:
            raise UnsupportedPattern(
                f"the regular expression flag `{letter}` is not supported",
                at=pattern_place(text, place),
                hint="use flags out of a, i, m, s, u, x",
            )
        value |= _LETTERS[letter]
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # "possible nested set" concerns the author, not us
            tree = _sre.parse(text, int(value))
            final = re.RegexFlag(_sre.fix_flags(text, tree.state.flags))
    except re.error as error:
        # `msg` has no position in it, unlike `str(error)`: the place says that.
        raise PatternError(
            f"malformed regular expression: {error.msg}",
            at=pattern_place(text, place, error.pos or 0),
            hint="this is Python's `re` syntax",
        ) from error
    except RecursionError:
        raise GrammarTooComplex(
            "the regular expression is nested too deep",
            at=pattern_place(text, place),
            hint="use fewer groups inside each other",
        ) from None
    except OverflowError as error:
        raise PatternError(
            f"malformed regular expression: {error}", at=pattern_place(text, place)
        ) from error
    except ValueError as error:  # flags that contradict each other
        raise PatternError(
            f"malformed regular expression: {error}", at=pattern_place(text, place)
        ) from error
    return _Reader(text, place, assertions).sequence(tree, final)


def pattern_place(
    text: str, place: Place | None, offset: int | None = None, width: int = 1
) -> Place:
    """The place of a pattern, with a caret under `offset` (0-based) where that is known."""
    base = place if place is not None else Place("<pattern>")
    if offset is None:
        return base
    before = text[:offset]
    line = before.count("\n")
    column = offset - (before.rfind("\n") + 1)
    excerpt = text.split("\n")[line]
    if base.line is not None:  # a place in a file already says line and column
        return base
    return replace(base, line=None, column=column + 1, excerpt=excerpt, width=width)


class _Reader:
    """Turns one parse tree of `re` into ours."""

    def __init__(self, text: str, place: Place | None, assertions: bool) -> None:
        self.text, self.place, self.assertions = text, place, assertions
        self.bound: dict[int, str] = {}  # what groups have matched, where cases are told apart
        self.open: int | None = None  # the group that may have matched anything
        self.cases = 0

    def sequence(self, items: Any, flags: re.RegexFlag) -> Node:
        parts: list[Node] = []
        for at, (op, value) in enumerate(items):
            node = self.node(op, value, flags)
            rest = items[at + 1 :]
            if op is _codes.SUBPATTERN and value[0] is not None and _refers(rest, value[0]):
                parts.append(self.by_cases(value[0], node, rest, flags))
                break
            parts.append(node)
        return parts[0] if len(parts) == 1 else Sequence(tuple(parts))

    def by_cases(self, group: int, node: Node, rest: Any, flags: re.RegexFlag) -> Node:
        """A group and what comes behind it, for each word the group can match: few, by preference.

        That is what backtracking does, so the order of matches stays the same. A group of many
        words is kept as it is.
        """
        words = words_in_order(node, MAX_WORDS)
        if words is None or self.cases + len(words) > MAX_CASES:
            if self.open is not None:
                raise self.unsupported(
                    "a backreference to one of two groups with many words, the second behind the "
                    "first,",
                    _BACK,
                )
            self.open = group
            behind = self.sequence(rest, flags)
            self.open = None
            return Captured(node, behind)
        self.cases += len(words)
        before = self.bound
        options: list[Node] = []
        for word in words:
            self.bound = {**before, group: word}
            spelt = tuple(Class(CharSet.of(char)) for char in word)
            options.append(Sequence((*spelt, self.sequence(rest, flags))))
        self.bound = before
        return Branch(tuple(options))

    def node(self, op: Any, value: Any, flags: re.RegexFlag) -> Node:  # one case a construct
        if op is _codes.LITERAL:
            return Class(self.charset([(op, value)], flags))
        if op is _codes.NOT_LITERAL:
            return Class(~self.charset([(_codes.LITERAL, value)], flags))
        if op is _codes.ANY:
            return Class(CharSet.ALL if flags & re.DOTALL else ~classes.NEWLINE)
        if op is _codes.IN:
            return Class(self.charset(value, flags))
        if op is _codes.BRANCH:
            return Branch(tuple(self.sequence(option, flags) for option in value[1]))
        if op is _codes.SUBPATTERN:
            _, add, remove, body = value
            if add & re.LOCALE:
                raise self.unsupported("a locale-dependent group", r"\(\?[a-zA-Z]*L")
            return self.sequence(body, self.switched(flags, add, remove))
        if op in (_codes.MAX_REPEAT, _codes.MIN_REPEAT):
            low, high, body = value
            top = None if high == _codes.MAXREPEAT else int(high)
            return Quantified(
                self.sequence(body, flags), int(low), top, greedy=op is _codes.MAX_REPEAT
            )
        if op is _codes.AT:
            return self.anchor(value, flags)
        if op in (_codes.ASSERT, _codes.ASSERT_NOT):
            direction, body = value
            return Look(
                self.sequence(body, flags), ahead=direction > 0, negative=op is _codes.ASSERT_NOT
            )
        if op is _codes.GROUPREF and value in self.bound and not flags & re.IGNORECASE:
            return Sequence(tuple(Class(CharSet.of(char)) for char in self.bound[value]))
        if op is _codes.GROUPREF and value == self.open and not flags & re.IGNORECASE:
            return Again()
        if op is _codes.GROUPREF:
            if flags & re.IGNORECASE:
                raise self.unsupported("a backreference in any case", _BACK)
            raise self.unsupported("a backreference from outside of what the group is in", _BACK)
        if op is _codes.GROUPREF_EXISTS:
            raise self.unsupported("a conditional group", r"\(\?\(")
        if str(op) == "ATOMIC_GROUP":
            inner = self.sequence(value, flags)
            if fixed_width(inner) is None:
                raise self.unsupported("an atomic group", r"\(\?>")
            return inner  # there is one way through it
        if str(op) == "POSSESSIVE_REPEAT":
            low, high, body = value
            inner = self.sequence(body, flags)
            if not isinstance(inner, Class):
                raise self.unsupported("a possessive quantifier", r"[*+?}]\+")
            return _possessive(inner, int(low), None if high == _codes.MAXREPEAT else int(high))
        if op is _codes.FAILURE:
            return Class(CharSet.EMPTY)
        raise self.unsupported(f"`{op}`", None)

    @staticmethod
    def switched(flags: re.RegexFlag, add: int, remove: int) -> re.RegexFlag:
        if add & re.UNICODE:
            flags &= ~re.ASCII
        if add & re.ASCII:
            flags &= ~re.UNICODE
        return (flags | re.RegexFlag(add)) & ~re.RegexFlag(remove)

    def anchor(self, code: Any, flags: re.RegexFlag) -> Node:
        if self.assertions:
            return _as_assertion(code, flags)
        if code is _codes.AT_BEGINNING:
            if flags & re.MULTILINE:
                raise self.unsupported("a multi-line anchor", r"\^")
            return Anchor("start")
        if code is _codes.AT_BEGINNING_STRING:
            return Anchor("start")
        if code is _codes.AT_END:
            if flags & re.MULTILINE:
                raise self.unsupported("a multi-line anchor", r"\$")
            return Anchor("end_or_newline")
        if code is _codes.AT_END_STRING:
            return Anchor("end")
        raise self.unsupported("a word boundary", r"\\[bB]")

    def charset(self, items: Any, flags: re.RegexFlag) -> CharSet:
        """The set of one class; `items` are the members of ``[…]`` as `re` parsed them."""
        ascii_only = bool(flags & re.ASCII)
        negated = bool(items) and items[0][0] is _codes.NEGATE
        if len(items) == 1 and not flags & re.IGNORECASE:  # what most classes are
            op, value = items[0]
            if op is _codes.LITERAL:
                return CharSet.of(chr(value))
            if op is _codes.CATEGORY:
                return classes.python_category(_category(value), ascii_only)
        ranges: list[tuple[int, int]] = []
        written: list[str] = []
        for op, value in items[1:] if negated else items:
            if op is _codes.LITERAL:
                ranges.append((value, value))
                written.append(f"\\U{value:08x}")
            elif op is _codes.RANGE:
                ranges.append(value)
                written.append(f"\\U{value[0]:08x}-\\U{value[1]:08x}")
            else:
                short = _category(value)
                ranges.extend(classes.python_category(short, ascii_only).ranges)
                written.append(f"\\{short}")
        charset = CharSet.from_ranges(ranges)
        if flags & re.IGNORECASE:
            charset = classes.ignore_case(charset, "".join(written), ascii_only)
        return ~charset if negated else charset

    def unsupported(self, what: str, written: str | None) -> UnsupportedPattern:
        offset = None if written is None else find_construct(self.text, written)
        return UnsupportedPattern(
            f"{what} cannot be turned into an exact constraint",
            at=pattern_place(self.text, self.place, offset or 0),
            hint="write the pattern without it",
        )


def _category(code: Any) -> str:
    r"""The letter of ``\d`` and its like, of a constant of `re`'s."""
    name = str(code).removeprefix("CATEGORY_")
    letter = name.removeprefix("NOT_")[0].lower()
    return letter.upper() if name.startswith("NOT_") else letter


def _as_assertion(code: Any, flags: re.RegexFlag) -> Node:
    """An anchor or a word boundary as what it asks about the characters around it."""
    line = bool(flags & re.MULTILINE)
    anything, no_newline = Class(CharSet.ALL), Class(~classes.NEWLINE)
    if code in (_codes.AT_BEGINNING, _codes.AT_BEGINNING_STRING):
        inside = no_newline if line and code is _codes.AT_BEGINNING else anything
        return Look(inside, ahead=False, negative=True)
    if code is _codes.AT_END:
        before_last = Sequence((Class(classes.NEWLINE), anything))
        inner = no_newline if line else Branch((no_newline, before_last))
        return Look(inner, ahead=True, negative=True)
    if code is _codes.AT_END_STRING:
        return Look(anything, ahead=True, negative=True)
    word = Class(classes.python_category("w", bool(flags & re.ASCII)))
    boundary = code is _codes.AT_BOUNDARY
    return Branch(
        tuple(
            Sequence(
                (
                    Look(word, ahead=False, negative=not before),
                    Look(word, ahead=True, negative=before == boundary),
                )
            )
            for before in (True, False)
        )
    )


def _refers(items: Any, group: int) -> bool:
    """Whether part of a parse tree of `re` refers back to a group."""
    if isinstance(items, tuple) and len(items) == 2 and items[0] is _codes.GROUPREF:
        return bool(items[1] == group)
    if isinstance(items, tuple) and items and items[0] is _codes.GROUPREF_EXISTS:
        return True  # refused where it is met
    if isinstance(items, _sre.SubPattern):
        items = items.data
    if isinstance(items, (list, tuple)):
        return any(_refers(item, group) for item in items)
    return False


def _possessive(body: Class, low: int, high: int | None) -> Node:
    """As often as it goes: then the limit is reached, or no further character follows."""
    ended = Look(body, ahead=True, negative=True)
    if high is None:
        return Sequence((Quantified(body, low, None), ended))
    full = Quantified(body, high, high)
    if low == high:
        return full
    return Branch((full, Sequence((Quantified(body, low, high - 1), ended))))


def find_construct(text: str, written: str) -> int | None:
    """Where the first construct that looks like `written` stands, outside classes and escapes."""
    wanted = re.compile(written)
    at, in_class = 0, False
    while at < len(text):
        if not in_class and wanted.match(text, at):
            return at
        if text[at] == "\\":
            at += 2
            continue
        if in_class:
            in_class = text[at] != "]"
        elif text[at] == "[":
            in_class = True
            if text[at + 1 : at + 2] == "^":
                at += 1
            if text[at + 1 : at + 2] == "]":
                at += 1
        at += 1
    return None

"""Lark's basic lexer as data: which alternatives it tries, in which order, what it renames.

A basic lexer, and each state's lexer of the contextual one, is one alternation of all its terminals
in a fixed order; the first that matches is the token. Strings that a regular expression would match
as a whole are not in the alternation: they are *renames*, decided when the expression has matched.
All of it is read off the lexer that Lark built. Lark compiles the alternations at its first token,
hundreds of them for a large grammar; `Scanners` finds out the same without that.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from lark.lexer import CallChain, PatternStr, UnlessCallback

# What two terminals, each of them fine, may disagree about in one alternation.
_SHARED = re.compile(r"\(\?P|\(\?\(|\(\?[a-zA-Z]+\)|\\[1-9]")


@dataclass(frozen=True)
class Scanner:
    """One alternation.

    Attributes:
        order: the terminals, the preferred one first; empty for a lexer without competition, which
            tries each expected terminal for itself (Lark's dynamic lexer).
        renames: for a terminal, the strings that its match turns into, the preferred one first.
        ignored: terminals whose matches are dropped, before any renaming.
        alone: whether there is no competition.
        dropped: tokens that a post-lexer drops, after any renaming.
    """

    order: tuple[str, ...]
    renames: tuple[tuple[str, tuple[str, ...]], ...]
    ignored: tuple[str, ...]
    alone: bool = False
    dropped: tuple[str, ...] = ()

    def __hash__(self) -> int:
        return self._hash  # it is part of most keys, and long

    @cached_property
    def _hash(self) -> int:
        return hash((self.order, self.renames, self.ignored, self.alone, self.dropped))


def scanner_of(basic: Any) -> Scanner:
    """The scanner of a `lark.lexer.BasicLexer`.

    Raises:
        re.error: the alternation does not compile, as it would not at Lark's first token.
    """
    order = tuple(str(each.name) for each in basic.scanner.terminals)
    unless = {
        str(name): callback.callback1 if isinstance(callback, CallChain) else callback
        for name, callback in basic.callback.items()  # somebody's own, too
    }
    renames = tuple(
        (name, tuple(str(each.name) for each in callback.scanner.terminals))
        for name, callback in sorted(unless.items())
        if isinstance(callback, UnlessCallback)
    )
    return Scanner(order, renames, tuple(sorted(map(str, basic.ignore_types))))


class Scanners:
    """The scanners of one grammar's lexers, as `scanner_of` reads them, without compiling them.

    Args:
        terminals: all `lark.lexer.TerminalDef` of the grammar.
    """

    def __init__(self, terminals: Iterable[Any]) -> None:
        terminals = tuple(terminals)
        self._written = {str(each.name): each.pattern.to_regexp() for each in terminals}
        self._compiles = {
            name for name, written in self._written.items() if not _SHARED.search(written)
        }
        self._strings = [each for each in terminals if isinstance(each.pattern, PatternStr)]
        self._string_flags = {str(each.name): each.pattern.flags for each in self._strings}
        self._renamed: dict[str, frozenset[str]] = {}

    def of(self, basic: Any) -> Scanner:
        """The scanner of a `lark.lexer.BasicLexer`.

        Raises:
            re.error: the alternation does not compile, as it would not at Lark's first token.
        """
        names = [str(each.name) for each in basic.terminals]
        if basic._scanner is not None or basic.re is not re or not self._compiles.issuperset(names):
            return scanner_of(basic)
        flags_of = self._string_flags
        renames: dict[str, tuple[str, ...]] = {}
        dropped: set[str] = set()
        for name, each in zip(names, basic.terminals, strict=True):
            if name in flags_of:
                continue
            matched = self._renamed.get(name)
            if matched is None:
                matched = self._renamed[name] = self._matched(each, basic.g_regex_flags)
            mine = tuple(string for string in names if string in matched) if matched else ()
            if mine:
                renames[name] = mine
                flags = each.pattern.flags
                dropped.update(string for string in mine if flags_of[string] <= flags)
        return Scanner(
            tuple(name for name in names if name not in dropped),
            tuple(sorted(renames.items())),
            tuple(sorted(map(str, basic.ignore_types))),
        )

    def _matched(self, expression: Any, flags: int) -> frozenset[str]:
        """The strings, of the same priority, that a match of the expression can be all of."""
        match = re.compile(self._written[str(expression.name)], flags).match
        return frozenset(
            str(string.name)
            for string in self._strings
            if string.priority == expression.priority
            and (found := match(string.pattern.value)) is not None
            and found[0] == string.pattern.value
        )


def dynamic_scanner(ignored: tuple[str, ...]) -> Scanner:
    """The lexer that tries every expected terminal for itself."""
    return Scanner((), (), ignored, alone=True)

"""Lark's basic lexer as data: which alternatives it tries, in which order, what it renames.

A basic lexer, and each state's lexer of the contextual one, is one alternation of all its terminals
in a fixed order; the first that matches is the token. Strings that a regular expression would match
as a whole are not in the alternation: they are *renames*, decided when the expression has matched.
All of it is read off the lexer that Lark built.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Scanner:
    """One alternation.

    Attributes:
        order: the terminals, the preferred one first; empty for a lexer without competition, which
            tries each expected terminal for itself (Lark's dynamic lexer).
        renames: for a terminal, the strings that its match turns into, the preferred one first.
        ignored: terminals whose matches are dropped, before any renaming.
        alone: whether there is no competition.
    """

    order: tuple[str, ...]
    renames: tuple[tuple[str, tuple[str, ...]], ...]
    ignored: tuple[str, ...]
    alone: bool = False


def scanner_of(basic: Any) -> Scanner:
    """The scanner of a `lark.lexer.BasicLexer`.

    Raises:
        re.error: the alternation does not compile, as it would not at Lark's first token.
    """
    order = tuple(str(each.name) for each in basic.scanner.terminals)
    renames = tuple(
        (str(name), tuple(str(each.name) for each in callback.scanner.terminals))
        for name, callback in sorted(basic.callback.items())
    )
    return Scanner(order, renames, tuple(sorted(map(str, basic.ignore_types))))


def dynamic_scanner(ignored: tuple[str, ...]) -> Scanner:
    """The lexer that tries every expected terminal for itself."""
    return Scanner((), (), ignored, alone=True)

"""A Lark object that makes its parser when something is first parsed with it.

Compiling needs rules and terminals alone. What Lark works out for its own parser, the sets of what
may come first and follow, takes the square of a chain of rules: a minute for two thousand of them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import lark
from lark.exceptions import GrammarError as LarksOwn
from lark.lexer import BasicLexer
from lark.parser_frontends import EarleyRegexpMatcher


class UnparsedLark(lark.Lark):
    """`lark.Lark` for ``parser="earley"``, without a parser.

    Whatever Lark says against a grammar is said when the object is made, as ever.
    """

    def _build_parser(self) -> Any:
        self._prepare_callbacks()
        matcher: Any = BasicLexer if self.options.lexer == "basic" else EarleyRegexpMatcher
        matcher(self.lexer_conf)  # for its complaints
        known = {rule.origin for rule in self.rules}
        for rule in self.rules:
            for symbol in rule.expansion:
                if not symbol.is_term and symbol not in known:
                    raise LarksOwn(f"Using an undefined rule: {symbol}")
        for start in self.options.start:
            if start not in {origin.name for origin in known}:
                raise LarksOwn(f"Using an undefined rule: NonTerminal({start!r})")
        return _Late(super()._build_parser)


class _Late:
    """The parser, once anything of it is asked for."""

    def __init__(self, make: Callable[[], Any]) -> None:
        self._make = make

    def __getattr__(self, name: str) -> Any:
        if name == "_make":  # of a copy that is not filled yet
            raise AttributeError(name)
        made = self._make()
        self.__dict__.update(vars(made))
        self.__class__ = type(made)
        return getattr(self, name)

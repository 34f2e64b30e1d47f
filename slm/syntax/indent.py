"""Lark's `Indenter` as data, and what a grammar has to keep so that its language is exact.

`lark.indenter.Indenter` stands between lexer and parser. Outside brackets it adds, behind each
newline token, one INDENT or any number of DEDENT tokens, by the columns that it has seen; inside
brackets it drops newline tokens; at the end it closes what is open. A subclass says which tokens
are meant, and nothing else, or it is refused.

Two things are asked of the grammar, so that no text under a mask leads nowhere. Brackets are closed
in the rule that opened them: then it is known in each rule whether newlines count. And each rule
changes the depth of the indentation by one number, whatever it derives: then a parse knows how many
levels are open, and any parse that goes on can be written with columns that fit.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from lark.indenter import Indenter

from slm.errors import UnsupportedLarkFeature
from slm.syntax.definitions import Definitions
from slm.syntax.tables import Symbols

# The attributes by which an `Indenter` is told what to do.
NAMES = (
    "NL_type",
    "OPEN_PAREN_types",
    "CLOSE_PAREN_types",
    "INDENT_type",
    "DEDENT_type",
    "tab_len",
)
_HARMLESS = frozenset(
    {
        "__abstractmethods__",
        "__annotations__",
        "__dict__",
        "__doc__",
        "__firstlineno__",
        "__init__",
        "__module__",
        "__parameters__",
        "__qualname__",
        "__slots__",
        "__static_attributes__",
        "__weakref__",
        "_abc_impl",
        "indent_level",
        "paren_level",
        *NAMES,
    }
)


@dataclass(frozen=True)
class Indents:
    """What an `Indenter` is told by its class attributes.

    Attributes:
        newline: the token that ends lines.
        opens: tokens that open a bracket.
        closes: tokens that close one.
        indent: the token of a deeper line.
        dedent: the token of the end of a level.
        tab: how many columns a tab is.
    """

    newline: str
    opens: frozenset[str]
    closes: frozenset[str]
    indent: str
    dedent: str
    tab: int

    @property
    def added(self) -> frozenset[str]:
        """The tokens that no lexer makes."""
        return frozenset((self.indent, self.dedent))

    def change(self, symbol: str) -> int:
        """What a token does to the number of open brackets."""
        return 1 if symbol in self.opens else -1 if symbol in self.closes else 0


def indents_of(postlex: Any, refuse: Callable[[str], UnsupportedLarkFeature]) -> Indents:
    """What a post-lexer says, if it is an `Indenter` that only says it.

    Raises:
        UnsupportedLarkFeature: through `refuse`: other post-lexers, and overridden methods.
    """
    kind = type(postlex)
    if not isinstance(postlex, Indenter):
        raise refuse(
            f"the post-lexer `{kind.__name__}` is not supported: tokens would come from its code"
        )
    own = [name for each in kind.__mro__ if each not in Indenter.__mro__ for name in vars(each)]
    for name in [*own, *vars(postlex)]:
        if name not in _HARMLESS and hasattr(Indenter, name):
            raise refuse(
                f"the post-lexer `{kind.__name__}` overrides `{name}` of Lark's Indenter: "
                "tokens would come from its code"
            )
    values = [getattr(postlex, name) for name in NAMES]
    newline, opens, closes, indent, dedent, tab = values
    right = all(isinstance(each, str) for each in (newline, indent, dedent))
    right = right and isinstance(tab, int) and tab > 0 and indent != dedent
    if not right or newline in (indent, dedent) or newline in opens or newline in closes:
        raise refuse(f"the post-lexer `{kind.__name__}` has attributes that cannot work together")
    return Indents(newline, frozenset(opens), frozenset(closes), indent, dedent, tab)


def check_rules(symbols: Symbols, indents: Indents, definitions: Definitions) -> None:
    """See to it that brackets and levels are balanced in the rules that the start needs.

    Raises:
        UnsupportedLarkFeature: names a rule that leaves a bracket or a level open.
    """

    def refuse(name: str, what: str, hint: str) -> UnsupportedLarkFeature:
        shown = name.split("{", 1)[0]
        return definitions.refusal(
            f"rule `{shown}` {what}", "postlex", shown, definitions.place_of_rule(name), hint
        )

    for token in sorted(indents.added & set(definitions.by_name)):
        raise definitions.refusal(
            f"the terminal `{token}` has a definition of its own, and the post-lexer adds it, too",
            "postlex",
            token,
            definitions.place_of_terminal(token),
            "declare it with %declare",
        )
    rules = _needed(symbols)
    depth = {indents.indent: 1, indents.dedent: -1}
    for name, net, low in _balances(symbols, rules, depth):
        if net is None:
            raise refuse(
                name,
                "changes the depth of the indentation in several ways",
                f"give `{indents.indent}` and `{indents.dedent}` one place in each alternative",
            )
        if name == symbols.start and (net or low):
            raise refuse(
                name,
                f"does not end each level that it begins with `{indents.indent}`",
                f"end it with `{indents.dedent}`",
            )
    brackets = dict.fromkeys(indents.opens, 1)
    brackets |= dict.fromkeys(indents.closes - indents.opens, -1)
    for name, net, low in _balances(symbols, rules, brackets):
        if net or low or net is None:
            raise refuse(
                name,
                "opens a bracket without closing it, or the other way round",
                "open and close brackets in one alternative: inside them newlines do not count",
            )


def _needed(symbols: Symbols) -> list[str]:
    """The rules that the start needs."""
    found = {symbols.start: None}
    stack = [symbols.start]
    while stack:
        for row in symbols.rows.get(stack.pop(), ()):
            for name, term in row:
                if not term and name not in found:
                    found[name] = None
                    stack.append(name)
    return list(found)


def _balances(
    symbols: Symbols, rules: Sequence[str], change: dict[str, int]
) -> list[tuple[str, int | None, int]]:
    """By rule: the sum of the changes in all that it derives, and the least sum of a beginning.

    The sum is None if there are several. Rules that derive nothing are left out.
    """
    # Rows without what changes nothing: rules, and the changes of tokens.
    short: dict[str, list[list[str | int]]] = {
        name: [
            [change[each] if term else each for each, term in row if not term or each in change]
            for row in symbols.rows.get(name, ())
        ]
        for name in rules
    }
    net: dict[str, int] = {}
    several: dict[str, None] = {}
    # With rows of which the sum is not known; those that others are made of mostly stand behind.
    open_rules = list(reversed(rules))
    changed = True
    while changed:
        changed = False
        left: list[str] = []
        for name in open_rules:
            whole = True
            for row in short[name]:
                total = 0
                for each in row:
                    found = each if isinstance(each, int) else net.get(each)
                    if found is None:
                        whole = False
                        break
                    total += found
                else:
                    if name not in net:
                        net[name] = total
                        changed = True
                    elif net[name] != total:
                        several[name] = None
            if not whole:
                left.append(name)
        open_rules = left
    low = dict.fromkeys(net, 0)
    bound = -2 - len(net) * max((len(row) for name in net for row in symbols.rows[name]), default=0)
    changed = not several
    while changed:
        changed = False
        for name in net:
            for row in short[name]:
                at = 0
                least = low[name]
                for each in row:
                    if isinstance(each, int):
                        at += each
                        least = min(least, at)
                        continue
                    if each not in net:
                        break
                    least = min(least, at + low[each])
                    at += net[each]
                if bound < least < low[name]:
                    low[name] = least
                    changed = True
                elif least < low[name]:  # it falls without end
                    several[name] = None
    return [(name, None if name in several else net[name], low[name]) for name in net]

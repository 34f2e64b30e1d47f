"""Host names beside a memory of what was written: labels of bounded length only.

Whether an item can still differ from those before it is a search through its texts, and what is
left of a label (`slm.grammar.regular.Label`) is another language after each letter.
"""

from __future__ import annotations

from slm.grammar.ir import Call, Choice, Expression, Grammar, Many, Rule, Seq, Terminal
from slm.grammar.regular import (
    NOTHING,
    Concat,
    Label,
    Regular,
    Repeat,
    Union,
    concat,
    repeat,
    union,
)


def with_short_labels(grammar: Grammar) -> Grammar:
    """The grammar without the texts of terminals that are read by labels, if it has a memory.

    A format has those beside a regular language that has the shorter ones: see `formats.beyond`.
    """
    if grammar.memory is None or not any(_has_label(each.language) for each in grammar.terminals):
        return grammar
    known: dict[int, Terminal] = {}  # what was shared is shared again

    def made(expression: Expression) -> Expression:
        match expression:
            case Terminal(name, language, longest, place):
                short = Terminal(name, _short(language), longest, place)
                return known.setdefault(id(expression), short)
            case Call():
                return expression
            case Seq(parts):
                return Seq(tuple(map(made, parts)))
            case Choice(options):
                return Choice(tuple(map(made, options)))
            case Many(body, low, high):
                return Many(made(body), low, high)

    rules = tuple(Rule(rule.name, made(rule.body), rule.place) for rule in grammar.rules)
    return Grammar(rules, grammar.start, grammar.memory)


def _has_label(language: Regular) -> bool:
    match language:
        case Label():
            return True
        case Concat(parts) | Union(parts):
            return any(map(_has_label, parts))
        case Repeat(body):
            return _has_label(body)
        case _:
            return False  # nothing is intersected with one


def _short(language: Regular) -> Regular:
    match language:
        case Label():
            return NOTHING
        case Concat(parts):
            return concat(*map(_short, parts))
        case Union(options):
            return union(*map(_short, options))
        case Repeat(body, low, high):
            return repeat(_short(body), low, high)
        case _:
            return language

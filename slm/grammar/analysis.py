"""What can be said about a grammar before any text is seen: which parts derive something at all.

Both engines rest on `prune`: after it every part that is left derives at least one text, so a
parse that has begun can always be finished.
"""

from __future__ import annotations

from slm.errors import EmptyLanguage
from slm.grammar.derivative import Languages
from slm.grammar.ir import (
    EMPTY,
    NEVER,
    Call,
    Choice,
    Expression,
    Grammar,
    Many,
    Rule,
    Seq,
    Terminal,
    choice,
    many,
    seq,
    walk,
)


def barren_terminals(grammar: Grammar) -> frozenset[Terminal]:
    """Terminals without any non-empty text: they can never match."""
    pool = Languages()
    return frozenset(
        terminal
        for terminal in grammar.terminals
        if not pool.extendable(pool.state(terminal.language))
    )


def productive_rules(grammar: Grammar) -> frozenset[str]:
    """Rules that derive some text (the empty one counts).

    Cost: O(rules × size) in the worst case; one or two passes in practice.
    """
    return _productive(grammar, barren_terminals(grammar))


def nullable_rules(grammar: Grammar) -> frozenset[str]:
    """Rules that derive the empty text. A terminal never does."""
    found: set[str] = set()
    while True:
        new = {
            rule.name
            for rule in grammar.rules
            if rule.name not in found and is_nullable(rule.body, found)
        }
        if not new:
            return frozenset(found)
        found |= new


def is_nullable(expression: Expression, rules: set[str] | frozenset[str]) -> bool:
    """Whether the expression derives the empty text, given the rules that do."""
    match expression:
        case Terminal():
            return False
        case Call(rule):
            return rule in rules
        case Seq(parts):
            return all(is_nullable(part, rules) for part in parts)
        case Choice(options):
            return any(is_nullable(option, rules) for option in options)
        case Many(body, low, _):
            return low == 0 or is_nullable(body, rules)


def prune(grammar: Grammar) -> Grammar:
    """The same language without the parts that derive nothing and the rules nothing reaches.

    Raises:
        EmptyLanguage: the start rule derives nothing; names the terminal or rule to blame.

    >>> from slm.grammar.regular import literal
    >>> a, loop = Terminal("A", literal("a")), Call("loop")
    >>> print(prune(Grammar((Rule("start", choice(a, loop)), Rule("loop", loop)), "start")))
    start: A
    A: "a"
    """
    barren = barren_terminals(grammar)
    productive = _productive(grammar, barren)
    if grammar.start not in productive:
        raise _blame(grammar, barren, productive)
    bodies = {
        rule.name: _without(rule.body, barren, productive)
        for rule in grammar.rules
        if rule.name in productive
    }
    reached, queue = {grammar.start}, [grammar.start]
    while queue:
        for node in walk(bodies[queue.pop()]):
            if isinstance(node, Call) and node.rule not in reached:
                reached.add(node.rule)
                queue.append(node.rule)
    return Grammar(
        tuple(
            Rule(rule.name, bodies[rule.name], rule.place)
            for rule in grammar.rules
            if rule.name in reached
        ),
        grammar.start,
        grammar.memory,
    )


def _productive(grammar: Grammar, barren: frozenset[Terminal]) -> frozenset[str]:
    found: set[str] = set()
    waiting = list(reversed(grammar.rules))  # callees tend to be defined after their callers
    while True:
        rest = []
        for rule in waiting:
            if _derives(rule.body, barren, found):
                found.add(rule.name)
            else:
                rest.append(rule)
        if len(rest) == len(waiting):
            return frozenset(found)
        waiting = rest


def _derives(
    expression: Expression, barren: frozenset[Terminal], rules: set[str] | frozenset[str]
) -> bool:
    match expression:
        case Terminal():
            return not barren or expression not in barren
        case Call(rule):
            return rule in rules
        case Seq(parts):
            return all(_derives(part, barren, rules) for part in parts)
        case Choice(options):
            return any(_derives(option, barren, rules) for option in options)
        case Many(body, low, high):
            if high is not None and high < low:
                return False
            return low == 0 or _derives(body, barren, rules)


def _without(
    expression: Expression, barren: frozenset[Terminal], rules: frozenset[str]
) -> Expression:
    if not _derives(expression, barren, rules):
        return NEVER
    match expression:
        case Terminal() | Call():
            return expression
        case Seq(parts):
            return seq(*(_without(part, barren, rules) for part in parts))
        case Choice(options):
            kept = (_without(option, barren, rules) for option in options)
            return choice(*(option for option in kept if option != NEVER))
        case Many(body, low, high):
            inner = _without(body, barren, rules)
            return EMPTY if inner == NEVER else many(inner, low, high)


def _blame(
    grammar: Grammar, barren: frozenset[Terminal], productive: frozenset[str]
) -> EmptyLanguage:
    """Follow what derives nothing from the start down to a terminal, or round a loop of rules."""
    name, trail = grammar.start, [grammar.start]
    while True:
        rule = grammar.by_name[name]
        calls, culprit = _first_cause(rule.body, barren, productive)
        if culprit is not None:
            return EmptyLanguage(
                f"no text matches: rule `{name}` needs terminal `{culprit.name}`, "
                "which matches no character at all",
                at=culprit.place or rule.place,
                hint="a terminal needs at least one character; correct its pattern",
            )
        if calls is None:
            return EmptyLanguage(
                f"no text matches: rule `{name}` has no alternative that derives anything",
                at=rule.place,
                hint="give it an alternative that can be matched",
            )
        if calls in trail:
            loop = [*trail[trail.index(calls) :], calls]
            return EmptyLanguage(
                f"no text matches: rule `{calls}` never ends "
                f"({' → '.join(f'`{step}`' for step in loop)})",
                at=grammar.by_name[calls].place,
                hint=f"give `{calls}` an alternative that does not need itself",
            )
        trail.append(calls)
        name = calls


def _first_cause(
    expression: Expression, barren: frozenset[Terminal], productive: frozenset[str]
) -> tuple[str | None, Terminal | None]:
    """The first call or terminal inside that derives nothing; (None, None) when it is neither."""
    for node in walk(expression):
        if isinstance(node, Terminal) and node in barren:
            return None, node
        if isinstance(node, Call) and node.rule not in productive:
            return node.rule, None
    return None, None

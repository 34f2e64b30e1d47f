"""Whether any value is valid, and where the contradiction stands if none is."""

from __future__ import annotations

from typing import TYPE_CHECKING

from slm.errors import UnsatisfiableSchema
from slm.grammar.ir import Call, Choice, Expression, Many, Seq, Terminal, walk

if TYPE_CHECKING:
    from slm.schema.lower import Lowering


def check_satisfiable(made: Lowering, start: str) -> None:
    """Make sure that the start rule derives some text.

    Raises:
        UnsatisfiableSchema: it does not; the place is the innermost schema at fault.

    Cost: linear in the grammar, but for rules that call each other in circles.
    """
    users: dict[str, list[str]] = {}
    for rule in made.rules.values():
        for node in walk(rule.body):
            if isinstance(node, Call):
                users.setdefault(node.rule, []).append(rule.name)
    productive: set[str] = set()
    todo = list(made.rules)  # helpers and children were made last: they are looked at first
    while todo:
        name = todo.pop()
        if name not in productive and _derives(made.rules[name].body, productive):
            productive.add(name)
            todo.extend(user for user in users.get(name, ()) if user not in productive)
    if start in productive:
        return
    name = _culprit(made, start, productive)
    goal = made.dead.get(name) or made.goals.get(name, made.goals[start])
    raise UnsatisfiableSchema(
        "no JSON value is valid under this schema",
        at=made.place(goal) or made.place(made.goals[start]) or made.root_place(),
        hint="its keywords contradict each other, or it needs itself without end",
    )


def _derives(body: Expression, productive: set[str]) -> bool:
    match body:
        case Terminal():
            return True  # the empty ones were left out when they were made
        case Call(rule):
            return rule in productive
        case Seq(parts):
            return all(_derives(part, productive) for part in parts)
        case Choice(options):
            return any(_derives(option, productive) for option in options)
        case Many(inner, low, _):
            return low == 0 or _derives(inner, productive)


def _culprit(made: Lowering, start: str, productive: set[str]) -> str:
    """The innermost rule for a goal that cannot derive anything, on the way from the start."""
    name, seen = start, {start}
    last = start
    while True:
        if name in made.goals:
            last = name
        inner = next(
            (
                node.rule
                for node in walk(made.rules[name].body)
                if isinstance(node, Call) and node.rule not in productive and node.rule not in seen
            ),
            None,
        )
        if inner is None:
            return last
        seen.add(inner)
        name = inner
